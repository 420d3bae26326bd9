/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The initiator when a pair is called invalid (rows T-I12 to T-I17), with each --invalid-received. */
#include <criterion/criterion.h>

#include "initiate_net.h"

TestSuite(initiate_invalid, .fini = net_end, .timeout = 100);

/* Row I12: L2 is valid, L1 is claimed with one stanza kept. */
static void given(enum invalid_received policy)
{
	net.opts = (struct initiate_opts){ .max_pairs = 20000,
		.max_streams = 4,
		.invalid_received = policy,
		.max_kept = 1 << 20 };
	net_begin();
	net_valid_pair(L2, R1);
	net_stanza(L1, R1, "1");
	net_turn(0);
	cr_assert_eq(net_claims(0, L1, R1), 1);
}

static void dialled(unsigned link)
{
	net_turn(0);
	net_found_if_asked(R1, PEER);
	net_up(link);
}

/* T-I12 */
Test(initiate_invalid, i12_quarantine)
{
	given(RECEIVED_QUARANTINE);
	cr_expect(net_invalid(0, L1, R1));
	cr_expect_str_eq(net_returned(), "1:invalid");
	cr_expect_eq(net_stanza(L2, R1, "a"), OUT_KEPT);
	cr_expect_eq(net_stanza(L3, R1, "x"), OUT_KEPT);
	cr_expect_eq(net_stanza(L1, R1, "2"), OUT_RETURN);
	net_wait(QUARANTINE_MIN_MS - 1);
	cr_expect_str_eq(net_sent(0), "0");
	cr_expect_eq(net_claims(0, L3, R1), 0, "no claim either");
	net_wait(100);
	cr_expect_str_eq(net_sent(0), "0 a");
	cr_expect_eq(net_claims(0, L3, R1), 1);
	cr_expect_eq(net_stanza(L2, R1, "b"), OUT_WRITE);
	cr_expect_eq(net.n_closed, 0);
	cr_expect_eq(net.n_links, 1);
}

Test(initiate_invalid, i12_an_answer_ends_it)
{
	given(RECEIVED_QUARANTINE);
	net_stanza(L3, R1, "x");
	net_turn(0);
	net_invalid(0, L1, R1);
	net_stanza(L2, R1, "a");
	cr_expect(net_valid(0, L3, R1));
	cr_expect_str_eq(net_sent(0), "0 a x");
}

/* A stream of its own that is lost again and again is dialled less and less often. */
Test(initiate_invalid, i12_its_own_stream_is_lost)
{
	given(RECEIVED_QUARANTINE);
	net_invalid(0, L1, R1);
	for (unsigned n = 0; n < 10; n++) {
		net_wait(HOLD_INVALID_MS / 10 + 1);
		net_stanza(L2, R1, "a");
	}
	net_stanza(L1, R1, "2");
	for (unsigned n = 0; n < 20; n++) {
		net_turn(0);
		if (net_is_asked(R1))
			net_found(R1, PEER);
		if (!net.links[net.n_links - 1]->dialling)
			break;
		net_up(net.n_links - 1);
		cr_assert(net_valid(net.n_links - 1, L1, R1));
		cr_assert(net_requeue(net.n_links - 1, L1, R1, "2"));
		net_down(net.n_links - 1, OUT_LOSS_CLOSED, NULL);
	}
	cr_expect_leq(net.n_links, 3);
	cr_expect_eq(net_stanza(L2, R1, "b"), OUT_WRITE, "the others go on");
	net_wait(LIMIT_PARK_MS);
	if (net_is_asked(R1))
		net_found(R1, PEER);
	net_up(net.n_links - 1);
	net_valid(net.n_links - 1, L1, R1);
	cr_expect_str_eq(net_sent(net.n_links - 1), "2");
}

/* What was held for the pair that it refuses does not go out first. */
Test(initiate_invalid, i12_an_error_takes_back_what_is_held)
{
	given(RECEIVED_QUARANTINE);
	net_stanza(L3, R1, "x");
	net_turn(0);
	net_valid(0, L3, R1);
	net_invalid(0, L1, R1);
	cr_expect_str_eq(net_returned(), "1:invalid");
	cr_expect_eq(net_stanza(L2, R1, "a"), OUT_KEPT);
	cr_expect_eq(net_stanza(L3, R1, "y"), OUT_KEPT);
	cr_expect(net_refuse(0, L3, R1, DB_FORBIDDEN));
	cr_expect_str_eq(net_returned(), "y:refused/forbidden");
	cr_expect_str_eq(net_sent(0), "0 x a", "the others go on");
}

Test(initiate_invalid, i12_but_not_another_invalid)
{
	given(RECEIVED_QUARANTINE);
	net_stanza(L3, R1, "x");
	net_turn(0);
	net_invalid(0, L1, R1);
	net_stanza(L2, R1, "a");
	net_wait(QUARANTINE_MIN_MS - 50);
	net_invalid(0, L3, R1);
	cr_expect_str_eq(net_sent(0), "0");
	net_wait(QUARANTINE_MIN_MS - 50);
	cr_expect_str_eq(net_sent(0), "0", "from the second on");
	net_wait(150);
	cr_expect_str_eq(net_sent(0), "0 a");
}

/* q is three times the time that an answer takes, within bounds. */
Test(initiate_invalid, i12_length)
{
	given(RECEIVED_QUARANTINE);
	net_valid(0, L1, R1);
	net_stanza(L3, R1, "x");
	net_turn(0);
	net_wait(50000);
	net_invalid(0, L3, R1);
	cr_expect_eq(net_stanza(L2, R1, "a"), OUT_KEPT);
	net_wait(QUARANTINE_MAX_MS + 100);
	cr_expect_str_eq(net_sent(0), "0 1 a");
}

Test(initiate_invalid, i12_slow_peer)
{
	net.opts.invalid_received = RECEIVED_QUARANTINE;
	net_begin();
	net_stanza_to(L2, R1, "0", PEER);
	net_up(0);
	net_stanza(L1, R1, "1");
	net_wait(1000);
	net_valid(0, L2, R1);
	net_invalid(0, L1, R1);
	net_stanza(L2, R1, "a");
	net_wait(2900);
	cr_expect_str_eq(net_sent(0), "0");
	net_wait(200);
	cr_expect_str_eq(net_sent(0), "0 a");
}

/* T-I13 */
Test(initiate_invalid, i13_peer_closes)
{
	given(RECEIVED_QUARANTINE);
	net_stanza(L3, R1, "x");
	net_turn(0);
	net_invalid(0, L1, R1);
	net_returned();
	net_stanza(L2, R1, "a");
	net_ending(0);
	net_wait(5000);
	net_stanza(L2, R1, "b");
	net_down(0, OUT_LOSS_CLOSED, NULL);
	cr_expect_str_eq(net_returned(), "", "neither L2 nor L3 is to blame");
	dialled(1);
	cr_expect_eq(net_stanza(L2, R1, "c"), OUT_KEPT);
	net_valid(1, L2, R1);
	net_valid(1, L3, R1);
	cr_expect_str_eq(net_sent(1), "a b c x");
	cr_expect_eq(net_stanza(L1, R1, "2"), OUT_RETURN);
	cr_expect_eq(net.n_links, 2);
}

/* T-I14 */
Test(initiate_invalid, i14_drop_pair)
{
	given(RECEIVED_DROP_PAIR);
	net_invalid(0, L1, R1);
	cr_expect_str_eq(net_returned(), "1:invalid");
	cr_expect_eq(net_stanza(L2, R1, "a"), OUT_WRITE);
	cr_expect_eq(net_stanza(L3, R1, "x"), OUT_KEPT);
	net_turn(0);
	cr_expect(net_valid(0, L3, R1));
	cr_expect_str_eq(net_sent(0), "0 a x");
	cr_expect_eq(net.n_closed, 0);
}

Test(initiate_invalid, closed_when_no_pair_is_left)
{
	for (unsigned policy = RECEIVED_DROP_PAIR; policy <= RECEIVED_CLOSE; policy++) {
		given(policy);
		net_invalid(0, L1, R1);
		net_wait(QUARANTINE_MIN_MS + 100);
		if (policy <= RECEIVED_QUARANTINE) {
			net_invalid(0, L2, R1);
			cr_expect_eq(net.n_closed, 1);
		}
		net_end();
		memset(&net, 0, sizeof(net));
	}
	net_begin();
}

/* T-I15 */
Test(initiate_invalid, i15_migrate)
{
	given(RECEIVED_MIGRATE);
	net_stanza(L3, R1, "x");
	net_turn(0);
	net_invalid(0, L1, R1);
	cr_expect_str_eq(net_returned(), "1:invalid");
	cr_assert_eq(net.n_links, 2, "dialled at once");
	cr_expect_str_neq(net.links[1]->from, L1);
	cr_expect_eq(net.n_closed, 1);
	cr_expect_eq(net_stanza(L2, R1, "a"), OUT_KEPT);
	net_up(1);
	cr_expect_eq(net_claims(1, L2, R1), 0,
		"what was written to the old one may still be on its way");
	cr_expect(net_requeue(0, L2, R1, "9"));
	net_down(0, OUT_LOSS_CLOSED, NULL);
	cr_expect_eq(net_claims(1, L2, R1), 1);
	cr_expect_eq(net_stanza(L2, R1, "b"), OUT_KEPT);
	net_valid(1, L2, R1);
	net_valid(1, L3, R1);
	cr_expect_str_eq(net_sent(1), "9 a b x");
	cr_expect_str_eq(net_sent(0), "0");
	cr_expect_eq(net.n_links, 2);
}

/* Also those that have nothing to send come along. */
Test(initiate_invalid, i15_idle_pairs_migrate)
{
	given(RECEIVED_MIGRATE);
	net_invalid(0, L1, R1);
	net_up(1);
	net_down(0, OUT_LOSS_OURS, NULL);
	cr_expect_eq(net_claims(1, L2, R1), 1);
	net_valid(1, L2, R1);
	cr_expect_eq(net_stanza(L2, R1, "a"), OUT_WRITE);
}

Test(initiate_invalid, i15_successor_fails)
{
	given(RECEIVED_MIGRATE);
	net_invalid(0, L1, R1);
	net_returned();
	net_stanza(L2, R1, "a");
	net_down(1, OUT_LOSS_UNREACHABLE, NULL);
	net_down(0, OUT_LOSS_OURS, NULL);
	cr_expect_str_eq(net_returned(), ""); /* it was there a moment ago */
	net_wait(HOLD_FIRST_MS);
	net_stanza(L2, R1, "b");
	dialled(2);
	net_valid(2, L2, R1);
	cr_expect_str_eq(net_sent(2), "a b");
}

/* T-I16 */
Test(initiate_invalid, i16_close)
{
	given(RECEIVED_CLOSE);
	net_invalid(0, L1, R1);
	cr_expect_eq(net.n_closed, 1);
	net_down(0, OUT_LOSS_CLOSED, NULL);
	net_wait(10000);
	cr_expect_eq(net.n_links, 1, "nobody has anything to send");
	net_stanza(L2, R1, "a");
	dialled(1);
	net_valid(1, L2, R1);
	cr_expect_str_eq(net_sent(1), "a");
}

Test(initiate_invalid, i16_what_comes_meanwhile)
{
	given(RECEIVED_CLOSE);
	net_stanza(L3, R1, "x");
	net_turn(0);
	net_invalid(0, L1, R1);
	net_returned();
	net_stanza(L2, R1, "a");
	net_down(0, OUT_LOSS_CLOSED, NULL);
	dialled(1);
	net_valid(1, L2, R1);
	net_valid(1, L3, R1);
	cr_expect_str_eq(net_sent(1), "a x");
	cr_expect_str_eq(net_returned(), "");
}

/* T-I17 */
static void hold_goes_by(void)
{
	for (unsigned n = 0; n < 5; n++) {
		net_wait(HOLD_INVALID_MS / 5 + 1);
		net_stanza(L2, R1, "a");
	}
}

Test(initiate_invalid, i17_alone_from_now_on)
{
	given(RECEIVED_QUARANTINE);
	net_invalid(0, L1, R1);
	for (unsigned n = 1; n < 4; n++) {
		hold_goes_by();
		net_returned();
		cr_expect_eq(net_stanza(L1, R1, "2"), OUT_KEPT);
		dialled(n);
		cr_expect_eq(net_claims(0, L1, R1), 1, "never again beside others");
		cr_expect_eq(net_claims(n, L1, R1), 1);
		net_stanza(L3, R1, "x");
		net_turn(0);
		cr_expect_eq(net_claims(n, L3, R1), 0, "and nobody beside it");
		net_valid_all();
		cr_expect(net_invalid(n, L1, R1));
		cr_expect(net.links[n]->closing);
		cr_expect_eq(net_stanza(L2, R1, "b"), OUT_WRITE, "not even a pause");
		net_down(n, OUT_LOSS_CLOSED, NULL);
	}
}

Test(initiate_invalid, i17_and_valid_at_last)
{
	given(RECEIVED_QUARANTINE);
	net_invalid(0, L1, R1);
	hold_goes_by();
	net_stanza(L1, R1, "2");
	dialled(1);
	net_valid(1, L1, R1);
	cr_expect_str_eq(net_sent(1), "2");
	cr_expect_eq(net_stanza(L1, R1, "3"), OUT_WRITE);
}

/* A failure of the target does not make it forget. */
Test(initiate_invalid, i17_not_forgotten_when_the_target_fails)
{
	given(RECEIVED_QUARANTINE);
	net_invalid(0, L1, R1);
	hold_goes_by();
	net_returned();
	net_stanza(L1, R1, "2");
	net_turn(0);
	net_not_found(R1, OUT_NONE);
	cr_expect_str_eq(net_returned(), "2:no-service");
	cr_expect_eq(net_stanza(L2, R1, "b"), OUT_WRITE);
	net_wait(HOLD_ABSENT_MS);
	cr_expect_eq(net_stanza(L1, R1, "3"), OUT_KEPT);
	dialled(1);
	cr_expect_eq(net_claims(1, L1, R1), 1);
}

/* Only so many of them at once. */
Test(initiate_invalid, i17_streams_apart_are_few)
{
	unsigned apart;

	given(RECEIVED_QUARANTINE);
	for (unsigned n = 0; n < LIMIT_OUT_APART + 3; n++) {
		const char *from = net_name("l%u.test", n);

		net_stanza(from, R1, "y");
		net_turn(0);
		net_wait(QUARANTINE_MIN_MS + 100);
		net_invalid(0, from, R1);
	}
	hold_goes_by();
	net_returned();
	for (unsigned n = 0; n < LIMIT_OUT_APART + 3; n++)
		net_stanza(net_name("l%u.test", n), R1, "z");
	net_turn(0);
	net_found(R1, PEER);
	apart = net.n_links - 1;
	cr_expect_eq(apart, LIMIT_OUT_APART);
	cr_expect_str_eq(net_returned(), "z:full z:full z:full");
	cr_expect_eq(net_stanza(L2, R1, "b"), OUT_WRITE);
}
