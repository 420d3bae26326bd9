/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbers first, first + stride, ... below end: the pairs of one stream.
 */
#ifndef SLUICE_BENCH_RANGE_H
#define SLUICE_BENCH_RANGE_H

#include "bench/bench.h"

struct range {
	uint32_t first, stride, end; /* stride 0: none at all */
};

static inline uint32_t range_count(struct range r)
{
	return r.stride && r.first < r.end ? (r.end - r.first - 1) / r.stride + 1 : 0;
}

/* i: below range_count. */
static inline uint32_t range_at(struct range r, uint32_t i)
{
	return r.first + i * r.stride;
}

static inline bool range_has(struct range r, uint32_t number)
{
	return r.stride && number >= r.first && number < r.end &&
		(number - r.first) % r.stride == 0;
}

#endif
