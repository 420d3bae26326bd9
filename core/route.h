/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where stanzas for hosted domains go: one route per backend. At the backend's home
 * (core/crew.h) it has the link while that is up; at the other workers it is a
 * channel to there (core/channel.h), and what follows is the home's business. While it
 * is down stanzas are parked, in order, at most --queue-bytes of them and
 * LIMIT_PARK_MS long; what does not fit or waits too long goes back to its sender.
 * Routes are named like the backend and survive a reload that keeps it. Owner thread
 * only.
 *
 * Backpressure (docs/decisions/016). What waits for a route is its queue: the link's,
 * what is parked, or what its channel has no credit back for. Its states:
 *   free       less than half of the bound: nothing is counted (route_stanza)
 *   congested  more: who brings what is counted (core/shares.h), until the low mark
 *   full       at the bound. A source that feeds nothing else is paused, behind one
 *              more stanza; for others there is a reserve, a quarter of --queue-bytes,
 *              of which no pair gets more than it leaves
 *   stalled    the link has taken no byte for --stall-ms: nobody is paused for it, until
 *              the low mark
 * The bound is --queue-bytes, or less: no queue is larger than what it leaves of the
 * worker's budget for all others.
 */
#ifndef SLUICE_CORE_ROUTE_H
#define SLUICE_CORE_ROUTE_H

#include "core/base/list.h"
#include "core/bounce.h"
#include "core/registry.h"
#include "net/timer.h"

struct component;
struct route;
struct routes;
struct worker;

struct routes *routes_new(struct worker *w); /* dies without memory */
void routes_free(struct routes *rs); /* all links must be gone */

/* The registry has changed: routes of backends that are gone end their links, and what they had
 * parked is returned. Bumps the worker's route_gen. was: the registry before. */
void routes_reload(struct routes *rs, const struct registry *was);

/* Once per turn: wakes who waits for a route that has room again, until it is full again. */
void routes_turn(struct routes *rs);
bool routes_busy(const struct routes *rs); /* routes_turn has something to do: do not sleep */

/* Nobody will come for it any more: all that is parked goes back to its senders. */
void routes_return_parked(struct routes *rs);

/* The route for a hosted domain's backend; NULL without memory. */
struct route *route_of(struct routes *rs, const struct backend *b);

/* One that the registry does not have yet: another worker has heard of it first. It goes with the
 * next reload that does not bring it. */
struct route *route_ahead(struct routes *rs, const char *name);

struct component *route_link(const struct route *r);
const char *route_name(const struct route *r);
/* The link is up: what was parked is sent first. */
void route_up(struct route *r, struct component *link);
/* It is gone. */
void route_down(struct route *r);

/* One stanza in pieces, in the content namespace of components, while nothing is in its way.
 * False: it was not taken; route_press knows what becomes of it. */
bool route_stanza(struct route *r, const struct span *pieces, unsigned n) MUST_CHECK;

enum route_result {
	ROUTE_SENT,
	ROUTE_PARKED,
	ROUTE_FULL, /* not taken: too much waits for the backend */
	ROUTE_SPENT, /* not taken: --mem-budget is used up, or memory is */
};

static inline bool route_refused(enum route_result res)
{
	return res >= ROUTE_FULL;
}

/* What the sender of a stanza that was not taken is told, with resource-constraint; counts it. */
const char *route_refusal(struct route *r, enum route_result res);

/* The same where route_stanza has refused. whose: the pair's key (shares_key, with the worker's
 * seed). pausable: its source feeds nothing else; *pause: it has to be paused. pause may be NULL
 * if it is not pausable. */
enum route_result route_press(struct route *r, const struct span *pieces, unsigned n,
	uint64_t whose, bool pausable, bool *pause) MUST_CHECK;

/* An error for one of the backend's own stanzas, as route_press, but not refused by the bound of the
 * queue: what it answers has taken as much before. While the link is up and no less of the budget is left
 * than waits for it. */
bool route_answer(struct route *r, struct span error, uint64_t whose) MUST_CHECK;

/* A stanza that was queued on a link that died: parked before all others by route_down. Called in
 * the order in which they were to be sent. */
void route_repark(struct route *r, struct span stanza);

/* Tell me (waiter->fn, once, from routes_turn) when the route has room again, is down, or has
 * stalled. */
struct route_waiter {
	struct list link;
	void (*fn)(struct route_waiter *w);
};

void route_wait(struct route *r, struct route_waiter *w);
/* The link's queue, or the channel, has room. */
void route_room(struct route *r);
/* The link takes no byte: here, or where its home is. */
void route_stalled(struct route *r);

/* Is its home elsewhere? */
bool route_is_far(const struct route *r);

/* Stanzas that came over a channel, in one piece with SCAN_PAD readable bytes behind it: sent,
 * parked, or returned to their senders. False: the link's queue is full. */
bool route_take(struct route *r, struct span run, unsigned stanzas);
/* The inlet's credit is given when there is room again, or the link is down. Has it stalled? */
bool route_hold(struct route *r, struct list *holding);

#endif
