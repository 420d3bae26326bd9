/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that only grows and never moves, addressed by 32-bit indices of fixed
 * units. The first chunk is small and each next one twice as big up to a limit, so
 * that a stream with one pair pays for little and one with thousands wastes little.
 * Owner thread only.
 */
#ifndef SLUICE_DIALBACK_ARENA_H
#define SLUICE_DIALBACK_ARENA_H

#include "core/base/base.h"

struct arena {
	char **chunks; /* NULL where nothing was needed */
	uint32_t n_chunks; /* length of `chunks` */
	uint32_t used; /* units handed out or skipped */
	uint32_t limit; /* units that there may be */
	uint8_t first_bits, full_bits; /* log2 of the units in the first and in a full chunk */
	uint8_t unit; /* bytes */
	size_t bytes; /* held */
};

void arena_init(struct arena *a, uint8_t unit, uint8_t first_bits, uint8_t full_bits,
	uint32_t limit);
void arena_free(struct arena *a);

/* `n` adjacent units, at most those of a full chunk. False without memory or at the limit. */
bool arena_take(struct arena *a, uint32_t n, uint32_t *index) MUST_CHECK;

/* Chunk 0 holds the first 2^first_bits units, chunk k the next 2^(first_bits + k - 1) up to
 * 2^full_bits units in all; then all are full ones. */
static inline void *arena_at(const struct arena *a, uint32_t index)
{
	uint32_t chunk, at;

	if (likely(index >> a->full_bits)) {
		chunk = (index >> a->full_bits) + (a->full_bits - a->first_bits);
		at = index & ((1u << a->full_bits) - 1);
	} else if (index >> a->first_bits) {
		uint32_t top = 31 - (uint32_t)__builtin_clz(index);

		chunk = top - a->first_bits + 1;
		at = index - (1u << top);
	} else {
		chunk = 0;
		at = index;
	}
	return a->chunks[chunk] + (size_t)at * a->unit;
}

#endif
