/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/shares.h"

#include "core/base/hash.h"
#include "core/base/mem.h"

#define ROWS 2
#define COLUMNS 1024 /* a power of two */

struct shares {
	size_t bound; /* bytes after which counts are halved */
	size_t came; /* since they were */
	uint32_t count[ROWS][COLUMNS];
};

struct shares *shares_new(size_t bound)
{
	struct shares *s = mem_try_zalloc(sizeof(*s));

	if (s)
		s->bound = bound;
	return s;
}

void shares_free(struct shares *s)
{
	mem_free(s);
}

uint64_t shares_key(uint64_t seed, struct span from, struct span to)
{
	return hash_fast(hash_fast(seed, from), to);
}

/* Each row takes other bits. */
static unsigned column(uint64_t whose, unsigned row)
{
	return (unsigned)(whose >> (32 * row)) & (COLUMNS - 1);
}

static void shares_fade(struct shares *s)
{
	for (unsigned row = 0; row < ROWS; row++)
		for (unsigned i = 0; i < COLUMNS; i++)
			s->count[row][i] /= 2;
	s->came = 0;
}

void shares_add(struct shares *s, uint64_t whose, size_t bytes)
{
	if (!s)
		return;
	for (unsigned row = 0; row < ROWS; row++)
		s->count[row][column(whose, row)] += (uint32_t)bytes;
	s->came += bytes;
	if (s->came >= s->bound)
		shares_fade(s);
}

uint64_t shares_of(const struct shares *s, uint64_t whose)
{
	uint32_t least = UINT32_MAX;

	if (!s)
		return 0;
	for (unsigned row = 0; row < ROWS; row++)
		if (s->count[row][column(whose, row)] < least)
			least = s->count[row][column(whose, row)];
	return least;
}
