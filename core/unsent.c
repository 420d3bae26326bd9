/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/unsent.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/router.h"
#include "core/worker.h"

struct unsent {
	struct worker *w;
	char *bytes;
	size_t n, cap, handed;
	void (*fn)(void *ctx, const struct frame *f);
	void *ctx;
};

static void unsent_add(void *ctx, struct span piece)
{
	struct unsent *u = ctx;

	BUG_ON(u->n + piece.n > u->cap);
	memcpy(u->bytes + u->n, piece.p, piece.n);
	u->n += piece.n;
}

static void unsent_stanza(void *ctx, const struct frame *f)
{
	struct unsent *u = ctx;

	if ((size_t)(f->p - u->bytes) < u->handed)
		STATS_INC(&u->w->stats, in_doubt);
	else
		u->fn(u->ctx, f);
}

void unsent_each(struct worker *w, const struct conn *c, const char *whose,
	void (*fn)(void *ctx, const struct frame *f), void *ctx)
{
	struct unsent u = { .w = w, .fn = fn, .ctx = ctx };

	u.cap = conn_queued(c) + OUTQ_SEGMENT;
	u.bytes = mem_try_alloc(u.cap + SCAN_PAD);
	if (!u.bytes) {
		STATS_INC(&w->stats, stanzas_lost);
		LOG(LOG_ERROR, "stanzas-lost", "no memory to look at what was not sent",
			LF_STR("of", whose), LF_INT("bytes", u.cap));
		return;
	}
	if (conn_unsent(c, &u.handed, unsent_add, &u)) {
		memset(u.bytes + u.n, 0, SCAN_PAD);
		router_each_stanza(w, span_of(u.bytes, u.n), unsent_stanza, &u);
	}
	mem_free(u.bytes);
}
