/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/writer.h"

#include "xml/chars.h"

#define REPLACEMENT SPAN_LIT("\xef\xbf\xbd") /* U+FFFD */

void writer_raw(struct writer *w, struct span s)
{
	if (w->overflow || s.n > w->cap - w->n) {
		w->overflow = true;
		return;
	}
	if (s.n)
		memcpy(w->p + w->n, s.p, s.n);
	w->n += s.n;
}

void writer_lit(struct writer *w, const char *s)
{
	writer_raw(w, span_str(s));
}

/*
 * What stands for the character c, or an absent span when it stands for itself. CR
 * is escaped in text too: a parser would turn a literal one into LF. TAB and LF
 * need it only in values.
 */
static struct span escape(uint32_t c, bool value)
{
	switch (c) {
	case '&':
		return SPAN_LIT("&amp;");
	case '<':
		return SPAN_LIT("&lt;");
	case '>':
		return SPAN_LIT("&gt;");
	case '\r':
		return SPAN_LIT("&#13;");
	}
	if (!chars_is_char(c))
		return REPLACEMENT;
	if (!value)
		return SPAN_NONE;
	switch (c) {
	case '"':
		return SPAN_LIT("&quot;");
	case '\'':
		return SPAN_LIT("&apos;");
	case '\t':
		return SPAN_LIT("&#9;");
	case '\n':
		return SPAN_LIT("&#10;");
	}
	return SPAN_NONE;
}

/*
 * One wrong byte would close a stream that carries everybody, so what is no
 * UTF-8 or no XML character is replaced, wherever it came from.
 */
static void write_escaped(struct writer *w, struct span s, bool value)
{
	size_t from = 0, at = 0;

	while (at < s.n) {
		uint32_t c;
		int len = chars_decode(s.p + at, s.n - at, &c);
		struct span with = len > 0 ? escape(c, value) : REPLACEMENT;
		size_t used = len > 0 ? (size_t)len : 1;

		if (with.p) {
			writer_raw(w, span_of(s.p + from, at - from));
			writer_raw(w, with);
			from = at + used;
		}
		at += used;
	}
	if (from < s.n)
		writer_raw(w, span_of(s.p + from, s.n - from));
}

void writer_text(struct writer *w, struct span s)
{
	write_escaped(w, s, false);
}

void writer_value(struct writer *w, struct span value)
{
	write_escaped(w, value, true);
}

void writer_attr(struct writer *w, const char *name, struct span value)
{
	writer_lit(w, " ");
	writer_lit(w, name);
	writer_lit(w, "='");
	writer_value(w, value);
	writer_lit(w, "'");
}

void writer_attr_opt(struct writer *w, const char *name, struct span value)
{
	if (value.p)
		writer_attr(w, name, value);
}

void writer_u64(struct writer *w, uint64_t v)
{
	char buf[20];
	size_t at = sizeof(buf);

	do {
		buf[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	writer_raw(w, span_of(buf + at, sizeof(buf) - at));
}
