/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who holds how much of a queue: never less than it is, seldom more, and gone in time. */
#include "core/shares.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define SEED 0x5eedu
#define BOUND (1u << 20)

static uint64_t nth(unsigned i)
{
	char from[32];

	(void)snprintf(from, sizeof(from), "d%u.test", i);
	return shares_key(SEED, span_str(from), SPAN_LIT("l.test"));
}

Test(shares, a_pair_has_what_it_put_in)
{
	struct shares *s = shares_new(BOUND);

	cr_assert(s);
	cr_expect_eq(shares_of(s, nth(0)), 0);
	shares_add(s, nth(0), 300);
	shares_add(s, nth(0), 40);
	cr_expect_eq(shares_of(s, nth(0)), 340);
	cr_expect_eq(shares_of(s, nth(1)), 0);
	shares_free(s);
}

Test(shares, the_key_is_of_both_domains_and_the_seed)
{
	uint64_t k = shares_key(SEED, SPAN_LIT("a"), SPAN_LIT("b"));

	cr_expect_eq(shares_key(SEED, SPAN_LIT("a"), SPAN_LIT("b")), k);
	cr_expect_neq(shares_key(SEED, SPAN_LIT("b"), SPAN_LIT("a")), k);
	cr_expect_neq(shares_key(SEED, SPAN_LIT("a"), SPAN_LIT("c")), k);
	cr_expect_neq(shares_key(SEED, SPAN_LIT("ab"), SPAN_LIT("")), k);
	cr_expect_neq(shares_key(SEED + 1, SPAN_LIT("a"), SPAN_LIT("b")), k);
}

/* Nobody is wronged by want of memory for the counts: then the reserve is all that decides. */
Test(shares, without_memory_nothing_is_counted)
{
	shares_add(NULL, nth(0), 300);
	cr_expect_eq(shares_of(NULL, nth(0)), 0);
	cr_expect(shares_fit(NULL, nth(0), 300, 300));
	cr_expect_not(shares_fit(NULL, nth(0), 301, 300));
	shares_free(NULL);
}

Test(shares, never_less_than_it_is)
{
	struct shares *s = shares_new(BOUND);
	unsigned too_much = 0;

	/* As many as fit into a queue: less than the bound altogether, so nothing fades. */
	for (unsigned i = 0; i < 3000; i++)
		shares_add(s, nth(i), 200 + i % 100);
	for (unsigned i = 0; i < 3000; i++) {
		cr_assert_geq(shares_of(s, nth(i)), 200 + i % 100);
		too_much += shares_of(s, nth(i)) > 4096;
	}
	cr_expect_eq(too_much, 0, "%u pairs are far from what they hold", too_much);
	shares_free(s);
}

/* One noisy pair, 9,999 quiet ones: hardly any of them is mistaken for it. */
Test(shares, few_are_taken_for_a_noisy_one)
{
	struct shares *s = shares_new(BOUND);
	unsigned mistaken = 0;

	shares_add(s, nth(0), BOUND / 2);
	for (unsigned i = 1; i < 10000; i++)
		mistaken += shares_of(s, nth(i)) >= BOUND / 2;
	cr_expect_leq(mistaken, 2, "%u", mistaken);
	shares_free(s);
}

Test(shares, what_came_long_ago_fades)
{
	struct shares *s = shares_new(BOUND);

	shares_add(s, nth(0), 4096);
	shares_add(s, nth(1), BOUND - 4097);
	cr_expect_eq(shares_of(s, nth(0)), 4096, "the queue may hold all of it");
	shares_add(s, nth(1), 1);
	cr_expect_eq(shares_of(s, nth(0)), 2048);
	for (unsigned i = 0; i < 11; i++)
		shares_add(s, nth(1), BOUND);
	cr_expect_eq(shares_of(s, nth(0)), 1);
	cr_expect_leq(shares_of(s, nth(1)), 2 * BOUND);
	shares_free(s);
}

/* The largest bound and stanza that flags allow do not overflow a count. */
Test(shares, the_largest_queue)
{
	struct shares *s = shares_new(1u << 30);
	uint64_t before = 0;

	for (unsigned i = 0; i < 200; i++) {
		shares_add(s, nth(0), 64u << 20);
		cr_assert_geq(shares_of(s, nth(0)) + (64u << 20), before);
		before = shares_of(s, nth(0)) / 2;
		cr_assert_gt(shares_of(s, nth(0)), 0);
	}
	cr_expect_geq(shares_of(s, nth(0)), 1u << 29);
	shares_free(s);
}

/* However it is cut, nobody gets more than half of the reserve, and the rest stays for others. */
Test(shares, nobody_takes_more_of_the_reserve_than_it_leaves)
{
	struct shares *s = shares_new(BOUND);
	size_t left = 100000;

	while (shares_fit(s, nth(0), 1000, left)) {
		shares_add(s, nth(0), 1000);
		left -= 1000;
	}
	cr_expect_eq(left, 50000);
	cr_expect(shares_fit(s, nth(1), 50000, left));
	cr_expect_not(shares_fit(s, nth(1), 50001, left));
	/* Who held much before gets none at all. */
	shares_add(s, nth(2), 60000);
	cr_expect_not(shares_fit(s, nth(2), 1, left));
	shares_free(s);
}
