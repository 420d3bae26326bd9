/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "core/splice.h"

#define HEAD                                                                                       \
	"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "    \
	"xmlns:p='urn:p' xmlns:q='urn:q'>"

struct fixture {
	struct scan *scan;
	char in[4096], out[8192];
	struct frame f;
	struct splice s;
};

static void setup(struct fixture *fx, const char *stanza)
{
	struct frame head;
	size_t n = strlen(HEAD);

	memset(fx, 0, sizeof(*fx));
	strcpy(fx->in, HEAD);
	strcat(fx->in, stanza);
	fx->scan = scan_new(16384);
	cr_assert_eq(scan(fx->scan, fx->in, n, &head), SCAN_HEADER);
	cr_assert_eq(scan(fx->scan, fx->in + n, strlen(fx->in) - n, &fx->f), SCAN_FRAME, "%s: %s",
		stanza, scan_reason(fx->scan));
	splice_init(&fx->s, &fx->f);
}

static const char *result(struct fixture *fx)
{
	struct span pieces[SPLICE_PIECES];
	unsigned n = splice_pieces(&fx->s, pieces);
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		memcpy(fx->out + at, pieces[i].p, pieces[i].n);
		at += pieces[i].n;
	}
	fx->out[at] = '\0';
	scan_free(fx->scan);
	return fx->out;
}

Test(splice, nothing_to_do_is_one_piece)
{
	struct fixture fx;
	struct span pieces[SPLICE_PIECES];

	setup(&fx, "<message from='a@x' to='b@y'><body>hi</body></message>");
	splice_lang(&fx.s, SPAN_NONE);
	splice_prefixes(&fx.s, fx.scan);
	splice_content_ns(&fx.s);
	cr_expect_eq(splice_pieces(&fx.s, pieces), 1);
	cr_expect_eq(pieces[0].p, fx.f.p, "the very bytes");
	cr_expect_eq(pieces[0].n, fx.f.len);
	scan_free(fx.scan);
}

Test(splice, language_of_the_stream_T_G13)
{
	struct fixture fx;

	setup(&fx, "<message from='a@x' to='b@y'><body>hi</body></message>");
	splice_lang(&fx.s, SPAN_LIT(" xml:lang='de'"));
	cr_expect_str_eq(result(&fx),
		"<message xml:lang='de' from='a@x' to='b@y'><body>hi</body></message>");
}

Test(splice, own_language_stays_T_G14)
{
	struct fixture fx;

	setup(&fx, "<message xml:lang='fr' from='a@x' to='b@y'/>");
	splice_lang(&fx.s, SPAN_LIT(" xml:lang='de'"));
	cr_expect_str_eq(result(&fx), "<message xml:lang='fr' from='a@x' to='b@y'/>");
}

Test(splice, explicit_content_namespace_is_cut_T_G17)
{
	struct fixture fx;

	setup(&fx,
		"<message xmlns='jabber:server' from='a@x' to='b@y'><body xmlns='jabber:server'>"
		"hi</body><x xmlns='urn:x'><y xmlns='jabber:server'/></x></message>");
	splice_content_ns(&fx.s);
	cr_expect_str_eq(result(&fx),
		"<message from='a@x' to='b@y'><body>hi</body>"
		"<x xmlns='urn:x'><y xmlns='jabber:server'/></x></message>");
}

Test(splice, prefixes_of_the_header_are_declared_T_G18)
{
	struct fixture fx;

	setup(&fx, "<message from='a@x' to='b@y'><q:z p:a='1'/></message>");
	splice_prefixes(&fx.s, fx.scan);
	cr_expect_str_eq(result(&fx),
		"<message xmlns:p='urn:p' xmlns:q='urn:q' from='a@x' to='b@y'>"
		"<q:z p:a='1'/></message>");
}

Test(splice, domains_are_replaced_in_either_order_T_G30)
{
	struct fixture fx;

	setup(&fx, "<message to='b@Y.Test/r' from='a@X.Test'/>");
	splice_value(&fx.s, jid_domain(fx.f.from), SPAN_LIT("x.test"));
	splice_value(&fx.s, jid_domain(fx.f.to), SPAN_LIT("y.test"));
	cr_expect_str_eq(result(&fx), "<message to='b@y.test/r' from='a@x.test'/>");
}

Test(splice, all_at_once)
{
	struct fixture fx;

	setup(&fx,
		"<iq type='get' from='X.Test' xmlns='jabber:server' to='Y.Test' id='1'><p:b/></iq>");
	splice_lang(&fx.s, SPAN_LIT(" xml:lang='de'"));
	splice_prefixes(&fx.s, fx.scan);
	splice_content_ns(&fx.s);
	splice_value(&fx.s, fx.f.from, SPAN_LIT("x.test"));
	splice_value(&fx.s, fx.f.to, SPAN_LIT("y.test"));
	cr_expect_str_eq(result(&fx),
		"<iq xml:lang='de' xmlns:p='urn:p' type='get' from='x.test' "
		"to='y.test' id='1'><p:b/></iq>");
}
