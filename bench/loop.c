/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/loop.h"

#include <unistd.h>

bool loop_init(struct loop *l)
{
	memset(l, 0, sizeof(*l));
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	return l->epfd >= 0;
}

void loop_close(struct loop *l)
{
	if (l->epfd >= 0)
		close(l->epfd);
	l->epfd = -1;
}

bool loop_add(struct loop *l, struct source *s)
{
	struct epoll_event ev = { .events = s->events, .data.ptr = s };

	return epoll_ctl(l->epfd, EPOLL_CTL_ADD, s->fd, &ev) == 0;
}

void loop_ask(struct loop *l, struct source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (s->fd < 0 || s->events == events)
		return;
	s->events = events;
	epoll_ctl(l->epfd, EPOLL_CTL_MOD, s->fd, &ev);
}

void loop_remove(struct loop *l, struct source *s)
{
	if (s->fd < 0)
		return;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, s->fd, NULL);
	/* Its memory may be gone before the rest of the batch is served. */
	for (int i = 0; i < l->n_batch; i++) {
		if (l->batch[i].data.ptr == s)
			l->batch[i].data.ptr = NULL;
	}
}

void loop_turn(struct loop *l, int timeout_ms)
{
	int n = epoll_wait(l->epfd, l->batch, LOOP_BATCH, timeout_ms);
	uint64_t began = l->turns ? bench_now() : 0;

	l->n_batch = n > 0 ? n : 0;
	for (int i = 0; i < l->n_batch; i++) {
		struct source *s = l->batch[i].data.ptr;

		if (s)
			s->ready(s, l->batch[i].events);
	}
	l->n_batch = 0;
	if (l->turns && began)
		latency_add(l->turns, bench_now() - began);
}
