/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dialback elements whose turn comes later. A claim costs as much as a dozen stanzas: who asserts
 * ten thousand at once on a stream whose pairs are in use must not hold these up. So a worker
 * takes up LIMIT_CLAIMS_PER_TURN claims a turn; what a proven stream asserts beyond that is kept
 * as it came, in order, and the stream is read on. Behind it
 *
 *   - a stanza of a pair that is VALID goes its way: no claim can change what it may do (rule 2.4
 *     row 8);
 *   - any other stanza waits until the claims before it have been taken up, and the stream is not
 *     read meanwhile: one of them may be about its pair (RFC 6120 section 10.1);
 *   - another dialback element takes its place at the end.
 *
 * When our stream ends, what is kept could not be answered any more, and is dropped. Memory is
 * bounded for a worker, by LIMIT_BACKLOG: no stream takes more of it than it leaves. What there is
 * no room for is taken up at once, or waits as a stanza does.
 *
 * A backlog is embedded in its inbound stream. Owner thread only.
 */
#ifndef SLUICE_CORE_BACKLOG_H
#define SLUICE_CORE_BACKLOG_H

#include "core/base/limits.h"
#include "core/base/list.h"
#include "xml/scan.h"

struct inbound;
struct worker;

/* Of a worker. */
struct backlogs {
	struct list turns; /* backlogs that have work, each at most once; they go round */
	size_t bytes; /* of memory that they have */
	unsigned left; /* claims that may still be taken up in this turn */
};

struct backlog {
	struct backlogs *all;
	struct list turn;
	struct list chunks; /* what is kept, oldest first */
	size_t bytes; /* of memory in them */
	struct frame
		*held; /* the stanza, or dialback element, for which the stream waits, or NULL */
};

void backlogs_init(struct backlogs *all);

void backlog_init(struct backlog *b, struct backlogs *all);
/* From the stream's `closed`: what is left is dropped. */
void backlog_free(struct backlog *b);

/* A dialback element has come. True: it was taken, for later; false: it is to be taken up now. */
bool backlog_takes_claim(struct inbound *in, const struct frame *f) MUST_CHECK;
/* The same for a stanza, while there are claims before it. */
bool backlog_takes_stanza(struct inbound *in, const struct frame *f) MUST_CHECK;

/* Are claims kept? They count as being verified. */
static inline bool backlog_is_empty(const struct backlog *b)
{
	return list_empty(&b->chunks);
}

/* What kept the stream from being answered is over; or the stream has ended. */
void backlog_wake(struct inbound *in);

/* Once per turn, before input is looked at. */
void backlogs_turn(struct worker *w);

#endif
