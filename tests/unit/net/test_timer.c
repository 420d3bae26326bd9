/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "net/timer.h"
#include "noise.h"

#define TIMERS 300
#define OPS 100000

struct probe {
	struct timer timer;
	uint64_t due; /* 0: not armed; the oracle */
	unsigned fired;
	struct probe *stops; /* what the callback stops */
	uint64_t again; /* what the callback re-arms itself to */
};

static struct timer_wheel *wheel;
static uint64_t last_due;

static void on_fire(struct timer *t, uint64_t now)
{
	struct probe *p = container_of(t, struct probe, timer);

	cr_assert_neq(p->due, 0, "fired without being armed");
	cr_assert_leq(p->due, now, "fired early");
	cr_assert_not(timer_armed(t));
	p->fired++;
	last_due = p->due;
	p->due = 0;
	if (p->stops) {
		timer_stop(&p->stops->timer);
		p->stops->due = 0;
	}
	if (p->again) {
		timer_set(wheel, t, p->again);
		p->due = p->again;
	}
}

static void probe_init(struct probe *p)
{
	*p = (struct probe){ .due = 0 };
	timer_init(&p->timer, on_fire);
}

static void probe_set(struct probe *p, uint64_t due)
{
	timer_set(wheel, &p->timer, due);
	p->due = due;
}

static uint64_t random_delay(void)
{
	unsigned bits = (unsigned)(rng() % 45);

	return rng() & ((1ull << bits) - 1);
}

static void oracle_check(struct probe *probes, uint64_t now)
{
	uint64_t first = UINT64_MAX;
	uint32_t next;

	for (unsigned i = 0; i < TIMERS; i++) {
		cr_assert_eq(timer_armed(&probes[i].timer), probes[i].due != 0);
		cr_assert(probes[i].due == 0 || probes[i].due > now, "overdue and not fired");
		if (probes[i].due && probes[i].due < first)
			first = probes[i].due;
	}
	next = timer_wheel_next(wheel, now, 1u << 31);
	cr_assert(first == UINT64_MAX || next <= first - now, "would oversleep");
	cr_assert(first != UINT64_MAX || next == 1u << 31);
	cr_assert_gt(next, 0, "would spin");
}

Test(timer, behaves_like_a_list, .timeout = 60)
{
	static struct probe probes[TIMERS];
	uint64_t now = 1000;

	wheel = timer_wheel_new(now);
	for (unsigned i = 0; i < TIMERS; i++)
		probe_init(&probes[i]);
	for (unsigned op = 0; op < OPS; op++) {
		struct probe *p = &probes[rng() % TIMERS];

		switch (rng() % 8) {
		case 0:
			timer_stop(&p->timer);
			p->due = 0;
			break;
		case 1:
			now += rng() % 4 ? rng() % 100 : random_delay();
			timer_wheel_run(wheel, now);
			oracle_check(probes, now);
			break;
		default:
			probe_set(p, now + 1 + random_delay());
		}
	}
	timer_wheel_free(wheel);
	for (unsigned i = 0; i < TIMERS; i++)
		cr_assert_not(timer_armed(&probes[i].timer));
}

Test(timer, order_is_that_of_ticks, .timeout = 60)
{
	struct probe probes[64];
	uint64_t now = 5, previous = 0;
	unsigned fired = 0;

	wheel = timer_wheel_new(now);
	for (unsigned i = 0; i < ARRAY_LEN(probes); i++) {
		probe_init(&probes[i]);
		probe_set(&probes[i], now + 1 + rng() % 100000);
	}
	while (fired < ARRAY_LEN(probes)) {
		uint32_t wait = timer_wheel_next(wheel, now, 1000000);

		now += wait;
		last_due = 0;
		timer_wheel_run(wheel, now);
		if (last_due) {
			cr_assert_eq(last_due, now, "fired at %llu, not %llu",
				(unsigned long long)now, (unsigned long long)last_due);
			cr_assert_gt(now, previous);
			previous = now;
		}
		fired = 0;
		for (unsigned i = 0; i < ARRAY_LEN(probes); i++)
			fired += probes[i].fired;
	}
	timer_wheel_free(wheel);
}

/* A sleeper that follows timer_wheel_next reaches a far deadline in a few steps, and exactly. */
Test(timer, far_deadlines_take_few_wakes, .timeout = 60)
{
	static const uint64_t delays[] = { 1, 63, 64, 65, 4095, 4096, 1200000, 86400000ull * 365 };
	uint64_t now = 0x123456789abull;

	wheel = timer_wheel_new(now);
	for (unsigned i = 0; i < ARRAY_LEN(delays); i++) {
		struct probe p;
		unsigned wakes = 0;
		uint64_t due = now + delays[i];

		probe_init(&p);
		probe_set(&p, due);
		while (!p.fired) {
			now += timer_wheel_next(wheel, now, UINT32_MAX);
			timer_wheel_run(wheel, now);
			cr_assert_lt(++wakes, 12 + delays[i] / UINT32_MAX);
		}
		cr_assert_eq(now, due);
	}
	timer_wheel_free(wheel);
}

Test(timer, never_is_a_deadline_too, .timeout = 60)
{
	struct probe p;

	wheel = timer_wheel_new(7);
	probe_init(&p);
	probe_set(&p, UINT64_MAX);
	timer_wheel_run(wheel, UINT64_MAX - 1);
	cr_assert_eq(p.fired, 0);
	timer_wheel_run(wheel, UINT64_MAX);
	cr_assert_eq(p.fired, 1);
	timer_wheel_free(wheel);
}

Test(timer, callback_stops_one_of_the_same_tick, .timeout = 60)
{
	struct probe a, b, c;

	wheel = timer_wheel_new(0);
	probe_init(&a);
	probe_init(&b);
	probe_init(&c);
	a.stops = &b;
	probe_set(&a, 10);
	probe_set(&b, 10);
	probe_set(&c, 10);
	timer_wheel_run(wheel, 50);
	cr_assert_eq(a.fired, 1);
	cr_assert_eq(b.fired, 0);
	cr_assert_eq(c.fired, 1);
	timer_wheel_free(wheel);
}

Test(timer, rearmed_for_the_past_fires_with_the_next_run, .timeout = 60)
{
	struct probe p;

	wheel = timer_wheel_new(100);
	probe_init(&p);
	p.again = 90;
	probe_set(&p, 100);
	cr_assert_eq(timer_wheel_next(wheel, 100, 1000), 0);
	timer_wheel_run(wheel, 100);
	cr_assert_eq(p.fired, 1);
	cr_assert_eq(timer_wheel_next(wheel, 100, 1000), 0);
	p.again = 130;
	timer_wheel_run(wheel, 101);
	cr_assert_eq(p.fired, 2);
	cr_assert_eq(timer_wheel_next(wheel, 101, 1000), 29 - (130 / 64 > 101 / 64 ? 2 : 0));
	timer_stop(&p.timer);
	timer_stop(&p.timer);
	cr_assert_eq(timer_wheel_next(wheel, 101, 1000), 1000);
	timer_wheel_free(wheel);
}

Test(timer, clock_that_stands_still_or_lags, .timeout = 60)
{
	struct probe p;

	wheel = timer_wheel_new(1000);
	probe_init(&p);
	timer_wheel_run(wheel, 2000);
	timer_wheel_run(wheel, 1500);
	cr_assert_eq(timer_wheel_now(wheel), 2000);
	probe_set(&p, 1600);
	timer_wheel_run(wheel, 1700);
	cr_assert_eq(p.fired, 1);
	timer_wheel_free(wheel);
}
