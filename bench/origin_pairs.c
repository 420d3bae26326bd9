/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/origin_impl.h"

#include <limits.h>
#include <strings.h>

/* Of a stream, between two of its stanzas: a key takes as long to make as a stanza takes to route. */
#define LATE_AT_ONCE 32

static struct origin_pairs *pairs_of(struct origin *o, uint32_t pair)
{
	if (pair < o->n_first)
		return &o->counts.pairs[WAVE_FIRST];
	return &o->counts.pairs[pair < o->n_first + o->n_late ? WAVE_LATE : WAVE_CHURN];
}

/* One db:result. A probe's key is that of its pair with another first digit. */
static void result_append(struct origin_stream *s, struct text sender, struct text target,
	bool honest)
{
	char key[KEYS_HEX + 1];

	keys_make(s->origin->keys, target, sender, text_of(s->opening.id), key);
	if (!honest)
		key[0] = key[0] == '0' ? '1' : '0';
	wire_printf(&s->wire, "<db:result from='%.*s' to='%.*s'>%s</db:result>", (int)sender.len,
		sender.p, (int)target.len, target.p, key);
}

static bool own_wanted(const struct origin_stream *s)
{
	return s->origin->phase != ORIGIN_OPENING && s->own_asked < range_count(s->own);
}

static bool late_wanted(const struct origin_stream *s)
{
	return s->origin->late && s->late_asked < range_count(s->late);
}

bool pairs_wanted(const struct origin_stream *s)
{
	const struct origin *o = s->origin;

	return (own_wanted(s) || late_wanted(s)) && (!o->window || s->unanswered < o->window);
}

static void pair_assert(struct origin_stream *s, uint32_t pair)
{
	struct origin *o = s->origin;
	struct origin_pairs *c = pairs_of(o, pair);
	char name[NAMES_TEXT];

	result_append(s, names_pair(o->names, pair, name), names_target(o->names, pair), true);
	o->pairs[pair] = PAIR_ASKED;
	o->asked[pair] = bench_now();
	if (!c->asked++)
		c->first = c->last = o->asked[pair];
	s->unanswered++;
}

void pairs_fill(struct origin_stream *s)
{
	unsigned most = s->origin->phase == ORIGIN_STANZAS ? LATE_AT_ONCE : UINT_MAX;

	while (most-- && pairs_wanted(s) && wire_pending(&s->wire) < ORIGIN_PENDING) {
		if (own_wanted(s))
			pair_assert(s, range_at(s->own, s->own_asked++));
		else
			pair_assert(s, range_at(s->late, s->late_asked++));
	}
}

bool probes_wanted(const struct origin_stream *s)
{
	const struct origin *o = s->origin;

	return o->phase == ORIGIN_STANZAS && s->way != WAY_RESET &&
		(o->rough || s->share.slot >= s->share.quota / 2) &&
		s->probes_asked < range_count(s->probes);
}

void probes_fill(struct origin_stream *s)
{
	struct origin *o = s->origin;

	while (probes_wanted(s) && wire_pending(&s->wire) < ORIGIN_PENDING) {
		char name[NAMES_TEXT];

		result_append(s,
			names_probe(o->names, range_at(s->probes, s->probes_asked++), name),
			o->names->targets[0], false);
		o->counts.probes_asked++;
		s->unanswered++;
	}
}

static void probe_answered(struct origin_stream *s, const struct reader_element *e)
{
	struct origin *o = s->origin;
	bool error = strcmp(e->type, "error") == 0;

	o->counts.probes_answered++;
	tally_add(&o->counts.probes, error ? reader_condition(e) : e->type);
	s->unanswered--;
	churn_answered(s);
}

static void pair_refused(struct origin *o, struct origin_pairs *c, const struct reader_element *e)
{
	bool invalid = strcmp(e->type, "invalid") == 0;

	if (invalid) {
		c->invalid++;
	} else {
		c->error++;
		tally_add(&c->conditions, reader_condition(e));
	}
	if (!o->pair_reason[0])
		snprintf(o->pair_reason, sizeof(o->pair_reason), "%.60s: %s %.50s", e->to, e->type,
			invalid ? "" : reader_condition(e));
}

static void pair_answered(struct origin_stream *s, uint32_t pair, const struct reader_element *e)
{
	struct origin *o = s->origin;
	struct origin_pairs *c = pairs_of(o, pair);
	bool valid = strcmp(e->type, "valid") == 0;

	s->unanswered--;
	c->last = bench_now();
	latency_add(&c->wait, c->last - o->asked[pair]);
	o->pairs[pair] = valid ? PAIR_VALID : PAIR_FAILED;
	if (valid)
		c->valid++;
	else
		pair_refused(o, c, e);
	churn_answered(s);
}

/* An answer counts only for a question that this stream has asked. */
void pairs_result(struct origin_stream *s, const struct reader_element *e)
{
	struct origin *o = s->origin;
	uint32_t i = 0;
	enum name_kind kind = names_find(o->names, text_of(e->to), &i);

	if (kind == NAME_PROBE && range_has(s->probes, i) &&
		i < range_at(s->probes, s->probes_asked) && s->unanswered)
		probe_answered(s, e);
	else if (kind == NAME_PAIR && (range_has(s->own, i) || range_has(s->late, i)) &&
		o->pairs[i] == PAIR_ASKED && strcasecmp(e->from, names_target(o->names, i).p) == 0)
		pair_answered(s, i, e);
	else
		o->counts.unexpected++;
}

static void range_abandon(struct origin *o, struct range r)
{
	for (uint32_t k = 0; k < range_count(r); k++) {
		uint32_t i = range_at(r, k);

		if (o->pairs[i] == PAIR_NEW || o->pairs[i] == PAIR_ASKED) {
			o->pairs[i] = PAIR_FAILED;
			pairs_of(o, i)->closed++;
		}
	}
}

void pairs_abandon(struct origin_stream *s)
{
	range_abandon(s->origin, s->own);
	range_abandon(s->origin, s->late);
}

void pairs_collect(struct origin_stream *s)
{
	uint32_t count = range_count(s->own);

	free(s->share.pairs);
	s->share.pairs = bench_alloc(count, sizeof(*s->share.pairs));
	s->share.n_pairs = s->share.turn = 0;
	for (uint32_t k = 0; k < count && s->state == STREAM_READY; k++) {
		if (s->origin->pairs[range_at(s->own, k)] == PAIR_VALID)
			s->share.pairs[s->share.n_pairs++] = range_at(s->own, k);
	}
}

void origin_assert(struct origin *o, uint32_t window)
{
	o->phase = ORIGIN_PAIRS;
	o->window = window;
	for (uint32_t i = 0; i < o->n_streams; i++) {
		if (o->streams[i].state == STREAM_READY)
			stream_pump(&o->streams[i]);
	}
}

static bool wave_is_settled(const struct origin_pairs *c, uint32_t count)
{
	return c->valid + c->invalid + c->error + c->closed == count;
}

bool origin_settled(const struct origin *o)
{
	return wave_is_settled(&o->counts.pairs[WAVE_FIRST], o->n_first) &&
		(!o->late || wave_is_settled(&o->counts.pairs[WAVE_LATE], o->n_late));
}

void origin_assert_late(struct origin *o)
{
	o->late = true;
	for (uint32_t i = 0; i < o->n_streams; i++) {
		if (o->streams[i].state == STREAM_READY)
			stream_pump(&o->streams[i]);
	}
}
