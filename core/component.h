/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A component that logged in to us (XEP-0114, server side; protocol rule 6.7). The
 * header's `to` names one domain of a backend entry of the registry; after the
 * handshake the connection speaks for all domains of that entry and gets all
 * stanzas for them. A second one gets `conflict`.
 *
 * It belongs to the home of its backend (core/crew.h). The worker that accepted the
 * connection reads the header, from which it learns who that is; if it is another
 * one, that worker is given the socket and what was read, and begins anew.
 */
#ifndef SLUICE_CORE_COMPONENT_H
#define SLUICE_CORE_COMPONENT_H

#include "core/base/rand.h"
#include "core/negotiate.h"
#include "core/route.h"
#include "core/stream.h"
#include "dialback/pairs.h"

struct component {
	struct stream s;
	struct route *route; /* after the handshake */
	char backend[BACKEND_NAME_MAX + 1]; /* of its entry; empty before the header */
	char id[STREAM_ID_LEN + 1];
	bool counted; /* in the worker's count of unauthenticated streams */
	struct lang lang; /* of its header */
	struct pairs *known; /* domain pairs that the registry was asked about, with their routes */
	struct span opening; /* its header, for the home if that is another worker; our memory */
	unsigned home;
};

/* listen_fn of the component listeners; ctx is the worker. */
bool component_accept(void *ctx, int fd, const struct addr *peer);

/* A record of POST_COMPONENT: a connection that another worker accepted. */
void component_arrive(struct worker *w, const char *p, size_t n);
/* One that never arrived, because the router has ended. Any thread. */
void component_lost(const char *p);

/* Appends a stanza. force: also beyond half of --queue-bytes. False: congested, ending, or no
 * memory. */
bool component_write(struct component *c, const struct span *pieces, unsigned n, bool force);
/* Bytes that wait on it. */
size_t component_queued(const struct component *c);
/* That is more than half of --queue-bytes. */
bool component_congested(const struct component *c);
/* It has taken none for --stall-ms, and its queue has not fallen to the low mark yet. */
bool component_stalled(const struct component *c);
/* Can stanzas still be written to it? */
bool component_open(const struct component *c);
/* The registry has changed: ends the link if its backend is gone, has another secret, or may no
 * longer log in from where it is. was: the registry before. */
void component_review(struct component *c, const struct registry *was);

struct component *component_of(struct stream *s); /* NULL: another kind */

#endif
