/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

#include "core/base/clock.h"

Test(clock, advances_with_sleep)
{
	const struct timespec pause = { 0, 30 * 1000 * 1000 };
	struct timespec begin, end;
	uint64_t before, after;

	cr_assert_eq(clock_gettime(CLOCK_MONOTONIC, &begin), 0);
	before = clock_ms();
	nanosleep(&pause, NULL);
	after = clock_ms();
	cr_assert_eq(clock_gettime(CLOCK_MONOTONIC, &end), 0);
	/* 29: both readings are cut to milliseconds. */
	cr_assert_geq(after - before, 29);
	/* However long it slept: no unit but this one. */
	cr_assert_leq(after - before, (uint64_t)(end.tv_sec - begin.tv_sec) * 1000 + 1001);
}

Test(clock, never_runs_backwards)
{
	uint64_t last = clock_ms();

	for (int i = 0; i < 100000; i++) {
		uint64_t now = clock_ms();

		cr_assert_geq(now, last);
		last = now;
	}
}

Test(clock, stamp)
{
	char text[25 + 1];
	struct timespec before, after; /* not time(): its clock lags behind by up to a tick */
	struct tm tm = { 0 };
	unsigned ms;
	time_t t;

	text[25] = '#';
	cr_assert_eq(clock_gettime(CLOCK_REALTIME, &before), 0);
	clock_stamp(text);
	cr_assert_eq(clock_gettime(CLOCK_REALTIME, &after), 0);
	cr_assert_eq(text[25], '#');
	cr_assert_eq(strlen(text), 24);
	cr_assert_eq(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3uZ", &tm.tm_year, &tm.tm_mon,
			     &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms),
		7);
	cr_assert_eq(text[23], 'Z');
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	t = timegm(&tm);
	cr_assert(t >= before.tv_sec && t <= after.tv_sec, "%s", text);
}
