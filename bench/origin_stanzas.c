/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/origin_impl.h"

static bool makes_noise(const struct origin_stream *s)
{
	return s->origin->noise && !s->index && s->share.n_pairs && !s->share.pairs[0];
}

/* Beside what is due: pair 0, until the buffer is full. */
static void noise_fill(struct origin_stream *s)
{
	while (makes_noise(s) && wire_pending(&s->wire) < ORIGIN_PENDING) {
		feed_append(s->origin->feed, &s->wire, 0, FEED_BURST, bench_now());
		s->origin->counts.noise += FEED_BURST;
	}
}

void stanzas_fill(struct origin_stream *s)
{
	uint64_t now, due;

	if (s->origin->phase != ORIGIN_STANZAS)
		return;
	do {
		now = bench_now();
		due = share_due(&s->share, now);
		if (due > FEED_BURST)
			due = FEED_BURST;
		if (due)
			share_append(&s->share, &s->wire, due, now);
		probes_fill(s);
	} while (due && wire_pending(&s->wire) < ORIGIN_PENDING);
	noise_fill(s);
}

bool stanzas_wanted(const struct origin_stream *s)
{
	const struct origin *o = s->origin;

	if (o->phase != ORIGIN_STANZAS)
		return false;
	return makes_noise(s) || share_wanted(&s->share);
}

void stanzas_skip(struct origin_stream *s, uint64_t now)
{
	s->origin->counts.withheld += share_skip(&s->share, now);
}

static void origin_tick(struct source *source, uint32_t events)
{
	struct origin *o = (struct origin *)((char *)source - offsetof(struct origin, timer));

	(void)events;
	if (!feed_ticked(source))
		return;
	churn_turn(o, bench_now());
	for (uint32_t i = 0; i < o->n_streams; i++) {
		if (o->streams[i].state == STREAM_READY)
			stream_pump(&o->streams[i]);
	}
}

bool origin_send(struct origin *o, uint32_t churn)
{
	struct share **shares = bench_alloc(o->n_streams, sizeof(struct share *));

	o->phase = ORIGIN_STANZAS;
	o->churn = churn;
	o->churn_next = o->feed->pace.began;
	for (uint32_t i = 0; i < o->n_streams; i++) {
		pairs_collect(&o->streams[i]);
		shares[i] = &o->streams[i].share;
	}
	feed_divide(o->feed, shares, o->n_streams);
	free(shares);
	if (o->feed->pace.rate && !feed_timer(o->feed, o->loop, &o->timer, origin_tick))
		return false;
	for (uint32_t i = 0; i < o->n_streams; i++) {
		if (o->streams[i].state == STREAM_READY)
			stream_pump(&o->streams[i]);
	}
	return true;
}

void origin_turn(struct origin *o)
{
	if (o->phase != ORIGIN_STANZAS || !o->feed->window || !feed_room(o->feed))
		return;
	for (uint32_t i = 0; i < o->n_streams; i++) {
		if (o->streams[i].state == STREAM_READY)
			stream_pump(&o->streams[i]);
	}
}

static bool stream_sent(const struct origin_stream *s)
{
	return s->state == STREAM_CLOSED ||
		(s->state == STREAM_READY && s->share.slot >= s->share.quota &&
			!wire_pending(&s->wire) && !pairs_wanted(s) && !probes_wanted(s));
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
