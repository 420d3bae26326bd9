/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/backlog.h"

#include "core/base/mem.h"
#include "core/claims.h"
#include "core/worker.h"
#include "xml/jid.h"

#define CHUNK_BYTES 65536
/* Of one stream before it is another's turn. */
#define SLICE 8

struct chunk {
	struct list link;
	uint32_t at, end; /* kept elements: bytes[at .. end) */
	char bytes[];
};

#define CHUNK_ROOM (CHUNK_BYTES - sizeof(struct chunk))

void backlogs_init(struct backlogs *all)
{
	list_init(&all->turns);
	all->bytes = 0;
	all->left = LIMIT_CLAIMS_PER_TURN;
}

void backlog_init(struct backlog *b, struct backlogs *all)
{
	b->all = all;
	list_init(&b->turn);
	list_init(&b->chunks);
	b->bytes = 0;
	b->held = NULL;
}

static void memory_give(struct backlog *b, size_t n)
{
	b->bytes -= n;
	b->all->bytes -= n;
}

/* NULL when the worker has none, or the stream has as much as it leaves. */
static void *memory_take(struct backlog *b, size_t n)
{
	size_t left = LIMIT_BACKLOG - b->all->bytes;
	void *p;

	if (n > left || b->bytes + n > left - n)
		return NULL;
	p = mem_try_alloc(n);
	if (!p)
		return NULL;
	b->bytes += n;
	b->all->bytes += n;
	return p;
}

static void chunk_free(struct backlog *b, struct chunk *c)
{
	list_del(&c->link);
	memory_give(b, CHUNK_BYTES);
	mem_free(c);
}

static void chunks_free(struct backlog *b)
{
	while (!list_empty(&b->chunks))
		chunk_free(b, list_first(&b->chunks, struct chunk, link));
}

void backlog_free(struct backlog *b)
{
	list_del(&b->turn);
	chunks_free(b);
	mem_free(b->held);
	b->held = NULL;
}

static void backlog_enlist(struct backlog *b)
{
	if (list_empty(&b->turn))
		list_add_tail(&b->all->turns, &b->turn);
}

/* -- elements, each behind its length -- */

/* The chunk with room for so many bytes; NULL: none is to be had. */
static struct chunk *chunk_for(struct backlog *b, size_t n)
{
	struct chunk *c = container_of(b->chunks.prev, struct chunk, link);

	if (!list_empty(&b->chunks) && CHUNK_ROOM - c->end >= n)
		return c;
	c = n > CHUNK_ROOM ? NULL : memory_take(b, CHUNK_BYTES);
	if (!c)
		return NULL;
	c->at = c->end = 0;
	list_add_tail(&b->chunks, &c->link);
	return c;
}

static bool backlog_put(struct backlog *b, const struct frame *f)
{
	struct chunk *c = chunk_for(b, sizeof(f->len) + f->len);

	if (!c)
		return false;
	memcpy(c->bytes + c->end, &f->len, sizeof(f->len));
	memcpy(c->bytes + c->end + sizeof(f->len), f->p, f->len);
	c->end += (uint32_t)sizeof(f->len) + f->len;
	return true;
}

/* Takes up the oldest. */
static void backlog_take_up(struct inbound *in)
{
	struct backlog *b = &in->backlog;
	struct chunk *c = list_first(&b->chunks, struct chunk, link);
	uint32_t len;

	memcpy(&len, c->bytes + c->at, sizeof(len));
	claims_now(in, span_of(c->bytes + c->at + sizeof(len), len));
	c->at += (uint32_t)sizeof(len) + len;
	if (c->at == c->end)
		chunk_free(b, c);
}

/* -- what the stream waits for -- */

static void span_move(struct span *s, const char *from, const char *to)
{
	if (s->p)
		s->p = to + (s->p - from);
}

/* A frame in memory of its own, its bytes behind it. */
static struct frame *frame_copy(const struct frame *f)
{
	struct frame *copy = mem_try_zalloc(sizeof(*copy) + f->len + SCAN_PAD);
	char *bytes = (char *)(copy + 1);

	if (!copy)
		return NULL;
	*copy = *f;
	memcpy(bytes, f->p, f->len);
	copy->p = bytes;
	span_move(&copy->name, f->p, bytes);
	span_move(&copy->from, f->p, bytes);
	span_move(&copy->to, f->p, bytes);
	span_move(&copy->id, f->p, bytes);
	span_move(&copy->type, f->p, bytes);
	return copy;
}

static void backlog_hold(struct inbound *in, const struct frame *f)
{
	struct backlog *b = &in->backlog;

	BUG_ON(b->held);
	b->held = frame_copy(f);
	if (b->held)
		inbound_pause(in, PAUSE_TURN);
	else
		stream_fail(&in->s, "resource-constraint", NULL,
			"no memory for an element that waits for claims before it");
}

/* -- in and out -- */

bool backlog_takes_claim(struct inbound *in, const struct frame *f)
{
	struct backlog *b = &in->backlog;

	if (backlog_is_empty(b)) {
		/* One that has proven nothing has no stanza that could be held up. */
		if (pairs_count(in->pairs, PAIR_VALID) == 0)
			return false;
		if (b->all->left > 0) {
			b->all->left--;
			return false;
		}
	}
	if (backlog_put(b, f)) {
		backlog_enlist(b);
		return true;
	}
	if (backlog_is_empty(b))
		return false;
	backlog_hold(in, f);
	return true;
}

static bool pair_is_valid(struct inbound *in, const struct frame *f)
{
	const struct pair *p;
	struct jid from, to;

	if (f->flags & FRAME_ADDR_DECODED || !jid_split(f->from, &from) || !jid_split(f->to, &to))
		return false;
	p = pairs_find(in->pairs, from.domain, to.domain).pair;
	return p && p->state == PAIR_VALID;
}

bool backlog_takes_stanza(struct inbound *in, const struct frame *f)
{
	if (pair_is_valid(in, f))
		return false;
	backlog_hold(in, f);
	return true;
}

void backlog_wake(struct inbound *in)
{
	if (!backlog_is_empty(&in->backlog) || in->backlog.held)
		backlog_enlist(&in->backlog);
}

/* Nothing waits before it any more. */
static void backlog_release(struct inbound *in)
{
	struct frame *f = in->backlog.held;

	in->backlog.held = NULL;
	if (!f)
		return;
	if (in->s.state < STREAM_FAILED)
		inbound_element(in, f);
	mem_free(f);
	inbound_resume(in, PAUSE_TURN);
}

/* A peer that does not read our answers gets no more of them: backlog_wake puts it back. */
static bool backlog_stuck(const struct inbound *in)
{
	return in->pausing & (PAUSE_ANSWERS | PAUSE_CLAIMS);
}

static void backlog_turn(struct inbound *in)
{
	struct backlog *b = &in->backlog;

	for (unsigned i = 0; i < SLICE && b->all->left > 0 && !backlog_is_empty(b); i++) {
		if (in->s.state != STREAM_OPEN)
			break;
		if (backlog_stuck(in))
			return;
		b->all->left--;
		backlog_take_up(in);
	}
	if (in->s.state != STREAM_OPEN)
		chunks_free(b);
	if (backlog_is_empty(b))
		backlog_release(in);
	else
		backlog_enlist(b);
}

void backlogs_turn(struct worker *w)
{
	struct backlogs *all = &w->backlogs;

	all->left = LIMIT_CLAIMS_PER_TURN;
	while (all->left > 0 && !list_empty(&all->turns)) {
		struct inbound *in = list_first(&all->turns, struct inbound, backlog.turn);

		list_del(&in->backlog.turn);
		backlog_turn(in);
	}
}
