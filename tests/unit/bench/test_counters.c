/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/counters.h"

#include "bench/spread.h"

#include <criterion/criterion.h>
#include <math.h>

Test(counters, a_line_of_the_log)
{
	struct counters c;

	cr_assert(counters_read(
		"2026-11-23T03:20:26.709Z info stats: counters since the start"
		" streams_in=2 stanzas_in=1000 stanzas_parked=7 stanzas_requeued=2"
		" stanzas_lost=1 bounced=3 bounce_undeliverable=20 bounce_suppressed=100"
		" in_doubt=4\n",
		&c));
	cr_expect_eq(c.accepted, 1000);
	cr_expect_eq(c.parked, 9);
	cr_expect_eq(c.returned, 123);
	cr_expect_eq(c.undeliverable, 20);
	cr_expect_eq(c.in_doubt, 4);
	cr_expect_eq(c.unread, 1);
}

Test(counters, what_backends_sent_was_accepted_too)
{
	struct counters c;

	cr_assert(counters_read("x info stats: counters since the start stanzas_in=5"
				" stanzas_from_backends=70 stanzas_local=9\n",
		&c));
	cr_expect_eq(c.accepted, 75);
}

Test(counters, what_is_not_there_is_zero)
{
	struct counters c;

	cr_assert(counters_read("x info stats: counters since the start streams_in=2\n", &c));
	cr_expect_eq(c.accepted + c.parked + c.returned + c.in_doubt + c.unread, 0);
}

Test(counters, another_event)
{
	struct counters c;

	cr_expect_not(counters_read("x info stopped: the router has ended stanzas_in=3\n", &c));
}

Test(spread, those_that_were_measured)
{
	double v[] = { 3, (double)NAN, 1, 10 };
	struct spread s = spread_of(v, 4);

	cr_expect_eq(s.n, 3);
	cr_expect(s.min == 1 && s.median == 3 && s.max == 10);
	v[0] = (double)NAN;
	cr_expect_eq(spread_of(v, 1).n, 0);
}
