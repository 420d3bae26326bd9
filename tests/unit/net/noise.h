/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chance, the same in each run, and bytes that tell their position in a stream, so that loss,
 * doubling and disorder show.
 */
#ifndef SLUICE_TEST_NET_NOISE_H
#define SLUICE_TEST_NET_NOISE_H

#include "core/base/base.h"

uint64_t rng(void);

/* Bytes of the stream at position pos. */
void bytes_fill(char *p, size_t n, uint64_t pos);
bool bytes_good(const char *p, size_t n, uint64_t pos);

#endif
