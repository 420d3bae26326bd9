/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/negotiate.h"

#define S "xmlns:stream='http://etherx.jabber.org/streams'"
#define D "xmlns:db='jabber:server:dialback'"
#define HEAD "<stream:stream xmlns='jabber:server' " S " " D " "

struct fixture {
	struct scan *scan;
	struct element_parser *parser;
	struct header h;
	const char *why;
};

/* What the header is answered with; NULL: accepted. */
static const char *verdict(struct fixture *fx, const char *xml)
{
	char buf[4096] = { 0 };
	const struct element *e;
	struct frame f;

	fx->scan = scan_new(16384);
	fx->parser = element_parser_new();
	cr_assert_lt(strlen(xml), sizeof(buf) - SCAN_PAD);
	strcpy(buf, xml);
	cr_assert_eq(scan(fx->scan, buf, strlen(buf), &f), SCAN_HEADER, "%s", xml);
	e = element_parse_header(fx->parser, span_of(f.p, f.len), &fx->why);
	cr_assert(e, "%s: %s", xml, fx->why);
	return header_read(&fx->h, e, fx->scan, HEADER_INITIAL, &fx->why);
}

static void done(struct fixture *fx)
{
	scan_free(fx->scan);
	element_parser_free(fx->parser);
}

static const struct {
	const char *row, *xml, *fault;
} table[] = {
	{ "T-H2", HEAD "from='rx.peer.test' to='shop.hosted.test' version='1.0' xml:lang='de'>",
		NULL },
	{ "T-H7", HEAD ">", NULL },
	{ "T-H8", "<stream:stream xmlns='jabber:server' " S " to='shop.hosted.test'>",
		"unsupported-version" },
	{ "T-H9", HEAD "to='shop.hosted.test' version='1.9'>", NULL },
	{ "T-H10", HEAD "to='shop.hosted.test' version='2.0'>", "unsupported-version" },
	{ "T-H11", HEAD "to='shop.hosted.test' version='01.00'>", NULL },
	{ "1.2 one number", HEAD "to='shop.hosted.test' version='1'>", NULL },
	{ "1.2 numeric", HEAD "to='shop.hosted.test' version='10.0'>", "unsupported-version" },
	{ "1.2 no number", HEAD "to='shop.hosted.test' version='one'>", "unsupported-version" },
	{ "1.2 empty", HEAD "to='shop.hosted.test' version=''>", "unsupported-version" },
	{ "T-H12",
		"<stream:stream xmlns='jabber:server' xmlns:stream='http://example.test/streams' " D
		" to='shop.hosted.test' version='1.0'>",
		"invalid-namespace" },
	{ "T-H13",
		"<stream:stream xmlns='jabber:client' " S " " D
		" to='shop.hosted.test' version='1.0'>",
		"invalid-namespace" },
	{ "T-H14",
		"<s:stream xmlns='jabber:server' xmlns:s='http://etherx.jabber.org/streams' " D
		" to='shop.hosted.test' version='1.0'>",
		"bad-namespace-prefix" },
	{ "T-H15",
		"<stream:flow xmlns='jabber:server' " S " " D
		" to='shop.hosted.test' version='1.0'>",
		"bad-format" },
	{ "T-H16", HEAD "id='x' to='shop.hosted.test' version='1.0'>", NULL },
	{ "from no domain", HEAD "from='a@b' to='shop.hosted.test' version='1.0'>",
		"improper-addressing" },
	{ "to no domain", HEAD "to='a b' version='1.0'>", "improper-addressing" },
	{ "no default namespace", "<stream:stream " S " " D " to='shop.hosted.test' version='1.0'>",
		"invalid-namespace" },
};

Test(negotiate, headers)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct fixture fx;
		const char *got = verdict(&fx, table[i].xml);

		cr_expect_str_eq(got ? got : "accepted",
			table[i].fault ? table[i].fault : "accepted", "%s: %s", table[i].row,
			table[i].xml);
		if (got)
			cr_expect_not_null(fx.why, "%s: a refusal has its words", table[i].row);
		done(&fx);
	}
}

Test(negotiate, addresses_are_canonical_T_H3)
{
	struct fixture fx;

	cr_assert_null(
		verdict(&fx, HEAD "from='RX.Peer.Test' to='SHOP.Hosted.Test.' version='1.0'>"));
	cr_expect_str_eq(fx.h.to.text, "shop.hosted.test");
	cr_expect_str_eq(fx.h.from.text, "rx.peer.test");
	cr_expect(fx.h.versioned);
	cr_expect(fx.h.dialback);
	done(&fx);
}

Test(negotiate, absent_addresses_have_no_length)
{
	struct fixture fx;

	cr_assert_null(verdict(&fx, HEAD "from=''>"));
	cr_expect_eq(fx.h.from.len, 0);
	cr_expect_eq(fx.h.to.len, 0);
	cr_expect_not(fx.h.versioned);
	done(&fx);
}

Test(negotiate, header_is_template_B2)
{
	char buf[1024];
	struct writer w = WRITER(buf);
	const char want[] =
		"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
		"xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
		"from='shop.hosted.test' to='rx.peer.test' id='q7Zr0pD2mV8sK4xN' version='1.0' "
		"xml:lang='en'>";

	header_write(&w, SPAN_LIT("shop.hosted.test"), SPAN_LIT("rx.peer.test"),
		SPAN_LIT("q7Zr0pD2mV8sK4xN"), HEADER_SPEAKING);
	cr_assert_not(w.overflow);
	cr_expect(span_is(writer_span(&w), want), "%.*s", (int)w.n, buf);
}

Test(negotiate, header_of_a_stream_for_stanzas_has_no_language_T_H1)
{
	char buf[1024];
	struct writer w = WRITER(buf);
	const char want[] =
		"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
		"xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
		"from='shop.hosted.test' to='rx.peer.test' version='1.0'>";

	header_write(&w, SPAN_LIT("shop.hosted.test"), SPAN_LIT("rx.peer.test"), SPAN_NONE,
		HEADER_PLAIN);
	cr_assert_not(w.overflow);
	cr_expect(span_is(writer_span(&w), want), "%.*s", (int)w.n, buf);
}

Test(negotiate, legacy_header_has_no_version_T_H7)
{
	char buf[1024];
	struct writer w = WRITER(buf);

	header_write(&w, SPAN_LIT("shop.hosted.test"), SPAN_NONE, SPAN_LIT("i"), HEADER_LEGACY);
	buf[w.n] = '\0';
	cr_expect_null(strstr(buf, "version='1.0' xml"));
	cr_expect_null(strstr(buf, " to="));
}
