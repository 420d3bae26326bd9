/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/blocks.h"

#include <stdalign.h>

#include "core/base/mem.h"

struct block {
	struct block *next; /* an older one */
	size_t n, cap;
	char bytes[] __attribute__((aligned(alignof(max_align_t))));
};

void blocks_begin(struct blocks *b, size_t limit)
{
	while (b->newest && b->newest->next) {
		struct block *gone = b->newest;

		b->newest = gone->next;
		mem_free(gone);
	}
	if (b->newest)
		b->newest->n = 0;
	b->used = 0;
	b->limit = limit;
}

void blocks_free(struct blocks *b)
{
	blocks_begin(b, 0);
	mem_free(b->newest);
	b->newest = NULL;
}

static struct block *block_add(struct blocks *b, size_t need)
{
	size_t cap = need > BLOCKS_SIZE ? need : BLOCKS_SIZE;
	struct block *fresh = mem_try_alloc(sizeof(*fresh) + cap);

	if (!fresh)
		return NULL;
	fresh->cap = cap;
	fresh->n = 0;
	fresh->next = b->newest;
	b->newest = fresh;
	return fresh;
}

void *blocks_take(struct blocks *b, size_t n, bool *full)
{
	size_t need = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	struct block *at = b->newest;
	void *p;

	*full = need > b->limit - b->used;
	if (*full)
		return NULL;
	if (!at || need > at->cap - at->n)
		at = block_add(b, need);
	if (!at)
		return NULL;
	b->used += need;
	p = at->bytes + at->n;
	at->n += need;
	return p;
}
