/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/ledger.h"

#include "bench/latency.h"

#include <criterion/criterion.h>

static struct ledger books(uint32_t pairs, uint32_t sent_each)
{
	struct ledger l;

	ledger_init(&l, pairs);
	for (uint32_t p = 0; p < pairs; p++) {
		for (uint32_t i = 0; i < sent_each; i++)
			cr_assert_eq(ledger_send(&l, p), i);
	}
	return l;
}

Test(ledger, in_order)
{
	struct ledger l = books(3, 4);

	for (uint32_t i = 0; i < 12; i++)
		cr_expect_eq(ledger_arrive(&l, i % 3, i / 3), ARRIVAL_NEXT);
	cr_expect_eq(l.sent, 12);
	cr_expect_eq(l.arrived, 12);
	cr_expect_eq(ledger_lost(&l), 0);
	cr_expect_eq(l.duplicated + l.reordered + l.alien, 0);
	cr_expect_null(l.missing);
	ledger_free(&l);
}

Test(ledger, lost_in_the_middle_and_at_the_end)
{
	struct ledger l = books(2, 5);

	cr_expect_eq(ledger_arrive(&l, 1, 0), ARRIVAL_NEXT);
	cr_expect_eq(ledger_arrive(&l, 1, 3), ARRIVAL_GAP);
	cr_expect_eq(ledger_lost(&l), 8);
	cr_expect_eq(l.reordered, 0);
	ledger_free(&l);
}

Test(ledger, reordered_is_neither_lost_nor_duplicated)
{
	struct ledger l = books(1, 4);

	ledger_arrive(&l, 0, 2);
	cr_expect_eq(ledger_arrive(&l, 0, 1), ARRIVAL_REORDERED);
	cr_expect_eq(ledger_arrive(&l, 0, 0), ARRIVAL_REORDERED);
	cr_expect_eq(ledger_arrive(&l, 0, 3), ARRIVAL_NEXT);
	cr_expect_eq(l.reordered, 2);
	cr_expect_eq(l.duplicated, 0);
	cr_expect_eq(ledger_lost(&l), 0);
	ledger_free(&l);
}

Test(ledger, duplicates_of_every_kind)
{
	struct ledger l = books(2, 4);

	ledger_arrive(&l, 0, 0);
	cr_expect_eq(ledger_arrive(&l, 0, 0), ARRIVAL_DUPLICATE);
	ledger_arrive(&l, 0, 3);
	cr_expect_eq(ledger_arrive(&l, 0, 3), ARRIVAL_DUPLICATE);
	cr_expect_eq(ledger_arrive(&l, 0, 1), ARRIVAL_REORDERED);
	cr_expect_eq(ledger_arrive(&l, 0, 1), ARRIVAL_DUPLICATE);
	cr_expect_eq(l.duplicated, 3);
	cr_expect_eq(l.arrived, 3);
	cr_expect_eq(ledger_lost(&l), 5);
	ledger_free(&l);
}

Test(ledger, never_sent)
{
	struct ledger l = books(2, 2);

	cr_expect_eq(ledger_arrive(&l, 2, 0), ARRIVAL_ALIEN);
	cr_expect_eq(ledger_arrive(&l, UINT32_MAX, UINT32_MAX), ARRIVAL_ALIEN);
	cr_expect_eq(ledger_arrive(&l, 0, 2), ARRIVAL_ALIEN);
	cr_expect_eq(l.alien, 3);
	cr_expect_eq(l.arrived, 0);
	ledger_free(&l);
}

Test(ledger, neighbours_do_not_share_gaps)
{
	struct ledger l = books(70, 3);

	for (uint32_t p = 0; p < 70; p += 2)
		cr_expect_eq(ledger_arrive(&l, p, 2), ARRIVAL_GAP);
	for (uint32_t p = 1; p < 70; p += 2) {
		cr_expect_eq(ledger_arrive(&l, p, 0), ARRIVAL_NEXT);
		cr_expect_eq(ledger_arrive(&l, p, 0), ARRIVAL_DUPLICATE);
	}
	cr_expect_eq(l.reordered, 0);
	cr_expect_eq(ledger_lost(&l), 210 - 70);
	ledger_free(&l);
}

Test(ledger, gaps_of_any_width)
{
	struct ledger l = books(2, 1000);

	cr_expect_eq(ledger_arrive(&l, 0, 999), ARRIVAL_GAP);
	for (uint32_t i = 999; i-- > 0;)
		cr_expect_eq(ledger_arrive(&l, 0, i), ARRIVAL_REORDERED);
	cr_expect_eq(ledger_arrive(&l, 1, 63), ARRIVAL_GAP);
	cr_expect_eq(ledger_arrive(&l, 1, 65), ARRIVAL_GAP);
	cr_expect_eq(ledger_arrive(&l, 1, 64), ARRIVAL_REORDERED);
	cr_expect_eq(ledger_arrive(&l, 1, 64), ARRIVAL_DUPLICATE);
	cr_expect_eq(ledger_arrive(&l, 1, 0), ARRIVAL_REORDERED);
	cr_expect_eq(ledger_lost(&l), 1000 - 4);
	ledger_free(&l);
}

Test(latency, buckets_are_exact_below_64_and_close_above)
{
	for (uint64_t ns = 0; ns < 1ull << 40; ns += 1 + ns / 3) {
		struct latency *l = bench_alloc(1, sizeof(*l));
		uint64_t q;

		latency_add(l, ns);
		l->max = UINT64_MAX;
		q = latency_quantile(l, 0.5);
		cr_expect_geq(q, ns);
		cr_expect_leq((double)q, (double)ns * 1.032, "%llu", (unsigned long long)ns);
		free(l);
	}
}

Test(latency, quantiles)
{
	struct latency *l = bench_alloc(1, sizeof(*l));

	cr_expect_eq(latency_quantile(l, 0.5), 0);
	for (uint64_t i = 1; i <= 1000; i++)
		latency_add(l, i * 1000);
	cr_expect_float_eq((double)latency_quantile(l, 0.5), 500e3, 17e3);
	cr_expect_float_eq((double)latency_quantile(l, 0.99), 990e3, 33e3);
	cr_expect_eq(latency_quantile(l, 1), 1000000);
	latency_add(l, UINT64_MAX);
	cr_expect_eq(latency_quantile(l, 1), UINT64_MAX);
	free(l);
}

Test(ledger, what_came_back_is_counted_by_pair)
{
	struct ledger l = books(3, 4);

	for (uint32_t i = 0; i < 4; i++)
		ledger_arrive(&l, 0, i);
	ledger_arrive(&l, 1, 0);
	ledger_arrive(&l, 1, 3);
	ledger_bounce(&l, 1);
	ledger_bounce(&l, 1);
	ledger_bounce(&l, 2);
	cr_expect_eq(l.returned, 3);
	cr_expect_eq(ledger_both(&l), 0);
	/* All of pair 0 have arrived, so one of them did both; of pair 2 three may be lost. */
	ledger_bounce(&l, 0);
	cr_expect_eq(ledger_both(&l), 1);
	ledger_bounce(&l, 1);
	cr_expect_eq(ledger_both(&l), 2);
	ledger_free(&l);
}
