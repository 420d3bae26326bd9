/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The books of a run: what was sent on each pair and what has arrived of it.
 *
 * Each pair numbers its stanzas 0, 1, 2, ... An arrival that is the next one of its
 * pair, as all are when nothing is wrong, costs one comparison. A gap marks the
 * numbers in it as missing; one of them that arrives later is *reordered*; a number
 * that arrives again is *duplicated*; one that never was sent is *alien*. So
 *
 *   sent = arrived + lost,   arrived counts each stanza once, reordered or not.
 *
 * A stanza that came back as an error does not say which one of its pair it was, so bounces are
 * counted by pair; where more arrived and came back than were sent, one did both.
 */
#ifndef SLUICE_BENCH_LEDGER_H
#define SLUICE_BENCH_LEDGER_H

#include "bench/bench.h"

enum arrival {
	ARRIVAL_NEXT,
	ARRIVAL_GAP, /* in order, but some before it have not arrived */
	ARRIVAL_REORDERED,
	ARRIVAL_DUPLICATE,
	ARRIVAL_ALIEN,
};

struct ledger_pair {
	uint32_t sent; /* number of the next one to send */
	uint32_t next; /* number expected next */
};

/* Which numbers of one pair are missing: a bit each, as far as there were gaps. */
struct ledger_missing {
	uint64_t *bits;
	size_t words;
};

struct ledger {
	uint32_t n_pairs;
	struct ledger_pair *pairs;
	struct ledger_missing *missing; /* of each pair; NULL until the first gap */
	uint32_t *bounced; /* of each pair; NULL until the first */
	uint64_t sent, arrived, reordered, duplicated, alien;
	uint64_t returned; /* sum of bounced */
};

void ledger_init(struct ledger *l, uint32_t pairs);
void ledger_free(struct ledger *l);

/* Books one stanza of the pair as sent and returns its number. */
static inline uint32_t ledger_send(struct ledger *l, uint32_t pair)
{
	l->sent++;
	return l->pairs[pair].sent++;
}

enum arrival ledger_odd(struct ledger *l, uint32_t pair, uint32_t number);

/* Books an arrival, with whatever numbers a broken server may deliver. */
static inline enum arrival ledger_arrive(struct ledger *l, uint32_t pair, uint32_t number)
{
	if (pair < l->n_pairs && number == l->pairs[pair].next && number < l->pairs[pair].sent) {
		l->pairs[pair].next++;
		l->arrived++;
		return ARRIVAL_NEXT;
	}
	return ledger_odd(l, pair, number);
}

/* One of the pair's stanzas came back as an error. pair: below n_pairs. */
void ledger_bounce(struct ledger *l, uint32_t pair);

/* How many stanzas arrived and came back. */
uint64_t ledger_both(const struct ledger *l);

static inline uint64_t ledger_lost(const struct ledger *l)
{
	return l->sent - l->arrived;
}

#endif
