/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stanzas of a run, for those who send them: what is due when, by the pace, and each
 * connection's share of it, round robin over the pairs that it has.
 *
 * The feed belongs to the run, a share to its connection. Both sit in their owners.
 */
#ifndef SLUICE_BENCH_FEED_H
#define SLUICE_BENCH_FEED_H

#include "bench/flows.h"
#include "bench/ledger.h"
#include "bench/names.h"
#include "bench/pace.h"
#include "bench/shapes.h"
#include "bench/wire.h"

#define FEED_BURST 32 /* stanzas between two looks at the clock */

struct feed {
	const struct names *names;
	struct shapes *shapes;
	struct ledger *ledger;
	enum names_way way;
	struct flows *flows; /* set after feed_init; NULL: no books by stage */
	struct pace pace; /* begun by the run */
	uint64_t window; /* most stanzas that have neither arrived nor come back; 0: unlimited */
	uint64_t stanzas, bytes; /* written into the buffers of connections */
};

struct share {
	struct feed *feed;
	uint32_t *pairs; /* on the heap, the share's */
	uint32_t n_pairs, turn;
	double part; /* of all stanzas */
	double phase; /* of a stanza, that it is later than the first share's: 0 to 1 */
	uint64_t quota; /* of stanzas, in all */
	uint64_t slot; /* of them, those that were sent or withheld */
};

/* All that is passed must outlive it. */
void feed_init(struct feed *f, const struct names *names, struct shapes *shapes,
	struct ledger *ledger, enum names_way way);

/* Divides the pace's total by the numbers of pairs, exactly. */
void feed_divide(struct feed *f, struct share *const *shares, uint32_t count);

/* Has `ready` called as often as the pace wants it. false with errno set; then fd may be -1. */
bool feed_timer(const struct feed *f, struct loop *l, struct source *timer,
	void (*ready)(struct source *s, uint32_t events));

/* Whether the timer has really ticked. */
bool feed_ticked(struct source *timer);

/* Removes and closes it. Harmless when there is none (fd -1). */
void feed_timer_end(struct loop *l, struct source *timer);

/* How many more the window has room for. */
static inline uint64_t feed_room(const struct feed *f)
{
	uint64_t out = f->ledger->sent - f->ledger->arrived - f->ledger->returned;

	if (!f->window)
		return UINT64_MAX;
	return out < f->window ? f->window - out : 0;
}

/* How many of the share's stanzas should have been sent by now and were not, and may be sent. */
uint64_t share_due(const struct share *s, uint64_t now);

/* Writes that many, of its pairs in turn. n_pairs is not 0; count at most FEED_BURST. */
void share_append(struct share *s, struct wire *w, uint64_t count, uint64_t now);

/* Writes count of one pair, beside the share. */
void feed_append(struct feed *f, struct wire *w, uint32_t pair, uint64_t count, uint64_t now);

/* What is due by now never will be sent. Returns how many. */
uint64_t share_skip(struct share *s, uint64_t now);

/*
 * Whether there is something to send, and no timer that will say so. Of room in the window nobody says
 * anything: who has one looks once a turn of the loop.
 */
static inline bool share_wanted(const struct share *s)
{
	return !s->feed->pace.rate && s->n_pairs && s->slot < s->quota && feed_room(s->feed);
}

#endif
