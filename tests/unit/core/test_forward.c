/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which stanzas go back, at the edges; what goes out is test_splice_tree.c's. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/forward.h"

#define HEAD                                                                                       \
	"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "    \
	"xmlns:p='urn:p' xmlns:q='urn:q'>"
#define LANG SPAN_LIT(" xml:lang='de'")

static const char *fault(const char *stanza, struct span lang)
{
	static char text[32768];
	struct scan *s = scan_new(sizeof(text));
	const struct forward_fault *found;
	size_t head = strlen(HEAD), n = strlen(stanza);
	struct splice edits;
	struct jid from, to;
	struct frame f;

	cr_assert_lt(head + n + SCAN_PAD, sizeof(text));
	memcpy(text, HEAD, head);
	memcpy(text + head, stanza, n);
	cr_assert_eq(scan(s, text, head, &f), SCAN_HEADER);
	cr_assert_eq(scan(s, text + head, n, &f), SCAN_FRAME, "%s: %s", scan_reason(s), stanza);
	cr_assert(jid_split(f.from, &from) && jid_split(f.to, &to));
	forward_begin(&edits, &f, s, lang);
	found = forward_fault(&edits, &from, &to);
	scan_free(s);
	return found ? stanza_error_name(found->error) : "none";
}

/* One with that many attributes in all, `more` among them. */
static const char *crowd(unsigned attrs, const char *more, unsigned n_more)
{
	static char text[4096];
	size_t n = (size_t)sprintf(text, "<message from='a@x.test' to='y.test'%s", more);

	for (unsigned i = 2 + n_more; i < attrs; i++)
		n += (size_t)sprintf(text + n, " a%u=''", i);
	sprintf(text + n, "><q:x/></message>");
	return text;
}

Test(forward, as_many_attributes_as_a_scanner_takes_T_G13)
{
	const char *const own = " xml:lang='fr'", *const cut = " xmlns='jabber:server'";

	cr_expect_str_eq(fault(crowd(63, "", 0), SPAN_NONE), "none");
	cr_expect_str_eq(fault(crowd(64, "", 0), SPAN_NONE), "policy-violation");
	cr_expect_str_eq(fault(crowd(62, "", 0), LANG), "none");
	cr_expect_str_eq(fault(crowd(63, "", 0), LANG), "policy-violation");
	cr_expect_str_eq(fault(crowd(63, own, 1), LANG), "none");
	/* What is cut out is no edit that adds one. */
	cr_expect_str_eq(fault(crowd(62, cut, 1), LANG), "none");
}

/* That many declarations in scope, and inside of them some that use prefixes of the header. */
static const char *nest(unsigned declarations, const char *inside)
{
	static char text[8192];
	size_t n = (size_t)sprintf(text, "<message from='a@x.test' to='y.test'>");

	for (unsigned i = 0; i < declarations / 2; i++)
		n += (size_t)sprintf(text + n, "<a xmlns:b='u' xmlns:c='v'>");
	n += (size_t)sprintf(text + n, "%s", inside);
	for (unsigned i = 0; i < declarations / 2; i++)
		n += (size_t)sprintf(text + n, "</a>");
	sprintf(text + n, "</message>");
	return text;
}

/* Of 64, our own headers have three. */
Test(forward, as_many_declarations_as_a_scanner_takes_T_G18)
{
	cr_expect_str_eq(fault(nest(60, ""), LANG), "none");
	cr_expect_str_eq(fault(nest(60, "<p:x/>"), LANG), "none");
	cr_expect_str_eq(fault(nest(60, "<p:x q:a=''/>"), LANG), "policy-violation");
	cr_expect_str_eq(fault(nest(58, "<p:x q:a=''/>"), LANG), "none");
}

Test(forward, stanzas_that_are_sound)
{
	static const struct {
		const char *stanza, *fault;
	} rows[] = {
		{ "<iq type='get' from='x.test' to='y.test'/>", "none" },
		{ "<iq type='&#103;et' from='x.test' to='y.test'/>", "none" },
		{ "<iq type='got' from='x.test' to='y.test'/>", "bad-request" },
		{ "<iq from='x.test' to='y.test'/>", "bad-request" },
		{ "<message type='got' from='x.test' to='y.test'/>", "none" },
		{ "<message from='a\"b@x.test' to='y.test'/>", "jid-malformed" },
		{ "<message from='x.test' to='a b@y.test'/>", "jid-malformed" },
		{ "<message from='x.test' to='y.test'><c:b xmlns:c='jabber:server'/></message>",
			"policy-violation" },
		{ "<message from='x.test' to='y.test'><x xmlns='u'><c:b xmlns:c='jabber:server'/>"
		  "</x></message>",
			"none" },
		{ "<message from='x.test' to='y.test'><\xc8\xa1/></message>", "policy-violation" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_str_eq(fault(rows[i].stanza, SPAN_NONE), rows[i].fault, "%s",
			rows[i].stanza);
}
