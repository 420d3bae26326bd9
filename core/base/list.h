/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intrusive doubly linked list, circular, with a head that is a link itself.
 * A link that is in no list points at itself, so list_del is safe to repeat.
 * Owner thread only.
 */
#ifndef SLUICE_LIST_H
#define SLUICE_LIST_H

#include "core/base/base.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add(struct list *head, struct list *link)
{
	link->next = head->next;
	link->prev = head;
	head->next->prev = link;
	head->next = link;
}

static inline void list_add_tail(struct list *head, struct list *link)
{
	list_add(head->prev, link);
}

static inline void list_del(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* Moves all of from to the tail of to; from is empty afterwards. */
static inline void list_splice_tail(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	from->prev->next = to;
	to->prev->next = from->next;
	to->prev = from->prev;
	list_init(from);
}

#define list_first(head, type, member) container_of((head)->next, type, member)

/* The current entry may be removed from the list, the next one may not. */
#define list_each_safe(pos, tmp, head)                                                             \
	for (struct list *pos = (head)->next, *tmp = pos->next; pos != (head);                     \
		pos = tmp, tmp = pos->next)

#define list_each(pos, head) for (struct list *pos = (head)->next; pos != (head); pos = pos->next)

#endif
