/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which inner loops a process uses. ctest runs the scanner's tests once for each
 * set, and this one among them: a name in SLUICE_SCAN_LOOPS that had no effect
 * would make the other runs worthless.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "xml/scan_impl.h"

static scan_machine *machine_of(const char *name)
{
	if (strcmp(name, "scalar") == 0)
		return scan_scalar;
#if defined(__x86_64__)
	if (strcmp(name, "sse2") == 0)
		return scan_sse2;
	if (strcmp(name, "avx2") == 0)
		return scan_avx2;
#endif
	return NULL;
}

static void expect_used(const char *name)
{
	struct scan *s;

	cr_assert_not_null(scan_loops(), "%s is not to be had", name);
	cr_assert_str_eq(scan_loops(), name);
	s = scan_new(LIMIT_STANZA);
	cr_assert(s);
	cr_expect_not_null(s->machine);
	cr_expect_eq(s->machine, machine_of(name), "%s", name);
	scan_free(s);
}

static const char *best(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("avx2") ? "avx2" : "sse2";
#else
	return "scalar";
#endif
}

Test(scan_loops, what_the_environment_names)
{
	const char *wanted = getenv("SLUICE_SCAN_LOOPS");

	expect_used(wanted ? wanted : best());
}

Test(scan_loops, the_best_by_itself)
{
	unsetenv("SLUICE_SCAN_LOOPS");
	expect_used(best());
}

Test(scan_loops, scalar_anywhere)
{
	setenv("SLUICE_SCAN_LOOPS", "scalar", 1);
	expect_used("scalar");
}

#if defined(__x86_64__)
Test(scan_loops, sse2_on_each_x86_64)
{
	setenv("SLUICE_SCAN_LOOPS", "sse2", 1);
	expect_used("sse2");
}

Test(scan_loops, avx2_where_the_processor_has_it)
{
	setenv("SLUICE_SCAN_LOOPS", "avx2", 1);
	if (__builtin_cpu_supports("avx2"))
		expect_used("avx2");
	else
		cr_expect_null(scan_loops());
}
#endif

Test(scan_loops, unknown_name)
{
	setenv("SLUICE_SCAN_LOOPS", "AVX2", 1);
	cr_expect_null(scan_loops());
	cr_expect_null(scan_loops(), "and says so again");
}

Test(scan_loops, chosen_once)
{
	const char *first = scan_loops();

	setenv("SLUICE_SCAN_LOOPS", "AVX2", 1);
	cr_expect_eq(scan_loops(), first);
}
