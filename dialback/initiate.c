/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/mem.h"
#include "dialback/initiate_impl.h"

struct initiator *initiator_new(const struct initiate_ops *ops, void *ctx,
	const struct initiate_opts *opts)
{
	struct initiator *i = mem_zalloc(sizeof(*i));

	i->ops = ops;
	i->ctx = ctx;
	i->opts = *opts;
	hash_key_random(&i->key);
	table_init(&i->pairs);
	table_init(&i->targets);
	table_init(&i->senders);
	table_init(&i->cookies);
	table_init(&i->by_place);
	table_init(&i->peers);
	list_init(&i->all_targets);
	list_init(&i->stirred);
	list_init(&i->resting);
	list_init(&i->round);
	list_init(&i->openers);
	list_init(&i->links);
	list_init(&i->claiming);
	list_init(&i->to_close);
	list_init(&i->peers_by_use);
	wheel_init(&i->pair_wheel);
	wheel_init(&i->target_wheel);
	wheel_init(&i->link_wheel);
	return i;
}

static void peer_drop(struct table_node *n)
{
	mem_free(container_of(n, struct peer, node));
}

static void sender_drop(struct table_node *n)
{
	mem_free(container_of(n, struct sender, node));
}

static void target_drop(struct table_node *n)
{
	struct target *t = container_of(n, struct target, node);

	mem_free(t->places);
	mem_free(t);
}

static void out_pair_drop(struct table_node *n)
{
	struct out_pair *p = container_of(n, struct out_pair, node);

	while (!list_empty(&p->queue)) {
		struct kept *k = list_first(&p->queue, struct kept, link);

		list_del(&k->link);
		mem_free(k);
	}
	mem_free(p);
}

void initiator_free(struct initiator *i)
{
	if (!i)
		return;
	/* Those that were never opened have nobody who would tell their end. */
	out_links_drop(i);
	BUG_ON(!list_empty(&i->links));
	table_free(&i->pairs, out_pair_drop);
	table_free(&i->targets, target_drop);
	table_free(&i->senders, sender_drop);
	table_free(&i->peers, peer_drop);
	table_free(&i->cookies, NULL);
	table_free(&i->by_place, NULL);
	mem_free(i);
}

void initiator_stats(const struct initiator *i, struct initiate_stats *out)
{
	*out = i->stats;
	out->kept = i->kept;
}

/* -- stanzas -- */

static enum out_take out_keep(struct initiator *i, struct out_pair *p, const struct span *pieces,
	unsigned n, struct out_reason *why)
{
	bool first = list_empty(&p->queue);

	if (i->draining) {
		*why = (struct out_reason){ OUT_DRAINING, NULL };
		return OUT_RETURN;
	}
	if (!out_pair_keep(i, p, pieces, n)) {
		*why = (struct out_reason){ OUT_FULL, NULL };
		return OUT_RETURN;
	}
	if (first && p->state == OUT_PAIR_VALID)
		list_add_tail(&p->seat->l->held, &p->in_link);
	if (first && (p->state <= OUT_PAIR_QUEUED || p->state == OUT_PAIR_VALID))
		out_pair_arm_kept(i, p);
	return OUT_KEPT;
}

static enum out_take out_return(struct out_reason *why, struct out_reason what)
{
	*why = what;
	return OUT_RETURN;
}

/* One that would have a stream of its own does not get it for an error. */
static bool out_error_may_begin(const struct target *t, const struct out_pair *p)
{
	return t && target_is_up(t) &&
		!(p && (p->isolated || p->constrained || p->sender->foreign));
}

/* A pair that is not known, or that may be tried again. */
static enum out_take out_begin(struct initiator *i, struct out_pair *p, struct span from,
	struct span to, const struct span *pieces, unsigned n, bool error, struct out_reason *why)
{
	struct target *t = target_find(i, to);
	enum out_take take;

	if (error && !out_error_may_begin(t, p))
		return OUT_NOWHERE;
	if (i->draining)
		return out_return(why, (struct out_reason){ OUT_DRAINING, NULL });
	if (t && i->now < t->held_until && !target_is_up(t))
		return out_return(why, t->reason);
	if (!i->ops->permits(i->ctx, from, to))
		return out_return(why, (struct out_reason){ OUT_BLOCKED, NULL });
	if (!p)
		p = out_pair_new(i, from, to);
	if (!p)
		return out_return(why, (struct out_reason){ OUT_FULL, NULL });
	take = out_keep(i, p, pieces, n, why);
	if (take == OUT_KEPT) {
		i->ops->step(i->ctx, from, to, OUT_STEP_BEGUN, NULL, NULL);
		out_pair_wait(i, p);
	} else if (p->state == OUT_PAIR_WAITING) {
		out_pair_free(i, p);
	}
	return take;
}

enum out_take initiator_stanza(struct initiator *i, struct span from, struct span to,
	const struct span *pieces, unsigned n, bool error, struct out_link **l,
	struct out_reason *why, uint64_t now)
{
	struct out_pair *p = out_pair_find(i, from, to);

	i->now = now;
	if (likely(p && p->state == OUT_PAIR_VALID)) {
		*l = p->seat->l;
		if (unlikely(!out_link_writes(*l, now) || !list_empty(&p->queue)))
			return out_keep(i, p, pieces, n, why);
		(*l)->used_at = now;
		return OUT_WRITE;
	}
	if (p && p->state == OUT_PAIR_FAILED && now < p->hold_until)
		return out_return(why, p->reason);
	if (p && p->state != OUT_PAIR_FAILED)
		return out_keep(i, p, pieces, n, why);
	return out_begin(i, p, from, to, pieces, n, error, why);
}

bool initiator_requeue(struct initiator *i, struct out_link *l, struct span from, struct span to,
	struct span stanza)
{
	struct out_pair *p = out_pair_find(i, from, to);

	if (!p || !p->seat || p->seat->l != l || p->state == OUT_PAIR_FAILED ||
		!out_pair_requeue(i, p, stanza))
		return false;
	i->stats.moved++;
	return true;
}

/* -- answers -- */

/* The second is ejabberd's word for it. */
static bool says_unhosted(enum db_condition condition)
{
	return condition == DB_ITEM_NOT_FOUND || condition == DB_NOT_ALLOWED;
}

static uint64_t hold_of(enum db_condition condition)
{
	switch (condition) {
	case DB_ITEM_NOT_FOUND:
	case DB_NOT_ALLOWED:
		return HOLD_NOT_FOUND_MS;
	case DB_POLICY_VIOLATION:
	case DB_NOT_AUTHORIZED:
	case DB_FORBIDDEN:
		return HOLD_POLICY_MS;
	default:
		return 0;
	}
}

/* One more try on a stream of its own: the text allows both that and giving up (O-28, 2.9.5). */
static bool out_pair_retries(struct initiator *i, struct out_pair *p, enum db_condition condition)
{
	if (p->state != OUT_PAIR_REQUESTED)
		return false;
	if (condition == DB_RESOURCE_CONSTRAINT && !p->constrained) {
		p->constrained = true;
		return true;
	}
	if (says_unhosted(condition) && p->shares && !p->alone) {
		p->alone = true;
		p->target->solo_until = i->now + HOLD_NO_MUX_MS;
		return true;
	}
	return false;
}

static void out_pair_refused(struct initiator *i, struct out_pair *p, enum db_condition condition)
{
	const char *name = condition < DB_CONDITION_COUNT ? db_condition_name(condition)
							  : "undefined-condition";
	uint64_t hold = hold_of(condition);

	i->stats.refused++;
	out_link_disprove(p->seat->l, p);
	if (out_pair_retries(i, p, condition))
		out_pair_wait(i, p);
	else if (hold)
		out_pair_fail(i, p, OUT_REFUSED, name, hold);
	else
		out_pair_fail_again(i, p, OUT_REFUSED, name);
}

static void out_pair_invalid(struct initiator *i, struct out_pair *p)
{
	struct out_link *l = p->seat->l;

	i->stats.invalid++;
	out_link_disprove(l, p);
	p->isolated = true;
	out_pair_fail(i, p, OUT_INVALID, NULL, HOLD_INVALID_MS);
	out_link_after_invalid(i, l);
}

static bool out_pair_awaits(const struct out_pair *p, const struct out_link *l, enum answer answer)
{
	if (!p || !p->seat || p->seat->l != l)
		return false;
	return p->state == OUT_PAIR_REQUESTED ||
		(p->state == OUT_PAIR_VALID && answer != ANSWER_VALID) ||
		(p->late && answer == ANSWER_VALID);
}

static void out_link_learn(struct initiator *i, struct out_link *l, const struct out_pair *p,
	enum answer answer)
{
	struct peer *peer = p->shares ? peer_find(i, out_link_place(l)) : NULL;

	if (peer)
		peer->unanswered = 0;
	l->bears |= p->shares;
	/* The others had to ask the authority first. */
	if (p->state == OUT_PAIR_REQUESTED && i->now - p->asked_at < l->rtt)
		l->rtt = i->now - p->asked_at;
	/* Never less than at first: one claim without an answer must not hold up all others. */
	if (answer == ANSWER_VALID)
		l->window += l->window < LIMIT_OUT_WINDOW_MAX;
	else if (l->window > LIMIT_OUT_WINDOW_MIN)
		l->window = l->window / 2 > LIMIT_OUT_WINDOW_MIN ? l->window / 2
								 : LIMIT_OUT_WINDOW_MIN;
}

bool initiator_answer(struct initiator *i, struct out_link *l, struct span from, struct span to,
	enum answer answer, enum db_condition condition, uint64_t now)
{
	struct out_pair *p = out_pair_find(i, to, from);

	i->now = now;
	if (!out_pair_awaits(p, l, answer)) {
		i->stats.unsolicited++;
		return false;
	}
	out_link_learn(i, l, p, answer);
	switch (answer) {
	case ANSWER_VALID:
		out_pair_valid(i, p);
		break;
	case ANSWER_ERROR:
		out_pair_refused(i, p, condition);
		break;
	case ANSWER_INVALID:
		/* Whoever has called two of them invalid may still be about to close. */
		out_pair_invalid(i, p);
		return true;
	}
	/* Last of all: what was held for the pair itself must not go where it has just been refused. */
	out_link_calm(i, l);
	return true;
}

/* -- policy, the end -- */

static void pairs_review(struct initiator *i, struct list *pairs)
{
	list_each_safe(at, tmp, pairs)
	{
		struct out_pair *p = container_of(at, struct out_pair, at);

		if (!i->ops->permits(i->ctx, out_pair_sender(p), out_pair_target(p)))
			out_pair_fail(i, p, OUT_BLOCKED, NULL, 0);
		else if (p->seat && p->seat->l->state == OUT_LINK_UP &&
			!i->ops->suits(i->ctx, p->seat->l, out_pair_sender(p), out_pair_target(p)))
			out_pair_leave(i,
				p); /* the others stay; what it has written goes first, most likely */
	}
}

static void target_each_list(struct initiator *i, struct target *t,
	void (*fn)(struct initiator *i, struct list *pairs))
{
	t->pairs++; /* for as long as this takes */
	fn(i, &t->unsure);
	fn(i, &t->waiting);
	list_each_safe(at, tmp, &t->seats)
	{
		struct seat *s = container_of(at, struct seat, of_target);

		s->pinned = true;
		fn(i, &s->pairs);
		s->pinned = false;
		seat_rest(s);
	}
	t->pairs--;
	target_rest(i, t);
}

/* What our own rules forbade, and what our certificates may have been in the way of: they may be others
 * now. */
static void out_pair_forgive(const struct initiator *i, struct out_pair *p)
{
	if (p->reason.how != OUT_NO_TLS && p->reason.how != OUT_NO_AUTH &&
		p->reason.how != OUT_NO_STREAM)
		return;
	p->hold_until = i->now;
	p->hold_ms = 0;
}

void initiator_review(struct initiator *i, uint64_t now)
{
	i->now = now;
	list_each_safe(at, tmp, &i->all_targets)
	{
		struct target *t = container_of(at, struct target, link);

		t->held_until = 0; /* whatever failed, it may go now */
		list_each(failed, &t->failed)
			out_pair_forgive(i, container_of(failed, struct out_pair, at));
		target_each_list(i, t, pairs_review);
	}
}

static void pairs_drain(struct initiator *i, struct list *pairs)
{
	list_each_safe(at, tmp, pairs)
	{
		struct out_pair *p = container_of(at, struct out_pair, at);
		const struct out_reason why = { OUT_DRAINING, NULL };

		if (p->state != OUT_PAIR_VALID)
			out_pair_fail(i, p, OUT_DRAINING, NULL, 0);
		else
			out_pair_return(i, p, &why);
	}
}

void initiator_drain(struct initiator *i, uint64_t now)
{
	i->now = now;
	i->draining = true;
	out_links_drop(i);
	list_each(at, &i->links) out_link_calm(i, container_of(at, struct out_link, all));
	list_each_safe(at, tmp, &i->all_targets)
		target_each_list(i, container_of(at, struct target, link), pairs_drain);
}

/* -- the turn -- */

static void wheels_turn(struct initiator *i)
{
	struct deadline *d;

	while ((d = wheel_due(&i->pair_wheel, i->now)))
		out_pair_due(i, container_of(d, struct out_pair, due));
	while ((d = wheel_due(&i->target_wheel, i->now)))
		target_due(i, container_of(d, struct target, again));
	while ((d = wheel_due(&i->link_wheel, i->now)))
		out_link_due(i, container_of(d, struct out_link, due));
}

void initiator_turn(struct initiator *i, uint64_t now)
{
	i->now = now;
	wheels_turn(i);
	while (!i->draining && !list_empty(&i->stirred)) {
		struct target *t = list_first(&i->stirred, struct target, stirred);

		list_del(&t->stirred);
		target_advance(i, t);
	}
	senders_look_up(i);
	out_links_open(i);
	out_links_claim(i);
	out_links_close(i);
	targets_forget(i);
}

uint32_t initiator_next(const struct initiator *i, uint64_t now, uint32_t max)
{
	if (!list_empty(&i->claiming) || !list_empty(&i->to_close) ||
		(!i->draining && !list_empty(&i->stirred)) ||
		(i->looking < LIMIT_OUT_LOOKUPS && !list_empty(&i->round)) ||
		(i->opening < LIMIT_OUT_OPENING && !list_empty(&i->openers)))
		return 0;
	max = wheel_next(&i->pair_wheel, now, max);
	max = wheel_next(&i->target_wheel, now, max);
	return wheel_next(&i->link_wheel, now, max);
}
