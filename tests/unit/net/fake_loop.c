/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_loop.h"

#include <criterion/criterion.h>

#include "core/base/clock.h"

#define PATIENCE 60000 /* ms */

uint64_t fake_now(const struct fake_loop *l)
{
	return (l->frozen ? l->frozen : clock_ms()) + l->skip;
}

void fake_freeze(struct fake_loop *l)
{
	l->frozen = clock_ms();
}

void fake_loop_open(struct fake_loop *l, const struct addr *server, uint32_t timeout_ms)
{
	struct uring_failure refused;
	const char *why;
	struct dns_opts opts = { server, 1, timeout_ms ? timeout_ms : PATIENCE, 2 };

	*l = (struct fake_loop){ 0 };
	l->ring = uring_open(&(struct uring_opts){ 0 }, &refused);
	cr_assert_not_null(l->ring, "%s", refused.cause);
	l->wheel = timer_wheel_new(fake_now(l));
	l->dns = dns_new(l->ring, l->wheel, &opts, &why);
	cr_assert_not_null(l->dns);
}

void fake_loop_close(struct fake_loop *l)
{
	dns_free(l->dns);
	for (unsigned i = 0; i < 3; i++) /* late completions must find nothing to break */
		uring_turn(l->ring, 0, 512, NULL, NULL);
	timer_wheel_free(l->wheel);
	uring_close(l->ring);
}

bool fake_loop_run(struct fake_loop *l, const unsigned *done, unsigned goal, unsigned limit_ms,
	bool (*turn)(void *ctx, uint64_t now), void *ctx)
{
	uint64_t end = clock_ms() + limit_ms;

	while (*done < goal && clock_ms() < end) {
		uint64_t now = fake_now(l);
		bool more;

		timer_wheel_run(l->wheel, now);
		dns_turn(l->dns, now);
		more = turn && turn(ctx, now);
		if (*done >= goal)
			break;
		more = more || dns_busy(l->dns) || uring_pending(l->ring);
		uring_turn(l->ring, more ? 0 : timer_wheel_next(l->wheel, now, 100), 512, NULL,
			NULL);
	}
	return *done >= goal;
}
