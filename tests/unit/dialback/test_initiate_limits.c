/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The initiator: many of everything, fairness, policy, idleness and the end of the router. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "initiate_net.h"

TestSuite(initiate_limits, .init = net_begin, .fini = net_end, .timeout = 100);

static bool not_l1(struct net_link *l, const char *from, const char *to)
{
	(void)l;
	(void)to;
	return strcmp(from, L1) != 0;
}

/* L1 writes to so many servers at once. */
static void flood(unsigned servers)
{
	net.each_elsewhere = true;
	for (unsigned n = 0; n < servers; n++)
		net_stanza(L1, net_name("r%u.test", n), "x");
	net_turn(0);
}

/* -- many -- */

/* Look-ups of one sender's flood do not delay another's. */
Test(initiate_limits, fair_look_ups)
{
	unsigned before;

	for (unsigned n = 0; n < 5000; n++)
		net_stanza(L1, net_name("r%u.test", n), "x");
	net_stanza(L1, R1, "last"); /* behind all of them */
	net_turn(0);
	cr_expect_eq(net.open_lookups, LIMIT_OUT_LOOKUPS / 2, "as many as are left to others");
	net_stanza(L2, R2, "1");
	net_stanza(L2, R1, "2");
	net_turn(0);
	cr_expect(net_is_asked(R2));
	cr_expect(net_is_asked(R1), "also what the flood has asked for");
	before = net.n_lookups;
	for (unsigned n = 0; n < 6; n++)
		net_not_found(net_name("r%u.test", n), OUT_NONE);
	cr_expect_eq(net.n_lookups, before + 5, "and again as many as are left");
}

/* Those of many senders take turns. */
Test(initiate_limits, look_ups_of_many)
{
	char from[NET_NAME];

	for (unsigned n = 0; n < LIMIT_OUT_LOOKUPS + 2; n++) {
		snprintf(from, sizeof(from), "l%u.test", n);
		net_stanza(from, net_name("first%u.test", n), "x");
		net_stanza(from, net_name("second%u.test", n), "x");
	}
	net_turn(0);
	cr_expect_eq(net.open_lookups, LIMIT_OUT_LOOKUPS);
	for (unsigned n = 0; n < 3; n++)
		net_not_found(net_name("first%u.test", n), OUT_NONE);
	net_turn(0);
	cr_expect(net_is_asked(net_name("first%u.test", LIMIT_OUT_LOOKUPS + 1)));
	cr_expect(net_is_asked("second0.test"), "whose first turn was first");
	cr_expect_eq(net.most_lookups, LIMIT_OUT_LOOKUPS);
}

/* Nor do its dials. */
Test(initiate_limits, fair_dials)
{
	flood(2000);
	cr_expect_eq(net.dialling, LIMIT_OUT_OPENING / 2, "as many as are left to others");
	net_stanza(L2, R2, "1");
	net_turn(0);
	cr_expect_str_eq(net.links[LIMIT_OUT_OPENING / 2]->to, R2, "at once");
	net_down(0, OUT_LOSS_UNREACHABLE, NULL);
	net_down(1, OUT_LOSS_UNREACHABLE, NULL);
	cr_expect_str_eq(net.links[LIMIT_OUT_OPENING / 2 + 1]->to,
		net_name("r%u.test", LIMIT_OUT_OPENING / 2));
}

/* Nor do its dials delay what another wants of a target, or of a server, that the flood wants, too. */
Test(initiate_limits, fair_dials_to_the_same)
{
	unsigned last;

	flood(2000);
	cr_expect_eq(net.dialling, LIMIT_OUT_OPENING / 2);
	net.each_elsewhere = false;
	net.places = PEER;
	net_stanza(L1, R1, "behind the flood");
	net_turn(0);
	cr_expect_eq(net.n_links, LIMIT_OUT_OPENING / 2);
	net_stanza(L2, R1, "1");
	net_turn(0);
	last = net.n_links - 1;
	cr_assert_eq(last, LIMIT_OUT_OPENING / 2, "at once");
	cr_expect_str_eq(net.links[last]->to, R1);
	net_up(last);
	cr_expect(net_valid(last, L2, R1));
	cr_expect_str_eq(net_sent(last), "1");
}

Test(initiate_limits, fair_dials_to_one_server)
{
	unsigned last;

	flood(2000);
	net.each_elsewhere = false;
	net.places = PEER;
	net_stanza(L1, R1, "behind the flood");
	net_turn(0);
	cr_expect_eq(net.n_links, LIMIT_OUT_OPENING / 2);
	net_stanza(L2, R2, "1");
	net_turn(0);
	last = net.n_links - 1;
	cr_assert_eq(last, LIMIT_OUT_OPENING / 2, "at once");
	net_up(last);
	cr_expect(net_valid(last, L2, R2));
	cr_expect_str_eq(net_sent(last), "1");
}

/* The end, or another place, while a stream is opened in the turn of somebody who did not ask for it first. */
Test(initiate_limits, hastened_and_over)
{
	flood(2000);
	net.each_elsewhere = false;
	net.places = PEER " " OTHER;
	net_stanza(L1, R1, "behind the flood");
	net_stanza(L1, "r3.test", "behind the flood");
	initiator_turn(net.i, net.now);
	net_stanza(L2, R1, "1");
	net_turn(0);
	net_connected(net.n_links - 1, 0);
	net_down(net.n_links - 1, OUT_LOSS_NEGOTIATION, NULL);
	cr_expect_eq(net.links[net.n_links - 1]->opened, 2, "the next place, at once");
	net_stanza("l3.test", "r3.test",
		"2"); /* takes it over, and the router ends in the same turn */
	initiator_drain(net.i, net.now);
	cr_expect_eq(net.n_returned, 2000 + 4);
}

/* Whoever has no slot left does not take what another would open at once, but its own turn is not first. */
Test(initiate_limits, hastened_by_a_flood)
{
	unsigned last;

	flood(LIMIT_OUT_OPENING / 2);
	cr_assert_eq(net.dialling, LIMIT_OUT_OPENING / 2,
		"all that it may have, and nothing waits");
	net_stanza(L2, R1, "1");
	net_stanza(L2, R2, "2");
	net_stanza(L1, R2, "x");
	net_turn(0);
	last = net.n_links - 1;
	cr_assert_eq(last, LIMIT_OUT_OPENING / 2 + 1, "both at once");
	cr_expect_str_eq(net.links[last]->to, R2);
	net_up(last);
	cr_expect(net_valid(last, L2, R2));
	cr_expect_str_eq(net_sent(last), "2");
}

static unsigned n_asked;

static bool suits_its_own(struct net_link *l, const char *from, const char *to)
{
	n_asked++;
	return strcmp(l->from, from) == 0 && strcmp(l->to, to) == 0;
}

static unsigned some_dialling(void)
{
	unsigned link = 0;

	while (link < net.n_links && !net.links[link]->dialling)
		link++;
	return link;
}

/* Where each sender needs its own stream a few are opened at a time; who waits is not looked at again for
 * each of them and each stream that there is. */
Test(initiate_limits, many_senders_without_dialback)
{
	const unsigned n = 1000;
	char from[NET_NAME];

	net.places = PEER;
	net.suits = suits_its_own;
	for (unsigned at = 0; at < n; at++) {
		snprintf(from, sizeof(from), "l%u.test", at);
		net_stanza(from, R1, "x");
	}
	net_turn(0);
	cr_expect_eq(net.dialling, 1, "nobody knows yet");
	for (unsigned at = 0; at < n; at++) {
		net_up_claimless(some_dialling());
		cr_expect_eq(net.dialling, n - at - 1 < 4 ? n - at - 1 : 4);
	}
	cr_expect_eq(net.n_sent, n);
	cr_expect_eq(net_stats().open_links, n);
	cr_expect_lt(n_asked, 10 * n);
	net_stanza("l7.test", R1, "y");
	cr_expect_eq(net.n_sent, n + 1, "and the others go on");
}

Test(initiate_limits, many_senders_that_are_refused)
{
	const unsigned n = 1000;
	char from[NET_NAME];

	net.places = PEER;
	for (unsigned at = 0; at < n; at++) {
		snprintf(from, sizeof(from), "l%u.test", at);
		net_stanza(from, R1, "x");
	}
	net_turn(0);
	for (unsigned at = 0; at < n; at++) {
		net_down(some_dialling(), OUT_LOSS_UNPROVEN, NULL);
		cr_expect_eq(net.n_returned, at + 1, "none but its own");
		cr_expect_eq(net.dialling, n - at - 1 < 4 ? n - at - 1 : 4);
	}
	cr_expect_eq(net.n_links, n);
}

/* Nor do they all together take what others need for other servers. */
Test(initiate_limits, links_without_dialback)
{
	char from[NET_NAME];

	net_end();
	net.opts.max_links = 8;
	net_begin();
	net.suits = suits_its_own;
	net.places = PEER;
	for (unsigned n = 0; n < 8; n++) {
		snprintf(from, sizeof(from), "l%u.test", n);
		net_stanza(from, R1, "x");
		net_turn(0);
		if (some_dialling() < net.n_links)
			net_up_claimless(some_dialling());
	}
	cr_expect_eq(net_stats().open_links, 4, "half of all that there may be");
	cr_expect_str_eq(net_returned(), "x:full x:full x:full x:full");
	net.places = OTHER;
	net_stanza("l7.test", R2, "1");
	net_turn(0);
	cr_assert_lt(some_dialling(), net.n_links);
	net_up(net.n_links - 1);
	net_valid(net.n_links - 1, "l7.test", R2);
	cr_expect_str_eq(net_sent(net.n_links - 1), "1");
	net_stanza("l0.test", R1, "y");
	cr_expect_str_eq(net_sent(0), "x y");
}

/* Nor does it take long because one of those few is behind somebody's flood. */
Test(initiate_limits, without_dialback_behind_a_flood)
{
	net_end();
	net.opts.max_streams = 1;
	net_begin();
	net.suits = suits_its_own;
	net.places = PEER;
	net_stanza("l3.test", R1, "1");
	net_turn(0);
	net_up_claimless(0);
	net.places = NULL;
	flood(2000);
	net_stanza(L1, R1, "behind the flood");
	net_turn(0);
	cr_expect_eq(net.n_links, 1 + LIMIT_OUT_OPENING / 2);
	net_stanza(L2, R1, "2");
	net_turn(0);
	cr_assert_eq(net.n_links, 2 + LIMIT_OUT_OPENING / 2);
	net_up_claimless(net.n_links - 1);
	cr_assert_eq(net.n_links, 3 + LIMIT_OUT_OPENING / 2, "its turn");
	net_up_claimless(net.n_links - 1);
	cr_expect_str_eq(net_sent(net.n_links - 1), "2");
}

/* When its turn comes, and nobody waits any more, a server is left alone. */
Test(initiate_limits, dials_for_nobody)
{
	flood(2000);
	net_wait(TIMEOUT_DELIVER_MS + 100);
	cr_assert_eq(net.n_returned, 2000);
	net_stanza(L1, R1, "1");
	net_turn(0);
	cr_expect_eq(net.n_links, LIMIT_OUT_OPENING / 2);
	net_down(0, OUT_LOSS_UNREACHABLE, NULL);
	cr_assert_eq(net.n_links, LIMIT_OUT_OPENING / 2 + 1);
	cr_expect_str_eq(net.links[net.n_links - 1]->to, R1, "the next of them all");
	cr_expect_eq(net_stats().open_links, LIMIT_OUT_OPENING / 2);
	net_up(net.n_links - 1);
	net_valid(net.n_links - 1, L1, R1);
	cr_expect_str_eq(net_sent(net.n_links - 1), "1");
}

/* Whoever's turn has not come when the router ends does not get it any more. */
Test(initiate_limits, drained_behind_a_flood)
{
	flood(2000);
	cr_assert_eq(net.n_links, LIMIT_OUT_OPENING / 2);
	initiator_drain(net.i, net.now);
	net_turn(0);
	for (unsigned n = 0; n < LIMIT_OUT_OPENING / 2; n++)
		net_down(n, OUT_LOSS_UNREACHABLE, NULL);
	cr_expect_eq(net.n_links, LIMIT_OUT_OPENING / 2, "none is opened");
	cr_expect_eq(net_stats().open_links, 0);
	cr_expect_eq(net.n_returned, 2000);
}

Test(initiate_limits, pairs_of_one_sender)
{
	for (unsigned n = 0; n < LIMIT_OUT_PENDING; n++)
		cr_assert_eq(net_stanza(L1, net_name("r%u.test", n), "x"), OUT_KEPT);
	cr_expect_eq(net_stanza(L1, R1, "y"), OUT_RETURN);
	cr_expect_str_eq(net_returned(), "y:full");
	cr_expect_eq(net_stanza(L2, R1, "z"), OUT_KEPT, "another's");
	net_wait(TIMEOUT_DELIVER_MS + 100);
	cr_expect_eq(net.n_returned, LIMIT_OUT_PENDING + 2);
}

/* --queue-bytes: none takes more than it leaves. */
Test(initiate_limits, bytes_of_all)
{
	initiator_free(net.i);
	net.opts.max_kept = 400000;
	net_begin();
	cr_expect_eq(net_bytes(L1, R1, 100000), OUT_KEPT);
	cr_expect_eq(net_bytes(L1, R2, 100000), OUT_KEPT);
	cr_expect_eq(net_bytes(L1, "r3.test", 1), OUT_RETURN);
	cr_expect_eq(net_bytes(L2, R1, 100000), OUT_KEPT);
	cr_expect_eq(net_bytes(L2, R2, 1), OUT_RETURN);
	cr_expect_eq(net_bytes("l3.test", R2, 100000), OUT_KEPT);
	cr_expect_eq(net_bytes("l4.test", R2, 1), OUT_RETURN);
	cr_expect_eq(net_stats().kept, 400000);
}

static void resolve_none(void *ctx, struct span domain, uint64_t cookie)
{
	(void)ctx;
	(void)domain;
	initiator_resolved(net.i, cookie, OUT_NONE, NULL, 0, net.now);
}

/* What is remembered of targets that nobody needs is bounded. */
Test(initiate_limits, targets_are_forgotten)
{
	net.ops.resolve = resolve_none;
	for (unsigned n = 0; n < LIMIT_OUT_RESTING + 5000; n++) {
		cr_assert_eq(net_stanza(L1, net_name("r%u.test", n), "x"), OUT_KEPT);
		if (n % 1000 == 999)
			net_turn(0);
	}
	net_turn(0);
	cr_expect_eq(net_stanza(L1, "r0.test", "x"), OUT_KEPT, "forgotten");
	cr_expect_eq(net_stanza(L1, net_name("r%u.test", LIMIT_OUT_RESTING), "x"), OUT_RETURN);
}

Test(initiate_limits, peers_are_forgotten)
{
	struct place at = { 0 };

	cr_assert(addr_parse(SPAN_LIT(PEER), 0, &at.addr));
	initiator_place_failed(net.i, &at, net.now);
	for (unsigned n = 0; n < LIMIT_OUT_PEERS; n++) {
		at.addr.ip[12] = 10;
		at.addr.ip[13] = (uint8_t)(n >> 16);
		at.addr.ip[14] = (uint8_t)(n >> 8);
		at.addr.ip[15] = (uint8_t)n;
		initiator_place_failed(net.i, &at, net.now);
	}
	net_stanza_to(L1, R1, "1", PEER " 10.0.255.255:5269 10.0.0.7:5269");
	cr_expect_eq(net.links[0]->places[0].addr.ip[12], 192);
}

Test(initiate_limits, freed_with_what_is_kept)
{
	net_stanza(L1, R1, "1");
	net_stanza(L1, R2, "2");
	net_turn(0);
	net_stanza(L2, R1, "3");
	cr_expect_gt(net_stats().kept, 0);
	initiator_free(net.i);
	cr_expect_str_eq(net_returned(), "", "nobody is there to be told");
	net.n_lookups = 0;
	net_begin();
}

/* A claim of before does not count on the next connection, however late the answer is. */
Test(initiate_limits, late_valid_of_another_connection)
{
	net_stanza_to(L1, R1, "1", PEER " " OTHER);
	net_up(0);
	net_wait(TIMEOUT_DIALBACK_MS + 100);
	net_stanza(L2, R1, "2");
	net_turn(0);
	net_down(0, OUT_LOSS_ERROR, "host-unknown");
	cr_assert_eq(net.links[0]->opened, 2);
	net_up(0);
	cr_expect_not(net_valid(0, L1, R1));
	cr_expect(net_valid(0, L2, R1));
}

Test(initiate_limits, many_targets)
{
	for (unsigned n = 0; n < 30000; n++) {
		const char *to = net_name("r%u.test", n);

		net_stanza(L1, to, "x");
		initiator_turn(net.i, net.now);
		net_not_found(to, OUT_NONE);
		net.returned[0] = '\0';
	}
	cr_expect_eq(net_stanza(L1, "r0.test", "x"), OUT_RETURN, "still known");
	net_wait(2 * HOLD_ABSENT_MS + 1000);
	cr_expect_eq(net_stats().pairs, 0);
}

/* -- policy -- */

static bool permitted = true;

static bool permits(void *ctx, struct span from, struct span to)
{
	(void)ctx;
	(void)to;
	return permitted || !span_is(from, L1);
}

Test(initiate_limits, blocked)
{
	net.ops.permits = permits;
	permitted = false;
	cr_expect_eq(net_stanza(L1, R1, "1"), OUT_RETURN);
	cr_expect_str_eq(net_returned(), "1:blocked");
	net_turn(0);
	cr_expect_eq(net.n_lookups, 0);
	permitted = true;
}

Test(initiate_limits, review)
{
	net.ops.permits = permits;
	net_valid_pair(L1, R1);
	net_stanza(L2, R1, "a");
	net_turn(0);
	net_valid(0, L2, R1);
	net_stanza(L1, R2, "1"); /* waits for names */
	net_turn(0);
	permitted = false;
	initiator_review(net.i, net.now);
	cr_expect_str_eq(net_returned(), "1:blocked");
	cr_expect_eq(net_stanza(L1, R1, "2"), OUT_RETURN);
	cr_expect_str_eq(net_returned(), "2:blocked");
	cr_expect_eq(net_stanza(L2, R1, "b"), OUT_WRITE);
	permitted = true;
	cr_expect_eq(net_stanza(L1, R1, "3"), OUT_KEPT);
	net_turn(0);
	net_valid(0, L1, R1);
	cr_expect_str_eq(net_sent(0), "0 a b 3");
}

/* What our own rules have refused may go when they have changed. */
Test(initiate_limits, review_forgives)
{
	net_valid_pair(L2, R1);
	net_down(0, OUT_LOSS_OURS, NULL);
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_found_if_asked(R1, PEER);
	net_connected(1, 0);
	net_down(1, OUT_LOSS_TLS, NULL);
	cr_expect_eq(net_stanza(L1, R1, "2"), OUT_RETURN);
	initiator_review(net.i, net.now);
	cr_expect_eq(net_stanza(L1, R1, "3"), OUT_KEPT);
	net_turn(0);
	net_found_if_asked(R1, PEER);
	net_up(2);
	cr_expect(net_valid(2, L1, R1));
	cr_expect_str_eq(net_sent(2), "3");
}

/* A pair whose hold is over is asked about anew. */
Test(initiate_limits, review_of_a_refused_pair)
{
	net.ops.permits = permits;
	net_valid_pair(L2, R1);
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_refuse(0, L1, R1, DB_INTERNAL_SERVER_ERROR);
	permitted = false;
	initiator_review(net.i, net.now);
	net_wait(HOLD_TRANSIENT_MS);
	net_returned();
	cr_expect_eq(net_stanza(L1, R1, "2"), OUT_RETURN);
	cr_expect_str_eq(net_returned(), "2:blocked");
	permitted = true;
}

/* A rule about TLS is new: claims that do not suit any more are given up, and make room. */
Test(initiate_limits, review_of_claims)
{
	net_valid_pair(L2, R1);
	net_stanza(L1, R1, "1");
	net_turn(0);
	net.suits = not_l1;
	initiator_review(net.i, net.now);
	net_turn(0);
	cr_expect_not(net_valid(0, L1, R1));
	net_found_if_asked(R1, PEER);
	cr_assert_eq(net.n_links, 2);
	cr_expect_str_eq(net.links[1]->from, L1);
	cr_expect_eq(net_stanza(L2, R1, "a"), OUT_WRITE);
}

static bool permits_no_x(void *ctx, struct span from, struct span to)
{
	(void)ctx;
	(void)to;
	return from.p[0] != 'x';
}

Test(initiate_limits, review_makes_room_in_the_window)
{
	net_valid_pair(L2, R1);
	for (unsigned n = 0; n < LIMIT_OUT_WINDOW_MIN + 1; n++)
		net_stanza(net_name("x%u.test", n), R1, "x");
	net_turn(0);
	net_stanza(L1, R1, "1");
	net_turn(0);
	cr_expect_eq(net_claims(0, L1, R1), 0);
	net.ops.permits = permits_no_x;
	initiator_review(net.i, net.now);
	net.links[0]->outstanding = 0; /* nobody waits for those answers */
	net_turn(0);
	cr_expect_eq(net_claims(0, L1, R1), 1);
}

/* A stream fails while names are asked for: they are not asked for a second time. */
Test(initiate_limits, fails_while_names_are_asked)
{
	net_valid_pair(L2, R1);
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_slow(0);
	net_stanza("l3.test", R1, "3");
	net_turn(0);
	cr_assert_eq(net.n_links, 2);
	net_wait(2000);
	net_refuse(0, L1, R1, DB_RESOURCE_CONSTRAINT);
	cr_assert(net_is_asked(R1));
	net_down(1, OUT_LOSS_UNREACHABLE, NULL);
	cr_expect_eq(net.open_lookups, 1);
	cr_expect_eq(net_claims(0, "l3.test", R1), 1);
	net_wait(HOLD_FIRST_MS);
	net_slow(0);
	net_stanza("l4.test", R1, "4");
	net_turn(0);
	cr_expect_eq(net.open_lookups, 1);
	net_found(R1, PEER);
	cr_expect_eq(net.n_links, 4); /* a sibling, and one for the pair that was refused */
	cr_expect_eq(net_stanza(L2, R1, "2"), OUT_WRITE);
}

/* -- the end -- */

Test(initiate_limits, drain)
{
	net_valid_pair(L2, R1);
	net_stanza(L1, R1, "1"); /* claimed */
	net_stanza(L1, R2, "2"); /* waits for names */
	net_stanza(L1, "r3.test", "3"); /* dialled */
	net_turn(0);
	net_found("r3.test", OTHER);
	initiator_drain(net.i, net.now);
	net_turn(0);
	cr_expect_str_eq(net_returned(), "1:draining 2:draining 3:draining");
	cr_expect_eq(net_stanza(L1, R2, "4"), OUT_RETURN);
	cr_expect_eq(net_stanza(L1, "r3.test", "5"), OUT_RETURN);
	cr_expect_str_eq(net_returned(), "4:draining 5:draining");
	cr_expect_eq(net_stanza(L2, R1, "6"), OUT_WRITE);
	cr_expect(!net_valid(0, L1, R1), "nobody waits for it any more");
	cr_expect_str_eq(net_sent(0), "0 6");
	/* What was not taken any more goes back, too. */
	net_ending(0);
	cr_expect_eq(net_stanza(L2, R1, "8"), OUT_RETURN);
	cr_expect(net_requeue(0, L2, R1, "7"));
	net_down(0, OUT_LOSS_CLOSED, NULL);
	cr_expect_str_eq(net_returned(), "8:draining 7:draining");
	net_not_found(R2, OUT_LOOK_UP_FAILED);
	cr_expect_eq(net.n_links, 2);
}

Test(initiate_limits, drain_in_quarantine)
{
	net_valid_pair(L2, R1);
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_invalid(0, L1, R1);
	net_stanza(L2, R1, "a");
	initiator_drain(net.i, net.now);
	cr_expect_str_eq(net_sent(0), "0 a");
}

/* Idle streams end; one with pairs that are valid much later, and never while a claim is open. */
Test(initiate_limits, idle)
{
	net_valid_pair(L1, R1);
	net_wait(TIMEOUT_IDLE_OUT_MS - 1000);
	cr_expect_eq(net.n_closed, 0);
	net_stanza(L1, R1, "1");
	net_wait(TIMEOUT_IDLE_OUT_MS - 1000);
	cr_expect_eq(net.n_closed, 0);
	net_wait(TIMEOUT_EMPTY_OUT_MS + 2000);
	cr_expect_eq(net.n_closed, 1);
	net_stanza(L1, R1, "2");
	net_down(0, OUT_LOSS_OURS, NULL);
	net_turn(0);
	net_found_if_asked(R1, PEER);
	net_up(1);
	net_valid(1, L1, R1);
	cr_expect_str_eq(net_sent(1), "2");
}

Test(initiate_limits, empty)
{
	net_valid_pair(L1, R1);
	net_refuse(0, L1, R1, DB_FORBIDDEN);
	net_wait(TIMEOUT_EMPTY_OUT_MS + 200);
	cr_expect_eq(net.n_closed, 1);
	cr_expect_eq(net_stats().open_links, 1);
}
