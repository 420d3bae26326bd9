/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/origin_impl.h"

/* Not while the stream has something to ask, and not when its work is nearly done. */
static bool may_leave(const struct origin_stream *s)
{
	return s->state == STREAM_READY && s->share.n_pairs && !s->unanswered && !pairs_wanted(s) &&
		!probes_wanted(s) && s->share.slot < s->share.quota;
}

/* As RFC 6120 section 4.4 wants it: we end our stream, and the server then ends its own. */
static void stream_leave(struct origin_stream *s)
{
	wire_printf(&s->wire, "</stream:stream>");
	s->state = STREAM_LEAVING;
	s->share.n_pairs = 0;
	s->origin->n_ready--;
	stream_pump(s);
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

void churn_answered(struct origin_stream *s)
{
	const struct origin *o = s->origin;

	if (o->phase != ORIGIN_STANZAS || s->share.n_pairs || s->unanswered ||
		s->own_asked < range_count(s->own))
		return;
	pairs_collect(s);
	stanzas_skip(s, bench_now());
}
