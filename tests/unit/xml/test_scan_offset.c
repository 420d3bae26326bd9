/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inner loops look at 16, 32 or 64 bytes at once, and what can be seen whole
 * goes another way than what comes in pieces. So each kind of token begins, ends
 * and is cut at each offset: the same is said of it wherever it stands.
 */
#include <criterion/criterion.h>

#include "tests/unit/xml/feed.h"

#define BLOCK 64
#define MOST 2048

/* '~' stands for as many copies of the character before it as the token is moved by. */
struct row {
	const char *id, *text;
	enum scan_error error; /* SCAN_E_NONE: one frame */
};

static const struct row rows[] = {
	/* tags, moved by text */
	{ "start tag", "<m>x~<b>y</b></m>", 0 },
	{ "empty tag", "<m>x~<b/></m>", 0 },
	{ "empty tag, spaced", "<m>x~<b /></m>", 0 },
	{ "attribute", "<m>x~<b a='1'/></m>", 0 },
	{ "both quotes", "<m>x~<b a=\"'\" b='\"'>y</b></m>", 0 },
	{ "attribute, spaced", "<m>x~<b\n\ta\r= '1' /></m>", 0 },
	{ "attribute with a reference", "<m>x~<b a='1&lt;2' c='3'/></m>", 0 },
	{ "attribute behind TAB", "<m>x~<b\ta='1'\tc='3'/></m>", 0 },
	{ "TAB in a value", "<m>x~<b a='1\t2' c='3'/></m>", 0 },
	{ "prefixes", "<m>x~<p:b xmlns:p='u' p:a='1'>y</p:b></m>", 0 },
	{ "end tag, spaced", "<m><b>x~</b \n></m>", 0 },
	{ "end tag of a long name", "<m><abcdefghijklmn>x~</abcdefghijklmn></m>", 0 },
	{ "end tag of eight bytes", "<m><abcdefgh>x~</abcdefgh></m>", 0 },
	{ "wide names", "<m>x~<\xc3\xa9 \xc3\xa9='\xc3\xa9'></\xc3\xa9></m>", 0 },
	{ "extension", "<m>x~<b xmlns='u'><c/></b><d xmlns='jabber:server'/></m>", 0 },
	/* tags, moved by what stands in them */
	{ "name", "<m><b~></b~></m>", 0 },
	{ "name of an empty element", "<m><b~/></m>", 0 },
	{ "prefix", "<m><p~:b xmlns:p~='u'/></m>", 0 },
	{ "local name", "<m><db:b~ db:c=''/></m>", 0 },
	{ "attribute's name", "<m><b a~='1' c='2'/></m>", 0 },
	{ "attribute's prefix", "<m><b p~:c='2' xmlns:p~='u'/></m>", 0 },
	{ "value", "<m from='a~' to='b'/>", 0 },
	{ "value in double quotes", "<m from=\"a~\" to='b'/>", 0 },
	{ "value and the other quote", "<m><b a='x~\"y'/></m>", 0 },
	{ "values", "<m><b a='x~' c='y~' d='z~'/></m>", 0 },
	{ "space before an attribute", "<m><b ~a='1'/></m>", 0 },
	{ "space before =", "<m><b a ~='1'/></m>", 0 },
	{ "space behind =", "<m><b a= ~'1'/></m>", 0 },
	{ "space at the end", "<m><b a='1' ~/></m>", 0 },
	{ "space in an end tag", "<m><b></b ~></m>", 0 },
	{ "TABs", "<m><b\t~a='1'/></m>", 0 },
	{ "declaration", "<m xmlns:p='u~'><p:a/></m>", 0 },
	/* text */
	{ "text", "<m>x~</m>", 0 },
	{ ">", "<m>x~>y</m>", 0 },
	{ "brackets", "<m>x~]y]]z]]] ></m>", 0 },
	{ "brackets moved by brackets", "<m>]~ ></m>", 0 },
	{ "CR LF TAB", "<m>x~\r\n\ty</m>", 0 },
	{ "2 bytes", "<m>x~\xc3\xa9y</m>", 0 },
	{ "3 bytes", "<m>x~\xe2\x82\xacy</m>", 0 },
	{ "4 bytes", "<m>x~\xf0\x9f\x98\x80y</m>", 0 },
	{ "2, 3 and 4 bytes", "<m>x~\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80</m>", 0 },
	{ "2 bytes behind 3 bytes", "<m>\xe2\x82\xacx~\xc3\xa9</m>", 0 },
	{ "2 bytes in a value", "<m><b a='x~\xc3\xa9'/></m>", 0 },
	{ "3 bytes in a value", "<m><b a='x~\xe2\x82\xac'/></m>", 0 },
	{ "4 bytes in a value", "<m><b a='x~\xf0\x9f\x98\x80'/></m>", 0 },
	{ "2 bytes in a name", "<m><x~\xc3\xa9/></m>", 0 },
	{ "3 bytes in a name", "<m><x~\xe4\xb8\x80/></m>", 0 },
	{ "4 bytes in a name", "<m><x~\xf0\x90\x80\x80/></m>", 0 },
	{ "CDATA section", "<m>x~<![CDATA[<y>&]]></m>", 0 },
	{ "end of a CDATA section", "<m><![CDATA[x~]]></m>", 0 },
	{ "end of a CDATA section behind ]", "<m><![CDATA[]~]]></m>", 0 },
	{ "2 bytes in CDATA", "<m><![CDATA[x~\xc3\xa9]]></m>", 0 },
	{ "]] and CDATA", "<m>x~]]<![CDATA[>]]>></m>", 0 },
	/* references */
	{ "&lt;", "<m>x~&lt;y</m>", 0 },
	{ "&gt;", "<m>x~&gt;</m>", 0 },
	{ "&amp;", "<m>x~&amp;</m>", 0 },
	{ "&apos;", "<m>x~&apos;</m>", 0 },
	{ "&quot;", "<m>x~&quot;</m>", 0 },
	{ "decimal", "<m>x~&#9;&#1114111;</m>", 0 },
	{ "hexadecimal", "<m>x~&#xA;&#x10FFFF;</m>", 0 },
	{ "references in a value", "<m><b a='x~&lt;&#9;&#xA;&quot;'/></m>", 0 },
	/* refusals */
	{ "]]>", "<m>x~]]></m>", SCAN_E_NOT_WELL_FORMED },
	{ "]]> behind brackets", "<m>]~]]></m>", SCAN_E_NOT_WELL_FORMED },
	{ "< in a value", "<m><b a='x~<'/></m>", SCAN_E_NOT_WELL_FORMED },
	{ "no space", "<m><b a='x~'c=''/></m>", SCAN_E_NOT_WELL_FORMED },
	{ "other end tag", "<m><b~></b~c></m>", SCAN_E_NOT_WELL_FORMED },
	{ "shorter end tag", "<m><b~c></b~></m>", SCAN_E_NOT_WELL_FORMED },
	{ "end tag that differs late", "<m><b~c></b~d></m>", SCAN_E_NOT_WELL_FORMED },
	{ "end tag that differs early", "<m><cb~></db~></m>", SCAN_E_NOT_WELL_FORMED },
	{ "attribute twice", "<m><b a~='1' a~='2'/></m>", SCAN_E_NOT_WELL_FORMED },
	{ "attribute twice, apart", "<m><b a~='1' c='&lt;' a~='2'/></m>", SCAN_E_NOT_WELL_FORMED },
	{ "attribute twice, spaced", "<m><b a~ ='1' a~='2'/></m>", SCAN_E_NOT_WELL_FORMED },
	{ "attribute twice, the second spaced", "<m><b a~='1' a~ ='2'/></m>",
		SCAN_E_NOT_WELL_FORMED },
	{ "two colons", "<m><b p~:q:r='' xmlns:p~='u'/></m>", SCAN_E_NOT_WELL_FORMED },
	{ "unbound prefix", "<m><b p~:q=''/></m>", SCAN_E_NOT_WELL_FORMED },
	{ "control", "<m>x~\x01</m>", SCAN_E_NOT_WELL_FORMED },
	{ "control in a value", "<m><b a='x~\x01'/></m>", SCAN_E_NOT_WELL_FORMED },
	{ "U+FFFF", "<m>x~\xef\xbf\xbf</m>", SCAN_E_NOT_WELL_FORMED },
	{ "U+FFFF in a value", "<m><b a='x~\xef\xbf\xbf'/></m>", SCAN_E_NOT_WELL_FORMED },
	{ "surrogate", "<m>x~\xed\xa0\x80</m>", SCAN_E_UNSUPPORTED_ENCODING },
	{ "overlong", "<m>x~\xc0\xbc</m>", SCAN_E_UNSUPPORTED_ENCODING },
	{ "overlong in a value", "<m><b a='x~\xc0\xbc'/></m>", SCAN_E_UNSUPPORTED_ENCODING },
	{ "third byte missing", "<m>x~\xe2\x82</m>", SCAN_E_UNSUPPORTED_ENCODING },
	{ "third byte missing, value", "<m><b a='x~\xe2\x82'/></m>", SCAN_E_UNSUPPORTED_ENCODING },
	{ "lone continuation", "<m>x~\xc3\xa9\xa9</m>", SCAN_E_UNSUPPORTED_ENCODING },
	{ "above U+10FFFF", "<m>x~\xf4\x90\x80\x80</m>", SCAN_E_UNSUPPORTED_ENCODING },
	{ "unknown entity", "<m>x~&nbsp;</m>", SCAN_E_RESTRICTED_XML },
	{ "unknown entity in a value", "<m><b a='x~&ltx;'/></m>", SCAN_E_RESTRICTED_XML },
	{ "reference to NUL", "<m>x~&#0;</m>", SCAN_E_NOT_WELL_FORMED },
	{ "comment", "<m>x~<!-- --></m>", SCAN_E_RESTRICTED_XML },
	{ "processing instruction", "<m>x~<?x?></m>", SCAN_E_RESTRICTED_XML },
};

/* HEADER and the row's text, moved by n. */
static size_t expand(char *to, const char *text, size_t n)
{
	char *at = to + sizeof(HEADER) - 1;

	memcpy(to, HEADER, sizeof(HEADER) - 1);
	for (; *text; text++)
		if (*text == '~') {
			memset(at, at[-1], n);
			at += n;
		} else {
			*at++ = *text;
		}
	cr_assert_lt(at - to, MOST);
	return (size_t)(at - to);
}

/* '~' doubles the last byte only: of a wide character it would break the others. */
static bool movable(const struct row *row)
{
	const char *mark = strchr(row->text, '~');

	return mark && (unsigned char)mark[-1] < 0x80;
}

static void check_moved(const struct row *row, size_t by)
{
	const size_t head = sizeof(HEADER) - 1;
	char text[MOST];
	size_t n = expand(text, row->text, by);
	struct feed whole = feed_cut(text, n, LIMIT_STANZA, n, n);

	cr_assert_eq(whole.error, row->error, "%s, moved by %zu: %s", row->id, by, whole.reason);
	if (row->error == SCAN_E_NONE) {
		cr_assert_eq(whole.frames, 1, "%s, moved by %zu", row->id, by);
		cr_assert_eq(whole.last.len, n - head, "%s, moved by %zu", row->id, by);
	}
	for (size_t cut = head; cut < n; cut++)
		feed_same(row->id, &whole, text, n, LIMIT_STANZA, cut, n);
	feed_same(row->id, &whole, text, n, LIMIT_STANZA, head, 1);
	feed_free(&whole);
}

Test(scan_offset, T_P11_each_token_at_each_offset, .timeout = 240)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cr_assert(movable(&rows[i]), "%s", rows[i].id);
		for (size_t by = 0; by <= BLOCK; by++)
			check_moved(&rows[i], by);
	}
}

/* -- the header -- */

static void check_header(const char *text, size_t n, enum scan_error error)
{
	struct feed f = feed_all(text, text, n, LIMIT_STANZA);

	cr_assert_eq(f.error, error, "%s: %s", text, f.reason);
	feed_free(&f);
}

Test(scan_offset, T_P11_header, .timeout = 240)
{
	for (int by = 0; by <= BLOCK; by++) {
		char text[MOST];
		int n;

		n = snprintf(text, sizeof(text),
			"<?xml %*s version='1.0'?> <s%0*d xmlns:p='u'></s%0*d>", by, "", by + 1, 0,
			by + 1, 0);
		check_header(text, (size_t)n, SCAN_E_NONE);
		n = snprintf(text, sizeof(text), "<?xml version='1.0'?>%*s<s a='%0*d'></s>", by, "",
			by + 1, 0);
		check_header(text, (size_t)n, SCAN_E_NONE);
		n = snprintf(text, sizeof(text), "<s%0*d></s%0*d1>", by + 1, 0, by + 1, 0);
		check_header(text, (size_t)n, SCAN_E_NOT_WELL_FORMED);
	}
}
