/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "noise.h"

static uint64_t rng_state = 0x2545f4914f6cdd1dull;

uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static char byte_at(uint64_t pos)
{
	return (char)((pos * 0x9e3779b97f4a7c15ull) >> 56);
}

void bytes_fill(char *p, size_t n, uint64_t pos)
{
	for (size_t i = 0; i < n; i++)
		p[i] = byte_at(pos + i);
}

bool bytes_good(const char *p, size_t n, uint64_t pos)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != byte_at(pos + i))
			return false;
	return true;
}
