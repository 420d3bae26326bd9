/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flood of stanzas where it arrives: finds them by their markers, without parsing XML, and books
 * them. One for all who receive, so that it has seen everything.
 *
 * Each is booked in the ledger; its body has to be as it was sent; its addresses are looked at in
 * one stanza of sixteen.
 */
#ifndef SLUICE_BENCH_FLOOD_H
#define SLUICE_BENCH_FLOOD_H

#include "bench/flows.h"
#include "bench/latency.h"
#include "bench/ledger.h"
#include "bench/names.h"
#include "bench/shapes.h"

#define FLOOD_BUFFER (256u << 10)

struct flood {
	const struct names *names;
	const struct shapes *shapes;
	struct ledger *ledger;
	enum names_way way;
	struct flows *flows; /* set after flood_init; NULL: no books by stage */
	struct latency latency;
	uint64_t damaged, misaddressed;
	uint64_t last; /* when a stanza arrived last */
};

/* All that is passed must outlive it. names gives senders and targets to check against. */
void flood_init(struct flood *f, const struct names *names, const struct shapes *shapes,
	struct ledger *ledger, enum names_way way);

/*
 * Books the whole stanzas in buf, of FLOOD_BUFFER bytes at most, as having arrived now, and moves what
 * is behind the last of them to its beginning. Returns how much that is: less than FLOOD_BUFFER.
 */
size_t flood_scan(struct flood *f, char *buf, size_t len, uint64_t now);

/* Books one: tag is what lies before its marker; whole: its tail is as it was sent. */
void flood_book(struct flood *f, const struct marker *m, struct text tag, bool whole, uint64_t now);

#endif
