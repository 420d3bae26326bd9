/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For each check of xml/check.h, by its name, an input that this check alone stands
 * against: without it the scanner takes what it must refuse, gives another error, or
 * misses what a frame should tell. scripts/break_scanner.py leaves the checks out one
 * by one and wants the complaint of the row with that name, both for input that is
 * there as a whole and for input that comes byte by byte, which go different ways.
 */
#include <criterion/criterion.h>

#include "tests/unit/xml/feed.h"

#define MOST 40000

static const struct way {
	const char *name;
	size_t piece;
} ways[] = {
	{ "whole", MOST },
	{ "byte by byte", 1 },
};

struct row {
	const char *check;
	enum scan_error error;
	const char *text; /* behind HEADER, if `stream` is set */
	size_t n;
	bool stream;
};

#define ROW(check, error, text, stream)                                                            \
	{                                                                                          \
		check, SCAN_E_##error, text, sizeof(text) - 1, stream                              \
	}
#define FIRST(check, error, text) ROW(check, error, text, false)
#define LATER(check, error, text) ROW(check, error, text, true)

#define XML_URI "http://www.w3.org/XML/1998/namespace"

static const struct row rows[] = {
	LATER("UTF8", UNSUPPORTED_ENCODING, "<m>\xc3(</m>"),
	LATER("UTF8_NAME", UNSUPPORTED_ENCODING, "<m><b\xc3/></m>"),
	LATER("UTF8_OVERLONG", UNSUPPORTED_ENCODING, "<m>\xe0\x80\xbc</m>"),
	LATER("UTF8_SURROGATE", UNSUPPORTED_ENCODING, "<m>\xed\xa0\x80</m>"),
	LATER("UTF8_RANGE", UNSUPPORTED_ENCODING, "<m>\xf4\x90\x80\x80</m>"),
	LATER("CHAR", NOT_WELL_FORMED, "<m>\x01\xef\xbf\xbe</m>"),
	FIRST("ENCODING_MARK", UNSUPPORTED_ENCODING, "\0<\0s"),
	FIRST("DECL_FORM", NOT_WELL_FORMED, "<?xml version='1.0' x='y'?><s>"),
	FIRST("DECL_VERSION", BAD_FORMAT, "<?xml version='1.1'?><s>"),
	FIRST("DECL_ENCODING", UNSUPPORTED_ENCODING, "<?xml version='1.0' encoding='L1'?><s>"),
	FIRST("DECL_STANDALONE", NOT_WELL_FORMED, "<?xml version='1.0' standalone='y'?><s>"),
	LATER("COMMENT", RESTRICTED_XML, "<m><!-- --></m>"),
	LATER("DOCTYPE", RESTRICTED_XML, "<m><!DOCTYPE a></m>"),
	LATER("PI", RESTRICTED_XML, "<?xml version='1.0'?><m/>"),
	LATER("BANG", NOT_WELL_FORMED, "<m><!(CDATA[x]]></m>"),
	LATER("CDATA_NAME", NOT_WELL_FORMED, "<m><![cdata[x]]></m>"),
	LATER("CDATA_LEVEL", BAD_FORMAT, "<![CDATA[x]]><m/>"),
	LATER("CDATA_END", NOT_WELL_FORMED, "<m>]]></m>"),
	LATER("REF_NAME", RESTRICTED_XML, "<m>&nbsp;</m>"),
	LATER("REF_DIGITS", NOT_WELL_FORMED, "<m>&#65 </m>"),
	LATER("REF_LENGTH", LIMIT, "<m>&#00000065;</m>"),
	LATER("REF_CHAR", NOT_WELL_FORMED, "<m>&#0;</m>"),
	LATER("TAG_SPACE", NOT_WELL_FORMED, "<m a='1'b='2'/>"),
	LATER("TAG_SLASH", NOT_WELL_FORMED, "<m/x"),
	LATER("END_NAME", NOT_WELL_FORMED, "<m><b></c></m>"),
	LATER("END_TAIL", NOT_WELL_FORMED, "<m></mx"),
	LATER("ATTR_EQUALS", NOT_WELL_FORMED, "<m a!'1'/>"),
	LATER("ATTR_QUOTE", NOT_WELL_FORMED, "<m a=&1&/>"),
	LATER("ATTR_LT", NOT_WELL_FORMED, "<m a='<'/>"),
	LATER("ATTR_TWICE", NOT_WELL_FORMED, "<m a='1' a='2'/>"),
	LATER("ATTR_TWICE_NS", NOT_WELL_FORMED, "<m p:x='' q:x='' xmlns:p='u' xmlns:q='u'/>"),
	LATER("NAME_START", NOT_WELL_FORMED, "<1/>"),
	LATER("NAME_CHAR", NOT_WELL_FORMED, "<m><a\xc2\x85/></m>"),
	LATER("NAME_EMPTY", NOT_WELL_FORMED, "<m><></></m>"),
	/* No such prefix is bound, so the whole tag is refused in any case; this is at once. */
	LATER("NAME_COLONS", NOT_WELL_FORMED, "<db:a:b"),
	LATER("NAME_PARTS", NOT_WELL_FORMED, "<:a/>"),
	LATER("NAME_4E_TOP", NOT_WELL_FORMED, "<\xc4\xb2/>"),
	LATER("PREFIX_ELEMENT", NOT_WELL_FORMED, "<x:a/>"),
	LATER("PREFIX_ATTR", NOT_WELL_FORMED, "<m x:a=''/>"),
	LATER("NS_UNDECLARED", NOT_WELL_FORMED, "<m xmlns:p=''/>"),
	LATER("NS_XML", NOT_WELL_FORMED, "<m xmlns:x='" XML_URI "'/>"),
	LATER("NS_XMLNS", NOT_WELL_FORMED, "<m xmlns:xmlns='u'/>"),
	LATER("NS_DECODE", NOT_WELL_FORMED, "<m p:x='' q:x='' xmlns:p='u' xmlns:q='&#117;'/>"),
	FIRST("STREAM_START", NOT_WELL_FORMED, "xs>"),
	FIRST("STREAM_EMPTY", BAD_FORMAT, "<s/>"),
	LATER("STREAM_TEXT", BAD_FORMAT, "xm/>"),
	LATER("STREAM_END", NOT_WELL_FORMED, "</stream:strean>"),
	LATER("STREAM_TWICE", BAD_FORMAT, HEADER "</stream:stream>"),
};

static void check(const char *name, enum scan_error error, const char *text, size_t n, uint32_t max)
{
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct feed f = feed_cut(text, n, max, ways[i].piece, ways[i].piece);

		cr_expect_eq(f.error, error, "%s, %s: error %d (%s), not %d", name, ways[i].name,
			f.error, f.reason, error);
		feed_free(&f);
	}
}

Test(scan_check, refusals)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t head = rows[i].stream ? sizeof(HEADER) - 1 : 0;
		char text[1024];

		memcpy(text, HEADER, head);
		memcpy(text + head, rows[i].text, rows[i].n);
		check(rows[i].check, rows[i].error, text, head + rows[i].n, LIMIT_STANZA);
	}
}

/* -- bounds -- */

/* `piece` as often as may be and once more; "%u" in it is the number. */
static const struct {
	const char *check, *before, *piece;
	unsigned n;
	const char *after;
	enum scan_error error;
	uint32_t max;
} bounds[] = {
	{ "DEPTH", HEADER, "<a>", LIMIT_DEPTH, "", SCAN_E_LIMIT, LIMIT_STANZA },
	{ "ATTR_COUNT", HEADER "<m", " a%u=''", LIMIT_ATTRS, "/>", SCAN_E_LIMIT, LIMIT_STANZA },
	{ "ATTR_LENGTH", HEADER "<m a='", "v", LIMIT_ATTR_VALUE, "'/>", SCAN_E_LIMIT,
		LIMIT_STANZA },
	{ "NAME_LENGTH", HEADER "<", "n", LIMIT_XML_NAME, "/>", SCAN_E_LIMIT, LIMIT_STANZA },
	{ "NS_COUNT", HEADER "<m", " xmlns:p%u='u'", LIMIT_PREFIXES - 3, "/>", SCAN_E_LIMIT,
		LIMIT_STANZA },
	{ "NS_ROOT_COUNT", "<s", " xmlns:p%u='u'", LIMIT_ROOT_PREFIXES, ">", SCAN_E_LIMIT,
		LIMIT_STANZA },
	{ "SIZE", HEADER "<m>", "x", 100 - sizeof("<m></m>") + 1, "</m>", SCAN_E_TOO_BIG, 100 },
	{ "SIZE_HEADER", "<s a='", "x", LIMIT_HEADER - sizeof("<s a=''>") + 1, "'>", SCAN_E_LIMIT,
		LIMIT_STANZA },
};

static size_t repeat(char *text, size_t i, unsigned n)
{
	char *at = stpcpy(text, bounds[i].before);

	while (n-- > 0) {
		/* the table above has each format */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		at += sprintf(at, bounds[i].piece, n);
#pragma GCC diagnostic pop
	}
	at = stpcpy(at, bounds[i].after);
	return (size_t)(at - text);
}

Test(scan_check, bounds)
{
	static char text[MOST];

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		size_t n = repeat(text, i, bounds[i].n);

		check(bounds[i].check, SCAN_E_NONE, text, n, bounds[i].max);
		n = repeat(text, i, bounds[i].n + 1);
		check(bounds[i].check, bounds[i].error, text, n, bounds[i].max);
	}
}

/* -- what is told -- */

static const struct {
	const char *check, *text;
	unsigned flags, prefixes, redeclared;
} told[] = {
	{ "ADDR_DECODED", HEADER "<m to='a&#47;b'></m>", FRAME_ADDR_DECODED, 0, 0 },
	{ "LANG", HEADER "<m xml:lang='de'></m>", FRAME_HAS_LANG, 0, 0 },
	{ "NAME_4E", HEADER "<m><\xc4\xb2/></m>", FRAME_NAME_5E, 0, 0 },
	{ "ROOT_PREFIX", HEADER "<m><db:a/></m>", 0, 2, 0 },
	{ "REDECLARED", HEADER "<m xmlns='jabber:server'></m>", 0, 0, 1 },
};

Test(scan_check, told)
{
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
			const char *name = told[i].check, *way = ways[w].name;
			struct feed f = feed_cut(told[i].text, strlen(told[i].text), LIMIT_STANZA,
				ways[w].piece, ways[w].piece);

			cr_assert_eq(f.frames, 1, "%s, %s: %s", name, way, f.reason);
			cr_expect_eq(f.last.flags, told[i].flags, "%s, %s: %#x", name, way,
				f.last.flags);
			cr_expect_eq(f.last.root_prefixes, told[i].prefixes, "%s, %s: %#x", name,
				way, f.last.root_prefixes);
			cr_expect_eq(f.last.n_redeclared, told[i].redeclared, "%s, %s: %u", name,
				way, f.last.n_redeclared);
			feed_free(&f);
		}
}

/* Feeding ends with the stream, so this one is fed by hand. */
Test(scan_check, stream_after)
{
	static const char text[] = "</stream:stream><m/>";
	const size_t head = sizeof(HEADER) - 1, end = sizeof("</stream:stream>") - 1;

	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		struct scan *s = scan_new(LIMIT_STANZA);
		size_t n = w ? 1 : sizeof(text) - 1 - end;
		struct frame f;
		char *place;

		cr_assert_eq(feed_call(s, HEADER, head, &f, &place), SCAN_HEADER);
		guard_free(place, head, SCAN_PAD);
		cr_assert_eq(feed_call(s, text, sizeof(text) - 1, &f, &place), SCAN_CLOSE);
		cr_assert_eq(f.len, end);
		guard_free(place, sizeof(text) - 1, SCAN_PAD);
		feed_call(s, text + end, n, &f, &place);
		cr_expect_eq(scan_error(s), SCAN_E_NOT_WELL_FORMED, "STREAM_AFTER, %s: %d",
			ways[w].name, scan_error(s));
		guard_free(place, n, SCAN_PAD);
		scan_free(s);
	}
}
