/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns a dns (and a resolver) on a real ring until a test has what it waits for. Its clock is the
 * real one, or stands still, and is put forward by what a test skips. A question that is not answered
 * is asked again after a minute, or as soon as a test says: no test with an answer waits so long.
 */
#ifndef SLUICE_TESTS_FAKE_LOOP_H
#define SLUICE_TESTS_FAKE_LOOP_H

#include "net/dns.h"
#include "net/timer.h"
#include "net/uring.h"

struct fake_loop {
	struct uring *ring;
	struct timer_wheel *wheel;
	struct dns *dns;
	uint64_t frozen; /* 0: the clock goes */
	uint64_t skip; /* added to the clock: scripted time */
};

uint64_t fake_now(const struct fake_loop *l);
void fake_freeze(struct fake_loop *l); /* from now on only what is skipped passes */

/* timeout_ms: of a try; 0: a minute. */
void fake_loop_open(struct fake_loop *l, const struct addr *server, uint32_t timeout_ms);
void fake_loop_close(struct fake_loop *l);

/* Turns until *done reaches goal; false after limit_ms. turn: further work of a turn, may be
 * NULL, returns true when it has more. */
bool fake_loop_run(struct fake_loop *l, const unsigned *done, unsigned goal, unsigned limit_ms,
	bool (*turn)(void *ctx, uint64_t now), void *ctx);

#endif
