/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/clock.h"

#include <stdio.h>
#include <time.h>

uint64_t clock_ms(void)
{
	struct timespec t;

	BUG_ON(clock_gettime(CLOCK_MONOTONIC, &t) != 0);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int64_t clock_unix(void)
{
	return time(NULL);
}

void clock_stamp(char out[25])
{
	struct timespec t;
	struct tm tm;
	size_t n;

	BUG_ON(clock_gettime(CLOCK_REALTIME, &t) != 0);
	BUG_ON(!gmtime_r(&t.tv_sec, &tm));
	n = strftime(out, 20, "%Y-%m-%dT%H:%M:%S", &tm);
	/* The kernel's clock ends in the year 2232. */
	BUG_ON(n != 19);
	snprintf(out + n, 6, ".%03uZ", (unsigned)(t.tv_nsec / 1000000) % 1000u);
}
