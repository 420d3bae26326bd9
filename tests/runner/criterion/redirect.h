/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Standard error of one test, kept and compared. See criterion.h. */
#ifndef SLUICE_RUNNER_REDIRECT_H
#define SLUICE_RUNNER_REDIRECT_H

#include <criterion/criterion.h>

/* As .init of a test. */
void cr_redirect_stderr(void);
bool runner_stderr_is(const char *text);

#define cr_assert_stderr_eq_str(text, ...)                                                         \
	RUNNER_CHECK(runner_die, runner_stderr_is(text), "standard error == " #text, __VA_ARGS__)

#endif
