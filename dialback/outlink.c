/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: streams that are opened, claimed on, quarantined, and lost (rules 2.8.2 and 2.9). */
#include "core/base/mem.h"
#include "dialback/initiate_impl.h"

#define OLD_STYLE_MS 5000 /* an end this soon after a claim for a further target is its answer */
#define SHORT_LIFE_MS 60000
#define SLOW_FOR_MS 10000

const struct place *out_link_place(const struct out_link *l)
{
	return l->connected ? &l->places[l->which] : NULL;
}

struct span out_link_from(const struct out_link *l)
{
	return span_of(l->text, l->from_n);
}

struct span out_link_to(const struct out_link *l)
{
	return span_of(l->text + l->from_n, l->to_n);
}

uint32_t out_link_pairs(const struct out_link *l)
{
	return l->pairs;
}

void *out_link_user(const struct out_link *l)
{
	return l->user;
}

void out_link_set_user(struct out_link *l, void *user)
{
	l->user = user;
}

/* -- where -- */

static void out_link_place_at(struct initiator *i, struct out_link *l, unsigned which)
{
	if (l->placed)
		table_del(&i->by_place, &l->by_place);
	l->which = which;
	table_add(&i->by_place, &l->by_place, place_hash(&l->places[which]));
	l->placed = true;
}

static void out_link_displace(struct initiator *i, struct out_link *l)
{
	if (l->placed)
		table_del(&i->by_place, &l->by_place);
	l->placed = false;
}

static bool place_is_dead(const struct initiator *i, const struct place *at)
{
	const struct peer *peer = peer_find(i, at);

	return peer && i->now < peer->failed_until;
}

/* Those that did not take a connection within the minute come last in their group (rule 7.4). */
static void out_link_take_places(struct initiator *i, struct out_link *l, const struct target *t)
{
	for (unsigned from = 0, to; from < t->n_places; from = to) {
		for (to = from; to < t->n_places && t->places[to].group == t->places[from].group;)
			to++;
		for (unsigned dead = 0; dead < 2; dead++)
			for (unsigned at = from; at < to; at++)
				if (place_is_dead(i, &t->places[at]) == dead)
					l->places[l->n_places++] = t->places[at];
	}
}

struct out_link *out_link_new(struct initiator *i, struct target *t, struct span from, bool apart)
{
	struct span to = target_name(t);
	struct out_link *l = t->n_places ? mem_try_zalloc(sizeof(*l) + from.n + to.n) : NULL;
	const struct peer *peer;

	if (!l)
		return NULL;
	l->i = i;
	l->from_n = (uint16_t)from.n;
	l->to_n = (uint16_t)to.n;
	memcpy(l->text, from.p, from.n);
	memcpy(l->text + from.n, to.p, to.n);
	list_init(&l->seats);
	list_init(&l->ready);
	list_init(&l->held);
	list_init(&l->watchers);
	list_init(&l->due.link);
	out_link_take_places(i, l, t);
	peer = peer_find(i, &l->places[0]);
	l->external = !peer || i->now >= peer->no_external_until;
	l->apart = apart;
	l->solo = apart || i->now < t->solo_until;
	l->window = LIMIT_OUT_WINDOW_MIN;
	l->used_at = i->now;
	l->state = OUT_LINK_TO_OPEN;
	list_add_tail(&i->links, &l->all);
	list_add_tail(&i->to_open, &l->todo);
	if (!seat_get(i, t, l)) {
		list_del(&l->all);
		list_del(&l->todo);
		mem_free(l);
		return NULL;
	}
	out_link_place_at(i, l, 0);
	i->stats.links++;
	i->stats.open_links++;
	return l;
}

/* All its pairs have left. */
static void out_link_free(struct initiator *i, struct out_link *l)
{
	BUG_ON(l->pairs > 0);
	while (!list_empty(&l->watchers)) {
		struct target *t = list_first(&l->watchers, struct target, watching);

		list_del(&t->watching);
		target_stir(i, t);
	}
	while (!list_empty(&l->seats)) {
		struct seat *s = list_first(&l->seats, struct seat, of_link);
		struct target *t = s->target;

		list_del(&s->of_target);
		list_del(&s->of_link);
		mem_free(s);
		target_rest(i, t);
	}
	out_link_displace(i, l);
	list_del(&l->due.link);
	list_del(&l->todo);
	list_del(&l->all);
	i->stats.open_links--;
	mem_free(l);
}

/* -- opening -- */

void out_links_open(struct initiator *i)
{
	while (i->opening < LIMIT_OUT_OPENING && !list_empty(&i->to_open)) {
		struct out_link *l = list_first(&i->to_open, struct out_link, todo);

		list_del(&l->todo);
		l->state = OUT_LINK_OPENING;
		i->opening++;
		i->ops->step(i->ctx, SPAN_NONE, out_link_to(l), OUT_STEP_DIALLED, &l->places[0], NULL);
		if (!i->ops->open(i->ctx, l, l->places, l->n_places, out_link_from(l),
			    out_link_to(l), l->external))
			initiator_link_down(i, l, OUT_LOSS_OVERLOAD, NULL, i->now);
	}
}

void initiator_link_connected(struct initiator *i, struct out_link *l, unsigned which, uint64_t now)
{
	struct peer *peer;

	i->now = now;
	BUG_ON(which >= l->n_places);
	out_link_place_at(i, l, which);
	l->connected = true;
	peer = peer_find(i, &l->places[which]);
	if (peer)
		peer->failed_until = 0;
	i->ops->step(i->ctx, SPAN_NONE, out_link_to(l), OUT_STEP_CONNECTED, out_link_place(l), NULL);
}

void initiator_place_failed(struct initiator *i, const struct place *at, uint64_t now)
{
	struct peer *peer = peer_get(i, at);

	i->now = now;
	if (peer)
		peer->failed_until = now + HOLD_ADDRESS_MS;
}

void initiator_external_refused(struct initiator *i, struct out_link *l, uint64_t now)
{
	struct peer *peer = peer_get(i, &l->places[l->which]);

	i->now = now;
	l->external = false;
	if (peer)
		peer->no_external_until = now + HOLD_EXTERNAL_MS;
}

/* Looked at once a minute: nobody needs to remember when it fell idle. */
void out_link_watch(struct initiator *i, struct out_link *l)
{
	uint64_t at = i->now + TIMEOUT_EMPTY_OUT_MS;

	if (i->now < l->quarantined_until)
		at = l->quarantined_until;
	list_del(&l->due.link);
	wheel_add(&i->link_wheel, &l->due, at, i->now);
}

static void out_link_prove_header(struct initiator *i, struct out_link *l)
{
	struct out_pair *p = out_pair_find(i, out_link_from(l), out_link_to(l));

	if (p && p->seat && p->seat->l == l && p->state == OUT_PAIR_QUEUED)
		out_pair_valid(i, p);
}

/* What joined before anybody knew what it is like. */
static void out_link_review(struct initiator *i, struct out_link *l)
{
	list_each_safe(at, tmp, &l->ready)
	{
		struct out_pair *p = container_of(at, struct out_pair, in_link);

		if (!i->ops->suits(i->ctx, l, out_pair_sender(p), out_pair_target(p)))
			out_pair_wait(i, p);
	}
}

void initiator_link_up(struct initiator *i, struct out_link *l, const struct out_facts *facts,
	uint64_t now)
{
	i->now = now;
	BUG_ON(l->state != OUT_LINK_OPENING);
	i->opening--;
	l->state = OUT_LINK_UP;
	l->errors = facts->errors;
	l->up_at = l->used_at = now;
	i->ops->step(i->ctx, SPAN_NONE, out_link_to(l), OUT_STEP_UP, out_link_place(l), NULL);
	list_each(at, &l->seats)
	{
		struct target *t = container_of(at, struct seat, of_link)->target;

		t->trusted_until = now + HOLD_TRUST_MS;
		t->not_before = 0;
	}
	if (facts->proven)
		out_link_prove_header(i, l);
	out_link_review(i, l);
	while (!list_empty(&l->watchers)) {
		struct target *t = list_first(&l->watchers, struct target, watching);

		list_del(&t->watching);
		target_stir(i, t);
	}
	out_link_watch(i, l);
	out_link_claiming(i, l);
}

/* -- claims and stanzas -- */

bool out_link_takes(const struct out_link *l)
{
	return l->state != OUT_LINK_ENDING && l->pairs < l->i->opts.max_pairs / 2 &&
		l->i->now >= l->slow_until;
}

bool out_link_writes(const struct out_link *l, uint64_t now)
{
	return l->state == OUT_LINK_UP && !l->retired && now >= l->quarantined_until;
}

static bool out_link_may_claim(const struct out_link *l, uint64_t now)
{
	return out_link_writes(l, now) && l->outstanding < l->window && !list_empty(&l->ready);
}

void out_link_claiming(struct initiator *i, struct out_link *l)
{
	if (l->state == OUT_LINK_UP && out_link_may_claim(l, i->now) && list_empty(&l->todo))
		list_add_tail(&i->claiming, &l->todo);
}

static void out_link_claim(struct initiator *i, struct out_link *l)
{
	struct out_pair *p = list_first(&l->ready, struct out_pair, in_link);

	p->shares = !span_eq(out_pair_target(p), out_link_to(l));
	if (p->shares)
		l->shared_at = i->now;
	out_pair_requested(i, p);
	l->used_at = i->now;
	i->ops->claim(i->ctx, l, out_pair_sender(p), out_pair_target(p));
}

/* One of each stream in turn. */
void out_links_claim(struct initiator *i)
{
	for (unsigned n = 0; n < LIMIT_OUT_CLAIMS_PER_TURN && !list_empty(&i->claiming); n++) {
		struct out_link *l = list_first(&i->claiming, struct out_link, todo);

		list_del(&l->todo);
		if (out_link_may_claim(l, i->now))
			out_link_claim(i, l);
		out_link_claiming(i, l);
	}
}

/* The peer is slower than we are: whoever has not been claimed yet may have another stream. */
void initiator_link_slow(struct initiator *i, struct out_link *l, uint64_t now)
{
	i->now = now;
	l->slow_until = now + SLOW_FOR_MS;
	if (l->apart || l->state != OUT_LINK_UP)
		return;
	list_each_safe(at, tmp, &l->ready)
		out_pair_wait(i, container_of(at, struct out_pair, in_link));
}

/* -- a pair was called invalid -- */

void out_link_close(struct initiator *i, struct out_link *l, const char *why)
{
	if (l->state == OUT_LINK_ENDING)
		return;
	if (l->state == OUT_LINK_TO_OPEN) {
		initiator_link_down(i, l, OUT_LOSS_OURS, NULL, i->now);
		return;
	}
	if (l->state == OUT_LINK_OPENING)
		i->opening--;
	l->state = OUT_LINK_ENDING;
	list_del(&l->todo);
	i->ops->close(i->ctx, l, why);
}

/* The others will be claimed anew on a stream that is opened now, and written to when this one has
 * gone, with all that was written to it (rule 8.7). */
static void out_link_migrate(struct initiator *i, struct out_link *l)
{
	struct seat *s = list_first(&l->seats, struct seat, of_link);

	l->retired = true;
	(void)out_link_new(i, s->target, out_link_from(l), false);
	out_link_close(i, l, "its pairs move to another stream (--invalid-received)");
}

void out_link_after_invalid(struct initiator *i, struct out_link *l)
{
	uint64_t pause = 3 * l->rtt;

	if (l->state != OUT_LINK_UP)
		return;
	if (l->alive == 0) {
		out_link_close(i, l, "no pair is left on it");
		return;
	}
	switch (i->opts.invalid_received) {
	case RECEIVED_DROP_PAIR:
		break;
	case RECEIVED_QUARANTINE:
		l->quarantined_until = i->now +
			(pause > QUARANTINE_MIN_MS ? pause : QUARANTINE_MIN_MS);
		out_link_watch(i, l);
		break;
	case RECEIVED_MIGRATE:
		out_link_migrate(i, l);
		break;
	case RECEIVED_CLOSE:
		out_link_close(i, l, "a pair on it was called invalid (--invalid-received)");
		break;
	}
}

void out_link_calm(struct initiator *i, struct out_link *l)
{
	l->quarantined_until = 0;
	if (!out_link_writes(l, i->now))
		return;
	while (!list_empty(&l->held))
		out_pair_flush(i, list_first(&l->held, struct out_pair, in_link));
	out_link_claiming(i, l);
}

void out_link_due(struct initiator *i, struct out_link *l)
{
	uint64_t idle = l->alive > 0 ? TIMEOUT_IDLE_OUT_MS : TIMEOUT_EMPTY_OUT_MS;

	if (l->state != OUT_LINK_UP)
		return;
	if (l->quarantined_until && i->now >= l->quarantined_until)
		out_link_calm(i, l);
	if (l->outstanding == 0 && list_empty(&l->ready) && i->now >= l->used_at + idle)
		out_link_close(i, l, "nothing was sent on it for long");
	else
		out_link_watch(i, l);
}

void initiator_link_ending(struct initiator *i, struct out_link *l)
{
	if (l->state == OUT_LINK_OPENING)
		return; /* what becomes of it is told by its end */
	l->state = OUT_LINK_ENDING;
	list_del(&l->todo);
	(void)i;
}

/* -- the end -- */

static bool is_one_of(const char *condition, const char *const *names, size_t n)
{
	for (size_t at = 0; condition && at < n; at++)
		if (strcmp(condition, names[at]) == 0)
			return true;
	return false;
}

/* Before any pair was valid these say that another server may do better (rule 7.1). */
static bool loss_tries_next(enum out_loss how, const char *condition)
{
	static const char *const next[] = { "host-unknown", "host-gone", "internal-server-error",
		"resource-constraint", "system-shutdown", "conflict" };

	return how == OUT_LOSS_NEGOTIATION || how == OUT_LOSS_TLS ||
		(how == OUT_LOSS_ERROR && is_one_of(condition, next, ARRAY_LEN(next)));
}

/* An old server that does not bear further targets (rule 2.9.5). */
static bool loss_is_old_style(const struct out_link *l, enum out_loss how, const char *condition,
	uint64_t now)
{
	static const char *const old[] = { "host-unknown", "not-authorized", "invalid-from",
		"conflict", "undefined-condition" };

	return l->shared_at && now <= l->shared_at + OLD_STYLE_MS &&
		(how == OUT_LOSS_CLOSED ||
			(how == OUT_LOSS_ERROR && is_one_of(condition, old, ARRAY_LEN(old))));
}

static enum out_failure loss_failure(enum out_loss how, const char *condition)
{
	static const char *const absent[] = { "host-unknown", "host-gone" };

	if (is_one_of(condition, absent, ARRAY_LEN(absent)))
		return OUT_NO_SERVICE;
	switch (how) {
	case OUT_LOSS_UNREACHABLE:
		return OUT_UNREACHABLE;
	case OUT_LOSS_TLS:
		return OUT_NO_TLS;
	case OUT_LOSS_UNSUPPORTED:
		return OUT_NO_AUTH;
	case OUT_LOSS_OVERLOAD:
		return OUT_FULL;
	default:
		return OUT_NO_STREAM;
	}
}

/* Takes the place that was tried, and those that took no connection meanwhile, off the list. */
static bool out_link_next(struct initiator *i, struct out_link *l, bool same)
{
	unsigned n = 0;

	for (unsigned at = 0; at < l->n_places; at++) {
		bool tried = l->connected && at == l->which;

		if (tried ? same : !place_is_dead(i, &l->places[at]))
			l->places[n++] = l->places[at];
	}
	l->n_places = n;
	return n > 0;
}

static void out_link_reopen(struct initiator *i, struct out_link *l)
{
	list_each(at, &l->seats)
	{
		const struct seat *s = container_of(at, struct seat, of_link);

		list_each(in_seat, &s->pairs)
		{
			struct out_pair *p = container_of(in_seat, struct out_pair, at);

			if (p->state == OUT_PAIR_REQUESTED)
				out_pair_queue_again(i, p);
		}
	}
	l->connected = false;
	l->errors = false;
	l->shared_at = 0;
	l->window = LIMIT_OUT_WINDOW_MIN;
	l->state = OUT_LINK_TO_OPEN;
	list_del(&l->due.link);
	list_del(&l->todo);
	list_add_tail(&i->to_open, &l->todo);
	out_link_place_at(i, l, 0);
}

/* What becomes of one pair when its stream has gone. `survives`: the pair is not to blame. Of those
 * that had their turn to come, target_fail knows more if the stream was good for nobody. */
static void out_pair_orphan(struct initiator *i, struct out_pair *p, enum out_failure failure,
	const char *condition, bool survives)
{
	const struct out_link *l = p->seat->l;

	p->mark = NULL;
	switch ((enum out_pair_state)p->state) {
	case OUT_PAIR_VALID:
		if (!list_empty(&p->queue) || l->retired)
			out_pair_wait(i, p);
		else
			out_pair_free(i, p);
		break;
	case OUT_PAIR_REQUESTED:
		if (survives)
			out_pair_wait(i, p);
		else
			out_pair_fail_again(i, p, l->proved ? OUT_LOST : failure, condition);
		break;
	case OUT_PAIR_QUEUED:
		if (l->apart && !survives && !l->proved)
			out_pair_fail_again(i, p, failure, condition);
		else
			out_pair_wait(i, p);
		break;
	case OUT_PAIR_FAILED:
		out_pair_fade(i, p);
		break;
	case OUT_PAIR_WAITING:
		BUG_ON(true); /* it has no seat */
	}
}

/* A stream that had not lived for long is not opened again at once. */
static void target_lost(struct initiator *i, struct target *t, const struct out_link *l,
	const char *condition)
{
	bool shut_down = condition && strcmp(condition, "system-shutdown") == 0;

	if (i->now >= l->up_at + SHORT_LIFE_MS)
		t->losses = 0;
	if (shut_down)
		target_postpone(i, t, i->ops->below(LIMIT_PARK_MS));
	else if (t->losses > 0)
		target_postpone(i, t, 1000ull << (t->losses < 6 ? t->losses - 1 : 5));
	t->losses++;
}

static void out_link_lost(struct initiator *i, struct out_link *l, enum out_loss how,
	const char *condition, bool survives)
{
	enum out_failure failure = loss_failure(how, condition);

	list_each(at, &l->seats)
	{
		struct seat *s = container_of(at, struct seat, of_link);
		struct target *t = s->target;

		s->pinned = true;
		if (l->proved && !survives)
			target_lost(i, t, l, condition);
		while (!list_empty(&s->pairs))
			out_pair_orphan(i, list_first(&s->pairs, struct out_pair, at), failure,
				condition, survives);
		if (!l->proved && !survives && !l->apart && !target_is_up(t))
			target_fail(i, t, failure, condition);
	}
	out_link_free(i, l);
}

void initiator_link_down(struct initiator *i, struct out_link *l, enum out_loss how,
	const char *condition, uint64_t now)
{
	bool quarantined = now < l->quarantined_until;
	bool old_style;
	struct peer *peer;

	i->now = now;
	if (l->state == OUT_LINK_OPENING)
		i->opening--;
	i->ops->step(i->ctx, SPAN_NONE, out_link_to(l), OUT_STEP_DOWN, out_link_place(l), condition);
	l->user = NULL;
	if (!l->proved && !i->draining &&
		((how == OUT_LOSS_EXTERNAL && out_link_next(i, l, true)) ||
			(loss_tries_next(how, condition) && out_link_next(i, l, false)))) {
		out_link_reopen(i, l);
		return;
	}
	old_style = loss_is_old_style(l, how, condition, now);
	peer = old_style ? peer_get(i, &l->places[l->which]) : NULL;
	if (peer)
		peer->no_mux_until = now + HOLD_NO_MUX_MS;
	l->state = OUT_LINK_ENDING;
	out_link_lost(i, l, how, condition, old_style || quarantined || how == OUT_LOSS_OURS);
}
