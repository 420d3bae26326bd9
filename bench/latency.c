/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/latency.h"

static uint64_t bucket_top(unsigned i)
{
	unsigned top = i / LATENCY_STEPS;
	uint64_t step = i % LATENCY_STEPS;

	if (!top)
		return step;
	return ((LATENCY_STEPS + step + 1) << (top - 1)) - 1;
}

uint64_t latency_quantile(const struct latency *l, double quantile)
{
	uint64_t want = (uint64_t)(quantile * (double)l->count + 0.5);
	uint64_t seen = 0;

	if (!l->count)
		return 0;
	if (!want)
		want = 1;
	for (unsigned i = 0; i < 64 * LATENCY_STEPS; i++) {
		seen += l->bucket[i];
		if (seen >= want)
			return bucket_top(i) < l->max ? bucket_top(i) : l->max;
	}
	return l->max;
}
