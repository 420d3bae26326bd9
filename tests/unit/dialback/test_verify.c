/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verifier by the rows of the protocol; see also test_verify_windows.c and _races.c. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "verify_rig.h"

#define AS "192.0.2.1:5269"

TestSuite(verify, .init = rig_begin, .fini = rig_end, .timeout = 100);

static struct asker in;

/* One claim of one asker, up to the open link. */
static struct claim *begin(void)
{
	struct claim *c;

	rig_asker(&in, "OURID", "203.0.113.5");
	c = rig_claim(&in, NULL, "rx.peer.test", "shop.hosted.test", "K");
	rig_turn(0);
	return c;
}

static void expect_only(enum verify_outcome o)
{
	cr_assert_eq(rig.n_done, 1);
	cr_expect_eq(rig.done[0].outcome, o, "%s", verify_outcome_name(rig.done[0].outcome));
	cr_expect_eq(rig_outcomes(o), 1);
	cr_expect_eq(rig.done[0].asker, &in);
	cr_expect_eq(in.n_claims, 0);
	cr_expect_eq(in.in_flight, 0);
}

/* -- one claim -- */

/* T-R1, T-R2 */
Test(verify, question_and_answer)
{
	struct addr as;

	begin();
	cr_assert_eq(rig.n_lookups, 1);
	cr_expect_str_eq(rig.lookups[0].domain, "rx.peer.test");
	rig_resolved(0, RESOLUTION_FOUND, AS);
	cr_assert_eq(rig.n_links, 1);
	cr_expect_str_eq(rig.links[0].header_from, "shop.hosted.test");
	cr_expect_str_eq(rig.links[0].header_to, "rx.peer.test");
	cr_expect_eq(rig.n_asks, 0);
	rig_up(0);
	cr_assert_eq(rig.n_asks, 1);
	cr_expect_str_eq(rig.asks[0].from, "shop.hosted.test");
	cr_expect_str_eq(rig.asks[0].to, "rx.peer.test");
	cr_expect_str_eq(rig.asks[0].id, "OURID");
	cr_expect_str_eq(rig.asks[0].key, "K");
	cr_expect(rig_answer(0, ANSWER_VALID));
	expect_only(VERIFY_VALID);
	addr_parse(SPAN_LIT(AS), 0, &as);
	cr_expect(rig.done[0].tried && addr_eq(&rig.done[0].authority, &as));
	cr_expect(rig.links[0].open, "kept for a while");
}

Test(verify, texts)
{
	struct claim *c;

	rig_asker(&in, "OURID", "203.0.113.5");
	c = verifier_claim(rig.v, &in, NULL, SPAN_LIT("rx.peer.test"), SPAN_LIT("l"),
		SPAN_LIT("RX.Peer.test"), SPAN_LIT("L"), SPAN_LIT("key"), rig.now);
	cr_expect(span_is(claim_from(c), "rx.peer.test"));
	cr_expect(span_is(claim_to(c), "l"));
	cr_expect(span_is(claim_raw_from(c), "RX.Peer.test"));
	cr_expect(span_is(claim_raw_to(c), "L"));
	cr_expect(span_is(claim_key(c), "key"));
	cr_expect_eq(claim_asker(c), &in);
	cr_expect_null(claim_pair(c));
	verifier_cancel(rig.v, c);
}

Test(verify, invalid)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	rig_answer(0, ANSWER_INVALID);
	expect_only(VERIFY_INVALID);
}

/* T-R6 */
Test(verify, authority_answers_an_error)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	rig_answer(0, ANSWER_ERROR);
	expect_only(VERIFY_NOT_FOUND);
}

/* T-R7: as an answer to the question, or to the header */
Test(verify, host_unknown)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	rig_down(0, LOSS_HOST_UNKNOWN);
	expect_only(VERIFY_NOT_FOUND);
}

Test(verify, host_unknown_at_once)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS " 192.0.2.2:5269");
	rig_down(0, LOSS_HOST_UNKNOWN);
	cr_assert_eq(rig.n_links, 2, "the other of its targets may know it");
	rig_down(1, LOSS_HOST_UNKNOWN);
	expect_only(VERIFY_NOT_FOUND);
	cr_expect_eq(rig.n_links, 2);
}

/* T-R8 */
Test(verify, no_such_domain)
{
	begin();
	rig_resolved(0, RESOLUTION_NONE, NULL);
	expect_only(VERIFY_NOT_FOUND);
	cr_expect_eq(rig.n_links, 0, "no connect");
	cr_expect_not(rig.done[0].tried);
}

Test(verify, found_nothing)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, NULL);
	expect_only(VERIFY_NOT_FOUND);
}

Test(verify, dns_fails)
{
	begin();
	rig_resolved(0, RESOLUTION_FAILED, NULL);
	expect_only(VERIFY_UNREACHABLE);
}

/* 9.6 */
Test(verify, only_forbidden_addresses)
{
	begin();
	rig_resolved(0, RESOLUTION_FORBIDDEN, NULL);
	expect_only(VERIFY_UNREACHABLE);
	cr_expect_eq(rig.n_links, 0);
}

/* Nobody there can be asked, and nobody is to be blamed for it: as when TLS is demanded. */
Test(verify, only_direct_tls_which_we_do_not_do)
{
	begin();
	rig_resolved(0, RESOLUTION_DIRECT_ONLY, NULL);
	expect_only(VERIFY_NOT_ACCEPTABLE);
	cr_expect_eq(rig.n_links, 0);
}

/* T-R9 */
Test(verify, all_candidates_refuse)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS " 192.0.2.2:5269 192.0.2.3:5269");
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(rig.n_links, i + 1);
		cr_assert_eq(rig.n_done, 0);
		rig_down(i, LOSS_UNREACHABLE);
	}
	expect_only(VERIFY_UNREACHABLE);
	cr_expect_eq(rig.done[0].authority.ip[15], 3, "the last one tried");
}

Test(verify, next_candidate_answers)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS " 192.0.2.2:5269");
	rig_down(0, LOSS_UNREACHABLE);
	cr_assert_eq(rig.n_links, 2);
	rig_up(1);
	rig_answer(0, ANSWER_VALID);
	expect_only(VERIFY_VALID);
	cr_expect_eq(rig.done[0].authority.ip[15], 2);
}

Test(verify, more_candidates_than_are_tried)
{
	char addrs[(LIMIT_CANDIDATES + 4) * 20] = "";

	for (unsigned i = 0; i < LIMIT_CANDIDATES + 4; i++)
		snprintf(addrs + strlen(addrs), sizeof(addrs) - strlen(addrs), "%s192.0.2.%u:5269",
			i ? " " : "", i + 1);
	begin();
	rig_resolved(0, RESOLUTION_FOUND, addrs);
	for (unsigned i = 0; i < LIMIT_CANDIDATES; i++)
		rig_down(i, LOSS_UNREACHABLE);
	expect_only(VERIFY_UNREACHABLE);
	cr_expect_eq(rig.n_links, LIMIT_CANDIDATES);
}

/* T-R10 */
Test(verify, silent_authority)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	rig_wait(TIMEOUT_VERIFY_MS - 1);
	cr_expect_eq(rig.n_done, 0);
	rig_wait(100);
	expect_only(VERIFY_TIMEOUT);
	cr_expect(rig.links[0].hung_up, "such a stream is not used again");
}

/* t_verify begins with the look-up, whatever takes the time. */
Test(verify, time_is_one)
{
	begin();
	rig_wait(10000);
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_wait(10000);
	rig_up(0);
	rig_wait(9999);
	cr_expect_eq(rig.n_done, 0);
	rig_wait(101);
	expect_only(VERIFY_TIMEOUT);
}

Test(verify, time_out_while_resolving)
{
	begin();
	rig_wait(TIMEOUT_VERIFY_MS + 100);
	expect_only(VERIFY_UNREACHABLE);
	rig_resolved(0, RESOLUTION_FOUND, AS);
	cr_expect_eq(rig.n_links, 0);
}

Test(verify, time_out_while_dialling)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_wait(TIMEOUT_VERIFY_MS + 100);
	expect_only(VERIFY_UNREACHABLE);
	rig_up(0);
	cr_expect_eq(rig.n_asks, 0);
}

/* T-R11 */
Test(verify, authority_closes)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS " 192.0.2.2:5269");
	rig_up(0);
	rig_down(0, LOSS_CLOSED);
	expect_only(VERIFY_TIMEOUT);
	cr_expect_eq(rig.n_links, 1, "never asked twice");
}

Test(verify, negotiation_fails)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS " 192.0.2.2:5269");
	rig_down(0, LOSS_CLOSED);
	expect_only(VERIFY_TIMEOUT);
	cr_expect_eq(rig.n_links, 1);
}

Test(verify, tls_required)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_down(0, LOSS_TLS_REQUIRED);
	expect_only(VERIFY_NOT_ACCEPTABLE);
}

Test(verify, no_slot_to_dial)
{
	rig.refuse_dials = true;
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS);
	expect_only(VERIFY_OVERLOAD);
	cr_expect_eq(rig.n_links, 0);
}

Test(verify, resolved_from_inside)
{
	rig.resolve_inside = AS;
	begin();
	cr_assert_eq(rig.n_links, 1);
	rig_up(0);
	rig_answer(0, ANSWER_VALID);
	expect_only(VERIFY_VALID);
}

/* -- what belongs to what -- */

/* T-R22 */
Test(verify, asker_dies)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	verifier_cancel_all(rig.v, &in);
	memset(&in, 0xee, sizeof(in));
	cr_expect(rig_answer(0, ANSWER_VALID), "solicited, and dropped");
	cr_expect_eq(rig.n_done, 0);
	cr_expect(rig.links[0].open);
	cr_expect_not(rig_answer(0, ANSWER_VALID), "once");
	cr_expect_eq(verifier_stats(rig.v)->unmatched, 1);
}

/* T-R23 */
Test(verify, two_streams_of_one_peer)
{
	struct asker other;

	rig_asker(&other, "OTHERID", "203.0.113.5");
	begin();
	rig_claim(&other, NULL, "rx.peer.test", "shop.hosted.test", "K2");
	rig_turn(0);
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	cr_assert_eq(rig.n_asks, 2);
	cr_expect(rig_answer(0, ANSWER_VALID));
	cr_assert_eq(rig.n_done, 1);
	cr_expect_eq(rig.done[0].asker, strcmp(rig.asks[0].id, "OURID") ? &other : &in);
	cr_expect_eq(in.n_claims + other.n_claims, 1);
	verifier_cancel_all(rig.v, &in);
	verifier_cancel_all(rig.v, &other);
}

static bool say(unsigned link, const char *from, const char *to, const char *id)
{
	return verifier_answer(rig.v, rig.links[link].link, span_str(from), span_str(to),
		span_str(id), ANSWER_VALID, rig.now);
}

/* T-U7 */
Test(verify, right_answer_on_another_stream)
{
	begin();
	rig_claim(&in, NULL, "evil.test", "shop.hosted.test", "K");
	rig_turn(0);
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_resolved(1, RESOLUTION_FOUND, "192.0.2.66:5269");
	rig_up(0);
	rig_up(1);
	cr_assert_eq(rig.n_asks, 2);
	cr_expect_not(say(1, "rx.peer.test", "shop.hosted.test", "OURID"));
	cr_expect_not(say(0, "evil.test", "shop.hosted.test", "OURID"));
	cr_expect_eq(rig.n_done, 0);
	cr_expect_eq(verifier_stats(rig.v)->unmatched, 2);
	cr_expect(say(0, "rx.peer.test", "shop.hosted.test", "OURID"));
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 1);
	verifier_cancel_all(rig.v, &in);
}

/* T-U8 */
Test(verify, answer_that_does_not_match)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS);
	cr_expect_not(say(0, "rx.peer.test", "shop.hosted.test", "OURID"), "not asked yet");
	rig_up(0);
	cr_expect_not(say(0, "rx.peer.test", "shop.hosted.test", "OURIX"));
	cr_expect_not(say(0, "rx.peer.test", "shop.hosted.test", ""));
	cr_expect_not(say(0, "evil.test", "shop.hosted.test", "OURID"));
	cr_expect_not(say(0, "rx.peer.test", "bank.hosted.test", "OURID"));
	cr_expect_not(say(0, "shop.hosted.test", "rx.peer.test", "OURID"));
	cr_expect_not(say(0, "rx.peer.tests", "hop.hosted.test", "OURID"));
	cr_expect_eq(rig.n_done, 0);
	rig_wait(TIMEOUT_VERIFY_MS + 100);
	expect_only(VERIFY_TIMEOUT);
}

/* -- sharing -- */

/* T-M16 */
Test(verify, thousand_domains_at_one_endpoint)
{
	rig_asker(&in, "OURID", "203.0.113.5");
	rig_flood(&in, 1000, "d%u.test");
	rig.resolve_inside = AS;
	rig_turn(0);
	cr_assert_eq(rig.n_links, 1);
	rig_up(0);
	while (rig.open_asks) {
		cr_assert_leq(rig.open_asks, in.window);
		rig_answer_all(ANSWER_VALID);
	}
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 1000);
	cr_expect_eq(rig.n_links, 1);
}

/* T-Z5: from many sources, at one target */
Test(verify, one_link_for_all_askers)
{
	static struct asker many[200];

	for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
		char id[16], source[32];

		snprintf(id, sizeof(id), "id%u", i);
		snprintf(source, sizeof(source), "10.%u.0.1", i);
		rig_asker(&many[i], id, source);
		rig_flood(&many[i], 5, "victim.test");
	}
	rig_turn(0);
	cr_assert_eq(rig.n_lookups, 1, "single flight");
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_wait(5000);
	cr_expect_eq(rig.n_links, 1);
	rig_up(0);
	rig_answer_all(ANSWER_VALID);
	cr_expect_eq(rig.n_done, 1000);
	cr_expect_eq(rig.n_links, 1);
}

/* T-Q2, T-Q1: in the order of the look-up, each as it says. */
Test(verify, t_q2_direct_tls_and_then_the_other)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, "192.0.2.2:443! " AS);
	cr_assert_eq(rig.n_links, 1);
	cr_expect(rig.links[0].to.direct);
	rig_down(0, LOSS_UNREACHABLE);
	cr_assert_eq(rig.n_links, 2);
	cr_expect_not(rig.links[1].to.direct);
	rig_up(1);
	rig_answer(0, ANSWER_VALID);
	expect_only(VERIFY_VALID);
}

static void claim_at(const char *domain, const char *places)
{
	rig_claim(&in, NULL, domain, "shop.hosted.test", "K");
	rig_turn(0);
	rig_resolved(rig.n_lookups - 1, RESOLUTION_FOUND, places);
}

Test(verify, one_address_with_and_without_direct_tls_is_two_endpoints)
{
	rig_asker(&in, "OURID", "203.0.113.5");
	claim_at("a.test", AS "!");
	claim_at("b.test", AS);
	claim_at("c.test", AS "!");
	cr_assert_eq(rig.n_links, 2);
	cr_expect(rig.links[0].to.direct);
	cr_expect_not(rig.links[1].to.direct);
	rig_up(0);
	cr_expect_eq(rig.open_asks, 2);
	rig_up(1);
	cr_expect_eq(rig.open_asks, 3);
	rig_answer_all(ANSWER_VALID);
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 3);
}

Test(verify, failure_of_direct_tls_says_nothing_about_the_same_address_without_it)
{
	rig_asker(&in, "OURID", "203.0.113.5");
	claim_at("a.test", AS "!");
	rig_down(0, LOSS_UNREACHABLE);
	cr_expect_eq(rig_outcomes(VERIFY_UNREACHABLE), 1);
	claim_at("b.test", AS "! " AS);
	cr_assert_eq(rig.n_links, 2, "the first is left alone");
	cr_expect_not(rig.links[1].to.direct);
	claim_at("c.test", AS "!");
	cr_expect_eq(rig_outcomes(VERIFY_UNREACHABLE), 2);
	rig_up(1);
	rig_answer_all(ANSWER_VALID);
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 1);
}

Test(verify, apart_at_one_place_only)
{
	rig_asker(&in, "OURID", "203.0.113.5");
	claim_at("a.test", AS "!");
	rig_up(0);
	rig_down(0, LOSS_HOST_UNKNOWN);
	claim_at("b.test", AS);
	rig_up(1);
	claim_at("a.test", AS);
	cr_expect_eq(rig.n_links, 2, "here it shares the stream of the others");
	cr_expect_eq(rig.open_asks, 2);
	rig_answer_all(ANSWER_VALID);
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 2);
}

Test(verify, dead_endpoint_is_remembered)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_down(0, LOSS_UNREACHABLE);
	expect_only(VERIFY_UNREACHABLE);
	rig.resolve_inside = AS;
	rig_claim(&in, NULL, "other.test", "shop.hosted.test", "K");
	rig_turn(HOLD_REDIAL_MS - 1);
	cr_expect_eq(rig_outcomes(VERIFY_UNREACHABLE), 2);
	cr_expect_eq(rig.n_links, 1, "not dialled again");
	rig.resolve_inside = AS " 192.0.2.2:5269";
	rig_claim(&in, NULL, "third.test", "shop.hosted.test", "K");
	rig_turn(0);
	cr_assert_eq(rig.n_links, 2);
	cr_expect_eq(rig.links[1].to.addr.ip[15], 2);
	rig.resolve_inside = AS;
	rig_turn(1);
	rig_claim(&in, NULL, "fourth.test", "shop.hosted.test", "K");
	rig_turn(0);
	cr_expect_eq(rig.n_links, 3, "tried again, for want of another");
	verifier_cancel_all(rig.v, &in);
}

Test(verify, idle_link_is_hung_up)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	rig_answer(0, ANSWER_VALID);
	rig_wait(TIMEOUT_IDLE_VERIFY_MS - 1000);
	cr_expect(rig.links[0].open);
	/* A question in between begins the wait anew. */
	rig.resolve_inside = AS;
	rig_claim(&in, NULL, "rx.peer.test", "bank.hosted.test", "K");
	rig_turn(0);
	cr_expect_eq(rig.n_links, 1);
	rig_answer(1, ANSWER_VALID);
	rig_wait(TIMEOUT_IDLE_VERIFY_MS - 1000);
	cr_expect(rig.links[0].open);
	rig_wait(1000);
	cr_expect(rig.links[0].hung_up);
}

/* One that left a question unanswered does not wait behind those that did not. */
Test(verify, silent_link_is_hung_up_at_once)
{
	begin();
	rig_claim(&in, NULL, "good.test", "shop.hosted.test", "K");
	rig_turn(0);
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_resolved(1, RESOLUTION_FOUND, "192.0.2.2:5269");
	rig_up(0);
	rig_up(1);
	rig_answer(1, ANSWER_VALID);
	rig_wait(TIMEOUT_VERIFY_MS + 100);
	cr_expect(rig.links[0].hung_up);
	cr_expect(rig.links[1].open);
}

Test(verify, addresses_grow_stale)
{
	begin();
	rig_resolved(0, RESOLUTION_FOUND, AS);
	rig_up(0);
	rig_wait(20000);
	rig_claim(&in, NULL, "rx.peer.test", "b.hosted.test", "K");
	rig_turn(0);
	cr_expect_eq(rig.n_lookups, 1, "fresh enough");
	cr_expect_eq(rig.n_asks, 2);
	rig_turn(9999);
	rig_turn(1);
	rig_claim(&in, NULL, "rx.peer.test", "c.hosted.test", "K");
	rig_turn(0);
	cr_expect_eq(rig.n_lookups, 2, "though a claim still uses the old ones");
	rig_answer_all(ANSWER_VALID);
	verifier_cancel_all(rig.v, &in);
}
