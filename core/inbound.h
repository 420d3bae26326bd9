/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream that another server opened to us: we are its Receiving Server, and
 * Authoritative Server for whoever asks (protocol rules 1.2, 2.4, 2.6, 2.11).
 * Belongs to the worker that accepted it.
 */
#ifndef SLUICE_CORE_INBOUND_H
#define SLUICE_CORE_INBOUND_H

#include "core/negotiate.h"
#include "core/route.h"
#include "core/stream.h"
#include "dialback/pairs.h"
#include "dialback/verify.h"

struct inbound {
	struct stream s;
	struct asker asker;
	struct pairs *pairs;
	struct lang lang; /* of the header */
	uint8_t pausing; /* enum inbound_pause, why it is not read */
	bool counted; /* in the worker's count of unauthenticated streams */
	bool strict_close; /* --invalid-policy=forbid: ends unless a pair becomes VALID */
	unsigned foreign; /* unknown depth-1 elements so far */
	unsigned without_id; /* db:verify */
	uint64_t opened;
	uint64_t asked; /* ms of the last db:verify it sent: keeps it alive */
	struct route *last_route; /* compared, never followed */
	uint64_t mixed_until; /* until then it counts as feeding several routes */
	struct route_waiter waiter;
	struct list resume; /* in the worker's list of streams to be read again */
};

enum inbound_pause {
	PAUSE_CLAIMS = 1, /* too many claims of a stream that has proven nothing */
	PAUSE_ROUTE = 2, /* the one route that it feeds is full */
	PAUSE_ANSWERS = 4, /* it does not read our answers */
};

/* listen_fn of the outer listeners; ctx is the worker. */
bool inbound_accept(void *ctx, int fd, const struct addr *peer);

/* Its first pair has become VALID: the bounds for strangers no longer hold. */
void inbound_proven(struct inbound *in);

void inbound_pause(struct inbound *in, enum inbound_pause why);
void inbound_resume(struct inbound *in, enum inbound_pause why);
/* Answers wait that the peer does not read: no more input until it does. */
void inbound_said(struct inbound *in);

/* Is the stream one of these? (streams of a worker are of several kinds) */
struct inbound *inbound_of(struct stream *s);

#endif
