/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/stress/crew.h"

#include <pthread.h>

#include "core/base/mem.h"

struct member {
	void (*work)(void *ctx, unsigned number);
	void *ctx;
	unsigned number;
	pthread_barrier_t *start;
	pthread_t thread;
};

static void *member_main(void *arg)
{
	struct member *m = arg;

	pthread_barrier_wait(m->start);
	m->work(m->ctx, m->number);
	return NULL;
}

void crew_run(unsigned n, void (*work)(void *ctx, unsigned number), void *ctx)
{
	struct member *crew = mem_zalloc(n * sizeof(*crew));
	pthread_barrier_t start;

	BUG_ON(pthread_barrier_init(&start, NULL, n) != 0);
	for (unsigned i = 0; i < n; i++) {
		crew[i] = (struct member){ work, ctx, i, &start, 0 };
		BUG_ON(pthread_create(&crew[i].thread, NULL, member_main, &crew[i]) != 0);
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(crew[i].thread, NULL);
	pthread_barrier_destroy(&start);
	mem_free(crew);
}
