/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory. Two kinds of allocation and no third:
 *   mem_*      at start-up or reload, for the operator's own data: dies when
 *              there is none left, never returns NULL.
 *   mem_try_*  for what a peer drives: returns NULL, and the caller fails the
 *              connection (or the pair), not the process.
 * The hot path allocates nothing. Any thread; whoever got the memory frees it
 * with mem_free.
 */
#ifndef SLUICE_MEM_H
#define SLUICE_MEM_H

#include "core/base/span.h"

#define MEM_RETURNS __attribute__((malloc, returns_nonnull, warn_unused_result))
#define MEM_TRY __attribute__((malloc, warn_unused_result))

void *mem_alloc(size_t n) MEM_RETURNS;
void *mem_zalloc(size_t n) MEM_RETURNS;
void *mem_array(size_t count, size_t size) MEM_RETURNS; /* zeroed; dies on overflow */
/* Zeroed, and begins on a cache line of 64 bytes: for what several threads share. */
void *mem_lines(size_t count, size_t size) MEM_RETURNS;
void *mem_realloc(void *p, size_t n) __attribute__((returns_nonnull, warn_unused_result));
char *mem_strdup(const char *s) MEM_RETURNS;
char *mem_dup_span(struct span s) MEM_RETURNS; /* NUL-terminated copy */

void *mem_try_alloc(size_t n) MEM_TRY;
void *mem_try_zalloc(size_t n) MEM_TRY;
char *mem_try_text(const char *p, size_t n) MEM_TRY; /* a copy with a NUL behind it */
void *mem_try_realloc(void *p, size_t n) MUST_CHECK;

void mem_free(void *p);

/* Overwrites a secret in a way that the compiler keeps; does not free it. */
void mem_wipe(void *p, size_t n);

#ifdef SLUICE_FAULT_INJECTION
/*
 * The k-th call of mem_try_* from now on, counted over all threads, returns NULL;
 * 0 ends that. Returns what was left of the count before: 0 when it had failed.
 */
uint64_t mem_fail_nth(uint64_t k);
/* Called by each mem_try_* that is counted, before it allocates or fails; NULL ends that. While nobody
 * else allocates. */
void mem_on_try(void (*fn)(bool fails));
#endif

#endif
