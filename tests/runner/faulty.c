/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shows that the runner can fail: one test for each way to, and those that pass beside them.
 * ctest compares the counts (tests/CMakeLists.txt). */
#include <criterion/redirect.h>
#include <pthread.h>
#include <unistd.h>

static int shared, begun;

static void set_up(void)
{
	begun++;
}

TestSuite(faulty, .init = set_up);

static void *increment(void *unused)
{
	shared++;
	return unused;
}

Test(faulty, race)
{
	pthread_t a, b;

	pthread_create(&a, NULL, increment, NULL);
	pthread_create(&b, NULL, increment, NULL);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
}

Test(faulty, assertion)
{
	cr_assert_eq(begun, 2, "%d", begun);
}

Test(faulty, expectation)
{
	cr_expect_str_eq("a", "b");
}

Test(faulty, falls)
{
	abort();
}

Test(faulty, does_not_fall, .signal = SIGABRT)
{
}

Test(faulty, ends_well, .exit_code = 3)
{
}

Test(faulty, says_something_else, .init = cr_redirect_stderr)
{
	fputs("more", stderr);
	cr_assert_stderr_eq_str("mor");
}

/* -- and these are fine -- */

Test(faulty, both_inits_have_run, .init = set_up)
{
	cr_assert_eq(begun, 2);
}

Test(faulty, falls_as_it_should, .signal = SIGABRT)
{
	abort();
}

Test(faulty, ends_as_it_should, .exit_code = 3)
{
	exit(3);
}

Test(faulty, says_what_it_should, .init = cr_redirect_stderr)
{
	fputs("more", stderr);
	cr_assert_stderr_eq_str("more");
}

Test(faulty, is_left_out)
{
	cr_skip_test("as it should");
}
