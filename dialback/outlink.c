/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Links: streams that are opened, claimed on, quarantined and closed (rules 2.8.2 and 2.9). */
#include "core/base/mem.h"
#include "dialback/initiate_impl.h"

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

/* Nobody finds it any more who has no seat on it. */
void out_link_withdraw(struct out_link *l)
{
	if (l->placed)
		table_del(&l->i->by_place, &l->by_place);
	l->placed = false;
}

static unsigned place_offers(const struct initiator *i, const struct place *at)
{
	unsigned n = 0;

	for (struct table_node *node = table_first(&i->by_place, place_hash(&i->key, at)); node;
		node = table_next(node))
		n++;
	return n;
}

/* It is at that place, or on its way there, where further targets may find it: the first few streams
 * are enough, where each target wants one of its own. */
void out_link_place_at(struct out_link *l, unsigned which)
{
	const struct place *at = &l->places[which];

	out_link_withdraw(l);
	l->which = which;
	if (l->solo || place_offers(l->i, at) >= LIMIT_OUT_SHARED)
		return;
	table_add(&l->i->by_place, &l->by_place, place_hash(&l->i->key, at));
	l->placed = true;
}

bool place_is_dead(const struct initiator *i, const struct place *at)
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

void out_link_prove_as_at_first(struct out_link *l)
{
	const struct peer *peer = peer_find(l->i, &l->places[0]);

	l->proof = peer && l->i->now < peer->no_external_until ? OUT_PROOF_SHOWN
							       : OUT_PROOF_EXTERNAL;
	l->refused = false;
}

static uint64_t target_links(const struct target *t)
{
	uint64_t n = 0;

	list_each(at, &t->seats) n++;
	return n;
}

/* Of all that there may be nobody has more than is left to the others: no sender, and no server that wants
 * one for each of them. */
static bool may_have_link(const struct initiator *i, const struct sender *s, const struct target *t)
{
	uint64_t left = i->opts.max_links - i->stats.open_links;

	return !i->opts.max_links ||
		(i->stats.open_links < i->opts.max_links && s->links < left &&
			target_links(t) < left);
}

struct out_link *out_link_new(struct initiator *i, struct target *t, struct sender *s, bool apart)
{
	struct span from = span_of(s->domain, s->len), to = target_name(t);
	struct out_link *l = t->n_places && may_have_link(i, s, t)
		? mem_try_zalloc(sizeof(*l) + from.n + to.n)
		: NULL;

	if (!l)
		return NULL;
	l->i = i;
	l->sender = l->opener = s;
	l->from_n = (uint16_t)from.n;
	l->to_n = (uint16_t)to.n;
	memcpy(l->text, from.p, from.n);
	memcpy(l->text + from.n, to.p, to.n);
	list_init(&l->todo);
	list_init(&l->seats);
	list_init(&l->ready);
	list_init(&l->held);
	list_init(&l->watchers);
	list_init(&l->due.link);
	out_link_take_places(i, l, t);
	out_link_prove_as_at_first(l);
	l->apart = apart;
	l->solo = apart || i->now < t->solo_until;
	l->window = LIMIT_OUT_WINDOW_MIN;
	l->rtt = QUARANTINE_MAX_MS;
	l->used_at = i->now;
	if (!seat_get(t, l)) {
		mem_free(l);
		return NULL;
	}
	s->links++;
	list_add_tail(&i->links, &l->all);
	out_link_place_at(l, 0);
	out_link_to_open(i, l);
	i->stats.links++;
	i->stats.open_links++;
	return l;
}

/* All its pairs have left. */
void out_link_free(struct initiator *i, struct out_link *l)
{
	struct sender *sender = l->sender;

	BUG_ON(l->pairs > 0);
	while (!list_empty(&l->watchers))
		target_wake(i, list_first(&l->watchers, struct target, watching));
	while (!list_empty(&l->seats)) {
		struct seat *s = list_first(&l->seats, struct seat, of_link);
		struct target *t = s->target;

		list_del(&s->of_target);
		list_del(&s->of_link);
		mem_free(s);
		if (!list_empty(&t->waiting))
			target_stir(i, t); /* its turn may have come */
		target_rest(i, t);
	}
	out_link_withdraw(l);
	list_del(&l->due.link);
	out_link_unqueue(l);
	list_del(&l->all);
	i->stats.open_links--;
	mem_free(l);
	sender->links--;
	sender_rest(i, sender);
}

/* -- opening -- */

void initiator_link_connected(struct initiator *i, struct out_link *l, unsigned which, uint64_t now)
{
	struct peer *peer;

	i->now = now;
	BUG_ON(which >= l->n_places);
	out_link_place_at(l, which);
	l->connected = true;
	peer = peer_find(i, &l->places[which]);
	if (peer)
		peer->failed_until = 0;
	i->ops->step(i->ctx, SPAN_NONE, out_link_to(l), OUT_STEP_CONNECTED, out_link_place(l),
		NULL);
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

static bool is_header_pair(const struct out_link *l, const struct out_pair *p)
{
	return span_eq(out_pair_sender(p), out_link_from(l)) &&
		span_eq(out_pair_target(p), out_link_to(l));
}

/* The peer has thought better of it. */
void out_link_disprove(struct out_link *l, const struct out_pair *p)
{
	if (is_header_pair(l, p))
		l->proven = false;
}

static void out_link_prove_header(struct initiator *i, struct out_link *l)
{
	struct out_pair *p = out_pair_find(i, out_link_from(l), out_link_to(l));

	if (p && p->seat && p->seat->l == l && p->state == OUT_PAIR_QUEUED)
		out_pair_valid(i, p);
}

/* What joined before anybody knew what it is like. It was opened for one of them: another stream
 * would not suit that pair any better. */
static void out_link_review(struct initiator *i, struct out_link *l)
{
	const struct out_pair *first = out_pair_find(i, out_link_from(l), out_link_to(l));

	list_each_safe(at, tmp, &l->ready)
	{
		struct out_pair *p = container_of(at, struct out_pair, in_link);

		if (i->ops->suits(i->ctx, l, out_pair_sender(p), out_pair_target(p)))
			continue;
		if (p == first)
			out_pair_fail(i, p, OUT_NO_TLS, NULL, HOLD_POLICY_MS);
		else
			out_pair_wait(i, p);
	}
}

/* What was learnt of it on earlier streams, and what it says of itself now. */
static void out_link_recall(struct initiator *i, struct out_link *l)
{
	struct peer *peer = peer_get(i, out_link_place(l));

	if (!peer)
		return;
	if (i->now < peer->known_until && peer->window > l->window)
		l->window = peer->window;
	peer->window = l->window;
	peer->errors = l->errors;
	peer->known_until = i->now + HOLD_PEER_MS;
}

void initiator_link_up(struct initiator *i, struct out_link *l, const struct out_facts *facts,
	uint64_t now)
{
	i->now = now;
	BUG_ON(l->state != OUT_LINK_OPENING);
	out_link_opened(i, l);
	l->state = OUT_LINK_UP;
	l->errors = facts->errors;
	l->up_at = l->used_at = now;
	out_link_recall(i, l);
	i->ops->step(i->ctx, SPAN_NONE, out_link_to(l), OUT_STEP_UP, out_link_place(l), NULL);
	list_each(at, &l->seats)
	{
		struct target *t = container_of(at, struct seat, of_link)->target;

		if (!l->apart)
			t->not_before = t->held_until = 0;
		t->claimless = facts->claimless;
		target_stir(i, t);
	}
	if (!l->errors)
		out_link_withdraw(l);
	l->proven = facts->proven;
	l->claimless = facts->claimless;
	if (l->proven)
		out_link_prove_header(i, l);
	out_link_review(i, l);
	while (!list_empty(&l->watchers))
		target_wake(i, list_first(&l->watchers, struct target, watching));
	out_link_watch(i, l);
	out_link_claiming(i, l);
}

/* -- claims and stanzas -- */

bool out_link_carries(const struct out_link *l)
{
	return !l->apart && !l->retired && l->state != OUT_LINK_ENDING;
}

bool out_link_takes(struct out_link *l)
{
	struct initiator *i = l->i;

	if (l->pairs >= i->opts.max_pairs / 2 || i->now < l->slow_until)
		return false;
	return l->state != OUT_LINK_UP || !i->ops->slow || !i->ops->slow(i->ctx, l);
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

	if (l->proven && is_header_pair(l, p)) {
		out_pair_valid(i, p); /* it had been given up before the stream was up */
		return;
	}
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
	bool known = now < l->slow_until;

	i->now = now;
	if (l->apart || l->state != OUT_LINK_UP)
		return;
	l->slow_until = now + SLOW_FOR_MS;
	if (known)
		return;
	list_each_safe(at, tmp, &l->ready)
		out_pair_wait(i, container_of(at, struct out_pair, in_link));
}

/* -- a pair was called invalid -- */

void out_link_end(struct out_link *l)
{
	l->state = OUT_LINK_ENDING;
	out_link_withdraw(l);
	list_del(&l->todo);
}

/* It is up, and its user is told in the turn. */
void out_link_close(struct initiator *i, struct out_link *l, const char *why)
{
	out_link_end(l);
	l->ours = true;
	l->why = why;
	list_add_tail(&i->to_close, &l->todo);
}

void out_links_close(struct initiator *i)
{
	while (!list_empty(&i->to_close)) {
		struct out_link *l = list_first(&i->to_close, struct out_link, todo);

		list_del(&l->todo);
		i->ops->close(i->ctx, l, l->why);
	}
}

static struct out_pair *out_link_some_pair(const struct out_link *l)
{
	list_each(at, &l->seats)
	{
		const struct seat *s = container_of(at, struct seat, of_link);

		list_each(in_seat, &s->pairs)
		{
			struct out_pair *p = container_of(in_seat, struct out_pair, at);

			if (p->state != OUT_PAIR_FAILED)
				return p;
		}
	}
	return NULL;
}

/* The others will be claimed anew on a stream that is opened now, and written to when this one has
 * gone, with all that was written to it (rule 8.7). */
static void out_link_migrate(struct initiator *i, struct out_link *l)
{
	const struct out_pair *p = out_link_some_pair(l);

	l->retired = true;
	if (p && !i->draining && target_may_open(i, p->target))
		(void)out_link_new(i, p->target, p->sender, false);
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
		if (pause > QUARANTINE_MAX_MS)
			pause = QUARANTINE_MAX_MS;
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
	if (l->state != OUT_LINK_UP)
		return;
	l->quarantined_until = 0;
	while (!list_empty(&l->held) &&
		out_pair_flush(i, list_first(&l->held, struct out_pair, in_link)))
		;
	out_link_claiming(i, l);
}

void initiator_link_room(struct initiator *i, struct out_link *l, uint64_t now)
{
	i->now = now;
	if (out_link_writes(l, now))
		out_link_calm(i, l);
}

void out_link_due(struct initiator *i, struct out_link *l)
{
	uint64_t idle = l->alive > 0 ? TIMEOUT_IDLE_OUT_MS : TIMEOUT_EMPTY_OUT_MS;

	if (l->state != OUT_LINK_UP)
		return;
	if (i->now >= l->quarantined_until)
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
	/* What it does now, however long that takes, is what was waited for. */
	if (i->now < l->quarantined_until)
		l->quarantined_until = UINT64_MAX;
	out_link_end(l);
}
