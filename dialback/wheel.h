/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deadlines, kept and found in constant time. They are rounded up to WHEEL_TICK_MS: none
 * fires early. One that is further ahead than WHEEL_MAX_MS is looked at each time that the
 * wheel has gone round. Owner thread only.
 */
#ifndef SLUICE_DIALBACK_WHEEL_H
#define SLUICE_DIALBACK_WHEEL_H

#include "core/base/list.h"

#define WHEEL_TICK_MS 64
#define WHEEL_SLOTS 512
#define WHEEL_MAX_MS ((WHEEL_SLOTS - 2) * WHEEL_TICK_MS)

struct deadline {
	struct list link; /* leaves the wheel by list_del */
	uint64_t at; /* ms */
};

struct wheel {
	struct list slots[WHEEL_SLOTS];
	uint64_t filled[WHEEL_SLOTS / 64]; /* bits: the slot may hold something */
	uint64_t tick; /* all before it have fired */
};

void wheel_init(struct wheel *w);
void wheel_add(struct wheel *w, struct deadline *d, uint64_t at, uint64_t now);
/* Takes one that is due out of the wheel, or NULL. */
struct deadline *wheel_due(struct wheel *w, uint64_t now);
/* Milliseconds until something may be due; max when nothing is before that. */
uint32_t wheel_next(const struct wheel *w, uint64_t now, uint32_t max);

#endif
