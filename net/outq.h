/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What waits to be sent on one connection: a queue of 32 KiB segments taken from
 * a pool of the worker's. Appending copies. Bytes stay until their send has
 * completed, and each segment remembers where the first stanza in it begins, so
 * that when a stream dies its unsent stanzas can be found by scanning again:
 * no cost per stanza while all is well. Owner thread only.
 */
#ifndef SLUICE_NET_OUTQ_H
#define SLUICE_NET_OUTQ_H

#include "core/base/list.h"
#include "core/base/span.h"

#define OUTQ_SEGMENT 32768
#define OUTQ_IOV 16

struct iovec;
struct outq_pool;

struct outq {
	struct outq_pool *pool;
	struct outq_segment *head, *tail;
	size_t share; /* takes no more from a pool that has given out so much */
	size_t bytes; /* not yet completed, in flight ones included */
	size_t in_flight; /* of them, handed to the kernel */
	bool marked; /* a stanza begins with the next byte */
};

/* A pool for all connections of a worker; budget bounds the bytes of all its segments. */
struct outq_pool *outq_pool_new(size_t budget);
void outq_pool_free(struct outq_pool *pool);
size_t outq_pool_used(const struct outq_pool *pool);

void outq_init(struct outq *q, struct outq_pool *pool); /* its share: all of the budget */
void outq_clear(struct outq *q); /* drops everything */

/* A stanza begins with the next byte appended. An append that fails takes the mark back. */
void outq_mark(struct outq *q);
/* False when the pool's budget is used up or memory is; nothing was appended then. */
bool outq_append(struct outq *q, struct span s) MUST_CHECK;
/* The pieces as one: all or nothing. */
bool outq_append_all(struct outq *q, const struct span *pieces, unsigned n) MUST_CHECK;

/* Does the pool's budget have room for n more bytes? Then an append fails for want of memory only. */
bool outq_fits(const struct outq *q, size_t n);

/* Fills iov, which has room for OUTQ_IOV entries, with the oldest bytes; returns how many entries,
 * and makes them in flight. Only one such batch may be open. */
unsigned outq_start(struct outq *q, struct iovec *iov);
/* Only the first n bytes of the open batch stay in flight. */
void outq_hold(struct outq *q, size_t n);
/* The batch ended with n bytes sent (n may be short or 0): the rest is queued again. */
void outq_complete(struct outq *q, size_t n);

/*
 * After the connection died: calls fn with the kept bytes from the first mark on, in order, in
 * at most one piece per segment; *handed is how many of these bytes the kernel had taken
 * (in doubt). False when nothing is left: all bytes were taken, or no stanza begins in what is
 * kept. The first piece may begin with stanzas whose send had completed long ago, since only
 * the first mark of a segment is remembered: whatever ends at or before *handed is not unsent.
 */
bool outq_unsent(const struct outq *q, size_t *handed, void (*fn)(void *ctx, struct span s),
	void *ctx);

#endif
