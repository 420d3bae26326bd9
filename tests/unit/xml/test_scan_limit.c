/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounds: exactly so much is fine and one more is not, whatever the cut; and no second look. */
#include <criterion/criterion.h>
#include <stdarg.h>

#include "tests/unit/xml/feed.h"

#define BIG (1u << 20)

static char text[BIG + 4096];
static size_t len;

static void add(const char *s)
{
	size_t n = strlen(s);

	cr_assert(len + n < sizeof(text));
	memcpy(text + len, s, n);
	len += n;
}

static void add_many(size_t n, char c)
{
	cr_assert(len + n < sizeof(text));
	memset(text + len, c, n);
	len += n;
}

PRINTF_LIKE(1, 2) static void addf(const char *fmt, ...)
{
	char piece[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(piece, sizeof(piece), fmt, ap);
	va_end(ap);
	add(piece);
}

static void begin(const char *header)
{
	len = 0;
	add(header);
}

/* `text`, whole and in pieces of several sizes. */
static void expect(const char *id, uint32_t max, enum scan_error error)
{
	static const size_t pieces[] = { 7, 64, 1000, 16384 };
	struct feed whole = feed_cut(text, len, max, len, len);

	cr_expect_eq(whole.error, error, "%s: error %d (%s)", id, whole.error, whole.reason);
	if (error == SCAN_E_NONE)
		cr_expect_eq(whole.consumed, len, "%s", id);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		if (len / pieces[i] < 3000)
			feed_same(id, &whole, text, len, max, pieces[i] / 2 + 1, pieces[i]);
	if (len < 10000)
		feed_same(id, &whole, text, len, max, 1, 1);
	feed_free(&whole);
}

static void depth(unsigned n)
{
	begin(HEADER);
	for (unsigned i = 0; i < n; i++)
		add("<a>");
	for (unsigned i = 0; i < n; i++)
		add("</a>");
}

static void attrs(unsigned n)
{
	begin(HEADER "<m><a");
	for (unsigned i = 0; i < n; i++)
		addf(" a%u=''", i);
	add("/></m>");
}

/* HEADER declares three itself. */
static void declarations(unsigned n)
{
	begin(HEADER "<m>");
	for (unsigned i = 0; i < n; i++)
		addf("%s xmlns:p%u='u'", i % 30 ? "" : i ? "><a" : "<a", i);
	add(">");
	for (unsigned i = 0; i < n; i += 30)
		add("</a>");
	add("</m>");
}

static void name(size_t n, const char *before, const char *after)
{
	begin(HEADER);
	add(before);
	add_many(n, 'n');
	add(after);
}

Test(scan_limit, t_x19)
{
	depth(LIMIT_DEPTH);
	expect("depth 64", LIMIT_STANZA, SCAN_E_NONE);
	depth(LIMIT_DEPTH + 1);
	expect("depth 65", LIMIT_STANZA, SCAN_E_LIMIT);
	attrs(LIMIT_ATTRS);
	expect("64 attributes", LIMIT_STANZA, SCAN_E_NONE);
	attrs(LIMIT_ATTRS + 1);
	expect("65 attributes", LIMIT_STANZA, SCAN_E_LIMIT);
	attrs(LIMIT_ATTRS - 1);
	len -= strlen("/></m>");
	add(" a0=''/></m>");
	expect("64th attribute is the first again", LIMIT_STANZA, SCAN_E_NOT_WELL_FORMED);
	attrs(LIMIT_ATTRS - 1);
	len -= strlen("/></m>");
	add("\ta\t=\t'&lt;'\t/></m>");
	expect("64th attribute is an odd one", LIMIT_STANZA, SCAN_E_NONE);
	declarations(LIMIT_PREFIXES - 3);
	expect("64 declarations", LIMIT_STANZA, SCAN_E_NONE);
	declarations(LIMIT_PREFIXES - 2);
	expect("65 declarations", LIMIT_STANZA, SCAN_E_LIMIT);
	name(LIMIT_XML_NAME, "<", "/>");
	expect("name of 1024", LIMIT_STANZA, SCAN_E_NONE);
	name(LIMIT_XML_NAME + 1, "<", "/>");
	expect("name of 1025", LIMIT_STANZA, SCAN_E_LIMIT);
	name(LIMIT_XML_NAME + 1, "<", "!");
	expect("name of 1025, then an error", LIMIT_STANZA, SCAN_E_LIMIT);
	name(LIMIT_XML_NAME - 3, "<db:", "/>");
	expect("qualified name of 1024", LIMIT_STANZA, SCAN_E_NONE);
	name(LIMIT_XML_NAME - 2, "<db:", "/>");
	expect("qualified name of 1025", LIMIT_STANZA, SCAN_E_LIMIT);
	name(LIMIT_XML_NAME - 1, "<\xc3\xa9", "/>");
	expect("name of 1025, wide", LIMIT_STANZA, SCAN_E_LIMIT);
	name(LIMIT_XML_NAME - 1, "<", "\xc3\xa9/>");
	expect("name of 1025, wide at the end", LIMIT_STANZA, SCAN_E_LIMIT);
	name(LIMIT_XML_NAME, "<m ", "=''/>");
	expect("attribute's name of 1024", LIMIT_STANZA, SCAN_E_NONE);
	name(LIMIT_XML_NAME + 1, "<m ", "=''/>");
	expect("attribute's name of 1025", LIMIT_STANZA, SCAN_E_LIMIT);
}

Test(scan_limit, declarations_end_with_their_element)
{
	begin(HEADER "<m>");
	for (unsigned i = 0; i < 1000; i++)
		addf("<p:a xmlns:p='u%u' xmlns='v'><b/></p:a><c xmlns:q='w'/>", i);
	add("</m>");
	expect("2000 one after the other", LIMIT_STANZA, SCAN_E_NONE);
}

static void value(size_t n, const char *after)
{
	begin(HEADER "<m a='");
	add_many(n, 'v');
	add(after);
}

Test(scan_limit, value)
{
	value(LIMIT_ATTR_VALUE, "'/>");
	expect("value of 32768", LIMIT_STANZA, SCAN_E_NONE);
	value(LIMIT_ATTR_VALUE + 1, "'/>");
	expect("value of 32769", LIMIT_STANZA, SCAN_E_LIMIT);
	value(LIMIT_ATTR_VALUE + 1, "<");
	expect("value of 32769, then an error", LIMIT_STANZA, SCAN_E_LIMIT);
	value(LIMIT_ATTR_VALUE - 4, "&lt;'/>");
	expect("value of 32768 with a reference", LIMIT_STANZA, SCAN_E_NONE);
	value(LIMIT_ATTR_VALUE - 3, "&lt;'/>");
	expect("value of 32769 with a reference", LIMIT_STANZA, SCAN_E_LIMIT);
	value(LIMIT_ATTR_VALUE - 1, "\xc3\xa9'/>");
	expect("value of 32769, wide", LIMIT_STANZA, SCAN_E_LIMIT);
	value(LIMIT_ATTR_VALUE - 1, "\xc3(");
	expect("broken at 32768", LIMIT_STANZA, SCAN_E_UNSUPPORTED_ENCODING);
}

/* A value of 256 KiB is refused when it becomes too long, not when it ends. */
Test(scan_limit, value_at_once)
{
	struct feed f;

	value(LIMIT_STANZA, "'/>");
	f = feed_cut(text, len, BIG, sizeof(HEADER) - 1, 1);
	cr_expect_eq(f.error, SCAN_E_LIMIT);
	cr_expect_eq(f.arrived, sizeof(HEADER "<m a='") - 1 + LIMIT_ATTR_VALUE + 1);
	feed_free(&f);
}

/* A stanza of n bytes. */
static void stanza(size_t n)
{
	begin(HEADER "<m><b>");
	add_many(n - strlen("<m><b></b></m>"), 'x');
	add("</b></m>");
}

Test(scan_limit, size)
{
	stanza(LIMIT_STANZA);
	expect("T-X17 262144", LIMIT_STANZA, SCAN_E_NONE);
	add("<m/>");
	expect("T-X17 262144 and another", LIMIT_STANZA, SCAN_E_NONE);
	stanza(LIMIT_STANZA + 1);
	expect("T-X17 262145", LIMIT_STANZA, SCAN_E_TOO_BIG);
	stanza(LIMIT_STANZA_UNAUTH);
	expect("T-X16 16384", LIMIT_STANZA_UNAUTH, SCAN_E_NONE);
	stanza(LIMIT_STANZA_UNAUTH + 1);
	expect("T-X16 16385", LIMIT_STANZA_UNAUTH, SCAN_E_TOO_BIG);
	stanza(LIMIT_STANZA_FLOOR);
	expect("T-X18 10000", LIMIT_STANZA_FLOOR, SCAN_E_NONE);
	begin(HEADER "<m><b>");
	add_many(LIMIT_STANZA_UNAUTH, 'x');
	add("<!DOCTYPE");
	expect("size before what comes later", LIMIT_STANZA_UNAUTH, SCAN_E_TOO_BIG);
}

/* Refused with the first byte that is too many, not with the last. */
Test(scan_limit, size_at_once)
{
	struct feed f;

	stanza(20000);
	f = feed_cut(text, len, 10000, sizeof(HEADER) - 1, 1);
	cr_expect_eq(f.error, SCAN_E_TOO_BIG);
	cr_expect_eq(f.arrived, sizeof(HEADER) - 1 + 10001);
	feed_free(&f);
}

Test(scan_limit, max_can_be_raised)
{
	struct scan *s = scan_new(100);
	struct frame f;

	stanza(300);
	cr_assert_eq(scan(s, text, len - 260, &f), SCAN_HEADER);
	cr_assert_eq(scan(s, text + f.len, 90, &f), SCAN_MORE);
	scan_set_max(s, 300);
	cr_assert_eq(scan(s, text + sizeof(HEADER) - 1, 300, &f), SCAN_FRAME);
	cr_assert_eq(f.len, 300);
	scan_free(s);
}

/*
 * A stream that is proven gets --max-stanza, which may be less than it had, while
 * half an element is there: it is refused, whatever its state, without another look.
 */
Test(scan_limit, max_can_be_lowered)
{
	static const struct {
		const char *before;
		char fill;
		const char *last;
	} rows[] = {
		{ "<m>", 'x', "" },
		{ "<m>", 'x', "<" },
		{ "<m>", 'x', "&" },
		{ "<m>", 'x', "&#1" },
		{ "<m>", ']', "" },
		{ "<m>", 'x', "<![" },
		{ "<m><![CDATA[", 'x', "" },
		{ "<m><![CDATA[", 'x', "]]" },
		{ "<", 'n', "" },
		{ "<", 'n', "></n" },
		{ "<m", ' ', "" },
		{ "<m ", 'n', "" },
		{ "<m ", 'n', "=" },
		{ "<m a='", 'v', "" },
		{ "<m></m", ' ', "" },
	};
	const size_t head = sizeof(HEADER) - 1, n = 300;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scan *s = scan_new(1000);
		struct frame f;
		char *place;

		begin(HEADER);
		add(rows[i].before);
		add_many(head + n - strlen(rows[i].last) - len, rows[i].fill);
		add(rows[i].last);
		cr_assert_eq(feed_call(s, text, head, &f, &place), SCAN_HEADER);
		guard_free(place, head, SCAN_PAD);
		cr_assert_eq(feed_call(s, text + head, n, &f, &place), SCAN_MORE);
		scan_set_max(s, 100);
		cr_expect_eq(scan(s, place, n, &f), SCAN_ERROR, "row %zu", i);
		cr_expect_eq(scan_error(s), SCAN_E_TOO_BIG, "row %zu: %s", i, scan_reason(s));
		guard_free(place, n, SCAN_PAD);
		scan_free(s);
	}
}

static void header_of(size_t n)
{
	begin("<?xml version='1.0'?><s a='");
	add_many(n - len - 2, 'x');
	add("'>");
}

Test(scan_limit, header)
{
	header_of(LIMIT_HEADER);
	expect("header of 8192", 100, SCAN_E_NONE);
	header_of(LIMIT_HEADER + 1);
	expect("header of 8193", 100000, SCAN_E_LIMIT);
	begin("");
	add_many(LIMIT_HEADER + 1, ' ');
	expect("space for a header", 100000, SCAN_E_LIMIT);
	begin("<?xml ");
	add_many(LIMIT_HEADER, ' ');
	expect("endless declaration", 100000, SCAN_E_LIMIT);
}

Test(scan_limit, root_prefixes)
{
	for (unsigned n = LIMIT_ROOT_PREFIXES; n <= LIMIT_ROOT_PREFIXES + 1; n++) {
		begin("<s xmlns='jabber:server'");
		for (unsigned i = 0; i < n; i++)
			addf(" xmlns:p%u='u%u'", i, i);
		add(">");
		addf("<iq><p%u:a/></iq>", n - 1);
		expect("root prefixes", LIMIT_STANZA,
			n > LIMIT_ROOT_PREFIXES ? SCAN_E_LIMIT : SCAN_E_NONE);
	}
	begin("<s xmlns='jabber:server'");
	for (unsigned i = 0; i < LIMIT_ROOT_PREFIXES; i++)
		addf(" xmlns:p%u='u%u'", i, i);
	add("><iq p31:b=''/>");
	struct feed f = feed_cut(text, len, LIMIT_STANZA, len, 1);
	cr_expect_eq(f.last.root_prefixes, UINT32_C(1) << 31);
	feed_free(&f);
}

/*
 * T-X20, rule 9.2: one byte at a time. Content that an earlier call has seen is
 * overwritten before the next one, with what would be an error: a scanner that
 * looks again would say so. (Names it may look at again.)
 */
static void one_by_one(const char *before, size_t n, const char *after)
{
	size_t head = strlen(before), tail = strlen(after), total = head + n + tail;
	struct scan *s = scan_new(BIG);
	char *buf = malloc(total + SCAN_PAD), *header = malloc(sizeof(HEADER) + SCAN_PAD);
	struct frame f;

	memcpy(header, HEADER, sizeof(HEADER));
	cr_assert_eq(scan(s, header, sizeof(HEADER) - 1, &f), SCAN_HEADER);
	memcpy(buf, before, head);
	for (size_t i = 0; i < n; i++)
		buf[head + i] = "\xe2\x82\xac&lt;x]\t"[i % 10];
	memcpy(buf + head + n, after, tail);
	for (size_t have = 1; have < total; have++) {
		cr_assert_eq(scan(s, buf, have, &f), SCAN_MORE, "at %zu: %s", have, scan_reason(s));
		if (have > head + 6 && have <= head + n)
			buf[have - 6] = '\x01';
	}
	cr_assert_eq(scan(s, buf, total, &f), SCAN_FRAME);
	cr_assert_eq(f.len, total);
	scan_free(s);
	free(header);
	free(buf);
}

Test(scan_limit, t_x20_no_second_look)
{
	one_by_one("<m><b>", LIMIT_STANZA / 10 * 10, "</b></m>");
	one_by_one("<m a='", LIMIT_ATTR_VALUE / 10 * 10, "'/>");
	one_by_one("<m><b><![CDATA[", LIMIT_STANZA / 10 * 10, "]]></b></m>");
}
