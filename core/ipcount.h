/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many unauthenticated streams each source address holds (--max-unauth-per-ip),
 * so that one stranger cannot use up the connections of all. IPv6 sources are
 * counted by /64. Bounded by the number of connections. Owner thread only.
 */
#ifndef SLUICE_CORE_IPCOUNT_H
#define SLUICE_CORE_IPCOUNT_H

#include "core/base/addr.h"

struct ipcount;

struct ipcount *ipcount_new(void); /* dies without memory */
void ipcount_free(struct ipcount *t);

/* Counts one more unless that would exceed max (or there is no memory): false. */
bool ipcount_take(struct ipcount *t, const struct addr *source, uint64_t max) MUST_CHECK;
/* Gives one back; it must have been taken. */
void ipcount_give(struct ipcount *t, const struct addr *source);

uint64_t ipcount_get(const struct ipcount *t, const struct addr *source);

#endif
