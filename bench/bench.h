/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every file of sluice-bench shares: the includes, memory that dies with a
 * word when there is none, and time.
 *
 * sluice-bench uses no code of the router beyond the C library and the libraries
 * that the router uses too: a bench that shared the router's scanner, its DNS code
 * or its sockets would share its bugs and call them correct. (The micro benchmarks
 * measure that code, so they use it; they share this header and bench/trial.h.)
 *
 * Everything but a storm (bench/storm.h) runs on one thread, on one loop. Times are nanoseconds of
 * CLOCK_MONOTONIC unless a name says otherwise.
 */
#ifndef SLUICE_BENCH_BENCH_H
#define SLUICE_BENCH_BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

/* A piece of text that somebody else owns; not NUL-terminated. */
struct text {
	const char *p;
	size_t len;
};

static inline uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Zeroed memory. Never NULL: without memory there is nothing to measure. */
static inline void *bench_alloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (!p) {
		fputs("sluice-bench: out of memory\n", stderr);
		abort();
	}
	return p;
}

/* Like realloc, never NULL. The new part is not zeroed. */
static inline void *bench_grow(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);

	if (!p) {
		fputs("sluice-bench: out of memory\n", stderr);
		abort();
	}
	return p;
}

/* Below n; a sequence that *state fixes, which must not be 0 (xorshift). */
static inline size_t bench_below(uint64_t *state, size_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (size_t)(*state >> 32) % n;
}

#endif
