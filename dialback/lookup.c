/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/lookup.h"

#include "core/base/limits.h"
#include "core/base/mem.h"

/* Claims that come later than this look up anew, though others still use the old places. */
#define FRESH_MS TIMEOUT_VERIFY_MS

void lookups_init(struct lookups *ls)
{
	hash_key_random(&ls->key);
	table_init(&ls->names);
	table_init(&ls->cookies);
	ls->cookie = 0;
}

static void lookup_free(struct lookup *l)
{
	mem_free(l->places);
	mem_free(l);
}

static void resolving_drop(struct table_node *n)
{
	lookup_free(container_of(n, struct lookup, by_cookie));
}

void lookups_free(struct lookups *ls)
{
	table_free(&ls->names, NULL);
	table_free(&ls->cookies, resolving_drop);
}

static void lookup_unname(struct lookups *ls, struct lookup *l)
{
	if (l->named)
		table_del(&ls->names, &l->by_name);
	l->named = false;
}

struct lookup *lookup_find(struct lookups *ls, struct span domain, uint64_t now)
{
	struct table_node *n = table_first(&ls->names, hash_sip(&ls->key, domain));

	for (; n; n = table_next(n)) {
		struct lookup *l = container_of(n, struct lookup, by_name);

		if (!span_eq(span_of(l->domain, l->len), domain))
			continue;
		if (l->resolving || now < l->found_at + FRESH_MS)
			return l;
		lookup_unname(ls, l);
		return NULL;
	}
	return NULL;
}

struct lookup *lookup_new(struct lookups *ls, struct span domain)
{
	struct lookup *l = mem_try_zalloc(sizeof(*l) + domain.n);

	if (!l)
		return NULL;
	list_init(&l->claims);
	l->refs = 1;
	l->len = (uint16_t)domain.n;
	memcpy(l->domain, domain.p, domain.n);
	l->cookie = ++ls->cookie;
	l->resolving = l->named = true;
	table_add(&ls->names, &l->by_name, hash_sip(&ls->key, domain));
	table_add(&ls->cookies, &l->by_cookie, l->cookie);
	return l;
}

struct lookup *lookup_by_cookie(struct lookups *ls, uint64_t cookie)
{
	struct table_node *n = table_first(&ls->cookies, cookie);

	return n ? container_of(n, struct lookup, by_cookie) : NULL;
}

void lookup_hold(struct lookup *l)
{
	l->refs++;
}

void lookup_release(struct lookups *ls, struct lookup *l)
{
	if (--l->refs)
		return;
	lookup_unname(ls, l);
	lookup_free(l);
}

bool lookup_settle(struct lookups *ls, struct lookup *l, const struct place *places, uint32_t n,
	uint64_t now)
{
	table_del(&ls->cookies, &l->by_cookie);
	l->resolving = false;
	l->found_at = now;
	n = n < LIMIT_CANDIDATES ? n : LIMIT_CANDIDATES;
	if (n)
		l->places = mem_try_alloc(n * sizeof(*places));
	if (l->places) {
		memcpy(l->places, places, n * sizeof(*places));
		l->n = n;
		return true;
	}
	/* Failures are kept by net/dns, whose cache knows for how long. */
	lookup_unname(ls, l);
	return n == 0;
}
