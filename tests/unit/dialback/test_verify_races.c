/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verifier when things happen at the wrong moment, or in the wrong order. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "verify_rig.h"

#define AS "192.0.2.1:5269"

static struct asker in, other;

static void setup(void)
{
	rig_begin();
	rig_asker(&in, "OURID", "203.0.113.5");
	rig_asker(&other, "OTHER", "203.0.200.5");
}

static void teardown(void)
{
	rig.on_done = NULL;
	rig_asker_gone(&in);
	rig_asker_gone(&other);
	rig_end();
}

TestSuite(races, .init = setup, .fini = teardown, .timeout = 100);

static struct claim *claim(const char *from)
{
	struct claim *c = rig_claim(&in, NULL, from, "shop.hosted.test", "K");

	rig_turn(0);
	return c;
}

/* -- cancelled -- */

Test(races, cancelled_while_waiting)
{
	verifier_cancel(rig.v, rig_claim(&in, NULL, "rx.peer.test", "l", "K"));
	cr_expect_eq(in.n_claims, 0);
	rig_turn(0);
	cr_expect_eq(rig.n_lookups, 0);
}

Test(races, resolved_after_cancel)
{
	verifier_cancel(rig.v, claim("rx.peer.test"));
	rig_resolved(0, RESOLUTION_FOUND, AS);
	cr_expect_eq(rig.n_links, 0);
	cr_expect_eq(rig.n_done, 0);
	rig_resolved(0, RESOLUTION_FOUND, AS);
	verifier_resolved(rig.v, 12345, RESOLUTION_NONE, NULL, 0, rig.now);
	cr_expect_eq(rig.n_links, 0);
	claim("rx.peer.test");
	cr_expect_eq(rig.n_lookups, 2, "nobody kept the addresses");
}

/* The slot is taken for as long as the resolver works: reconnecting does not bring new ones. */
Test(races, cancelled_lookups_keep_their_slots)
{
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 50; i++) {
			char from[32];

			snprintf(from, sizeof(from), "d%u-%u.test", round, i);
			claim(from);
		}
		verifier_cancel_all(rig.v, &in);
	}
	cr_expect_eq(rig.open_lookups, LIMIT_LOOKUPS_MIN);
	claim("rx.peer.test");
	rig_resolved(0, RESOLUTION_NONE, NULL);
	cr_expect_str_eq(rig.lookups[LIMIT_LOOKUPS_MIN].domain, "rx.peer.test");
}

Test(races, joins_a_lookup_whose_claim_is_gone)
{
	verifier_cancel(rig.v, claim("rx.peer.test"));
	claim("rx.peer.test");
	cr_expect_eq(rig.n_lookups, 1);
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	cr_expect(rig_answer(0, ANSWER_VALID));
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 1);
}

Test(races, cancelled_while_dialling)
{
	struct claim *c = claim("rx.peer.test");

	rig_resolved(0, RESOLUTION_FOUND, AS);
	verifier_cancel(rig.v, c);
	rig_up(0);
	cr_expect_eq(rig.n_asks, 0);
	rig_wait(TIMEOUT_IDLE_VERIFY_MS);
	cr_expect(rig.links[0].hung_up);
}

Test(races, answer_after_cancel)
{
	struct claim *c = claim("rx.peer.test");

	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	verifier_cancel(rig.v, c);
	cr_expect(rig_answer(0, ANSWER_VALID));
	cr_expect_not(rig_answer(0, ANSWER_VALID));
	cr_expect_eq(rig.n_done, 0);
	cr_expect_eq(in.n_claims, 0);
}

/* 2.4 row 9: another key for the same pair. The answers look alike; they come in order. */
Test(races, answer_to_the_first_key_is_not_the_seconds)
{
	struct claim *c = claim("rx.peer.test");

	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	verifier_cancel(rig.v, c);
	rig_claim(&in, NULL, "rx.peer.test", "shop.hosted.test", "K2");
	rig_turn(0);
	cr_assert_eq(rig.n_asks, 2);
	cr_expect(rig_answer(0, ANSWER_INVALID));
	cr_expect_eq(rig.n_done, 0);
	cr_expect(rig_answer(1, ANSWER_VALID));
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 1);
	cr_expect_eq(rig.n_done, 1);
}

Test(races, cancelled_question_runs_out_of_time)
{
	struct claim *c = claim("rx.peer.test");

	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	verifier_cancel(rig.v, c);
	cr_expect_eq(in.in_flight, 1);
	rig_wait(TIMEOUT_VERIFY_MS + 100);
	cr_expect_eq(in.in_flight, 0);
	cr_expect_eq(in.n_claims, 0);
	cr_expect_eq(rig.n_done, 0);
}

Test(races, answer_after_time_out)
{
	claim("rx.peer.test");
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	rig_wait(10000);
	claim("second.test"); /* keeps the link */
	rig_resolved(1, RESOLUTION_FOUND, AS);
	rig_wait(TIMEOUT_VERIFY_MS - 9900);
	cr_expect_eq(rig_outcomes(VERIFY_TIMEOUT), 1);
	cr_expect(rig_answer(0, ANSWER_VALID), "late, but solicited");
	cr_expect_eq(rig.n_done, 1);
	cr_expect(rig_answer(1, ANSWER_VALID));
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 1);
}

/* -- answers -- */

Test(races, double_answer)
{
	claim("rx.peer.test");
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	cr_expect(rig_answer(0, ANSWER_INVALID));
	cr_expect_not(rig_answer(0, ANSWER_VALID));
	cr_expect_eq(rig.n_done, 1);
	cr_expect_eq(verifier_stats(rig.v)->unmatched, 1);
}

Test(races, answer_on_a_later_link_of_the_same_endpoint)
{
	claim("rx.peer.test");
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	rig_down(0, LOSS_CLOSED);
	rig.resolve_inside = AS;
	claim("other.test");
	rig_up(1);
	rig.asks[0].link = 1;
	cr_expect_not(rig_answer(0, ANSWER_VALID));
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 0);
}

/* -- links that end -- */

/* Those that were asked fail, those that were not are asked on another link. */
Test(races, link_down_while_claims_wait)
{
	rig.resolve_inside = AS;
	for (unsigned i = 0; i < 200; i++) {
		char from[32];

		snprintf(from, sizeof(from), "d%u.test", i);
		claim(from);
	}
	rig_up(0);
	cr_assert_eq(rig.n_asks, LIMIT_KEYS_MIN);
	rig_down(0, LOSS_CLOSED);
	cr_expect_eq(rig_outcomes(VERIFY_TIMEOUT), LIMIT_KEYS_MIN);
	cr_assert_eq(rig.n_links, 2);
	rig_up(1);
	rig_answer_all(ANSWER_VALID);
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 200 - LIMIT_KEYS_MIN);
	cr_expect_eq(rig.n_asks, 200);
}

/* A question that had not gone out when the link ended was never asked: it waits for another. */
Test(races, link_down_with_questions_that_were_not_sent)
{
	struct claim *c;

	claim("sent.test");
	claim("unsent.test");
	c = claim("cancelled.test");
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_resolved(1, RESOLUTION_FOUND, AS);
	rig_resolved(2, RESOLUTION_FOUND, AS);
	rig_up(0);
	cr_assert_eq(rig.n_asks, 3);
	verifier_cancel(rig.v, c);
	verifier_link_sent(rig.v, rig.links[0].link, 1);
	rig_down(0, LOSS_CLOSED);
	cr_expect_eq(rig_outcomes(VERIFY_TIMEOUT), 1);
	cr_assert_eq(rig.n_links, 2);
	rig_up(1);
	cr_assert_eq(rig.n_asks, 4);
	cr_expect(rig_answer(3, ANSWER_VALID));
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 1);
	cr_expect_eq(rig.n_done, 2);
}

/* An endpoint that hangs up on everybody is not dialled for ever ... */
Test(races, links_of_no_use)
{
	rig.resolve_inside = AS;
	for (unsigned i = 0; i < 500; i++) {
		char from[32];

		snprintf(from, sizeof(from), "d%u.test", i);
		claim(from);
	}
	for (unsigned i = 0; i < rig.n_links; i++) {
		cr_assert_lt(i, 3);
		rig_up(i);
		rig_down(i, LOSS_CLOSED);
	}
	cr_expect_eq(rig.n_links, 2);
	cr_expect_eq(rig_outcomes(VERIFY_TIMEOUT), 500);
}

/* ... but one that answers some questions a connection is. */
Test(races, links_of_little_use)
{
	unsigned answered = 0;

	rig.resolve_inside = AS;
	for (unsigned i = 0; i < 500; i++) {
		char from[32];

		snprintf(from, sizeof(from), "d%u.test", i);
		claim(from);
	}
	for (unsigned i = 0; i < rig.n_links; i++) {
		rig_up(i);
		for (unsigned n = 0; n < 40 && answered < rig.n_asks; n++)
			while (answered < rig.n_asks && rig.asks[answered].link != i)
				answered++;
		for (unsigned n = 0; n < 40 && answered + n < rig.n_asks; n++)
			rig_answer(answered + n, ANSWER_VALID);
		rig_down(i, LOSS_CLOSED);
		rig_wait(100);
	}
	cr_expect_gt(rig.n_links, 3);
	cr_expect_eq(rig.n_done, 500);
	cr_expect_gt(rig_outcomes(VERIFY_VALID), 150);
}

/* A domain that somebody points at a server which does not know it costs the others nothing but a
 * new connection; and it does not come back to theirs. */
Test(races, host_unknown_blames_one)
{
	rig.resolve_inside = AS;
	claim("evil.test");
	claim("good.test");
	claim("fine.test");
	cr_assert_str_eq(rig.links[0].header_to, "evil.test");
	rig_down(0, LOSS_HOST_UNKNOWN);
	cr_expect_eq(rig_outcomes(VERIFY_NOT_FOUND), 1);
	cr_expect_str_eq(rig.done[0].from, "evil.test");
	cr_assert_eq(rig.n_links, 2);
	cr_expect_str_eq(rig.links[1].header_to, "good.test");
	rig_up(1);
	claim("evil.test");
	cr_assert_eq(rig.n_links, 3, "apart");
	cr_expect_str_eq(rig.links[2].header_to, "evil.test");
	rig_up(2);
	rig_down(2, LOSS_HOST_UNKNOWN);
	cr_expect_eq(rig_outcomes(VERIFY_NOT_FOUND), 2);
	cr_expect(rig.links[1].open);
	rig_answer_all(ANSWER_VALID);
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 2);
	/* For some minutes. */
	rig_wait(HOLD_POLICY_MS + 1000);
	claim("evil.test");
	claim("good.test");
	cr_expect_eq(rig.n_links, 4);
}

/* Once asked, the oldest open question is to blame; the others were asked and may not be again. */
Test(races, host_unknown_in_the_middle)
{
	rig.resolve_inside = AS;
	claim("good.test");
	claim("evil.test");
	claim("fine.test");
	rig_up(0);
	rig_answer(0, ANSWER_VALID);
	rig_down(0, LOSS_HOST_UNKNOWN);
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 1);
	cr_assert_eq(rig_outcomes(VERIFY_NOT_FOUND), 1);
	cr_assert_eq(rig_outcomes(VERIFY_TIMEOUT), 1);
	cr_expect_str_eq(rig.done[1].from, "evil.test");
	cr_expect_str_eq(rig.done[2].from, "fine.test");
	cr_expect_eq(rig.n_asks, 3);
}

Test(races, ask_refused_by_a_closing_stream)
{
	rig.resolve_inside = AS;
	claim("a.test");
	claim("b.test");
	rig.refuse_asks = true;
	rig_up(0);
	rig.refuse_asks = false;
	claim("c.test");
	cr_expect_eq(rig.n_asks, 0, "no more questions for it");
	rig_down(0, LOSS_CLOSED);
	cr_assert_eq(rig.n_links, 2);
	rig_up(1);
	rig_answer_all(ANSWER_VALID);
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 3);
}

Test(races, unreachable_for_all_who_wait)
{
	claim("a.test");
	claim("b.test");
	rig_resolved(0, RESOLUTION_FOUND, AS " 192.0.2.2:5269");
	rig_resolved(1, RESOLUTION_FOUND, AS " 192.0.2.3:5269");
	cr_assert_eq(rig.n_links, 1);
	rig_down(0, LOSS_UNREACHABLE);
	cr_assert_eq(rig.n_links, 3, "each goes its way");
	rig_up(1);
	rig_down(2, LOSS_UNREACHABLE);
	rig_answer_all(ANSWER_VALID);
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 1);
	cr_expect_eq(rig_outcomes(VERIFY_UNREACHABLE), 1);
}

/* The budget of one who left pays for nobody else; the others have their own. */
Test(races, other_source_dials_at_once)
{
	for (unsigned i = 0; i < 60; i++) {
		char from[32], addr[32];

		snprintf(from, sizeof(from), "d%u.test", i);
		snprintf(addr, sizeof(addr), "198.51.100.%u:5269", i);
		claim(from);
		rig_resolved(i, RESOLUTION_FOUND, addr);
	}
	cr_assert_eq(rig.n_links, LIMIT_DIALS_PER_S);
	/* 198.51.100.50 waits for the budget of the first; the second has one. */
	rig_claim(&other, NULL, "d50.test", "l", "K");
	rig_turn(0);
	cr_assert_eq(rig.n_links, LIMIT_DIALS_PER_S + 1);
	cr_expect_eq(rig.links[LIMIT_DIALS_PER_S].to.addr.ip[15], 50);
	verifier_cancel_all(rig.v, &in);
	rig_up(LIMIT_DIALS_PER_S);
	cr_expect_eq(rig.n_asks, 1);
	rig_answer_all(ANSWER_VALID);
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 1);
}

/* The time of a claim stands still while it waits for the budget. */
Test(races, waiting_costs_no_time)
{
	unsigned last;

	for (unsigned i = 0; i < 2000; i++) {
		char from[32], addr[32];

		snprintf(from, sizeof(from), "d%u.test", i);
		snprintf(addr, sizeof(addr), "198.51.%u.%u:5269", i / 250, i % 250);
		claim(from);
		rig_resolved(i, RESOLUTION_FOUND, addr);
	}
	for (unsigned i = 0; i < 2000; i++) {
		while (i >= rig.n_links)
			rig_wait(50);
		rig_up(i);
		rig_answer_all(ANSWER_VALID);
	}
	last = rig.n_links;
	cr_expect_eq(last, 2000);
	cr_expect_gt(rig.now, 3 * TIMEOUT_VERIFY_MS);
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 2000);
}

/* -- pairs -- */

Test(races, pair_knows_its_claim)
{
	struct pair p = { 0 };
	struct claim *c = rig_claim(&in, &p, "rx.peer.test", "l", "K");

	cr_expect_eq(p.claim, c);
	cr_expect_eq(claim_pair(c), &p);
	verifier_cancel(rig.v, c);
	cr_expect_null(p.claim);
	c = rig_claim(&in, &p, "rx.peer.test", "l", "K");
	rig_turn(0);
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	verifier_cancel(rig.v, c);
	cr_expect_null(p.claim, "though it was asked");
	rig_claim(&in, &p, "rx.peer.test", "l", "K");
	verifier_cancel_all(rig.v, &in);
	cr_expect_null(p.claim);
}
