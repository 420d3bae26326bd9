/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "dialback/arena.h"

Test(arena, memory_never_moves_and_never_overlaps)
{
	enum { N = 20000 };
	static uint32_t index[N];
	static char *at[N];
	struct arena a;

	arena_init(&a, 8, 3, 10, 1u << 20);
	for (uint32_t i = 0; i < N; i++) {
		uint32_t units = 1 + i % 7;

		cr_assert(arena_take(&a, units, &index[i]));
		at[i] = arena_at(&a, index[i]);
		memset(at[i], (int)(i & 0xff), (size_t)units * 8);
	}
	for (uint32_t i = 0; i < N; i++) {
		size_t n = (size_t)(1 + i % 7) * 8;

		cr_assert_eq(arena_at(&a, index[i]), at[i], "%u moved", i);
		for (size_t k = 0; k < n; k++)
			cr_assert_eq((unsigned char)at[i][k], i & 0xff, "%u was overwritten", i);
	}
	arena_free(&a);
}

Test(arena, limit_holds)
{
	struct arena a;
	uint32_t index, taken = 0;

	arena_init(&a, 8, 3, 6, 100);
	while (arena_take(&a, 1, &index)) {
		cr_assert_lt(index, 100);
		taken++;
	}
	cr_assert_gt(taken, 0);
	cr_assert_leq(taken, 100);
	cr_assert_not(arena_take(&a, 1, &index), "full stays full");
	arena_free(&a);
}

Test(arena, one_small_thing_costs_little)
{
	struct arena a;
	uint32_t index;

	arena_init(&a, 8, 3, 10, 1u << 20);
	cr_assert(arena_take(&a, 1, &index));
	cr_assert_leq(a.bytes, 1024);
	arena_free(&a);
}
