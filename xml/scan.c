/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/scan_impl.h"

#include "core/base/mem.h"

/* The arrays need no value: their counts say how much of them holds one. */
static void work_begin(struct scan_work *w, const struct scan *s)
{
	w->pos = 0;
	w->state = s->root ? ST_ITEM : ST_START;
	w->depth = w->ext_depth = 0;
	w->n_attrs = 0;
	w->odd_name = false;
	w->root_prefixes = 0;
	w->kind = FRAME_FOREIGN;
	w->flags = 0;
	w->n_redeclared = 0;
	w->ns.n = 0;
	w->mark = UINT32_MAX;
}

/* The item is not complete: its state outlives the call. */
static enum scan_result work_keep(struct scan *s, const struct scan_work *w)
{
	if (s->kept)
		return SCAN_MORE;
	s->kept = mem_try_alloc(sizeof(*w));
	if (!s->kept) {
		s->error = SCAN_E_NO_MEMORY;
		s->reason = "out of memory";
		return SCAN_ERROR;
	}
	memcpy(s->kept, w, sizeof(*w));
	return SCAN_MORE;
}

static void work_drop(struct scan *s)
{
	if (!s->kept)
		return; /* most items are seen whole: not a call per stanza */
	mem_free(s->kept);
	s->kept = NULL;
}

static enum scan_result too_big(struct scan *s)
{
	s->error = s->root ? SCAN_E_TOO_BIG : SCAN_E_LIMIT;
	s->reason = s->root ? "element too big" : "stream header too big";
	work_drop(s);
	return SCAN_ERROR;
}

static enum scan_result space(const char *p, size_t n, struct frame *f)
{
	size_t most = n < UINT32_MAX ? n : UINT32_MAX;

	memset(f, 0, sizeof(*f));
	f->p = p;
	f->len = (uint32_t)(skip_space(p, p + most) - p);
	return SCAN_SPACE;
}

static enum scan_result finish(struct scan_run *r, enum step step)
{
	struct frame *f = r->f;

	if (step == STEP_FRAME) {
		scan_frame_fill(r);
	} else if (step != STEP_ERROR) {
		memset(f, 0, sizeof(*f));
		f->p = r->p;
		f->len = r->w->pos;
	}
	work_drop(r->s);
	switch (step) {
	case STEP_HEADER:
		return SCAN_HEADER;
	case STEP_FRAME:
		return SCAN_FRAME;
	case STEP_CLOSE:
		r->s->closed = true;
		return SCAN_CLOSE;
	default:
		return SCAN_ERROR;
	}
}

/* A check that is left out leaves the size that the offsets can express. */
static uint32_t size_max(const struct scan *s)
{
	if (s->root)
		return CHECKED(SIZE) ? s->max : INT32_MAX;
	return CHECKED(SIZE_HEADER) ? LIMIT_HEADER : INT32_MAX;
}

enum scan_result scan(struct scan *s, const char *p, size_t n, struct frame *f)
{
	uint32_t max = size_max(s);
	struct scan_work fresh;
	struct scan_run r = { s, s->kept, p, n < max ? (uint32_t)n : max, f };
	enum step step;

	if (s->error != SCAN_E_NONE)
		return SCAN_ERROR;
	if (n == 0)
		return SCAN_MORE;
	if (!r.w) {
		if (s->root && chars_is((unsigned char)p[0], CHARS_SPACE))
			return space(p, n, f);
		r.w = &fresh;
		work_begin(&fresh, s);
	}
	if (r.w->pos > max) /* max was lowered behind it */
		return too_big(s);
	step = s->machine(&r);
	if (step != STEP_MORE)
		return finish(&r, step);
	return n > max ? too_big(s) : work_keep(s, r.w);
}

/* -- life and queries -- */

struct scan *scan_new(uint32_t max)
{
	struct scan *s = mem_try_zalloc(sizeof(*s));

	if (s) {
		s->max = max;
		s->machine = scan_loops_chosen()->machine;
	}
	return s;
}

void scan_free(struct scan *s)
{
	if (!s)
		return;
	work_drop(s);
	ns_root_free(s->root);
	mem_free(s);
}

void scan_set_max(struct scan *s, uint32_t max)
{
	s->max = max;
}

enum scan_error scan_error(const struct scan *s)
{
	return (enum scan_error)s->error;
}

const char *scan_reason(const struct scan *s)
{
	return s->reason ? s->reason : "";
}

struct span scan_root_name(const struct scan *s)
{
	return ns_root_name(s->root);
}

struct span scan_root_content_ns(const struct scan *s)
{
	return ns_root_content(s->root);
}

struct span scan_root_decls(const struct scan *s)
{
	return span_of(s->root->text, s->root->decls_len);
}

unsigned scan_root_prefix_count(const struct scan *s)
{
	return s->root->n;
}

struct span scan_root_prefix_decl(const struct scan *s, unsigned i)
{
	BUG_ON(i >= s->root->n);
	return span_of(s->root->text + s->root->decl[i].off, s->root->decl[i].len);
}
