/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

/* -- fault injection -- */

#ifdef SLUICE_FAULT_INJECTION
#include <stdatomic.h>

static _Atomic uint64_t fail_countdown;
static void (*try_watcher)(bool fails);

uint64_t mem_fail_nth(uint64_t k)
{
	return atomic_exchange(&fail_countdown, k);
}

void mem_on_try(void (*fn)(bool fails))
{
	try_watcher = fn;
}

static bool fault(void)
{
	uint64_t left = atomic_load(&fail_countdown);

	do {
		if (left == 0)
			return false;
	} while (!atomic_compare_exchange_weak(&fail_countdown, &left, left - 1));
	if (try_watcher)
		try_watcher(left == 1);
	return left == 1;
}
#else
static inline bool fault(void)
{
	return false;
}
#endif

/* -- for what a peer drives -- */

/* No allocation is of 0 bytes: malloc may then return NULL, and realloc frees. */
static size_t nonzero(size_t n)
{
	return n ? n : 1;
}

void *mem_try_alloc(size_t n)
{
	return fault() ? NULL : malloc(nonzero(n));
}

void *mem_try_zalloc(size_t n)
{
	return fault() ? NULL : calloc(1, nonzero(n));
}

char *mem_try_text(const char *p, size_t n)
{
	char *copy = mem_try_alloc(n + 1);

	if (copy) {
		memcpy(copy, p, n);
		copy[n] = '\0';
	}
	return copy;
}

void *mem_try_realloc(void *p, size_t n)
{
	return fault() ? NULL : realloc(p, nonzero(n));
}

/* -- for the operator's own data -- */

/* No abort: a core dump of a process that outgrew its limit helps nobody. */
static void *or_die(void *p, size_t n)
{
	if (likely(p))
		return p;
	dprintf(2, "sluice: out of memory (%zu bytes asked for)\n", n);
	_exit(EX_OSERR);
}

void *mem_alloc(size_t n)
{
	return or_die(malloc(nonzero(n)), n);
}

void *mem_zalloc(size_t n)
{
	return or_die(calloc(1, nonzero(n)), n);
}

void *mem_array(size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		n = SIZE_MAX;
	return or_die(n == SIZE_MAX ? NULL : calloc(1, nonzero(n)), n);
}

void *mem_lines(size_t count, size_t size)
{
	size_t n;
	void *p;

	if (__builtin_mul_overflow(count, size, &n) || n > SIZE_MAX - 63)
		n = 0;
	n = (n + 63) & ~(size_t)63;
	p = or_die(n == 0 ? NULL : aligned_alloc(64, n), n);
	memset(p, 0, n);
	return p;
}

void *mem_realloc(void *p, size_t n)
{
	return or_die(realloc(p, nonzero(n)), n);
}

char *mem_strdup(const char *s)
{
	return mem_dup_span(span_str(s));
}

char *mem_dup_span(struct span s)
{
	char *copy = mem_alloc(s.n + 1);

	if (s.n)
		memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return copy;
}

void mem_free(void *p)
{
	free(p);
}

void mem_wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}
