/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which places are dialled when, and who wins, within a group and over groups. What fails:
 * test_dial_failure.c; what is given up: test_dial_cancel.c. */
#include <criterion/criterion.h>
#include <errno.h>

#include "dial_rig.h"

TestSuite(dial, .init = race_open, .fini = race_close);

/* -- within a group -- */

Test(dial, one_place)
{
	race_begin("f0");
	race_won_by(0);
	race_winner_works();
	race_rest_is("");
	cr_assert_eq(race.n_place_fails, 0);
}

Test(dial, t_q11_ipv6_in_a_black_hole)
{
	race_begin("v0 f0");
	race_pass(DIAL_DELAY_MS - 1);
	cr_assert_eq(race_dialled(), 1, "the first has its time");
	cr_assert_eq(race.connects, 0);
	race_pass(1);
	race_won_by(1);
	cr_assert_eq(race_dialled(), 2);
	race_winner_works();
	cr_assert_eq(race.n_place_fails, 0, "who is too late has not failed");
	race_rest_is("v0");
}

Test(dial, who_answers_in_time_has_no_rival)
{
	race_begin("f0 p0 f0 p1");
	race_won_by(0);
	race_pass(TIMEOUT_CONNECT_MS);
	cr_assert_eq(race_dialled(), 1);
	race_winner_works();
	race_rest_is("p0 f0 p1");
}

Test(dial, after_a_failure_the_next_begins_at_once)
{
	race_begin("r0 r0 f0");
	race_won_by(2);
	race_winner_works();
	cr_assert_eq(race.n_place_fails, 2);
	race_place_failed(0, -ECONNREFUSED);
	race_place_failed(1, -ECONNREFUSED);
	race_rest_is("");
}

Test(dial, the_delay_is_from_one_beginning_to_the_next)
{
	race_begin("d0 e0 r0 d0 e0");
	race_pass(DIAL_DELAY_MS - 1);
	cr_assert_eq(race_dialled(), 1);
	race_pass(1);
	cr_assert_eq(race_dialled(), 2);
	race_pass(DIAL_DELAY_MS);
	cr_assert_eq(race_dialled(), 4, "the third was refused: the fourth need not wait");
	race_pass(DIAL_DELAY_MS - 1);
	cr_assert_eq(race_dialled(), 4);
	dial_cancel(race.dial);
}

Test(dial, few_are_open_at_once)
{
	race_begin("d0 e0 d0 e0 d0 e0 f0");
	for (unsigned i = 1; i <= LIMIT_DIAL_RACE; i++) {
		cr_assert_eq(race_dialled(), i);
		cr_assert_eq(race_open_now(), i);
		race_pass(DIAL_DELAY_MS);
	}
	cr_assert_eq(race_dialled(), LIMIT_DIAL_RACE);
	race_pass(TIMEOUT_CONNECT_MS - LIMIT_DIAL_RACE * DIAL_DELAY_MS - 1);
	cr_assert_eq(race_dialled(), LIMIT_DIAL_RACE);
	cr_assert_eq(race.n_place_fails, 0);
	/* One fails each time, and makes room for another. */
	for (unsigned i = 1; i <= 2; i++) {
		race_pass(i == 1 ? 1 : DIAL_DELAY_MS);
		cr_assert_eq(race.n_place_fails, i);
		race_place_failed(i - 1, -ETIMEDOUT);
		cr_assert_eq(race_dialled(), LIMIT_DIAL_RACE + i);
		cr_assert_eq(race_open_now(), LIMIT_DIAL_RACE);
	}
	race_pass(DIAL_DELAY_MS);
	race_won_by(6);
	race_winner_works();
	race_rest_is("e0 d0 e0");
}

static bool is_over_once_heard(void *unused)
{
	deaf_hear(&race.deaf);
	return race_is_over(unused);
}

/* The kernel repeats its SYN after a second. */
Test(dial, an_older_attempt_may_still_win)
{
	race_begin("d0 e0");
	race_pass(DIAL_DELAY_MS);
	cr_assert_eq(race_open_now(), 2);
	cr_assert(rig_until(&race.r, is_over_once_heard, NULL));
	race_won_by(0);
	race_rest_is("e0");
	rig_settle(&race.r);
	cr_assert_leq(race_open_now(), 1);
}

Test(dial, of_two_in_one_turn_one_wins)
{
	race_begin_two("f0 f0");
	cr_assert(rig_until(&race.r, race_is_over, NULL));
	cr_assert_eq(race.connects, 1);
	race_winner_works();
	cr_assert_eq(race.n_rest, 1);
}

static void speak_first(struct end *e)
{
	cr_assert(end_write(e, 5000, false));
}

static bool all_heard(void *ctx)
{
	return ((struct end *)ctx)->received == 5000;
}

Test(dial, what_the_server_says_first_is_heard)
{
	for (unsigned i = 0; i < RACE_SERVERS; i++)
		race.servers[i].on_accepted = speak_first;
	race_begin("r0 f0");
	race_won_by(1);
	cr_assert(rig_until(&race.r, all_heard, &race.winner));
	cr_assert_eq(race.winner.connects, 0, "it is not said again");
}

/* -- groups -- */

Test(dial, t_q12_priorities_are_not_raced)
{
	race_begin("d0 e0 f1");
	race_pass(DIAL_DELAY_MS);
	cr_assert_eq(race_dialled(), 2);
	race_pass(DIAL_DELAY_MS);
	race_pass(TIMEOUT_CONNECT_MS - 2 * DIAL_DELAY_MS - 1);
	cr_assert_eq(race.n_place_fails, 0);
	race_pass(1);
	cr_assert_eq(race.n_place_fails, 1);
	race_place_failed(0, -ETIMEDOUT);
	race_pass(DIAL_DELAY_MS - 1);
	cr_assert_eq(race_dialled(), 2, "one of the first priority is still under way");
	cr_assert_eq(race.connects, 0);
	race_pass(1);
	race_won_by(2);
	cr_assert_eq(race.n_place_fails, 2);
	race_place_failed(1, -ETIMEDOUT);
	race_winner_works();
	race_rest_is("");
}

Test(dial, each_group_races_for_itself)
{
	race_begin("r1 r1 d3 f3 f4");
	rig_settle(&race.r);
	cr_assert_eq(race_dialled(), 3);
	cr_assert_eq(race.n_place_fails, 2);
	race_pass(DIAL_DELAY_MS);
	race_won_by(3);
	race_winner_works();
	race_rest_is("d3 f4");
}

/* A list that puts last what failed a moment ago is not ascending any more. */
Test(dial, only_neighbours_are_a_group)
{
	race_begin("d1 f0");
	race_pass(TIMEOUT_CONNECT_MS - 1);
	cr_assert_eq(race_dialled(), 1);
	race_pass(1);
	race_won_by(1);
	race_winner_works();
}
