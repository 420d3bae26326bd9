/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pair: what is kept for it, and the edges of its state machine (rule 2.3). */
#include "core/base/mem.h"
#include "dialback/initiate_impl.h"

/* -- finding and making -- */

static uint64_t out_pair_hash(const struct initiator *i, struct span from, struct span to)
{
	char name[2 * LIMIT_DOMAIN + 1];

	memcpy(name, from.p, from.n);
	name[from.n] = '\0';
	memcpy(name + from.n + 1, to.p, to.n);
	return hash_sip(&i->key, span_of(name, from.n + 1 + to.n));
}

struct span out_pair_sender(const struct out_pair *p)
{
	return span_of(p->sender->domain, p->sender->len);
}

struct span out_pair_target(const struct out_pair *p)
{
	return target_name(p->target);
}

struct out_pair *out_pair_find(struct initiator *i, struct span from, struct span to)
{
	struct table_node *n = table_first(&i->pairs, out_pair_hash(i, from, to));

	for (; n; n = table_next(n)) {
		struct out_pair *p = container_of(n, struct out_pair, node);

		if (span_eq(out_pair_sender(p), from) && span_eq(out_pair_target(p), to))
			return p;
	}
	return NULL;
}

/* In no list yet: out_pair_wait follows. */
struct out_pair *out_pair_new(struct initiator *i, struct span from, struct span to)
{
	struct sender *s = i->pairs.count < LIMIT_OUT_PAIRS ? sender_get(i, from) : NULL;
	struct target *t = s ? target_get(i, to) : NULL;
	struct out_pair *p = NULL;

	/* Of all there may be nobody has more than is left to the others. */
	if (t && s->pending < LIMIT_OUT_PENDING && s->n_pairs < LIMIT_OUT_PAIRS - i->pairs.count)
		p = mem_try_zalloc(sizeof(*p));
	if (!p) {
		if (t)
			target_rest(i, t);
		if (s)
			sender_rest(i, s);
		return NULL;
	}
	p->sender = s;
	p->target = t;
	p->state = OUT_PAIR_WAITING;
	list_init(&p->at);
	list_init(&p->in_link);
	list_init(&p->queue);
	list_init(&p->due.link);
	list_add_tail(&s->pairs, &p->of_sender);
	s->pending++;
	s->n_pairs++;
	t->pairs++;
	table_add(&i->pairs, &p->node, out_pair_hash(i, from, to));
	i->stats.pairs++;
	return p;
}

static bool is_alive(const struct out_pair *p)
{
	return p->state == OUT_PAIR_QUEUED || p->state == OUT_PAIR_REQUESTED ||
		p->state == OUT_PAIR_VALID;
}

/* The only writer of state; keeps all counts. */
static void out_pair_set(struct out_pair *p, enum out_pair_state to)
{
	struct out_link *l = p->seat ? p->seat->l : NULL;

	if (l) {
		l->alive -= is_alive(p);
		l->valid -= p->state == OUT_PAIR_VALID;
		l->outstanding -= p->state == OUT_PAIR_REQUESTED;
	}
	p->sender->pending -= p->state != OUT_PAIR_VALID;
	p->state = (uint8_t)to;
	p->sender->pending += p->state != OUT_PAIR_VALID;
	if (l) {
		l->alive += is_alive(p);
		l->valid += p->state == OUT_PAIR_VALID;
		l->outstanding += p->state == OUT_PAIR_REQUESTED;
	}
	p->late = false;
}

/* Leaves its stream, in a state that has none: WAITING or FAILED is set by the caller. */
void out_pair_unseat(struct initiator *i, struct out_pair *p)
{
	struct seat *s = p->seat;

	list_del(&p->in_link);
	list_del(&p->at);
	if (!s)
		return;
	out_pair_set(p, OUT_PAIR_WAITING);
	s->l->pairs--;
	p->seat = NULL;
	p->shares = false;
	out_link_claiming(i, s->l); /* in its stead */
	seat_rest(s);
}

void out_pair_free(struct initiator *i, struct out_pair *p)
{
	struct sender *s = p->sender;
	struct target *t = p->target;

	BUG_ON(!list_empty(&p->queue));
	out_pair_unseat(i, p);
	out_pair_set(p, OUT_PAIR_VALID); /* which is not counted as pending */
	list_del(&p->due.link);
	list_del(&p->of_sender);
	table_del(&i->pairs, &p->node);
	i->stats.pairs--;
	s->n_pairs--;
	mem_free(p);
	t->pairs--;
	target_rest(i, t);
	sender_rest(i, s);
}

void out_pair_arm(struct initiator *i, struct out_pair *p, uint64_t at)
{
	list_del(&p->due.link);
	wheel_add(&i->pair_wheel, &p->due, at, i->now);
}

void out_pair_arm_kept(struct initiator *i, struct out_pair *p)
{
	bool first = p->state == OUT_PAIR_WAITING && i->now < p->not_before &&
		p->not_before < p->give_up;

	out_pair_arm(i, p, first ? p->not_before : p->give_up);
}

/* -- what is kept -- */

static struct kept *kept_new(const struct span *pieces, unsigned n)
{
	size_t len = 0;
	struct kept *k;

	for (unsigned at = 0; at < n; at++)
		len += pieces[at].n;
	k = mem_try_alloc(sizeof(*k) + len + OUT_PAD);
	if (!k)
		return NULL;
	k->len = 0;
	for (unsigned at = 0; at < n; at++) {
		if (pieces[at].n)
			memcpy(k->bytes + k->len, pieces[at].p, pieces[at].n);
		k->len += (uint32_t)pieces[at].n;
	}
	memset(k->bytes + k->len, 0, OUT_PAD);
	return k;
}

static void out_pair_count(struct initiator *i, struct out_pair *p, const struct kept *k)
{
	if (p->stanzas++ == 0)
		p->give_up = i->now + TIMEOUT_DELIVER_MS;
	p->bytes += k->len;
	p->sender->kept += k->len;
	i->kept += k->len;
}

bool out_pair_keep(struct initiator *i, struct out_pair *p, const struct span *pieces, unsigned n)
{
	struct kept *k;
	size_t len = 0;

	for (unsigned at = 0; at < n; at++)
		len += pieces[at].n;
	/* A single stanza may be as large as --max-stanza allows. */
	if (p->stanzas >= LIMIT_OUT_STANZAS || (p->stanzas && p->bytes + len > LIMIT_OUT_BYTES))
		return false;
	/* No sender takes more than it leaves to the others. */
	if (i->kept + p->sender->kept + len > i->opts.max_kept)
		return false;
	k = kept_new(pieces, n);
	if (!k)
		return false;
	out_pair_count(i, p, k);
	list_add_tail(&p->queue, &k->link);
	return true;
}

/* From one stream that does not live for long to the next: not for longer than if it had waited. */
static void out_pair_move(const struct initiator *i, struct out_pair *p)
{
	if (!p->moved_at || i->now > p->moved_at + SHORT_LIFE_MS)
		p->moving_since = i->now;
	p->moved_at = i->now;
	if (p->give_up > p->moving_since + TIMEOUT_DELIVER_MS)
		p->give_up = p->moving_since + TIMEOUT_DELIVER_MS;
}

bool out_pair_requeue(struct initiator *i, struct out_pair *p, struct span stanza)
{
	struct kept *k = kept_new(&stanza, 1);

	if (!k)
		return false;
	out_pair_count(i, p, k);
	out_pair_move(i, p);
	list_add(p->mark ? p->mark : &p->queue, &k->link);
	p->mark = &k->link;
	return true;
}

static struct kept *out_pair_take(struct initiator *i, struct out_pair *p)
{
	struct kept *k;

	if (list_empty(&p->queue))
		return NULL;
	k = list_first(&p->queue, struct kept, link);
	if (p->mark == &k->link)
		p->mark = NULL;
	list_del(&k->link);
	p->stanzas--;
	p->bytes -= k->len;
	p->sender->kept -= k->len;
	i->kept -= k->len;
	return k;
}

bool out_pair_flush(struct initiator *i, struct out_pair *p)
{
	struct out_link *l = p->seat->l;

	list_del(&p->in_link);
	l->used_at = i->now;
	while (!list_empty(&p->queue)) {
		const struct kept *k = list_first(&p->queue, struct kept, link);

		if (!i->ops->send(i->ctx, l, out_pair_sender(p), out_pair_target(p),
			    span_of(k->bytes, k->len))) {
			list_add(&l->held, &p->in_link);
			return false;
		}
		mem_free(out_pair_take(i, p));
	}
	return true;
}

void out_pair_return(struct initiator *i, struct out_pair *p, const struct out_reason *why)
{
	struct kept *k;

	while ((k = out_pair_take(i, p))) {
		i->ops->give_back(i->ctx, span_of(k->bytes, k->len), why);
		mem_free(k);
	}
}

/* -- the edges -- */

void out_pair_wait(struct initiator *i, struct out_pair *p)
{
	if (i->draining) {
		out_pair_fail(i, p, OUT_DRAINING, NULL, 0);
		return;
	}
	out_pair_unseat(i, p);
	out_pair_set(p, OUT_PAIR_WAITING);
	if (p->stanzas == 0)
		p->give_up = i->now + TIMEOUT_DELIVER_MS;
	out_pair_arm_kept(i, p);
	if (sender_known(i, p->sender))
		target_want(i, p->target, p);
	else
		list_add_tail(&p->target->unsure, &p->at);
}

/* Nothing is to be sent; how its streams end is remembered for a moment. */
static void out_pair_rest(struct initiator *i, struct out_pair *p)
{
	out_pair_fade(i, p);
	p->hold_until = i->now;
	out_pair_arm(i, p, (i->now < p->not_before ? p->not_before : i->now) + SHORT_LIFE_MS);
}

void out_pair_leave(struct initiator *i, struct out_pair *p)
{
	bool idle = p->state == OUT_PAIR_VALID && list_empty(&p->queue) && !p->seat->l->retired;

	p->mark = NULL;
	if (p->state == OUT_PAIR_FAILED)
		out_pair_fade(i, p);
	else if (idle && p->losses > 0)
		out_pair_rest(i, p);
	else if (idle)
		out_pair_free(i, p);
	else
		out_pair_wait(i, p);
}

void out_pair_sit(struct initiator *i, struct out_pair *p, struct seat *s)
{
	out_pair_unseat(i, p);
	p->seat = s;
	s->l->pairs++;
	list_add_tail(&s->pairs, &p->at);
	out_pair_set(p, OUT_PAIR_QUEUED);
	list_add_tail(&s->l->ready, &p->in_link);
	out_link_claiming(i, s->l);
}

void out_pair_queue_again(struct initiator *i, struct out_pair *p)
{
	out_pair_set(p, OUT_PAIR_QUEUED);
	list_add_tail(&p->seat->l->ready, &p->in_link);
	out_pair_arm(i, p, p->give_up);
}

static void out_pair_await(struct initiator *i, struct out_pair *p)
{
	uint64_t until = p->asked_at + TIMEOUT_DIALBACK_MS;

	out_pair_arm(i, p, p->stanzas && p->give_up < until ? p->give_up : until);
}

void out_pair_requested(struct initiator *i, struct out_pair *p)
{
	list_del(&p->in_link);
	out_pair_set(p, OUT_PAIR_REQUESTED);
	p->asked_at = i->now;
	out_pair_await(i, p);
	i->stats.claims++;
	i->ops->step(i->ctx, out_pair_sender(p), out_pair_target(p), OUT_STEP_CLAIMED,
		out_link_place(p->seat->l), NULL);
}

void out_pair_valid(struct initiator *i, struct out_pair *p)
{
	struct out_link *l = p->seat->l;

	list_del(&p->in_link);
	list_del(&p->due.link);
	out_pair_set(p, OUT_PAIR_VALID);
	l->proved = true;
	p->hold_ms = 0;
	p->constrained = p->alone = false;
	p->target->failures = 0;
	i->stats.valid++;
	i->ops->step(i->ctx, out_pair_sender(p), out_pair_target(p), OUT_STEP_VALID,
		out_link_place(l), NULL);
	if (out_link_writes(l, i->now))
		(void)out_pair_flush(i, p);
	else if (!list_empty(&p->queue))
		list_add_tail(&l->held, &p->in_link);
	if (!list_empty(&p->queue))
		out_pair_arm(i, p, p->give_up);
}

void out_pair_fade(struct initiator *i, struct out_pair *p)
{
	out_pair_unseat(i, p);
	out_pair_set(p, OUT_PAIR_FAILED);
	list_add_tail(&p->target->failed, &p->at);
}

static uint64_t hold_again(const struct out_pair *p)
{
	uint64_t hold = p->hold_ms ? 2 * p->hold_ms : HOLD_TRANSIENT_MS;

	return hold < HOLD_OUT_MAX_MS ? hold : HOLD_OUT_MAX_MS;
}

/* It is remembered for as long again, and that it is isolated for a while in any case. */
static void out_pair_hold(struct initiator *i, struct out_pair *p, const struct out_reason *why,
	uint64_t hold_ms)
{
	uint64_t memory = p->isolated ? HOLD_INVALID_MS : hold_ms;

	p->reason = *why;
	p->hold_ms = hold_ms;
	p->hold_until = i->now + hold_ms;
	out_pair_arm(i, p, p->hold_until + memory);
}

void out_pair_fail(struct initiator *i, struct out_pair *p, enum out_failure how,
	const char *condition, uint64_t hold_ms)
{
	const struct out_reason why = { how, condition };

	i->ops->step(i->ctx, out_pair_sender(p), out_pair_target(p), OUT_STEP_FAILED,
		p->seat ? out_link_place(p->seat->l) : NULL, &why);
	out_pair_return(i, p, &why);
	if (hold_ms == 0 && !p->isolated) {
		out_pair_free(i, p);
		return;
	}
	out_pair_fade(i, p);
	out_pair_hold(i, p, &why, hold_ms);
}

void out_pair_fail_again(struct initiator *i, struct out_pair *p, enum out_failure how,
	const char *condition)
{
	out_pair_fail(i, p, how, condition, hold_again(p));
}

/* It keeps its seat: a late `valid` counts, for as long as nothing else is tried. */
static void out_pair_unanswered(struct initiator *i, struct out_pair *p)
{
	const struct out_reason why = { OUT_NO_ANSWER, NULL };
	struct out_link *l = p->seat->l;
	struct peer *peer = p->shares ? peer_get(i, out_link_place(l)) : NULL;

	i->ops->step(i->ctx, out_pair_sender(p), out_pair_target(p), OUT_STEP_FAILED,
		out_link_place(l), &why);
	out_pair_return(i, p, &why);
	out_pair_set(p, OUT_PAIR_FAILED);
	p->late = true;
	out_pair_hold(i, p, &why, hold_again(p));
	l->used_at = i->now; /* it is not closed while the answer may just be late */
	out_link_claiming(i, l);
	if (peer && ++peer->unanswered >= 3)
		peer->no_mux_until = i->now + HOLD_NO_MUX_MS;
}

/* Its target knows what it has waited for. */
static void out_pair_give_up(struct initiator *i, struct out_pair *p)
{
	struct target *t = p->target;

	if (t->failures == 0) {
		out_pair_fail(i, p, OUT_EXPIRED, NULL, 0);
		return;
	}
	t->trusted_until = 0;
	out_pair_fail(i, p, t->reason.how, t->reason.condition, 0);
}

static void out_pair_still_requested(struct initiator *i, struct out_pair *p)
{
	const struct out_reason why = { OUT_EXPIRED, NULL };

	if (i->now >= p->asked_at + TIMEOUT_DIALBACK_MS) {
		out_pair_unanswered(i, p);
		return;
	}
	out_pair_return(i, p, &why);
	out_pair_await(i, p);
}

/* Its stream takes next to nothing. */
static void out_pair_held_due(struct initiator *i, struct out_pair *p)
{
	const struct out_reason why = { OUT_EXPIRED, NULL };

	if (p->stanzas == 0)
		return;
	if (i->now < p->give_up) {
		out_pair_arm(i, p, p->give_up);
		return;
	}
	list_del(&p->in_link);
	out_pair_return(i, p, &why);
}

void out_pair_due(struct initiator *i, struct out_pair *p)
{
	switch ((enum out_pair_state)p->state) {
	case OUT_PAIR_WAITING:
	case OUT_PAIR_QUEUED:
		if (i->now >= p->give_up) {
			out_pair_give_up(i, p);
			break;
		}
		out_pair_arm_kept(i, p);
		target_stir(i, p->target);
		break;
	case OUT_PAIR_REQUESTED:
		out_pair_still_requested(i, p);
		break;
	case OUT_PAIR_FAILED:
		out_pair_free(i, p);
		break;
	case OUT_PAIR_VALID:
		out_pair_held_due(i, p);
		break;
	}
}
