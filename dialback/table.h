/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hash table of nodes embedded in what they find. The owner hashes (with a keyed
 * hash: strangers choose the names) and compares; the table chains. It doubles
 * when full, and goes on as it is when there is no memory for that.
 * Owner thread only.
 */
#ifndef SLUICE_DIALBACK_TABLE_H
#define SLUICE_DIALBACK_TABLE_H

#include "core/base/base.h"

struct table_node {
	struct table_node *next;
	uint64_t hash;
};

struct table_chain {
	struct table_node *first;
};

struct table {
	struct table_chain *chains;
	uint32_t mask, count;
};

void table_init(struct table *t); /* dies without memory */
/* Calls fn, unless NULL, for each node, which it may free; then frees the table. */
void table_free(struct table *t, void (*fn)(struct table_node *n));

void table_add(struct table *t, struct table_node *n, uint64_t hash);
void table_del(struct table *t, struct table_node *n); /* n must be in it */

/* Nodes with this hash, the oldest first: for (n = table_first(...); n; n = table_next(n)) */
struct table_node *table_first(const struct table *t, uint64_t hash);
struct table_node *table_next(const struct table_node *n);

#endif
