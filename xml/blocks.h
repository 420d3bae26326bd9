/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of one tree, taken piece by piece and given back as a whole. It comes in
 * blocks, since what points into it must not move; the oldest block is kept for the
 * next tree. Bounded, because a peer's input says how much is wanted. Owner thread only;
 * zeroed is empty.
 */
#ifndef SLUICE_XML_BLOCKS_H
#define SLUICE_XML_BLOCKS_H

#include "core/base/base.h"

#define BLOCKS_SIZE (16u << 10) /* bytes of a block, but for pieces that need more */

struct block;

struct blocks {
	struct block *newest;
	size_t used, limit; /* bytes */
};

/* Gives everything back; from now on so many bytes at most. */
void blocks_begin(struct blocks *b, size_t limit);
void blocks_free(struct blocks *b);

/* n bytes, aligned for anything. NULL: no memory, or, if *full, beyond the limit. */
void *blocks_take(struct blocks *b, size_t n, bool *full) MUST_CHECK;

#endif
