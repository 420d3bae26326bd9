/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small epoll loop, level-triggered.
 *
 * A source is embedded in its owner, who keeps it alive until loop_remove. A
 * handler may remove and free any source, its own included: events of removed
 * sources that are still in the current batch are forgotten.
 */
#ifndef SLUICE_BENCH_LOOP_H
#define SLUICE_BENCH_LOOP_H

#include "bench/latency.h"

#include <sys/epoll.h>

#define LOOP_BATCH 256

struct source {
	int fd; /* -1: not in a loop */
	uint32_t events; /* EPOLLIN, EPOLLOUT: what is asked for now */
	void (*ready)(struct source *s, uint32_t events);
};

struct loop {
	int epfd;
	struct latency *turns; /* how long the handlers of each took; NULL: not measured */
	int n_batch; /* events of the turn that is running */
	struct epoll_event batch[LOOP_BATCH];
};

/* false with errno set. */
bool loop_init(struct loop *l);
void loop_close(struct loop *l);

/* The source's fd, events and ready are set by the caller. false with errno set. */
bool loop_add(struct loop *l, struct source *s);

/* Changes what a source in the loop asks for; costs nothing when it is the same. */
void loop_ask(struct loop *l, struct source *s, uint32_t events);

/* Takes the source out; does not close its fd. Harmless when it is not in. */
void loop_remove(struct loop *l, struct source *s);

/* Waits for at most timeout_ms (-1: for ever), then serves one batch. */
void loop_turn(struct loop *l, int timeout_ms);

#endif
