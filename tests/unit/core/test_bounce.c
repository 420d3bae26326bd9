/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/bounce.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "xml/element.h"

#define NS "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
#define BY SPAN_LIT("edge.router.test")
#define BOB "bob@shop.hosted.test/desk"
#define ANN "ann@rx.peer.test"

static char buf[BOUNCE_MAX];

static struct frame frame(enum frame_kind kind, const char *from, const char *to, const char *id,
	const char *type)
{
	return (struct frame){ .kind = kind,
		.from = span_str(from),
		.to = span_str(to),
		.id = span_str(id),
		.type = span_str(type) };
}

/* The error as text, or "none". */
static const char *bounce(struct frame f, enum stanza_error e, struct span text)
{
	struct writer w = WRITER(buf);

	w.cap--;
	if (!bounce_write(&w, &f, e, BY, text)) {
		cr_expect_eq(w.n, 0);
		return "none";
	}
	buf[w.n] = '\0';
	return buf;
}

static const char *bounce_of(enum frame_kind kind, const char *from, const char *to, const char *id,
	const char *type)
{
	return bounce(frame(kind, from, to, id, type), STANZA_REMOTE_SERVER_TIMEOUT, SPAN_NONE);
}

Test(bounce, template_b9)
{
	cr_expect_str_eq(bounce_of(FRAME_MESSAGE, BOB, ANN, "m7", NULL),
		"<message from='ann@rx.peer.test' to='bob@shop.hosted.test/desk' id='m7' type='error'>"
		"<error type='wait' by='edge.router.test'><remote-server-timeout "
		"xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
}

Test(bounce, every_condition)
{
	static const struct {
		enum stanza_error e;
		const char *name, *type;
	} rows[] = {
		{ STANZA_BAD_REQUEST, "bad-request", "modify" },
		{ STANZA_FORBIDDEN, "forbidden", "auth" },
		{ STANZA_INTERNAL_SERVER_ERROR, "internal-server-error", "cancel" },
		{ STANZA_JID_MALFORMED, "jid-malformed", "modify" },
		{ STANZA_NOT_ALLOWED, "not-allowed", "cancel" },
		{ STANZA_POLICY_VIOLATION, "policy-violation", "modify" },
		{ STANZA_REMOTE_SERVER_NOT_FOUND, "remote-server-not-found", "cancel" },
		{ STANZA_REMOTE_SERVER_TIMEOUT, "remote-server-timeout", "wait" },
		{ STANZA_REMOTE_SERVER_TIMEOUT_CANCEL, "remote-server-timeout", "cancel" },
		{ STANZA_RESOURCE_CONSTRAINT, "resource-constraint", "wait" },
		{ STANZA_SERVICE_UNAVAILABLE, "service-unavailable", "cancel" },
		{ STANZA_TOO_BIG, "policy-violation", "modify" },
	};
	char want[400];

	cr_assert_eq(ARRAY_LEN(rows), STANZA_ERRORS);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cr_expect_str_eq(stanza_error_name(rows[i].e), rows[i].name);
		cr_expect_str_eq(stanza_error_type(rows[i].e), rows[i].type);
		snprintf(want, sizeof(want),
			"<iq from='ann@rx.peer.test' to='bob@shop.hosted.test/desk' id='1' type='error'>"
			"<error type='%s'%s><%s " NS "/></error></iq>",
			rows[i].type,
			rows[i].e == STANZA_TOO_BIG ? "" : " by='edge.router.test'",
			rows[i].name);
		cr_expect_str_eq(bounce(frame(FRAME_IQ, BOB, ANN, "1", "get"), rows[i].e,
					 SPAN_NONE),
			want);
	}
}

Test(bounce, text)
{
	cr_expect_str_eq(bounce(frame(FRAME_MESSAGE, BOB, ANN, NULL, "chat"),
				 STANZA_REMOTE_SERVER_TIMEOUT, SPAN_LIT("host-unknown <&]]> 'x'")),
		"<message from='ann@rx.peer.test' to='bob@shop.hosted.test/desk' type='error'>"
		"<error type='wait' by='edge.router.test'><remote-server-timeout " NS "/>"
		"<text " NS
		" xml:lang='en'>host-unknown &lt;&amp;]]&gt; 'x'</text></error></message>");
}

/* XEP-0478: an error on behalf of the peer's limit does not say who made it. */
Test(bounce, without_by)
{
	struct frame f = frame(FRAME_PRESENCE, BOB, ANN, NULL, "subscribe");
	struct writer w = WRITER(buf);

	cr_assert(bounce_write(&w, &f, STANZA_POLICY_VIOLATION, SPAN_NONE, SPAN_NONE));
	cr_expect(span_is(writer_span(&w),
		"<presence from='ann@rx.peer.test' to='bob@shop.hosted.test/desk' type='error'>"
		"<error type='modify'><policy-violation " NS "/></error></presence>"));
}

/* -- who is answered: 8.5 and T-G9 -- */

Test(bounce, wanted)
{
	static const struct {
		enum frame_kind kind;
		const char *type;
		bool wanted;
	} rows[] = {
		{ FRAME_MESSAGE, NULL, true },
		{ FRAME_MESSAGE, "chat", true },
		{ FRAME_MESSAGE, "result", true },
		{ FRAME_MESSAGE, "error", false },
		{ FRAME_MESSAGE, "&#101;rror", false },
		{ FRAME_MESSAGE, "&#x65;rr&#111;r", false },
		{ FRAME_MESSAGE, "errors", true },
		{ FRAME_MESSAGE, "Error", true },
		{ FRAME_MESSAGE, "", true },
		{ FRAME_MESSAGE, "errorerrorerrorerrorerror", true },
		{ FRAME_IQ, "get", true },
		{ FRAME_IQ, "set", true },
		{ FRAME_IQ, "subscribe", true },
		{ FRAME_IQ, NULL, true },
		{ FRAME_IQ, "result", false },
		{ FRAME_IQ, "error", false },
		{ FRAME_IQ, "unavailable", true },
		{ FRAME_IQ, "resul&#116;", false },
		{ FRAME_PRESENCE, NULL, true },
		{ FRAME_PRESENCE, "subscribe", true },
		{ FRAME_PRESENCE, "subscribed", true },
		{ FRAME_PRESENCE, "unsubscribe", true },
		{ FRAME_PRESENCE, "probe", true },
		{ FRAME_PRESENCE, "unavailable", false },
		{ FRAME_PRESENCE, "unsubscribed", false },
		{ FRAME_PRESENCE, "error", false },
		{ FRAME_PRESENCE, "un&#97;vail&#x61;ble", false },
		{ FRAME_DIALBACK, NULL, false },
		{ FRAME_STREAM, NULL, false },
		{ FRAME_CONTENT, NULL, false },
		{ FRAME_FOREIGN, NULL, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct frame f = frame(rows[i].kind, BOB, ANN, "1", rows[i].type);

		cr_expect_eq(bounce_wanted(&f), rows[i].wanted, "%d %s", rows[i].kind,
			rows[i].type);
		cr_expect_eq(strcmp(bounce(f, STANZA_FORBIDDEN, SPAN_NONE), "none") != 0,
			rows[i].wanted, "%d %s", rows[i].kind, rows[i].type);
	}
}

#define TAIL                                                                                       \
	" type='error'><error type='wait' by='edge.router.test'><remote-server-timeout " NS        \
	"/></error></message>"

/* Rule 8.5: nobody to answer. */
Test(bounce, from_that_cannot_be_answered)
{
	static const char *const rows[] = {
		NULL,
		"",
		"@shop.test",
		"bob@",
		"bob@shop.test/",
		"bob@a..b",
		"bob@shop.test&#47;",
		"a b@shop.test",
		"a&quot;b@shop.test",
		"bob&#64;x@shop.test",
		"bob@10.0.0.1",
		"edge.router.test",
		"edge.router.test/x",
		"EDGE.Router.test.",
		"x@edge.router.test",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_str_eq(bounce_of(FRAME_MESSAGE, rows[i], ANN, "1", NULL), "none", "%s",
			rows[i]);
}

/* RFC 6120 section 8.3.1: no malformed address in an error. */
Test(bounce, to_that_cannot_be_repeated)
{
	static const char *const rows[][2] = {
		{ "a b@rx.peer.test/r", "rx.peer.test" },
		{ "a&quot;b@rx.peer.test", "rx.peer.test" },
		{ "ann@rx.peer.test/a&#9;b", "rx.peer.test" },
		{ NULL, "edge.router.test" },
		{ "", "edge.router.test" },
		{ "ann@a..b", "edge.router.test" },
		{ "ann@10.0.0.1", "edge.router.test" },
		{ "rx.peer.test/", "edge.router.test" },
	};
	char want[400];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(want, sizeof(want), "<message from='%s' to='bob@shop.test'" TAIL,
			rows[i][1]);
		cr_expect_str_eq(bounce_of(FRAME_MESSAGE, "bob@shop.test", rows[i][0], NULL, NULL),
			want);
	}
}

/* The domain canonical, the rest as it was (7.6); a reference is split where it stands (T-G32). */
Test(bounce, addresses_are_decoded_and_escaped)
{
	static const char *const rows[][2] = {
		{ "Bob@SHOP.hosted.test./Desk", "Bob@shop.hosted.test/Desk" },
		{ "xn--bcher-kva.hosted.test",
			"b\xc3\xbc"
			"cher.hosted.test" },
		{ "victim.test&#47;x@evil.test", "victim.test/x@evil.test" },
		{ "b@h.test/a&apos;b&quot;&lt;&gt;&amp;", "b@h.test/a&apos;b&quot;&lt;&gt;&amp;" },
		{ "b@h.test/&#x20ac;", "b@h.test/\xe2\x82\xac" },
		{ "b@h.test/a\tb", "b@h.test/a b" },
		{ "b@h.test/a@b/c", "b@h.test/a@b/c" },
	};
	char want[400];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(want, sizeof(want), "<message from='ann@rx.peer.test' to='%s'" TAIL,
			rows[i][1]);
		cr_expect_str_eq(bounce_of(FRAME_MESSAGE, rows[i][0], ANN, NULL, NULL), want);
		snprintf(want, sizeof(want), "<message from='%s' to='ann@rx.peer.test'" TAIL,
			rows[i][1]);
		cr_expect_str_eq(bounce_of(FRAME_MESSAGE, ANN, rows[i][0], NULL, NULL), want);
	}
}

/* -- ids: T-G10, T-G12 -- */

Test(bounce, ids)
{
	static const char *const rows[][2] = {
		{ NULL, "" }, /* T-G10 */
		{ "", " id=''" },
		{ "m7", " id='m7'" },
		{ "a'/&gt;&lt;message to='x@y'&gt;",
			" id='a&apos;/&gt;&lt;message to=&apos;x@y&apos;&gt;'" }, /* T-G12 */
		{ "\"&quot;&apos;&amp;amp;", " id='&quot;&quot;&apos;&amp;amp;'" },
		{ "&#9;&#10;&#13;", " id='&#9;&#10;&#13;'" },
		{ "a\tb\nc", " id='a b c'" },
		{ "&#x1F600;", " id='\xf0\x9f\x98\x80'" },
	};
	char want[400];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(want, sizeof(want), "<message from='ann@rx.peer.test' to='" BOB "'%s" TAIL,
			rows[i][1]);
		cr_expect_str_eq(bounce_of(FRAME_MESSAGE, BOB, ANN, rows[i][0], NULL), want);
	}
}

/* A parser sees one element, with what the sender wrote (CVE-2026-113867). */
Test(bounce, is_one_stanza_for_a_parser)
{
	struct element_parser *ep = element_parser_new();
	const char *why = NULL, *xml;
	const struct element *e, *error;

	xml = bounce(frame(FRAME_IQ, "bob@h.test/&lt;&apos;x='", ANN,
			     "a'/&gt;&lt;message to='x@y'&gt;&#13;", "get"),
		STANZA_FORBIDDEN, SPAN_LIT("</text></error></iq><iq>"));
	e = element_parse(ep, SPAN_LIT(" xmlns='jabber:server'"), span_str(xml), &why);
	cr_assert(e, "%s: %s", why, xml);
	cr_expect(element_is(e, "jabber:server", "iq"));
	cr_expect(span_is(element_attr(e, "id"), "a'/><message to='x@y'>\r"));
	cr_expect(span_is(element_attr(e, "to"), "bob@h.test/<'x='"));
	cr_expect(span_is(element_attr(e, "type"), "error"));
	error = element_child(e, NULL, NULL);
	cr_assert(error);
	cr_expect(element_is(error, "jabber:server", "error"));
	cr_expect_null(error->next);
	cr_expect(element_child(error, "urn:ietf:params:xml:ns:xmpp-stanzas", "forbidden"));
	e = element_child(error, "urn:ietf:params:xml:ns:xmpp-stanzas", "text");
	cr_assert(e);
	cr_expect(span_is(e->text, "</text></error></iq><iq>"));
	cr_expect(span_is(element_lang(e), "en"));
	element_parser_free(ep);
}

/* -- room -- */

Test(bounce, that_does_not_fit_leaves_no_trace)
{
	struct frame f = frame(FRAME_MESSAGE, BOB, ANN, "m7", NULL);
	size_t whole = strlen(bounce(f, STANZA_FORBIDDEN, SPAN_NONE));

	for (size_t cap = 5; cap < 5 + whole; cap++) {
		struct writer w = { buf, cap, 0, false };

		writer_lit(&w, "first");
		cr_assert_not(bounce_write(&w, &f, STANZA_FORBIDDEN, BY, SPAN_NONE), "%zu", cap);
		cr_assert_eq(w.n, 5);
	}
	struct writer w = { buf, 5 + whole, 0, false };

	writer_lit(&w, "first");
	cr_expect(bounce_write(&w, &f, STANZA_FORBIDDEN, BY, SPAN_NONE));
	cr_expect_eq(w.n, 5 + whole);
	cr_expect_not(bounce_write(&w, &f, STANZA_FORBIDDEN, BY, SPAN_NONE));
	cr_expect_eq(w.n, 5 + whole);
}

Test(bounce, longest_values)
{
	static char jid[LIMIT_JID + 1], id[LIMIT_ATTR_VALUE + 1];
	char domain[LIMIT_DOMAIN + 1];
	struct frame f;
	struct writer w = WRITER(buf);

	/* 1023 octets of domain: 128 labels of 7, without the last dot. */
	for (size_t i = 0; i < LIMIT_DOMAIN; i++)
		domain[i] = i % 8 == 7 ? '.' : 'd';
	domain[LIMIT_DOMAIN] = '\0';
	memset(jid, 'x', sizeof(jid));
	jid[1023] = '@';
	memcpy(jid + 1024, domain, LIMIT_DOMAIN);
	jid[2047] = '/';
	jid[LIMIT_JID] = '\0';
	memset(id, '"', LIMIT_ATTR_VALUE);
	f = frame(FRAME_IQ, jid, jid, "1", "get");
	cr_expect(bounce_write(&w, &f, STANZA_FORBIDDEN, BY, SPAN_NONE));
	cr_expect_gt(w.n, 2 * LIMIT_JID);
	f.id = span_of(id, LIMIT_ATTR_VALUE / 4);
	cr_expect(bounce_write(&w, &f, STANZA_FORBIDDEN, BY, SPAN_NONE) || w.overflow);
	w = WRITER(buf);
	f.id = span_of(id, LIMIT_ATTR_VALUE);
	cr_expect_not(bounce_write(&w, &f, STANZA_FORBIDDEN, BY, SPAN_NONE), "six times as long");
	cr_expect_eq(w.n, 0);
}
