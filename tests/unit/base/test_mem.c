/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The source itself, built with the seam that the library is built without. */
#ifndef SLUICE_FAULT_INJECTION
#define SLUICE_FAULT_INJECTION
#endif
#include "core/base/mem.c" /* NOLINT(bugprone-suspicious-include) */

#include <criterion/criterion.h>
#include <sysexits.h>

Test(mem, contents)
{
	static const char zero[100];
	char *p = mem_zalloc(100);

	cr_assert_eq(memcmp(p, zero, 100), 0);
	memset(p, 'x', 100);
	p = mem_realloc(p, 5000);
	cr_assert(p[0] == 'x' && p[99] == 'x');
	mem_free(p);
	p = mem_array(10, 10);
	cr_assert_eq(memcmp(p, zero, 100), 0);
	mem_free(p);
	p = mem_try_zalloc(100);
	cr_assert_eq(memcmp(p, zero, 100), 0);
	mem_free(p);
	mem_free(NULL);
}

Test(mem, nothing_is_something_too)
{
	void *p[] = { mem_alloc(0), mem_zalloc(0), mem_array(0, 8), mem_array(8, 0),
		mem_try_alloc(0), mem_try_zalloc(0) };

	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		cr_expect_not_null(p[i], "%zu", i);
	/* Shrinking to nothing is not freeing. */
	p[0] = mem_realloc(p[0], 0);
	cr_assert_not_null(p[0]);
	p[4] = mem_try_realloc(p[4], 0);
	cr_assert_not_null(p[4]);
	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		mem_free(p[i]);
}

Test(mem, copies)
{
	char *a = mem_strdup("abc"), *b = mem_dup_span(span_of("a\0bc", 3)),
	     *c = mem_dup_span(SPAN_NONE);

	cr_assert_str_eq(a, "abc");
	cr_assert_eq(memcmp(b, "a\0b\0", 4), 0);
	cr_assert_str_eq(c, "");
	mem_free(a);
	mem_free(b);
	mem_free(c);
}

Test(mem, wipe)
{
	char secret[32] = "a secret that nobody must see";
	static const char zero[32];

	mem_wipe(secret, 10);
	cr_assert_eq(memcmp(secret, zero, 10), 0);
	cr_assert_eq(secret[10], 'h');
	mem_wipe(secret, sizeof(secret));
	cr_assert_eq(memcmp(secret, zero, sizeof(secret)), 0);
	mem_wipe(NULL, 0);
}

Test(mem, array_overflow_dies, .exit_code = EX_OSERR)
{
	volatile size_t half = SIZE_MAX / 2;

	close(2);
	mem_free(mem_array(half, 3));
}

Test(mem, array_of_everything_dies, .exit_code = EX_OSERR)
{
	volatile size_t all = SIZE_MAX;

	close(2);
	mem_free(mem_array(all, 1));
}

Test(mem, kth_attempt_fails_and_only_that)
{
	for (uint64_t k = 1; k <= 4; k++) {
		void *p = NULL, *got[4];

		cr_assert_eq(mem_fail_nth(k), 0);
		got[0] = mem_try_alloc(8);
		got[1] = mem_try_zalloc(8);
		got[2] = mem_try_realloc(p, 8);
		got[3] = mem_try_alloc(8);
		for (uint64_t i = 0; i < 4; i++) {
			cr_expect_eq(got[i] == NULL, i + 1 == k);
			mem_free(got[i]);
		}
	}
}

Test(mem, failed_realloc_keeps_the_old_block)
{
	char *p = mem_try_alloc(4);

	memcpy(p, "abc", 4);
	mem_fail_nth(1);
	cr_assert_null(mem_try_realloc(p, 100000));
	cr_assert_str_eq(p, "abc");
	mem_free(p);
}

Test(mem, what_is_left_of_the_count)
{
	mem_fail_nth(10);
	for (int i = 0; i < 3; i++)
		mem_free(mem_try_alloc(1));
	cr_assert_eq(mem_fail_nth(0), 7);
	/* Start-up allocations are not counted. */
	mem_fail_nth(1);
	mem_free(mem_alloc(1));
	cr_assert_eq(mem_fail_nth(0), 1);
}
