/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "core/base/rand.h"
#include "net/srv.h"

/* Scripted draws; each remembers the bound that it was asked for. */
static uint32_t draws[128], bounds[128];
static unsigned drawn;

static uint32_t below_scripted(uint32_t bound)
{
	cr_assert_lt(drawn, 128);
	bounds[drawn] = bound;
	cr_assert_lt(draws[drawn], bound);
	return draws[drawn++];
}

static uint32_t below_zero(uint32_t bound)
{
	cr_assert_gt(bound, 0);
	return 0;
}

static uint32_t below_most(uint32_t bound)
{
	return bound - 1;
}

static struct srv_record record(uint16_t priority, uint16_t weight, bool direct, const char *target)
{
	struct srv_record r = { priority, weight, 5269, direct, "" };

	strcpy(r.target, target);
	return r;
}

static void order_is(const struct srv_record *r, unsigned n, const char *targets)
{
	for (unsigned i = 0; i < n; i++)
		cr_assert(r[i].target[0] == targets[i] && r[i].target[1] == '\0',
			"at %u: %s instead of %c", i, r[i].target, targets[i]);
}

Test(srv, t_q1_priority_before_everything)
{
	struct srv_record r[] = { record(10, 65535, true, "a"), record(5, 0, false, "b") };

	srv_order(r, 2, rand_below);
	order_is(r, 2, "ba");
	cr_assert(!r[0].direct);
	cr_assert(r[1].direct);
}

Test(srv, t_q2_direct_before_others_of_equal_priority)
{
	for (unsigned i = 0; i < 100; i++) {
		struct srv_record r[] = { record(5, 65535, false, "p"), record(5, 0, true, "d"),
			record(4, 0, false, "f") };

		srv_order(r, 3, rand_below);
		order_is(r, 3, "fdp");
	}
}

Test(srv, t_q3_weights)
{
	unsigned first[3] = { 0 };
	const double want[3] = { 1 / 41., 10 / 41., 30 / 41. };
	const unsigned n = 100000;

	for (unsigned i = 0; i < n; i++) {
		struct srv_record r[] = { record(1, 30, false, "c"), record(1, 0, false, "a"),
			record(1, 10, false, "b") };

		srv_order(r, 3, rand_below);
		first[r[0].target[0] - 'a']++;
		cr_assert_eq(r[0].target[0] + r[1].target[0] + r[2].target[0], 'a' + 'b' + 'c');
	}
	for (unsigned i = 0; i < 3; i++) {
		double got = (double)first[i] / n;

		cr_assert(got > want[i] - 0.02 && got < want[i] + 0.02, "%u: %f", i, got);
	}
	/* The 2 % of the row would let a weight of 0 never win: it must, about 2439 times. */
	cr_assert(first[0] > 2000 && first[0] < 2900, "%u", first[0]);
}

Test(srv, draw_is_inclusive_and_removes_what_it_took)
{
	struct srv_record r[] = { record(1, 10, false, "b"), record(1, 30, false, "c"),
		record(1, 0, false, "a") };

	draws[0] = 40; /* the sum itself: the last */
	draws[1] = 0; /* of {a 0, b 10}: the first that reaches 0 */
	srv_order(r, 3, below_scripted);
	order_is(r, 3, "cab");
	cr_assert_eq(drawn, 2); /* the last one needs no draw */
	cr_assert_eq(bounds[0], 41);
	cr_assert_eq(bounds[1], 11);
}

Test(srv, running_sum_boundaries)
{
	static const struct {
		uint32_t draw;
		char first;
	} rows[] = { { 0, 'a' }, { 1, 'b' }, { 10, 'b' }, { 11, 'c' }, { 40, 'c' } };

	for (unsigned i = 0; i < 5; i++) {
		struct srv_record r[] = { record(1, 0, false, "a"), record(1, 10, false, "b"),
			record(1, 30, false, "c") };

		drawn = 0;
		draws[0] = rows[i].draw;
		draws[1] = 0;
		srv_order(r, 3, below_scripted);
		cr_assert_eq(r[0].target[0], rows[i].first, "draw %u", rows[i].draw);
	}
}

Test(srv, all_weights_zero_and_all_the_largest)
{
	struct srv_record r[2 * LIMIT_DNS_RECORDS];
	const unsigned n = 2 * LIMIT_DNS_RECORDS;

	for (unsigned i = 0; i < n; i++)
		r[i] = record(1, 0, false, "z");
	srv_order(r, n, rand_below);
	for (unsigned i = 0; i < n; i++)
		r[i] = record(1, 65535, false, i == n - 1 ? "l" : "z");
	srv_order(r, n, below_most);
	order_is(r, 1, "l");
	srv_order(r, n, below_zero);
	srv_order(r, 0, below_scripted);
	srv_order(r, 1, below_scripted);
	cr_assert_eq(drawn, 0);
}
