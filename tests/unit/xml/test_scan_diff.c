/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * T-P12 in miniature: mutated stanzas, the same ones every time, under the property
 * of tests/oracle/differ.h, which the fuzz targets check as well.
 */
#include "tests/oracle/differ.h"

#include <criterion/criterion.h>

#include "core/base/limits.h"

#define HEADER                                                                                     \
	"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "    \
	"xmlns:db='jabber:server:dialback' from='a.test' to='b.test' version='1.0'>"

#define ROUNDS 40000
#define HEADER_ROUNDS 10000
#define MAX_TEXT 2048

static const char *const seeds[] = {
	"<message from='romeo@chat.example.net/b-3f' to=\"juliet@im.example.com\" type='chat' "
	"id='b4e1'><body>Art &amp; thou</body><active xmlns='http://jabber.org/protocol/"
	"chatstates'/></message>",
	"<presence from='a@b.test' to='c.test'><c xmlns='urn:c' node='x&#47;y' ver='Q+/='/>"
	"<priority>5</priority></presence>",
	"<iq xml:lang='de' type='get' id='&lt;1&gt;'><query xmlns='jabber:iq:roster'/></iq >",
	"<db:result from='a.test' to='b.test'>ebcac7531258efda1f811cfeea7e6197</db:result>",
	"<p:a xmlns:p='urn:p' xmlns:q='urn:q' p:x='1' q:x='2' x='3'><q:b xmlns:q='urn:p'/></p:a>",
	"<m><![CDATA[<b>&x;]] >]]>\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 ]] ></m>",
	"<message xmlns='jabber:server'><forwarded xmlns='urn:f'><message xmlns='jabber:client' "
	"to='v.test&#47;x@e.test'/></forwarded></message>",
	"<a\n\tb = \"'\"\r\nc='\"&#x41;\t'><b/ ><\xc3\xa9 \xc3\xa9='x'>t</\xc3\xa9></a\n>",
	"<a><b><c xmlns=''><d/><e xmlns='u'>x</e>y</c>z</b>&#10;&#13;&#x20AC;</a>",
	"<x xmlns:a='u' xmlns:b='v' a:k='' b:k='' k=''><a:y b:k='&quot;&apos;'/></x>",
};

static const char *const pieces[] = {
	"<",
	">",
	"/",
	"'",
	"\"",
	"=",
	" ",
	"&",
	";",
	":",
	"]]>",
	"]]",
	"<![CDATA[",
	"<!--",
	"-->",
	"<?",
	"?>",
	"<!DOCTYPE a>",
	"&amp;",
	"&lt;",
	"&#60;",
	"&#0;",
	"&#xD800;",
	"&#x10FFFF;",
	"&nbsp;",
	"xmlns",
	"xmlns:p='u'",
	" xmlns:q='urn:p'",
	" xmlns='u'",
	" xmlns:p=''",
	" a='1'",
	" p:x='1'",
	" q:x='1'",
	"xml:",
	"db:",
	"p:",
	"q:",
	"</a>",
	"<a>",
	"<b/>",
	"\xc3",
	"\xa9",
	"\xc3\xa9",
	"\xc0\xbc",
	"\xed\xa0\x80",
	"\xef\xbf\xbf",
	"\xef\xbb\xbf",
	"\xc4\xb2",
	"\xcc\x81",
	"\t",
	"\n",
	"\r\n",
	"\r",
	"\x0c",
	"\x7f",
	"\x01",
	"-",
	".",
	"1",
	"x",
	"!",
	"?",
	"[",
	"]",
	"#",
	"xmlns:xml='http://www.w3.org/XML/1998/namespace'",
	"</stream:stream>",
	" from='a&#47;b'",
	" xml:lang='x'",
	"http://www.w3.org/2000/xmlns/",
	"|",
	"}",
	"%",
	"\\",
};

static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

static size_t below(size_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (size_t)(state >> 11) % n;
}

/* -- mutation -- */

static size_t put(char *to, size_t n, size_t at, size_t gone, const char *s, size_t len)
{
	if (n - gone + len > MAX_TEXT)
		return n;
	memmove(to + at + len, to + at + gone, n - at - gone);
	memcpy(to + at, s, len);
	return n - gone + len;
}

static size_t mutate(char *p, size_t n)
{
	size_t at = below(n + 1), some = n - at ? below(n - at < 12 ? n - at : 12) : 0;
	const char *piece = pieces[below(ARRAY_LEN(pieces))], *other;
	char copy[MAX_TEXT], c;

	switch (below(7)) {
	case 0:
		c = (char)below(256);
		return put(p, n, at, at < n, &c, 1);
	case 1:
		return put(p, n, at, some, "", 0);
	case 2:
		memcpy(copy, p + at, some);
		return put(p, n, below(n + 1), 0, copy, some);
	case 3:
		other = seeds[below(ARRAY_LEN(seeds))];
		return put(p, n, at, 0, other, strlen(other));
	case 4:
		return put(p, n, at, some, piece, strlen(piece));
	default:
		return put(p, n, at, 0, piece, strlen(piece));
	}
}

TestSuite(scan_diff, .timeout = 200);

/* -- the property (tests/oracle/differ.h) -- */

static void both_verdicts(const struct differ *d, unsigned rounds)
{
	struct differ_stats stats = differ_stats(d);

	/* Both must be frequent, or this compares nothing. */
	cr_expect_gt(stats.frames, rounds / 8, "%lu accepted", (unsigned long)stats.frames);
	cr_expect_gt(stats.refused, rounds / 8, "%lu refused", (unsigned long)stats.refused);
}

Test(scan_diff, T_P12_stanzas)
{
	struct differ *d = differ_new();
	struct complaint c;
	char text[MAX_TEXT];

	for (unsigned round = 0; round < ROUNDS; round++) {
		const char *seed = seeds[below(ARRAY_LEN(seeds))];
		size_t n = strlen(seed);

		memcpy(text, seed, n);
		for (size_t i = below(4); i > 0; i--)
			n = mutate(text, n);
		cr_assert(differ_stream(d, SPAN_LIT(HEADER), span_of(text, n), LIMIT_STANZA, state,
				  &c),
			"%s: %.*s", c.text, (int)n, text);
	}
	both_verdicts(d, ROUNDS);
	differ_free(d);
}

Test(scan_diff, T_P12_headers)
{
	static const char seed[] = "\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8' "
				   "standalone='yes'?>\r\n" HEADER;
	struct differ *d = differ_new();
	struct complaint c;
	char text[MAX_TEXT];

	for (unsigned round = 0; round < HEADER_ROUNDS; round++) {
		size_t skip = below(3) * 3, n = sizeof(seed) - 1 - skip;

		memcpy(text, seed + skip, n);
		for (size_t i = below(3); i > 0; i--)
			n = mutate(text, n);
		cr_assert(differ_header(d, span_of(text, n), state, &c), "%s: %.*s", c.text, (int)n,
			text);
	}
	both_verdicts(d, HEADER_ROUNDS);
	differ_free(d);
}
