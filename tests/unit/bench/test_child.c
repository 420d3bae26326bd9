/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/child.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

static struct child child;

static void init(void)
{
	cr_assert(child_prepare(&child));
}

static void fini(void)
{
	(void)child_stop(&child);
	child_remove(&child);
}

TestSuite(child, .init = init, .fini = fini, .timeout = 60);

/* Until the script has ended. */
static void run_script(const char *script)
{
	char *argv[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
		(char *)(uintptr_t)script, NULL };

	cr_assert(child_start(&child, argv));
	while (child_is_running(&child))
		poll(NULL, 0, 5);
}

Test(child, tells_how_it_ended)
{
	char log[CHILD_LOG], end[32];

	run_script("echo cause >&2; echo remedy; exit 78");
	cr_expect_str_eq(child_end(&child, end), "exit status 78");
	cr_expect_str_eq(child_log(&child, log, sizeof(log)), "cause\nremedy\n");
}

Test(child, tells_the_signal_that_ended_it)
{
	char log[CHILD_LOG], end[32], want[32];

	run_script("kill -9 $$");
	snprintf(want, sizeof(want), "signal %d", SIGKILL);
	cr_expect_str_eq(child_end(&child, end), want);
	cr_expect_str_eq(child_log(&child, log, sizeof(log)), "");
}

/* A remedy is no use from its middle on. */
Test(child, a_long_log_is_shown_from_a_line_on)
{
	char log[20];

	run_script("echo one of many lines; echo two; echo three");
	cr_expect_str_eq(child_log(&child, log, sizeof(log)), "two\nthree\n");
	cr_expect_str_eq(child_log(&child, log, 8), "three\n");
	cr_expect_str_eq(child_log(&child, log, 4), "ee\n", "not even one line");
}
