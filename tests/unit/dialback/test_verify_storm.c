/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verifier when its callbacks interfere, memory is short, or all happens at random. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/base/mem.h"
#include "dice.h"
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

TestSuite(storm, .init = setup, .fini = teardown, .timeout = 100);

/* -- callbacks that do something -- */

static void cancel_everything(struct claim *c)
{
	(void)c;
	verifier_cancel_all(rig.v, &in);
	verifier_cancel_all(rig.v, &other);
}

static void claim_again(struct claim *c)
{
	char from[32];

	if (rig.n_done > 50)
		return;
	snprintf(from, sizeof(from), "again%u.test", rig.n_done);
	cr_assert_not_null(rig_claim(claim_asker(c), NULL, from, "l", "K"));
}

static void crowd(void)
{
	for (unsigned i = 0; i < 100; i++) {
		char from[32];

		snprintf(from, sizeof(from), "d%u.test", i % 10);
		rig_claim(i % 3 ? &in : &other, NULL, from, "shop.hosted.test", "K");
	}
	rig_turn(0);
}

/* At each stage at which a claim can end. */
static void end_at(unsigned stage)
{
	crowd();
	if (stage == 0) {
		rig_wait(TIMEOUT_VERIFY_MS + 100);
		return;
	}
	if (stage == 1) {
		rig_resolved(0, RESOLUTION_NONE, NULL);
		return;
	}
	for (unsigned i = 0; i < 10; i++)
		rig_resolved(i, RESOLUTION_FOUND, AS);
	if (stage == 2)
		rig_down(0, LOSS_UNREACHABLE);
	else if (stage == 3)
		rig_down(0, LOSS_HOST_UNKNOWN);
	else if (stage == 4)
		rig_down(0, LOSS_TLS_REQUIRED);
	else if (stage == 5)
		rig_wait(TIMEOUT_VERIFY_MS + 100);
	if (stage <= 5)
		return;
	rig_up(0);
	if (stage == 6)
		rig_answer(3, ANSWER_VALID);
	else if (stage == 7)
		rig_down(0, LOSS_CLOSED);
	else if (stage == 8)
		rig_down(0, LOSS_HOST_UNKNOWN);
	else
		rig_wait(TIMEOUT_VERIFY_MS + 100);
}

#define STAGES 10

static void again(void)
{
	teardown();
	memset(&rig, 0, sizeof(rig));
	setup();
}

Test(storm, done_cancels_everything)
{
	for (unsigned stage = 0; stage < STAGES; stage++) {
		rig.on_done = cancel_everything;
		end_at(stage);
		cr_expect_eq(rig.n_done, 1, "stage %u: %u", stage, rig.n_done);
		cr_expect_eq(in.n_claims + other.n_claims, 0);
		again();
	}
}

Test(storm, done_claims_again)
{
	for (unsigned stage = 0; stage < STAGES; stage++) {
		rig.on_done = claim_again;
		end_at(stage);
		cr_expect_geq(rig.n_done, 1, "stage %u", stage);
		cr_expect_eq(in.n_claims + other.n_claims + rig.n_done,
			100 + (rig.n_done > 50 ? 50 : rig.n_done), "stage %u", stage);
		again();
	}
}

Test(storm, done_cancels_when_nothing_can_be_dialled)
{
	rig.on_done = cancel_everything;
	rig.refuse_dials = true;
	crowd();
	rig_resolved(0, RESOLUTION_FOUND, AS);
	cr_expect_eq(rig.n_done, 1);
}

/* Resolved from inside, ended from inside, cancelled from inside. */
Test(storm, done_inside_of_resolve)
{
	rig.on_done = cancel_everything;
	rig.resolve_inside = "";
	crowd();
	cr_expect_eq(rig.n_done, 1);
}

/* -- the end -- */

/* Everything open at once: leaks are the sanitizer's to find. */
Test(storm, freed_with_everything_open)
{
	for (unsigned stage = 6; stage < 8; stage++) {
		crowd();
		rig_resolved(0, RESOLUTION_FOUND, AS);
		if (stage == 7)
			rig_up(0);
		rig_resolved(1, RESOLUTION_FOUND, "192.0.2.9:1");
		rig_claim(&in, NULL, "late.test", "l", "K");
		verifier_free(rig.v);
		memset(&rig, 0, sizeof(rig));
		setup();
	}
}

#ifdef SLUICE_FAULT_INJECTION
/* Without memory a claim is refused or ends with OVERLOAD; nothing is lost. */
Test(storm, every_allocation_may_fail)
{
	for (uint64_t k = 1; k < 40; k++) {
		unsigned made = 0;

		mem_fail_nth(k);
		for (unsigned i = 0; i < 10; i++) {
			char from[32];

			snprintf(from, sizeof(from), "d%u.test", i);
			made += rig_claim(&in, NULL, from, "l", "K") != NULL;
		}
		rig_turn(0);
		for (unsigned i = 0; i < rig.n_lookups; i++)
			if (rig.lookups[i].open)
				rig_resolved(i, RESOLUTION_FOUND, AS);
		for (unsigned i = 0; i < rig.n_links; i++)
			if (rig.links[i].open && !rig.links[i].up)
				rig_up(i);
		rig_answer_all(ANSWER_VALID);
		mem_fail_nth(0);
		rig_turn(0);
		cr_expect_eq(rig_outcomes(VERIFY_VALID) + rig_outcomes(VERIFY_OVERLOAD), made,
			"%lu", (unsigned long)k);
		cr_expect_eq(in.n_claims, 0);
		again();
	}
}
#endif

/* -- everything at random -- */

static unsigned sent;

static void random_claims(void)
{
	for (unsigned n = dice(6); n > 0; n--) {
		char from[32], to[16];

		snprintf(from, sizeof(from), "d%u.test", dice(60));
		snprintf(to, sizeof(to), "t%u", sent);
		sent += rig_claim(dice(2) ? &in : &other, NULL, from, to, "K") != NULL;
	}
}

static void random_lookup(void)
{
	unsigned i = dice(rig.n_lookups + 1);
	char addrs[64];

	if (i >= rig.n_lookups || !rig.lookups[i].open)
		return;
	snprintf(addrs, sizeof(addrs), "192.0.2.%u:5269 192.0.2.%u:5269", dice(8), dice(8));
	rig_resolved(i, dice(5) ? RESOLUTION_FOUND : (enum verify_resolution)dice(4),
		dice(4) ? addrs : NULL);
}

static void random_link(void)
{
	unsigned i = dice(rig.n_links + 1);

	if (i >= rig.n_links || !rig.links[i].open)
		return;
	if (!rig.links[i].up && dice(3))
		rig_up(i);
	else if (dice(3) == 0)
		rig_down(i, (enum verify_loss)dice(4));
}

static void random_answers(void)
{
	for (unsigned n = 0; n < 8 && rig.n_asks; n++) {
		unsigned i = dice(rig.n_asks);

		if (rig.links[rig.asks[i].link].open)
			rig_answer(i, (enum answer)dice(3));
	}
}

/* Every claim ends exactly once, whatever the order of events. */
Test(storm, property)
{
	for (dice_state = 1; dice_state < 1ull << 40;) {
		uint64_t seed = dice_state;

		sent = 0;
		for (unsigned step = 0; step < 1500; step++) {
			rig.refuse_asks = dice(20) == 0;
			random_claims();
			rig_turn(dice(200));
			random_lookup();
			random_link();
			random_answers();
		}
		rig.refuse_asks = false;
		for (unsigned i = 0; i < 200 && rig.n_done < sent; i++) {
			for (unsigned l = 0; l < rig.n_lookups; l++)
				if (rig.lookups[l].open)
					rig_resolved(l, RESOLUTION_NONE, NULL);
			/* A stream that was told to close does. */
			for (unsigned l = 0; l < rig.n_links; l++)
				if (rig.links[l].open)
					rig_down(l, LOSS_CLOSED);
			rig_turn(1000);
		}
		cr_expect_eq(rig.n_done, sent, "%lx: %u of %u", (unsigned long)seed, rig.n_done,
			sent);
		cr_expect_eq(in.n_claims + other.n_claims, 0);
		cr_expect_eq(in.in_flight + other.in_flight, 0);
		again();
		dice_state = seed << 3;
	}
}
