/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Histogram of times in nanoseconds: 32 buckets per power of two, so that a quantile
 * is at most 3.2 % too high. Adding costs a few instructions.
 */
#ifndef SLUICE_BENCH_LATENCY_H
#define SLUICE_BENCH_LATENCY_H

#include "bench/bench.h"

#define LATENCY_STEPS 32

struct latency {
	uint64_t count, max;
	uint64_t bucket[64 * LATENCY_STEPS];
};

static inline unsigned latency_bucket(uint64_t ns)
{
	unsigned top = ns < LATENCY_STEPS ? 0 : 63u - (unsigned)__builtin_clzll(ns) - 4u;

	/* Below 32 each value has its bucket; above, the 5 bits after the leading one. */
	return top * LATENCY_STEPS + (unsigned)((top ? ns >> (top - 1) : ns) & (LATENCY_STEPS - 1));
}

static inline void latency_add(struct latency *l, uint64_t ns)
{
	l->count++;
	if (ns > l->max)
		l->max = ns;
	l->bucket[latency_bucket(ns)]++;
}

/* Upper end of the bucket that holds the quantile (0 to 1), never above max; 0 when empty. */
uint64_t latency_quantile(const struct latency *l, double quantile);

#endif
