/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/arena.h"

#include "core/base/mem.h"

void arena_init(struct arena *a, uint8_t unit, uint8_t first_bits, uint8_t full_bits,
	uint32_t limit)
{
	*a = (struct arena){ .unit = unit,
		.first_bits = first_bits,
		.full_bits = full_bits,
		.limit = limit };
}

void arena_free(struct arena *a)
{
	for (uint32_t i = 0; i < a->n_chunks; i++)
		mem_free(a->chunks[i]);
	mem_free(a->chunks);
	a->chunks = NULL;
	a->n_chunks = 0;
}

struct extent {
	uint32_t chunk, begin, end; /* units */
};

static struct extent extent_of(const struct arena *a, uint32_t index)
{
	uint32_t full = index >> a->full_bits, top;

	if (full)
		return (struct extent){ full + (a->full_bits - a->first_bits), full << a->full_bits,
			(full + 1) << a->full_bits };
	if (!(index >> a->first_bits))
		return (struct extent){ 0, 0, 1u << a->first_bits };
	top = 31 - (uint32_t)__builtin_clz(index);
	return (struct extent){ top - a->first_bits + 1, 1u << top, 2u << top };
}

static bool chunk_ensure(struct arena *a, const struct extent *e)
{
	size_t size = (size_t)(e->end - e->begin) * a->unit;

	if (e->chunk >= a->n_chunks) {
		uint32_t n = e->chunk < 8 ? 8 : 2 * e->chunk;
		char **grown = mem_try_realloc(a->chunks, n * sizeof(*grown));

		if (!grown)
			return false;
		memset(grown + a->n_chunks, 0, (n - a->n_chunks) * sizeof(*grown));
		a->bytes += (n - a->n_chunks) * sizeof(*grown);
		a->chunks = grown;
		a->n_chunks = n;
	}
	if (!a->chunks[e->chunk]) {
		a->chunks[e->chunk] = mem_try_alloc(size);
		if (!a->chunks[e->chunk])
			return false;
		a->bytes += size;
	}
	return true;
}

bool arena_take(struct arena *a, uint32_t n, uint32_t *index)
{
	struct extent e = extent_of(a, a->used);
	uint32_t at = a->used;

	BUG_ON(n == 0 || n > 1u << a->full_bits);
	/* What is left of a chunk is skipped when it is too short. */
	while (e.end - at < n) {
		at = e.end;
		e = extent_of(a, at);
	}
	if (at > a->limit || a->limit - at < n || !chunk_ensure(a, &e))
		return false;
	*index = at;
	a->used = at + n;
	return true;
}
