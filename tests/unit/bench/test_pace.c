/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/pace.h"

#include "bench/flows.h"
#include "bench/range.h"

#include <criterion/criterion.h>

#define BEGAN (1000 * NS_PER_S)

static uint64_t after(double seconds)
{
	return BEGAN + (uint64_t)(seconds * 1e9);
}

Test(pace, without_stages)
{
	struct pace p;

	pace_begin(&p, 3000, 1000, false, 5, BEGAN);
	cr_expect_eq(p.total, 3000);
	cr_expect_float_eq(pace_due(&p, after(0)), 0, 1e-6);
	cr_expect_float_eq(pace_due(&p, after(2.5)), 2500, 1e-6);
	cr_expect_eq(pace_time(&p, 2500), after(2.5));
	cr_expect_eq(pace_stage(&p, after(1000)), STAGE_BEFORE);
	cr_expect_float_eq(pace_seconds(&p), 3, 1e-6);
}

Test(pace, without_a_rate_there_are_no_stages)
{
	struct pace p;

	pace_begin(&p, 3000, 0, true, 2, BEGAN);
	cr_expect_eq(p.total, 3000);
	cr_expect_eq(pace_stage(&p, after(1000)), STAGE_BEFORE);
	cr_expect_float_eq(pace_seconds(&p), 0, 1e-6);
}

Test(pace, thirds)
{
	struct pace p;

	pace_begin(&p, 3000, 1000, true, 1, BEGAN);
	cr_expect_eq(p.total, 3000);
	cr_expect_eq(pace_stage(&p, after(0.999)), STAGE_BEFORE);
	cr_expect_eq(pace_stage(&p, after(1)), STAGE_MIDDLE);
	cr_expect_eq(pace_stage(&p, after(2)), STAGE_AFTER);
	cr_expect_float_eq(pace_due(&p, after(2.5)), 2500, 1e-3);
}

Test(pace, overload)
{
	struct pace p;

	pace_begin(&p, 3000, 1000, true, 4, BEGAN);
	cr_expect_eq(p.total, 1000 + 4000 + 1000);
	cr_expect_float_eq(pace_due(&p, after(1.5)), 3000, 1e-3);
	cr_expect_float_eq(pace_due(&p, after(2.5)), 5500, 1e-3);
	cr_expect_float_eq(pace_seconds(&p), 3, 1e-6);
	for (double t = 0; t < 3; t += 0.1) {
		double n = pace_due(&p, after(t));

		cr_expect_float_eq((double)(pace_time(&p, n) - BEGAN), t * 1e9, 1000, "%f", t);
	}
}

Test(flows, whose_and_when)
{
	static struct flows f;
	struct names n;
	struct pace p;

	cr_assert(names_init(&n, "o.test", 12, 0, NULL, "b.test", 3, 1));
	n.n_backends = 3;
	pace_begin(&p, 3000, 1000, true, 1, BEGAN);
	flows_init(&f, &n, &p);
	f.receiver = 2;
	f.pair = 0;
	flows_send(&f, 0, after(0.5));
	flows_send(&f, 1, after(1.5));
	flows_send(&f, 5, after(2.5));
	flows_arrive(&f, 1, after(1.5), after(2.5));
	cr_expect_eq(f.of[STAGE_BEFORE][FLOW_TROUBLED].sent, 1, "the pair");
	cr_expect_eq(f.of[STAGE_AFTER][FLOW_TROUBLED].sent, 1, "the backend");
	cr_expect_eq(f.of[STAGE_MIDDLE][FLOW_OTHERS].sent, 1);
	cr_expect_eq(f.of[STAGE_MIDDLE][FLOW_OTHERS].arrived, 1);
	cr_expect_eq(f.of[STAGE_MIDDLE][FLOW_OTHERS].last, after(2.5));
	cr_expect_eq(f.of[STAGE_MIDDLE][FLOW_OTHERS].latency.max, NS_PER_S);
	names_free(&n);
}

Test(flows, meanwhile)
{
	static struct flows f;
	struct names n;
	struct pace p;

	cr_assert(names_init(&n, "o.test", 12, 0, NULL, "b.test", 1, 1));
	pace_begin(&p, 3000, 1000, true, 1, BEGAN);
	flows_init(&f, &n, &p);
	flows_send(&f, 1, after(1.1));
	flows_arrive(&f, 1, after(1.1), after(1.9));
	cr_expect_eq(f.meanwhile.sent + f.meanwhile.arrived, 0, "nobody is being verified");
	f.from = after(1.2);
	flows_send(&f, 1, after(1.1));
	flows_send(&f, 1, after(1.2));
	flows_send(&f, 1, after(1.3));
	flows_arrive(&f, 1, after(1.1), after(1.4));
	flows_arrive(&f, 1, after(1.2), after(1.3));
	f.to = after(1.25);
	flows_arrive(&f, 1, after(1.3), after(1.4));
	cr_expect_eq(f.meanwhile.sent, 2);
	cr_expect_eq(f.meanwhile.arrived, 1);
	cr_expect_eq(f.meanwhile.latency.max, after(1.3) - after(1.2));
	cr_expect_eq(f.of[STAGE_MIDDLE][FLOW_OTHERS].arrived, 4,
		"they are in the other books as well");
	names_free(&n);
}

Test(range, steps)
{
	struct range r = { 3, 10, 24 }, none = { 0, 0, 0 };

	cr_expect_eq(range_count(r), 3);
	cr_expect_eq(range_at(r, 2), 23);
	cr_expect(range_has(r, 13));
	cr_expect_not(range_has(r, 14));
	cr_expect_not(range_has(r, 33));
	cr_expect_eq(range_count((struct range){ 3, 10, 23 }), 2);
	cr_expect_eq(range_count((struct range){ 3, 10, 3 }), 0);
	cr_expect_eq(range_count(none), 0);
	cr_expect_not(range_has(none, 0));
}
