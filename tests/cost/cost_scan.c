/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the scanner costs, in instructions: run by scripts/check_cost.py under
 * callgrind, which writes down what is spent between one mark and the next. Each
 * input is one that a peer could choose so as to be expensive, once and four times
 * as long. The last one is not linear, to show that the bound can be broken.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <valgrind/callgrind.h>

#include "xml/scan.h"

#define MOST ((size_t)1 << 20)

static char text[MOST + SCAN_PAD];
static size_t len;

PRINTF_LIKE(1, 2) static void add(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text + len, MOST - len, fmt, ap);
	va_end(ap);
	len += (size_t)n;
	BUG_ON(n < 0 || len >= MOST);
}

/* At least n bytes of whole pieces. */
static void add_pieces(size_t n, const char *piece)
{
	for (size_t end = len + n; len < end;)
		add("%s", piece);
}

static void add_run(size_t n, char c)
{
	BUG_ON(len + n >= MOST);
	memset(text + len, c, n);
	len += n;
}

/* -- inputs, each about n bytes -- */

static void long_text(size_t n)
{
	add("<m>");
	add_run(n, 'x');
	add("</m>");
}

static void wide_text(size_t n)
{
	add("<m>");
	add_pieces(n, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	add("</m>");
}

static void cdata(size_t n)
{
	add("<m><![CDATA[");
	add_pieces(n, "xxxxxxxxxxxxxx]]");
	add("]]></m>");
}

static void brackets(size_t n)
{
	add("<m>");
	add_run(n, ']');
	add("</m>");
}

static void references(size_t n)
{
	add("<m>");
	add_pieces(n, "&#0000065;&#x0000041;&quot;");
	add("</m>");
}

static void long_value(size_t n)
{
	add("<m a='");
	add_run(n, 'x');
	add("'/>");
}

static void odd_value(size_t n)
{
	add("<m a='");
	add_pieces(n, "&#0000065;\t\"\xc3\xa9");
	add("'/>");
}

static void space(size_t n)
{
	add("<m a");
	add_run(n / 4, ' ');
	add("=");
	add_run(n / 4, '\t');
	add("'1'");
	add_run(n / 4, '\n');
	add("></m");
	add_run(n / 4, ' ');
	add(">");
}

static void names(size_t n, size_t name)
{
	add("<m>");
	for (size_t end = len + n; len < end;) {
		add("<");
		add_run(name, 'n');
		add("></");
		add_run(name, 'n');
		add(">");
	}
	add("</m>");
}

static void long_names(size_t n)
{
	names(n, LIMIT_XML_NAME);
}

static void one_name(size_t n)
{
	names(1, n);
}

static void short_names(size_t n)
{
	names(n, 1);
}

/* All names alike in length, at their beginning and at their end. */
static void attributes(size_t n)
{
	add("<m>");
	for (size_t end = len + n; len < end;) {
		add("<a");
		for (int i = 0; i < LIMIT_ATTRS; i++)
			add(" abcdefgh%02dijklmnop=''", i);
		add("/>");
	}
	add("</m>");
}

static void nesting(size_t n)
{
	add("<m>");
	for (size_t end = len + n; len < end;) {
		for (int i = 1; i < LIMIT_DEPTH; i++)
			add("<a>");
		for (int i = 1; i < LIMIT_DEPTH; i++)
			add("</a>");
	}
	add("</m>");
}

/* As many bindings as there may be, of URIs and by prefixes that differ late, all used by each. */
static void declarations(size_t n)
{
	add("<m");
	for (int i = 0; i < 60; i++)
		add(" xmlns:p%050d='%0200d'", i, i);
	add(">");
	for (size_t end = len + n; len < end;) {
		add("<a");
		for (int i = 0; i < 60; i++)
			add(" p%050d:x=''", i);
		add("/>");
	}
	add("</m>");
}

/* Bound anew by each element, to URIs that are compared with all that are in scope. */
static void bound_again(size_t n)
{
	add("<m");
	for (int i = 0; i < 56; i++)
		add(" xmlns:p%d='%0200d'", i, i);
	add(">");
	for (size_t end = len + n; len < end;)
		add("<a xmlns:q='%0200d' xmlns:r='%0200d' q:x='' r:x='' p0:x=''/>", 60, 61);
	add("</m>");
}

/* Two long URIs that differ late and are compared by each element: once only, that is. */
static void long_uris(size_t n)
{
	add("<m");
	for (char prefix = 'p'; prefix <= 'q'; prefix++) {
		add(" xmlns:%c='", prefix);
		add_run(n / 3, 'u');
		add("%c'", prefix);
	}
	add(">");
	add_pieces(n / 3, "<a p:x='' q:x=''/>");
	add("</m>");
}

static void stanzas(size_t n)
{
	add_pieces(n, "<message from='a@a.test/b' to='c@b.test'><body>Art thou</body></message>\n");
}

static const struct input {
	const char *name;
	void (*make)(size_t n);
	size_t n; /* and four times as much */
} inputs[] = {
	{ "text", long_text, 8192 },
	{ "wide-text", wide_text, 8192 },
	{ "cdata", cdata, 8192 },
	{ "brackets", brackets, 8192 },
	{ "references", references, 8192 },
	{ "value", long_value, LIMIT_ATTR_VALUE / 4 },
	{ "odd-value", odd_value, LIMIT_ATTR_VALUE / 4 - 16 },
	{ "white-space", space, 8192 },
	{ "one-name", one_name, LIMIT_XML_NAME / 4 },
	{ "long-names", long_names, 8192 },
	{ "short-names", short_names, 8192 },
	{ "attributes", attributes, 8192 },
	{ "nesting", nesting, 8192 },
	{ "declarations", declarations, 65536 },
	{ "bound-again", bound_again, 65536 },
	{ "long-uris", long_uris, 8192 },
	{ "stanzas", stanzas, 8192 },
};

/* -- feeding -- */

static void broken(const char *name, const struct scan *s)
{
	fprintf(stderr, "%s: refused: %s\n", name, scan_reason(s));
	exit(1);
}

static struct scan *open_stream(void)
{
	static const char header[] = "<stream:stream xmlns='jabber:server' "
				     "xmlns:stream='http://etherx.jabber.org/streams'>";
	char buf[sizeof(header) + SCAN_PAD];
	struct scan *s = scan_new(MOST);
	struct frame f;

	BUG_ON(!s);
	memcpy(buf, header, sizeof(header));
	if (scan(s, buf, sizeof(header) - 1, &f) != SCAN_HEADER)
		broken("header", s);
	return s;
}

/* What arrives is seen at once, `piece` bytes of it at a time. */
static void feed(const char *name, struct scan *s, size_t piece)
{
	size_t at = 0, have = 0;

	while (at < len) {
		struct frame f;
		enum scan_result r = scan(s, text + at, have - at, &f);

		if (r == SCAN_ERROR)
			broken(name, s);
		if (r == SCAN_MORE)
			have = have + piece < len ? have + piece : len;
		else
			at += f.len;
	}
}

/* A scanner that would begin again with each byte. */
static void feed_again(size_t piece)
{
	struct frame f;

	for (size_t have = piece; have < len; have += piece) {
		struct scan *s = open_stream();

		if (scan(s, text, have, &f) != SCAN_MORE)
			broken("control", s);
		scan_free(s);
	}
}

static void mark(const char *name, size_t piece, size_t times)
{
	char line[100];

	snprintf(line, sizeof(line), "%s %zu %zu %zu", name, piece, times, len);
	CALLGRIND_DUMP_STATS_AT(line);
}

static void measure(const struct input *in, size_t piece, size_t times)
{
	struct scan *s;

	len = 0;
	in->make(in->n * times);
	s = open_stream();
	CALLGRIND_ZERO_STATS;
	feed(in->name, s, piece);
	mark(in->name, piece, times);
	scan_free(s);
}

int main(void)
{
	static const size_t pieces[] = { 1, 100, MOST };

	for (size_t i = 0; i < ARRAY_LEN(inputs); i++)
		for (size_t p = 0; p < ARRAY_LEN(pieces); p++)
			for (size_t times = 1; times <= 4; times *= 4)
				measure(&inputs[i], pieces[p], times);
	for (size_t times = 1; times <= 4; times *= 4) {
		len = 0;
		long_text(8192 * times);
		CALLGRIND_ZERO_STATS;
		feed_again(8);
		mark("control", 8, times);
	}
	return 0;
}
