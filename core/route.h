/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where stanzas for hosted domains go: one route per backend. At the backend's home
 * (core/crew.h) it has the link while that is up; at the other workers it is a
 * channel to there (core/channel.h), and what follows is the home's business. While it is down stanzas are parked, in order, at most
 * --queue-bytes of them and LIMIT_PARK_MS long; what does not fit or waits too
 * long goes back to its sender. Routes are named like the backend and survive a
 * reload that keeps it. Owner thread only.
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

struct component *route_link(const struct route *r);
const char *route_name(const struct route *r);
/* The link is up: what was parked is sent first. */
void route_up(struct route *r, struct component *link);
/* It is gone. */
void route_down(struct route *r);

enum route_result {
	ROUTE_SENT,
	ROUTE_PARKED,
	ROUTE_FULL, /* not taken: resource-constraint */
};

/* One stanza in pieces, in the content namespace of components. overshoot: the source will be
 * paused afterwards, so take it even though the queue is full. *full: the queue is. */
enum route_result route_stanza(struct route *r, const struct span *pieces, unsigned n,
	bool overshoot, bool *full) MUST_CHECK;

/* A stanza that was queued on a link that died: parked before all others by route_down. Called in
 * the order in which they were to be sent. */
void route_repark(struct route *r, struct span stanza);

/* Tell me (waiter->fn, once, from routes_turn) when the route has room again, or is down. */
struct route_waiter {
	struct list link;
	void (*fn)(struct route_waiter *w);
};

void route_wait(struct route *r, struct route_waiter *w);
/* The link's queue, or the channel, has room. */
void route_room(struct route *r);

/* Is its home elsewhere? */
bool route_is_far(const struct route *r);

/* Stanzas that came over a channel, in one piece with SCAN_PAD readable bytes behind it: sent,
 * parked, or returned to their senders. False: the link's queue is full. */
bool route_take(struct route *r, struct span run, unsigned stanzas);
/* The inlet's credit is given when there is room again, or the link is down. */
void route_hold(struct route *r, struct list *holding);

#endif
