/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/claim.h"

#include "core/base/mem.h"

static char *text_put(char *at, struct span s)
{
	if (s.n)
		memcpy(at, s.p, s.n);
	return at + s.n;
}

struct claim *claim_new(struct asker *a, struct pair *pair, struct span from, struct span to,
	struct span raw_from, struct span raw_to, struct span key)
{
	struct span id = span_str(a->id);
	size_t text = from.n + to.n + id.n + key.n + raw_from.n + raw_to.n;
	struct claim *c = mem_try_alloc(sizeof(*c) + text);
	char *at;

	BUG_ON(from.n > LIMIT_DOMAIN || to.n > LIMIT_DOMAIN || key.n > LIMIT_KEY);
	if (!c)
		return NULL;
	*c = (struct claim){ .asker = a,
		.pair = pair,
		.state = CLAIM_NEW,
		.left = TIMEOUT_VERIFY_MS,
		.from_len = (uint16_t)from.n,
		.to_len = (uint16_t)to.n,
		.id_len = (uint16_t)id.n,
		.key_len = (uint16_t)key.n,
		.raw_from_len = (uint32_t)raw_from.n,
		.raw_to_len = (uint32_t)raw_to.n };
	list_init(&c->all);
	list_init(&c->queue);
	list_init(&c->member);
	list_init(&c->deadline.link);
	at = text_put(c->text, from);
	at = text_put(at, to);
	at = text_put(at, id);
	at = text_put(at, key);
	at = text_put(at, raw_from);
	text_put(at, raw_to);
	return c;
}

struct asker *claim_asker(const struct claim *c)
{
	return c->asker;
}

struct pair *claim_pair(const struct claim *c)
{
	return c->pair;
}

struct span claim_from(const struct claim *c)
{
	return span_of(c->text, c->from_len);
}

static struct span span_after(struct span s, size_t n)
{
	return span_of(s.p + s.n, n);
}

struct span claim_to(const struct claim *c)
{
	return span_after(claim_from(c), c->to_len);
}

struct span claim_id(const struct claim *c)
{
	return span_after(claim_to(c), c->id_len);
}

struct span claim_key(const struct claim *c)
{
	return span_after(claim_id(c), c->key_len);
}

struct span claim_raw_from(const struct claim *c)
{
	return span_after(claim_key(c), c->raw_from_len);
}

struct span claim_raw_to(const struct claim *c)
{
	return span_after(claim_raw_from(c), c->raw_to_len);
}

/* -- lanes -- */

void lane_init(struct verify_lane *lane)
{
	list_init(&lane->claims);
	list_init(&lane->turn);
}

void lane_push(struct verify_lane *lane, struct claim *c, struct list *round)
{
	list_add_tail(&lane->claims, &c->queue);
	if (list_empty(&lane->turn))
		list_add_tail(round, &lane->turn);
}

void lane_remove(struct verify_lane *lane, struct claim *c)
{
	list_del(&c->queue);
	if (list_empty(&lane->claims))
		list_del(&lane->turn);
}

struct claim *lane_next(struct list *round)
{
	struct verify_lane *lane = list_first(round, struct verify_lane, turn);

	if (list_empty(round))
		return NULL;
	list_del(&lane->turn);
	list_add_tail(round, &lane->turn);
	return list_first(&lane->claims, struct claim, queue);
}
