/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/spsc: one producer, one consumer; messages arrive once, in order, whole,
 * with the memory that they point to. That memory is written anew as soon as the
 * slot of its message is free again, so a slot given back too early shows.
 */
#include <sched.h>
#include <stdio.h>

#include "core/base/spsc.c" /* with its points of perturbation */
#include "tests/stress/crew.h"

#define BODIES 1024 /* the largest ring */

struct message {
	uint64_t serial, check;
	uint64_t *body;
};

struct drive {
	struct spsc *ring;
	uint32_t capacity, batch_max;
	uint64_t count;
	uint64_t bodies[BODIES];
	uint64_t wrong; /* consumer */
};

static struct message *slot_wait(struct drive *d)
{
	struct message *m;

	while (!(m = spsc_reserve(d->ring))) {
		spsc_publish(d->ring);
		sched_yield();
	}
	return m;
}

static void produce(struct drive *d)
{
	struct dice dice = { 42 };
	uint32_t left = 1;

	for (uint64_t i = 0; i < d->count; i++) {
		struct message *m = slot_wait(d);

		m->serial = i;
		m->check = ~i;
		m->body = &d->bodies[i % d->capacity];
		*m->body = i * 3;
		if (--left == 0) {
			spsc_publish(d->ring);
			left = 1 + dice_below(&dice, d->batch_max);
		}
	}
	spsc_publish(d->ring);
}

static void consume(struct drive *d)
{
	for (uint64_t i = 0; i < d->count;) {
		const struct message *m = spsc_peek(d->ring);

		if (!m) {
			sched_yield();
			continue;
		}
		if (m->serial != i || m->check != ~i || !m->body || *m->body != i * 3)
			d->wrong++;
		spsc_release(d->ring);
		i++;
	}
}

static void work(void *ctx, unsigned number)
{
	if (number == 0)
		produce(ctx);
	else
		consume(ctx);
}

static uint64_t drive(uint32_t capacity, uint32_t batch_max, uint64_t count)
{
	static struct drive d;

	d = (struct drive){ .ring = spsc_new(capacity, sizeof(struct message)),
		.capacity = capacity,
		.batch_max = batch_max,
		.count = count };
	crew_run(2, work, &d);
	d.wrong += spsc_peek(d.ring) != NULL || spsc_nonempty(d.ring);
	spsc_free(d.ring);
	printf("capacity %u, batches to %u: %llu of %llu messages wrong\n", capacity, batch_max,
		(unsigned long long)d.wrong, (unsigned long long)count);
	return d.wrong;
}

int main(void)
{
	uint64_t wrong = 0;

	wrong += drive(1, 1, 100000);
	wrong += drive(2, 2, 200000);
	wrong += drive(16, 5, 600000);
	wrong += drive(BODIES, 64, 600000);
	return wrong != 0;
}
