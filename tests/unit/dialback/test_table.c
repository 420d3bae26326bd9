/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "dialback/table.h"

struct item {
	struct table_node node;
	unsigned value;
};

static struct item items[5000];
static unsigned freed;

static void count(struct table_node *n)
{
	(void)n;
	freed++;
}

static struct item *find(const struct table *t, uint64_t hash, unsigned value)
{
	for (struct table_node *n = table_first(t, hash); n; n = table_next(n)) {
		struct item *i = container_of(n, struct item, node);

		if (i->value == value)
			return i;
	}
	return NULL;
}

Test(table, finds_what_is_in_it_and_nothing_else)
{
	struct table t;

	table_init(&t);
	for (unsigned i = 0; i < ARRAY_LEN(items); i++) {
		items[i].value = i;
		table_add(&t, &items[i].node, i / 3); /* three of each hash */
	}
	for (unsigned i = 0; i < ARRAY_LEN(items); i += 2)
		table_del(&t, &items[i].node);
	for (unsigned i = 0; i < ARRAY_LEN(items); i++)
		cr_assert_eq(find(&t, i / 3, i), i % 2 ? &items[i] : NULL, "%u", i);
	cr_expect_null(table_first(&t, 1u << 30));
	table_free(&t, count);
	cr_expect_eq(freed, ARRAY_LEN(items) / 2);
}

Test(table, oldest_of_a_hash_comes_first)
{
	struct table t;
	struct table_node *n;

	table_init(&t);
	for (unsigned i = 0; i < 500; i++)
		table_add(&t, &items[i].node, i < 10 ? 7 : 1000 + i);
	n = table_first(&t, 7);
	for (unsigned i = 0; i < 10; i++, n = table_next(n))
		cr_assert_eq(n, &items[i].node, "%u-th", i);
	cr_expect_null(n);
	table_free(&t, NULL);
}
