/* SPDX-License-Identifier: GPL-2.0-or-later */
/* db:result requests (T-R), elements that nobody asked for (T-U), invalid keys (T-I). */
#include "harness.h"

#include <criterion/criterion.h>

TestSuite(claims, .fini = rig_stop, .timeout = 60);

#define VALID(from, to) "<db:result from='" to "' to='" from "' type='valid'/>"
#define INVALID(from, to) "<db:result from='" to "' to='" from "' type='invalid'/>"
#define ERROR(from, to, type, condition)                                                           \
	"<db:result from='" to "' to='" from "' type='error'><error type='" type "'><" condition   \
	" xmlns='" NS_ERRORS "'/></error></db:result>"

static void stanza(struct tap *t, const char *from, const char *to)
{
	tap_say(t, "<message from='a@%s' to='b@%s'><body>x</body></message>", from, to);
}

/* -- T-R -- */

Test(claims, T_R1_T_R2_T_R4_question_and_answer)
{
	struct tap *backend, *t;
	struct question q;

	rig_start_plain();
	backend = backend_shop();
	t = remote_open(R1, L1);
	tap_say(t, "<db:result from='" R1 "' to='" L1 "'>\n" KEY "\n</db:result>");
	sham_greet(&rig.near, L1, R1); /* checks the header */
	sham_question(&rig.near, &q); /* checks the form B5 */
	cr_assert_str_eq(q.from, L1);
	cr_assert_str_eq(q.to, R1);
	cr_assert_str_eq(q.id, t->id);
	cr_assert_str_eq(q.key, KEY);
	sham_answer(&rig.near, &q, "valid");
	tap_expect(t, VALID(R1, L1));
	remote_kept(t, R1, L1, backend);
	cr_assert_eq(STAT(pairs_valid), 1);
}

Test(claims, key_is_escaped_on_its_way)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	tap_say(t, "<db:result from='" R1 "' to='" L1 "'>a&lt;b&amp;c<![CDATA[<d>]]></db:result>");
	sham_greet(&rig.near, L1, R1);
	tap_expect(rig.near.tap,
		"<db:verify from='" L1 "' to='" R1 "' id='%s'>a&lt;b&amp;c&lt;d&gt;"
		"</db:verify>",
		t->id);
}

Test(claims, T_R5_target_not_hosted)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	remote_claim(t, R1, NOPE);
	tap_expect(t, ERROR(R1, NOPE, "cancel", "item-not-found"));
	remote_claim(t, R1, GONE);
	tap_expect(t, ERROR(R1, GONE, "cancel", "item-not-found"));
	remote_kept(t, R1, L1, backend);
}

Test(claims, T_R15_sender_hosted_here)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	remote_claim(t, L2, L1);
	tap_expect(t, ERROR(L2, L1, "modify", "not-acceptable"));
	remote_claim(t, L1, L1);
	tap_expect(t, ERROR(L1, L1, "modify", "not-acceptable"));
	remote_claim(t, NOPE, NOPE);
	tap_expect(t, ERROR(NOPE, NOPE, "modify", "not-acceptable"));
	remote_kept(t, R1, L1, backend);
}

Test(claims, T_R16_key_empty_or_too_long)
{
	struct tap *backend, *t;
	struct question q;
	char key[1026];

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	tap_say(t, "<db:result from='" R2 "' to='" L1 "'/>");
	tap_expect(t, ERROR(R2, L1, "modify", "bad-request"));
	tap_say(t, "<db:result from='" R2 "' to='" L1 "'> \n </db:result>");
	tap_expect(t, ERROR(R2, L1, "modify", "bad-request"));
	memset(key, 'k', sizeof(key));
	key[1025] = '\0';
	tap_say(t, "<db:result from='" R2 "' to='" L1 "'>%s</db:result>", key);
	tap_expect(t, ERROR(R2, L1, "modify", "bad-request"));
	key[1024] = '\0';
	tap_say(t, "<db:result from='" R2 "' to='" L1 "'>%s</db:result>", key);
	sham_question(&rig.near, &q);
	cr_assert_str_eq(q.key, key, "the longest is relayed");
	remote_kept(t, R1, L1, backend);
}

Test(claims, T_R17_without_addresses)
{
	static const char *const attributes[] = { "from='" R1 "'", "to='" L1 "'",
		"from='' to='" L1 "'", "from='" R1 "' to=''", "from='a b' to='" L1 "'",
		"from='a@" R1 "' to='" L1 "'" };

	rig_start_plain();
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		struct tap *t = remote_open(R1, L1);

		tap_say(t, "<db:result %s>" KEY "</db:result>", attributes[i]);
		tap_expect_error(t, "improper-addressing");
	}
}

Test(claims, T_R18_claimed_again_once_valid)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	for (unsigned i = 0; i < 3; i++) {
		remote_claim(t, R1, L1);
		tap_expect(t, VALID(R1, L1));
	}
	remote_kept(t, R1, L1, backend);
	cr_assert(tap_quiet(rig.near.tap), "nobody was asked again");
}

Test(claims, T_R19_claimed_again_while_verifying)
{
	struct tap *backend, *t;
	struct question q;

	rig_start_plain();
	backend = backend_shop();
	t = remote_open(R1, L1);
	for (unsigned i = 0; i < 11; i++)
		remote_claim(t, R1, L1);
	sham_greet(&rig.near, L1, R1);
	sham_question(&rig.near, &q);
	remote_sync(t);
	cr_assert(tap_quiet(rig.near.tap), "one question only");
	sham_answer(&rig.near, &q, "valid");
	tap_expect(t, VALID(R1, L1));
	remote_sync(t); /* one answer only */
	remote_kept(t, R1, L1, backend);
}

Test(claims, another_key_while_verifying_begins_anew_once)
{
	struct question first, second;
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	tap_say(t, "<db:result from='" R1 "' to='" L1 "'>one</db:result>");
	sham_greet(&rig.near, L1, R1);
	sham_question(&rig.near, &first);
	tap_say(t, "<db:result from='" R1 "' to='" L1 "'>two</db:result>");
	tap_say(t, "<db:result from='" R1 "' to='" L1 "'>three</db:result>");
	tap_expect(t, ERROR(R1, L1, "wait", "resource-constraint"));
	sham_answer(&rig.near, &first, "invalid"); /* of the key that was given up */
	sham_question(&rig.near, &second);
	cr_assert_str_eq(second.key, "two");
	sham_answer(&rig.near, &second, "valid");
	tap_expect(t, VALID(R1, L1));
}

Test(claims, T_R20_refused_again_without_asking)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	remote_evil(t, "invalid");
	tap_expect(t, ERROR(EVIL, L1, "auth", "forbidden"));
	for (unsigned i = 0; i < 10; i++) {
		remote_claim(t, EVIL, L1);
		tap_expect(t, ERROR(EVIL, L1, "auth", "forbidden"));
	}
	cr_assert(tap_quiet(rig.far.tap) && sham_idle(&rig.far), "nobody was asked");
	remote_kept(t, R1, L1, backend);
}

Test(claims, T_R21_one_that_hangs_holds_up_nobody)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	remote_claim(t, EVIL, L1);
	rig.far.tap = sham_accept(&rig.far); /* and never says a word */
	remote_kept(t, R1, L1, backend);
	remote_prove(t, R2, L1);
	tap_say(t, "<db:verify from='" R1 "' to='" L2 "' id='i'>x</db:verify>");
	tap_expect(t, "<db:verify from='" L2 "' to='" R1 "' id='i' type='invalid'/>");
	remote_kept(t, R2, L1, backend);
}

Test(claims, T_R22_stream_dies_while_verifying)
{
	struct tap *backend, *t;
	struct question q;

	rig_start_plain();
	backend = backend_shop();
	t = remote_open(R1, L1);
	remote_claim(t, R1, L1);
	sham_greet(&rig.near, L1, R1);
	sham_question(&rig.near, &q);
	tap_close(t);
	STAT_BECOMES(streams_ended, 1);
	sham_answer(&rig.near, &q, "valid");
	t = remote_proven(R1, L1); /* by the same stream to the authority */
	remote_kept(t, R1, L1, backend);
	cr_assert_eq(STAT(pairs_valid), 1);
	cr_assert_eq(STAT(ignored_dialback), 0, "it was asked for");
	cr_assert(sham_idle(&rig.near), "one stream to the authority");
}

Test(claims, T_R23_only_the_stream_that_asked)
{
	struct tap *backend, *one, *two;
	struct question q1, q2;

	rig_start_plain();
	backend = backend_shop();
	one = remote_open(R1, L1);
	remote_claim(one, R1, L1);
	sham_greet(&rig.near, L1, R1);
	sham_question(&rig.near, &q1);
	two = remote_open(R1, L1);
	remote_claim(two, R1, L1);
	sham_question(&rig.near, &q2);
	cr_assert_str_eq(q2.id, two->id);
	sham_answer(&rig.near, &q1, "valid");
	tap_expect(one, VALID(R1, L1));
	remote_kept(one, R1, L1, backend);
	remote_sync(two); /* no answer there */
	stanza(two, R1, L1);
	tap_expect_error(two, "not-authorized");
	cr_assert(tap_quiet(backend));
}

Test(claims, T_R25_pairs_of_one_stream)
{
	struct tap *backend, *t;

	rig_start("--max-pairs-per-stream", "2", NULL);
	backend = backend_shop();
	t = remote_proven(R1, L1);
	remote_prove(t, R2, L1);
	remote_claim(t, R3, L1);
	tap_expect(t, ERROR(R3, L1, "wait", "resource-constraint"));
	remote_kept(t, R1, L1, backend);
	remote_kept(t, R2, L1, backend);
	cr_assert(sham_idle(&rig.far));
}

Test(claims, T_R27_spelling_is_repeated_and_the_canonical_one_is_meant)
{
	struct tap *backend, *t;
	struct question q;

	rig_start_plain();
	backend = backend_shop();
	t = remote_open(R1, L1);
	remote_claim(t, "RX.Peer.Test", "Shop.Hosted.test");
	sham_greet(&rig.near, L1, R1);
	sham_question(&rig.near, &q);
	cr_assert_str_eq(q.from, L1);
	cr_assert_str_eq(q.to, R1);
	sham_answer(&rig.near, &q, "valid");
	tap_expect(t, VALID("RX.Peer.Test", "Shop.Hosted.test"));
	remote_kept(t, R1, L1, backend);
}

/* -- T-U: what nobody asked for -- */

Test(claims, T_U1_valid_result_out_of_the_blue)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(EVIL, L1);
	tap_say(t, VALID(L1, EVIL) "<db:result from='" EVIL "' to='" L1 "' type='valid'/>");
	remote_sync(t);
	cr_assert_eq(STAT(ignored_dialback), 2);
	cr_assert_eq(STAT(pairs_valid), 0);
	stanza(t, EVIL, L1);
	tap_expect_error(t, "not-authorized");
}

Test(claims, T_U2_forged_answer_on_the_asking_stream)
{
	struct tap *backend, *t;
	struct question q;

	rig_start_plain();
	backend = backend_shop();
	t = remote_open(R1, L1);
	remote_claim(t, R1, L1);
	sham_greet(&rig.near, L1, R1);
	sham_question(&rig.near, &q);
	tap_say(t, "<db:verify from='" R1 "' to='" L1 "' id='%s' type='valid'/>", t->id);
	remote_sync(t);
	cr_assert_eq(STAT(ignored_dialback), 1);
	cr_assert_eq(STAT(pairs_valid), 0);
	sham_answer(&rig.near, &q, "valid"); /* still waited for */
	tap_expect(t, VALID(R1, L1));
	remote_kept(t, R1, L1, backend);
}

Test(claims, other_elements_and_types_are_ignored)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	tap_say(t, "<db:other from='" R1 "' to='" L1 "'/>");
	tap_say(t, "<db:result from='" R2 "' to='" L1 "' type='please'>" KEY "</db:result>");
	tap_say(t, "<db:verify from='" R2 "' to='" L1 "' id='1' type=''>" KEY "</db:verify>");
	remote_kept(t, R1, L1, backend);
	remote_sync(t);
	cr_assert_eq(STAT(ignored_dialback), 3);
	cr_assert_eq(STAT(claims), 1);
}

static void unsolicited(struct tap *t, unsigned n)
{
	while (n--)
		tap_say(t, "<db:result from='" EVIL "' to='" L1 "' type='valid'/>");
}

Test(claims, T_U9_too_many_from_a_stranger)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	unsolicited(t, 20);
	remote_sync(t);
	unsolicited(t, 1);
	tap_expect_error(t, "policy-violation");
}

Test(claims, T_U10_too_many_from_a_stream_with_a_pair)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	unsolicited(t, 21);
	remote_kept(t, R1, L1, backend);
	cr_assert_eq(STAT(ignored_dialback), 21);
}

/* -- T-I: invalid keys -- */

/* No other pair. */
static struct tap *alone(const char *policy)
{
	struct tap *t;

	rig_start("--invalid-policy", policy, NULL);
	t = remote_open(EVIL, L1);
	remote_evil(t, "invalid");
	return t;
}

/* One other pair is VALID. */
static struct tap *beside(const char *policy, struct tap **backend)
{
	struct tap *t;

	rig_start("--invalid-policy", policy, NULL);
	*backend = backend_shop();
	t = remote_proven(R1, L1);
	remote_evil(t, "invalid");
	return t;
}

static void closes_in_order(struct tap *t)
{
	tap_expect(t, INVALID(EVIL, L1) "</stream:stream>");
	tap_say(t, "</stream:stream>");
	tap_expect_end(t);
}

Test(claims, T_I1_rfc3920)
{
	closes_in_order(alone("rfc3920"));
}

Test(claims, T_I2_rfc3920_closes_over_other_pairs)
{
	struct tap *backend;

	closes_in_order(beside("rfc3920", &backend));
}

Test(claims, T_I3_xep_0_6)
{
	struct tap *t = alone("xep-0.6");

	tap_expect(t, INVALID(EVIL, L1));
	remote_sync(t);
	remote_prove(t, R1, L1);
}

Test(claims, T_I4_xep_0_6_other_pairs)
{
	struct tap *backend, *t = beside("xep-0.6", &backend);

	tap_expect(t, INVALID(EVIL, L1));
	remote_kept(t, R1, L1, backend);
}

Test(claims, T_I5_xep_1_1)
{
	closes_in_order(alone("xep-1.1"));
}

Test(claims, T_I6_xep_1_1_other_pairs)
{
	struct tap *backend, *t = beside("xep-1.1", &backend);

	tap_expect(t, ERROR(EVIL, L1, "auth", "forbidden"));
	remote_kept(t, R1, L1, backend);
	cr_assert_eq(STAT(pairs_invalid), 1);
}

Test(claims, T_I7_forbid_begins)
{
	struct tap *t = alone("forbid");

	tap_expect(t, ERROR(EVIL, L1, "auth", "forbidden"));
	remote_sync(t); /* the 30 seconds are a simulation's business */
}

Test(claims, T_I8_forbid_other_pairs)
{
	struct tap *backend, *t = beside("forbid", &backend);

	tap_expect(t, ERROR(EVIL, L1, "auth", "forbidden"));
	remote_kept(t, R1, L1, backend);
}

Test(claims, T_I10_stanza_of_the_refused_pair)
{
	struct tap *backend, *t = beside("xep-1.1", &backend);

	tap_expect(t, ERROR(EVIL, L1, "auth", "forbidden"));
	stanza(t, EVIL, L1);
	tap_expect_error(t, "invalid-from");
	cr_assert(tap_quiet(backend));
}

Test(claims, T_I10_stanza_of_the_refused_pair_alone)
{
	struct tap *t = alone("xep-0.6");

	tap_expect(t, INVALID(EVIL, L1));
	stanza(t, EVIL, L1);
	tap_expect_error(t, "not-authorized");
}

Test(claims, T_I11_the_log_names_all_four)
{
	struct tap *backend, *t = beside("xep-1.1", &backend);
	char authority[64];

	tap_expect(t, ERROR(EVIL, L1, "auth", "forbidden"));
	cr_assert(rig_log_has("warn pair-invalid"));
	cr_assert(rig_log_has(" from=" EVIL " to=" L1));
	(void)snprintf(authority, sizeof(authority), " authority=127.0.0.1:%u\n", rig.far.port);
	cr_assert(rig_log_has(authority));
}

/* 2.8.2: a pair that is being verified counts as alive; when all fail, the last failure closes. */
Test(claims, invalid_first_and_the_rest_fails_too)
{
	struct question q;
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	remote_claim(t, R1, L1);
	sham_greet(&rig.near, L1, R1);
	sham_question(&rig.near, &q);
	remote_evil(t, "invalid");
	tap_expect(t, ERROR(EVIL, L1, "auth", "forbidden"));
	sham_answer(&rig.near, &q, "error");
	tap_expect(t, ERROR(R1, L1, "cancel", "remote-server-not-found") "</stream:stream>");
	tap_say(t, "</stream:stream>");
	tap_expect_end(t);
}
