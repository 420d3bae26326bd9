/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Feeds a scanner as a worker would: the bytes arrive in pieces, and each call
 * gets what has arrived of the current item at another place, with exactly
 * SCAN_PAD bytes between it and memory that cannot be read. What the scanner says
 * is written down as text, to be compared between ways of cutting.
 */
#ifndef TEST_FEED_H
#define TEST_FEED_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/xml/guard.h"
#include "xml/scan.h"

#define HEADER                                                                                     \
	"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "    \
	"xmlns:db='jabber:server:dialback' from='a.test' to='b.test' version='1.0'>"

struct feed {
	char *log; /* everything, one event a line; feed_free */
	enum scan_result end; /* SCAN_MORE, SCAN_CLOSE or SCAN_ERROR */
	enum scan_error error;
	char reason[80];
	unsigned frames;
	size_t consumed; /* bytes of whole items */
	size_t arrived; /* bytes that had arrived when it ended */
	struct frame last; /* the last frame, pointing into the caller's bytes */
};

static inline void feed_span(FILE *out, const char *name, struct span s, const char *base)
{
	if (s.p)
		fprintf(out, " %s=%td+%zu", name, s.p - base, s.n);
}

static inline void feed_note(FILE *out, size_t at, enum scan_result r, const struct frame *f)
{
	fprintf(out, "%zu: result %d len %u", at, r, f->len);
	if (r == SCAN_FRAME) {
		fprintf(out, " name_end %u kind %u flags %#x attrs %u prefixes %#x", f->name_end,
			f->kind, f->flags, f->attrs, f->root_prefixes);
		feed_span(out, "name", f->name, f->p);
		feed_span(out, "from", f->from, f->p);
		feed_span(out, "to", f->to, f->p);
		feed_span(out, "id", f->id, f->p);
		feed_span(out, "type", f->type, f->p);
		for (unsigned i = 0; i < f->n_redeclared; i++)
			fprintf(out, " cut %u+%u", f->redeclared[i].off, f->redeclared[i].len);
	}
	fprintf(out, "\n");
}

static inline struct span feed_moved(struct span s, const char *from, const char *to)
{
	return s.p ? span_of(to + (s.p - from), s.n) : s;
}

/* The frame as if it had been found in the caller's bytes at p. */
static inline struct frame feed_keep(const struct frame *f, const char *p)
{
	struct frame g = *f;

	g.p = p;
	g.name = feed_moved(f->name, f->p, p);
	g.from = feed_moved(f->from, f->p, p);
	g.to = feed_moved(f->to, f->p, p);
	g.id = feed_moved(f->id, f->p, p);
	g.type = feed_moved(f->type, f->p, p);
	return g;
}

/* One call, at a place of its own until guard_free(*place); *f points there. */
static inline enum scan_result feed_call(struct scan *s, const char *p, size_t n, struct frame *f,
	char **place)
{
	static const char pads[] = { '<', '>', '\0', 'a', '\'', ']', ' ', '\xc3', '\xa9' };
	static unsigned turn;

	*place = guard_place(p, n, SCAN_PAD, pads[turn++ % sizeof(pads)]);
	return scan(s, *place, n, f);
}

/* The first piece has `first` bytes, each later one `then`. */
static inline struct feed feed_run(struct scan *s, const char *p, size_t n, size_t first,
	size_t then)
{
	struct feed out = { .end = SCAN_MORE, .arrived = first < n ? first : n };
	size_t at = 0, space = 0, log_len;
	FILE *log = open_memstream(&out.log, &log_len);

	for (;;) {
		struct frame f;
		char *place;
		enum scan_result r = feed_call(s, p + at, out.arrived - at, &f, &place);

		if (r == SCAN_SPACE)
			space += f.len;
		if (r != SCAN_SPACE && r != SCAN_MORE && space) {
			fprintf(log, "space %zu\n", space);
			space = 0;
		}
		if (r == SCAN_FRAME || r == SCAN_HEADER || r == SCAN_CLOSE) {
			cr_assert(f.p == place && f.len && f.len <= out.arrived - at);
			feed_note(log, at, r, &f);
		}
		if (r == SCAN_FRAME) {
			out.frames++;
			out.last = feed_keep(&f, p + at);
		}
		guard_free(place, out.arrived - at, SCAN_PAD);
		if (r == SCAN_MORE && out.arrived == n)
			break;
		if (r == SCAN_MORE) {
			out.arrived += then < n - out.arrived ? then : n - out.arrived;
			continue;
		}
		if (r == SCAN_ERROR) {
			out.end = r;
			break;
		}
		at += f.len;
		if (r == SCAN_CLOSE) {
			out.end = r;
			break;
		}
	}
	out.error = scan_error(s);
	snprintf(out.reason, sizeof(out.reason), "%s", scan_reason(s));
	out.consumed = at;
	fprintf(log, "space %zu\nend %d error %d %s at %zu\n", space, out.end, out.error,
		out.reason, at);
	fclose(log);
	return out;
}

static inline void feed_free(struct feed *f)
{
	free(f->log);
}

static inline struct feed feed_cut(const char *p, size_t n, uint32_t max, size_t first, size_t then)
{
	struct scan *s = scan_new(max);
	struct feed f = feed_run(s, p, n, first, then);

	scan_free(s);
	return f;
}

static inline void feed_same(const char *id, const struct feed *whole, const char *p, size_t n,
	uint32_t max, size_t first, size_t then)
{
	struct feed f = feed_cut(p, n, max, first, then);

	cr_assert_str_eq(f.log, whole->log, "%s: first piece %zu, then %zu:\n%s--- whole:\n%s", id,
		first, then, f.log, whole->log);
	feed_free(&f);
}

/* Whole, in two pieces cut anywhere, and byte by byte: always the same. feed_free the result. */
static inline struct feed feed_all(const char *id, const char *p, size_t n, uint32_t max)
{
	struct feed whole = feed_cut(p, n, max, n, n);

	for (size_t cut = 1; cut < n; cut++)
		feed_same(id, &whole, p, n, max, cut, n);
	feed_same(id, &whole, p, n, max, 1, 1);
	feed_same(id, &whole, p, n, max, 3, 2);
	return whole;
}

#endif
