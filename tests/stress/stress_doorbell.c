/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/doorbell with core/base/spsc: seven producers with a ring each, one
 * consumer that sleeps whenever all are empty. No wake-up may be lost and none may
 * come twice.
 *
 * The sleeper does not block and no clock decides: it watches. A wake-up is lost
 * when a message lies in an inbox, its producer's turn has ended, and the
 * announcement still stands, for then nobody is left who would take it.
 */
#include <sched.h>
#include <stdio.h>

#include "core/base/doorbell.c" /* with their points of perturbation */
#include "core/base/spsc.c"
#include "tests/stress/crew.h"

#define PRODUCERS 7
#define MESSAGES 60000 /* of each */
#define CAPACITY 4

struct producer {
	struct spsc *ring; /* of uint32_t */
	alignas(DOORBELL_ALIGN) _Atomic uint32_t turns; /* odd: between publishing and waking */
	_Atomic uint32_t taken; /* by the consumer */
};

struct drive {
	struct doorbell bell;
	_Atomic uint32_t woken; /* wake-ups on their way */
	struct producer producers[PRODUCERS];
	/* consumer */
	uint32_t sleeps, lost, doubled, wrong;
};

/* -- producer -- */

/* The end of its turn. */
static void publish(struct drive *d, struct producer *p)
{
	atomic_fetch_add_explicit(&p->turns, 1, memory_order_relaxed);
	spsc_publish(p->ring);
	if (doorbell_ring(&d->bell))
		atomic_fetch_add_explicit(&d->woken, 1, memory_order_release);
	atomic_fetch_add_explicit(&p->turns, 1, memory_order_release);
}

static void send(struct drive *d, struct producer *p, uint32_t serial)
{
	uint32_t *slot;

	while (!(slot = spsc_reserve(p->ring))) {
		publish(d, p);
		sched_yield();
	}
	*slot = serial;
}

static void produce(struct drive *d, unsigned number)
{
	struct producer *p = &d->producers[number];
	struct dice dice = { number + 1 };

	for (uint32_t sent = 0; sent < MESSAGES;) {
		for (uint32_t n = 1 + dice_below(&dice, 3); n > 0 && sent < MESSAGES; n--)
			send(d, p, sent++);
		publish(d, p);
		/* Often nothing more comes until all is taken, so that the consumer sleeps. */
		if (dice_below(&dice, 4) != 0)
			while (atomic_load_explicit(&p->taken, memory_order_acquire) != sent)
				sched_yield();
	}
}

/* -- consumer -- */

static uint32_t drain(struct drive *d)
{
	uint32_t taken = 0;

	for (unsigned i = 0; i < PRODUCERS; i++) {
		struct producer *p = &d->producers[i];
		uint32_t next = atomic_load_explicit(&p->taken, memory_order_relaxed);
		const uint32_t *m;

		for (; (m = spsc_peek(p->ring)); next++, taken++) {
			d->wrong += *m != next;
			spsc_release(p->ring);
		}
		atomic_store_explicit(&p->taken, next, memory_order_release);
	}
	return taken;
}

static struct producer *somebody_waits(struct drive *d)
{
	for (unsigned i = 0; i < PRODUCERS; i++)
		if (spsc_nonempty(d->producers[i].ring))
			return &d->producers[i];
	return NULL;
}

static bool wake_up_came(struct drive *d)
{
	return atomic_load_explicit(&d->woken, memory_order_acquire) != 0;
}

/* Until a wake-up comes, or must have come. */
static void sleep_watching(struct drive *d)
{
	struct producer *p;

	d->sleeps++;
	while (!wake_up_came(d) && !(p = somebody_waits(d)))
		sched_yield();
	if (wake_up_came(d))
		return;
	while (atomic_load_explicit(&p->turns, memory_order_acquire) & 1)
		sched_yield();
}

/* Announces, looks, and sleeps if there is nothing. */
static void rest(struct drive *d)
{
	bool slept = false;

	d->doubled += wake_up_came(d);
	doorbell_announce(&d->bell);
	if (!somebody_waits(d)) {
		sleep_watching(d);
		slept = true;
	}
	if (doorbell_awake(&d->bell)) {
		d->lost += slept;
		return;
	}
	while (!wake_up_came(d))
		sched_yield();
	d->doubled += atomic_exchange_explicit(&d->woken, 0, memory_order_acquire) != 1;
}

static void consume(struct drive *d)
{
	for (uint32_t left = PRODUCERS * MESSAGES; left > 0;) {
		uint32_t taken = drain(d);

		left -= taken;
		if (taken == 0)
			rest(d);
	}
}

static void work(void *ctx, unsigned number)
{
	if (number < PRODUCERS)
		produce(ctx, number);
	else
		consume(ctx);
}

int main(void)
{
	static struct drive d;

	doorbell_init(&d.bell);
	for (unsigned i = 0; i < PRODUCERS; i++)
		d.producers[i].ring = spsc_new(CAPACITY, sizeof(uint32_t));
	crew_run(PRODUCERS + 1, work, &d);
	for (unsigned i = 0; i < PRODUCERS; i++)
		spsc_free(d.producers[i].ring);
	d.doubled += wake_up_came(&d);
	printf("%u messages, %u wrong; %u sleeps, %u wake-ups lost, %u doubled\n",
		PRODUCERS * MESSAGES, d.wrong, d.sleeps, d.lost, d.doubled);
	return d.wrong || d.lost || d.doubled || d.sleeps == 0;
}
