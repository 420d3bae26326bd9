/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "core/base/mem.h"
#include "core/carry.h"
#include "xml/scan.h"

#define KIB 1024
#define OF_KEPT 4096 /* the least that is allocated */

static char bytes[64 * KIB];

static void append(struct carry *c, size_t n)
{
	memset(bytes, 'x', n);
	cr_assert(carry_append(c, bytes, n));
	for (size_t i = 0; i < SCAN_PAD; i++)
		cr_assert_eq(c->p[c->n + i], 0);
}

Test(carry, keeps_what_is_left, .timeout = 60)
{
	struct carries all;
	struct carry c;

	carries_init(&all, 64 * KIB);
	carry_init(&c, &all);
	cr_assert(carry_append(&c, "abc", 3));
	cr_assert(carry_append(&c, "defg", 4));
	carry_drop(&c, 5);
	cr_assert_eq(c.n, 2);
	cr_assert_eq(memcmp(c.p, "fg\0", 3), 0);
	carry_drop(&c, 2);
	cr_assert_eq(all.bytes, 0, "a stranger keeps memory without bytes");
	carry_prove(&c);
	append(&c, 10);
	carry_drop(&c, 10);
	cr_assert_eq(all.bytes, OF_KEPT);
	append(&c, 20 * KIB);
	carry_drop(&c, 20 * KIB);
	cr_assert_eq(all.bytes, 0, "a large buffer is kept");
	carry_free(&c);
}

Test(carry, strangers_go_first_and_the_oldest_of_them, .timeout = 60)
{
	struct carries all;
	struct carry proven, first, second;

	carries_init(&all, 40 * KIB);
	carry_init(&proven, &all);
	carry_init(&first, &all);
	carry_init(&second, &all);
	carry_prove(&proven);
	append(&proven, 10 * KIB);
	append(&first, 5 * KIB);
	append(&second, 5 * KIB);
	cr_assert_null(carries_victim(&all));
	/* It has completed an element since: now it is the younger one. */
	carry_drop(&first, first.n);
	append(&first, 5 * KIB);
	append(&first, 5 * KIB);
	append(&proven, 10 * KIB);
	cr_assert_eq(carries_victim(&all), &second);
	carry_free(&second);
	cr_assert_eq(carries_victim(&all), &first);
	carry_free(&first);
	cr_assert_null(carries_victim(&all));
	append(&proven, 20 * KIB);
	cr_assert_eq(carries_victim(&all), &proven, "nobody else is left");
	carry_free(&proven);
	cr_assert_eq(all.bytes, 0);
}

Test(carry, proven_while_it_holds_bytes, .timeout = 60)
{
	struct carries all;
	struct carry a, b;

	carries_init(&all, 10 * KIB);
	carry_init(&a, &all);
	carry_init(&b, &all);
	append(&a, 5 * KIB);
	append(&b, 5 * KIB);
	carry_prove(&a);
	cr_assert_eq(carries_victim(&all), &b);
	carry_free(&a);
	carry_free(&b);
}

/* What is merely kept for the next element is nobody's fault. */
Test(carry, nobody_to_blame, .timeout = 60)
{
	struct carries all;
	struct carry c;

	carries_init(&all, 1);
	carry_init(&c, &all);
	carry_prove(&c);
	append(&c, 1);
	carry_drop(&c, 1);
	cr_assert_gt(all.bytes, all.max);
	cr_assert_null(carries_victim(&all));
	carry_free(&c);
}
