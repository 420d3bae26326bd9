/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hierarchical timer wheel of one worker, 1 ms ticks, driven by the wait time of
 * its ring: no kernel timers. Arming, re-arming and cancelling are O(1). A timer
 * is part of its owner's struct; the callback may free its owner. Owner thread.
 */
#ifndef SLUICE_NET_TIMER_H
#define SLUICE_NET_TIMER_H

#include "core/base/list.h"

struct timer;
struct timer_wheel;

typedef void timer_fn(struct timer *t, uint64_t now);

struct timer {
	struct list link;
	uint64_t due; /* ms on the clock of `now` */
	timer_fn *fn;
	struct timer_wheel *wheel; /* NULL: not armed */
};

struct timer_wheel *timer_wheel_new(uint64_t now);
void timer_wheel_free(struct timer_wheel *w); /* timers still armed are disarmed */

void timer_init(struct timer *t, timer_fn *fn);
void timer_set(struct timer_wheel *w, struct timer *t, uint64_t due); /* arms or moves */
void timer_stop(struct timer *t); /* harmless when not armed */
bool timer_armed(const struct timer *t);

/* Fires all that are due, in the order of their ticks. What a callback arms for a tick that has
 * passed fires with the next run. */
void timer_wheel_run(struct timer_wheel *w, uint64_t now);
/* The `now` of the last run, for those who are not handed one. */
uint64_t timer_wheel_now(const struct timer_wheel *w);
/* Milliseconds to the next tick at which something may be due; max when nothing is. */
uint32_t timer_wheel_next(const struct timer_wheel *w, uint64_t now, uint32_t max);

#endif
