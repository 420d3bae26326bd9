/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/verdicts.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "dialback/key.h"

#define DROP_TRIES 64 /* another thread is in a set for less than a microsecond, mostly */

_Static_assert(KEY_DIGEST == VCACHE_SPKI, "SHA-256");

struct verdicts {
	struct vcache *cache;
	uint64_t ttl_ms; /* --verdict-ttl */
};

void peer_key_set(struct peer_key *k, struct span spki, int64_t ends)
{
	key_digest(spki, k->hash);
	k->ends = ends;
}

struct verdicts *verdicts_new(uint64_t entries, uint64_t ttl_ms, uint64_t now)
{
	struct verdicts *v;

	if (entries == 0)
		return NULL;
	v = mem_zalloc(sizeof(*v));
	v->cache = vcache_new(entries, now);
	v->ttl_ms = ttl_ms;
	return v;
}

void verdicts_free(struct verdicts *v)
{
	if (v)
		vcache_free(v->cache);
	mem_free(v);
}

/* -- what is proven -- */

/* For how long something may rest on this key; 0: not at all. */
static uint64_t proof_ttl(const struct verdicts *v, const struct peer_key *k)
{
	int64_t left = k->ends ? k->ends - clock_unix() : 0;

	if (left <= 0)
		return 0;
	return (uint64_t)left < v->ttl_ms / 1000 ? (uint64_t)left * 1000 : v->ttl_ms;
}

static struct vcache_key identity(const struct verdicts *v, const struct peer_key *k,
	struct span from, struct span to)
{
	return vcache_key(v->cache, VSCOPE_IDENTITY,
		span_of((const char *)k->hash, sizeof(k->hash)), from, to);
}

uint32_t verdicts_proven(struct verdicts *v, const struct peer_key *k, struct span from,
	struct span to, uint64_t now)
{
	const struct vcache_fact valid = { .verdict = VERDICT_VALID };
	uint64_t ttl = v ? proof_ttl(v, k) : 0;

	if (ttl == 0)
		return 0;
	/* When another thread is writing there: the next stream has it verified again. */
	if (vcache_put(v->cache, identity(v, k, from, to), valid, ttl, now) != VCACHE_STORED)
		return 0;
	return (uint32_t)(ttl / 1000);
}

void verdicts_disproven(struct verdicts *v, const struct peer_key *k, struct span from,
	struct span to)
{
	if (!v || !k->ends)
		return;
	for (unsigned i = 0; i < DROP_TRIES; i++)
		if (vcache_drop(v->cache, identity(v, k, from, to)) == VCACHE_STORED)
			return;
	/* This must not be left as it is, and to forget all is always possible. */
	vcache_purge(v->cache);
}

/* -- failures -- */

static struct vcache_key failure(const struct verdicts *v, struct span name)
{
	return vcache_key(v->cache, VSCOPE_FAILURE, SPAN_NONE, name, SPAN_NONE);
}

/* One that is lost costs another look-up, or another attempt. */
static void failed(struct verdicts *v, struct span name, uint64_t ttl, uint64_t now)
{
	const struct vcache_fact fact = { .verdict = VERDICT_FAILED };

	(void)!vcache_put(v->cache, failure(v, name), fact, ttl, now);
}

static bool has_failed(const struct verdicts *v, struct span name, uint64_t now)
{
	return vcache_get(v->cache, failure(v, name), now).verdict == VERDICT_FAILED;
}

void verdicts_absent(struct verdicts *v, struct span domain, uint64_t now)
{
	if (v)
		failed(v, domain, HOLD_ABSENT_MS, now);
}

/* No domain is written like this: there is a colon in it. */
void verdicts_unreachable(struct verdicts *v, const struct addr *at, uint64_t now)
{
	char text[ADDR_TEXT];

	addr_format(at, text);
	if (v)
		failed(v, span_str(text), HOLD_REDIAL_MS, now);
}

bool verdicts_is_unreachable(struct verdicts *v, const struct addr *at, uint64_t now)
{
	char text[ADDR_TEXT];

	addr_format(at, text);
	return v && has_failed(v, span_str(text), now);
}

/* -- questions -- */

enum verdict_known verdicts_ask(struct verdicts *v, const struct peer_key *k, struct span from,
	struct span to, uint64_t now)
{
	if (!v)
		return KNOWN_NOTHING;
	if (proof_ttl(v, k) > 0 &&
		vcache_get(v->cache, identity(v, k, from, to), now).verdict == VERDICT_VALID)
		return KNOWN_PROVEN;
	return has_failed(v, from, now) ? KNOWN_ABSENT : KNOWN_NOTHING;
}

void verdicts_forget(struct verdicts *v)
{
	if (v)
		vcache_purge(v->cache);
}

bool verdicts_use(struct verdicts *v, uint64_t now, struct vcache_use *out)
{
	if (v)
		vcache_use(v->cache, now, out);
	return v != NULL;
}
