/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tls_resume.h"

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "core/base/hash.h"
#include "core/base/list.h"
#include "core/base/mem.h"

/* A chain per bucket; links are indices, so that the table is one allocation. */
#define NONE UINT32_MAX

struct entry {
	struct list age; /* oldest first; or in the list of free ones */
	uint32_t next; /* in its bucket */
	uint64_t hash;
	char *identity;
	size_t identity_n;
	WOLFSSL_SESSION *session;
	struct tls_peer *peer;
};

struct tls_resume {
	struct hash_key key;
	struct list used, free;
	unsigned count, mask;
	uint32_t *buckets;
	struct entry *entries;
};

struct tls_resume *tls_resume_new(unsigned max)
{
	struct tls_resume *r = mem_zalloc(sizeof(*r));
	unsigned buckets = 1;

	BUG_ON(max == 0 || max > LIMIT_TLS_SESSIONS);
	while (buckets < max)
		buckets *= 2;
	hash_key_random(&r->key);
	r->mask = buckets - 1;
	r->buckets = mem_array(buckets, sizeof(*r->buckets));
	r->entries = mem_array(max, sizeof(*r->entries));
	list_init(&r->used);
	list_init(&r->free);
	for (unsigned i = 0; i < buckets; i++)
		r->buckets[i] = NONE;
	for (unsigned i = 0; i < max; i++)
		list_add_tail(&r->free, &r->entries[i].age);
	return r;
}

static uint32_t *entry_link(struct tls_resume *r, uint64_t hash, struct span identity)
{
	uint32_t *link = &r->buckets[hash & r->mask];

	while (*link != NONE) {
		struct entry *e = &r->entries[*link];

		if (e->hash == hash && span_eq(span_of(e->identity, e->identity_n), identity))
			break;
		link = &e->next;
	}
	return link;
}

/* Out of the table; session and peer are the caller's to deal with. */
static struct entry *entry_remove(struct tls_resume *r, uint32_t *link)
{
	struct entry *e = &r->entries[*link];

	*link = e->next;
	list_del(&e->age);
	list_add(&r->free, &e->age);
	mem_wipe(e->identity, e->identity_n);
	mem_free(e->identity);
	e->identity = NULL;
	r->count--;
	return e;
}

static void entry_drop(struct tls_resume *r, uint32_t *link)
{
	struct entry *e = entry_remove(r, link);

	wolfSSL_SESSION_free(e->session);
	tls_peer_unref(e->peer);
}

static void oldest_drop(struct tls_resume *r)
{
	struct entry *e = list_first(&r->used, struct entry, age);

	entry_drop(r, entry_link(r, e->hash, span_of(e->identity, e->identity_n)));
}

void tls_resume_put(struct tls_resume *r, struct span identity, WOLFSSL_SESSION *session,
	struct tls_peer *peer)
{
	uint64_t hash = hash_sip(&r->key, identity);
	uint32_t *link = entry_link(r, hash, identity);
	char *copy = mem_try_alloc(identity.n);
	struct entry *e;

	if (*link != NONE)
		entry_drop(r, link);
	if (!copy) {
		wolfSSL_SESSION_free(session);
		return;
	}
	if (list_empty(&r->free))
		oldest_drop(r);
	memcpy(copy, identity.p, identity.n);
	e = list_first(&r->free, struct entry, age);
	list_del(&e->age);
	list_add_tail(&r->used, &e->age);
	e->hash = hash;
	e->identity = copy;
	e->identity_n = identity.n;
	e->session = session;
	e->peer = tls_peer_ref(peer);
	e->next = r->buckets[hash & r->mask];
	r->buckets[hash & r->mask] = (uint32_t)(e - r->entries);
	r->count++;
}

WOLFSSL_SESSION *tls_resume_take(struct tls_resume *r, struct span identity, struct tls_peer **peer)
{
	uint32_t *link = entry_link(r, hash_sip(&r->key, identity), identity);
	struct entry *e;

	if (*link == NONE)
		return NULL;
	e = entry_remove(r, link);
	*peer = e->peer;
	return e->session;
}

unsigned tls_resume_count(const struct tls_resume *r)
{
	return r->count;
}

void tls_resume_free(struct tls_resume *r)
{
	if (!r)
		return;
	while (!list_empty(&r->used))
		oldest_drop(r);
	mem_free(r->buckets);
	mem_free(r->entries);
	mem_free(r);
}
