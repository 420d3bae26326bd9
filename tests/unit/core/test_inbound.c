/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "harness.h"

#include <criterion/criterion.h>

#include "dialback/key.h"

TestSuite(inbound, .fini = rig_stop, .timeout = 60);

#define ID "q7Zr0pD2mV8sK4xN"
#define V4 "ebcac7531258efda1f811cfeea7e6197cb03a2874f0c1b0b3f8f76cbdd4c63ad"
#define V5 "0d17843b3dc4de0c826f68dc2ac075a185d9186968fd6b232bcfd81cbe3ecf21"
#define V6 "f20d3b7eda1e349a686c1542784f94a6f710e03b620211a7811f7016a79f8b57"
#define V8 "6107c418a666c37c8e178ee1672a0734f82003065a2afa0e7c0c0f0a125d0bda"
#define V9 "121d39076be902c52ed3ca4ff1596205a64a063b050bebee271d1586dce7c951"

/* -- headers -- */

static struct tap *opened(const char *attributes)
{
	struct tap *t = tap_dial(rig.port);

	tap_say(t, DECLARATION "<stream:stream %s>", attributes);
	return t;
}

Test(inbound, T_H2_response_header_and_features)
{
	struct tap *t;

	rig_start_plain();
	t = opened(HEADER_NS " from='" R1 "' to='" L1 "' version='1.0' xml:lang='de'");
	remote_header_seen(t, L1, R1, true);
	features_seen(t);
	cr_assert_geq(strlen(t->id), 22);
	remote_sync(t);
}

Test(inbound, T_H3_canonical_from)
{
	struct tap *t;

	rig_start_plain();
	t = opened(HEADER_NS " from='" R1 "' to='SHOP.Hosted.Test.' version='1.0'");
	remote_header_seen(t, L1, R1, true);
	features_seen(t);
	remote_sync(t);
}

Test(inbound, T_H7_legacy_without_version_and_addresses)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = opened(HEADER_NS);
	remote_header_seen(t, ROUTER, NULL, false);
	remote_prove(t, R1, L1);
	remote_kept(t, R1, L1, backend);
}

Test(inbound, T_H9_T_H11_versions)
{
	static const char *const versions[] = { "1.9", "01.00", "1.0", "1" };

	rig_start_plain();
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct tap *t = tap_dial(rig.port);

		tap_say(t, "<stream:stream " HEADER_NS " from='" R1 "' to='" L1 "' version='%s'>",
			versions[i]);
		remote_header_seen(t, L1, R1, true);
		features_seen(t);
	}
}

Test(inbound, T_H16_id_of_an_initial_header_is_ignored)
{
	struct tap *t;

	rig_start_plain();
	t = opened(HEADER_NS " from='" R1 "' to='" L1 "' version='1.0' id='x'");
	remote_header_seen(t, L1, R1, true);
	features_seen(t);
	cr_assert_str_neq(t->id, "x");
}

Test(inbound, ids_differ)
{
	struct tap *a, *b;

	rig_start_plain();
	a = remote_open(R1, L1);
	b = remote_open(R1, L1);
	cr_assert_str_neq(a->id, b->id);
}

#define REFUSED(name, attributes, versioned, condition)                                            \
	Test(inbound, name)                                                                        \
	{                                                                                          \
		struct tap *t;                                                                     \
                                                                                                   \
		rig_start_plain();                                                                 \
		t = opened(attributes);                                                            \
		remote_refused_as(t, R1, versioned, condition);                                    \
	}

REFUSED(T_H4_not_hosted, HEADER_NS " from='" R1 "' to='" NOPE "' version='1.0'", true,
	"host-unknown")
REFUSED(T_H5_no_longer_hosted, HEADER_NS " from='" R1 "' to='" GONE "' version='1.0'", true,
	"host-gone")
REFUSED(T_H6_no_to, HEADER_NS " from='" R1 "' version='1.0'", true, "improper-addressing")
REFUSED(T_H8_neither_version_nor_dialback,
	"xmlns='jabber:server'" STREAM_NS " from='" R1 "' to='" L1 "'", false,
	"unsupported-version")
REFUSED(T_H10_version_2, HEADER_NS " from='" R1 "' to='" L1 "' version='2.0'", true,
	"unsupported-version")
REFUSED(T_H12_streams_namespace,
	"xmlns='jabber:server' xmlns:stream='http://example.test/streams'" DIALBACK_NS " from='" R1
	"' to='" L1 "' version='1.0'",
	true, "invalid-namespace")
REFUSED(T_H13_content_namespace,
	"xmlns='jabber:client'" STREAM_NS DIALBACK_NS " from='" R1 "' to='" L1 "' version='1.0'",
	true, "invalid-namespace")
REFUSED(header_to_is_no_domain, HEADER_NS " from='" R1 "' to='a b' version='1.0'", true,
	"improper-addressing")

Test(inbound, T_H14_prefix)
{
	struct tap *t;

	rig_start_plain();
	t = tap_dial(rig.port);
	tap_say(t,
		"<s:stream xmlns='jabber:server' xmlns:s='http://etherx.jabber.org/streams'" DIALBACK_NS
		" from='" R1 "' to='" L1 "' version='1.0'>");
	remote_refused_as(t, R1, true, "bad-namespace-prefix");
}

Test(inbound, T_H15_root_is_no_stream)
{
	struct tap *t;

	rig_start_plain();
	t = tap_dial(rig.port);
	tap_say(t, "<stream:flow " HEADER_NS " from='" R1 "' to='" L1 "' version='1.0'>");
	remote_refused_as(t, R1, true, "bad-format");
}

Test(inbound, header_without_a_prefix_and_stanzas_that_name_their_namespace)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = tap_dial(rig.port);
	tap_say(t,
		"<stream xmlns='http://etherx.jabber.org/streams'" DIALBACK_NS " from='" R1
		"' to='" L1 "' version='1.0'>");
	remote_header_seen(t, L1, R1, true);
	features_seen(t);
	remote_prove(t, R1, L1);
	tap_say(t,
		"<message xmlns='jabber:server' from='a@" R1 "' to='b@" L1
		"'><body>x</body></message>");
	tap_expect(backend, "<message from='a@" R1 "' to='b@" L1 "'><body>x</body></message>");
}

Test(inbound, T_H26_white_space_is_nothing)
{
	struct tap *backend, *t;
	char spaces[1000];

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	memset(spaces, ' ', sizeof(spaces));
	tap_send(t, spaces, sizeof(spaces));
	remote_kept(t, R1, L1, backend);
	remote_sync(t); /* the next bytes are its answer: nothing was sent before */
}

Test(inbound, T_H28_we_closed_first_and_the_peer_still_sends)
{
	struct tap *backend, *t;

	rig_start("--invalid-policy", "rfc3920", NULL);
	backend = backend_shop();
	t = remote_proven(R1, L1);
	remote_evil(t, "invalid");
	tap_expect(t, "<db:result from='" L1 "' to='" EVIL "' type='invalid'/></stream:stream>");
	remote_kept(t, R1, L1, backend);
	remote_kept(t, R1, L1, backend);
	tap_say(t, "</stream:stream>");
	tap_expect_end(t);
}

Test(inbound, T_H29_stranger_names_a_hosted_domain)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(L2, L1);
	remote_claim(t, L2, L1);
	tap_expect(t,
		"<db:result from='" L1 "' to='" L2 "' type='error'><error type='modify'>"
		"<not-acceptable xmlns='" NS_ERRORS "'/></error></db:result>");
	remote_sync(t);
}

Test(inbound, the_peer_closes_in_order)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	tap_say(t, "</stream:stream>");
	tap_expect(t, "</stream:stream>");
	tap_expect_end(t);
	STAT_BECOMES(streams_ended, 1);
}

Test(inbound, the_peer_closes_with_an_error)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	tap_say(t, STREAM_ERROR("reset"));
	tap_expect(t, "</stream:stream>");
	tap_expect_end(t);
	cr_assert_eq(STAT(stream_errors_received), 1);
}

/* -- what this build does not negotiate -- */

Test(inbound, starttls_while_tls_is_off)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	tap_say(t, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	tap_expect(t, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>");
	tap_say(t, "</stream:stream>");
	tap_expect_end(t);
}

Test(inbound, T_E9_sasl_in_the_clear)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	tap_say(t, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>");
	tap_expect(t,
		"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><encryption-required/></failure>");
	remote_kept(t, R1, L1, backend);
}

/* -- the Authoritative Server: T-A and T-K -- */

static void ask(struct tap *t, const char *from, const char *to, const char *id, const char *key)
{
	tap_say(t, "<db:verify from='%s' to='%s' id='%s'>%s</db:verify>", from, to, id, key);
}

#define ANSWER(type) "<db:verify from='" L1 "' to='" R1 "' id='" ID "' type='" type "'/>"

Test(inbound, T_A1_T_A2_valid_and_invalid)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	ask(t, R1, L1, ID, V4);
	tap_expect(t, ANSWER("valid"));
	ask(t, R1, L1, ID, V5);
	tap_expect(t, ANSWER("invalid"));
	ask(t, R1, L1, ID, V4);
	tap_expect(t, ANSWER("valid"));
	cr_assert_eq(STAT(verify_answered), 3);
}

Test(inbound, T_A3_not_hosted)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	ask(t, R1, NOPE, ID, V4);
	tap_expect(t,
		"<db:verify from='" NOPE "' to='" R1 "' id='" ID "' type='error'>"
		"<error type='cancel'><item-not-found xmlns='" NS_ERRORS "'/></error></db:verify>");
	remote_kept(t, R1, L1, backend);
}

Test(inbound, T_A4_header_does_not_matter)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R3, L2);
	ask(t, R1, L1, ID, V4);
	tap_expect(t, ANSWER("valid"));
}

Test(inbound, T_A5_asking_proves_nothing)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	ask(t, R1, L1, ID, V4);
	tap_expect(t, ANSWER("valid"));
	tap_say(t, "<message from='a@" R1 "' to='b@" L1 "'><body>x</body></message>");
	tap_expect_error(t, "not-authorized");
}

Test(inbound, T_A6_hundred_in_one_segment)
{
	struct tap *t;
	char text[40000], key[KEY_HEX + 1], from[64], id[32];
	size_t n = 0;

	rig_start_plain();
	t = remote_open(R1, L1);
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(from, sizeof(from), "r%u.peer.test", i);
		(void)snprintf(id, sizeof(id), "id-%u", i * 7);
		key_make(rig.secrets, span_str(from), span_str(i % 2 ? L1 : L2), span_str(id), key);
		n += (size_t)snprintf(text + n, sizeof(text) - n,
			"<db:verify from='%s' to='%s' id='%s'>%s</db:verify>", from,
			i % 2 ? L1 : L2, id, key);
	}
	tap_send(t, text, n);
	for (unsigned i = 0; i < 100; i++)
		tap_expect(t, "<db:verify from='%s' to='r%u.peer.test' id='id-%u' type='valid'/>",
			i % 2 ? L1 : L2, i, i * 7);
}

Test(inbound, T_A7_id_is_escaped_again)
{
	char key[KEY_HEX + 1];
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	key_make(rig.secrets, span_str(R1), span_str(L1), SPAN_LIT("a\"<'&b"), key);
	ask(t, R1, L1, "a&quot;&lt;&#39;&amp;b", key);
	tap_expect(t,
		"<db:verify from='" L1 "' to='" R1 "' id='a&quot;&lt;&apos;&amp;b' type='valid'/>");
}

Test(inbound, T_A8_legacy_stream)
{
	struct tap *t;

	rig_start_plain();
	t = opened(HEADER_NS);
	remote_header_seen(t, ROUTER, NULL, false);
	ask(t, R1, L1, ID, V4);
	tap_expect(t, ANSWER("valid"));
}

Test(inbound, T_A10_without_id)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	for (unsigned i = 0; i < 10; i++)
		tap_say(t, "<db:verify from='" R1 "' to='" L1 "'>" V4 "</db:verify>");
	remote_sync(t); /* nothing was said to any of them */
	tap_say(t, "<db:verify from='" R1 "' to='" L1 "'>" V4 "</db:verify>");
	tap_expect_error(t, "bad-format");
}

Test(inbound, T_K10_T_K12_only_the_key_itself)
{
	static const char *const wrong[] = {
		"c1addbfb145748cecf12d897abaab550fa3c860f934787a96e8ffba8b676cab0",
		"b8d238ed9404d4856a5de4125b998c70118787db729985cf06dc03c9f747bdb1",
		"d4e1d0517587b713035af0430df037fc7ea012f3f54e9ea1b2800f427e14d3ce",
		"4114f4f012082a03ccec20150cc35f0d1272bb2bb1aa2cf204ec1d25f1348462",
		"EBCAC7531258EFDA1F811CFEEA7E6197CB03A2874F0C1B0B3F8F76CBDD4C63AD",
		"",
	};
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	ask(t, R1, L1, ID, V4);
	tap_expect(t, ANSWER("valid"));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ask(t, R1, L1, ID, wrong[i]);
		tap_expect(t, ANSWER("invalid"));
	}
}

Test(inbound, T_K11_white_space_around_the_key)
{
	static const char *const keys[] = { " " V4, V4 " ", "\n" V4 "\n", " \t\r\n" V4 "\n " };
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		ask(t, R1, L1, ID, keys[i]);
		tap_expect(t, ANSWER("valid"));
	}
}

Test(inbound, T_K13_keys_of_other_tuples)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	ask(t, R1, L1, ID, V5);
	tap_expect(t, ANSWER("invalid"));
	ask(t, R1, L1, ID, V6);
	tap_expect(t, ANSWER("invalid"));
	ask(t, R1, L2, ID, V5);
	tap_expect(t, "<db:verify from='" L2 "' to='" R1 "' id='" ID "' type='valid'/>");
	ask(t, R2, L1, ID, V6);
	tap_expect(t, "<db:verify from='" L1 "' to='" R2 "' id='" ID "' type='valid'/>");
}

Test(inbound, T_K14_T_K15_spelling_is_repeated)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	ask(t, "RX.PEER.TEST", L1, ID, V4);
	tap_expect(t, "<db:verify from='" L1 "' to='RX.PEER.TEST' id='" ID "' type='valid'/>");
	ask(t, R1, "xn--bcher-kva.hosted.test", ID, V8);
	tap_expect(t,
		"<db:verify from='xn--bcher-kva.hosted.test' to='" R1 "' id='" ID
		"' type='valid'/>");
	ask(t, R1, L3, ID, V8);
	tap_expect(t, "<db:verify from='" L3 "' to='" R1 "' id='" ID "' type='valid'/>");
}

Test(inbound, T_K16_what_is_no_domain_is_not_hashed)
{
	static const char *const none[] = { "rx.peer.test shop", "a b", "-", "a..b" };
	char key[KEY_HEX + 1];
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		/* the key that a careless hash would find valid */
		key_make(rig.secrets, span_str(none[i]), span_str(L1), span_str(ID), key);
		ask(t, none[i], L1, ID, key);
		tap_expect(t, "<db:verify from='" L1 "' to='%s' id='" ID "' type='invalid'/>",
			none[i]);
	}
	ask(t, "", L1, ID, V4);
	tap_expect_error(t, "improper-addressing");
	t = remote_open(R1, L1);
	ask(t, "rx&#0;", L1, ID, V4);
	tap_expect_error(t, "not-well-formed");
}

Test(inbound, T_K18_both_secrets_of_a_rollover)
{
	struct tap *t;

	rig_secrets = "router-cluster-secret-B\n" SECRET "\n";
	rig_start_plain();
	t = remote_open(R1, L1);
	ask(t, R1, L1, ID, V4);
	tap_expect(t, ANSWER("valid"));
	ask(t, R1, L1, ID, V9);
	tap_expect(t, ANSWER("valid"));
}
