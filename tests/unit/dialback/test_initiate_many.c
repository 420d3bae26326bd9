/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The initiator: how many claims are open on a stream, and how many streams there are to a server
 * (rows T-M12, T-M13, T-M15). */
#include <criterion/criterion.h>

#include "initiate_net.h"

TestSuite(initiate_many, .init = net_begin, .fini = net_end, .timeout = 100);

/* T-M12 */
Test(initiate_many, m12_window)
{
	unsigned window = LIMIT_OUT_WINDOW_MIN, claims;

	net_stanza_to(L1, R1, "0", PEER);
	for (unsigned n = 0; n < 9999; n++)
		net_stanza(net_name("l%u.test", n), R1, "x");
	net_up(0);
	cr_expect_eq(net.links[0]->outstanding, window);
	for (unsigned n = 0; n < 300; n++) {
		struct net_claim c = net.claims[n];

		net_valid(c.link, c.from, c.to);
		window += window < LIMIT_OUT_WINDOW_MAX;
		cr_assert_eq(net.links[0]->outstanding, window);
	}
	cr_expect_eq(window, LIMIT_OUT_WINDOW_MAX);
	claims = net.n_claims;
	net_refuse(0, net.claims[300].from, R1, DB_FORBIDDEN);
	/* Half of them: there is room when 64 more are answered, each of which makes one more. */
	for (unsigned n = 301; n < 301 + 63; n++)
		net_valid(0, net.claims[n].from, R1);
	cr_expect_eq(net.n_claims, claims);
	net_valid(0, net.claims[364].from, R1);
	cr_expect_eq(net.n_claims, claims + 1);
	cr_expect_eq(net.links[0]->outstanding, 192);
	net_valid_all();
	cr_expect_eq(net.links[0]->most_outstanding, LIMIT_OUT_WINDOW_MAX);
	cr_expect_eq(net_stats().kept, 0);
	cr_expect_eq(net.n_claims, 10000);
	cr_expect_eq(net.n_links, 1);
}

/* What a peer has borne once is where the next stream to it begins; for a day. */
Test(initiate_many, m12_window_is_remembered)
{
	net_stanza_to(L1, R1, "0", PEER);
	for (unsigned n = 0; n < 20; n++)
		net_stanza(net_name("l%u.test", n), R1, "x");
	net_up(0);
	net_valid_all();
	net_down(0, OUT_LOSS_CLOSED, NULL);
	for (unsigned n = 0; n < 50; n++)
		net_stanza(net_name("m%u.test", n), R1, "x");
	net_turn(0); /* its names are fresh */
	cr_assert_eq(net.n_links, 2);
	net_up(1);
	cr_expect_eq(net.links[1]->outstanding, LIMIT_OUT_WINDOW_MIN + 21);
	net_valid_all();
}

/* A peer that is known not to handle dialback errors: nobody waits to be told so again. */
Test(initiate_many, m4_is_remembered)
{
	net_stanza_to(L1, R1, "1", PEER);
	net_up_plain(0);
	net_valid(0, L1, R1);
	net_down(0, OUT_LOSS_CLOSED, NULL);
	net_wait(10000);
	net_stanza_to(L1, R1, "2", PEER);
	net_stanza_to(L1, R2, "a", PEER);
	cr_assert_eq(net.n_links, 3);
	net_up_plain(1);
	net_up_plain(2);
	net_valid_all();
}

/* T-M13, with a smaller number. */
Test(initiate_many, m13_siblings)
{
	initiator_free(net.i);
	net.opts.max_pairs = 20;
	net_begin();
	net_valid_pair(L1, R1);
	for (unsigned n = 0; n < 79; n++) {
		net_stanza(net_name("l%u.test", n), R1, "x");
		net_turn(0);
		net_found_if_asked(R1, PEER);
		for (unsigned at = 0; at < net.n_links; at++)
			if (net.links[at]->dialling)
				net_up(at);
		net_valid_all();
	}
	cr_expect_eq(net.n_links, 4);
	for (unsigned at = 0; at < net.n_links; at++)
		cr_expect_eq(net.links[at]->claims, 20);
	cr_expect_eq(net_stanza(L2, R1, "y"), OUT_KEPT);
	net_turn(0);
	net_found_if_asked(R1, PEER);
	cr_expect_str_eq(net_returned(), "y:full");
	cr_expect_eq(net.n_links, 4);
	cr_expect_eq(net_stanza(L1, R1, "1"), OUT_WRITE, "pinned to its stream");
	cr_expect(strstr(net_sent(0), "0 ") && strstr(net_sent(0), " 1"));
}

/* T-M15: what is not claimed yet gets another stream, up to four; order is kept. */
Test(initiate_many, m15_slow_peer)
{
	net_valid_pair(L1, R1);
	for (unsigned n = 0; n < 8 * LIMIT_OUT_WINDOW_MIN; n++)
		net_stanza(net_name("l%u.test", n), R1, "x");
	net_turn(0);
	for (unsigned at = 0; at < 6; at++) {
		for (unsigned link = 0; link < net.n_links; link++)
			net_slow(link);
		net_found_if_asked(R1, PEER);
		for (unsigned link = 0; link < net.n_links; link++)
			if (net.links[link]->dialling)
				net_up(link);
	}
	cr_expect_eq(net.n_links, 4);
	cr_expect_eq(net_stanza(L1, R1, "1"), OUT_WRITE);
	net_valid_all();
	cr_expect_eq(net.n_sent, 2 + 8 * LIMIT_OUT_WINDOW_MIN);
	cr_expect_str_eq(net_returned(), "");
}

Test(initiate_many, sibling_cannot_be_had)
{
	net_valid_pair(L1, R1);
	net_slow(0);
	net_stanza(L2, R1, "a");
	net_turn(0); /* its names are fresh */
	cr_assert_eq(net.n_links, 2);
	net_down(1, OUT_LOSS_UNREACHABLE, NULL);
	cr_expect_str_eq(net_returned(), "", "the slow one is better than none");
	cr_expect_eq(net_claims(0, L2, R1), 1);
	cr_expect_eq(net.n_links, 2, "and no other is dialled again and again");
}
