/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two threads on one ring, with the doorbell of the workers:
 * shared by the unit test and a program that ThreadSanitizer can run.
 */
#ifndef SLUICE_TEST_SPSC_DRIVE_H
#define SLUICE_TEST_SPSC_DRIVE_H

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "core/base/spsc.h"

struct spsc_drive {
	struct spsc *ring;
	uint64_t count;
	unsigned batch_max; /* messages before a publish */
	_Atomic bool asleep;
	sem_t doorbell;
	uint64_t sleeps; /* consumer */
	uint64_t wrong; /* consumer */
};

struct spsc_drive_msg {
	uint64_t serial;
	uint64_t check;
	uint64_t *body; /* plain memory that moves with the message */
};

static void spsc_drive_publish(struct spsc_drive *d)
{
	spsc_publish(d->ring);
	if (atomic_load(&d->asleep) && atomic_exchange(&d->asleep, false))
		sem_post(&d->doorbell);
}

static void *spsc_drive_produce(void *arg)
{
	struct spsc_drive *d = arg;
	static uint64_t bodies[4096];
	unsigned batch = 0, want = 1;

	for (uint64_t i = 0; i < d->count; i++) {
		struct spsc_drive_msg *m;

		while (!(m = spsc_reserve(d->ring))) {
			spsc_drive_publish(d);
			batch = 0;
			sched_yield();
		}
		m->serial = i;
		m->check = ~i;
		/* Capacity is below 4096 / 2: this body was read long ago. */
		m->body = &bodies[i % 4096];
		*m->body = i * 3;
		if (++batch >= want) {
			spsc_drive_publish(d);
			batch = 0;
			want = want % d->batch_max + 1;
		}
	}
	spsc_drive_publish(d);
	return NULL;
}

static void spsc_drive_sleep(struct spsc_drive *d)
{
	atomic_store(&d->asleep, true);
	if (spsc_nonempty(d->ring)) {
		/* Taken back already: then the doorbell was rung. */
		if (!atomic_exchange(&d->asleep, false))
			sem_wait(&d->doorbell);
		return;
	}
	d->sleeps++;
	sem_wait(&d->doorbell);
}

static void *spsc_drive_consume(void *arg)
{
	struct spsc_drive *d = arg;

	for (uint64_t i = 0; i < d->count;) {
		const struct spsc_drive_msg *m = spsc_peek(d->ring);

		if (!m) {
			spsc_drive_sleep(d);
			continue;
		}
		if (m->serial != i || m->check != ~i || *m->body != i * 3)
			d->wrong++;
		spsc_release(d->ring);
		i++;
	}
	return NULL;
}

/* True when all arrived, once, in order. Hangs when a wake-up is lost. */
static bool spsc_drive(uint32_t capacity, uint64_t count, unsigned batch_max, uint64_t *sleeps)
{
	struct spsc_drive d = { .count = count, .batch_max = batch_max };
	pthread_t producer, consumer;
	bool empty;

	d.ring = spsc_new(capacity, sizeof(struct spsc_drive_msg));
	sem_init(&d.doorbell, 0, 0);
	BUG_ON(pthread_create(&consumer, NULL, spsc_drive_consume, &d) != 0);
	BUG_ON(pthread_create(&producer, NULL, spsc_drive_produce, &d) != 0);
	pthread_join(producer, NULL);
	pthread_join(consumer, NULL);
	empty = !spsc_peek(d.ring) && !spsc_nonempty(d.ring);
	sem_destroy(&d.doorbell);
	spsc_free(d.ring);
	*sleeps = d.sleeps;
	return empty && d.wrong == 0;
}

#endif
