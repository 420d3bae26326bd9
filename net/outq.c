/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/outq.h"

#include <sys/uio.h>

#include "core/base/mem.h"

/* A queue that holds little takes little: thousands of streams that wait for an answer to a few
 * hundred bytes would otherwise fill the budget with air. */
#define SMALL 4096
#define KEEP (16u << 20) /* bytes of free segments that a pool holds on to */
#define NO_MARK UINT32_MAX

enum size_class { CLASS_SMALL, CLASS_LARGE, CLASS_COUNT };

struct outq_segment {
	struct outq_segment *next;
	uint32_t start; /* bytes before it have been sent */
	uint32_t end; /* bytes from it on are room */
	uint32_t mark; /* where the first stanza that begins here begins; stays when it was sent */
	uint32_t class;
	char data[];
};

struct outq_pool {
	size_t budget, used;
	size_t kept;
	struct outq_segment *free[CLASS_COUNT];
};

static const uint32_t class_size[CLASS_COUNT] = { SMALL, OUTQ_SEGMENT };

static uint32_t class_room(enum size_class class)
{
	return class_size[class] - (uint32_t)sizeof(struct outq_segment);
}

struct outq_pool *outq_pool_new(size_t budget)
{
	struct outq_pool *pool = mem_zalloc(sizeof(*pool));

	pool->budget = budget;
	return pool;
}

void outq_pool_free(struct outq_pool *pool)
{
	if (!pool)
		return;
	BUG_ON(pool->used != 0);
	for (int class = 0; class < CLASS_COUNT; class ++) {
		while (pool->free[class]) {
			struct outq_segment *s = pool->free[class];

			pool->free[class] = s->next;
			mem_free(s);
		}
	}
	mem_free(pool);
}

size_t outq_pool_used(const struct outq_pool *pool)
{
	return pool->used;
}

static struct outq_segment *segment_get(struct outq_pool *pool, enum size_class class)
{
	struct outq_segment *s = pool->free[class];

	if (s) {
		pool->free[class] = s->next;
		pool->kept -= class_size[class];
	} else {
		s = mem_try_alloc(class_size[class]);
		if (!s)
			return NULL;
	}
	pool->used += class_size[class];
	s->next = NULL;
	s->start = s->end = 0;
	s->mark = NO_MARK;
	s->class = class;
	return s;
}

static void segment_put(struct outq_pool *pool, struct outq_segment *s)
{
	size_t size = class_size[s->class];

	pool->used -= size;
	if (pool->kept + size > KEEP) {
		mem_free(s);
		return;
	}
	pool->kept += size;
	s->next = pool->free[s->class];
	pool->free[s->class] = s;
}

static void chain_put(struct outq_pool *pool, struct outq_segment *s)
{
	while (s) {
		struct outq_segment *next = s->next;

		segment_put(pool, s);
		s = next;
	}
}

static enum size_class class_for(const struct outq *q, size_t n)
{
	return !q->head && n <= class_room(CLASS_SMALL) ? CLASS_SMALL : CLASS_LARGE;
}

static bool budget_fits(const struct outq *q, size_t n, enum size_class class)
{
	size_t segments = (n + class_room(class) - 1) / class_room(class);

	return q->pool->used <= q->share &&
		(q->share - q->pool->used) / class_size[class] >= segments;
}

/* Segments with room for n more bytes behind the tail; *last is the last of them. */
static struct outq_segment *chain_get(struct outq *q, size_t n, struct outq_segment **last)
{
	enum size_class class = class_for(q, n);
	struct outq_segment *first = NULL;

	/* Before anything is taken: a refusal must not cost a walk through the pool. */
	if (!budget_fits(q, n, class))
		return NULL;
	for (size_t room = 0; room < n; room += class_room(class)) {
		struct outq_segment *s = segment_get(q->pool, class);

		if (!s) {
			chain_put(q->pool, first);
			return NULL;
		}
		if (first)
			(*last)->next = s;
		else
			first = s;
		*last = s;
	}
	return first;
}

void outq_init(struct outq *q, struct outq_pool *pool)
{
	*q = (struct outq){ .pool = pool, .share = pool->budget };
}

void outq_clear(struct outq *q)
{
	size_t share = q->share;

	chain_put(q->pool, q->head);
	outq_init(q, q->pool);
	q->share = share;
}

void outq_mark(struct outq *q)
{
	q->marked = true;
}

static size_t tail_room(const struct outq *q)
{
	return q->tail ? class_room(q->tail->class) - q->tail->end : 0;
}

/* Room for n bytes from *at on, which may be full already. */
static bool room_make(struct outq *q, size_t n, struct outq_segment **at)
{
	struct outq_segment *first, *last = NULL;

	*at = q->tail;
	if (n <= tail_room(q))
		return true;
	first = chain_get(q, n - tail_room(q), &last);
	if (!first)
		return false;
	if (q->tail)
		q->tail->next = first;
	else
		q->head = *at = first;
	q->tail = last;
	return true;
}

bool outq_fits(const struct outq *q, size_t n)
{
	return n <= tail_room(q) || budget_fits(q, n - tail_room(q), class_for(q, n));
}

static void piece_copy(struct outq *q, struct outq_segment **at, struct span s)
{
	while (s.n > 0) {
		struct outq_segment *seg = *at;
		size_t n = class_room(seg->class) - seg->end;

		if (n == 0) {
			*at = seg->next;
			continue;
		}
		if (n > s.n)
			n = s.n;
		if (q->marked && seg->mark == NO_MARK)
			seg->mark = seg->end;
		q->marked = false;
		memcpy(seg->data + seg->end, s.p, n);
		seg->end += (uint32_t)n;
		q->bytes += n;
		s = span_skip(s, n);
	}
}

bool outq_append_all(struct outq *q, const struct span *pieces, unsigned n)
{
	struct outq_segment *at;

	if (!room_make(q, pieces_len(pieces, n), &at)) {
		q->marked = false;
		return false;
	}
	for (unsigned i = 0; i < n; i++)
		piece_copy(q, &at, pieces[i]);
	return true;
}

bool outq_append(struct outq *q, struct span s)
{
	return outq_append_all(q, &s, 1);
}

unsigned outq_start(struct outq *q, struct iovec *iov)
{
	unsigned n = 0;

	BUG_ON(q->in_flight != 0);
	for (struct outq_segment *s = q->head; s && n < OUTQ_IOV; s = s->next) {
		if (s->start == s->end)
			continue;
		iov[n].iov_base = s->data + s->start;
		iov[n].iov_len = s->end - s->start;
		q->in_flight += iov[n].iov_len;
		n++;
	}
	return n;
}

void outq_hold(struct outq *q, size_t n)
{
	BUG_ON(n > q->in_flight);
	q->in_flight = n;
}

void outq_complete(struct outq *q, size_t n)
{
	BUG_ON(n > q->in_flight);
	q->in_flight = 0;
	q->bytes -= n;
	if (q->bytes == 0) {
		chain_put(q->pool, q->head);
		q->head = q->tail = NULL;
		return;
	}
	while (n > 0) {
		struct outq_segment *s = q->head;
		size_t part = s->end - s->start;

		if (part > n) {
			s->start += (uint32_t)n;
			return;
		}
		n -= part;
		q->head = s->next;
		segment_put(q->pool, s);
	}
}

bool outq_unsent(const struct outq *q, size_t *handed, void (*fn)(void *ctx, struct span s),
	void *ctx)
{
	const struct outq_segment *s = q->head;
	size_t taken, before = 0;

	*handed = 0;
	if (q->bytes == 0)
		return false;
	/* Positions count from the first byte of the head's data. */
	taken = s->start + q->in_flight;
	while (s && s->mark == NO_MARK) {
		before += s->end;
		s = s->next;
	}
	if (!s)
		return false;
	if (taken > before + s->mark)
		*handed = taken - before - s->mark;
	fn(ctx, span_of(s->data + s->mark, s->end - s->mark));
	for (s = s->next; s; s = s->next)
		fn(ctx, span_of(s->data, s->end));
	return true;
}
