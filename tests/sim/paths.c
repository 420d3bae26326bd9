/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/paths.h"

#include <execinfo.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/memory.h>

#include "core/base/mem.h"

#ifdef SLUICE_FAULT_INJECTION
#define DEEP 96

static _Thread_local bool library_asks;
static wolfSSL_Malloc_cb their_alloc;
static wolfSSL_Realloc_cb their_realloc;

static struct paths *seen;
static uint64_t *denied;

static void *library_alloc(size_t n)
{
	void *p;

	library_asks = true;
	p = their_alloc(n);
	library_asks = false;
	return p;
}

static void *library_realloc(void *old, size_t n)
{
	void *p;

	library_asks = true;
	p = their_realloc(old, n);
	library_asks = false;
	return p;
}

/* Once net/ has told the library whom to ask; if it never does, the library is not used. */
static void library_follow(void)
{
	wolfSSL_Malloc_cb alloc = NULL;
	wolfSSL_Realloc_cb again = NULL;
	wolfSSL_Free_cb release = NULL;

	if (their_alloc || wolfSSL_GetAllocators(&alloc, &release, &again) != 0 || !alloc)
		return;
	their_alloc = alloc;
	their_realloc = again;
	BUG_ON(wolfSSL_SetAllocators(library_alloc, release, library_realloc) != 0);
}

static uint64_t path_here(void)
{
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, of words */
	void *at[DEEP];
	int n;

	if (!library_asks)
		return 0;
	n = backtrace(at, DEEP);
	for (int i = 0; i < n; i++)
		hash = (hash ^ (uintptr_t)at[i]) * 0x100000001b3u;
	return hash | 1;
}

static void on_try(bool fails)
{
	/* At one place for both: where we are called from is part of it. */
	uint64_t path = seen || fails ? path_here() : 0;

	if (seen)
		paths_add(seen, path);
	if (denied && fails)
		*denied = path;
}

void paths_watch(struct paths *all, uint64_t *failed)
{
	library_follow();
	seen = all;
	denied = failed;
	mem_on_try(on_try);
}

void paths_stop(void)
{
	mem_on_try(NULL);
	seen = NULL;
	denied = NULL;
}
#endif

unsigned paths_count(const struct paths *p, uint64_t path)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->path[i] == path;
	return n;
}

void paths_add(struct paths *p, uint64_t path)
{
	if (p->n == p->size) {
		p->size = p->size ? 2 * p->size : 1024;
		p->path = mem_realloc(p->path, p->size * sizeof(*p->path));
	}
	p->path[p->n++] = path;
}

void paths_free(struct paths *p)
{
	mem_free(p->path);
	*p = (struct paths){ 0 };
}
