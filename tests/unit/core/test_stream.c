/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a stream accepts as XML (T-X): whatever breaks a rule ends that stream and reaches nobody. */
#include "harness.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>

TestSuite(stream, .fini = rig_stop, .timeout = 60);

#define START "<message from='a@" R1 "' to='b@" L1 "'>"
#define MESSAGE(inside) START inside "</message>"

/* A VALID pair on a stream of its own; then this; then that error. The backend gets nothing of it. */
static void fails(struct tap *backend, const char *bytes, size_t n, const char *error)
{
	struct tap *t = remote_proven(R1, L1);

	tap_send(t, bytes, n);
	tap_expect_last(t, error);
	cr_assert(tap_quiet(backend), "routed: %.*s", (int)(n < 200 ? n : 200), bytes);
}

#define FAILS(backend, xml, condition) fails(backend, xml, strlen(xml), STREAM_ERROR(condition))

/* Another stream still works, and the backend got nothing in between. */
static void undisturbed(struct tap *backend)
{
	remote_kept(remote_proven(R2, L1), R2, L1, backend);
}

Test(stream, T_X1_comments)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	FAILS(backend, "<!-- c -->", "restricted-xml");
	FAILS(backend, START "<!-- c --></message>", "restricted-xml");
	t = tap_dial(rig.port);
	tap_say(t, "<!-- c -->");
	remote_refused(t, "restricted-xml");
	undisturbed(backend);
}

Test(stream, T_X2_T_X13_processing_instructions)
{
	struct tap *backend;

	rig_start_plain();
	backend = backend_shop();
	FAILS(backend, "<?php x?>", "restricted-xml");
	FAILS(backend, DECLARATION, "restricted-xml");
	undisturbed(backend);
}

Test(stream, T_X3_doctype_at_byte_0)
{
	struct tap *t;

	rig_start_plain();
	t = tap_dial(rig.port);
	tap_say(t,
		"<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol2 '&lol;&lol;&lol;&lol;'>]>"
		"<lolz>&lol2;</lolz>");
	remote_refused(t, "restricted-xml");
}

Test(stream, T_X3_at_the_first_sign)
{
	struct tap *t;

	rig_start_plain();
	t = tap_dial(rig.port);
	tap_say(t, "<!D"); /* it does not wait for more */
	remote_refused(t, "restricted-xml");
}

Test(stream, T_X4_entities)
{
	struct tap *backend;

	rig_start_plain();
	backend = backend_shop();
	FAILS(backend, MESSAGE("<body>&nbsp;</body>"), "restricted-xml");
	undisturbed(backend);
}

Test(stream, T_X5_T_X6_what_passes)
{
	static const char *const texts[] = { "&lt; &gt; &amp; &apos; &quot; &#65; &#x41;",
		"<![CDATA[<b>&x;]]>", "\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80" };
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		tap_say(t, START "<body>%s</body></message>", texts[i]);
		tap_expect(backend, START "<body>%s</body></message>", texts[i]);
	}
	remote_kept(t, R1, L1, backend);
}

Test(stream, T_X7_character_references)
{
	static const char *const refs[] = { "&#0;", "&#x1F;", "&#xD800;", "&#xFFFE;",
		"&#x110000;" };
	struct tap *backend;
	char xml[256];

	rig_start_plain();
	backend = backend_shop();
	for (size_t i = 0; i < ARRAY_LEN(refs); i++) {
		(void)snprintf(xml, sizeof(xml), START "<body>%s</body></message>", refs[i]);
		FAILS(backend, xml, "not-well-formed");
	}
	undisturbed(backend);
}

Test(stream, T_X8_no_utf8)
{
	static const char *const bytes[] = { "\xc3\x28", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xc0\xaf", "\xff" };
	struct tap *backend;
	char xml[256];

	rig_start_plain();
	backend = backend_shop();
	for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
		(void)snprintf(xml, sizeof(xml), START "<body>%s</body></message>", bytes[i]);
		FAILS(backend, xml, "unsupported-encoding");
	}
	undisturbed(backend);
}

Test(stream, T_X14_not_well_formed)
{
	struct tap *backend;

	rig_start_plain();
	backend = backend_shop();
	FAILS(backend, MESSAGE("<b></a>"), "not-well-formed");
	FAILS(backend, MESSAGE("<a b='1' b='2'/>"), "not-well-formed");
	FAILS(backend, MESSAGE("<x:a/>"), "not-well-formed");
	undisturbed(backend);
}

Test(stream, T_X15_text_at_depth_1)
{
	struct tap *backend;

	rig_start_plain();
	backend = backend_shop();
	FAILS(backend, "hello", "bad-format");
	undisturbed(backend);
}

/* A stanza of n bytes in all. */
static char *sized(size_t n)
{
	static const char head[] = START "<body>", tail[] = "</body></message>";
	size_t fixed = strlen(head) + strlen(tail);
	char *xml = malloc(n + 1);

	cr_assert(xml && n > fixed);
	memcpy(xml, head, strlen(head));
	memset(xml + strlen(head), 'x', n - fixed);
	memcpy(xml + n - strlen(tail), tail, sizeof(tail));
	return xml;
}

Test(stream, T_X16_too_big_before_anything_is_proven)
{
	char *xml = sized(16385);
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	tap_send(t, xml, 16385);
	tap_expect_last(t, TOO_BIG);
	free(xml);
}

Test(stream, T_X16_is_not_waited_for)
{
	char *xml = sized(32768);
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	tap_send(t, xml, 16386); /* its end has not been sent */
	tap_expect_last(t, TOO_BIG);
	free(xml);
}

Test(stream, T_X17_T_X18_as_big_as_may_be)
{
	static const size_t sizes[] = { 10000, 16385, 65536, 262144 };
	struct tap *backend, *t;
	char *xml;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		xml = sized(sizes[i]);
		tap_send(t, xml, sizes[i]);
		tap_expect(backend, "%s", xml);
		free(xml);
	}
	remote_kept(t, R1, L1, backend);
	xml = sized(262145);
	tap_send(t, xml, 262145);
	tap_expect_last(t, TOO_BIG);
	free(xml);
	cr_assert(tap_quiet(backend));
}

/* <a> with n attributes whose names begin like this. */
static char *attributes(const char *name, unsigned n)
{
	char *xml = malloc(strlen(START) + n * (strlen(name) + 16) + 32), *at = xml;

	cr_assert(xml);
	at = stpcpy(at, START "<a");
	for (unsigned i = 0; i < n; i++)
		at += sprintf(at, " %s%u='u'", name, i);
	strcpy(at, "/></message>");
	return xml;
}

static char *nested(unsigned depth)
{
	char *xml = malloc(strlen(START) + depth * 8 + 32), *at = stpcpy(xml, START);

	for (unsigned i = 1; i < depth; i++)
		at = stpcpy(at, "<d>");
	for (unsigned i = 1; i < depth; i++)
		at = stpcpy(at, "</d>");
	strcpy(at, "</message>");
	return xml;
}

static void limit(struct tap *backend, struct tap *passes, char *good, char *bad)
{
	tap_send(passes, good, strlen(good));
	tap_expect(backend, "%s", good);
	fails(backend, bad, strlen(bad), STREAM_ERROR("policy-violation"));
	free(good);
	free(bad);
}

Test(stream, T_X19_limits)
{
	struct tap *backend, *t;
	char name[1100];

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	limit(backend, t, nested(64), nested(65));
	limit(backend, t, attributes("b", 64), attributes("b", 65));
	memset(name, 'n', sizeof(name));
	memcpy(name, START "<", strlen(START "<"));
	strcpy(name + strlen(START "<") + 1024, "/></message>");
	tap_say(t, "%s", name);
	tap_expect(backend, "%s", name);
	strcpy(name + strlen(START "<") + 1024, "n/></message>");
	FAILS(backend, name, "policy-violation");
	undisturbed(backend);
}

/* n declarations in scope at the innermost element, besides those of the header. */
static char *scoped(unsigned n)
{
	char *xml = malloc(n * 48 + 256), *at = stpcpy(xml, START);

	for (unsigned i = 0; i < n; i++)
		at += sprintf(at, "<d xmlns:p%u='urn:p'>", i);
	for (unsigned i = 0; i < n; i++)
		at = stpcpy(at, "</d>");
	strcpy(at, "</message>");
	return xml;
}

Test(stream, T_X19_declarations_in_scope)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	/* The header has two or three; depth is not what ends it. */
	limit(backend, t, scoped(60), scoped(63));
	limit(backend, t, attributes("xmlns:p", 60), attributes("xmlns:p", 64));
	undisturbed(backend);
}

Test(stream, T_X20_one_byte_per_segment)
{
	static const char xml[] = MESSAGE(
		"<body>\xc3\xbc&amp;<![CDATA[]]]]></body>") " "
							    "<iq type='get' id='1' from='a@" R1
							    "' to='b@" L1
							    "'><q xmlns='urn:q'/></iq>";
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	for (size_t i = 0; i + 1 < sizeof(xml); i++)
		tap_send(t, xml + i, 1);
	tap_expect(backend, MESSAGE("<body>\xc3\xbc&amp;<![CDATA[]]]]></body>"));
	tap_expect(backend,
		"<iq type='get' id='1' from='a@" R1 "' to='b@" L1 "'><q xmlns='urn:q'/></iq>");
	remote_kept(t, R1, L1, backend);
}

Test(stream, T_X20_header_and_claim_one_byte_per_segment)
{
	static const char xml[] = DECLARATION "<stream:stream " HEADER_NS " from='" R1 "' to='" L1
					      "' version='1.0'><db:verify from='" R1 "' to='" L1
					      "' id='i'>x</db:verify>";
	struct tap *t;

	rig_start_plain();
	t = tap_dial(rig.port);
	for (size_t i = 0; i + 1 < sizeof(xml); i++)
		tap_send(t, xml + i, 1);
	remote_header_seen(t, L1, R1, true);
	features_seen(t);
	tap_expect(t, "<db:verify from='" L1 "' to='" R1 "' id='i' type='invalid'/>");
}

Test(stream, T_X21_half_a_stanza_and_then_the_end)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	tap_say(t, START "<body>never to be");
	tap_close(t);
	STAT_BECOMES(streams_ended, 1);
	undisturbed(backend);
	cr_assert_eq(STAT(stanzas_in), 1);
}

Test(stream, T_X22_foreign_element_is_ignored)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	remote_prove(t, R2, L1);
	tap_say(t, "<foo xmlns='urn:x'/>");
	remote_kept(t, R2, L1, backend);
	remote_sync(t);
	cr_assert_eq(STAT(ignored_elements), 1);
}

Test(stream, T_X23_too_many_of_them)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	for (unsigned i = 0; i < 100; i++)
		tap_say(t, "<foo xmlns='urn:x'><bar/></foo>");
	remote_kept(t, R1, L1, backend);
	tap_say(t, "<foo xmlns='urn:x'/>");
	tap_expect_error(t, "unsupported-stanza-type");
	undisturbed(backend);
}

Test(stream, T_X24_no_stanza_in_jabber_server)
{
	struct tap *backend;

	rig_start_plain();
	backend = backend_shop();
	FAILS(backend, "<foo/>", "unsupported-stanza-type");
	undisturbed(backend);
}

Test(stream, what_follows_an_error_is_not_looked_at)
{
	struct tap *backend;

	rig_start_plain();
	backend = backend_shop();
	FAILS(backend, "<foo/>" MESSAGE("<body>late</body>"), "unsupported-stanza-type");
	FAILS(backend, "hello" MESSAGE("<body>late</body>"), "bad-format");
	undisturbed(backend);
}

/* 0.1: after an error we read until the peer's end tag, and then close. */
Test(stream, after_our_error_the_peers_end_tag_ends_the_connection)
{
	struct tap *t;
	uint64_t begin;

	rig_start_plain();
	t = remote_open(R1, L1);
	tap_say(t, "<foo/>");
	tap_expect(t, STREAM_ERROR("unsupported-stanza-type"));
	begin = rig_now();
	tap_say(t, "</stream:stream>");
	tap_expect_end(t);
	cr_assert_lt(rig_now() - begin, TIMEOUT_CLOSE_MS, "it waited for the timer");
}

Test(stream, peer_resets_in_the_middle)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	tap_say(t, START "<body>");
	tap_reset(t);
	STAT_BECOMES(streams_ended, 1);
	undisturbed(backend);
}

/* -- after the end -- */

/* A stream that we ended does not come back to life, and keeps nothing of what still comes. */
Test(stream, no_xml_after_our_end_ends_the_connection)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	tap_say(t, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	tap_expect(t, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>");
	tap_say(t, "<<<");
	tap_expect_end(t);
}

Test(stream, no_claim_is_taken_after_our_end)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	tap_say(t, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	tap_expect(t, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>");
	remote_claim(t, R1, L1);
	tap_say(t, "</stream:stream>");
	tap_expect_end(t);
	cr_assert(sham_idle(&rig.near), "nobody was asked");
}

/* The header comes after we have said goodbye: a drain must not open streams. */
Test(stream, header_after_our_end_opens_nothing)
{
	struct tap *t;

	rig_start_plain();
	t = tap_dial(rig.port);
	STAT_BECOMES(streams_in, 1);
	rig_tell(CONTROL_DRAIN);
	remote_header_seen(t, ROUTER, NULL, true);
	tap_expect(t, SHUTDOWN);
	tap_say(t,
		DECLARATION "<stream:stream " HEADER_NS " from='" R1 "' to='" L1
			    "' version='1.0'><db:verify from='" R1 "' to='" L1
			    "' id='i'>k</db:verify></stream:stream>");
	tap_expect_end(t);
	rig_join();
}

/* A peer that does not read its answers is not read: its answers are bounded, it is not cut off. */
Test(stream, unread_answers_pause_the_peer)
{
	static const char claim[] = "<db:result from='a.test' to='" NOPE "'>k</db:result>";
	struct tap *t;
	uint64_t last;
	size_t sent = 0, at = 0;

	rig_start_plain();
	t = tap_dial_small(rig.port, 4096);
	tap_say(t,
		DECLARATION "<stream:stream " HEADER_NS " from='" R1 "' to='" L1
			    "' version='1.0'>");
	for (last = rig_now(); rig_now() - last < 300;) {
		size_t n = tap_try_send(t, claim + at, sizeof(claim) - 1 - at);

		if (n == 0) {
			(void)poll(NULL, 0, 10);
			continue;
		}
		last = rig_now();
		sent += n;
		at = (at + n) % (sizeof(claim) - 1);
		cr_assert_lt(sent, 64u << 20, "it is read without end");
	}
	remote_header_seen(t, L1, R1, true);
	features_seen(t);
	tap_expect(t, "<db:result from='" NOPE "' to='a.test' type='error'>");
}
