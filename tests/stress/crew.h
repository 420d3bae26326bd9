/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the stress programs share: threads that start together, and chance, the same each run. */
#ifndef SLUICE_STRESS_CREW_H
#define SLUICE_STRESS_CREW_H

#include "core/base/base.h"

/* Runs work(ctx, 0 .. n-1), a thread each; none begins before all exist. Returns when all are done. */
void crew_run(unsigned n, void (*work)(void *ctx, unsigned number), void *ctx);

/* One thread's; any start but 0. */
struct dice {
	uint64_t state;
};

/* 0 .. n-1 */
static inline uint32_t dice_below(struct dice *d, uint32_t n)
{
	d->state ^= d->state << 13;
	d->state ^= d->state >> 7;
	d->state ^= d->state << 17;
	return (uint32_t)((d->state >> 32) * n >> 32);
}

#endif
