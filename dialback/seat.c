/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Seats: which stream a pair gets (rule 2.9). */
#include "core/base/mem.h"
#include "dialback/initiate_impl.h"

struct seat *seat_get(struct target *t, struct out_link *l)
{
	struct seat *s;

	list_each(at, &t->seats)
	{
		s = container_of(at, struct seat, of_target);
		if (s->l == l)
			return s;
	}
	s = mem_try_zalloc(sizeof(*s));
	if (!s)
		return NULL;
	s->target = t;
	s->l = l;
	list_init(&s->pairs);
	list_add_tail(&t->seats, &s->of_target);
	list_add_tail(&l->seats, &s->of_link);
	return s;
}

/* The seat of the target that the stream was opened for stays: others of its pairs will come. */
void seat_rest(struct seat *s)
{
	if (s->pinned || !list_empty(&s->pairs) ||
		span_eq(target_name(s->target), out_link_to(s->l)))
		return;
	list_del(&s->of_target);
	list_del(&s->of_link);
	mem_free(s);
}

/* -- which stream -- */

static bool target_is_solo(const struct initiator *i, const struct target *t)
{
	return i->now < t->solo_until;
}

/* May others of its pairs sit there, too? */
static bool seat_is_open(const struct initiator *i, const struct seat *s)
{
	return out_link_carries(s->l) &&
		!(target_is_solo(i, s->target) &&
			!span_eq(out_link_to(s->l), target_name(s->target)));
}

static bool out_link_suits(struct initiator *i, struct out_link *l, const struct out_pair *p)
{
	return l->state != OUT_LINK_UP ||
		i->ops->suits(i->ctx, l, out_pair_sender(p), out_pair_target(p));
}

/* Good for its own sender alone, or it will be found to be so. */
static bool out_link_is_others(const struct out_link *l, const struct target *t,
	const struct out_pair *p)
{
	if (!l->claimless && (!t->claimless || l->state == OUT_LINK_UP))
		return false;
	return l->sender != p->sender || !span_eq(out_link_to(l), target_name(t));
}

/* Of the streams that carry the target, in the order in which they were opened, the first that takes
 * a further pair; else the one with the fewest, which is better than none. */
static struct out_link *target_seated(struct initiator *i, const struct target *t,
	const struct out_pair *p)
{
	struct out_link *least = NULL;

	list_each(at, &t->seats)
	{
		struct out_link *l = container_of(at, struct seat, of_target)->l;

		if (!seat_is_open(i, container_of(at, struct seat, of_target)) ||
			l->pairs >= i->opts.max_pairs || out_link_is_others(l, t, p) ||
			!out_link_suits(i, l, p))
			continue;
		if (out_link_takes(l))
			return l;
		if (!least || l->pairs < least->pairs)
			least = l;
	}
	return least;
}

/* Where each sender needs its own there have to be as many as there are senders. */
static unsigned target_streams(const struct initiator *i, const struct target *t)
{
	unsigned n = 0;

	list_each(at, &t->seats)
	{
		const struct seat *s = container_of(at, struct seat, of_target);

		n += seat_is_open(i, s) && !s->l->claimless;
	}
	return n;
}

bool target_may_open(const struct initiator *i, const struct target *t)
{
	return i->now >= t->held_until && i->now >= t->not_before &&
		target_streams(i, t) < i->opts.max_streams;
}

/* Then there is nothing to wait for. */
static bool peer_lacks_errors(const struct initiator *i, const struct peer *peer)
{
	return peer && i->now < peer->known_until && !peer->errors;
}

/* Opened for another target, at a place of this one's most preferred group (2.9.2). *wait: that
 * cannot be told before it is up. Nobody waits twice: where streams turn out not to suit, hundreds
 * of targets would be served one after the other. */
static struct out_link *target_shared(struct initiator *i, struct target *t,
	const struct out_pair *p, bool *wait)
{
	for (unsigned at = 0; at < t->n_places && t->places[at].group == t->places[0].group; at++) {
		const struct peer *peer = peer_find(i, &t->places[at]);
		struct table_node *n = table_first(&i->by_place,
			place_hash(&i->key, &t->places[at]));

		if (peer && i->now < peer->no_mux_until)
			continue;
		for (; n; n = table_next(n)) {
			struct out_link *l = container_of(n, struct out_link, by_place);

			if (!place_eq(&l->places[l->which], &t->places[at]) ||
				!out_link_carries(l) || !out_link_takes(l))
				continue;
			if (l->state != OUT_LINK_UP) {
				if (t->watched || peer_lacks_errors(i, peer))
					continue;
				list_del(&t->watching);
				list_add_tail(&l->watchers, &t->watching);
				t->watched_link = l;
				out_link_hasten(i, l, p->sender);
				*wait = true;
				return NULL;
			}
			if (l->errors && out_link_suits(i, l, p))
				return l;
		}
	}
	return NULL;
}

static unsigned target_streams_apart(const struct target *t)
{
	unsigned n = 0;

	list_each(at, &t->seats) n += container_of(at, struct seat, of_target)->l->apart;
	return n;
}

static void out_pair_join(struct initiator *i, struct out_pair *p, struct out_link *l)
{
	struct seat *s = seat_get(p->target, l);

	if (!s) {
		out_pair_fail(i, p, OUT_FULL, NULL, 0);
		return;
	}
	out_link_hasten(i, l, p->sender);
	p->target->watched = false;
	if (!span_eq(out_link_to(l), out_pair_target(p)))
		i->ops->step(i->ctx, out_pair_sender(p), out_pair_target(p), OUT_STEP_JOINED,
			out_link_place(l), NULL);
	out_pair_sit(i, p, s);
}

static void out_pair_open(struct initiator *i, struct out_pair *p, bool apart)
{
	struct out_link *l;

	if (apart && target_streams_apart(p->target) >= LIMIT_OUT_APART) {
		out_pair_fail_again(i, p, OUT_FULL, NULL);
		return;
	}
	l = out_link_new(i, p->target, p->sender, apart);
	if (l)
		out_pair_join(i, p, l);
	else
		out_pair_fail(i, p, OUT_FULL, NULL, 0);
}

/* It is to have a stream that is there for nobody else. */
static bool out_pair_is_apart(const struct out_pair *p)
{
	return p->isolated || p->constrained || p->sender->foreign;
}

/* Each sender needs its own there, and they are opened a few at a time: is one of these awaited? When it
 * is up, or gone, the next is begun. */
static bool out_pair_awaits_turn(struct initiator *i, const struct target *t,
	const struct out_pair *p)
{
	bool awaits = false;

	if (!t->claimless)
		return false;
	list_each(at, &t->seats)
	{
		const struct seat *s = container_of(at, struct seat, of_target);

		if (s->l->state > OUT_LINK_OPENING || !seat_is_open(i, s))
			continue;
		out_link_hasten(i, s->l, p->sender);
		awaits = true;
	}
	return awaits;
}

/* One that the target does not have yet: another's at the same place, or a new one. False: it has to
 * wait for that. */
static bool out_pair_find_stream(struct initiator *i, struct target *t, struct out_pair *p)
{
	bool apart = out_pair_is_apart(p), wait = false;
	struct out_link *l;

	if (i->now < t->held_until) {
		out_pair_fail(i, p, t->reason.how, t->reason.condition, 0);
		return true;
	}
	if (i->now < t->not_before || !target_names(i, t, p->sender))
		return false;
	l = apart || t->claimless || target_is_solo(i, t) ? NULL : target_shared(i, t, p, &wait);
	if (wait)
		return false;
	if (l)
		out_pair_join(i, p, l);
	else if (apart || target_streams(i, t) < i->opts.max_streams)
		out_pair_open(i, p, apart);
	else if (out_pair_awaits_turn(i, t, p))
		return false;
	else
		out_pair_fail(i, p, OUT_FULL, NULL, 0);
	return true;
}

/* False: it has to wait. */
static bool out_pair_place(struct initiator *i, struct target *t, struct out_pair *p)
{
	struct out_link *l = out_pair_is_apart(p) ? NULL : target_seated(i, t, p);

	if (!l || (!out_link_takes(l) && target_may_open(i, t)))
		return out_pair_find_stream(i, t, p);
	out_pair_join(i, p, l);
	return true;
}

/* It is not for it to go on now, whatever the others do. others: those who wait for a turn have to. */
static bool out_pair_pauses(const struct initiator *i, const struct target *t,
	const struct out_pair *p, bool others)
{
	bool apart = out_pair_is_apart(p);

	return (others && !apart) || (i->now < p->not_before && (apart || t->claimless));
}

/* While the target has no stream, or each sender needs its own, what one of its pairs waits for all
 * others wait for. */
void target_advance(struct initiator *i, struct target *t)
{
	bool waits = false;

	t->pairs++; /* for as long as this takes */
	list_each_safe(at, tmp, &t->waiting)
	{
		struct out_pair *p = container_of(at, struct out_pair, at);

		if (out_pair_pauses(i, t, p, waits) || out_pair_place(i, t, p))
			continue;
		if (target_streams(i, t) == 0)
			break;
		waits = t->claimless;
	}
	t->pairs--;
	if (!list_empty(&t->waiting) && i->now < t->not_before) {
		list_del(&t->again.link);
		wheel_add(&i->target_wheel, &t->again, t->not_before, i->now);
	}
	target_rest(i, t);
}

/* A pair that needs no stream of its own would find a seat: not on one that is good for its own sender
 * only. */
bool target_is_up(const struct target *t)
{
	list_each(at, &t->seats)
	{
		const struct out_link *l = container_of(at, struct seat, of_target)->l;

		if (l->state == OUT_LINK_UP && out_link_carries(l) && !l->claimless &&
			l->pairs < l->i->opts.max_pairs)
			return true;
	}
	return false;
}
