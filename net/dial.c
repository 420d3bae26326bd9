/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attempts begin in dial_start and in the timer's call, nowhere else. So the end of
 * one only arms the timer: when `closed` is called its connection still counts, and
 * at --max-conns the next one could not begin.
 */
#include "net/dial.h"

#include <errno.h>

#include "core/base/limits.h"
#include "core/base/mem.h"

struct attempt {
	struct dial *dial;
	struct conn *conn; /* NULL: no attempt */
	unsigned which;
};

struct dial {
	struct conns *conns;
	struct timer_wheel *wheel;
	const struct dial_ops *ops;
	void *user;
	struct timer timer; /* for the next attempt, or for the end */
	struct attempt attempts[LIMIT_DIAL_RACE];
	unsigned open; /* of them */
	unsigned n, next; /* places; the first that was not tried */
	uint32_t spent; /* a bit for each place that failed or won */
	bool over;
	int err; /* of the attempt that failed last */
	const char *why;
	struct place places[];
};

_Static_assert(LIMIT_CANDIDATES <= 32, "a bit for each place");

/* Says nothing about the place: there was no room on our side. */
static bool is_our_want(int err)
{
	return err == -EUSERS || err == -ENOMEM || err == -ENOBUFS || err == -EMFILE ||
		err == -ENFILE;
}

static const char *want_text(int err)
{
	switch (-err) {
	case EUSERS:
		return "the limit of connections is reached";
	case EMFILE:
	case ENFILE:
		return "no descriptor is left";
	default:
		return "no memory for a connection";
	}
}

/* -- the end -- */

/* An attempt that nobody waits for any more. */
static void nobody_closed(struct conn *c, int err, const char *why)
{
	(void)c;
	(void)err;
	(void)why;
}

static const struct conn_ops nobody_ops = { .closed = nobody_closed };

static void conn_disown(struct conn *c)
{
	conn_set_ops(c, &nobody_ops);
	conn_set_user(c, NULL);
}

static void dial_stop(struct dial *d)
{
	d->over = true;
	timer_stop(&d->timer);
	for (unsigned i = 0; i < LIMIT_DIAL_RACE; i++) {
		struct conn *c = d->attempts[i].conn;

		if (!c)
			continue;
		conn_disown(c);
		conn_close(c, "the attempt is no longer wanted");
	}
}

static void dial_fail(struct dial *d, int err, const char *why)
{
	dial_stop(d);
	d->ops->failed(d->user, err, why);
	mem_free(d);
}

/* The caller's last act: the user may cancel the dial. */
static void place_fail(struct dial *d, unsigned which, int err, const char *why)
{
	d->err = err;
	d->why = why;
	if (is_our_want(err))
		return;
	d->spent |= 1u << which;
	if (d->ops->place_failed)
		d->ops->place_failed(d->user, which, err, why);
}

/* -- attempts -- */

static void attempt_connected(struct conn *c)
{
	struct attempt *a = conn_user(c);
	struct dial *d = a->dial;

	a->conn = NULL;
	d->spent |= 1u << a->which;
	conn_disown(c);
	dial_stop(d);
	d->ops->connected(d->user, c, a->which);
	mem_free(d);
}

static void attempt_closed(struct conn *c, int err, const char *why)
{
	struct attempt *a = conn_user(c);
	struct dial *d = a->dial;

	a->conn = NULL;
	d->open--;
	timer_set(d->wheel, &d->timer, timer_wheel_now(d->wheel));
	place_fail(d, a->which, err, why);
}

static const struct conn_ops attempt_ops = {
	.connected = attempt_connected,
	.closed = attempt_closed,
};

/* One of those under way has to fail first. */
static bool next_waits(const struct dial *d)
{
	if (d->open == 0)
		return false;
	return d->open == LIMIT_DIAL_RACE ||
		d->places[d->next].group != d->places[d->next - 1].group;
}

static struct attempt *attempt_idle(struct dial *d)
{
	struct attempt *a = d->attempts;

	while (a->conn)
		a++;
	return a;
}

/* 0, or why it cannot begin. */
static int next_begin(struct dial *d, uint64_t now)
{
	struct attempt *a = attempt_idle(d);
	int err = 0;

	a->conn = conn_dial(d->conns, &d->places[d->next].addr, &attempt_ops, a, now, &err);
	if (!a->conn)
		return err;
	a->which = d->next++;
	d->open++;
	if (d->next < d->n && !next_waits(d))
		timer_set(d->wheel, &d->timer, now + DIAL_DELAY_MS);
	return 0;
}

static void next_try(struct dial *d, uint64_t now)
{
	int err = next_begin(d, now);

	if (err == 0)
		return;
	if (!is_our_want(err)) {
		timer_set(d->wheel, &d->timer, now);
		place_fail(d, d->next++, err, "there are no such addresses on this machine");
	} else if (d->open > 0) {
		timer_set(d->wheel, &d->timer, now + DIAL_DELAY_MS);
	} else {
		dial_fail(d, err, want_text(err));
	}
}

static void on_timer(struct timer *t, uint64_t now)
{
	struct dial *d = container_of(t, struct dial, timer);

	if (d->next < d->n) {
		if (!next_waits(d))
			next_try(d, now);
	} else if (d->open == 0) {
		dial_fail(d, d->err, d->why);
	}
}

/* -- the module -- */

struct dial *dial_start(struct conns *cs, struct timer_wheel *wheel, const struct place *places,
	unsigned n, const struct dial_ops *ops, void *user, uint64_t now, int *err)
{
	struct dial *d = mem_try_zalloc(sizeof(*d) + n * sizeof(*places));
	int first;

	BUG_ON(n == 0 || n > LIMIT_CANDIDATES);
	if (!d) {
		*err = -ENOMEM;
		return NULL;
	}
	d->conns = cs;
	d->wheel = wheel;
	d->ops = ops;
	d->user = user;
	timer_init(&d->timer, on_timer);
	for (unsigned i = 0; i < LIMIT_DIAL_RACE; i++)
		d->attempts[i].dial = d;
	d->n = n;
	memcpy(d->places, places, n * sizeof(*places));
	first = next_begin(d, now);
	if (is_our_want(first)) {
		*err = first;
		mem_free(d);
		return NULL;
	}
	/* A place that cannot be dialled at all fails in the next turn, when that may be told. */
	if (first)
		timer_set(wheel, &d->timer, now);
	return d;
}

void dial_cancel(struct dial *d)
{
	if (!d || d->over)
		return;
	dial_stop(d);
	mem_free(d);
}

unsigned dial_rest(const struct dial *d, struct place *rest)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->n; i++)
		if (!(d->spent & 1u << i))
			rest[n++] = d->places[i];
	return n;
}
