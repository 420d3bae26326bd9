/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <libxml/xmlerror.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "xml/element.h"

#define STREAMS "http://etherx.jabber.org/streams"
#define DECLS " xmlns='jabber:server' xmlns:stream='" STREAMS "' xmlns:db='jabber:server:dialback'"

static const struct element *parse(struct element_parser *ep, const char *text)
{
	const char *why = "not set";
	const struct element *e = element_parse(ep, SPAN_LIT(DECLS), span_str(text), &why);

	cr_assert(e, "%s: %s", text, why);
	return e;
}

Test(element, tree)
{
	struct element_parser *ep = element_parser_new();
	const struct element *e = parse(ep,
		"<db:result from='a&amp;b' xml:lang='de' db:x='1' to=\"c\td\">one<p:q xmlns:p='u'/>"
		" two&lt;<![CDATA[<three>]]><r xmlns=''><s/></r><t/>\xc3\xa9&#x20AC;</db:result>");

	cr_expect(element_is(e, "jabber:server:dialback", "result"));
	cr_expect(!element_is(e, "jabber:server", "result"));
	cr_expect(!element_is(e, "jabber:server:dialback", "verify"));
	cr_expect(span_is(e->prefix, "db"));
	cr_expect(span_is(e->text, "one two<<three>\xc3\xa9\xe2\x82\xac"));
	cr_expect_eq(e->n_attrs, 4);
	cr_expect(span_is(element_attr(e, "from"), "a&b"));
	cr_expect(span_is(element_attr(e, "to"), "c d"));
	cr_expect_null(element_attr(e, "x").p);
	cr_expect_null(element_attr(e, "lang").p);
	cr_expect(span_is(element_lang(e), "de"));
	cr_expect(element_is(e->child, "u", "q"));
	cr_expect(span_is(e->child->prefix, "p"));
	cr_expect(element_is(e->child->next, "", "r"));
	cr_expect(element_is(e->child->next->child, "", "s"));
	cr_expect_null(e->child->next->child->next);
	cr_expect(element_is(e->child->next->next, "jabber:server", "t"));
	cr_expect_null(e->child->next->next->next);
	cr_expect_eq(element_child(e, "jabber:server", "t"), e->child->next->next);
	cr_expect_eq(element_child(e, NULL, "r"), e->child->next);
	cr_expect_eq(element_child(e, "jabber:server", NULL), e->child->next->next);
	cr_expect_eq(element_child(e, NULL, NULL), e->child);
	cr_expect_null(element_child(e, "u", "t"));
	cr_expect_null(element_child(e, NULL, "s"));
	element_parser_free(ep);
}

Test(element, empty_and_absent)
{
	struct element_parser *ep = element_parser_new();
	const struct element *e = parse(ep, " \n<a b=''/>\t");

	cr_expect(e->text.p && e->text.n == 0);
	cr_expect(e->prefix.n == 0);
	cr_expect(element_attr(e, "b").p && element_attr(e, "b").n == 0);
	cr_expect_null(element_attr(e, "c").p);
	cr_expect_null(element_lang(e).p);
	cr_expect_null(e->child);
	cr_expect_null(e->next);
	element_parser_free(ep);
}

/* Decoded exactly once, in values and in text. */
Test(element, decoded_once)
{
	struct element_parser *ep = element_parser_new();
	const struct element *e = parse(ep,
		"<a b='&amp;lt;&#38;#60;&#x26;&lt;&gt;&apos;&quot;&#10;"
		"&amp;#38;'>&amp;lt;&#38;#60;</a>");

	cr_expect(span_is(element_attr(e, "b"), "&lt;&#60;&<>'\"\n&#38;"));
	cr_expect(span_is(e->text, "&lt;&#60;"));
	element_parser_free(ep);
}

static const char *const refused[] = {
	"",
	" ",
	"text",
	"<a>",
	"</a>",
	"<a></b>",
	"<a/><b/>",
	"<a/>x",
	"x<a/>",
	"</s><s>",
	"<a/></s><s>",
	"</s><s><a/>",
	"</s><a/><s>",
	"<a></s><s></a>",
	"<a b='1' b='2'/>",
	"<a b='<'/>",
	"<a b=1/>",
	"<a b='1'c='2'/>",
	"<a>]]></a>",
	"<a>&</a>",
	"<a>&nbsp;</a>",
	"<a b='&nbsp;'/>",
	"<a>&#0;</a>",
	"<a>&#xD800;</a>",
	"<a>\xc3(</a>",
	"<a>\xc0\xbc</a>",
	"<a>\xed\xa0\x80</a>",
	"<a>\x01</a>",
	"<a b='\xff'/>",
	/* forbidden by XMPP */
	"<!-- c --><a/>",
	"<a><!-- c --></a>",
	"<a/><!-- c -->",
	"<?p x?><a/>",
	"<a><?p x?></a>",
	"<?xml version='1.0'?><a/>",
	"<!DOCTYPE a><a/>",
	"<a><!DOCTYPE a></a>",
	"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
	/* namespaces */
	"<foo:bar/>",
	"<a foo:b=''/>",
	"<a p:x='' q:x='' xmlns:p='u' xmlns:q='u'/>",
	"<a xmlns:p=''/>",
	"<a xmlns:xml='u'/>",
	"<a xmlns:xmlns='u'/>",
	"<a:b:c/>",
	"<:a/>",
	"<a:/>",
	"<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
	"<a xmlns='http://www.w3.org/2000/xmlns/'/>",
	"<xmlns:a/>",
	/* beside a namespace name that is no URI, which is let through */
	"<foo:bar xmlns='a b'/>",
	"<a xmlns='|'><foo:bar/></a>",
};

/* With one parser for all: a refused element leaves nothing behind. */
Test(element, refusals)
{
	struct element_parser *ep = element_parser_new();
	const char *nul;

	cr_expect_null(element_parse(ep, SPAN_LIT(DECLS), SPAN_LIT("<a>\0</a>"), &nul));
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		const char *why = NULL;

		cr_expect_null(element_parse(ep, SPAN_LIT(DECLS), span_str(refused[i]), &why), "%s",
			refused[i]);
		cr_expect(why && *why, "%s", refused[i]);
		cr_expect(element_is(parse(ep, "<a/>"), "jabber:server", "a"));
	}
	element_parser_free(ep);
}

/* Names of namespaces are compared, not resolved: RFC 3986 has no say (T-P3). */
/* libxml2 takes a NUL behind the root for the end of the document, whatever follows it. */
Test(element, nul_does_not_end)
{
	struct element_parser *ep = element_parser_new();
	const char *why = NULL;

	cr_expect_null(element_parse(ep, SPAN_LIT(DECLS), SPAN_LIT("<a/></s>\0<b/>"), &why));
	cr_expect_null(element_parse(ep, SPAN_LIT(DECLS), SPAN_LIT("<a>\0</a>"), &why));
	cr_expect_null(element_parse_header(ep, SPAN_LIT("<a/>\0<b>"), &why));
	element_parser_free(ep);
}

Test(element, namespace_names_need_not_be_uris)
{
	static const char *const rows[] = {
		"a b",
		"urn:a&#10;b",
		"urn:a|b",
		"urn:a}b",
		"a",
		"%",
		"\\",
	};
	struct element_parser *ep = element_parser_new();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[64];

		snprintf(text, sizeof(text), "<a><b xmlns='%s'/></a>", rows[i]);
		cr_expect(element_is(parse(ep, text), "jabber:server", "a"));
	}
	cr_expect(span_is(parse(ep, "<a xmlns='urn:a&#10;b'/>")->ns, "urn:a\nb"));
	element_parser_free(ep);
}

static void nested(char *out, unsigned n)
{
	*out = '\0';
	for (unsigned i = 0; i < n; i++)
		out = stpcpy(out, "<a>");
	for (unsigned i = 0; i < n; i++)
		out = stpcpy(out, "</a>");
}

Test(element, depth)
{
	struct element_parser *ep = element_parser_new();
	char text[1024];
	const char *why;

	nested(text, LIMIT_DEPTH);
	parse(ep, text);
	nested(text, LIMIT_DEPTH + 1);
	cr_expect_null(element_parse(ep, SPAN_NONE, span_str(text), &why));
	element_parser_free(ep);
}

/* The worst that a stanza of the largest size can ask of the tree is within its bound. */
Test(element, largest)
{
	static const char *const pieces[] = { "<a/>", "x<b/>", "&lt;", "<a b='' c='' d='' e=''/>" };
	struct element_parser *ep = element_parser_new();
	char *text = malloc(LIMIT_STANZA + 64);

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		char *to = stpcpy(text, "<m>");
		const struct element *e;
		size_t n = 0;

		for (; to < text + LIMIT_STANZA - 32; n++)
			to = stpcpy(to, pieces[i]);
		stpcpy(to, "</m>");
		e = parse(ep, text);
		for (const struct element *c = e->child; c; c = c->next)
			n--;
		cr_expect_eq(n, e->child ? 0 : e->text.n, "%s", pieces[i]);
	}
	free(text);
	element_parser_free(ep);
}

/*
 * D1.i: 35 MB of names that strangers made up, more than libxml2 lets into one
 * dictionary. The spans of each stay good until the next call.
 */
Test(element, names_are_forgotten)
{
	struct element_parser *ep = element_parser_new();
	char text[512], name[400];

	for (unsigned i = 0; i < 100000; i++) {
		const struct element *e;

		snprintf(name, sizeof(name), "name-%u-%0350u", i, i);
		snprintf(text, sizeof(text), "<%s/>", name);
		e = parse(ep, text);
		cr_assert(span_is(e->name, name));
	}
	element_parser_free(ep);
}

/* -- headers -- */

Test(element, header)
{
	struct element_parser *ep = element_parser_new();
	const char *why;
	const struct element *e = element_parse_header(ep,
		SPAN_LIT("\xef\xbb\xbf<?xml version='1.0' encoding='utf-8' standalone='yes'?>\r\n"
			 "<stream:stream" DECLS " from='a&apos;b' version='1.0' xml:lang='en'>"),
		&why);

	cr_assert(e, "%s", why);
	cr_expect(element_is(e, STREAMS, "stream"));
	cr_expect(span_is(e->prefix, "stream"));
	cr_expect(span_is(element_attr(e, "from"), "a'b"));
	cr_expect(span_is(element_attr(e, "version"), "1.0"));
	cr_expect(span_is(element_lang(e), "en"));
	cr_expect_eq(e->n_attrs, 3);
	cr_expect(element_parse_header(ep, SPAN_LIT("<s>"), &why));
	cr_expect(element_parse_header(ep, SPAN_LIT(" \n<s\n>"), &why));
	element_parser_free(ep);
}

Test(element, header_refused)
{
	static const char *const rows[] = {
		"",
		"<",
		"<s",
		"<s/>",
		"<s a='1' a='2'>",
		"<x:s>",
		"<s>text",
		"<s> ",
		"<s><a/>",
		"<s></s>",
		"<s></s><s>",
		"<s><s>",
		"<!-- c --><s>",
		"<?p x?><s>",
		"<?xml version='1.0'?><?p x?><s>",
		"<!DOCTYPE s><s>",
		"<!DOCTYPE s [<!ENTITY x 'y'>]><s a='&x;'>",
		"<?xml version='1.1'?><s>",
		"<?xml version='1.0' encoding='ISO-8859-1'?><s>",
		"<?xml version='1.0' encoding='UTF-16'?><s>",
		"text<s>",
		"</s>",
		"<s a='&x;'>",
		"<?xml version='1.0'",
		" <?xml version='1.0'?><s>",
		"<s a='\xc3('>",
	};
	struct element_parser *ep = element_parser_new();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *why = NULL;

		cr_expect_null(element_parse_header(ep, span_str(rows[i]), &why), "%s", rows[i]);
		cr_expect(why && *why, "%s", rows[i]);
		cr_expect(element_parse_header(ep, SPAN_LIT("<s>"), &why));
	}
	element_parser_free(ep);
}

/* Nothing on standard error, and the process-wide handler is as it was. */
Test(element, quiet, .init = cr_redirect_stderr)
{
	xmlStructuredErrorFunc before = xmlStructuredError;
	struct element_parser *ep = element_parser_new();
	const char *why;

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (element_parse(ep, SPAN_LIT(DECLS), span_str(refused[i]), &why))
			cr_assert_fail("%s", refused[i]);
	cr_expect_eq(xmlStructuredError, before);
	element_parser_free(ep);
	fprintf(stderr, "end");
	fflush(stderr);
	cr_assert_stderr_eq_str("end");
}

#ifdef SLUICE_FAULT_INJECTION
/* The input is not to blame for what the host lacks, and the parser is as good as before. */
Test(element, no_memory)
{
	struct element_parser *ep = element_parser_new();
	const struct span xml = SPAN_LIT("<a b='&lt;c&gt;' xmlns:d='u'><d:e>text</d:e></a>");
	const struct element *e;
	const char *why;
	uint64_t k = 0, left = 0;
	unsigned without = 0;

	while (left == 0) {
		mem_fail_nth(++k);
		e = element_parse(ep, SPAN_LIT(" xmlns='jabber:server'"), xml, &why);
		left = mem_fail_nth(0);
		cr_assert(e || element_parser_starved(ep), "allocation %lu: %s", (unsigned long)k,
			why);
		cr_assert(!e ||
			(element_is(e, "jabber:server", "a") && e->child &&
				span_is(e->child->text, "text")));
		without += !e;
	}
	cr_assert_gt(without, 0);
	cr_assert(e);
	cr_assert_not(element_parser_starved(ep));
	element_parser_free(ep);
}
#endif
