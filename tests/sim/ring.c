/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/base/mem.h"
#include "tests/sim/clock.h"
#include "tests/sim/kernel_impl.h"
#include "tests/sim/seed.h"

#define READY_MAX 4096
#define GROUPS 3 /* net/conn.c has 1 and 2 */

struct handler {
	uring_fn *fn;
	void *ctx;
};

struct op {
	struct list link; /* submitted, in their order; or done */
	enum uring_op op;
	struct uring_tag tag;
	int fd;
	unsigned group;
	struct addr to;
	const struct msghdr *msg;
	size_t sent;
	int res;
	uint32_t flags;
};

struct buffers {
	struct io_uring_buf_ring *ring;
	unsigned entries;
	uint16_t head;
};

struct uring {
	struct list link; /* in rings */
	pthread_cond_t turn; /* it has got the baton */
	uint32_t wait; /* ms; how long it would sleep; 0: it runs, or may */
	_Atomic bool rung;
	bool present; /* it has come to its first wait: before that its thread runs beside the others */
	struct handler handlers[URING_OP_COUNT];
	struct uring_stats stats;
	struct list submitted, done;
	struct buffers groups[GROUPS];
};

static kernel_idle_fn *idle;
static void *idle_ctx;
static enum kernel_fault fault;
static uint64_t fault_countdown;
static uint64_t said;

/*
 * Each worker has a thread, but one runs at a time: it goes on until it would sleep, and the next that
 * need not sleep follows, in the order of their rings. When all would sleep the scenario goes on.
 */
static pthread_mutex_t baton = PTHREAD_MUTEX_INITIALIZER;
static struct uring *running; /* has the baton; NULL: nobody, not all have come yet */
static struct list rings = { &rings, &rings };
static unsigned expected = 1, present, opened;
static pthread_key_t thread_ring;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;

/* -- faults -- */

void kernel_fail(enum kernel_fault what, uint64_t nth)
{
	fault = what;
	fault_countdown = nth;
}

bool kernel_failed(void)
{
	return fault == FAULT_NONE;
}

enum kernel_fault fault_now(unsigned fits)
{
	enum kernel_fault was = fault;

	if (was == FAULT_NONE || !(fits & FITS(was)) || --fault_countdown > 0)
		return FAULT_NONE;
	fault = FAULT_NONE;
	return was;
}

void kernel_reset(kernel_idle_fn *fn, void *ctx)
{
	sockets_reset();
	running = NULL;
	expected = 1;
	opened = 0;
	said = 0;
	idle = fn;
	idle_ctx = ctx;
	fault = FAULT_NONE;
}

unsigned kernel_end(void)
{
	return sockets_end();
}

uint64_t kernel_said(void)
{
	return said;
}

void kernel_workers(unsigned n)
{
	expected = n;
}

/* -- opening -- */

static void baton_pass(struct uring *from);

/* The thread ends, and the baton must not end with it. */
static void thread_ended(void *ring)
{
	struct uring *u = ring;

	pthread_mutex_lock(&baton);
	list_del(&u->link);
	expected--;
	present -= u->present;
	if (running == u)
		baton_pass(NULL);
	pthread_mutex_unlock(&baton);
}

static void thread_key(void)
{
	BUG_ON(pthread_key_create(&thread_ring, thread_ended) != 0);
}

struct uring *uring_open(const struct uring_opts *opts, struct uring_failure *why)
{
	struct uring *u = mem_zalloc(sizeof(*u));

	(void)opts;
	(void)why;
	list_init(&u->submitted);
	list_init(&u->done);
	pthread_once(&thread_once, thread_key);
	pthread_mutex_lock(&baton);
	list_add_tail(&rings, &u->link);
	/* One worker is started after the other. */
	seed_worker(opened++);
	pthread_mutex_unlock(&baton);
	BUG_ON(pthread_cond_init(&u->turn, NULL) != 0);
	BUG_ON(pthread_setspecific(thread_ring, u) != 0);
	return u;
}

static void ops_drop(struct list *ops)
{
	while (!list_empty(ops)) {
		struct op *o = list_first(ops, struct op, link);

		list_del(&o->link);
		mem_free(o);
	}
}

void uring_close(struct uring *u)
{
	ops_drop(&u->submitted);
	ops_drop(&u->done);
	(void)pthread_cond_destroy(&u->turn);
	mem_free(u);
}

enum uring_level uring_level(const struct uring *u)
{
	(void)u;
	return URING_DEFER;
}

const char *uring_level_name(enum uring_level level)
{
	(void)level;
	return "scripted";
}

const struct uring_stats *uring_stats(const struct uring *u)
{
	return &u->stats;
}

void uring_handle(struct uring *u, enum uring_op op, uring_fn *fn, void *ctx)
{
	u->handlers[op] = (struct handler){ fn, ctx };
}

int uring_register_buffers(struct uring *u, void *ring, unsigned entries, uint16_t group)
{
	BUG_ON(group >= GROUPS);
	u->groups[group] = (struct buffers){ ring, entries, 0 };
	return 0;
}

void uring_unregister_buffers(struct uring *u, uint16_t group)
{
	u->groups[group].ring = NULL;
}

/* -- operations -- */

static struct op *op_submit(struct uring *u, enum uring_op op, struct uring_tag tag, int fd)
{
	struct op *o = mem_zalloc(sizeof(*o));

	o->op = op;
	o->tag = tag;
	o->fd = fd;
	list_add_tail(&u->submitted, &o->link);
	return o;
}

static void op_done(struct uring *u, struct op *o, int res)
{
	o->res = res;
	list_del(&o->link);
	list_add_tail(&u->done, &o->link);
}

void uring_accept(struct uring *u, struct uring_tag tag, int fd)
{
	op_submit(u, URING_ACCEPT, tag, fd);
}

void uring_connect(struct uring *u, struct uring_tag tag, int fd, const struct sockaddr *sa,
	unsigned len)
{
	struct op *o = op_submit(u, URING_CONNECT, tag, fd);

	(void)len;
	BUG_ON(!addr_from_sockaddr(sa, &o->to));
}

void uring_recv(struct uring *u, struct uring_tag tag, int fd, uint16_t group, bool poll_first)
{
	(void)poll_first;
	op_submit(u, URING_RECV, tag, fd)->group = group;
}

void uring_sendmsg(struct uring *u, struct uring_tag tag, int fd, const struct msghdr *msg)
{
	op_submit(u, URING_SEND, tag, fd)->msg = msg;
}

void uring_poll(struct uring *u, struct uring_tag tag, int fd, uint32_t events)
{
	(void)events;
	op_submit(u, URING_POLL, tag, fd);
}

void uring_cancel(struct uring *u, enum uring_op op, struct uring_tag tag)
{
	list_each(l, &u->submitted)
	{
		struct op *o = container_of(l, struct op, link);

		if (o->op == op && o->tag.index == tag.index && o->tag.gen == tag.gen) {
			op_done(u, o, -ECANCELED);
			return;
		}
	}
}

/* -- what the network does with them: 0.. or -errno, or PENDING -- */

#define PENDING INT32_MIN

static int errno_of(enum kernel_fault f)
{
	switch (f) {
	case FAULT_ENOBUFS:
		return -ENOBUFS;
	case FAULT_ECANCELED:
		return -ECANCELED;
	case FAULT_EAGAIN:
		return -EAGAIN;
	case FAULT_ECONNRESET:
		return -ECONNRESET;
	case FAULT_EMFILE:
		return -EMFILE;
	case FAULT_SHORT:
	case FAULT_NONE:
		break;
	}
	return 0;
}

static int accept_try(const struct op *o)
{
	struct socket *s = socket_find(o->fd);
	enum kernel_fault f;

	if (list_empty(&s->waiting))
		return PENDING;
	f = fault_now(FITS(FAULT_ECANCELED) | FITS(FAULT_EAGAIN) | FITS(FAULT_EMFILE));
	return f != FAULT_NONE ? errno_of(f) : socket_accept(s);
}

static int connect_try(const struct op *o)
{
	int res = socket_connect(socket_find(o->fd), &o->to);

	return res > 0 ? PENDING : res;
}

/* A buffer of the group, filled; or -ENOBUFS. */
static int buffer_fill(struct uring *u, struct op *o, struct wire *w)
{
	struct buffers *b = &u->groups[o->group];
	struct io_uring_buf *buf = &b->ring->bufs[b->head & (b->entries - 1)];
	size_t n = w->to_router.n < w->mss ? w->to_router.n : w->mss;

	if (b->head == b->ring->tail)
		return -ENOBUFS;
	if (n > buf->len)
		n = buf->len;
	memcpy((void *)(uintptr_t)buf->addr, w->to_router.p, n);
	flow_take(&w->to_router, n);
	if (w->to_router.n == 0)
		w->arrived = 0;
	b->head++;
	o->flags = URING_F_BUFFER | (uint32_t)buf->bid << URING_F_BUFFER_SHIFT;
	if (w->to_router.n > 0)
		o->flags |= URING_F_NONEMPTY;
	return (int)n;
}

static int recv_try(struct uring *u, struct op *o)
{
	struct socket *s = socket_find(o->fd);
	struct wire *w = s->wire;
	enum kernel_fault f;

	if (w->rst)
		return -ECONNRESET;
	if (s->shut_rd || (w->to_router.n == 0 && w->fin))
		return 0;
	if (w->to_router.n == 0)
		return PENDING;
	f = fault_now(FITS(FAULT_ENOBUFS) | FITS(FAULT_ECANCELED) | FITS(FAULT_EAGAIN) |
		FITS(FAULT_ECONNRESET));
	if (f == FAULT_ECONNRESET)
		w->rst = true;
	return f != FAULT_NONE ? errno_of(f) : buffer_fill(u, o, w);
}

/* FNV-1a, of the bytes and when they went. */
static void said_add(const char *p, size_t n)
{
	said = (said ^ (uint32_t)clock_ms()) * 0x100000001b3u;
	for (size_t i = 0; i < n; i++)
		said = (said ^ (unsigned char)p[i]) * 0x100000001b3u;
}

/* Takes the bytes of the message behind the first o->sent, as many as the window has room for. */
static void send_some(struct op *o, struct wire *w, size_t most)
{
	size_t at = 0;

	for (size_t i = 0; i < o->msg->msg_iovlen; i++) {
		const struct iovec *v = &o->msg->msg_iov[i];
		size_t from = o->sent > at ? o->sent - at : 0, n;

		at += v->iov_len;
		if (from >= v->iov_len)
			continue;
		n = v->iov_len - from;
		n = n < w->window ? n : w->window;
		n = n < most ? n : most;
		flow_append(&w->from_router, (const char *)v->iov_base + from, n);
		said_add((const char *)v->iov_base + from, n);
		o->sent += n;
		w->acked += n;
		most -= n;
		if (w->window != SIZE_MAX)
			w->window -= n;
		if (n < v->iov_len - from)
			break;
	}
}

static size_t message_size(const struct msghdr *msg)
{
	size_t n = 0;

	for (size_t i = 0; i < msg->msg_iovlen; i++)
		n += msg->msg_iov[i].iov_len;
	return n;
}

static int send_try(struct op *o)
{
	struct socket *s = socket_find(o->fd);
	struct wire *w = s->wire;
	size_t size = message_size(o->msg);
	enum kernel_fault f = FAULT_NONE;

	if (w->rst || w->ended != WIRE_OPEN)
		return o->sent ? (int)o->sent : -EPIPE;
	if (o->sent == 0 && w->window > 0) /* while it takes nothing, nothing happens */
		f = fault_now(FITS(FAULT_SHORT) | FITS(FAULT_ECANCELED) | FITS(FAULT_EAGAIN) |
			FITS(FAULT_ECONNRESET));
	if (f == FAULT_ECONNRESET)
		w->rst = true;
	if (f != FAULT_NONE && f != FAULT_SHORT)
		return errno_of(f);
	send_some(o, w, f == FAULT_SHORT ? (size + 1) / 2 : SIZE_MAX);
	return o->sent == size || f == FAULT_SHORT ? (int)o->sent : PENDING;
}

static int op_try(struct uring *u, struct op *o)
{
	switch (o->op) {
	case URING_ACCEPT:
		return accept_try(o);
	case URING_CONNECT:
		return connect_try(o);
	case URING_RECV:
		return recv_try(u, o);
	case URING_SEND:
		return send_try(o);
	default:
		return PENDING;
	}
}

/* A connect that is not answered is tried once; a cancel ends it. */
static bool op_asleep(const struct op *o)
{
	return o->op == URING_CONNECT && o->sent;
}

static int by_arrival(const void *a, const void *b)
{
	uint64_t x = socket_find((*(struct op *const *)a)->fd)->wire->arrived;
	uint64_t y = socket_find((*(struct op *const *)b)->fd)->wire->arrived;

	return (x > y) - (x < y);
}

/* What has come on several connections is received in the order in which it came. */
static void receives_run(struct uring *u)
{
	struct op *ready[READY_MAX];
	unsigned n = 0;

	list_each(l, &u->submitted)
	{
		struct op *o = container_of(l, struct op, link);

		if (o->op == URING_RECV && n < READY_MAX && socket_find(o->fd)->wire->arrived)
			ready[n++] = o;
	}
	qsort(ready, n, sizeof(ready[0]), by_arrival);
	for (unsigned i = 0; i < n; i++) {
		int res = recv_try(u, ready[i]);

		if (res != PENDING)
			op_done(u, ready[i], res);
	}
}

static void network_runs(struct uring *u)
{
	receives_run(u);
	list_each_safe(l, next, &u->submitted)
	{
		struct op *o = container_of(l, struct op, link);
		int res = op_asleep(o) ? PENDING : op_try(u, o);

		if (res != PENDING)
			op_done(u, o, res);
		else if (o->op == URING_CONNECT)
			o->sent = 1;
	}
}

/* -- a turn -- */

bool uring_pending(const struct uring *u)
{
	return !list_empty(&u->done);
}

void uring_wake(struct uring *u)
{
	u->rung = true;
}

void uring_knock(struct uring *u, struct uring *other)
{
	(void)u;
	uring_wake(other);
}

static bool awake(struct uring *u)
{
	network_runs(u);
	return u->wait == 0 || !list_empty(&u->done) || u->rung;
}

/* The next one that need not sleep; NULL: all would. from: who has it; NULL: it has ended. */
static struct uring *baton_next(struct uring *from)
{
	struct list *at = from ? from->link.next : rings.next;

	for (unsigned i = 0; i <= present; i++, at = at->next)
		if (at != &rings && awake(container_of(at, struct uring, link)))
			return container_of(at, struct uring, link);
	return NULL;
}

/* Nobody has anything to do: the scenario goes on, or else time. */
static void scenario_runs(void)
{
	uint32_t wait = UINT32_MAX;

	list_each(l, &rings)
	{
		const struct uring *u = container_of(l, struct uring, link);

		wait = u->wait < wait ? u->wait : wait;
	}
	if (!idle(idle_ctx, wait))
		return;
	list_each(l, &rings) container_of(l, struct uring, link)->wait = 0;
}

static void baton_pass(struct uring *from)
{
	struct uring *next = NULL;

	if (present == expected && present > 0)
		while (!(next = baton_next(from)))
			scenario_runs();
	running = next;
	if (next)
		pthread_cond_signal(&next->turn);
}

static void turn_wait(struct uring *u)
{
	while (running != u)
		pthread_cond_wait(&u->turn, &baton);
}

/* Whoever comes last, the first ring is the first to go on: which thread runs the scenario, and draws for
 * it (seed.h), does not depend on how they were scheduled. */
static void arrived(struct uring *u)
{
	u->present = true;
	if (++present == expected) {
		running = list_first(&rings, struct uring, link);
		pthread_cond_signal(&running->turn);
	}
	turn_wait(u);
}

static void wait_for_something(struct uring *u, uint32_t wait_ms)
{
	bool left = !list_empty(
		&u->done); /* it may be waiting for another worker before it goes on */

	pthread_mutex_lock(&baton);
	u->wait = wait_ms;
	if (!u->present)
		arrived(u);
	if (left || !awake(u)) {
		baton_pass(u);
		turn_wait(u);
	}
	u->wait = 0;
	u->rung = false;
	pthread_mutex_unlock(&baton);
}

unsigned uring_turn(struct uring *u, uint32_t wait_ms, unsigned max_completions,
	bool (*full)(void *ctx), void *ctx)
{
	unsigned n = 0;

	u->stats.enters++;
	wait_for_something(u, wait_ms);
	while (n < max_completions && !(full && full(ctx)) && !list_empty(&u->done)) {
		struct op o = *list_first(&u->done, struct op, link);
		struct op *was = list_first(&u->done, struct op, link);

		list_del(&was->link);
		mem_free(was);
		n++;
		if (u->handlers[o.op].fn)
			u->handlers[o.op].fn(u->handlers[o.op].ctx, o.tag, o.res, o.flags);
	}
	u->stats.completions += n;
	return n;
}
