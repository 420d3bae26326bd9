/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A span is a run of bytes that somebody else owns: passed by value, never
 * stored beyond the life of the buffer it points into, not NUL-terminated.
 * An absent value has p == NULL; an empty one has p != NULL and n == 0.
 */
#ifndef SLUICE_SPAN_H
#define SLUICE_SPAN_H

#include <string.h>

#include "core/base/base.h"

struct span {
	const char *p;
	size_t n;
};

#define SPAN_NONE ((struct span){ NULL, 0 })
#define SPAN_LIT(s) ((struct span){ "" s, sizeof(s) - 1 })

static inline struct span span_of(const char *p, size_t n)
{
	return (struct span){ p, n };
}

static inline struct span span_str(const char *s)
{
	return (struct span){ s, s ? strlen(s) : 0 };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is(struct span a, const char *s)
{
	return span_eq(a, span_str(s));
}

static inline bool span_starts(struct span a, struct span prefix)
{
	return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

/* Offset of the first c, or a.n. */
static inline size_t span_find(struct span a, char c)
{
	const char *hit = a.n ? memchr(a.p, c, a.n) : NULL;

	return hit ? (size_t)(hit - a.p) : a.n;
}

/* The rest of a after its first n bytes; n must not exceed a.n. */
static inline struct span span_skip(struct span a, size_t n)
{
	BUG_ON(n > a.n);
	return n ? (struct span){ a.p + n, a.n - n } : a;
}

/* A text in pieces: how long it is, and as one, written to `at`, which is where it ends. */
static inline size_t pieces_len(const struct span *pieces, unsigned n)
{
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += pieces[i].n;
	return len;
}

static inline char *pieces_put(char *at, const struct span *pieces, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (pieces[i].n)
			memcpy(at, pieces[i].p, pieces[i].n);
		at += pieces[i].n;
	}
	return at;
}

/* Without leading and trailing SP, TAB, CR, LF. */
struct span span_trim(struct span a);

/* Unsigned decimal number that fills the whole span and is at most max. */
bool span_u64(struct span a, uint64_t max, uint64_t *out);

#endif
