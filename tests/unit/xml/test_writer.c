/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>

#include "xml/writer.h"

static void expect(const char *row, const struct writer *w, const char *want)
{
	cr_expect(!w->overflow, "%s", row);
	cr_expect(span_is(writer_span(w), want), "%s: %.*s", row, (int)w->n, w->p);
}

Test(writer, escapes)
{
	static const struct {
		const char *s, *text, *value;
	} rows[] = {
		{ "", "", "" },
		{ "plain", "plain", "plain" },
		{ "&<>\"'", "&amp;&lt;&gt;\"'", "&amp;&lt;&gt;&quot;&apos;" },
		{ "\t\n\r", "\t\n&#13;", "&#9;&#10;&#13;" },
		{ "]]>", "]]&gt;", "]]&gt;" },
		{ "a\xc3\xa9\xf0\x9f\x98\x80z", "a\xc3\xa9\xf0\x9f\x98\x80z",
			"a\xc3\xa9\xf0\x9f\x98\x80z" },
		{ "a'/><message from='evil.test'/>", "a'/&gt;&lt;message from='evil.test'/&gt;",
			"a&apos;/&gt;&lt;message from=&apos;evil.test&apos;/&gt;" },
		/* what cannot be written in XML */
		{ "a\x01z", "a\xef\xbf\xbdz", "a\xef\xbf\xbdz" },
		{ "\xef\xbf\xbf", "\xef\xbf\xbd", "\xef\xbf\xbd" },
		{ "\xc3(", "\xef\xbf\xbd(", "\xef\xbf\xbd(" },
		{ "a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd", "a\xef\xbf\xbd\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char buf[256], want[256];
		struct writer w = WRITER(buf);

		writer_text(&w, span_str(rows[i].s));
		expect(rows[i].s, &w, rows[i].text);
		w = WRITER(buf);
		writer_attr(&w, "id", span_str(rows[i].s));
		snprintf(want, sizeof(want), " id='%s'", rows[i].value);
		expect(rows[i].s, &w, want);
	}
}

Test(writer, pieces)
{
	char buf[256];
	struct writer w = WRITER(buf);

	writer_lit(&w, "<a");
	writer_attr_opt(&w, "b", SPAN_NONE);
	writer_attr_opt(&w, "c", SPAN_LIT(""));
	writer_attr(&w, "n", SPAN_NONE);
	writer_raw(&w, SPAN_LIT(" d='&lt;'"));
	writer_raw(&w, SPAN_NONE);
	writer_lit(&w, ">");
	writer_u64(&w, 0);
	writer_lit(&w, ",");
	writer_u64(&w, 1234567890);
	writer_lit(&w, ",");
	writer_u64(&w, UINT64_MAX);
	expect("pieces", &w, "<a c='' n='' d='&lt;'>0,1234567890,18446744073709551615");
}

/* Every capacity: nothing is written past it, and nothing after what did not fit. */
Test(writer, overflow)
{
	static const char whole[] = "<a b='&lt;x'>t&amp;7</a>";
	const size_t n = sizeof(whole) - 1;

	for (size_t cap = 0; cap <= n + 1; cap++) {
		char *buf = malloc(cap ? cap : 1);
		struct writer w = { buf, cap, 0, false };

		writer_lit(&w, "<a");
		writer_attr(&w, "b", SPAN_LIT("<x"));
		writer_lit(&w, ">");
		writer_text(&w, SPAN_LIT("t&"));
		writer_u64(&w, 7);
		writer_lit(&w, "</a>");
		cr_expect_eq(w.overflow, cap < n, "%zu", cap);
		cr_assert(w.n <= cap);
		cr_expect(memcmp(buf, whole, w.n) == 0, "%zu: %.*s", cap, (int)w.n, buf);
		if (w.overflow) {
			size_t before = w.n;

			writer_lit(&w, "");
			writer_u64(&w, 1);
			cr_expect_eq(w.n, before);
		}
		free(buf);
	}
}

/* -- round trip: what a parser reads is what was written -- */

struct seen {
	char value[512], text[512];
	size_t n_text;
};

static void on_start(void *ctx, const char *name, const char **attrs)
{
	struct seen *seen = ctx;

	(void)name;
	snprintf(seen->value, sizeof(seen->value), "%s", attrs[1]);
}

static void on_text(void *ctx, const char *s, int n)
{
	struct seen *seen = ctx;

	memcpy(seen->text + seen->n_text, s, (size_t)n);
	seen->n_text += (size_t)n;
}

Test(writer, round_trip)
{
	char all[512], buf[4096];
	struct writer w = WRITER(buf);
	struct seen seen = { "", "", 0 };
	XML_Parser parser = XML_ParserCreate("UTF-8");
	size_t n = 0;

	for (int c = 1; c < 0x80; c++)
		if (c >= 0x20 || c == '\t' || c == '\n' || c == '\r')
			all[n++] = (char)c;
	n += (size_t)sprintf(all + n, "\r\n \xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80 ]]> &amp; ");
	writer_lit(&w, "<a");
	writer_attr(&w, "b", span_of(all, n));
	writer_lit(&w, ">");
	writer_text(&w, span_of(all, n));
	writer_lit(&w, "</a>");
	XML_SetUserData(parser, &seen);
	XML_SetStartElementHandler(parser, on_start);
	XML_SetCharacterDataHandler(parser, on_text);
	cr_assert_eq(XML_Parse(parser, buf, (int)w.n, 1), XML_STATUS_OK);
	cr_expect(span_eq(span_str(seen.value), span_of(all, n)));
	cr_expect(span_eq(span_of(seen.text, seen.n_text), span_of(all, n)));
	XML_ParserFree(parser);
}
