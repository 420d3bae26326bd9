/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "core/base/list.h"

struct item {
	int v;
	struct list link;
};

static struct item items[4] = { { .v = 1 }, { .v = 2 }, { .v = 3 }, { .v = 4 } };

static int digits(const struct list *head)
{
	int all = 0;

	list_each(pos, head) all = all * 10 + container_of(pos, const struct item, link)->v;
	return all;
}

static void fill(struct list *head, int from, int to)
{
	list_init(head);
	for (int i = from; i < to; i++)
		list_add_tail(head, &items[i].link);
}

Test(list, order)
{
	struct list head;

	list_init(&head);
	cr_assert(list_empty(&head));
	list_add_tail(&head, &items[1].link);
	list_add_tail(&head, &items[2].link);
	list_add(&head, &items[0].link);
	cr_assert_eq(digits(&head), 123);
	cr_assert_eq(list_first(&head, struct item, link)->v, 1);
	list_del(&items[1].link);
	cr_assert_eq(digits(&head), 13);
}

Test(list, deleting_twice_is_harmless)
{
	struct list head;

	fill(&head, 0, 3);
	list_del(&items[1].link);
	list_del(&items[1].link);
	cr_assert_eq(digits(&head), 13);
	cr_assert(list_empty(&items[1].link));
}

Test(list, splice)
{
	struct list a, b;

	fill(&a, 0, 2);
	fill(&b, 2, 4);
	list_splice_tail(&a, &b);
	cr_assert_eq(digits(&a), 1234);
	cr_assert(list_empty(&b));
	list_splice_tail(&a, &b);
	cr_assert_eq(digits(&a), 1234);
	list_splice_tail(&b, &a);
	cr_assert_eq(digits(&b), 1234);
	cr_assert(list_empty(&a));
	/* Backwards as well. */
	cr_assert_eq(container_of(b.prev, struct item, link)->v, 4);
	cr_assert_eq(container_of(b.prev->prev->prev->prev, struct item, link)->v, 1);
}

Test(list, removing_while_walking)
{
	struct list head;

	fill(&head, 0, 4);
	list_each_safe(pos, tmp, &head)
	{
		if (container_of(pos, struct item, link)->v % 2 == 0)
			list_del(pos);
	}
	cr_assert_eq(digits(&head), 13);
}
