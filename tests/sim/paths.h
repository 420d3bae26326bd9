/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who asks for memory, in one run: each call of mem_try_* in its order. Of those that the TLS
 * library makes the path is known, a hash of all return addresses up to the start of the thread.
 *
 * Why: nearly every scenario shakes hands, which asks for memory some hundred times, and whoever is
 * denied it by the same path gives up by the same code, in the library and above it. Our own asking is
 * something else each time, for what we have in hand differs.
 */
#ifndef TESTS_SIM_PATHS_H
#define TESTS_SIM_PATHS_H

#include "core/base/base.h"

struct paths {
	uint64_t *path; /* 0: not the library's; one for each call */
	size_t n, size;
};

/* From now on calls are added to `all`, or, for one that fails, its path is put into *failed; either
 * may be NULL. Until paths_stop(). */
void paths_watch(struct paths *all, uint64_t *failed);
void paths_stop(void);

void paths_add(struct paths *p, uint64_t path);
unsigned paths_count(const struct paths *p, uint64_t path); /* how often it is there */
void paths_free(struct paths *p);

#endif
