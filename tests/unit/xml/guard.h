/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input placed so that reading too far is noticed: whatever is more than `pad`
 * bytes behind it lies on a page that cannot be read. One input at a time, of up
 * to GUARD_MAX bytes. AddressSanitizer is told that nothing beside it may be
 * touched, nor the input itself once it is free.
 */
#ifndef TEST_GUARD_H
#define TEST_GUARD_H

#include <criterion/criterion.h>
#include <sanitizer/asan_interface.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD_MAX ((size_t)4 << 20)
#define GUARD_PAGE ((size_t)65536) /* at least a page, wherever this runs */

/* The end of what can be read. */
static inline char *guard_end(void)
{
	static char *end;
	char *start;

	if (end)
		return end;
	start = mmap(NULL, GUARD_MAX + GUARD_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert(start != MAP_FAILED);
	cr_assert_eq(mprotect(start, GUARD_MAX, PROT_READ | PROT_WRITE), 0);
	ASAN_POISON_MEMORY_REGION(start, GUARD_MAX);
	return end = start + GUARD_MAX;
}

/* A copy of p[0..n) with `pad` bytes of `fill` behind it and nothing behind them. */
static inline char *guard_place(const char *p, size_t n, size_t pad, char fill)
{
	char *place = guard_end() - pad - n;

	cr_assert(n + pad <= GUARD_MAX);
	ASAN_UNPOISON_MEMORY_REGION(place, n + pad);
	if (n)
		memcpy(place, p, n);
	memset(place + n, fill, pad);
	return place;
}

/* Whoever still looks there finds nothing that was. */
static inline void guard_free(char *place, size_t n, size_t pad)
{
	memset(place, 1, n + pad);
	ASAN_POISON_MEMORY_REGION(place, n + pad);
}

#endif
