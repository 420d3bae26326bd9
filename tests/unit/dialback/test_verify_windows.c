/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verifier sends at once, and to whose benefit (rule 2.5). */
#include <criterion/criterion.h>
#include <stdio.h>

#include "verify_rig.h"

#define AS "192.0.2.1:5269"

TestSuite(windows, .init = rig_begin, .fini = rig_end, .timeout = 100);

static struct asker in;

/* T-R26 */
Test(windows, ten_thousand_in_one_burst)
{
	rig_asker(&in, "OURID", "203.0.113.5");
	rig_flood(&in, 10000, "d%u.test");
	cr_expect_eq(in.n_claims, 10000);
	rig_turn(0);
	for (unsigned i = 0; i < rig.n_lookups; i++) {
		cr_assert_leq(rig.open_lookups, LIMIT_LOOKUPS_MAX);
		rig_resolved(i, RESOLUTION_FOUND, AS);
		if (i == 0)
			rig_up(0);
		/* The network has a round trip of 64 look-ups. */
		if (i % 64 == 63)
			rig_answer_all(ANSWER_VALID);
		cr_assert_leq(rig.open_asks, in.window);
	}
	rig_answer_all(ANSWER_VALID);
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 10000);
	cr_expect_eq(rig.n_done, 10000);
	cr_expect_eq(rig.n_asks, 10000);
	cr_expect_eq(rig.n_links, 1);
	cr_expect_eq(in.window, LIMIT_KEYS_MAX, "%u", in.window);
	cr_expect_eq(rig.most_lookups, LIMIT_LOOKUPS_MAX, "%u", rig.most_lookups);
}

Test(windows, lookup_window)
{
	rig_asker(&in, "OURID", "203.0.113.5");
	rig_flood(&in, 1000, "d%u.test");
	rig_turn(0);
	cr_expect_eq(rig.n_lookups, LIMIT_LOOKUPS_MIN);
	for (unsigned i = 0; i < 10; i++)
		rig_resolved(i, RESOLUTION_NONE, NULL);
	cr_expect_eq(rig.open_lookups, LIMIT_LOOKUPS_MIN, "one for one");
	cr_expect_eq(rig.n_lookups, LIMIT_LOOKUPS_MIN + 10);
	/* Another connection of the same host shares the window. */
	verifier_cancel_all(rig.v, &in);
	rig_asker(&in, "OURID2", "203.0.113.5");
	rig_flood(&in, 1000, "e%u.test");
	rig_turn(0);
	cr_expect_eq(rig.open_lookups, LIMIT_LOOKUPS_MIN);
	verifier_cancel_all(rig.v, &in);
}

Test(windows, key_window)
{
	unsigned next = 0;

	rig.resolve_inside = AS;
	rig_asker(&in, "OURID", "203.0.113.5");
	rig_flood(&in, 3000, "d%u.test");
	rig_turn(0);
	rig_up(0);
	cr_expect_eq(rig.open_asks, LIMIT_KEYS_MIN);
	while (next < 63)
		rig_answer(next++, ANSWER_VALID);
	cr_expect_eq(rig.open_asks, LIMIT_KEYS_MIN, "not a full window yet");
	rig_answer(next++, ANSWER_VALID);
	cr_expect_eq(rig.open_asks, 2 * LIMIT_KEYS_MIN);
	while (next < 64 + 128)
		rig_answer(next++, ANSWER_VALID);
	cr_expect_eq(rig.open_asks, 4 * LIMIT_KEYS_MIN);
	rig_answer(next++, ANSWER_INVALID);
	cr_expect_eq(in.window, 2 * LIMIT_KEYS_MIN);
	rig_answer(next++, ANSWER_ERROR);
	rig_answer(next++, ANSWER_INVALID);
	cr_expect_eq(in.window, LIMIT_KEYS_MIN, "never less");
	cr_expect_eq(rig.open_asks, 4 * LIMIT_KEYS_MIN - 3, "shrinks by answers");
	while (rig.open_asks > LIMIT_KEYS_MIN)
		rig_answer(next++, ANSWER_INVALID);
	rig_answer(next++, ANSWER_INVALID);
	cr_expect_eq(rig.open_asks, LIMIT_KEYS_MIN);
	verifier_cancel_all(rig.v, &in);
}

/* T-Z4 */
Test(windows, thousand_victims)
{
	rig_asker(&in, "OURID", "203.0.113.5");
	rig_flood(&in, 1000, "victim%u.test");
	for (unsigned step = 0; step < 400; step++) {
		rig_turn(50);
		for (unsigned i = 0; i < rig.n_lookups; i++) {
			char addr[32];

			if (!rig.lookups[i].open)
				continue;
			snprintf(addr, sizeof(addr), "198.51.%u.%u:5269", i / 250, i % 250);
			rig_resolved(i, RESOLUTION_FOUND, addr);
		}
		cr_assert_leq(rig.n_links, 20 + 20 * (step + 1) / 20);
		cr_assert_leq(rig.dialling, LIMIT_DIALS_OPEN);
	}
	cr_expect_eq(rig.n_links, LIMIT_DIALS_OPEN, "none of them answers");
	cr_expect_eq(rig.n_done, 0, "the rest waits");
	/* They give up; the next ones are dialled, again at the rate. */
	for (unsigned i = 0; i < LIMIT_DIALS_OPEN; i++)
		rig_down(i, LOSS_UNREACHABLE);
	cr_expect_eq(rig_outcomes(VERIFY_UNREACHABLE), LIMIT_DIALS_OPEN);
	cr_expect_eq(rig.n_links, LIMIT_DIALS_OPEN + LIMIT_DIALS_PER_S);
	rig_wait(1000);
	cr_expect_eq(rig.n_links, LIMIT_DIALS_OPEN + 2 * LIMIT_DIALS_PER_S);
	verifier_cancel_all(rig.v, &in);
}

/* T-M10: those behind dead endpoints wait for the dialling budget as long as it takes, each is
 * told what happened to it, and nobody else notices. */
Test(windows, one_in_ten_is_dead)
{
	unsigned resolved = 0, down = 1;

	rig_asker(&in, "OURID", "203.0.113.5");
	rig_flood(&in, 10000, "d%u.test");
	rig_turn(0);
	for (unsigned step = 0; step < 3000 && rig.n_done < 10000; step++) {
		for (; resolved < rig.n_lookups; resolved++) {
			char dead[32];

			snprintf(dead, sizeof(dead), "198.51.%u.%u:5269", resolved / 250,
				resolved % 250);
			rig_resolved(resolved, RESOLUTION_FOUND, resolved % 10 == 9 ? dead : AS);
		}
		if (step == 0)
			rig_up(0);
		for (; down < rig.n_links; down++)
			rig_down(down, LOSS_UNREACHABLE);
		rig_answer_all(ANSWER_VALID);
		rig_turn(50);
	}
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 9000);
	cr_expect_eq(rig_outcomes(VERIFY_UNREACHABLE), 1000);
}

/* Neighbours share the dialling budget, not the look-ups. */
Test(windows, budgets_by_prefix)
{
	static struct asker many[4];
	static const char *const source[] = { "203.0.113.5", "203.0.113.6", "203.0.114.5",
		"[2001:db8::1]" };

	for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
		char id[8];

		snprintf(id, sizeof(id), "id%u", i);
		rig_asker(&many[i], id, source[i]);
		for (unsigned n = 0; n < 100; n++) {
			char from[32];

			snprintf(from, sizeof(from), "d%u-%u.test", i, n);
			rig_claim(&many[i], NULL, from, "l", "K");
		}
	}
	rig_turn(0);
	cr_expect_eq(rig.n_lookups, 4 * LIMIT_LOOKUPS_MIN);
	for (unsigned i = 0; i < rig.n_lookups; i++) {
		char addr[32];

		snprintf(addr, sizeof(addr), "198.51.%u.%u:5269", i / 250, i % 250);
		rig_resolved(i, RESOLUTION_FOUND, addr);
	}
	cr_expect_eq(rig.n_links, 3 * LIMIT_DIALS_PER_S);
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		verifier_cancel_all(rig.v, &many[i]);
}

/* T-R40: what is asked of authorities that do not answer holds up nobody else. */
Test(windows, unresponsive_authorities)
{
	struct asker other;

	rig_asker(&in, "OURID", "203.0.113.5");
	rig_asker(&other, "OTHER", "203.0.200.5");
	rig_flood(&in, LIMIT_UNPROVEN_CLAIMS, "d%u.test");
	rig_turn(0);
	rig_claim(&other, NULL, "good.test", "shop.hosted.test", "K");
	rig_turn(0);
	cr_assert_str_eq(rig.lookups[rig.n_lookups - 1].domain, "good.test");
	rig_resolved(rig.n_lookups - 1, RESOLUTION_FOUND, AS);
	rig_up(0);
	rig_answer_all(ANSWER_VALID);
	cr_expect_eq(rig_outcomes(VERIFY_VALID), 1);
	/* The first window runs out of time; only then do the others begin. */
	rig_wait(TIMEOUT_VERIFY_MS + 100);
	cr_expect_eq(rig_outcomes(VERIFY_UNREACHABLE), LIMIT_LOOKUPS_MIN);
	cr_expect_eq(rig.n_lookups, LIMIT_LOOKUPS_MIN + 1, "the resolver still has those");
	cr_expect_eq(in.n_claims, LIMIT_UNPROVEN_CLAIMS - LIMIT_LOOKUPS_MIN);
	verifier_cancel_all(rig.v, &in);
}

/* Behind a flood from the same address, another stream gets its turn. */
Test(windows, round_robin)
{
	struct asker other;
	unsigned at = 0;

	rig_asker(&in, "OURID", "203.0.113.5");
	rig_asker(&other, "OTHER", "203.0.113.5");
	rig_flood(&in, 5000, "d%u.test");
	rig_claim(&other, NULL, "good.test", "shop.hosted.test", "K");
	verifier_turn(rig.v, rig.now);
	while (at < rig.n_lookups && strcmp(rig.lookups[at].domain, "good.test") != 0)
		at++;
	cr_expect_lt(at, 2, "look-ups: %u", at);
	/* All endpoints are new: the dialling budget is short, and dealt out in turn as well. */
	rig_turn(0);
	for (unsigned i = rig.n_lookups; i-- > 0;) {
		char addr[32];

		snprintf(addr, sizeof(addr), "198.51.%u.%u:5269", i / 250, i % 250);
		rig_resolved(i, RESOLUTION_FOUND, addr);
	}
	rig_wait(100);
	for (at = 0; at < rig.n_links && strcmp(rig.links[at].header_to, "good.test") != 0;)
		at++;
	cr_expect_lt(at, LIMIT_DIALS_PER_S + 2, "dials: %u", at);
	verifier_cancel_all(rig.v, &in);
	verifier_cancel_all(rig.v, &other);
}

Test(windows, round_robin_of_questions)
{
	struct asker other;

	rig.resolve_inside = AS;
	rig_asker(&in, "OURID", "203.0.113.5");
	rig_asker(&other, "OTHER", "203.0.113.6");
	rig_flood(&in, 5000, "d%u.test");
	rig_turn(0);
	rig_flood(&other, 10, "e%u.test");
	rig_turn(0);
	rig_up(0);
	for (unsigned i = 0; i < 20; i += 2)
		cr_expect_neq(strcmp(rig.asks[i].id, rig.asks[i + 1].id), 0);
	verifier_cancel_all(rig.v, &in);
	verifier_cancel_all(rig.v, &other);
}
