/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/endpoint.h"

#include "core/base/mem.h"

#define APART_MS HOLD_POLICY_MS
#define REMEMBERED_MAX LIMIT_SOURCES
#define PRUNE 16 /* forgotten at most in one turn */

void endpoints_init(struct endpoints *es)
{
	hash_key_random(&es->key);
	table_init(&es->table);
	list_init(&es->memory);
	es->remembered = 0;
}

static void endpoint_drop(struct table_node *n)
{
	struct endpoint *e = container_of(n, struct endpoint, node);

	mem_free(e->link);
	mem_free(e);
}

void endpoints_free(struct endpoints *es)
{
	table_free(&es->table, endpoint_drop);
}

/* What is no address is mixed into the key, the domain hashed with the result. */
static uint64_t endpoint_hash(const struct endpoints *es, const struct place *at, struct span only)
{
	struct hash_key key = es->key;

	key.k0 ^= at->addr.port | (uint64_t)at->direct << 16;
	key.k0 = hash_sip(&key, span_of((const char *)at->addr.ip, sizeof(at->addr.ip)));
	return hash_sip(&key, only);
}

static struct endpoint *endpoint_find(struct endpoints *es, const struct place *at,
	struct span only)
{
	struct table_node *n = table_first(&es->table, endpoint_hash(es, at, only));

	for (; n; n = table_next(n)) {
		struct endpoint *e = container_of(n, struct endpoint, node);

		if (place_eq(&e->place, at) && span_eq(span_of(e->only, e->only_len), only))
			return e;
	}
	return NULL;
}

static struct endpoint *endpoint_make(struct endpoints *es, const struct place *at,
	struct span only)
{
	struct endpoint *e = endpoint_find(es, at, only);

	if (e)
		return e;
	e = mem_try_zalloc(sizeof(*e) + only.n);
	if (!e)
		return NULL;
	e->place = *at;
	list_init(&e->members);
	list_init(&e->memory);
	e->only_len = (uint16_t)only.n;
	if (only.n)
		memcpy(e->only, only.p, only.n);
	table_add(&es->table, &e->node, endpoint_hash(es, at, only));
	return e;
}

struct endpoint *endpoint_get(struct endpoints *es, const struct place *at, struct span domain,
	uint64_t now)
{
	struct endpoint *e = endpoint_find(es, at, domain);

	if (e && now < e->apart_until)
		return e;
	return endpoint_make(es, at, SPAN_LIT(""));
}

void endpoint_settle(struct endpoints *es, struct endpoint *e)
{
	if (e->pins || e->link || !list_empty(&e->members) || !list_empty(&e->memory))
		return;
	table_del(&es->table, &e->node);
	mem_free(e);
}

static void endpoint_forget(struct endpoints *es, struct endpoint *e)
{
	list_del(&e->memory);
	es->remembered--;
	e->failed_until = e->apart_until = 0;
	endpoint_settle(es, e);
}

static void endpoint_remember(struct endpoints *es, struct endpoint *e)
{
	if (list_empty(&e->memory))
		es->remembered++;
	list_del(&e->memory);
	list_add_tail(&es->memory, &e->memory);
	if (es->remembered > REMEMBERED_MAX)
		endpoint_forget(es, list_first(&es->memory, struct endpoint, memory));
}

void endpoint_failed(struct endpoints *es, struct endpoint *e, uint64_t now)
{
	e->failed_until = now + HOLD_ADDRESS_MS;
	endpoint_remember(es, e);
}

void endpoint_set_apart(struct endpoints *es, const struct place *at, struct span domain,
	uint64_t now)
{
	struct endpoint *e = endpoint_make(es, at, domain);

	/* Without memory it stays with the others: that is no worse than before. */
	if (!e)
		return;
	e->apart_until = now + APART_MS;
	endpoint_remember(es, e);
}

/* A short memory behind a long one stays for as long as that; it means nothing then. */
void endpoints_prune(struct endpoints *es, uint64_t now)
{
	for (unsigned i = 0; i < PRUNE && !list_empty(&es->memory); i++) {
		struct endpoint *e = list_first(&es->memory, struct endpoint, memory);

		if (now < e->failed_until || now < e->apart_until)
			break;
		endpoint_forget(es, e);
	}
}

/* -- links -- */

struct verify_link *link_new(struct endpoint *e, struct span header_to)
{
	struct verify_link *link = mem_try_zalloc(sizeof(*link) + header_to.n);

	BUG_ON(e->link);
	if (!link)
		return NULL;
	link->endpoint = e;
	list_init(&link->asked);
	list_init(&link->idle);
	link->header_to_len = (uint16_t)header_to.n;
	memcpy(link->header_to, header_to.p, header_to.n);
	e->link = link;
	return link;
}

void link_free(struct verify_link *link)
{
	BUG_ON(!list_empty(&link->asked));
	list_del(&link->idle);
	link->endpoint->link = NULL;
	mem_free(link);
}

const struct place *verify_link_place(const struct verify_link *link)
{
	return &link->endpoint->place;
}

bool verify_link_apart(const struct verify_link *link)
{
	return link->endpoint->only_len > 0;
}

void *verify_link_user(const struct verify_link *link)
{
	return link->user;
}

void verify_link_set_user(struct verify_link *link, void *user)
{
	link->user = user;
}
