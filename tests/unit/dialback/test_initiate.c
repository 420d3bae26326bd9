/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The initiator by the rows of the protocol: one pair, its claim, what is kept for it. See also
 * test_initiate_invalid.c, _streams.c, _targets.c, _limits.c and _random.c. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "initiate_net.h"

TestSuite(initiate, .init = net_begin, .fini = net_end, .timeout = 100);

/* T-D1: up to the claim, with three stanzas kept. */
static void claimed(void)
{
	cr_assert_eq(net_stanza(L1, R1, "1"), OUT_KEPT);
	cr_assert_eq(net_stanza(L1, R1, "2"), OUT_KEPT);
	cr_assert_eq(net_stanza(L1, R1, "3"), OUT_KEPT);
	net_turn(0);
	net_found(R1, PEER);
	net_up(0);
	cr_assert_eq(net_claims(0, L1, R1), 1);
}

/* Whatever happened to L1, another pair on the same stream loses nothing. */
static void expect_other_pair_works(void)
{
	char before[NET_TEXT];

	snprintf(before, sizeof(before), "%s%sa b", net_sent(0), *net_sent(0) ? " " : "");
	net_stanza(L2, R1, "a");
	net_turn(0);
	cr_expect(net_valid(0, L2, R1));
	cr_expect_eq(net_stanza(L2, R1, "b"), OUT_WRITE);
	cr_expect_str_eq(net_sent(0), before);
}

/* T-D1 */
Test(initiate, d1_claim_before_any_stanza)
{
	cr_expect_eq(net_stanza(L1, R1, "1"), OUT_KEPT);
	net_turn(0);
	cr_expect_eq(net.n_links, 0);
	net_found(R1, PEER);
	cr_assert_eq(net.n_links, 1);
	cr_expect_str_eq(net.links[0]->from, L1);
	cr_expect_str_eq(net.links[0]->to, R1);
	cr_expect_eq(net.links[0]->proof, OUT_PROOF_EXTERNAL);
	cr_expect_eq(net.n_claims, 0);
	net_up(0);
	cr_assert_eq(net.n_claims, 1);
	cr_expect_eq(net_stanza(L1, R1, "2"), OUT_KEPT);
	cr_expect_eq(net.n_sent, 0, "no stanza yet");
	cr_expect_eq(net_stats().kept, 2);
}

/* T-D2 */
Test(initiate, d2_valid_releases_the_queue)
{
	claimed();
	cr_expect(net_valid(0, L1, R1));
	cr_expect_str_eq(net_sent(0), "1 2 3");
	cr_expect_eq(net_stanza(L1, R1, "4"), OUT_WRITE);
	cr_expect_str_eq(net_sent(0), "1 2 3 4");
	cr_expect_eq(net_stats().kept, 0);
	cr_expect_not(net_valid(0, L1, R1), "it was answered");
}

/* T-D5: the queue is returned, and what comes within the hold, at once; then it is tried anew. */
static void refused(enum db_condition condition, const char *name, uint64_t hold)
{
	char expect[200];

	claimed();
	cr_expect(net_refuse(0, L1, R1, condition));
	snprintf(expect, sizeof(expect), "1:refused/%s 2:refused/%s 3:refused/%s", name, name,
		name);
	cr_expect_str_eq(net_returned(), expect);
	net_wait(hold - 1);
	cr_expect_eq(net_stanza(L1, R1, "4"), OUT_RETURN);
	snprintf(expect, sizeof(expect), "4:refused/%s", name);
	cr_expect_str_eq(net_returned(), expect);
	expect_other_pair_works();
	net_turn(1);
	cr_expect_eq(net_stanza(L1, R1, "5"), OUT_KEPT);
	net_turn(0);
	cr_expect_eq(net_claims(0, L1, R1), 2, "the stream was kept");
}

Test(initiate, d5_item_not_found)
{
	/* A stream without a pair that is valid would be closed after a minute. */
	net_valid_pair(L2, R1);
	net.links[0]->sent[0] = '\0';
	net_stanza(L1, R1, "1");
	net_turn(0);
	cr_expect(net_refuse(0, L1, R1, DB_ITEM_NOT_FOUND));
	cr_expect_str_eq(net_returned(), "1:refused/item-not-found");
	net_wait(HOLD_NOT_FOUND_MS - 1);
	cr_expect_eq(net_stanza(L1, R1, "4"), OUT_RETURN);
	cr_expect_eq(net_stanza(L2, R1, "a"), OUT_WRITE);
	net_turn(1);
	cr_expect_eq(net_stanza(L1, R1, "5"), OUT_KEPT);
	net_turn(0);
	cr_expect_eq(net_claims(0, L1, R1), 2);
}

/* T-D6: DB_CONDITION_COUNT stands for none, and for one that nobody knows. */
Test(initiate, d6_odd_errors)
{
	refused(DB_CONDITION_COUNT, "undefined-condition", HOLD_TRANSIENT_MS);
}

/* T-D7 */
Test(initiate, d7_remote_connection_failed)
{
	refused(DB_REMOTE_CONNECTION_FAILED, "remote-connection-failed", HOLD_TRANSIENT_MS);
}

/* 2.3: policy-violation, not-authorized and forbidden are held for ten minutes. */
Test(initiate, held_for_policy)
{
	static const enum db_condition all[] = { DB_POLICY_VIOLATION, DB_NOT_AUTHORIZED,
		DB_FORBIDDEN };

	net_valid_pair(L2, R1);
	net_stanza(L1, R1, "1");
	net_turn(0);
	for (unsigned at = 0; at < 3; at++) {
		cr_expect(net_refuse(0, L1, R1, all[at]));
		cr_expect_eq(net_stanza(L2, R1, "a"), OUT_WRITE);
		net_wait(HOLD_POLICY_MS - 1);
		cr_expect_eq(net_stanza(L1, R1, "4"), OUT_RETURN);
		net_turn(1);
		cr_expect_eq(net_stanza(L1, R1, "5"), OUT_KEPT);
		net_turn(0);
		cr_assert_eq(net_claims(0, L1, R1), at + 2);
	}
}

/* 2.3: 30 s, twice as long each time, up to ten minutes; valid ends that. */
Test(initiate, hold_grows)
{
	uint64_t hold = HOLD_TRANSIENT_MS;

	net_valid_pair(L2, R1);
	for (unsigned n = 0; n < 7; n++) {
		net_stanza(L1, R1, "1");
		net_turn(0);
		cr_assert(net_refuse(0, L1, R1, DB_INTERNAL_SERVER_ERROR));
		net_wait(hold - 1);
		cr_expect_eq(net_stanza(L1, R1, "2"), OUT_RETURN);
		net_stanza(L2, R1, "a");
		net_turn(1);
		hold = 2 * hold < HOLD_OUT_MAX_MS ? 2 * hold : HOLD_OUT_MAX_MS;
	}
	net_stanza(L1, R1, "3");
	net_turn(0);
	cr_assert(net_valid(0, L1, R1));
	cr_assert(net_refuse(0, L1, R1, DB_INTERNAL_SERVER_ERROR));
	net_wait(HOLD_TRANSIENT_MS);
	cr_expect_eq(net_stanza(L1, R1, "4"), OUT_KEPT);
}

/* T-D8: kept for one more try over another connection */
Test(initiate, d8_resource_constraint)
{
	claimed();
	cr_expect(net_refuse(0, L1, R1, DB_RESOURCE_CONSTRAINT));
	cr_expect_str_eq(net_returned(), "");
	cr_assert_eq(net.n_links, 2);
	net_up(1);
	cr_expect_eq(net_claims(1, L1, R1), 1);
	cr_expect(net_refuse(1, L1, R1, DB_RESOURCE_CONSTRAINT));
	cr_expect_str_eq(net_returned(),
		"1:refused/resource-constraint 2:refused/resource-constraint "
		"3:refused/resource-constraint");
	expect_other_pair_works();
}

Test(initiate, d8_the_second_try_is_good)
{
	claimed();
	net_refuse(0, L1, R1, DB_RESOURCE_CONSTRAINT);
	net_up(1);
	cr_expect(net_valid(1, L1, R1));
	cr_expect_str_eq(net_sent(1), "1 2 3");
	expect_other_pair_works();
	cr_expect_eq(net_claims(1, L2, R1), 0, "it stays alone there");
}

/* T-D9 and T-D10: with the stream all that was claimed ends; a pair that was valid comes again. */
static void ended(enum out_loss how, const char *condition, const char *expect)
{
	net_valid_pair(L2, R1);
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_ending(0);
	net_down(0, how, condition);
	cr_expect_str_eq(net_returned(), expect);
	cr_expect_eq(net_stanza(L2, R1, "a"), OUT_KEPT);
	net_turn(0);
	net_found_if_asked(R1, PEER);
	net_up(1);
	net_valid(1, L2, R1);
	cr_expect_str_eq(net_sent(1), "a");
	cr_expect_eq(net_stanza(L1, R1, "2"), OUT_RETURN, "held");
}

Test(initiate, d9_closed_before_the_answer)
{
	ended(OUT_LOSS_CLOSED, NULL, "1:lost");
}

Test(initiate, d10_error_before_the_answer)
{
	ended(OUT_LOSS_ERROR, "undefined-condition", "1:lost/undefined-condition");
}

Test(initiate, d9_on_the_first_stream)
{
	claimed();
	net_down(0, OUT_LOSS_CLOSED, NULL);
	cr_expect_str_eq(net_returned(), "1:lost 2:lost 3:lost");
	cr_expect_eq(net.n_links, 1);
	net_wait(HOLD_FIRST_MS);
	net_stanza_to(L2, R1, "a", PEER);
	net_up(1);
	cr_expect(net_valid(1, L2, R1));
}

/* T-D11 */
Test(initiate, d11_no_answer)
{
	claimed();
	net_wait(TIMEOUT_DIALBACK_MS - 1);
	cr_expect_str_eq(net_returned(), "");
	net_wait(100);
	cr_expect_str_eq(net_returned(), "1:no-answer 2:no-answer 3:no-answer");
	cr_expect_eq(net_stanza(L1, R1, "4"), OUT_RETURN);
	expect_other_pair_works();
}

Test(initiate, d11_late_valid)
{
	claimed();
	net_wait(TIMEOUT_DIALBACK_MS + 100);
	cr_expect(net_valid(0, L1, R1));
	cr_expect_eq(net_stanza(L1, R1, "5"), OUT_WRITE);
	cr_expect_str_eq(net_sent(0), "5");
}

Test(initiate, d11_late_but_something_else_than_valid)
{
	claimed();
	net_wait(TIMEOUT_DIALBACK_MS + 100);
	cr_expect_not(net_invalid(0, L1, R1));
	cr_expect_not(net_refuse(0, L1, R1, DB_FORBIDDEN));
	expect_other_pair_works();
}

Test(initiate, d11_too_late_when_it_is_claimed_elsewhere)
{
	net_valid_pair(L2, R1);
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_wait(TIMEOUT_DIALBACK_MS + 100);
	net_down(0, OUT_LOSS_CLOSED, NULL);
	net_wait(HOLD_TRANSIENT_MS);
	net_stanza_to(L2, R1, "2", PEER);
	net_up(1);
	cr_expect_not(net_valid(1, L1, R1), "nothing was asked on this stream");
}

/* The hold after silence grows, too. */
Test(initiate, d11_hold_grows)
{
	net_valid_pair(L2, R1);
	for (uint64_t hold = HOLD_TRANSIENT_MS; hold < 4 * HOLD_TRANSIENT_MS; hold *= 2) {
		net_stanza(L1, R1, "1");
		net_wait(TIMEOUT_DIALBACK_MS + 100);
		net_returned();
		net_wait(hold - 200);
		cr_expect_eq(net_stanza(L1, R1, "2"), OUT_RETURN);
		net_wait(200);
	}
}

/* T-D12 */
Test(initiate, d12_invalid_after_valid)
{
	net_valid_pair(L1, R1);
	net_stanza(L2, R1, "a");
	net_turn(0);
	net_valid(0, L2, R1);
	cr_expect(net_invalid(0, L1, R1));
	cr_expect_eq(net_stanza(L1, R1, "1"), OUT_RETURN);
	cr_expect_str_eq(net_returned(), "1:invalid");
	net_wait(QUARANTINE_MIN_MS + 100);
	cr_expect_eq(net_stanza(L2, R1, "b"), OUT_WRITE);
}

Test(initiate, d12_error_after_valid)
{
	net_valid_pair(L1, R1);
	cr_expect(net_refuse(0, L1, R1, DB_POLICY_VIOLATION));
	cr_expect_eq(net_stanza(L1, R1, "1"), OUT_RETURN);
	cr_expect_str_eq(net_returned(), "1:refused/policy-violation");
	expect_other_pair_works();
}

/* T-D13 */
Test(initiate, d13_full)
{
	net_valid_pair(L2, R1);
	for (unsigned n = 0; n < LIMIT_OUT_STANZAS; n++)
		cr_assert_eq(net_stanza(L1, R1, "k"), OUT_KEPT);
	cr_expect_eq(net_stanza(L1, R1, "129"), OUT_RETURN);
	cr_expect_str_eq(net_returned(), "129:full");
	net_turn(0);
	net_valid(0, L1, R1);
	cr_expect_eq(net.n_sent, 1 + LIMIT_OUT_STANZAS);
	cr_expect_eq(net_stanza(L2, R1, "a"), OUT_WRITE);
}

Test(initiate, d13_bytes)
{
	cr_expect_eq(net_bytes(L1, R1, LIMIT_OUT_BYTES - 10), OUT_KEPT);
	cr_expect_eq(net_bytes(L1, R1, 11), OUT_RETURN);
	cr_expect_eq(net_bytes(L1, R1, 10), OUT_KEPT);
	cr_expect_eq(net_bytes(L1, R1, 1), OUT_RETURN);
	cr_expect_eq(net_bytes(L1, R2, LIMIT_OUT_BYTES + 1000), OUT_KEPT, "a single large one");
	cr_expect_eq(net_bytes(L1, R2, 1), OUT_RETURN);
	cr_expect_eq(net_stats().kept, 2 * LIMIT_OUT_BYTES + 1000);
}

/* T-D14 is all of the above: nobody has ever asked us about a key. */

/* T-D19 */
Test(initiate, d19_one_waits_the_other_does_not)
{
	net_valid_pair(L1, R1);
	net_stanza(L2, R1, "a");
	net_turn(0);
	cr_expect_eq(net_stanza(L1, R1, "1"), OUT_WRITE);
	cr_expect_str_eq(net_sent(0), "0 1");
}

/* T-U3 */
Test(initiate, u3_nothing_was_claimed)
{
	net_valid_pair(L2, R1);
	cr_expect_not(net_valid(0, L1, R2));
	cr_expect_not(net_valid(0, L1, R1));
	cr_expect_eq(net_stanza(L1, R2, "1"), OUT_KEPT);
	cr_expect_eq(net_stats().unsolicited, 2);
	cr_expect_str_eq(net_sent(0), "0");
}

/* T-U4 */
Test(initiate, u4_another_target)
{
	claimed();
	net_stanza_to(L1, R2, "x", "192.0.2.2:5269");
	net_up(1);
	cr_expect_not(net_valid(1, L1, R1), "claimed on another stream");
	cr_expect_not(net_invalid(1, L1, R1));
	cr_expect_not(net_refuse(1, L1, R1, DB_FORBIDDEN));
	cr_expect(net_valid(0, L1, R1));
	cr_expect_str_eq(net_sent(0), "1 2 3");
	cr_expect(net_valid(1, L1, R2));
}

/* T-U5 */
Test(initiate, u5_swapped)
{
	claimed();
	cr_expect_not(net_valid(0, R1, L1));
	cr_expect_eq(net.n_sent, 0);
	cr_expect(net_valid(0, L1, R1));
}

Test(initiate, unsolicited_while_it_waits_for_the_window)
{
	claimed();
	net_wait(10);
	net.claims[0].open = false;
	for (unsigned n = 0; n < LIMIT_OUT_WINDOW_MIN; n++) {
		const char *from = net_name("l%u.test", n);

		net_stanza(from, R1, from);
	}
	net_turn(0);
	cr_assert_eq(net.n_claims, LIMIT_OUT_WINDOW_MIN);
	cr_expect_not(net_valid(0, "l7.test", R1));
	cr_expect(net_valid(0, L1, R1));
	cr_expect_eq(net_claims(0, "l7.test", R1), 1);
}

/* -- time -- */

/* A stanza is kept for 90 s in all, whatever the pair passes through. */
Test(initiate, expires_while_claimed)
{
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_wait(50000);
	net_found(R1, PEER);
	net_wait(20000);
	net_up(0);
	net_wait(TIMEOUT_DELIVER_MS - 70000 - 1);
	cr_expect_str_eq(net_returned(), "");
	net_wait(100);
	cr_expect_str_eq(net_returned(), "1:expired");
	cr_expect_eq(net_stanza(L1, R1, "2"), OUT_KEPT);
	cr_expect(net_valid(0, L1, R1), "the claim is not over");
	cr_expect_str_eq(net_sent(0), "2");
}

Test(initiate, expires_while_dialling)
{
	net_stanza_to(L1, R1, "1", PEER);
	net_wait(TIMEOUT_DELIVER_MS + 100);
	cr_expect_str_eq(net_returned(), "1:expired");
	cr_expect_eq(net_stanza(L1, R1, "2"), OUT_KEPT);
	net_turn(0);
	net_up(0);
	net_valid(0, L1, R1);
	cr_expect_str_eq(net_sent(0), "2");
}

/* -- what comes back unsent -- */

Test(initiate, unsent_goes_first)
{
	net_valid_pair(L1, R1);
	net_stanza(L2, R1, "a");
	net_turn(0);
	net_valid(0, L2, R1);
	net_stanza(L1, R1, "1");
	net_stanza(L2, R1, "b");
	net_stanza(L1, R1, "2");
	net_ending(0);
	cr_expect_eq(net_stanza(L1, R1, "3"), OUT_KEPT);
	cr_expect_eq(net_stanza(L2, R1, "c"), OUT_KEPT);
	cr_expect(net_requeue(0, L1, R1, "1"));
	cr_expect(net_requeue(0, L2, R1, "b"));
	cr_expect(net_requeue(0, L1, R1, "2"));
	net_down(0, OUT_LOSS_CLOSED, NULL);
	net_found_if_asked(R1, PEER);
	net_up(1);
	net_stanza(L1, R1, "4");
	net_valid(1, L1, R1);
	net_valid(1, L2, R1);
	cr_expect_str_eq(net_sent(1), "1 2 3 4 b c");
	cr_expect_eq(net_stats().moved, 3);
	/* Once more, with what is behind it. */
	net_ending(1);
	net_stanza(L1, R1, "5");
	cr_expect(net_requeue(1, L1, R1, "4"));
	net_down(1, OUT_LOSS_CLOSED, NULL);
	net_wait(5000);
	net_found_if_asked(R1, PEER);
	net_up(2);
	net_valid(2, L1, R1);
	cr_expect_str_eq(net_sent(2), "4 5");
}

Test(initiate, unsent_of_nobody)
{
	net_valid_pair(L1, R1);
	cr_expect_not(net_requeue(0, L2, R1, "x"));
	net_refuse(0, L1, R1, DB_FORBIDDEN);
	cr_expect_not(net_requeue(0, L1, R1, "x"), "its pair was refused meanwhile");
	expect_other_pair_works();
}

/* A server that takes the pair each time, and never a stanza. */
Test(initiate, unsent_for_ever)
{
	uint64_t begin = net.now;

	net.places = PEER;
	net_stanza(L1, R1, "1");
	net_turn(0);
	while (net.n_returned == 0 && net.now < begin + 2 * TIMEOUT_DELIVER_MS) {
		if (!net.links[net.n_links - 1]->dialling) {
			net_turn(100);
			continue;
		}
		net_up(net.n_links - 1);
		cr_assert(net_valid(net.n_links - 1, L1, R1));
		cr_assert(net_requeue(net.n_links - 1, L1, R1, "1"));
		net_down(net.n_links - 1, OUT_LOSS_CLOSED, NULL);
	}
	cr_expect_str_eq(net_returned(), "1:expired");
	cr_expect_leq(net.now, begin + TIMEOUT_DELIVER_MS + 200);
}

/* One that failed has a seat while an answer may come: nothing is kept for it. */
Test(initiate, unsent_of_an_unanswered_pair)
{
	claimed();
	net_wait(TIMEOUT_DIALBACK_MS + 100);
	cr_expect_not(net_requeue(0, L1, R1, "x"));
}

/* -- errors of our own making -- */

Test(initiate, no_stream_for_an_error)
{
	cr_expect_eq(net_error(L1, R1, "e"), OUT_NOWHERE);
	net_turn(0);
	cr_expect_eq(net.n_lookups, 0);
	net_valid_pair(L1, R1);
	cr_expect_eq(net_error(L1, R1, "e1"), OUT_WRITE);
	cr_expect_eq(net_error(L2, R1, "e2"), OUT_KEPT, "the stream is there");
	net_turn(0);
	net_valid(0, L2, R1);
	cr_expect_str_eq(net_sent(0), "0 e1 e2");
	cr_expect_eq(net_error(L2, R2, "e3"), OUT_NOWHERE);
}

/* Where each sender needs its own, another's is none for it. */
Test(initiate, no_stream_for_an_error_without_dialback)
{
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_found(R1, PEER);
	net_up_claimless(0);
	cr_expect_eq(net_error(L1, R1, "e1"), OUT_WRITE);
	cr_expect_eq(net_error(L2, R1, "e2"), OUT_NOWHERE);
	net_turn(0);
	cr_expect_eq(net.n_links, 1);
	cr_expect_str_eq(net_sent(0), "1 e1");
}

Test(initiate, no_stream_of_its_own_for_an_error)
{
	net_valid_pair(L2, R1);
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_invalid(0, L1, R1);
	for (unsigned n = 0; n < 5; n++) {
		net_wait(HOLD_INVALID_MS / 5 + 1);
		net_stanza(L2, R1, "a");
	}
	cr_expect_eq(net_error(L1, R1, "e"), OUT_NOWHERE);
	net_turn(0);
	cr_expect_eq(net.n_links, 1);
}
