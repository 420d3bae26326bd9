/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of stanzas to a route whose home is another worker (core/crew.h). The
 * sender's end is the channel, the home's end the inlet; between them runs the
 * mesh, so that the stanzas of one sender arrive in their order. Consecutive stanzas
 * for one route travel as a run, which the home appends to its link in one piece.
 *
 * Credit is what keeps a slow backend from filling the home's memory: a channel may
 * have CHANNEL_CREDIT bytes under way that the home has not made room for. While the
 * backend's queue is full (--queue-bytes) the home keeps the credit and says so: the
 * channel is held. The sender deals with it as with a full queue of its own: pauses a
 * source that feeds nothing else, and bounces for the others. If the backend has
 * stalled, the home says that too. All of it is over with the next credit.
 *
 * A channel can also be out of credit because much came in one turn and the home has
 * not had its own yet. That says nothing against the backend: what then goes out is
 * bounded by what the mesh carries, and the worker's input by that.
 *
 * Both ends belong to the thread of their worker.
 */
#ifndef SLUICE_CORE_CHANNEL_H
#define SLUICE_CORE_CHANNEL_H

#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/span.h"
#include "core/post.h"

/* Bytes. What a worker may take of its own input in one turn: of a backend that is busy all the time, the
 * other workers' streams have no less than those beside it. */
#define CHANNEL_CREDIT LIMIT_TURN_BYTES

struct channel;
struct channels; /* both ends of all that a worker has */
struct route;
struct worker;

struct channels *channels_new(struct worker *w); /* dies without memory */
void channels_free(struct channels *cs); /* all routes must be gone */

/* -- the sender's end -- */

/* r: told when there is room again (route_room). name: of the backend. NULL without memory. */
struct channel *channel_open(struct channels *cs, unsigned home, const char *name, struct route *r);
void channel_close(struct channel *c);

/* Has it credit, and does the home take what comes? Then stanzas go out without a further look. */
bool channel_free(const struct channel *c);
bool channel_held(const struct channel *c); /* by a home whose queue is full */
size_t channel_used(const struct channel *c); /* bytes that no credit came back for */
/* CHANNEL_CREDIT; while it is held what had been used before, if that was more. */
size_t channel_bound(const struct channel *c);
/* One stanza, in pieces; also when it is full. False without memory. */
bool channel_write(struct channel *c, const struct span *pieces, unsigned n) MUST_CHECK;

/* -- the home's end -- */

struct inlet;

/* The route has room again, or is gone: what it holds back is given. holding: struct inlet. */
void inlets_release(struct list *holding);
/* What it holds back, in bytes: their senders have put so much into its queue. */
size_t inlets_owed(const struct list *holding);
/* The route has stalled. */
void inlets_stalled(struct list *holding);

/* -- both -- */

/* A record of POST_CHANNEL, POST_CHANNEL_END, POST_RUN, POST_HELD or POST_CREDIT. */
void channels_record(struct channels *cs, unsigned from, enum post kind, const char *p, size_t n);

#endif
