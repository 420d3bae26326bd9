/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/table.h"

#include "core/base/mem.h"

#define CHAINS_MIN 64

void table_init(struct table *t)
{
	t->chains = mem_array(CHAINS_MIN, sizeof(*t->chains));
	t->mask = CHAINS_MIN - 1;
	t->count = 0;
}

void table_free(struct table *t, void (*fn)(struct table_node *n))
{
	for (uint32_t i = 0; fn && i <= t->mask; i++) {
		for (struct table_node *n = t->chains[i].first, *next; n; n = next) {
			next = n->next;
			fn(n);
		}
	}
	mem_free(t->chains);
}

/* At the end, so that the oldest of equals is found first. */
static void chain_append(struct table_chain *chain, struct table_node *n)
{
	struct table_node **at = &chain->first;

	while (*at)
		at = &(*at)->next;
	n->next = NULL;
	*at = n;
}

static void table_grow(struct table *t)
{
	uint32_t mask = 2 * t->mask + 1;
	struct table_chain *grown = mem_try_zalloc(((size_t)mask + 1) * sizeof(*grown));

	if (!grown)
		return;
	for (uint32_t i = 0; i <= t->mask; i++) {
		for (struct table_node *n = t->chains[i].first, *next; n; n = next) {
			next = n->next;
			chain_append(&grown[n->hash & mask], n);
		}
	}
	mem_free(t->chains);
	t->chains = grown;
	t->mask = mask;
}

void table_add(struct table *t, struct table_node *n, uint64_t hash)
{
	if (t->count > t->mask && t->mask < UINT32_MAX / 2)
		table_grow(t);
	n->hash = hash;
	chain_append(&t->chains[hash & t->mask], n);
	t->count++;
}

void table_del(struct table *t, struct table_node *n)
{
	struct table_node **at = &t->chains[n->hash & t->mask].first;

	while (*at != n) {
		BUG_ON(!*at);
		at = &(*at)->next;
	}
	*at = n->next;
	n->next = NULL;
	t->count--;
}

static struct table_node *chain_find(struct table_node *n, uint64_t hash)
{
	while (n && n->hash != hash)
		n = n->next;
	return n;
}

struct table_node *table_first(const struct table *t, uint64_t hash)
{
	return chain_find(t->chains[hash & t->mask].first, hash);
}

struct table_node *table_next(const struct table_node *n)
{
	return chain_find(n->next, n->hash);
}
