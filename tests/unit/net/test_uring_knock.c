/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings that wake each other. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>

#include "core/base/clock.h"
#include "net/uring.h"

/* This "kernel" does not defer task work, as those before 6.1 do not. */
static bool cooperative;

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
	static int (*real)(unsigned, struct io_uring *, struct io_uring_params *);

	if (cooperative && p->flags & IORING_SETUP_DEFER_TASKRUN)
		return -EINVAL;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "io_uring_queue_init_params");
	return real(entries, ring, p);
}

/* Sleeps for as long as it takes to be knocked up, KNOCKS times. */
#define KNOCKS 200

struct sleeper {
	struct uring *ring;
	pthread_barrier_t ready;
	_Atomic unsigned woken;
};

static void *sleeps(void *arg)
{
	struct sleeper *s = arg;

	s->ring = uring_open(NULL, NULL);
	BUG_ON(!s->ring);
	pthread_barrier_wait(&s->ready);
	while (s->woken < KNOCKS) {
		uint64_t before = clock_ms();

		uring_turn(s->ring, 30000, 100, NULL, NULL);
		if (clock_ms() - before >= 30000)
			break; /* in vain */
		s->woken++;
	}
	return NULL;
}

static void knock_often(bool older)
{
	struct sleeper s = { 0 };
	struct uring *u;
	pthread_t thread;

	cooperative = older;
	pthread_barrier_init(&s.ready, NULL, 2);
	cr_assert_eq(pthread_create(&thread, NULL, sleeps, &s), 0);
	pthread_barrier_wait(&s.ready);
	u = uring_open(NULL, NULL);
	cr_assert(u);
	for (unsigned i = 0; i < KNOCKS; i++) {
		uring_knock(u, s.ring);
		uring_turn(u, 0, 100, NULL, NULL);
		while (s.woken <= i)
			(void)poll(NULL, 0, 0);
	}
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(s.woken, KNOCKS);
	uring_close(s.ring);
	uring_close(u);
	pthread_barrier_destroy(&s.ready);
}

Test(uring_knock, a_knock_wakes_another_ring, .timeout = 120)
{
	knock_often(false);
}

/* Where the kernel cannot: by the descriptor. */
Test(uring_knock, a_knock_on_an_older_kernel, .timeout = 120)
{
	knock_often(true);
}
