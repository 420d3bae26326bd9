/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a frame says about its element, and what the header's declarations come out as. */
#include <criterion/criterion.h>

#include "tests/unit/xml/feed.h"

#define MAX LIMIT_STANZA
#define STREAMS "http://etherx.jabber.org/streams"

/* Roots: of a server, of a prefix-free server, of a component, of nothing that we know. */
#define PREFIX_FREE "<stream xmlns='" STREAMS "' xmlns:c='jabber:server'>"
#define COMPONENT "<stream:stream xmlns='jabber:component:accept' xmlns:stream='" STREAMS "'>"
#define UNKNOWN "<stream:stream xmlns='urn:x' xmlns:stream='" STREAMS "'>"
#define BARE "<stream:stream xmlns:stream='" STREAMS "'>"

struct row {
	const char *id, *header, *text;
	enum frame_kind kind;
	unsigned flags;
	const char *name;
	unsigned prefixes; /* root_prefixes */
};

static const struct row kinds[] = {
	{ "message", HEADER, "<message/>", FRAME_MESSAGE, FRAME_EMPTY, "message", 0 },
	{ "message open", HEADER, "<message></message>", FRAME_MESSAGE, 0, "message", 0 },
	{ "empty child", HEADER, "<message><a/></message>", FRAME_MESSAGE, 0, "message", 0 },
	{ "presence", HEADER, "<presence />", FRAME_PRESENCE, FRAME_EMPTY, "presence", 0 },
	{ "iq", HEADER, "<iq/>", FRAME_IQ, FRAME_EMPTY, "iq", 0 },
	{ "case", HEADER, "<Message/>", FRAME_CONTENT, FRAME_EMPTY, "Message", 0 },
	{ "longer", HEADER, "<messages/>", FRAME_CONTENT, FRAME_EMPTY, "messages", 0 },
	{ "T-X24", HEADER, "<foo/>", FRAME_CONTENT, FRAME_EMPTY, "foo", 0 },
	{ "T-X22", HEADER, "<foo xmlns='urn:x'/>", FRAME_FOREIGN, FRAME_EMPTY, "foo", 0 },
	{ "db:result", HEADER, "<db:result>k</db:result>", FRAME_DIALBACK, FRAME_PREFIXED,
		"db:result", 2 },
	{ "dialback by another prefix", HEADER, "<d:result xmlns:d='jabber:server:dialback'/>",
		FRAME_DIALBACK, FRAME_PREFIXED | FRAME_EMPTY, "d:result", 0 },
	{ "dialback by default", HEADER, "<result xmlns='jabber:server:dialback'/>", FRAME_DIALBACK,
		FRAME_EMPTY, "result", 0 },
	{ "features", HEADER, "<stream:features/>", FRAME_STREAM, FRAME_PREFIXED | FRAME_EMPTY,
		"stream:features", 1 },
	{ "xml:", HEADER, "<xml:a/>", FRAME_FOREIGN, FRAME_PREFIXED | FRAME_EMPTY, "xml:a", 0 },
	{ "other kind of stream", HEADER, "<message xmlns='jabber:client'/>", FRAME_FOREIGN,
		FRAME_EMPTY | FRAME_CONTENT_NS, "message", 0 },
	{ "other kind of stream, spelled differently", HEADER,
		"<message xmlns='jabber&#58;client'/>", FRAME_FOREIGN,
		FRAME_EMPTY | FRAME_CONTENT_NS, "message", 0 },
	{ "other kind of stream, prefixed", HEADER, "<c:iq xmlns:c='jabber:component:accept'/>",
		FRAME_FOREIGN, FRAME_EMPTY | FRAME_CONTENT_NS | FRAME_PREFIXED, "c:iq", 0 },
	{ "stanza with a prefix", HEADER, "<x:message xmlns:x='jabber:server'/>", FRAME_MESSAGE,
		FRAME_EMPTY | FRAME_PREFIXED | FRAME_NS_OVERFLOW, "x:message", 0 },
	{ "no namespace", HEADER, "<message xmlns=''/>", FRAME_FOREIGN, FRAME_EMPTY, "message", 0 },
	{ "prefix-free", PREFIX_FREE, "<message xmlns='jabber:server'/>", FRAME_MESSAGE,
		FRAME_EMPTY, "message", 0 },
	{ "prefix-free features", PREFIX_FREE, "<features/>", FRAME_STREAM, FRAME_EMPTY, "features",
		0 },
	{ "prefix-free message", PREFIX_FREE, "<message/>", FRAME_STREAM, FRAME_EMPTY, "message",
		0 },
	{ "prefix-free, root's content prefix", PREFIX_FREE, "<c:message/>", FRAME_MESSAGE,
		FRAME_EMPTY | FRAME_PREFIXED | FRAME_NS_OVERFLOW, "c:message", 1 },
	{ "prefix-free client", PREFIX_FREE, "<message xmlns='jabber:client'/>", FRAME_FOREIGN,
		FRAME_EMPTY | FRAME_CONTENT_NS, "message", 0 },
	{ "component", COMPONENT, "<message/>", FRAME_MESSAGE, FRAME_EMPTY, "message", 0 },
	{ "handshake", COMPONENT, "<handshake>0</handshake>", FRAME_CONTENT, 0, "handshake", 0 },
	{ "server stanza to a component", COMPONENT, "<message xmlns='jabber:server'/>",
		FRAME_FOREIGN, FRAME_EMPTY | FRAME_CONTENT_NS, "message", 0 },
	{ "unknown content", UNKNOWN, "<message/>", FRAME_FOREIGN, FRAME_EMPTY, "message", 0 },
	{ "unknown content, server", UNKNOWN, "<message xmlns='jabber:server'/>", FRAME_FOREIGN,
		FRAME_EMPTY | FRAME_CONTENT_NS, "message", 0 },
	{ "no content", BARE, "<message/>", FRAME_FOREIGN, FRAME_EMPTY, "message", 0 },
	{ "lang", HEADER, "<message xml:lang='de'/>", FRAME_MESSAGE, FRAME_EMPTY | FRAME_HAS_LANG,
		"message", 0 },
	{ "lang, spaced", HEADER, "<message xml:lang\n= \"de\"/>", FRAME_MESSAGE,
		FRAME_EMPTY | FRAME_HAS_LANG, "message", 0 },
	{ "lang inside", HEADER, "<message><body xml:lang='de'/></message>", FRAME_MESSAGE, 0,
		"message", 0 },
	{ "lang without xml", HEADER, "<message lang='de'/>", FRAME_MESSAGE, FRAME_EMPTY, "message",
		0 },
	{ "5th edition name", HEADER, "<message><\xc4\xb2/></message>", FRAME_MESSAGE,
		FRAME_NAME_5E, "message", 0 },
	{ "5th edition attribute", HEADER, "<message><a \xf0\x90\x80\x80=''/></message>",
		FRAME_MESSAGE, FRAME_NAME_5E, "message", 0 },
	{ "4th edition name", HEADER, "<message><\xc3\xa9/></message>", FRAME_MESSAGE, 0, "message",
		0 },
	/* root prefixes: 0 stream, 1 db */
	{ "used by an element", HEADER, "<iq><db:a/></iq>", FRAME_IQ, 0, "iq", 2 },
	{ "used by an attribute", HEADER, "<iq><a stream:b=''/></iq>", FRAME_IQ, 0, "iq", 1 },
	{ "both", HEADER, "<iq stream:b=''><db:a/></iq>", FRAME_IQ, 0, "iq", 3 },
	{ "declared again", HEADER, "<iq xmlns:db='u'><db:a/></iq>", FRAME_IQ, 0, "iq", 0 },
	{ "declared again elsewhere", HEADER, "<iq><a xmlns:db='u'/><db:a/></iq>", FRAME_IQ, 0,
		"iq", 2 },
	{ "declared again on itself", HEADER, "<iq><db:a xmlns:db='u' db:b=''/></iq>", FRAME_IQ, 0,
		"iq", 0 },
	{ "not used", HEADER, "<iq><a db='' xml:stream=''>db:a</a></iq>", FRAME_IQ, 0, "iq", 0 },
	/* T-P13: what stands inside is no stanza */
	{ "T-P13", HEADER, "<iq><x xmlns='u'><message xmlns='jabber:server' from='a'/></x></iq>",
		FRAME_IQ, 0, "iq", 0 },
	{ "content prefix inside", HEADER, "<iq xmlns:c='jabber:server'><c:a/></iq>", FRAME_IQ,
		FRAME_NS_OVERFLOW, "iq", 0 },
	{ "content prefix within an extension", HEADER,
		"<iq xmlns:c='jabber:server'><x xmlns='u'><c:a/></x></iq>", FRAME_IQ, 0, "iq", 0 },
};

Test(scan_frame, kinds)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct row *row = &kinds[i];
		char text[512];
		int n = snprintf(text, sizeof(text), "%s%s", row->header, row->text);
		struct feed f = feed_all(row->id, text, (size_t)n, MAX);

		cr_assert_eq(f.frames, 1, "%s: %s", row->id, f.reason);
		cr_expect_eq(f.last.kind, row->kind, "%s: kind %u", row->id, f.last.kind);
		cr_expect_eq(f.last.flags, row->flags, "%s: flags %#x", row->id, f.last.flags);
		cr_expect_eq(f.last.root_prefixes, row->prefixes, "%s: prefixes %#x", row->id,
			f.last.root_prefixes);
		cr_expect(span_is(f.last.name, row->name), "%s", row->id);
		cr_expect_eq(f.last.len, strlen(row->text), "%s", row->id);
		cr_expect_eq(f.last.name_end, 1 + strlen(row->name), "%s", row->id);
		feed_free(&f);
	}
}

static void expect_value(const char *id, const char *what, struct span s, const char *want)
{
	if (!want)
		cr_expect_null(s.p, "%s: %s", id, what);
	else
		cr_expect(s.p && span_is(s, want), "%s: %s is %.*s", id, what, (int)s.n, s.p);
}

Test(scan_frame, addresses)
{
	static const struct {
		const char *text, *from, *to, *id, *type;
		unsigned attrs;
		bool decoded;
	} rows[] = {
		{ "<iq from='a@b.test/c' to=\"d.test\" id='1' type='get'/>", "a@b.test/c", "d.test",
			"1", "get", 4, false },
		{ "<iq/>", NULL, NULL, NULL, NULL, 0, false },
		{ "<iq from=''/>", "", NULL, NULL, NULL, 1, false },
		{ "<iq\n to = 'x' xmlns:p='u' p:from='y' from2='z'/>", NULL, "x", NULL, NULL, 4,
			false },
		{ "<iq db:to='x' xml:id='y'/>", NULL, NULL, NULL, NULL, 2, false },
		/* its key is that of "to" */
		{ "<iq _ych3YJ.qgp6zh3e='x'/>", NULL, NULL, NULL, NULL, 1, false },
		{ "<iq to='x'><a from='q' id='r'/></iq>", NULL, "x", NULL, NULL, 1, false },
		{ "<iq from='v.test&#47;x@e.test'/>", "v.test&#47;x@e.test", NULL, NULL, NULL, 1,
			true },
		{ "<iq to='a\tb'/>", NULL, "a\tb", NULL, NULL, 1, true },
		{ "<iq to='a\rb'/>", NULL, "a\rb", NULL, NULL, 1, true },
		{ "<iq from='a\nb'/>", "a\nb", NULL, NULL, NULL, 1, true },
		{ "<iq to='a b' id='&amp;' type='\t'/>", NULL, "a b", "&amp;", "\t", 3, false },
		{ "<iq to='\xc3\xa9.test' id='a&gt;b'/>", NULL, "\xc3\xa9.test", NULL, NULL, 2,
			false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *id = rows[i].text;
		char text[512];
		int n = snprintf(text, sizeof(text), "%s%s", HEADER, id);
		struct feed f = feed_all(id, text, (size_t)n, MAX);

		cr_assert_eq(f.frames, 1, "%s: %s", id, f.reason);
		expect_value(id, "from", f.last.from, rows[i].from);
		expect_value(id, "to", f.last.to, rows[i].to);
		if (rows[i].id)
			expect_value(id, "id", f.last.id, rows[i].id);
		expect_value(id, "type", f.last.type, rows[i].type);
		cr_expect_eq(f.last.attrs, rows[i].attrs, "%s: %u", id, f.last.attrs);
		cr_expect_eq((f.last.flags & FRAME_ADDR_DECODED) != 0, rows[i].decoded, "%s", id);
		feed_free(&f);
	}
}

/* Cuts what `redeclared` says out of the element. */
static void cut(const struct frame *f, char *out)
{
	uint32_t at = 0;

	for (unsigned i = 0; i < f->n_redeclared; i++) {
		memcpy(out, f->p + at, f->redeclared[i].off - at);
		out += f->redeclared[i].off - at;
		at = f->redeclared[i].off + f->redeclared[i].len;
	}
	memcpy(out, f->p + at, f->len - at);
	out[f->len - at] = '\0';
}

Test(scan_frame, redeclared)
{
	static const struct {
		const char *header, *text, *after;
		bool overflow;
	} rows[] = {
		{ HEADER, "<iq to='a'/>", "<iq to='a'/>", false },
		{ HEADER, "<iq xmlns='jabber:server' to='a'/>", "<iq to='a'/>", false },
		{ HEADER, "<iq\n\txmlns = \"jabber:server\"/>", "<iq/>", false },
		{ HEADER, "<iq a='' xmlns='jabber&#58;server' b=''/>", "<iq a='' b=''/>", false },
		{ PREFIX_FREE, "<iq xmlns='jabber:server'><a/></iq>", "<iq><a/></iq>", false },
		{ COMPONENT, "<iq xmlns='jabber:component:accept'/>", "<iq/>", false },
		{ HEADER, "<iq><a xmlns='jabber:server'/></iq>", "<iq><a/></iq>", false },
		{ HEADER, "<iq><a><b xmlns='jabber:server'/></a></iq>", "<iq><a><b/></a></iq>",
			false },
		{ HEADER, "<iq><a><x xmlns='u'/><b xmlns='jabber:server'/></a></iq>",
			"<iq><a><x xmlns='u'/><b/></a></iq>", false },
		/* within an extension element it stays: a forwarded message, say */
		{ HEADER, "<iq><x xmlns='u'><message xmlns='jabber:server'/></x></iq>",
			"<iq><x xmlns='u'><message xmlns='jabber:server'/></x></iq>", false },
		{ HEADER, "<iq><x xmlns='u'><y/></x><a xmlns='jabber:server'/></iq>",
			"<iq><x xmlns='u'><y/></x><a/></iq>", false },
		{ HEADER, "<iq><x xmlns='jabber:client'><a xmlns='jabber:server'/></x></iq>",
			"<iq><x xmlns='jabber:client'><a xmlns='jabber:server'/></x></iq>", false },
		{ HEADER, "<iq><x xmlns='u'><y/><z></z><a xmlns='jabber:server'/></x></iq>",
			"<iq><x xmlns='u'><y/><z></z><a xmlns='jabber:server'/></x></iq>", false },
		{ COMPONENT, "<iq><a><b xmlns='jabber:component:accept'/></a></iq>",
			"<iq><a><b/></a></iq>", false },
		{ HEADER, "<iq><p:x xmlns:p='u' xmlns='jabber:server'/></iq>",
			"<iq><p:x xmlns:p='u' xmlns='jabber:server'/></iq>", false },
		{ HEADER, "<iq><p:x xmlns='u' xmlns:p='jabber:server'/></iq>",
			"<iq><p:x xmlns='u' xmlns:p='jabber:server'/></iq>", true },
		{ HEADER, "<iq xmlns='jabber:client'/>", "<iq xmlns='jabber:client'/>", false },
		{ HEADER, "<iq xmlns=''><a xmlns='jabber:server'/></iq>",
			"<iq xmlns=''><a xmlns='jabber:server'/></iq>", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[512], out[512];
		int n = snprintf(text, sizeof(text), "%s%s", rows[i].header, rows[i].text);
		struct feed f = feed_all(rows[i].text, text, (size_t)n, MAX);

		cr_assert_eq(f.frames, 1, "%s: %s", rows[i].text, f.reason);
		cut(&f.last, out);
		cr_expect_str_eq(out, rows[i].after, "%s: %s", rows[i].text, out);
		cr_expect_eq((f.last.flags & FRAME_NS_OVERFLOW) != 0, rows[i].overflow, "%s",
			rows[i].text);
		feed_free(&f);
	}
}

Test(scan_frame, redeclared_too_often)
{
	char text[2048] = HEADER "<iq>";

	for (unsigned n = 1; n <= FRAME_REDECLARED + 1; n++) {
		struct feed f;
		size_t len;

		strcat(text, "<a xmlns='jabber:server'/>");
		len = strlen(text);
		strcat(text, "</iq>");
		f = feed_cut(text, len + 5, MAX, len + 5, 1);
		cr_assert_eq(f.frames, 1);
		cr_expect_eq(f.last.n_redeclared, n > FRAME_REDECLARED ? FRAME_REDECLARED : n);
		cr_expect_eq((f.last.flags & FRAME_NS_OVERFLOW) != 0, n > FRAME_REDECLARED);
		feed_free(&f);
		text[len] = '\0';
	}
}

/* Flags, prefixes and the like do not leak from one element into the next. */
Test(scan_frame, each_its_own)
{
	static const char text[] = HEADER "<db:a xml:lang='x' from='&amp;' xmlns='jabber:client'>"
					  "<stream:b/><\xc4\xb2/></db:a><iq></iq>";
	struct feed f = feed_all("each its own", text, sizeof(text) - 1, MAX);

	cr_assert_eq(f.frames, 2);
	cr_expect_eq(f.last.kind, FRAME_IQ);
	cr_expect_eq(f.last.flags, 0);
	cr_expect_eq(f.last.root_prefixes, 0);
	cr_expect_eq(f.last.attrs, 0);
	cr_expect_eq(f.last.n_redeclared, 0);
	cr_expect_null(f.last.from.p);
	feed_free(&f);
}

/* -- what is known of the root -- */

static struct scan *open_root(const char *header)
{
	struct scan *s = scan_new(MAX);
	struct frame f;
	char *place;
	size_t n = strlen(header);

	for (size_t have = 1; have <= n; have++) {
		enum scan_result r = feed_call(s, header, have, &f, &place);

		guard_free(place, have, SCAN_PAD); /* the scanner must have a copy of its own */
		cr_assert_eq(r, have < n ? SCAN_MORE : SCAN_HEADER, "%s: %s", header,
			scan_reason(s));
	}
	cr_assert_eq(f.len, n);
	return s;
}

Test(scan_frame, root)
{
	struct scan *s = open_root("<?xml version='1.0'?>\n<stream:stream\n\tto='x' xmlns:p = "
				   "\"u&amp;v\"\txmlns='jabber&#58;server' xmlns:stream='" STREAMS
				   "' xmlns:xml='http://www.w3.org/XML/1998/namespace' p:q=''>");

	cr_expect(span_is(scan_root_name(s), "stream:stream"));
	cr_expect(span_is(scan_root_content_ns(s), "jabber:server"));
	cr_expect(span_is(scan_root_decls(s),
		" xmlns:p=\"u&amp;v\" xmlns='jabber&#58;server'"
		" xmlns:stream='" STREAMS "'"));
	cr_expect_eq(scan_root_prefix_count(s), 2);
	cr_expect(span_is(scan_root_prefix_decl(s, 0), " xmlns:p=\"u&amp;v\""));
	cr_expect(span_is(scan_root_prefix_decl(s, 1), " xmlns:stream='" STREAMS "'"));
	scan_free(s);
}

Test(scan_frame, root_content)
{
	static const struct {
		const char *header, *content;
	} rows[] = {
		{ HEADER, "jabber:server" },
		{ COMPONENT, "jabber:component:accept" },
		{ PREFIX_FREE, "jabber:server" },
		{ UNKNOWN, "urn:x" },
		{ BARE, "" },
		{ "<s xmlns=''>", "" },
		{ "<s xmlns='a\r\nb\tc'>", "a b c" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scan *s = open_root(rows[i].header);

		cr_expect(span_is(scan_root_content_ns(s), rows[i].content), "%s", rows[i].header);
		cr_expect_not_null(scan_root_content_ns(s).p);
		scan_free(s);
	}
}
