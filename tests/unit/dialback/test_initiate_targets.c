/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The initiator: names, streams that cannot be had, and when they are tried again (rows T-Q8 to T-Q18). */
#include <criterion/criterion.h>

#include "initiate_net.h"

TestSuite(initiate_targets, .init = net_begin, .fini = net_end, .timeout = 100);

/* The target's stream has been good, and is lost. */
static void was_there(enum out_loss how, const char *condition)
{
	net_valid_pair(L1, R1);
	net_wait(70000);
	net_down(0, how, condition);
	net_turn(1001);
}

/* -- names -- */

/* T-Q13 */
Test(initiate_targets, q13_one_question_for_many)
{
	for (unsigned n = 0; n < 1000; n++)
		net_stanza(net_name("l%u.test", n % 100), R1, "x");
	net_turn(0);
	cr_expect_eq(net.n_lookups, 1);
	net_found(R1, PEER);
	cr_expect_eq(net.n_links, 1);
	net_up(0);
	net_valid_all();
	cr_expect_eq(net.n_sent, 1000);
}

Test(initiate_targets, no_service)
{
	static const enum out_resolution none[] = { OUT_NONE, OUT_OURS };

	for (unsigned at = 0; at < 2; at++) {
		net_stanza(L1, R1, "1");
		net_turn(0);
		net_not_found(R1, none[at]);
		cr_expect_str_eq(net_returned(), "1:no-service");
		cr_expect_eq(net_stanza(L1, R1, "2"), OUT_RETURN);
		cr_expect_eq(net_stanza(L2, R1, "3"), OUT_RETURN);
		cr_expect_str_eq(net_returned(), "2:no-service 3:no-service");
		net_wait(HOLD_ABSENT_MS);
	}
	cr_expect_eq(net.n_links, 0);
}

Test(initiate_targets, found_nothing)
{
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_not_found(R1, OUT_FORBIDDEN);
	cr_expect_str_eq(net_returned(), "1:unreachable");
}

/* However short a time the target is held for. */
Test(initiate_targets, told_whatever_the_lot)
{
	net.least = true;
	net_stanza_to(L1, R1, "1", PEER);
	net_down(0, OUT_LOSS_NEGOTIATION, NULL);
	cr_expect_str_eq(net_returned(), "1:no-stream");
	cr_expect_eq(net.n_links, 1);
}

/* T-Q9: asked again within 30 s each time, given back after 90 s. */
Test(initiate_targets, q9_dns_fails)
{
	unsigned asked = 0;
	uint64_t last = net.now, begun = net.now;

	net_stanza(L1, R1, "1");
	net_turn(0);
	while (!net.n_returned) {
		cr_assert_lt(net.now, begun + TIMEOUT_DELIVER_MS + 200);
		if (net_is_asked(R1)) {
			cr_expect_leq(net.now - last, LIMIT_DNS_FAILURE_S * 1000 + 100);
			last = net.now;
			asked++;
			net_not_found(R1, OUT_LOOK_UP_FAILED);
		}
		net_wait(50);
	}
	cr_expect_str_eq(net_returned(), "1:dns");
	cr_expect_geq(net.now - begun, TIMEOUT_DELIVER_MS);
	cr_expect(asked >= 4 && asked < 20, "%u", asked);
}

Test(initiate_targets, q9_dns_comes_back)
{
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_not_found(R1, OUT_LOOK_UP_FAILED);
	net_stanza(L2, R1, "2");
	net_wait(3000);
	net_found(R1, PEER);
	net_up(0);
	net_valid_all();
	cr_expect_str_eq(net_sent(0), "1 2");
}

/* Whoever comes after all others have given up waits for the same moment, and not for ever. */
Test(initiate_targets, postponed_and_forgotten)
{
	was_there(OUT_LOSS_ERROR, "system-shutdown");
	net_stanza(L1, R1, "1");
	net_turn(0);
	cr_expect_not(net_is_asked(R1), "not at once");
	net_wait(LIMIT_PARK_MS / 2 + 100);
	cr_expect(net_is_asked(R1));
	net_found(R1, PEER);
	net_up(1);
	net_valid_all();
	cr_expect_str_eq(net_sent(1), "1");
}

/* -- places -- */

/* T-Q8: what is resolved is dialled, and nothing else is. */
Test(initiate_targets, q8_all_refuse)
{
	net_stanza_to(L1, R1, "1", PEER " | " OTHER);
	cr_expect_eq(net.links[0]->n, 2);
	net_down(0, OUT_LOSS_UNREACHABLE, NULL);
	cr_expect_str_eq(net_returned(), "1:unreachable");
	cr_expect_eq(net.n_lookups, 1);
	cr_expect_eq(net.n_links, 1);
}

/* T-Q10 */
static void tries_next(enum out_loss how, const char *condition)
{
	net_stanza_to(L1, R1, "1", PEER " " OTHER " | 192.0.2.3:5269");
	cr_expect_eq(net.links[0]->n, 3);
	net_connected(0, 1);
	net_down(0, how, condition);
	cr_assert_eq(net.links[0]->opened, 2);
	cr_expect_eq(net.links[0]->n, 2);
	cr_expect_eq(net.links[0]->places[0].addr.ip[15], 1);
	net_up(0);
	cr_expect_eq(net_claims(0, L1, R1), 1);
	net_down(0, how, condition);
	cr_assert_eq(net.links[0]->opened, 3);
	cr_expect_eq(net.links[0]->places[0].addr.ip[15], 3);
	net_up(0);
	cr_expect_eq(net_claims(0, L1, R1), 2, "with the new id");
	net_valid(0, L1, R1);
	cr_expect_str_eq(net_sent(0), "1");
}

Test(initiate_targets, q10_host_unknown)
{
	tries_next(OUT_LOSS_ERROR, "host-unknown");
}

Test(initiate_targets, q10_system_shutdown)
{
	tries_next(OUT_LOSS_ERROR, "system-shutdown");
}

Test(initiate_targets, q10_no_header)
{
	tries_next(OUT_LOSS_NEGOTIATION, NULL);
}

Test(initiate_targets, q10_no_tls)
{
	tries_next(OUT_LOSS_TLS, NULL);
}

Test(initiate_targets, q10_none_is_left)
{
	static const struct {
		enum out_loss how;
		const char *condition, *returned;
	} all[] = {
		{ OUT_LOSS_ERROR, "host-unknown", "1:no-service/host-unknown" },
		{ OUT_LOSS_NEGOTIATION, NULL, "1:no-stream" },
		{ OUT_LOSS_TLS, NULL, "1:no-tls" },
		{ OUT_LOSS_UNSUPPORTED, NULL, "1:no-auth" },
		{ OUT_LOSS_ERROR, "policy-violation", "1:no-stream/policy-violation" },
		{ OUT_LOSS_CLOSED, NULL, "1:no-stream" },
	};

	for (unsigned at = 0; at < ARRAY_LEN(all); at++) {
		net_stanza_to(L1, net_name("r%u.test", at), "1", PEER);
		net_connected(at, 0);
		net_down(at, all[at].how, all[at].condition);
		cr_expect_str_eq(net_returned(), all[at].returned);
		cr_assert_eq(net.n_links, at + 1);
	}
}

/* An answer of the right server: no other is tried. */
Test(initiate_targets, policy_violation_is_an_answer)
{
	net_stanza_to(L1, R1, "1", PEER " " OTHER);
	net_connected(0, 0);
	net_down(0, OUT_LOSS_ERROR, "policy-violation");
	cr_expect_eq(net_stats().open_links, 0);
}

/* 7.4: what took no connection within the minute is the last choice of its group. */
Test(initiate_targets, dead_places_come_last)
{
	struct place dead = { 0 };

	cr_assert(addr_parse(SPAN_LIT(PEER), 0, &dead.addr));
	initiator_place_failed(net.i, &dead, net.now);
	net_stanza_to(L1, R1, "1", PEER " " OTHER " | 192.0.2.3:5269");
	cr_expect_eq(net.links[0]->places[0].addr.ip[15], 2);
	cr_expect_eq(net.links[0]->places[1].addr.ip[15], 1);
	cr_expect_eq(net.links[0]->places[2].addr.ip[15], 3);
	net_wait(HOLD_ADDRESS_MS);
	net_stanza_to(L1, R2, "1", PEER " 192.0.2.9:5269");
	cr_assert_eq(net.n_links, 2);
	cr_expect_eq(net.links[1]->places[0].addr.ip[15], 1);
}

static bool header_alone(struct net_link *l, const char *from, const char *to)
{
	return strcmp(l->from, from) == 0 && strcmp(l->to, to) == 0;
}

/* A server that ends one sender's stream again and again is dialled for him less and less often, and for
 * others as soon as they want. */
static void lost_again_and_again(bool unsent)
{
	unsigned dials;

	for (unsigned n = 0; n < 50; n++) {
		if (!unsent)
			net_stanza(L1, R1, "1");
		net_turn(0);
		if (net_is_asked(R1))
			net_found(R1, PEER);
		if (!net.links[net.n_links - 1]->dialling)
			break;
		net_up_claimless(net.n_links - 1);
		if (unsent)
			cr_assert(net_requeue(net.n_links - 1, L1, R1, "1"));
		net_down(net.n_links - 1, OUT_LOSS_CLOSED, NULL);
	}
	dials = net.n_links;
	cr_expect_leq(dials, 3);
	net_stanza(L2, R1, "2");
	net_turn(0);
	if (net_is_asked(R1))
		net_found(R1, PEER);
	cr_assert_eq(net.n_links, dials + 1, "at once");
	net_up_claimless(dials);
	cr_expect_str_eq(net_sent(dials), "2");
	net_wait(LIMIT_PARK_MS);
	if (net_is_asked(R1))
		net_found(R1, PEER);
	cr_assert_eq(net.n_links, dials + 2, "it is tried again");
	cr_expect_str_eq(net.links[dials + 1]->from, L1);
	net_up_claimless(dials + 1);
	cr_expect_str_eq(net_sent(dials + 1), "1");
}

Test(initiate_targets, one_sender_s_stream_is_lost)
{
	net.suits = header_alone;
	net_stanza(L1, R1, "1");
	lost_again_and_again(true);
}

Test(initiate_targets, one_sender_s_stream_is_lost_with_what_it_had)
{
	net.suits = header_alone;
	lost_again_and_again(false);
}

/* Within TLS, and without dialback: whose certificate is refused is told so, for a time; and when the
 * operator has mended it, it is like any other's. */
Test(initiate_targets, certificates_mended)
{
	for (unsigned n = 0; n < 2 * LIMIT_OUT_APART; n++) {
		net_stanza(net_name("l%u.test", n), R1, "1");
		net_turn(0);
		net_found_if_asked(R1, PEER);
		net_down(n, OUT_LOSS_UNPROVEN, NULL);
		cr_expect_str_eq(net_returned(), "1:no-auth");
		net_stanza(net_name("l%u.test", n), R1, "2");
		cr_expect_str_eq(net_returned(), "2:no-auth");
	}
	initiator_review(net.i, net.now);
	for (unsigned n = 0; n < 2 * LIMIT_OUT_APART; n++) {
		net_stanza(net_name("l%u.test", n), R1, "3");
		net_turn(0);
		net_found_if_asked(R1, PEER);
		cr_assert_str_eq(net_returned(), "");
		net_up_claimless(net.n_links - 1);
		cr_expect_str_eq(net_sent(net.n_links - 1), "3");
	}
}

/* -- again -- */

/* T-Q18: held for twice as long each time, less a quarter: the dice lie in the middle. */
Test(initiate_targets, q18_delays)
{
	uint64_t expect = HOLD_FIRST_MS / 2, hold;

	net_stanza(L1, R1, "1");
	for (unsigned n = 0; n < 9; n++) {
		net_turn(0);
		net_found(R1, PEER);
		net_down(n, OUT_LOSS_UNREACHABLE, NULL);
		for (hold = 0; net_stanza(L1, R1, "2") == OUT_RETURN; hold += 997)
			net_turn(997);
		cr_expect(hold >= expect && hold <= expect + 1000, "%u: %lu", n, hold);
		expect = (uint64_t)HOLD_FIRST_MS << (n + 1);
		expect = (expect < HOLD_OUT_MAX_MS ? expect : HOLD_OUT_MAX_MS) * 3 / 4;
	}
}

Test(initiate_targets, q18_chance)
{
	uint64_t hold[20];
	unsigned different = 0;

	net.dice = 1;
	for (unsigned n = 0; n < 20; n++) {
		const char *to = net_name("r%u.test", n);

		net_stanza_to(L1, to, "1", PEER);
		net_down(n, OUT_LOSS_UNREACHABLE, NULL);
		for (hold[n] = 0; net_stanza(L1, to, "2") == OUT_RETURN; hold[n] += 100)
			net_turn(100);
		different += n > 0 && hold[n] != hold[0];
	}
	cr_expect_gt(different, 10);
}

/* 1.7: a server that is being restarted: stanzas wait while it is tried again and again. */
Test(initiate_targets, restarted_server)
{
	was_there(OUT_LOSS_CLOSED, NULL);
	net_stanza(L1, R1, "1");
	for (unsigned n = 1; n < 4; n++) {
		net_wait(10000);
		net_found_if_asked(R1, PEER);
		cr_assert_eq(net.n_links, n + 1, "%u", n);
		net_down(n, OUT_LOSS_UNREACHABLE, NULL);
		cr_expect_str_eq(net_returned(), "");
	}
	net_wait(20000);
	net_found(R1, PEER);
	net_up(4);
	net_valid_all();
	cr_expect_str_eq(net_sent(4), "1");
}

Test(initiate_targets, server_that_stays_away)
{
	was_there(OUT_LOSS_CLOSED, NULL);
	net_stanza(L1, R1, "1");
	while (!net.n_returned) {
		net_wait(100);
		net_found_if_asked(R1, PEER);
		for (unsigned at = 0; at < net.n_links; at++)
			if (net.links[at]->dialling)
				net_down(at, OUT_LOSS_UNREACHABLE, NULL);
	}
	cr_expect_str_eq(net_returned(), "1:unreachable");
	cr_expect_lt(net.n_links, 20);
	/* Others are told at once. */
	net_wait(LIMIT_PARK_MS);
	net_stanza(L2, R1, "2");
	net_turn(0);
	net_found_if_asked(R1, PEER);
	net_down(net.n_links - 1, OUT_LOSS_UNREACHABLE, NULL);
	cr_expect_str_eq(net_returned(), "2:unreachable");
}

/* A server that takes pairs and closes: not faster and faster. */
Test(initiate_targets, short_lived_streams)
{
	uint64_t begun;
	unsigned n = 0;

	net_valid_pair(L1, R1);
	begun = net.now;
	while (net.now < begun + 600000) {
		if (net.links[n]->up)
			net_down(n, OUT_LOSS_CLOSED, NULL);
		net_stanza(L1, R1, "x");
		net_turn(100);
		net_found_if_asked(R1, PEER);
		if (net.n_links == n + 1)
			continue;
		net_up(++n);
		net_valid_all();
	}
	cr_expect(n >= 10 && n <= 40, "%u", n);
}

/* -- our own want -- */

Test(initiate_targets, nothing_can_be_dialled)
{
	net.refuse_dials = true;
	net_stanza_to(L1, R1, "1", PEER);
	cr_expect_eq(net_stats().open_links, 0);
	cr_expect_str_eq(net_returned(), "");
	net.refuse_dials = false;
	net_wait(3000);
	net_found_if_asked(R1, PEER);
	net_up(0);
	net_valid_all();
	cr_expect_str_eq(net_sent(0), "1");
}
