/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/authority.h"

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

/*
 * A fixed table of WAYS entries a set: whoever is not in it has its whole rate left,
 * so forgetting is harmless, and the entry with the most left is the one to forget.
 * Sets are chosen by a keyed hash, so that nobody can aim at another's entry.
 */
#define SETS 1024
#define WAYS 4

/* Thousandths of an answer: LIMIT_INVALID_PER_S of them come back each millisecond. */
#define ONE 1000u
#define FULL (ONE * LIMIT_INVALID_PER_S)

struct rate {
	uint8_t ip[16];
	uint32_t left;
	bool used;
	uint64_t at; /* ms when `left` was computed */
};

struct authority {
	struct hash_key key;
	struct rate rates[SETS][WAYS];
};

struct authority *authority_new(void)
{
	struct authority *a = mem_zalloc(sizeof(*a));

	hash_key_random(&a->key);
	return a;
}

void authority_free(struct authority *a)
{
	mem_free(a);
}

static void rate_refill(struct rate *r, uint64_t now)
{
	uint64_t passed = now > r->at ? now - r->at : 0;
	uint64_t back = passed >= 1000 ? FULL : passed * LIMIT_INVALID_PER_S;

	r->left = back >= FULL - r->left ? FULL : r->left + (uint32_t)back;
	r->at = now;
}

static struct rate *rate_of(struct authority *a, const struct addr *source, uint64_t now)
{
	struct addr prefix = addr_prefix(source, 32, 64);
	struct span ip = span_of((const char *)prefix.ip, sizeof(prefix.ip));
	struct rate *set = a->rates[hash_sip(&a->key, ip) % SETS], *victim = NULL;

	for (unsigned i = 0; i < WAYS; i++) {
		struct rate *r = &set[i];

		if (!r->used) {
			victim = r;
			break;
		}
		rate_refill(r, now);
		if (memcmp(r->ip, ip.p, ip.n) == 0)
			return r;
		if (!victim || r->left > victim->left)
			victim = r;
	}
	memcpy(victim->ip, ip.p, ip.n);
	victim->used = true;
	victim->left = FULL;
	victim->at = now;
	return victim;
}

static bool rate_take(struct authority *a, const struct addr *source, uint64_t now)
{
	struct rate *r = rate_of(a, source, now);

	if (r->left < ONE)
		return false;
	r->left -= ONE;
	return true;
}

enum authority_answer authority_check(struct authority *a, const struct secrets *secrets,
	struct span receiving, struct span originating, struct span id, struct span key,
	bool hosted, const struct addr *source, uint64_t now)
{
	bool domains = receiving.p && originating.p;
	enum authority_answer answer = AUTHORITY_INVALID;

	if (domains && !hosted)
		answer = AUTHORITY_NOT_HOSTED;
	else if (domains && key_check(secrets, receiving, originating, id, key))
		return AUTHORITY_VALID;
	return rate_take(a, source, now) ? answer : AUTHORITY_WITHHELD;
}
