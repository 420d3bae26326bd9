/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>

#include "tests/sim/zoo.h"

#define START_MS 1000000 /* not 0: nobody may take a zeroed field for a time that has passed */
#define ERA_MS (UINT64_C(1000) << 32) /* longer than any scenario, and round in either way */

/* The thread that runs the scenario moves it; the main thread's log lines read it. */
static _Atomic uint64_t now = START_MS, began = START_MS;

uint64_t clock_ms(void)
{
	return now;
}

/* Every scenario begins when its certificates were made, however long ago that is. */
int64_t clock_unix(void)
{
	return zoo_time() + (int64_t)((now - began) / 1000);
}

static time_t library_time(time_t *t)
{
	time_t unix_time = (time_t)clock_unix();

	if (t)
		*t = unix_time;
	return unix_time;
}

/* What the TLS library asks for when it tells how old a ticket is. */
int __wrap_gettimeofday(struct timeval *t, void *zone);

int __wrap_gettimeofday(struct timeval *t, void *zone)
{
	(void)zone;
	t->tv_sec = (time_t)clock_unix();
	t->tv_usec = (suseconds_t)((now - began) % 1000 * 1000);
	return 0;
}

void clock_stamp(char out[25])
{
	uint64_t ms = now - began;

	(void)snprintf(out, 25, "2026-01-01T%02u:%02u:%02u.%03uZ", (unsigned)(ms / 3600000 % 24),
		(unsigned)(ms / 60000 % 60), (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));
}

void sim_clock_begin(void)
{
	now = (now / ERA_MS + 1) * ERA_MS + START_MS;
	began = (uint64_t)now;
	(void)wc_SetTimeCb(library_time); /* certificates are judged by it, too */
}

void sim_clock_pass(uint64_t ms)
{
	now += ms;
}
