/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define START_MS 1000000 /* not 0: nobody may take a zeroed field for a time that has passed */

/* The thread that runs the scenario moves it; the main thread's log lines read it. */
static _Atomic uint64_t now = START_MS, began = START_MS;

uint64_t clock_ms(void)
{
	return now;
}

/* From today on, since the library judges certificates by the system's clock. */
int64_t clock_unix(void)
{
	return time(NULL) + (int64_t)((now - began) / 1000);
}

void clock_stamp(char out[25])
{
	uint64_t ms = now - began;

	(void)snprintf(out, 25, "2026-01-01T%02u:%02u:%02u.%03uZ", (unsigned)(ms / 3600000 % 24),
		(unsigned)(ms / 60000 % 60), (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));
}

void sim_clock_begin(void)
{
	now += 3600000;
	began = (uint64_t)now;
}

void sim_clock_pass(uint64_t ms)
{
	now += ms;
}
