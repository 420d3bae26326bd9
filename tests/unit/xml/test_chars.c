/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <ctype.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>

#include "xml/chars.h"
#include "xml/element.h"

/* The table from its description in the header. */
static unsigned class_of(int c)
{
	unsigned classes = 0;
	bool legal = c >= 0x20 || c == '\t' || c == '\n' || c == '\r';

	if (c >= 0x80)
		return 0;
	if (c && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", c))
		classes |= CHARS_START | CHARS_NAME;
	if (c && strchr("0123456789-.", c))
		classes |= CHARS_NAME;
	if (c && strchr(" \t\r\n", c))
		classes |= CHARS_SPACE;
	if (legal)
		classes |= CHARS_LEGAL;
	if (legal && !strchr("<&]", c))
		classes |= CHARS_TEXT;
	if (c >= 0x20 && !strchr("<&'\"", c))
		classes |= CHARS_VALUE;
	return classes;
}

Test(chars, classes)
{
	for (int c = 0; c < 256; c++)
		cr_expect_eq(chars_class[c], class_of(c), "%#x: %#x", c, chars_class[c]);
}

/* -- UTF-8 -- */

/* Another way to the same answer: decode whatever the bits say, then judge the value. */
static int reference_decode(const unsigned char *p, int n, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	int len = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : 0;
	uint32_t v;

	if (p[0] >> 3 == 30)
		len = 4;
	if (len == 1) {
		*cp = p[0];
		return 1;
	}
	if (len == 0 || len > n)
		return -1;
	v = p[0] & (0x7fu >> len);
	for (int i = 1; i < len; i++) {
		if (p[i] >> 6 != 2)
			return -1;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return -1;
	*cp = v;
	return len;
}

/* Some completion of p[0..have) is a character. */
static bool can_be_completed(const unsigned char *p, int have)
{
	static const unsigned char tries[] = { 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf };
	unsigned char q[4];
	uint32_t cp;

	memcpy(q, p, (size_t)have);
	for (size_t i = 0; i < sizeof(tries); i++) {
		memset(q + have, 0x80, 4 - (size_t)have);
		q[have] = tries[i];
		if (reference_decode(q, 4, &cp) > have)
			return true;
	}
	return false;
}

static void check_decode(const unsigned char p[4])
{
	uint32_t want_cp = 0, cp = 0;
	int want = reference_decode(p, 4, &want_cp);
	int got = chars_decode((const char *)p, 4, &cp);

	cr_assert_eq(got, want, "%02x %02x %02x %02x: %d", p[0], p[1], p[2], p[3], got);
	if (got > 0)
		cr_assert_eq(cp, want_cp);
	for (int have = 1; have < 4; have++) {
		int part = chars_decode((const char *)p, (size_t)have, &cp);

		if (want > 0 && have < want)
			cr_assert_eq(part, 0);
		else if (want > 0)
			cr_assert_eq(part, want);
		else
			cr_assert_eq(part, can_be_completed(p, have) ? 0 : -1,
				"%02x %02x %02x %02x, %d of them: %d", p[0], p[1], p[2], p[3], have,
				part);
	}
}

Test(chars, decode)
{
	static const unsigned char edge[] = { 0x00, 0x3c, 0x7f, 0x80, 0x8f, 0x90, 0xa0, 0xbf, 0xc0,
		0xff };
	uint32_t cp;

	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++)
			for (size_t c = 0; c < sizeof(edge); c++)
				for (size_t d = 0; d < sizeof(edge); d++) {
					const unsigned char p[4] = { (unsigned char)a,
						(unsigned char)b, edge[c], edge[d] };

					check_decode(p);
				}
	cr_expect_eq(chars_decode("", 0, &cp), 0);
}

Test(chars, encode_and_back)
{
	char buf[4];
	uint32_t back;

	for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
		int n;

		if (cp == 0xd800)
			cp = 0xe000;
		n = chars_encode(cp, buf);
		cr_assert_eq(chars_decode(buf, (size_t)n, &back), n, "U+%04X", cp);
		cr_assert_eq(back, cp);
	}
}

Test(chars, legal)
{
	static const struct {
		uint32_t cp;
		bool legal;
	} rows[] = {
		{ 0, false },
		{ 8, false },
		{ 9, true },
		{ 0xa, true },
		{ 0xb, false },
		{ 0xc, false },
		{ 0xd, true },
		{ 0xe, false },
		{ 0x1f, false },
		{ 0x20, true },
		{ 0x7f, true },
		{ 0x85, true },
		{ 0xd7ff, true },
		{ 0xd800, false },
		{ 0xdfff, false },
		{ 0xe000, true },
		{ 0xfdd0, true },
		{ 0xfffd, true },
		{ 0xfffe, false },
		{ 0xffff, false },
		{ 0x10000, true },
		{ 0x1fffe, true },
		{ 0x10ffff, true },
		{ 0x110000, false },
		{ UINT32_MAX, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_eq(chars_is_char(rows[i].cp), rows[i].legal, "U+%04X", rows[i].cp);
}

/* -- names: both libraries as witnesses, for every code point that can be in one -- */

static bool expat_takes(XML_Parser parser, const char *doc)
{
	XML_ParserReset(parser, NULL);
	return XML_Parse(parser, doc, (int)strlen(doc), 1) == XML_STATUS_OK;
}

static bool libxml_takes(struct element_parser *ep, const char *doc)
{
	const char *why;

	return element_parse(ep, SPAN_LIT(""), span_str(doc), &why) != NULL;
}

/* Step 1 through the planes where the tables have their edges, then coarser. */
static uint32_t next_cp(uint32_t cp)
{
	if (cp == 0xd7ff)
		return 0xe000;
	return cp < 0x10020 || (cp > 0xeffe0 && cp < 0xf0020) ? cp + 1 : cp + 31;
}

Test(chars, names_like_the_libraries)
{
	XML_Parser parser = XML_ParserCreate(NULL);
	struct element_parser *ep = element_parser_new();

	for (uint32_t cp = 0x21; cp <= 0x10ffff; cp = next_cp(cp)) {
		char c[5] = "", first[16], later[16];

		if (cp < 0x80 && strchr("!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~", (int)cp))
			continue; /* some of them are markup */
		chars_encode(cp, c);
		snprintf(first, sizeof(first), "<%s/>", c);
		snprintf(later, sizeof(later), "<a%s/>", c);
		cr_assert_eq(chars_is_name_start(cp), libxml_takes(ep, first), "U+%04X", cp);
		cr_assert_eq(chars_is_name(cp), libxml_takes(ep, later), "U+%04X", cp);
		cr_assert_eq(chars_is_name_start_4e(cp), expat_takes(parser, first), "U+%04X", cp);
		cr_assert_eq(chars_is_name_4e(cp), expat_takes(parser, later), "U+%04X", cp);
	}
	XML_ParserFree(parser);
	element_parser_free(ep);
}

Test(chars, fourth_edition_is_part_of_the_fifth)
{
	for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
		cr_assert(!chars_is_name_start_4e(cp) || chars_is_name_start(cp), "U+%04X", cp);
		cr_assert(!chars_is_name_4e(cp) || chars_is_name(cp), "U+%04X", cp);
		cr_assert(!chars_is_name_start(cp) || chars_is_name(cp), "U+%04X", cp);
		cr_assert(!chars_is_name(cp) || chars_is_char(cp), "U+%04X", cp);
	}
}

/* -- values -- */

Test(chars, reference)
{
	static const struct {
		const char *text;
		size_t used;
		uint32_t cp;
	} rows[] = {
		{ "&amp;x", 5, '&' },
		{ "&lt;", 4, '<' },
		{ "&gt;", 4, '>' },
		{ "&apos;", 6, '\'' },
		{ "&quot;", 6, '"' },
		{ "&#65;", 5, 'A' },
		{ "&#x4a;", 6, 'J' },
		{ "&#x10FFFF;", 10, 0x10ffff },
		{ "&#0000065;", 10, 'A' },
		{ "&#00000065;", 0, 0 },
		{ "&", 0, 0 },
		{ "&amp", 0, 0 },
		{ "&nbsp;", 0, 0 },
		{ "&#;", 0, 0 },
		{ "&#x;", 0, 0 },
		{ "&#65", 0, 0 },
		{ "&#0;", 0, 0 },
		{ "&#xD800;", 0, 0 },
		{ "&#4a;", 0, 0 },
		{ "amp;", 0, 0 },
		{ "", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t cp = 0;

		cr_expect_eq(chars_reference(span_str(rows[i].text), &cp), rows[i].used, "%s",
			rows[i].text);
		cr_expect_eq(cp, rows[i].cp, "%s", rows[i].text);
	}
}

Test(chars, value_needs_room)
{
	char buf[8];
	size_t n = 77;

	cr_expect(chars_decode_value(SPAN_LIT("abcd&lt;&#x20AC;"), buf, 8, &n));
	cr_expect_eq(n, 8);
	cr_expect(memcmp(buf, "abcd<\xe2\x82\xac", 8) == 0);
	cr_expect(!chars_decode_value(SPAN_LIT("abcd&lt;&#x20AC;"), buf, 7, &n));
	cr_expect(chars_decode_value(SPAN_LIT(""), buf, 0, &n));
	cr_expect_eq(n, 0);
}
