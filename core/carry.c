/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/carry.h"

#include "core/base/mem.h"
#include "xml/scan.h"

/* A partial stanza at the end of a receive is the usual case and small: a proven stream keeps this
 * much memory for the next. */
#define KEEP 4096

void carries_init(struct carries *all, size_t max)
{
	list_init(&all->strangers);
	list_init(&all->proven);
	all->bytes = 0;
	all->max = max;
}

struct carry *carries_victim(const struct carries *all)
{
	if (likely(all->bytes <= all->max))
		return NULL;
	if (!list_empty(&all->strangers))
		return list_first(&all->strangers, struct carry, link);
	if (!list_empty(&all->proven))
		return list_first(&all->proven, struct carry, link);
	return NULL; /* what is left is memory kept for the next element */
}

void carry_init(struct carry *c, struct carries *all)
{
	*c = (struct carry){ .all = all };
	list_init(&c->link);
}

void carry_free(struct carry *c)
{
	list_del(&c->link);
	c->all->bytes -= c->cap;
	mem_free(c->p);
	c->p = NULL;
	c->n = c->cap = 0;
}

static void carry_enlist(struct carry *c)
{
	list_del(&c->link);
	list_add_tail(c->proven ? &c->all->proven : &c->all->strangers, &c->link);
}

void carry_prove(struct carry *c)
{
	c->proven = true;
	if (c->n > 0)
		carry_enlist(c);
}

static bool carry_grow(struct carry *c, size_t need)
{
	size_t cap = need < KEEP ? KEEP : need + need / 2;
	char *grown = mem_try_realloc(c->p, cap);

	if (!grown)
		return false;
	c->all->bytes += cap - c->cap;
	c->p = grown;
	c->cap = cap;
	return true;
}

bool carry_append(struct carry *c, const char *p, size_t n)
{
	size_t need = c->n + n + SCAN_PAD;

	if (need > c->cap && !carry_grow(c, need))
		return false;
	if (c->n == 0)
		carry_enlist(c);
	memcpy(c->p + c->n, p, n);
	memset(c->p + c->n + n, 0, SCAN_PAD);
	c->n += n;
	return true;
}

void carry_drop(struct carry *c, size_t n)
{
	BUG_ON(n > c->n);
	c->n -= n;
	if (c->n > 0)
		memmove(c->p, c->p + n, c->n + SCAN_PAD);
	else if (c->cap > KEEP || !c->proven)
		carry_free(c);
	else
		list_del(&c->link);
}
