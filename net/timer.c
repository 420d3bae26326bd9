/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/timer.h"

#include "core/base/mem.h"

/*
 * The digits of a deadline in base 64 say where a timer lives: its level is the highest digit in
 * which it differs from the wheel's clock, its slot that digit. So on every level only slots
 * ahead of the clock are in use, everything on a level is due before anything on the levels
 * above, and as the clock moves up to the next slot in use no timer needs to move. When it
 * reaches a slot above level 0, that slot's timers move down. Eleven levels hold any 64-bit
 * deadline.
 */
#define BITS 6
#define SLOTS 64
#define LEVELS 11

struct timer_wheel {
	uint64_t clock; /* all ticks up to it have been fired */
	uint64_t used[LEVELS]; /* a bit per slot that is not empty */
	struct list late; /* set when it was due already: the next run's */
	struct list firing; /* of the current tick, not fired yet */
	struct list slots[LEVELS][SLOTS];
};

struct timer_wheel *timer_wheel_new(uint64_t now)
{
	struct timer_wheel *w = mem_zalloc(sizeof(*w));

	w->clock = now;
	list_init(&w->late);
	list_init(&w->firing);
	for (unsigned level = 0; level < LEVELS; level++)
		for (unsigned slot = 0; slot < SLOTS; slot++)
			list_init(&w->slots[level][slot]);
	return w;
}

static void list_disarm(struct list *l)
{
	while (!list_empty(l)) {
		struct timer *t = list_first(l, struct timer, link);

		list_del(&t->link);
		t->wheel = NULL;
	}
}

void timer_wheel_free(struct timer_wheel *w)
{
	if (!w)
		return;
	list_disarm(&w->late);
	list_disarm(&w->firing);
	for (unsigned level = 0; level < LEVELS; level++)
		for (unsigned slot = 0; slot < SLOTS; slot++)
			list_disarm(&w->slots[level][slot]);
	mem_free(w);
}

void timer_init(struct timer *t, timer_fn *fn)
{
	list_init(&t->link);
	t->due = 0;
	t->fn = fn;
	t->wheel = NULL;
}

static unsigned level_of(const struct timer_wheel *w, uint64_t due)
{
	return (63u - (unsigned)__builtin_clzll(due ^ w->clock)) / BITS;
}

static unsigned slot_of(uint64_t due, unsigned level)
{
	return (unsigned)(due >> (level * BITS)) & (SLOTS - 1);
}

/* now_due: the list for what is due at the wheel's clock already. */
static void timer_place(struct timer_wheel *w, struct timer *t, struct list *now_due)
{
	unsigned level, slot;

	if (t->due <= w->clock) {
		list_add_tail(now_due, &t->link);
		return;
	}
	level = level_of(w, t->due);
	slot = slot_of(t->due, level);
	list_add_tail(&w->slots[level][slot], &t->link);
	w->used[level] |= 1ull << slot;
}

void timer_set(struct timer_wheel *w, struct timer *t, uint64_t due)
{
	timer_stop(t);
	t->due = due;
	t->wheel = w;
	timer_place(w, t, &w->late);
}

void timer_stop(struct timer *t)
{
	struct timer_wheel *w = t->wheel;

	if (!w)
		return;
	t->wheel = NULL;
	list_del(&t->link);
	if (t->due > w->clock) {
		unsigned level = level_of(w, t->due), slot = slot_of(t->due, level);

		if (list_empty(&w->slots[level][slot]))
			w->used[level] &= ~(1ull << slot);
	}
}

bool timer_armed(const struct timer *t)
{
	return t->wheel != NULL;
}

/* The first slot in use, and the tick at which its turn comes; false when all are empty. */
static bool wheel_first(const struct timer_wheel *w, unsigned *level, unsigned *slot,
	uint64_t *tick)
{
	for (*level = 0; *level < LEVELS; (*level)++) {
		unsigned above = (*level + 1) * BITS;
		uint64_t high = above < 64 ? w->clock >> above << above : 0;

		if (!w->used[*level])
			continue;
		*slot = (unsigned)__builtin_ctzll(w->used[*level]);
		*tick = high | (uint64_t)*slot << (*level * BITS);
		return true;
	}
	return false;
}

static void firing_run(struct timer_wheel *w, uint64_t now)
{
	while (!list_empty(&w->firing)) {
		struct timer *t = list_first(&w->firing, struct timer, link);

		list_del(&t->link);
		t->wheel = NULL;
		t->fn(t, now);
	}
}

void timer_wheel_run(struct timer_wheel *w, uint64_t now)
{
	unsigned level, slot;
	uint64_t tick;

	list_splice_tail(&w->firing, &w->late);
	firing_run(w, now);
	while (wheel_first(w, &level, &slot, &tick) && tick <= now) {
		struct list moved;

		w->clock = tick;
		w->used[level] &= ~(1ull << slot);
		list_init(&moved);
		list_splice_tail(&moved, &w->slots[level][slot]);
		while (!list_empty(&moved)) {
			struct timer *t = list_first(&moved, struct timer, link);

			list_del(&t->link);
			timer_place(w, t, &w->firing);
		}
		firing_run(w, now);
	}
	if (now > w->clock)
		w->clock = now;
}

uint64_t timer_wheel_now(const struct timer_wheel *w)
{
	return w->clock;
}

uint32_t timer_wheel_next(const struct timer_wheel *w, uint64_t now, uint32_t max)
{
	unsigned level, slot;
	uint64_t tick;

	if (!list_empty(&w->late))
		return 0;
	if (!wheel_first(w, &level, &slot, &tick))
		return max;
	if (tick <= now)
		return 0;
	return tick - now < max ? (uint32_t)(tick - now) : max;
}
