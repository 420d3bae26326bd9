/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/walk.h"

#include "core/base/mem.h"
#include "xml/scan_impl.h"

static const struct scan_loops machines[] = {
#if defined(__x86_64__)
	{ "avx2", scan_avx2 },
	{ "sse2", scan_sse2 },
#endif
	{ "scalar", scan_scalar },
};

static const struct scan_loops *usable(void)
{
#if defined(__x86_64__)
	if (!__builtin_cpu_supports("avx2"))
		return machines + 1;
#endif
	return machines;
}

unsigned walk_machines(void)
{
	return (unsigned)(machines + ARRAY_LEN(machines) - usable());
}

const char *walk_machine_name(unsigned machine)
{
	return usable()[machine].name;
}

/* -- the bytes arrive -- */

struct arrival {
	const struct walk_way *way;
	struct guard *guard;
	struct span input;
	size_t there; /* bytes that have arrived */
	uint64_t state;
	char *grown; /* WALK_BYTES: what has arrived, in place, with a pad behind it */
};

static size_t piece(struct arrival *a)
{
	switch (a->way->cut) {
	case WALK_WHOLE:
		return a->input.n;
	case WALK_TWO:
		return a->there ? a->input.n : a->way->first;
	case WALK_RANDOM:
		a->state = a->state * UINT64_C(6364136223846793005) + 1;
		return 1 + (size_t)(a->state >> 33) % a->way->first;
	case WALK_BYTES:
		return 1;
	}
	return 1;
}

static void arrive(struct arrival *a)
{
	size_t n = piece(a), left = a->input.n - a->there;

	if (n > left)
		n = left;
	if (a->grown) {
		memcpy(a->grown + a->there, a->input.p + a->there, n);
		guard_pad(a->grown + a->there + n, (unsigned)a->there);
	}
	a->there += n;
}

/* What has arrived from `at` on, where the scanner is to read it. */
static const char *present(struct arrival *a, size_t at)
{
	if (a->grown)
		return a->grown + at;
	return guard_place(a->guard, span_of(a->input.p + at, a->there - at));
}

/* -- what is noted -- */

static struct span moved(struct span s, const char *from, const char *to)
{
	return s.p ? span_of(to + (s.p - from), s.n) : s;
}

static bool inside(struct span s, const struct frame *f)
{
	return !s.p || (s.p >= f->p && s.n <= f->len && s.p + s.n <= f->p + f->len);
}

static void note(struct walk *w, enum scan_result result, const struct frame *f, size_t at)
{
	const char *p = w->input.p + at;
	struct walk_item *item;

	if (result == SCAN_SPACE && w->n && w->item[w->n - 1].result == SCAN_SPACE) {
		w->item[w->n - 1].frame.len += f->len;
		return;
	}
	if (w->n == w->cap) {
		w->cap = 2 * w->cap + 8;
		w->item = mem_realloc(w->item, w->cap * sizeof(*w->item));
	}
	item = &w->item[w->n++];
	item->result = result;
	item->frame = *f;
	item->frame.p = p;
	item->frame.name = moved(f->name, f->p, p);
	item->frame.from = moved(f->from, f->p, p);
	item->frame.to = moved(f->to, f->p, p);
	item->frame.id = moved(f->id, f->p, p);
	item->frame.type = moved(f->type, f->p, p);
}

/* there: bytes that the call was given. */
static bool contract_kept(const struct frame *f, enum scan_result result, const char *p,
	size_t there, const struct walk_way *way, struct complaint *c)
{
	if (f->p != p || f->len == 0 || f->len > there)
		return complain(c, "item of %u bytes, given %zu", f->len, there);
	if (result == SCAN_FRAME &&
		!(inside(f->name, f) && inside(f->from, f) && inside(f->to, f) &&
			inside(f->id, f) && inside(f->type, f)))
		return complain(c, "a frame's field lies outside the frame");
	if (way->cut == WALK_BYTES && f->len != there)
		return complain(c, "item of %u bytes told of at byte %zu", f->len, there);
	return true;
}

static bool walk_on(struct walk *w, struct arrival *a, struct complaint *c)
{
	struct frame f;

	for (;;) {
		size_t at = w->consumed, there = a->there - at;
		const char *p = present(a, at);
		enum scan_result result = scan(w->scan, p, there, &f);

		if (result == SCAN_ERROR || (result == SCAN_MORE && a->there == a->input.n)) {
			w->end = result;
			return true;
		}
		if (result == SCAN_MORE) {
			arrive(a);
			continue;
		}
		if (!contract_kept(&f, result, p, there, a->way, c))
			return false;
		note(w, result, &f, at);
		w->consumed += f.len;
		w->closed |= result == SCAN_CLOSE;
	}
}

bool walk_take(struct walk *w, struct guard *g, struct span input, const struct walk_way *way,
	struct complaint *c)
{
	struct arrival a = { .way = way, .guard = g, .input = input, .state = way->seed };
	bool kept;

	*w = (struct walk){ .input = input, .scan = scan_new(way->max) };
	BUG_ON(!w->scan);
	w->scan->machine = usable()[way->machine].machine;
	if (way->cut == WALK_BYTES)
		a.grown = mem_alloc(input.n + SCAN_PAD);
	kept = walk_on(w, &a, c);
	mem_free(a.grown);
	return kept;
}

void walk_free(struct walk *w)
{
	scan_free(w->scan);
	mem_free(w->item);
}

/* -- comparison -- */

static bool span_same(struct span a, struct span b)
{
	return a.p == b.p && a.n == b.n;
}

static bool frame_same(const struct frame *a, const struct frame *b)
{
	if (a->name_end != b->name_end || a->kind != b->kind || a->flags != b->flags ||
		a->attrs != b->attrs || a->root_prefixes != b->root_prefixes ||
		a->n_redeclared != b->n_redeclared)
		return false;
	for (unsigned i = 0; i < a->n_redeclared; i++)
		if (a->redeclared[i].off != b->redeclared[i].off ||
			a->redeclared[i].len != b->redeclared[i].len)
			return false;
	return span_same(a->name, b->name) && span_same(a->from, b->from) &&
		span_same(a->to, b->to) && span_same(a->id, b->id) && span_same(a->type, b->type);
}

static bool item_same(const struct walk_item *a, const struct walk_item *b)
{
	return a->result == b->result && a->frame.p == b->frame.p && a->frame.len == b->frame.len &&
		(a->result != SCAN_FRAME || frame_same(&a->frame, &b->frame));
}

bool walk_same(const struct walk *a, const struct walk *b, struct complaint *c)
{
	for (unsigned i = 0; i < a->n && i < b->n; i++)
		if (!item_same(&a->item[i], &b->item[i]))
			return complain(c, "item %u at byte %td differs", i,
				a->item[i].frame.p - a->input.p);
	if (a->n != b->n || a->consumed != b->consumed)
		return complain(c, "%u items, %zu bytes; else %u, %zu", a->n, a->consumed, b->n,
			b->consumed);
	if (a->end != b->end || a->closed != b->closed ||
		scan_error(a->scan) != scan_error(b->scan) ||
		strcmp(scan_reason(a->scan), scan_reason(b->scan)) != 0)
		return complain(c, "ends with %d %d '%s'; else %d %d '%s'", a->end,
			scan_error(a->scan), scan_reason(a->scan), b->end, scan_error(b->scan),
			scan_reason(b->scan));
	return true;
}
