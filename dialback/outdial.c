/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which link is dialled next: one of each sender in turn, so that nobody's flood delays what others want. */
#include "dialback/initiate_impl.h"

void out_link_to_open(struct initiator *i, struct out_link *l)
{
	l->state = OUT_LINK_TO_OPEN;
	list_del(&l->todo);
	list_add_tail(&l->opener->to_open, &l->todo);
	if (list_empty(&l->opener->open_turn))
		list_add_tail(&i->openers, &l->opener->open_turn);
}

void out_link_unqueue(struct out_link *l)
{
	list_del(&l->todo);
	if (list_empty(&l->opener->to_open))
		list_del(&l->opener->open_turn);
}

/* Is a slot left to it? Of all that there are nobody has more than it leaves to the others. */
static bool sender_may_open(const struct initiator *i, const struct sender *s)
{
	return s->opening == 0 || s->opening < LIMIT_OUT_OPENING - i->opening;
}

/* Not to where it would come later: a flood must not take what others open. */
void out_link_hasten(struct initiator *i, struct out_link *l, struct sender *s)
{
	struct sender *was = l->opener;
	bool first = was->to_open.next == &l->todo;

	if (l->state != OUT_LINK_TO_OPEN || s == was || !list_empty(&s->to_open))
		return;
	if ((first || !sender_may_open(i, s)) && was->opening <= s->opening)
		return;
	out_link_unqueue(l);
	l->opener = s;
	out_link_to_open(i, l);
	sender_rest(i, was);
}

/* One of each sender in turn. */
static struct out_link *openers_next(struct initiator *i)
{
	struct sender *s = list_first(&i->openers, struct sender, open_turn);
	struct out_link *l = list_first(&s->to_open, struct out_link, todo);

	list_del(&s->open_turn);
	list_del(&l->todo);
	if (!list_empty(&s->to_open))
		list_add_tail(&i->openers, &s->open_turn);
	return l;
}

/* Nobody but its own sender has to do with its opening any more. */
static void out_link_disown(struct initiator *i, struct out_link *l)
{
	struct sender *was = l->opener;

	l->opener = l->sender;
	sender_rest(i, was);
}

/* It was never dialled, and is not to be. */
static void out_link_drop(struct initiator *i, struct out_link *l)
{
	out_link_disown(i, l);
	initiator_link_down(i, l, OUT_LOSS_OURS, NULL, i->now);
}

/* Also those whose opener has to wait for a slot, and is not in turn. */
void out_links_drop(struct initiator *i)
{
	list_each_safe(at, tmp, &i->links)
	{
		struct out_link *l = container_of(at, struct out_link, all);

		if (l->state != OUT_LINK_TO_OPEN)
			continue;
		out_link_unqueue(l);
		out_link_drop(i, l);
	}
}

/* By those who sit on it, or will: from another stream of the target, or of another target. */
static bool out_link_is_awaited(const struct out_link *l)
{
	if (l->pairs > 0 || !list_empty(&l->watchers))
		return true;
	list_each(at, &l->seats)
	{
		if (container_of(at, struct seat, of_link)->target->pairs > 0)
			return true;
	}
	return false;
}

static void out_link_dial(struct initiator *i, struct out_link *l)
{
	l->state = OUT_LINK_OPENING;
	i->opening++;
	l->opener->opening++;
	i->ops->step(i->ctx, SPAN_NONE, out_link_to(l), OUT_STEP_DIALLED, &l->places[0], NULL);
	if (!i->ops->open(i->ctx, l, l->places, l->n_places, out_link_from(l), out_link_to(l),
		    l->proof))
		initiator_link_down(i, l, OUT_LOSS_OVERLOAD, NULL, i->now);
}

void out_links_open(struct initiator *i)
{
	while (i->opening < LIMIT_OUT_OPENING && !list_empty(&i->openers)) {
		struct sender *s = list_first(&i->openers, struct sender, open_turn);
		struct out_link *l;

		/* The others' slots: it goes on when one of its own is free again. */
		if (!sender_may_open(i, s)) {
			list_del(&s->open_turn);
			continue;
		}
		l = openers_next(i);
		if (out_link_is_awaited(l))
			out_link_dial(i, l);
		else
			out_link_drop(i, l);
	}
}

void out_link_opened(struct initiator *i, struct out_link *l)
{
	struct sender *s = l->opener;

	i->opening--;
	s->opening--;
	if (!list_empty(&s->to_open) && list_empty(&s->open_turn))
		list_add_tail(&i->openers, &s->open_turn);
	out_link_disown(i, l);
}
