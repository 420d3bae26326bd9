/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/feed.h"

#include <sys/timerfd.h>
#include <unistd.h>

#define TICK_MIN_NS 50000
#define TICK_MAX_NS NS_PER_MS
/* A stanza this late is stamped with the time at which it was due. */
#define LATE_NS NS_PER_MS

void feed_init(struct feed *f, const struct names *names, struct shapes *shapes,
	struct ledger *ledger, enum names_way way)
{
	memset(f, 0, sizeof(*f));
	f->names = names;
	f->shapes = shapes;
	f->ledger = ledger;
	f->way = way;
}

void feed_divide(struct feed *f, struct share *const *shares, uint32_t count)
{
	uint64_t live = 0, left = f->pace.total, all;

	for (uint32_t i = 0; i < count; i++)
		live += shares[i]->n_pairs;
	all = live;
	for (uint32_t i = 0; i < count && live; i++) {
		struct share *s = shares[i];

		s->part = (double)s->n_pairs / (double)all;
		/* Else all would send theirs at once, and wait for each other. */
		s->phase = (double)i / count;
		/* Its share of what is left, so that the sum is exact. */
		s->quota = (uint64_t)((double)left * (double)s->n_pairs / (double)live + 0.5);
		left -= s->quota;
		live -= s->n_pairs;
	}
}

bool feed_timer(const struct feed *f, struct loop *l, struct source *timer,
	void (*ready)(struct source *s, uint32_t events))
{
	uint64_t ns = NS_PER_S / f->pace.rate;
	struct itimerspec it;

	if (ns > TICK_MAX_NS)
		ns = TICK_MAX_NS;
	if (ns < TICK_MIN_NS)
		ns = TICK_MIN_NS;
	it.it_interval = (struct timespec){ .tv_nsec = (long)ns };
	it.it_value = it.it_interval;
	timer->events = EPOLLIN;
	timer->ready = ready;
	timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	return timer->fd >= 0 && timerfd_settime(timer->fd, 0, &it, NULL) == 0 &&
		loop_add(l, timer);
}

bool feed_ticked(struct source *timer)
{
	uint64_t ticks;

	return read(timer->fd, &ticks, sizeof(ticks)) >= 0;
}

void feed_timer_end(struct loop *l, struct source *timer)
{
	if (timer->fd < 0)
		return;
	loop_remove(l, timer);
	close(timer->fd);
	timer->fd = -1;
}

/* How many of the share's stanzas should be on their way by now. */
static uint64_t due_in_all(const struct share *s, uint64_t now)
{
	const struct pace *p = &s->feed->pace;
	double due;

	if (!p->rate)
		return s->quota;
	due = pace_due(p, now) * s->part + 1 - s->phase;
	return due < (double)s->quota ? (uint64_t)due : s->quota;
}

uint64_t share_due(const struct share *s, uint64_t now)
{
	uint64_t due = s->n_pairs ? due_in_all(s, now) : 0, room = feed_room(s->feed);

	/* Both halves end at the middle, so that what is to come there really does. */
	if (s->slot < s->quota / 2 && due > s->quota / 2)
		due = s->quota / 2;
	due -= due < s->slot ? due : s->slot;
	return due < room ? due : room;
}

/* When the share's next stanza was due, if that is long ago; else now. */
static uint64_t stanza_time(const struct share *s, uint64_t now)
{
	const struct pace *p = &s->feed->pace;
	uint64_t due;

	if (!p->rate)
		return now;
	due = pace_time(p, ((double)s->slot + s->phase) / s->part);
	return due + LATE_NS < now ? due : now;
}

static char *stanza_write(struct feed *f, char *to, uint32_t pair, uint64_t time)
{
	struct marker m = { .pair = pair, .time = time };
	char from_text[NAMES_TEXT], to_text[NAMES_TEXT];

	m.number = ledger_send(f->ledger, pair);
	m.shape = shapes_next(f->shapes);
	if (f->flows)
		flows_send(f->flows, pair, time);
	return shapes_write(f->shapes, to, &m, names_from(f->names, f->way, pair, from_text),
		names_to(f->names, f->way, pair, to_text));
}

static char *stanzas_reserve(struct feed *f, struct wire *w)
{
	return wire_reserve(w, FEED_BURST * (f->shapes->longest + 2 * NAMES_MAX));
}

static void stanzas_commit(struct feed *f, struct wire *w, uint64_t count, size_t bytes)
{
	wire_commit(w, bytes);
	f->stanzas += count;
	f->bytes += bytes;
}

void share_append(struct share *s, struct wire *w, uint64_t count, uint64_t now)
{
	struct feed *f = s->feed;
	char *begin = stanzas_reserve(f, w), *to = begin;

	for (uint64_t i = 0; i < count; i++) {
		to = stanza_write(f, to, s->pairs[s->turn], stanza_time(s, now));
		s->turn = s->turn + 1 == s->n_pairs ? 0 : s->turn + 1;
		s->slot++;
	}
	stanzas_commit(f, w, count, (size_t)(to - begin));
}

void feed_append(struct feed *f, struct wire *w, uint32_t pair, uint64_t count, uint64_t now)
{
	char *begin = stanzas_reserve(f, w), *to = begin;

	for (uint64_t i = 0; i < count; i++)
		to = stanza_write(f, to, pair, now);
	stanzas_commit(f, w, count, (size_t)(to - begin));
}

uint64_t share_skip(struct share *s, uint64_t now)
{
	uint64_t due = due_in_all(s, now), skipped = due > s->slot ? due - s->slot : 0;

	s->slot += skipped;
	return skipped;
}
