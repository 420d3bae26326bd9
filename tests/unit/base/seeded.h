/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chance, the same in each run (splitmix64). */
#ifndef SLUICE_TESTS_BASE_SEEDED_H
#define SLUICE_TESTS_BASE_SEEDED_H

#include "core/base/base.h"

static inline uint64_t seeded(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

#endif
