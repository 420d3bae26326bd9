/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "dialback/wheel.h"
#include "dice.h"

static struct wheel w;

TestSuite(wheel, .timeout = 100);

Test(wheel, empty)
{
	wheel_init(&w);
	cr_expect_null(wheel_due(&w, 0));
	cr_expect_null(wheel_due(&w, 1ull << 50));
	cr_expect_eq(wheel_next(&w, 1ull << 50, 77), 77);
}

Test(wheel, one)
{
	struct deadline d;

	wheel_init(&w);
	wheel_add(&w, &d, 1000000, 999000);
	cr_expect_null(wheel_due(&w, 999999));
	cr_expect_leq(wheel_next(&w, 999000, 5000), 1000 + WHEEL_TICK_MS);
	cr_expect_geq(wheel_next(&w, 999000, 5000), 1000);
	cr_expect_eq(wheel_next(&w, 999000, 10), 10);
	cr_expect_eq(wheel_due(&w, 1000000 + WHEEL_TICK_MS), &d);
	cr_expect_null(wheel_due(&w, 1000000 + WHEEL_TICK_MS));
	list_del(&d.link);
}

Test(wheel, one_that_left)
{
	struct deadline d;

	wheel_init(&w);
	wheel_add(&w, &d, 1000, 0);
	list_del(&d.link);
	cr_expect_null(wheel_due(&w, 5000));
	cr_expect_eq(wheel_next(&w, 5000, 88), 88);
}

/* Nobody looked for long; what is added meanwhile is not due early. */
Test(wheel, late)
{
	struct deadline old, young;

	wheel_init(&w);
	wheel_add(&w, &old, 1000, 0);
	wheel_add(&w, &young, 100000 + WHEEL_MAX_MS, 100000);
	cr_expect_eq(wheel_due(&w, 100000), &old);
	cr_expect_null(wheel_due(&w, 100000));
	cr_expect_null(wheel_due(&w, 100000 + WHEEL_MAX_MS - 1));
	cr_expect_eq(wheel_due(&w, 100000 + WHEEL_MAX_MS + WHEEL_TICK_MS), &young);
}

/* Further ahead than the wheel reaches: looked at on the way, and not early. */
Test(wheel, far_ahead)
{
	struct deadline far, near;
	uint64_t now = 5000, end = now + 20ull * WHEEL_MAX_MS;

	wheel_init(&w);
	wheel_add(&w, &far, end, now);
	wheel_add(&w, &near, now + 10 * WHEEL_TICK_MS, now);
	cr_expect_eq(wheel_due(&w, now + 11 * WHEEL_TICK_MS), &near);
	for (unsigned looks = 0; now < end; looks++) {
		uint32_t next;

		cr_assert_null(wheel_due(&w, now));
		next = wheel_next(&w, now, 1u << 30);
		cr_assert(next > 0 && next <= WHEEL_SLOTS * WHEEL_TICK_MS);
		now += next;
		cr_assert_leq(looks, 25);
	}
	cr_expect_eq(wheel_due(&w, now + WHEEL_TICK_MS), &far);
}

/* All at once, when nobody has looked for longer than that. */
Test(wheel, far_ahead_and_late)
{
	struct deadline far, further;

	wheel_init(&w);
	wheel_add(&w, &further, 50ull * WHEEL_MAX_MS, 0);
	wheel_add(&w, &far, 3ull * WHEEL_MAX_MS, 0);
	cr_expect_eq(wheel_due(&w, 40ull * WHEEL_MAX_MS), &far);
	cr_expect_null(wheel_due(&w, 40ull * WHEEL_MAX_MS));
	cr_expect_eq(wheel_due(&w, 60ull * WHEEL_MAX_MS), &further);
	cr_expect_null(wheel_due(&w, 90ull * WHEEL_MAX_MS));
}

/* None early, none later than a tick after its time, however time passes. */
static void property(uint32_t furthest)
{
	enum { N = 200 };
	static struct deadline d[N];
	static bool in[N];
	uint64_t now = 12345, before;
	unsigned fired = 0;

	wheel_init(&w);
	for (unsigned step = 0; step < 200000; step++) {
		unsigned i = dice(N);
		struct deadline *due;

		if (in[i] && dice(3) == 0) {
			list_del(&d[i].link);
			in[i] = false;
		} else if (!in[i]) {
			wheel_add(&w, &d[i], now + dice(furthest + 1), now);
			in[i] = true;
		}
		before = now;
		now += dice(100) ? dice(60) : dice(100000);
		while ((due = wheel_due(&w, now))) {
			cr_assert_leq(due->at, now);
			cr_assert_geq(due->at + 2 * WHEEL_TICK_MS, before);
			cr_assert(in[due - d]);
			in[due - d] = false;
			fired++;
		}
		for (unsigned n = 0; n < N; n++)
			cr_assert(!in[n] || d[n].at + WHEEL_TICK_MS > now);
		cr_assert_lt(wheel_next(&w, now, 1u << 30), in[i] ? WHEEL_MAX_MS + 65 : 1u << 31);
	}
	cr_expect_gt(fired, 10000);
}

Test(wheel, property_near)
{
	property(WHEEL_MAX_MS);
}

Test(wheel, property_far)
{
	property(10 * WHEEL_MAX_MS);
}
