/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often a place of the code may write. The linker gives the log the clock of this file, in which
 * time passes when a test says so (tests/CMakeLists.txt). */
#include <criterion/criterion.h>
#include <pthread.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "log_rig.h"

uint64_t __real_clock_ms(void);
uint64_t __wrap_clock_ms(void);

static uint64_t now = 1000000;
static bool real_time;

uint64_t __wrap_clock_ms(void)
{
	return real_time ? __real_clock_ms() : now;
}

/* -- rate limit -- */

static void repeat(struct log_site *site, int times)
{
	while (times-- > 0)
		log_event(site, LOG_INFO, "e", "t", NULL, 0);
}

static int lines(void)
{
	int n = 0;

	while (logged_line())
		n++;
	return n;
}

Test(log_rate, burst_then_silence)
{
	struct log_site site = { 0 }, other = { 0 };

	logged_start(LOG_INFO, LOG_TEXT);
	repeat(&site, 1000);
	cr_assert_eq(lines(), LOG_BURST);
	cr_assert_eq(atomic_load(&site.suppressed), 1000 - LOG_BURST);
	/* Other places are not affected. */
	repeat(&other, 1);
	cr_assert_eq(lines(), 1);
}

Test(log_rate, suppressed_is_reported_once)
{
	struct log_site site = { 0 };

	logged_start(LOG_INFO, LOG_TEXT);
	repeat(&site, LOG_BURST + 7);
	cr_assert_eq(lines(), LOG_BURST);
	now += 1000;
	repeat(&site, 1);
	cr_assert_str_eq(logged_text(), "info e: t suppressed=7");
	repeat(&site, 1);
	cr_assert_str_eq(logged_text(), "info e: t");
}

Test(log_rate, refill)
{
	struct log_site site = { 0 };

	logged_start(LOG_INFO, LOG_TEXT);
	repeat(&site, 100);
	cr_assert_eq(lines(), LOG_BURST);
	for (int second = 0; second < 3; second++) {
		now += 1000;
		repeat(&site, 100);
		cr_assert_eq(lines(), LOG_PER_S);
	}
	/* A token at a time, and none before its time. */
	now += 1000 / LOG_PER_S - 1;
	repeat(&site, 100);
	cr_assert_eq(lines(), 0);
	now += 1;
	repeat(&site, 100);
	cr_assert_eq(lines(), 1);
	/* A long rest does not save up more than the burst. */
	now += 3600 * 1000;
	repeat(&site, 100);
	cr_assert_eq(lines(), LOG_BURST);
}

Test(log_rate, refill_in_real_time)
{
	struct log_site site = { 0 };

	real_time = true;
	logged_start(LOG_INFO, LOG_TEXT);
	repeat(&site, 100);
	lines();
	usleep(1000 * 1000 / LOG_PER_S + 50000);
	repeat(&site, 1);
	cr_assert_eq(lines(), 1);
}

/* The part of a second that has not become a token yet is not lost. */
Test(log_rate, refill_keeps_the_remainder)
{
	const uint64_t step = 1000 / LOG_PER_S;
	struct log_site site = { 0 };

	logged_start(LOG_INFO, LOG_TEXT);
	repeat(&site, 100);
	cr_assert_eq(lines(), LOG_BURST);
	now += step + step - 1;
	repeat(&site, 100);
	cr_assert_eq(lines(), 1);
	now += 1;
	repeat(&site, 100);
	cr_assert_eq(lines(), 1);
}

static struct log_site shared_site;

static void *shout(void *arg)
{
	(void)arg;
	repeat(&shared_site, 20000);
	return NULL;
}

/* A slow thread with one of the tokens may report what others were refused meanwhile. */
Test(log_rate, threads_share_a_limit)
{
	unsigned written = 0, reported = 0;
	pthread_t t[4];
	const char *l;

	logged_start(LOG_INFO, LOG_TEXT);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&t[i], NULL, shout, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (; (l = logged_line()); written++) {
		const char *count = strstr(l, " suppressed=");
		uint64_t n = 0;

		cr_assert(!count || span_u64(span_str(count + 12), UINT32_MAX, &n));
		reported += (unsigned)n;
	}
	cr_assert_eq(written, LOG_BURST);
	cr_assert_eq(written + reported + atomic_load(&shared_site.suppressed), 80000);
}
