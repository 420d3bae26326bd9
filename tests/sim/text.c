/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "dialback/key.h"

#define WORDS 5
#define SHOWN 160 /* bytes of a text in a message */

/* -- buffers and variables -- */

void buf_add(struct buf *b, struct span s)
{
	if (b->n + s.n + 1 > b->cap) {
		b->cap = (b->n + s.n + 1) * 2;
		b->p = mem_realloc(b->p, b->cap);
	}
	if (s.n)
		memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
	b->p[b->n] = '\0';
}

void buf_free(struct buf *b)
{
	mem_free(b->p);
	*b = (struct buf){ 0 };
}

static struct span buf_span(const struct buf *b)
{
	return span_of(b->p ? b->p : "", b->n);
}

void vars_set(struct vars *v, struct span name, struct span value)
{
	struct var *var = NULL;

	BUG_ON(name.n == 0 || name.n >= TEXT_NAME);
	for (unsigned i = 0; i < v->count; i++)
		if (span_is(name, v->all[i].name))
			var = &v->all[i];
	if (!var) {
		v->all = mem_realloc(v->all, (v->count + 1) * sizeof(*var));
		var = &v->all[v->count++];
		memset(var, 0, sizeof(*var));
		memcpy(var->name, name.p, name.n);
	}
	mem_free(var->value);
	var->value = mem_dup_span(value);
	var->n = value.n;
}

bool vars_get(const struct vars *v, struct span name, struct span *out)
{
	for (; v; v = v->parent)
		for (unsigned i = 0; i < v->count; i++)
			if (span_is(name, v->all[i].name)) {
				*out = span_of(v->all[i].value, v->all[i].n);
				return true;
			}
	return false;
}

void vars_free(struct vars *v)
{
	for (unsigned i = 0; i < v->count; i++)
		mem_free(v->all[i].value);
	mem_free(v->all);
	v->all = NULL;
	v->count = 0;
}

/* -- expanding -- */

PRINTF_LIKE(2, 3) static bool fail(char why[TEXT_WHY], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, TEXT_WHY, fmt, ap);
	va_end(ap);
	return false;
}

/* Offset of the brace that closes the one at text.p[0], or text.n. */
static size_t brace_end(struct span text)
{
	unsigned depth = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] == '{')
			depth++;
		else if (text.p[i] == '}' && --depth == 0)
			return i;
	}
	return text.n;
}

static bool escape_expand(struct span *text, struct buf *out, char why[TEXT_WHY])
{
	static const char from[] = "nrts\\{}", to[] = "\n\r\t \\{}";
	const char *hit = text->n > 1 ? strchr(from, text->p[1]) : NULL;
	char byte;

	if (hit && text->p[1]) {
		buf_add(out, span_of(&to[hit - from], 1));
		*text = span_skip(*text, 2);
		return true;
	}
	if (text->n >= 4 && text->p[1] == 'x' && isxdigit((unsigned char)text->p[2]) &&
		isxdigit((unsigned char)text->p[3])) {
		const char hex[3] = { text->p[2], text->p[3], '\0' };

		byte = (char)strtoul(hex, NULL, 16);
		buf_add(out, span_of(&byte, 1));
		*text = span_skip(*text, 4);
		return true;
	}
	return fail(why, "unknown escape: %.*s", (int)(text->n < 4 ? text->n : 4), text->p);
}

static unsigned words_split(struct span s, struct span w[WORDS])
{
	unsigned n = 0;

	while (n < WORDS && (s = span_trim(s)).n > 0) {
		size_t end = n == WORDS - 1 ? s.n : span_find(s, ' ');

		w[n++] = span_of(s.p, end);
		s = span_skip(s, end);
	}
	return n;
}

static bool key_expand(const struct span w[WORDS], struct buf *out, char why[TEXT_WHY])
{
	const char *fault = NULL;
	struct secrets *s = secrets_parse(w[1], &fault);
	char key[KEY_HEX + 1];

	if (!s)
		return fail(why, "%s", fault);
	key_make(s, w[2], w[3], w[4], key);
	secrets_free(s);
	buf_add(out, span_str(key));
	return true;
}

static bool repeat_expand(struct span s, struct buf *out)
{
	size_t space = span_find(s, ' ');
	struct span rest = span_skip(s, space);
	uint64_t n;

	if (!span_starts(rest, span_str(" x ")) || !span_u64(span_of(s.p, space), 1 << 24, &n))
		return false;
	for (uint64_t i = 0; i < n; i++)
		buf_add(out, span_skip(rest, 3));
	return true;
}

/* What stands between two braces, itself expanded. */
static bool brace_expand(const struct vars *v, struct span s, struct buf *out, char why[TEXT_WHY])
{
	struct span w[WORDS], value;
	unsigned n = words_split(s, w);
	char digest[HANDSHAKE_HEX + 1];

	if (vars_get(v, s, &value)) {
		buf_add(out, value);
		return true;
	}
	if (repeat_expand(s, out))
		return true;
	if (n == 5 && span_is(w[0], "key"))
		return key_expand(w, out, why);
	if (n == 3 && span_is(w[0], "handshake")) {
		key_handshake(w[2], w[1], digest);
		buf_add(out, span_str(digest));
		return true;
	}
	return fail(why, "unknown: {%.*s}", (int)s.n, s.p);
}

bool text_expand(const struct vars *v, struct span text, struct buf *out, char why[TEXT_WHY])
{
	buf_add(out, span_str(""));
	while (text.n > 0) {
		size_t plain = 0, end;
		struct buf inner = { 0 };
		bool ok;

		while (plain < text.n && text.p[plain] != '{' && text.p[plain] != '\\')
			plain++;
		buf_add(out, span_of(text.p, plain));
		text = span_skip(text, plain);
		if (text.n == 0)
			break;
		if (text.p[0] == '\\') {
			if (!escape_expand(&text, out, why))
				return false;
			continue;
		}
		end = brace_end(text);
		if (end == text.n)
			return fail(why, "a brace is not closed");
		ok = text_expand(v, span_of(text.p + 1, end - 1), &inner, why) &&
			brace_expand(v, buf_span(&inner), out, why);
		buf_free(&inner);
		if (!ok)
			return false;
		text = span_skip(text, end + 1);
	}
	return true;
}

/* -- matching -- */

/* Offset of the next {=name} or {*}, or text.n. */
static size_t hole_find(struct span text)
{
	for (size_t i = 0; i + 1 < text.n; i++) {
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] == '{' && (text.p[i + 1] == '=' || text.p[i + 1] == '*'))
			return i;
	}
	return text.n;
}

static bool literal_match(struct span want, struct span in, char why[TEXT_WHY])
{
	size_t same = 0, left;

	while (same < want.n && same < in.n && want.p[same] == in.p[same])
		same++;
	if (same == want.n)
		return true;
	left = in.n - same;
	return fail(why, "expected: ...%.*s\n     but: ...%.*s%s",
		(int)(want.n - same < SHOWN ? want.n - same : SHOWN), want.p + same,
		(int)(left < SHOWN ? left : SHOWN), in.p + same, left ? "" : "(no more bytes)");
}

/* The bytes of a hole reach to the first occurrence of what follows it. */
static bool hole_match(struct span after, struct span in, size_t *n)
{
	for (size_t i = 0; i + after.n <= in.n; i++)
		if (memcmp(in.p + i, after.p, after.n) == 0) {
			*n = i;
			return true;
		}
	return false;
}

bool text_match(const struct vars *v, struct vars *to, struct span pattern, struct span in,
	size_t *used, char why[TEXT_WHY])
{
	struct span whole = in, name = SPAN_NONE;
	struct buf full = { 0 }; /* the name of a capture, expanded */
	bool ok = true;

	while (ok && (pattern.n > 0 || name.p)) {
		size_t hole = hole_find(pattern), n = 0;
		struct buf literal = { 0 };

		ok = text_expand(v, span_of(pattern.p, hole), &literal, why);
		if (ok && name.p) {
			ok = literal.n == 0 ? (n = in.n, true)
					    : hole_match(buf_span(&literal), in, &n);
			if (!ok)
				fail(why, "nowhere: %s\n     in: %.*s", literal.p,
					(int)(in.n < SHOWN ? in.n : SHOWN), in.p);
			else if (name.n > 0 && (ok = text_expand(v, name, &full, why)))
				vars_set(to, buf_span(&full), span_of(in.p, n));
			buf_free(&full);
			in = span_skip(in, n);
		}
		ok = ok && literal_match(buf_span(&literal), in, why);
		if (ok)
			in = span_skip(in, literal.n);
		buf_free(&literal);
		pattern = span_skip(pattern, hole);
		name = SPAN_NONE;
		if (ok && pattern.n > 0) {
			size_t end = brace_end(pattern);

			name = span_of(pattern.p + 2, end > 2 ? end - 2 : 0);
			pattern = span_skip(pattern, end < pattern.n ? end + 1 : end);
		}
	}
	*used = whole.n - in.n;
	return ok;
}
