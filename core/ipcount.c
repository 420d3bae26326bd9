/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ipcount.h"

#include "core/base/hash.h"
#include "core/base/mem.h"

#define BUCKETS 1024 /* chains stay short: few sources hold unauthenticated streams at once */

struct source {
	struct source *next;
	struct addr prefix;
	uint64_t count;
};

struct ipcount {
	struct hash_key key; /* strangers choose their addresses */
	struct source *bucket[BUCKETS];
};

struct ipcount *ipcount_new(void)
{
	struct ipcount *t = mem_zalloc(sizeof(*t));

	hash_key_random(&t->key);
	return t;
}

void ipcount_free(struct ipcount *t)
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		while (t->bucket[i]) {
			struct source *s = t->bucket[i];

			t->bucket[i] = s->next;
			mem_free(s);
		}
	}
	mem_free(t);
}

/* The link that points to the source, or the NULL at the end of its chain. */
static struct source **source_slot(struct ipcount *t, const struct addr *prefix)
{
	struct span bytes = span_of((const char *)prefix->ip, sizeof(prefix->ip));
	struct source **at = &t->bucket[hash_sip(&t->key, bytes) % BUCKETS];

	while (*at && !addr_eq(&(*at)->prefix, prefix))
		at = &(*at)->next;
	return at;
}

bool ipcount_take(struct ipcount *t, const struct addr *source, uint64_t max)
{
	struct addr prefix = addr_prefix(source, 32, 64);
	struct source **at = source_slot(t, &prefix);

	if (max == 0)
		return false;
	if (!*at) {
		*at = mem_try_zalloc(sizeof(**at));
		if (!*at)
			return false;
		(*at)->prefix = prefix;
	}
	if ((*at)->count >= max)
		return false;
	(*at)->count++;
	return true;
}

void ipcount_give(struct ipcount *t, const struct addr *source)
{
	struct addr prefix = addr_prefix(source, 32, 64);
	struct source **at = source_slot(t, &prefix);
	struct source *s = *at;

	BUG_ON(!s);
	if (--s->count > 0)
		return;
	*at = s->next;
	mem_free(s);
}

uint64_t ipcount_get(const struct ipcount *t, const struct addr *source)
{
	struct addr prefix = addr_prefix(source, 32, 64);
	struct source *s = *source_slot((struct ipcount *)t, &prefix);

	return s ? s->count : 0;
}
