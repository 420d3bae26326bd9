/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A dial that is given up: nothing is told any more, and nothing of it is left. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dial_rig.h"

TestSuite(dial_cancel, .init = race_open, .fini = race_close);

static void is_silent(void)
{
	race_pass(DIAL_DELAY_MS);
	race_pass(TIMEOUT_CONNECT_MS);
	cr_assert_eq(race.connects + race.fails, 0);
	cr_assert_eq(race_open_now(), 0);
}

Test(dial_cancel, cancelled_at_any_time)
{
	static const unsigned waits[] = { 0, 1, DIAL_DELAY_MS, DIAL_DELAY_MS, TIMEOUT_CONNECT_MS };

	dial_cancel(NULL);
	for (unsigned i = 0; i <= ARRAY_LEN(waits); i++) {
		race_begin("d0 e0 d0 e0 d0 d1");
		for (unsigned k = 0; k < i; k++)
			race_pass(waits[k]);
		cr_assert_gt(race_open_now(), 0);
		dial_cancel(race.dial);
		is_silent();
	}
}

static bool at_once_full(void *ctx)
{
	(void)ctx;
	return true;
}

/* The kernel has connected it already, and nobody was told. */
Test(dial_cancel, cancelled_when_it_is_too_late)
{
	race_begin_two("f0 f0");
	conns_flush(race.r.conns, rig_now(&race.r));
	uring_turn(race.r.uring, 100, 512, at_once_full, NULL);
	dial_cancel(race.dial);
	is_silent();
}

Test(dial_cancel, cancelled_from_its_own_calls)
{
	race.cancel = RACE_AT_PLACE_FAILED;
	race_begin("d0 r0 f0");
	race_pass(DIAL_DELAY_MS);
	cr_assert_eq(race.n_place_fails, 1);
	is_silent();

	race.cancel = RACE_AT_CONNECTED;
	race_begin("d0 r0 f0");
	race_pass(DIAL_DELAY_MS);
	race_won_by(2);
	race_winner_works();

	race.cancel = RACE_AT_FAILED;
	race_begin("r0");
	rig_settle(&race.r);
	race_failed(-ECONNREFUSED);
}

/* Places of all kinds, three to a group. */
static void places_random(char *words)
{
	static const char kinds[] = "prde";
	unsigned n = 1 + rng() % LIMIT_CANDIDATES;

	for (unsigned i = 0; i < n; i++)
		words += sprintf(words, "%s%c%u", i ? " " : "", kinds[rng() % 4], i / 3);
}

/* So that its backlog does not fill up. */
static void plain_drain(void)
{
	int fd;

	while ((fd = accept(race.plain, NULL, NULL)) >= 0)
		close(fd);
}

static void end_and_expect_nothing_left(const char *words)
{
	dial_cancel(race.dial);
	race.dial = NULL;
	if (race.winner.conn)
		conn_abort(race.winner.conn, -ECANCELED, "done");
	rig_settle(&race.r);
	cr_assert_eq(race_open_now(), 0, "%s", words);
	race.winner = (struct end){ 0 };
	plain_drain();
}

/* All kinds of lists, ended at any moment: one outcome each, and no descriptor or slot is lost. */
Test(dial_cancel, hundreds_come_and_go)
{
	unsigned won = 0, failed = 0, cancelled = 0, open;

	race_renew(20);
	open = fds_open();
	for (unsigned round = 0; round < 120; round++) {
		char words[3 * LIMIT_CANDIDATES + 1];
		unsigned turns = rng() % 40;

		places_random(words);
		race_begin(words);
		for (unsigned i = 0; i < turns && !race_is_over(NULL); i++) {
			race.r.frozen += rng() % 4 ? DIAL_DELAY_MS : TIMEOUT_CONNECT_MS;
			rig_turn(&race.r, 0);
		}
		won += race.connects;
		failed += race.fails;
		cancelled += race.dial != NULL;
		cr_assert_eq(race.connects + race.fails + (race.dial != NULL), 1);
		end_and_expect_nothing_left(words);
	}
	cr_assert_eq(fds_open(), open);
	cr_assert_gt(won, 0);
	cr_assert_gt(failed, 0);
	cr_assert_gt(cancelled, 0);
}
