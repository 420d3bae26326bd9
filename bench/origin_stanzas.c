/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/origin_impl.h"

#include <sys/timerfd.h>
#include <unistd.h>

#define BURST 32 /* stanzas between two looks at the clock */
#define TICK_MIN_NS 50000
#define TICK_MAX_NS NS_PER_MS
/* A stanza this late is stamped with the time at which it was due. */
#define LATE_NS NS_PER_MS

/* How many stanzas of this stream's should be on their way by now. */
static uint64_t stanzas_due(const struct origin_stream *s, uint64_t now)
{
	const struct pace *p = &s->origin->pace;
	double due;

	if (!p->rate)
		return s->quota;
	due = pace_due(p, now) * s->share + 1 - s->phase;
	return due < (double)s->quota ? (uint64_t)due : s->quota;
}

/* When the stream's next stanza was due, if that is long ago; else now. */
static uint64_t stanza_time(const struct origin_stream *s, uint64_t now)
{
	const struct pace *p = &s->origin->pace;
	uint64_t due;

	if (!p->rate)
		return now;
	due = pace_time(p, ((double)s->slot + s->phase) / s->share);
	return due + LATE_NS < now ? due : now;
}

static char *stanza_write(struct origin *o, char *to, uint32_t pair, uint64_t time)
{
	struct marker m = { .pair = pair, .time = time };
	char name[NAMES_TEXT];

	m.number = ledger_send(o->ledger, pair);
	m.shape = shapes_next(o->shapes);
	if (o->flows)
		flows_send(o->flows, pair, time);
	return shapes_write(o->shapes, to, &m, names_pair(o->names, pair, name),
		names_target(o->names, pair));
}

static char *stanzas_reserve(struct origin_stream *s)
{
	return wire_reserve(&s->wire, BURST * (s->origin->shapes->longest + 2 * NAMES_MAX));
}

static void stanzas_commit(struct origin_stream *s, uint64_t count, size_t bytes)
{
	wire_commit(&s->wire, bytes);
	s->origin->counts.stanzas += count;
	s->origin->counts.bytes += bytes;
}

static void stanzas_append(struct origin_stream *s, uint64_t count, uint64_t now)
{
	char *begin = stanzas_reserve(s), *to = begin;

	for (uint64_t i = 0; i < count; i++) {
		to = stanza_write(s->origin, to, s->valid[s->turn], stanza_time(s, now));
		s->turn = s->turn + 1 == s->n_valid ? 0 : s->turn + 1;
		s->slot++;
	}
	stanzas_commit(s, count, (size_t)(to - begin));
}

static bool makes_noise(const struct origin_stream *s)
{
	return s->origin->noise && !s->index && s->n_valid && !s->valid[0];
}

/* Beside what is due: pair 0, until the buffer is full. */
static void noise_fill(struct origin_stream *s)
{
	while (makes_noise(s) && wire_pending(&s->wire) < ORIGIN_PENDING) {
		char *begin = stanzas_reserve(s), *to = begin;
		uint64_t now = bench_now();

		for (unsigned i = 0; i < BURST; i++)
			to = stanza_write(s->origin, to, 0, now);
		stanzas_commit(s, BURST, (size_t)(to - begin));
		s->origin->counts.noise += BURST;
	}
}

void stanzas_fill(struct origin_stream *s)
{
	uint64_t now, due;

	if (s->origin->phase != ORIGIN_STANZAS)
		return;
	do {
		now = bench_now();
		due = s->n_valid ? stanzas_due(s, now) : 0;
		/* Both halves end at the middle, so that probes really come there. */
		if (s->slot < s->quota / 2 && due > s->quota / 2)
			due = s->quota / 2;
		due -= due < s->slot ? due : s->slot;
		if (due > BURST)
			due = BURST;
		if (due)
			stanzas_append(s, due, now);
		probes_fill(s);
	} while (due && wire_pending(&s->wire) < ORIGIN_PENDING);
	noise_fill(s);
}

bool stanzas_wanted(const struct origin_stream *s)
{
	const struct origin *o = s->origin;

	if (o->phase != ORIGIN_STANZAS)
		return false;
	return makes_noise(s) || (!o->pace.rate && s->n_valid && s->slot < s->quota);
}

void stanzas_skip(struct origin_stream *s, uint64_t now)
{
	uint64_t due = stanzas_due(s, now);

	if (due > s->slot) {
		s->origin->counts.withheld += due - s->slot;
		s->slot = due;
	}
}

static void origin_tick(struct source *source, uint32_t events)
{
	struct origin *o = (struct origin *)((char *)source - offsetof(struct origin, timer));
	uint64_t ticks;

	(void)events;
	if (read(source->fd, &ticks, sizeof(ticks)) < 0)
		return;
	churn_turn(o, bench_now());
	for (uint32_t i = 0; i < o->n_streams; i++) {
		if (o->streams[i].state == STREAM_READY)
			stream_pump(&o->streams[i]);
	}
}

static bool timer_start(struct origin *o)
{
	uint64_t ns = NS_PER_S / o->pace.rate;
	struct itimerspec it;

	if (ns > TICK_MAX_NS)
		ns = TICK_MAX_NS;
	if (ns < TICK_MIN_NS)
		ns = TICK_MIN_NS;
	it.it_interval = (struct timespec){ .tv_nsec = (long)ns };
	it.it_value = it.it_interval;
	o->timer.events = EPOLLIN;
	o->timer.ready = origin_tick;
	o->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	return o->timer.fd >= 0 && timerfd_settime(o->timer.fd, 0, &it, NULL) == 0 &&
		loop_add(o->loop, &o->timer);
}

bool origin_send(struct origin *o, uint32_t churn)
{
	uint64_t live = 0, left = o->pace.total, valid;

	o->phase = ORIGIN_STANZAS;
	o->churn = churn;
	o->churn_next = o->pace.began;
	for (uint32_t i = 0; i < o->n_streams; i++) {
		pairs_collect(&o->streams[i]);
		live += o->streams[i].n_valid;
	}
	valid = live;
	for (uint32_t i = 0; i < o->n_streams && live; i++) {
		struct origin_stream *s = &o->streams[i];

		s->share = (double)s->n_valid / (double)valid;
		/* Else all streams would send theirs at once, and wait for each other. */
		s->phase = (double)i / o->n_streams;
		/* Its share of what is left, so that the sum is exact. */
		s->quota = (uint64_t)((double)left * (double)s->n_valid / (double)live + 0.5);
		left -= s->quota;
		live -= s->n_valid;
	}
	if (o->pace.rate && !timer_start(o))
		return false;
	for (uint32_t i = 0; i < o->n_streams; i++) {
		if (o->streams[i].state == STREAM_READY)
			stream_pump(&o->streams[i]);
	}
	return true;
}

static bool stream_sent(const struct origin_stream *s)
{
	return s->state == STREAM_CLOSED ||
		(s->state == STREAM_READY && s->slot >= s->quota && !wire_pending(&s->wire) &&
			!pairs_wanted(s) && !probes_wanted(s));
}

bool origin_sent(const struct origin *o)
{
	for (uint32_t i = 0; i < o->n_streams; i++) {
		if (!stream_sent(&o->streams[i]))
			return false;
	}
	return origin_settled(o) &&
		(o->counts.probes_answered >= o->counts.probes_asked ||
			o->streams[0].state == STREAM_CLOSED);
}

void origin_noise(struct origin *o, bool on)
{
	o->noise = on;
	if (o->streams[0].state == STREAM_READY)
		stream_pump(&o->streams[0]);
}

void origin_forget(struct origin *o)
{
	uint64_t now = bench_now();

	for (uint32_t i = 0; i < o->n_streams; i++)
		stanzas_skip(&o->streams[i], now);
}
