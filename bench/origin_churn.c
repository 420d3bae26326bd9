/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/origin_impl.h"

/* Not while the stream has something to ask, and not when its work is nearly done. */
static bool may_leave(const struct origin_stream *s)
{
	return s->state == STREAM_READY && s->share.n_pairs && !s->unanswered && !pairs_wanted(s) &&
		!probes_wanted(s) && s->share.slot < s->share.quota;
}

/* As RFC 6120 section 4.4 wants it: we end our stream, and the server then ends its own. Or otherwise. */
static void stream_leave(struct origin_stream *s)
{
	if (s->way == WAY_ERROR)
		wire_printf(&s->wire,
			"<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
			"</stream:error>");
	if (s->way != WAY_SILENT)
		wire_printf(&s->wire, "</stream:stream>");
	s->state = STREAM_LEAVING;
	s->share.n_pairs = 0;
	s->origin->n_ready--;
	stream_pump(s);
}

/* Each stream comes to each of them. Silence within TLS would be an attack, and is told as one. */
static enum stream_way way_next(const struct origin *o)
{
	enum stream_way way = (o->churn_turn + o->churn_turn / o->n_streams) % WAYS;

	return way == WAY_SILENT && o->secure ? WAY_ORDERLY : way;
}

void churn_turn(struct origin *o, uint64_t now)
{
	while (o->churn && now >= o->churn_next) {
		struct origin_stream *s = &o->streams[o->churn_turn % o->n_streams];
		uint32_t count = o->n_first / o->n_streams;

		o->churn_next += NS_PER_S / o->churn;
		o->churn_turn++;
		if (!may_leave(s) || o->names->n_pairs - o->churn_pair < count)
			continue;
		s->own = (struct range){ o->churn_pair, 1, o->churn_pair + count };
		o->churn_pair += count;
		if (o->rough) {
			s->way = way_next(o);
			s->probes = (struct range){ o->churn_probe, 1, o->churn_probe + 1 };
			o->churn_probe++;
		}
		stream_leave(s);
	}
}

void churn_reopen(struct origin_stream *s)
{
	wire_close(&s->wire);
	s->origin->counts.reopened++;
	if (!stream_begin(s))
		stream_close(s, strerror(errno));
}

/* Some of them are on their way, and nothing else is: no stanza is lost with this connection. */
static void stream_reset(struct origin_stream *s)
{
	const struct linger now = { .l_onoff = 1 };

	s->way = WAY_ORDERLY;
	s->origin->counts.pairs[WAVE_CHURN].asked -= s->own_asked;
	s->origin->n_ready--;
	setsockopt(s->wire.source.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	churn_reopen(s);
}

bool churn_flushed(struct origin_stream *s)
{
	if (s->state == STREAM_LEAVING && s->way == WAY_SILENT && !wire_pending(&s->wire))
		shutdown(s->wire.source.fd, SHUT_WR);
	if (s->state != STREAM_READY || s->way != WAY_RESET || !s->own_asked)
		return false;
	stream_reset(s);
	return true;
}

void churn_answered(struct origin_stream *s)
{
	const struct origin *o = s->origin;

	if (o->phase != ORIGIN_STANZAS || s->share.n_pairs || s->unanswered ||
		s->own_asked < range_count(s->own))
		return;
	pairs_collect(s);
	stanzas_skip(s, bench_now());
}
