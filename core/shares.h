/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who holds how much of a queue that is filling up. Each domain pair is counted with
 * the bytes that it has put there, in a sketch of fixed size: two rows of counters,
 * in each of which a keyed hash gives the pair one; its share is the smaller of the
 * two. So a share may be taken for larger than it is, where both counters are also
 * others', and never for smaller. However many pairs there are, it takes the same
 * few KiB, and only while a queue is congested (core/route.h).
 *
 * Nobody says which bytes of whom have left the queue. It is first in, first out, so
 * whenever as much as its bound has come in, all counts are halved: what came long
 * ago fades as it goes. No count exceeds twice the bound and a stanza.
 *
 * The rule that shares are for: of what is left of a queue's reserve nobody takes
 * more than the rest (shares_fit). Whoever holds most is refused first, and the last
 * byte of the reserve goes to those who hold nothing. Owner thread only.
 */
#ifndef SLUICE_CORE_SHARES_H
#define SLUICE_CORE_SHARES_H

#include "core/base/span.h"

struct shares;

/* bound: of the queue, in bytes, at most 1 GiB. NULL without memory. */
struct shares *shares_new(size_t bound);
void shares_free(struct shares *s);

/* Whom to count under; from, to: domains in canonical form. The seed is the worker's secret. */
uint64_t shares_key(uint64_t seed, struct span from, struct span to);

/* So many bytes of this pair have come into the queue. s NULL: nothing is counted. */
void shares_add(struct shares *s, uint64_t whose, size_t bytes);
/* What it holds, in bytes, about. 0 for s NULL. */
uint64_t shares_of(const struct shares *s, uint64_t whose);

/* May it put in so many more, when `left` are left? */
static inline bool shares_fit(const struct shares *s, uint64_t whose, size_t bytes, size_t left)
{
	return bytes <= left && shares_of(s, whose) <= left - bytes;
}

#endif
