/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens to a stanza (T-G): table 8.3, rewriting 8.6, order 8.7. */
#include "core/base/mem.h"
#include "harness.h"

#include <criterion/criterion.h>
#include <expat.h>

TestSuite(router, .fini = rig_stop, .timeout = 60);

#define MESSAGE(from, to) "<message from='" from "' to='" to "'><body>x</body></message>"

static struct tap *backend;

/* A VALID pair R1 -> L1 and the backend of L1. */
static struct tap *proven(void)
{
	backend = backend_shop();
	return remote_proven(R1, L1);
}

static struct tap *started(void)
{
	rig_start_plain();
	return proven();
}

/* A stream whose header has these attributes besides the usual ones. */
static struct tap *proven_with(const char *attributes)
{
	struct tap *t;

	rig_start_plain();
	backend = backend_shop();
	t = tap_dial(rig.port);
	tap_say(t, "<stream:stream " HEADER_NS " %s from='" R1 "' to='" L1 "' version='1.0'>",
		attributes);
	remote_header_seen(t, L1, R1, true);
	features_seen(t);
	remote_prove(t, R1, L1);
	return t;
}

/* It ends the stream, and reaches nobody. */
static void closes(struct tap *t, const char *stanza, const char *error)
{
	tap_say(t, "%s", stanza);
	tap_expect_last(t, error);
	cr_assert(tap_quiet(backend), "routed: %s", stanza);
}

/* -- the table 8.3 -- */

Test(router, T_G1_delivered_as_it_was)
{
	static const char *const stanzas[] = {
		"<message from='ann@" R1 "' to='bob@" L1 "'><body>hi</body></message>",
		"<message  to=\"bob@" L1 "/a&amp;b\" type='chat'\tid='&#60;' from='ann@" R1 "/x' >"
		"<body>hi</body></message >",
		"<presence from='" R1 "' to='" L1 "'/>",
		"<presence type='subscribe' from='ann@" R1 "' to='bob@" L1 "'></presence>",
		"<iq type='set' id='1' from='ann@" R1 "/r' to='" L1
		"'><q xmlns='urn:q' a=\"'\"/></iq>",
	};
	struct tap *t = started();

	for (size_t i = 0; i < ARRAY_LEN(stanzas); i++) {
		tap_say(t, "%s", stanzas[i]);
		tap_expect(backend, "%s", stanzas[i]);
	}
	cr_assert_eq(STAT(stanzas_in), ARRAY_LEN(stanzas));
	STAT_BECOMES(stanzas_out, ARRAY_LEN(stanzas));
}

Test(router, before_any_pair)
{
	struct tap *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_open(R1, L1);
	closes(t, MESSAGE("ann@" R1, "bob@" L1), STREAM_ERROR("not-authorized"));
	t = remote_open(R1, L1);
	remote_claim(t, R1, L1); /* asked for, and no more than that */
	closes(t, MESSAGE("ann@" R1, "bob@" L1), STREAM_ERROR("not-authorized"));
}

#define CLOSES(name, stanza, condition)                                                            \
	Test(router, name)                                                                         \
	{                                                                                          \
		closes(started(), stanza, STREAM_ERROR(condition));                                \
	}

CLOSES(T_G2_without_to, "<message from='ann@" R1 "'/>", "improper-addressing")
CLOSES(T_G2_without_from, "<message to='bob@" L1 "'/>", "improper-addressing")
CLOSES(T_G2_empty_to, "<message from='ann@" R1 "' to=''/>", "improper-addressing")
CLOSES(T_G2_from_no_domain, "<message from='@x' to='bob@" L1 "'/>", "improper-addressing")
CLOSES(T_G2_local_part_empty, "<message from='@" R1 "' to='bob@" L1 "'/>", "improper-addressing")
CLOSES(T_G2_resource_empty, "<message from='ann@" R1 "/' to='bob@" L1 "'/>", "improper-addressing")
CLOSES(T_G3_sender_not_proven, MESSAGE("ann@" R3, "bob@" L1), "invalid-from")
CLOSES(T_G4_target_not_hosted, MESSAGE("ann@" R1, "bob@" NOPE), "host-unknown")
CLOSES(target_no_longer_hosted, MESSAGE("ann@" R1, "bob@" GONE), "host-gone")
CLOSES(T_G31_no_right_to_subdomains, MESSAGE("ann@" R2, "bob@" L1), "invalid-from")
CLOSES(T_G19_stanza_of_a_client,
	"<message xmlns='jabber:client' from='ann@" R1 "' to='bob@" L1 "'/>", "invalid-namespace")

Test(router, T_G7_no_relaying)
{
	struct tap *t = started();

	closes(t, MESSAGE("ann@" R1, "bob@" R3), STREAM_ERROR("host-unknown"));
	cr_assert(sham_idle(&rig.far), "nobody was dialled");
}

Test(router, T_G19_stanza_with_a_prefix)
{
	struct tap *t = proven_with("xmlns:s='jabber:server'");

	closes(t, "<s:message from='ann@" R1 "' to='bob@" L1 "'/>",
		STREAM_ERROR("bad-namespace-prefix"));
}

Test(router, T_G5_pair_not_proven_strict)
{
	struct tap *t = started(), *bank = backend_bank();

	remote_prove(t, R2, L2);
	tap_say(t, MESSAGE("ann@" R1, "bob@" L2));
	remote_kept(t, R1, L1, backend);
	remote_kept(t, R2, L2, bank);
	cr_assert(tap_quiet(bank));
	STAT_BECOMES(bounce_undeliverable, 1);
	cr_assert(rig_log_has("condition=forbidden"));
}

Test(router, T_G5_pair_not_proven_sender)
{
	struct tap *t, *bank;

	rig_start("--pair-check", "sender", NULL);
	t = proven();
	bank = backend_bank();
	remote_prove(t, R2, L2);
	tap_say(t, MESSAGE("ann@" R1, "bob@" L2));
	tap_expect(bank, MESSAGE("ann@" R1, "bob@" L2));
	closes(t, MESSAGE("ann@" R3, "bob@" L2), STREAM_ERROR("invalid-from"));
}

/* -- faults of the stanza itself -- */

/* Bounced to a remote sender: counted, and named in the log. */
static void bounced(struct tap *t, const char *stanza, const char *condition)
{
	uint64_t before = STAT(bounce_undeliverable);
	char text[64];

	tap_say(t, "%s", stanza);
	remote_kept(t, R1, L1, backend);
	STAT_BECOMES(bounce_undeliverable, before + 1);
	(void)snprintf(text, sizeof(text), "condition=%s\n", condition);
	cr_assert(rig_log_has(text));
}

Test(router, T_G11_iq_of_no_type)
{
	struct tap *t = started();

	bounced(t, "<iq type='subscribe' id='1' from='ann@" R1 "' to='bob@" L1 "'/>",
		"bad-request");
	bounced(t, "<iq id='1' from='ann@" R1 "' to='bob@" L1 "'/>", "bad-request");
}

Test(router, T_G26_localpart_or_resource_malformed)
{
	struct tap *t = started();

	bounced(t, "<message from='ann@" R1 "' to='b\"b@" L1 "'/>", "jid-malformed");
	bounced(t, "<message from='ann@" R1 "' to='b b@" L1 "'/>", "jid-malformed");
	tap_say(t, "<message from='a\"n@" R1 "' to='bob@" L1 "'/>"); /* nobody to answer */
	remote_kept(t, R1, L1, backend);
	cr_assert_eq(STAT(bounce_suppressed), 1);
}

/* -- addresses -- */

Test(router, T_G30_domains_come_out_canonical)
{
	struct tap *t = started();

	for (unsigned i = 0; i < 3; i++) {
		tap_say(t,
			"<message from='Ann@RX.peer.test/R' to=\"Bob@SHOP.Hosted.test./D\"><body>%u"
			"</body></message>",
			i);
		tap_expect(backend,
			"<message from='Ann@" R1 "/R' to=\"Bob@" L1 "/D\"><body>%u"
			"</body></message>",
			i);
	}
	remote_prove(t, R1, L3);
	tap_say(t, "<message from='ann@" R1 "' to='bob@xn--bcher-kva.hosted.test'/>");
	tap_expect(backend, "<message from='ann@" R1 "' to='bob@" L3 "'/>");
}

Test(router, more_spellings_than_are_remembered)
{
	static const char *const spellings[] = { "RX.peer.test", "rX.peer.test", "Rx.peer.test",
		"rx.Peer.test", "rx.pEer.test", "rx.peEr.test", "rx.peeR.test", "rx.peer.test." };
	struct tap *t = started();

	for (unsigned i = 0; i < 24; i++) {
		tap_say(t, "<message from='ann@%s' to='bob@" L1 "' id='%u'/>", spellings[i % 8], i);
		tap_expect(backend, "<message from='ann@" R1 "' to='bob@" L1 "' id='%u'/>", i);
	}
}

Test(router, references_in_addresses_are_decoded_as_a_whole)
{
	struct tap *t = started();

	tap_say(t, "<message from='ann&#64;" R1 "&#x2f;a&amp;b&apos;' to='bob@" L1 "'/>");
	tap_expect(backend, "<message from='ann@" R1 "/a&amp;b&apos;' to='bob@" L1 "'/>");
	tap_say(t, "<message from='ann@r&#120;.PEER.test' to=\"bob@sho&#x70;.hosted.test/'\"/>");
	tap_expect(backend, "<message from='ann@" R1 "' to=\"bob@" L1 "/&apos;\"/>");
	remote_kept(t, R1, L1, backend);
}

#define SMUGGLED(name, from, to, condition)                                                        \
	Test(router, name)                                                                         \
	{                                                                                          \
		struct tap *t;                                                                     \
                                                                                                   \
		rig_start_plain();                                                                 \
		backend = backend_shop();                                                          \
		t = remote_open(EVIL, L1);                                                         \
		remote_evil(t, "valid");                                                           \
		tap_expect(t, "<db:result from='" L1 "' to='" EVIL "' type='valid'/>");            \
		closes(t, "<message from='" from "' to='" to "'/>", STREAM_ERROR(condition));      \
	}

SMUGGLED(T_G32_slash_in_from, "victim.test&#47;x@" EVIL, "b@" L1, "invalid-from")
SMUGGLED(T_G32_hex_slash_in_from, "victim.test&#x2f;x@" EVIL, "b@" L1, "invalid-from")
SMUGGLED(T_G32_at_in_from, "a&#64;victim.test/" EVIL, "b@" L1, "invalid-from")
SMUGGLED(T_G32_two_ats_in_from, "a@victim.test&#47;@" EVIL, "b@" L1, "invalid-from")
SMUGGLED(T_G32_slash_in_to, "a@" EVIL, NOPE "&#47;x@" L1, "host-unknown")
SMUGGLED(T_G32_hex_slash_in_to, "a@" EVIL, NOPE "&#x2f;x@" L1, "host-unknown")
SMUGGLED(T_G32_line_feed_in_from, "victim.test&#10;@" EVIL "&#47;" EVIL, "b@victim.test",
	"host-unknown")

/* -- language -- */

Test(router, T_G13_T_G14_language_of_the_header)
{
	struct tap *t = proven_with("xml:lang='de'");

	tap_say(t, MESSAGE("ann@" R1, "bob@" L1));
	tap_expect(backend,
		"<message xml:lang='de' from='ann@" R1 "' to='bob@" L1
		"'><body>x</body></message>");
	tap_say(t, "<message from='ann@" R1 "' xml:lang='fr' to='bob@" L1 "'/>");
	tap_expect(backend, "<message from='ann@" R1 "' xml:lang='fr' to='bob@" L1 "'/>");
	tap_say(t, "<presence xml:lang='' from='ann@" R1 "' to='bob@" L1 "'/>");
	tap_expect(backend, "<presence xml:lang='' from='ann@" R1 "' to='bob@" L1 "'/>");
}

Test(router, T_G15_no_language)
{
	struct tap *t = started();

	tap_say(t, MESSAGE("ann@" R1, "bob@" L1));
	tap_expect(backend, MESSAGE("ann@" R1, "bob@" L1));
}

/* What the backend gets is well-formed whatever a stranger's header says. */
static void well_formed(const char *element)
{
	XML_Parser p = XML_ParserCreateNS(NULL, '|');
	char xml[9000];
	int n = snprintf(xml, sizeof(xml),
		"<stream:stream xmlns='jabber:component:accept'" STREAM_NS ">%s</stream:stream>",
		element);

	cr_assert_eq(XML_Parse(p, xml, n, 1), XML_STATUS_OK, "%s: %s",
		XML_ErrorString(XML_GetErrorCode(p)), element);
	XML_ParserFree(p);
}

Test(router, language_that_needs_much_escaping)
{
	char lang[6 * LIMIT_LANG + 16] = "xml:lang='";
	struct tap *t;

	for (unsigned i = 0; i < LIMIT_LANG; i++)
		strcat(lang, "&amp;");
	strcat(lang, "'");
	t = proven_with(lang);
	tap_say(t,
		MESSAGE("ann@" R1, "bob@" L1) "<message from='ann@" R1 "' to='bob@" L1
					      "' id='2'/>");
	well_formed(tap_element(backend));
	well_formed(tap_element(backend));
}

/* -- namespaces -- */

Test(router, T_G17_content_namespace_is_not_copied)
{
	struct tap *t = started();

	tap_say(t,
		"<message xmlns='jabber:server' from='ann@" R1 "' to='bob@" L1 "'>"
		"<body xmlns='jabber:server'>x</body><x xmlns='urn:x'><y xmlns='jabber:server'/></x>"
		"</message>");
	tap_expect(backend,
		"<message from='ann@" R1 "' to='bob@" L1 "'><body>x</body>"
		"<x xmlns='urn:x'><y xmlns='jabber:server'/></x></message>");
}

/* Those that cannot be cut out: not copied either. */
Test(router, T_G17_named_more_often_than_is_noted)
{
	struct tap *t = started();
	char xml[2048], *at = xml;

	at += sprintf(at, "<message xmlns='jabber:server' from='ann@" R1 "' to='bob@" L1 "'>");
	for (unsigned i = 0; i < FRAME_REDECLARED + 2; i++)
		at += sprintf(at, "<body xmlns='jabber:server'>%u</body>", i);
	strcpy(at, "</message>");
	bounced(t, xml, "policy-violation");
}

Test(router, T_G17_named_by_a_prefix)
{
	struct tap *t = started();

	bounced(t,
		"<message from='ann@" R1 "' to='bob@" L1
		"'><s:body xmlns:s='jabber:server'>x</s:body>"
		"</message>",
		"policy-violation");
}

Test(router, T_G18_prefixes_of_the_header)
{
	struct tap *t = proven_with("xmlns:p='urn:p' xmlns:q='urn:q'");

	tap_say(t, "<message from='ann@" R1 "' to='bob@" L1 "'><p:x q:a='1'/></message>");
	tap_expect_with(backend, " xmlns:p='urn:p'", " xmlns:q='urn:q'",
		"><p:x q:a='1'/></message>");
	well_formed(backend->element);
	tap_say(t,
		"<message from='ann@" R1 "' to='bob@" L1 "'><p:x xmlns:p='urn:other'/></message>");
	tap_expect(backend,
		"<message from='ann@" R1 "' to='bob@" L1 "'><p:x xmlns:p='urn:other'/></message>");
}

Test(router, all_rewriting_at_once)
{
	struct tap *t = proven_with("xmlns:p='urn:p' xml:lang='de'");

	tap_say(t,
		"<message from='ann@RX.peer.test' xmlns='jabber:server' to='bob@SHOP.hosted.test'>"
		"<p:x/></message>");
	tap_expect(backend,
		"<message xml:lang='de' xmlns:p='urn:p' from='ann@" R1 "' to='bob@" L1 "'>"
		"<p:x/></message>");
}

Test(router, T_G20_references_in_attributes)
{
	struct tap *t = started();

	tap_say(t,
		"<message from='ann@" R1 "' to='bob@" L1
		"'><x xmlns='urn:x' a='&#10;&#9;&#13;'/></message>");
	tap_expect(backend,
		"<message from='ann@" R1 "' to='bob@" L1
		"'><x xmlns='urn:x' a='&#10;&#9;&#13;'/></message>");
}

/* -- order -- */

Test(router, T_G22_bare_and_full_recipients_stay_in_order)
{
	struct tap *t = started();

	for (unsigned i = 0; i < 500; i++)
		tap_say(t, "<message from='ann@" R1 "' to='bob@" L1 "%s' id='%u'/>",
			i % 3 ? "/desk" : "", i);
	for (unsigned i = 0; i < 500; i++)
		tap_expect(backend, "<message from='ann@" R1 "' to='bob@" L1 "%s' id='%u'/>",
			i % 3 ? "/desk" : "", i);
}

Test(router, stanzas_right_behind_the_answer)
{
	struct question q;
	struct tap *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_open(R1, L1);
	for (unsigned i = 0; i < 50; i++) {
		char from[64];

		(void)snprintf(from, sizeof(from), "r%u.peer.test", i);
		remote_claim(t, from, L1);
		if (i == 0)
			sham_greet(&rig.near, L1, from);
		sham_question(&rig.near, &q);
		sham_answer(&rig.near, &q, "valid");
		tap_expect(t, "<db:result from='" L1 "' to='%s' type='valid'/>", from);
		remote_kept(t, from, L1, backend);
	}
}

#ifdef SLUICE_FAULT_INJECTION
/* Of all that the router does for a thousand stanzas on one pair: nothing is allocated, once it has the
 * buffers that they need. With several workers those are parcels: how many of them are under way at
 * once is a matter of chance, up to the mesh's bound. */
Test(router, a_stanza_allocates_nothing)
{
	const uint64_t many = UINT64_C(1) << 40;
	struct tap *t = started();

	for (unsigned i = 0; i < 100; i++)
		remote_kept(t, R1, L1, backend);
	(void)mem_fail_nth(many);
	for (unsigned i = 0; i < 1000; i++)
		remote_kept(t, R1, L1, backend);
	cr_expect_leq(many - mem_fail_nth(0),
		(rig.config.workers - 1) * rig.config.workers * MESH_WINDOW);
}
#endif
