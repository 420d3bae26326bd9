/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast one connection may be read. Embedded in its owner, who asks before each read and pays
 * for what it got.
 */
#ifndef SLUICE_BENCH_RATION_H
#define SLUICE_BENCH_RATION_H

#include "bench/bench.h"

/* What was not read yet may be made good for so long at once. */
#define RATION_SAVED_NS (50 * NS_PER_MS)
/* Of a slow reader, in the kernel: else a server does not notice for megabytes that nobody reads. */
#define RATION_BUFFER 65536

struct ration {
	uint64_t rate; /* bytes a second; 0: all it gets */
	uint64_t paid; /* until when what was read is paid for */
};

static inline bool ration_allows(const struct ration *r, uint64_t now)
{
	return !r->rate || r->paid <= now;
}

static inline void ration_pay(struct ration *r, size_t bytes, uint64_t now)
{
	if (!r->rate)
		return;
	if (r->paid + RATION_SAVED_NS < now)
		r->paid = now - RATION_SAVED_NS;
	r->paid += (uint64_t)((double)bytes / (double)r->rate * 1e9);
}

#endif
