/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/wheel.h"

void wheel_init(struct wheel *w)
{
	*w = (struct wheel){ .tick = 0 };
	for (unsigned i = 0; i < WHEEL_SLOTS; i++)
		list_init(&w->slots[i]);
}

static uint64_t *slot_word(struct wheel *w, uint64_t tick)
{
	return &w->filled[tick % WHEEL_SLOTS / 64];
}

/* The first tick from w->tick on whose slot may hold something, or w->tick + WHEEL_SLOTS. */
static uint64_t tick_filled(const struct wheel *w)
{
	uint64_t tick = w->tick, end = w->tick + WHEEL_SLOTS;

	while (tick < end) {
		uint64_t bits = w->filled[tick % WHEEL_SLOTS / 64] >> (tick % 64);

		if (bits) {
			tick += (unsigned)__builtin_ctzll(bits);
			break;
		}
		tick += 64 - tick % 64;
	}
	return tick < end ? tick : end;
}

static bool wheel_empty(const struct wheel *w)
{
	return tick_filled(w) == w->tick + WHEEL_SLOTS;
}

static void slot_add(struct wheel *w, struct deadline *d)
{
	uint64_t tick = (d->at + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;

	if (tick < w->tick)
		tick = w->tick;
	/* There is no place so far ahead: wheel_due will see that and add it anew. */
	if (tick >= w->tick + WHEEL_SLOTS)
		tick = w->tick + WHEEL_SLOTS - 1;
	list_add_tail(&w->slots[tick % WHEEL_SLOTS], &d->link);
	*slot_word(w, tick) |= 1ull << tick % 64;
}

void wheel_add(struct wheel *w, struct deadline *d, uint64_t at, uint64_t now)
{
	/* One that was empty may have stood still for long. */
	if (wheel_empty(w) && w->tick < now / WHEEL_TICK_MS)
		w->tick = now / WHEEL_TICK_MS;
	d->at = at;
	slot_add(w, d);
}

struct deadline *wheel_due(struct wheel *w, uint64_t now)
{
	uint64_t last = now / WHEEL_TICK_MS, tick;

	while (tick = tick_filled(w), tick <= last && tick < w->tick + WHEEL_SLOTS) {
		struct list *slot = &w->slots[tick % WHEEL_SLOTS];
		struct deadline *d = list_first(slot, struct deadline, link);

		w->tick = tick;
		if (list_empty(slot)) {
			*slot_word(w, tick) &= ~(1ull << tick % 64);
			continue;
		}
		list_del(&d->link);
		if (d->at <= now)
			return d;
		slot_add(w, d);
	}
	if (w->tick <= last)
		w->tick = last + 1;
	return NULL;
}

uint32_t wheel_next(const struct wheel *w, uint64_t now, uint32_t max)
{
	uint64_t tick = tick_filled(w), at = tick * WHEEL_TICK_MS;

	if (tick == w->tick + WHEEL_SLOTS)
		return max;
	if (at <= now)
		return 0;
	return at - now < max ? (uint32_t)(at - now) : max;
}
