/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The initiator: how we prove ourselves to a server, and whose failure it is when a stream does not come
 * about: the sender's that its header names, or the target's (docs/decisions/018;
 * row T-Z7). */
#include <criterion/criterion.h>

#include "initiate_net.h"

TestSuite(initiate_blame, .init = net_begin, .fini = net_end, .timeout = 100);

/* 4.2: a peer that ends the stream over SASL EXTERNAL gets another without it. */
Test(initiate_blame, external_is_refused)
{
	net_stanza_to(L1, R1, "1", PEER);
	net_connected(0, 0);
	cr_expect_eq(net.links[0]->proof, OUT_PROOF_EXTERNAL);
	initiator_external_refused(net.i, net.links[0]->l, net.now);
	net_down(0, OUT_LOSS_EXTERNAL, NULL);
	cr_assert_eq(net.links[0]->opened, 2);
	cr_expect_eq(net.links[0]->proof, OUT_PROOF_SHOWN);
	net_connected(0, 0);
	net_down(0, OUT_LOSS_EXTERNAL, NULL);
	cr_expect_eq(net.links[0]->opened, 2, "but only once");
	net_stanza_to(L1, R2, "2", PEER);
	cr_expect_eq(net.links[1]->proof, OUT_PROOF_SHOWN, "it is remembered");
}

/* 4.4: one that ends the handshake over our certificate is not shown it, at that place and in that attempt. */
Test(initiate_blame, a_certificate_breaks_the_handshake)
{
	net_stanza_to(L1, R1, "1", PEER " 192.0.2.77:5269");
	net_connected(0, 0);
	net_down(0, OUT_LOSS_REFUSED, NULL);
	cr_assert_eq(net.links[0]->opened, 2);
	cr_expect_eq(net.links[0]->n, 2, "the same place");
	cr_expect_eq(net.links[0]->proof, OUT_PROOF_NONE);
	net_connected(0, 0);
	net_down(0, OUT_LOSS_NEGOTIATION, NULL);
	cr_assert_eq(net.links[0]->opened, 3);
	cr_expect_eq(net.links[0]->n, 1, "the next one");
	cr_expect_eq(net.links[0]->proof, OUT_PROOF_EXTERNAL);
	net_up(0);
	net_valid(0, L1, R1);
	cr_expect_str_eq(net_sent(0), "1");
	net_stanza_to(L1, R2, "2", PEER);
	cr_expect_eq(net.links[1]->proof, OUT_PROOF_EXTERNAL, "others may be shown it");
}

static void fails_bare(unsigned link, enum out_loss how, enum out_loss bare, const char *condition)
{
	net_connected(link, 0);
	net_down(link, how, NULL);
	cr_assert_eq(net.links[link]->proof, OUT_PROOF_NONE);
	net_connected(link, 0);
	net_down(link, bare, condition);
}

/* An alert over its certificate is a sender's, however many get one. */
Test(initiate_blame, z7_certificates_are_refused)
{
	net_stanza(L1, R1, "1");
	net_stanza_to(L2, R1, "2", PEER);
	fails_bare(0, OUT_LOSS_REFUSED, OUT_LOSS_NEGOTIATION, NULL);
	cr_expect_str_eq(net_returned(), "1:no-stream");
	net_found_if_asked(R1, PEER);
	cr_assert_eq(net.n_links, 2);
	cr_expect_str_eq(net.links[1]->from, L2);
	fails_bare(1, OUT_LOSS_REFUSED, OUT_LOSS_UNPROVEN, NULL);
	cr_expect_str_eq(net_returned(), "2:no-stream");
	net_stanza("l3.test", R1, "3");
	net_turn(0);
	net_found_if_asked(R1, PEER);
	cr_assert_eq(net.n_links, 3);
	cr_expect_eq(net.links[2]->proof, OUT_PROOF_EXTERNAL);
	net_up(2);
	net_valid(2, "l3.test", R1);
	cr_expect_str_eq(net_sent(2), "3");
}

/* An end without a word may be anything: what is said to who shows nothing does not count, and the target
 * is held if nothing else is left. */
Test(initiate_blame, an_end_at_sight_is_the_targets)
{
	net_stanza(L1, R1, "1");
	net_stanza_to(L2, R1, "2", PEER);
	fails_bare(0, OUT_LOSS_AT_SIGHT, OUT_LOSS_ERROR, "not-authorized");
	cr_expect_str_eq(net_returned(), "1:no-stream/not-authorized 2:no-stream/not-authorized");
	cr_expect_eq(net.n_links, 1);
}

Test(initiate_blame, q10_an_end_at_sight)
{
	static const struct {
		enum out_loss how;
		const char *condition;
	} told[] = { { OUT_LOSS_ERROR, "not-authorized" }, { OUT_LOSS_UNPROVEN, NULL },
		{ OUT_LOSS_NEGOTIATION, NULL } };

	for (unsigned n = 0; n < ARRAY_LEN(told); n++) {
		net_stanza_to(L1, net_name("r%u.test", n), "1", PEER " 192.0.2.77:5269");
		fails_bare(n, OUT_LOSS_AT_SIGHT, told[n].how, told[n].condition);
		cr_assert_eq(net.links[n]->opened, 3);
		cr_expect_eq(net.links[n]->n, 1);
		cr_expect_eq(net.links[n]->proof, OUT_PROOF_EXTERNAL);
		net_up_plain(n);
		net_valid(n, L1, net_name("r%u.test", n));
		cr_expect_str_eq(net_sent(n), "1");
	}
}

/* What we lack, or the network, is nobody's. */
Test(initiate_blame, a_bare_attempt_that_is_not_made)
{
	net_stanza(L1, R1, "1");
	net_stanza_to(L2, R1, "2", PEER);
	fails_bare(0, OUT_LOSS_REFUSED, OUT_LOSS_OVERLOAD, NULL);
	cr_expect_str_eq(net_returned(), "", "they wait");
	net_wait(3000);
	net_found_if_asked(R1, PEER);
	cr_assert_eq(net.n_links, 2);
	net_connected(1, 0);
	net_down(1, OUT_LOSS_UNREACHABLE, NULL);
	cr_expect_str_eq(net_returned(), "1:unreachable 2:unreachable");
}

/* 7.1: the right server's answer, to the sender that its header named. */
Test(initiate_blame, z7_a_sender_is_not_welcome)
{
	static const char *const said[] = { "not-authorized", "policy-violation", "invalid-from" };
	static const char *const returned[] = { "1:no-stream/not-authorized",
		"1:no-stream/policy-violation", "1:no-stream/invalid-from" };
	static const char *const unwelcome[] = { "l3.test", "l4.test", "l5.test" };

	for (unsigned n = 0; n < ARRAY_LEN(said); n++)
		net_stanza(unwelcome[n], R1, "1");
	net_stanza_to(L2, R1, "2", PEER);
	for (unsigned n = 0; n < ARRAY_LEN(said); n++) {
		cr_expect_str_eq(net.links[n]->from, unwelcome[n]);
		net_connected(n, 0);
		net_down(n, OUT_LOSS_ERROR, said[n]);
		cr_expect_str_eq(net_returned(), returned[n]);
		net_found_if_asked(R1, PEER);
	}
	cr_assert_eq(net.n_links, 4);
	net_up(3);
	net_valid(3, L2, R1);
	cr_expect_eq(net_stanza(L2, R1, "3"), OUT_WRITE);
	cr_expect_eq(net_stanza(unwelcome[0], R1, "4"), OUT_RETURN);
	/* It may have another certificate now. */
	initiator_review(net.i, net.now);
	cr_expect_eq(net_stanza(unwelcome[0], R1, "5"), OUT_KEPT);
	net_turn(0);
	cr_expect_eq(net_claims(3, unwelcome[0], R1), 1);
}

/* Another was opened while it was going: it is not opened again beside that. */
Test(initiate_blame, its_place_is_taken)
{
	net_end();
	net.opts.max_streams = 1;
	net_begin();
	net_stanza_to(L1, R1, "1", PEER);
	net_up(0);
	initiator_external_refused(net.i, net.links[0]->l, net.now);
	net_ending(0);
	net_stanza(L2, R1, "2");
	net_turn(0);
	net_found_if_asked(R1, PEER);
	cr_assert_eq(net.n_links, 2);
	net_down(0, OUT_LOSS_EXTERNAL, NULL);
	cr_expect_eq(net.links[0]->opened, 1);
	net_up(1);
	net_valid_all();
	cr_expect_str_eq(net_sent(1), "2 1");
}

Test(initiate_blame, external_is_accepted)
{
	net_stanza(L1, R1, "1");
	net_stanza_to(L2, R1, "2", PEER);
	net_up_proven(0);
	cr_expect_str_eq(net_sent(0), "1");
	cr_expect_eq(net_claims(0, L1, R1), 0);
	cr_expect_eq(net_claims(0, L2, R1), 1);
}

/* -- rules of one sender, and of all -- */

/* L1's own rule demands TLS: L2 and its target do not pay for that. */
Test(initiate_blame, z7_one_sender_demands_too_much)
{
	net_stanza(L1, R1, "1");
	net_stanza_to(L2, R1, "2", PEER);
	net_connected(0, 0);
	net_down(0, OUT_LOSS_RULE, NULL);
	cr_expect_str_eq(net_returned(), "1:no-tls");
	net_found_if_asked(R1, PEER);
	cr_assert_eq(net.n_links, 2);
	cr_expect_str_eq(net.links[1]->from, L2);
	net_up(1);
	net_valid(1, L2, R1);
	cr_expect_eq(net_stanza(L2, R1, "3"), OUT_WRITE);
	cr_expect_eq(net_stanza(L1, R1, "4"), OUT_RETURN);
}

/* However many do. */
Test(initiate_blame, z7_many_senders_demand_too_much)
{
	static const char *const many[] = { "l3.test", "l4.test", "l5.test" };

	for (unsigned n = 0; n < ARRAY_LEN(many); n++)
		net_stanza(many[n], R1, "1");
	net_stanza_to(L2, R1, "2", PEER);
	for (unsigned n = 0; n < ARRAY_LEN(many); n++) {
		net_connected(n, 0);
		net_down(n, OUT_LOSS_RULE, NULL);
		net_found_if_asked(R1, PEER);
	}
	cr_expect_str_eq(net_returned(), "1:no-tls 1:no-tls 1:no-tls");
	cr_assert_eq(net.n_links, 4);
	net_up(3);
	net_valid(3, L2, R1);
	cr_expect_str_eq(net_sent(3), "2");
}

/* Everybody's: then nobody needs to try again. */
Test(initiate_blame, all_demand_too_much)
{
	net_stanza(L1, R1, "1");
	net_stanza_to(L2, R1, "2", PEER);
	net_connected(0, 0);
	net_down(0, OUT_LOSS_TLS, NULL);
	cr_expect_str_eq(net_returned(), "1:no-tls 2:no-tls");
	cr_expect_eq(net_stanza("l3.test", R1, "3"), OUT_RETURN);
	net_wait(HOLD_POLICY_MS);
	net_stanza_to("l3.test", R1, "4", PEER);
	cr_expect_eq(net.n_links, 2);
}

static bool not_l1(struct net_link *l, const char *from, const char *to)
{
	(void)l;
	(void)to;
	return strcmp(from, L1) != 0;
}

/* A stream that came up for a pair and does not suit it: no other one would. */
Test(initiate_blame, z7_never_suits)
{
	net.suits = not_l1;
	net_stanza(L1, R1, "1");
	net_stanza_to(L2, R1, "2", PEER);
	net_up(0);
	cr_expect_str_eq(net_returned(), "1:no-tls");
	net_valid(0, L2, R1);
	cr_expect_str_eq(net_sent(0), "2");
	net_wait(1000);
	cr_expect_eq(net.n_links, 1);
}

/* T-Z7: each failure of L1 in turn, while L2 goes on. */
Test(initiate_blame, z7_failures_of_one_pair)
{
	unsigned n = 0;

	net_valid_pair(L2, R1);
	for (unsigned how = 0; how < 6; how++) {
		const char *from = net_name("l%u.test", how);

		net_stanza(net_name("l%u.test", n), R1, "x");
		net_turn(0);
		cr_assert_eq(net_claims(0, from, R1), 1);
		if (how == 0)
			net_invalid(0, from, R1);
		else if (how == 1)
			net_wait(TIMEOUT_DIALBACK_MS + 100);
		else
			net_refuse(0, from, R1,
				how == 2 ? DB_RESOURCE_CONSTRAINT : (enum db_condition)how);
		net_wait(QUARANTINE_MIN_MS + 100);
		cr_expect_eq(net_stanza(L2, R1, "y"), OUT_WRITE);
		n++;
	}
	/* The one that was told resource-constraint has a stream of its own. */
	if (net_is_asked(R1))
		net_not_found(R1, OUT_LOOK_UP_FAILED);
	else
		net_down(1, OUT_LOSS_UNREACHABLE, NULL);
	cr_expect_eq(net_stanza(L2, R1, "y"), OUT_WRITE);
	net_stanza(L1, R1, "z");
	net_turn(0);
	cr_expect(net_valid(0, L1, R1), "others join at once");
	cr_expect_eq(net.n_sent, 1 + n + 2);
}
