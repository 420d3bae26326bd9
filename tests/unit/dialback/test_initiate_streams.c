/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The initiator: which pairs share which streams (rows T-M1 to T-M8), and who may not
 * (T-M14). How many: test_initiate_many.c. */
#include <criterion/criterion.h>

#include "initiate_net.h"

TestSuite(initiate_streams, .init = net_begin, .fini = net_end, .timeout = 100);

/* -- senders -- */

/* T-M1 */
Test(initiate_streams, m1_second_sender)
{
	net_valid_pair(L1, R1);
	cr_expect_eq(net_stanza(L2, R1, "a"), OUT_KEPT);
	net_turn(0);
	cr_expect_eq(net_claims(0, L2, R1), 1);
	cr_expect_eq(net.n_links, 1);
	cr_expect_eq(net.n_lookups, 1);
	net_valid(0, L2, R1);
	cr_expect_str_eq(net_sent(0), "0 a");
}

/* T-M2 */
Test(initiate_streams, m2_without_errors)
{
	net_stanza_to(L1, R1, "1", PEER);
	net_up_plain(0);
	net_stanza(L2, R1, "a");
	net_turn(0);
	cr_expect_eq(net_claims(0, L2, R1), 1);
	cr_expect_eq(net.n_links, 1);
}

/* -- targets -- */

/* T-M3 */
Test(initiate_streams, m3_second_target)
{
	net_valid_pair(L1, R1);
	net_stanza(L1, R2, "a");
	net_turn(0);
	cr_expect_eq(net.n_claims, 1, "not before its names are known");
	net_found(R2, OTHER " " PEER);
	cr_expect_eq(net_claims(0, L1, R2), 1);
	cr_expect_eq(net.n_links, 1);
	net_valid(0, L1, R2);
	cr_expect_eq(net_stanza(L1, R2, "b"), OUT_WRITE);
	cr_expect_str_eq(net_sent(0), "0 a b");
	cr_expect_eq(net_stanza(L2, R2, "c"), OUT_KEPT);
	net_turn(0);
	cr_expect_eq(net_claims(0, L2, R2), 1, "further senders at once");
	cr_expect_eq(net.n_lookups, 2);
}

/* T-M4 */
Test(initiate_streams, m4_peer_without_errors)
{
	net_stanza_to(L1, R1, "1", PEER);
	net_up_plain(0);
	net_valid(0, L1, R1);
	net_stanza_to(L1, R2, "a", PEER);
	cr_assert_eq(net.n_links, 2);
	cr_expect_str_eq(net.links[1]->to, R2);
}

static bool not_r2(struct net_link *l, const char *from, const char *to)
{
	(void)from;
	return strcmp(l->to, to) == 0 || strcmp(to, R2) != 0;
}

/* T-M5 */
Test(initiate_streams, m5_certificate_does_not_cover_it)
{
	net.suits = not_r2;
	net_valid_pair(L1, R1);
	net_stanza_to(L1, R2, "a", PEER);
	cr_assert_eq(net.n_links, 2);
	net_up(1);
	net_valid(1, L1, R2);
	cr_expect_str_eq(net_sent(1), "a");
	net_stanza_to(L1, R3, "b", PEER);
	cr_expect_eq(net_claims(0, L1, R3), 1);
}

/* T-M6 */
Test(initiate_streams, m6_names_lead_elsewhere)
{
	net_valid_pair(L1, R1);
	net_stanza_to(L1, R2, "a", OTHER " | " PEER);
	cr_assert_eq(net.n_links, 2, "not the most preferred group");
	net_stanza_to(L1, R3, "b", PEER "!");
	cr_expect_eq(net.n_links, 3, "another way to begin");
}

Test(initiate_streams, m6_names_are_fresh)
{
	net_valid_pair(L1, R1);
	net_stanza_to(L1, R2, "a", PEER);
	net_refuse(0, L1, R2, DB_INTERNAL_SERVER_ERROR);
	net_wait(HOLD_TRANSIENT_MS);
	net_stanza(L1, R1, "x");
	net_stanza(L1, R2, "b");
	net_turn(0);
	cr_expect_eq(net_claims(0, L1, R2), 1);
	net_found(R2, OTHER);
	cr_expect_eq(net.n_links, 2);
	cr_expect_eq(net_claims(0, L1, R2), 1);
}

/* T-M7 */
Test(initiate_streams, m7_item_not_found_once)
{
	net_valid_pair(L1, R1);
	net_stanza_to(L1, R2, "a", PEER);
	cr_expect(net_refuse(0, L1, R2, DB_ITEM_NOT_FOUND));
	cr_expect_str_eq(net_returned(), "");
	cr_assert_eq(net.n_links, 2);
	cr_expect_str_eq(net.links[1]->to, R2);
	net_up(1);
	cr_expect(net_refuse(1, L1, R2, DB_ITEM_NOT_FOUND));
	cr_expect_str_eq(net_returned(), "a:refused/item-not-found");
	cr_expect_eq(net_stanza(L1, R1, "1"), OUT_WRITE);
	cr_expect_eq(net.n_links, 2);
	/* That stream is not for others, nor are others' for that target. */
	net_stanza_to(L1, R3, "b", PEER);
	cr_expect_eq(net_claims(0, L1, R3), 1);
	net_stanza(L2, R2, "c");
	net_turn(0);
	cr_expect_eq(net_claims(1, L2, R2), 1);
}

Test(initiate_streams, m7_it_was_the_header)
{
	net_valid_pair(L1, R1);
	net_stanza_to(L1, R2, "a", PEER);
	net_refuse(0, L1, R2, DB_ITEM_NOT_FOUND);
	net_up(1);
	net_valid(1, L1, R2);
	cr_expect_str_eq(net_sent(1), "a");
}

/* T-M8 */
static void old_style(enum out_loss how, const char *condition)
{
	net_valid_pair(L1, R1);
	net_stanza(L2, R1, "1");
	net_turn(0);
	net_stanza_to(L1, R2, "a", PEER);
	net_ending(0);
	net_stanza(L1, R1, "2");
	net_down(0, how, condition);
	net_turn(0);
	net_found_if_asked(R1, PEER);
	net_found_if_asked(R2, PEER);
	cr_expect_str_eq(net_returned(), "");
	cr_assert_eq(net.n_links, 3, "one for each");
	net_up(1);
	net_up(2);
	net_valid_all();
	cr_expect_eq(net.n_sent, 4);
	cr_expect_eq(net.links[1]->claims + net.links[2]->claims, 3);
	/* Also later, and for others; after a day it is forgotten. */
	net_stanza_to(L1, R3, "b", PEER);
	cr_assert_eq(net.n_links, 4);
}

Test(initiate_streams, m8_host_unknown)
{
	old_style(OUT_LOSS_ERROR, "host-unknown");
}

Test(initiate_streams, m8_invalid_from)
{
	old_style(OUT_LOSS_ERROR, "invalid-from");
}

Test(initiate_streams, m8_bare_close)
{
	old_style(OUT_LOSS_CLOSED, NULL);
}

Test(initiate_streams, m8_not_when_it_is_long_ago)
{
	net_valid_pair(L1, R1);
	net_stanza_to(L1, R2, "a", PEER);
	net_wait(5001);
	net_down(0, OUT_LOSS_CLOSED, NULL);
	cr_expect_str_eq(net_returned(), "a:lost");
}

/* Three claims for further targets without an answer: no more of them there. */
Test(initiate_streams, silence_about_further_targets)
{
	net_valid_pair(L1, R1);
	for (unsigned n = 0; n < 4; n++) {
		net_stanza_to(L1, net_name("r%u.test", n), "a", PEER);
		cr_expect_eq(net.n_links, n < 3 ? 1 : 2);
		net_wait(TIMEOUT_DIALBACK_MS + 100);
		net_stanza(L1, R1, "x");
	}
	cr_expect_eq(net_stanza(L1, R1, "1"), OUT_WRITE, "the stream is kept");
}

/* One stream to a place is dialled at a time; who finds out that it does not suit goes on alone. */
Test(initiate_streams, others_wait_for_the_first)
{
	net_stanza(L1, R1, "1");
	net_stanza(L1, R2, "2");
	net_stanza(L1, R3, "3");
	net_turn(0);
	net_found(R1, PEER);
	net_found(R2, PEER);
	net_found(R3, PEER);
	cr_assert_eq(net.n_links, 1);
	net_up(0);
	net_valid_all();
	cr_expect_str_eq(net_sent(0), "1 2 3");
}

static unsigned asked_whether_it_suits;

static bool only_its_own(struct net_link *l, const char *from, const char *to)
{
	(void)from;
	asked_whether_it_suits++;
	return strcmp(l->to, to) == 0;
}

static void many_targets_at_one_place(bool errors)
{
	enum { N = 300 };
	unsigned links;

	net.places = PEER;
	net.suits = errors ? only_its_own : NULL;
	for (unsigned n = 0; n < N; n++)
		net_stanza(L1, net_name("r%u.test", n), "x");
	net_turn(0);
	cr_expect_eq(net.n_links, 1);
	for (unsigned n = 0; n < N; n++) {
		cr_assert_lt(n, net.n_links);
		if (errors)
			net_up(n);
		else
			net_up_plain(n);
		if (n == 0)
			cr_expect_eq(net.dialling, LIMIT_OUT_OPENING / 2,
				"not one after the other; the others' senders have as many left");
	}
	net_valid_all();
	cr_expect_eq(net.n_sent, N);
	cr_expect_eq(net.n_links, N);
	/* Each looks at some of the streams there, not at all. */
	asked_whether_it_suits = 0;
	for (unsigned n = 0; n < 100; n++)
		net_stanza(L1, net_name("later%u.test", n), "x");
	net_turn(0);
	cr_expect_leq(asked_whether_it_suits, 100 * (LIMIT_OUT_SHARED + 1));
	/* If the place has learnt better, that is found out. */
	net.suits = NULL;
	net_stanza(L1, R1, "1");
	net_turn(0);
	for (unsigned n = N; n < net.n_links; n++)
		net_up(n);
	links = net.n_links;
	net_stanza(L1, R2, "2");
	net_turn(0);
	cr_expect_eq(net.n_links, links);
	net_valid_all();
	net.places = NULL;
}

Test(initiate_streams, many_targets_without_errors)
{
	many_targets_at_one_place(false);
}

Test(initiate_streams, many_targets_with_certificates)
{
	many_targets_at_one_place(true);
}

Test(initiate_streams, the_first_fails)
{
	net_stanza(L1, R1, "1");
	net_stanza(L1, R2, "2");
	net_turn(0);
	net_found(R1, PEER);
	net_found(R2, PEER " " OTHER);
	cr_assert_eq(net.n_links, 1);
	net_down(0, OUT_LOSS_UNREACHABLE, NULL);
	cr_expect_str_eq(net_returned(), "1:unreachable");
	cr_assert_eq(net.n_links, 2);
	net_up(1);
	net_valid(1, L1, R2);
	cr_expect_str_eq(net_sent(1), "2");
}

/* What joined R1's stream is not to blame when that was good for nothing. */
Test(initiate_streams, joined_a_bad_stream)
{
	net_stanza_to(L1, R1, "1", PEER);
	net_up(0);
	for (unsigned n = 0; n < LIMIT_OUT_WINDOW_MIN; n++)
		net_stanza(net_name("l%u.test", n), R1, "x");
	net_turn(0);
	net_stanza_to(L1, R2, "2", PEER);
	cr_assert_eq(net.n_links, 1);
	net_down(0, OUT_LOSS_ERROR, "policy-violation");
	cr_expect_null(strstr(net_returned(), "2:"));
	cr_assert_eq(net.n_links, 2);
	cr_expect_str_eq(net.links[1]->to, R2);
}

/* -- senders whose names do not lead to us -- */

static bool is_ours(void *ctx, const struct place *places, unsigned n)
{
	(void)ctx;
	return n > 0 && places[0].addr.ip[12] == 198;
}

#define OURS "198.51.100.1:5269"

static void with_own_names(void)
{
	initiator_free(net.i);
	net.ops.is_ours = is_ours;
	net_begin();
}

/* T-M14 */
Test(initiate_streams, m14_foreign_sender)
{
	with_own_names();
	net_stanza(L2, R1, "0");
	net_turn(0);
	cr_expect(net_is_asked(L2) && !net_is_asked(R1));
	net_found(L2, OURS);
	net_found(R1, PEER);
	net_up(0);
	net_valid(0, L2, R1);
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_found(L1, "203.0.113.9:5269");
	net_turn(0); /* its names are fresh */
	cr_assert_eq(net.n_links, 2);
	net_up(1);
	cr_expect_eq(net_claims(0, L1, R1), 0, "the shared stream never sees it");
	cr_expect_eq(net_claims(1, L1, R1), 1);
	cr_expect_eq(net_stats().foreign, 1);
	cr_expect_eq(net.steps[OUT_STEP_FOREIGN], 1);
	net_invalid(1, L1, R1);
	cr_expect_eq(net_stanza(L2, R1, "a"), OUT_WRITE);
}

Test(initiate_streams, m14_no_names_at_all)
{
	with_own_names();
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_not_found(L1, OUT_NONE);
	net_found(R1, PEER);
	net_up(0);
	net_stanza(L2, R1, "a");
	net_turn(0);
	net_not_found(L2, OUT_LOOK_UP_FAILED);
	cr_expect_eq(net.n_links, 2, "nobody beside it");
	net_up(1);
	net_stanza(L3, R1, "b");
	net_turn(0);
	net_found(L3, OURS);
	cr_expect_eq(net_claims(1, L2, R1), 1);
	cr_expect_eq(net_claims(1, L3, R1), 1, "what DNS does not say is no fault");
}

/* Who is being looked up again is still what it was. */
Test(initiate_streams, m14_looked_up_again)
{
	with_own_names();
	net_stanza(L2, R1, "0");
	net_turn(0);
	net_found(L2, OURS);
	net_found(R1, PEER);
	net_up(0);
	net_valid(0, L2, R1);
	net_stanza(L1, R1, "1");
	net_turn(0);
	net_not_found(L1, OUT_NONE);
	net_turn(0);
	net_found_if_asked(R1, PEER);
	net_up(1);
	net_valid(1, L1, R1);
	net_wait(HOLD_SENDER_MS - 1);
	net_stanza(L2, R1, "x");
	net_stanza(L1, R2, "2"); /* waits for names */
	net_turn(0);
	cr_assert(net_is_asked(R2));
	net_turn(1);
	net_stanza(L1, R3, "3"); /* its sender's knowledge is old */
	net_turn(0);
	cr_assert(net_is_asked(L1));
	net_found(R2, PEER);
	cr_expect_eq(net_claims(0, L1, R2), 0);
	cr_assert_eq(net.n_links, 3);
	net_not_found(L1, OUT_LOOK_UP_FAILED);
	net_found(R3, PEER);
	cr_expect_eq(net_claims(0, L1, R3), 0);
	cr_expect_eq(net.n_links, 4);
}
