/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of five entries, each set a pair of cache lines under a sequence counter: odd
 * while a writer is inside, and different after it.
 *
 * A reader loads the counter, the words, and the counter again; it believes the words
 * if the counter is even and the same. A writer makes it odd by compare-and-swap, stores
 * the words, and makes it even. There is no fence. Instead each word is stored with
 * release and loaded with acquire: a reader that has seen one word of a writer has
 * therefore seen that the counter was odd, and the second load of the counter, which
 * acquire keeps behind the words, cannot give the old value. (Boehm, "Can seqlocks get
 * along with programming language memory models?", 2012, section 5.) The counter has 32 bits: a
 * reader would have to sleep through 2^31 writes to one set, to the very number.
 *
 * The mark that an entry was asked for is set outside of all this, with an atomic or. It
 * may hit an entry that has just replaced the one asked for, or get lost; it decides
 * about what is displaced, and about nothing else.
 */
#include "dialback/vcache.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/base/perturb.h"

#define HUGE_PAGE (2u << 20)
#define SETS_MAX (1u << 28)
#define SAMPLE 1024 /* sets */

/* -- the words -- */

struct way {
	_Atomic uint64_t name, value, meta;
};

struct vset {
	_Atomic uint32_t seq; /* odd: a writer is inside */
	uint32_t hand; /* the writer's: where the search for a victim goes on */
	struct way way[VCACHE_WAYS];
};

_Static_assert(sizeof(struct vset) == 128, "two adjacent cache lines");

struct vcache {
	struct vset *sets;
	uint64_t mask;
	struct hash_key secret;
	uint64_t start; /* ms: second 0 of expiry */
	_Atomic uint32_t purges;
	size_t mapped;
	void *memory;
};

/* A way's third word: verdict:2 | asked:1 | strong:1 | detail:4 | purges:24 | expiry:32 */
#define META_ASKED (UINT64_C(1) << 2)
#define META_STRONG (UINT64_C(1) << 3)
#define META_PURGES 0xffffffu

static uint64_t meta_make(struct vcache_fact f, uint32_t purges, uint32_t expiry)
{
	bool strong = f.verdict == VERDICT_VALID && !f.weak;

	return f.verdict | (strong ? META_STRONG : 0) | (uint64_t)f.detail << 4 |
		(uint64_t)(purges & META_PURGES) << 8 | (uint64_t)expiry << 32;
}

/* What "now" is to the entries. */
struct moment {
	uint32_t second, purges;
};

static uint32_t seconds(const struct vcache *vc, uint64_t ms)
{
	uint64_t s = ms > vc->start ? (ms - vc->start) / 1000 : 0;

	return s < UINT32_MAX ? (uint32_t)s : UINT32_MAX;
}

static struct moment moment_of(struct vcache *vc, uint64_t now)
{
	/* Acquire: with vcache_purge; what is stored after one is not taken for older. */
	return (struct moment){ seconds(vc, now),
		atomic_load_explicit(&vc->purges, memory_order_acquire) };
}

static bool meta_alive(uint64_t meta, struct moment m)
{
	return (meta & 3) != VERDICT_NONE && m.second < meta >> 32 &&
		(meta >> 8 & META_PURGES) == (m.purges & META_PURGES);
}

/* What an entry that is alive tells somebody who asked for k. */
static struct vcache_fact fact_of(struct vcache_key k, uint64_t value, uint64_t meta,
	struct moment m)
{
	return (struct vcache_fact){
		.verdict = meta & 3,
		.detail = meta >> 4 & VCACHE_DETAIL_MAX,
		.weak = !(meta & META_STRONG),
		.other = value != k.value,
		.left_s = (uint32_t)(meta >> 32) - m.second,
		.value = value,
	};
}

/* -- the table -- */

static _Noreturn void no_memory(size_t n)
{
	fprintf(stderr, "sluice: no memory for a table of %zu bytes: %s\n", n, strerror(errno));
	exit(EX_OSERR);
}

/* Zeroed and touched; in huge pages if the kernel has some: one miss of the TLB less a look-up. */
static void sets_map(struct vcache *vc, uint64_t sets)
{
	size_t size = sets * sizeof(struct vset);
	uintptr_t at;

	vc->mapped = size < HUGE_PAGE ? size : size + HUGE_PAGE;
	vc->memory = mmap(NULL, vc->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		0);
	if (vc->memory == MAP_FAILED)
		no_memory(vc->mapped);
	at = (uintptr_t)vc->memory;
	if (size >= HUGE_PAGE) {
		at += -at & (HUGE_PAGE - 1);
		/* Without them it is slower, and right all the same. */
		(void)madvise((void *)at, size, MADV_HUGEPAGE);
	}
	vc->sets = (struct vset *)at;
	memset(vc->sets, 0, size);
}

struct vcache *vcache_new(uint64_t entries, uint64_t now)
{
	struct vcache *vc = mem_zalloc(sizeof(*vc));
	uint64_t sets = 1;

	while (sets * VCACHE_WAYS < entries && sets < SETS_MAX)
		sets *= 2;
	vc->mask = sets - 1;
	vc->start = now;
	hash_key_random(&vc->secret);
	sets_map(vc, sets);
	return vc;
}

void vcache_free(struct vcache *vc)
{
	if (!vc)
		return;
	munmap(vc->memory, vc->mapped);
	mem_wipe(&vc->secret, sizeof(vc->secret));
	mem_free(vc);
}

static struct vset *set_of(struct vcache *vc, struct vcache_key k)
{
	return &vc->sets[k.name & vc->mask];
}

/* -- keys -- */

static char *append(char *to, struct span s)
{
	if (s.n)
		memcpy(to, s.p, s.n);
	return to + s.n;
}

/* Scope, length of the hash, hash, a, NUL, b: no two lists of arguments give the same octets. */
static struct hash128 key_hash(const struct vcache *vc, enum vcache_scope scope, struct span spki,
	struct span a, struct span b)
{
	char text[2 + VCACHE_SPKI + LIMIT_DOMAIN + 1 + LIMIT_DOMAIN];
	char *p = text;

	BUG_ON((spki.n && spki.n != VCACHE_SPKI) || a.n > LIMIT_DOMAIN || b.n > LIMIT_DOMAIN);
	*p++ = (char)scope;
	*p++ = (char)spki.n;
	p = append(p, spki);
	p = append(p, a);
	*p++ = '\0';
	p = append(p, b);
	return hash_sip128(&vc->secret, span_of(text, (size_t)(p - text)));
}

struct vcache_key vcache_key(const struct vcache *vc, enum vcache_scope scope, struct span spki,
	struct span a, struct span b)
{
	struct hash128 h = key_hash(vc, scope, spki, a, b);

	return (struct vcache_key){ h.lo, h.hi };
}

struct vcache_key vcache_key_pin(const struct vcache *vc, struct span domain, unsigned slot,
	struct span spki)
{
	const char number = (char)('0' + slot);
	struct hash128 name = key_hash(vc, VSCOPE_PIN, SPAN_NONE, domain,
		span_of(&number, sizeof(number)));
	struct hash128 value = key_hash(vc, VSCOPE_PIN, spki, domain, SPAN_NONE);

	return (struct vcache_key){ name.lo, value.hi };
}

/* -- reading -- */

/* An entry as it stood at one moment. */
struct seen {
	struct way *way; /* NULL: nothing has this name, or a writer is inside */
	uint64_t value, meta;
};

static struct seen set_read(struct vset *s, uint64_t name)
{
	/* Acquire: with set_leave; what that writer stored is seen. */
	uint32_t seq = atomic_load_explicit(&s->seq, memory_order_acquire);
	struct seen seen = { NULL, 0, 0 };

	if (seq & 1)
		return seen;
	for (unsigned i = 0; i < VCACHE_WAYS && !seen.way; i++) {
		struct way *way = &s->way[i];

		/* Acquire, all three: with way_store, and they keep the last load the last. */
		PERTURB();
		if (atomic_load_explicit(&way->name, memory_order_acquire) != name)
			continue;
		PERTURB();
		seen.value = atomic_load_explicit(&way->value, memory_order_acquire);
		PERTURB();
		seen.meta = atomic_load_explicit(&way->meta, memory_order_acquire);
		seen.way = way;
	}
	PERTURB();
	/* Relaxed: acquire on the words is what orders it. */
	if (atomic_load_explicit(&s->seq, memory_order_relaxed) != seq)
		seen.way = NULL;
	return seen;
}

struct vcache_fact vcache_peek(struct vcache *vc, struct vcache_key k, uint64_t now)
{
	struct moment m = moment_of(vc, now);
	struct seen seen = set_read(set_of(vc, k), k.name);

	if (!seen.way || !meta_alive(seen.meta, m))
		return (struct vcache_fact){ .verdict = VERDICT_NONE };
	PERTURB();
	/* Relaxed: a hint. Only when it is clear, or each look-up would take the line away from
	 * all other readers. */
	if (!(seen.meta & META_ASKED))
		atomic_fetch_or_explicit(&seen.way->meta, META_ASKED, memory_order_relaxed);
	return fact_of(k, seen.value, seen.meta, m);
}

struct vcache_fact vcache_get(struct vcache *vc, struct vcache_key k, uint64_t now)
{
	struct vcache_fact f = vcache_peek(vc, k, now);

	return f.other ? (struct vcache_fact){ .verdict = VERDICT_NONE } : f;
}

/* -- writing -- */

/* False: another writer is inside. */
static bool set_enter(struct vset *s, uint32_t *seq)
{
	*seq = atomic_load_explicit(&s->seq, memory_order_relaxed);
	PERTURB();
	/* Acquire: with set_leave of the writer before, whose words and hand we go on with. */
	return !(*seq & 1) &&
		atomic_compare_exchange_strong_explicit(&s->seq, seq, *seq + 1,
			memory_order_acquire, memory_order_relaxed);
}

/* Release: who sees the even counter sees the words. */
static void set_leave(struct vset *s, uint32_t seq)
{
	PERTURB();
	atomic_store_explicit(&s->seq, seq + 2, memory_order_release);
}

/* Inside. Release, all three: who sees one of them sees the odd counter. */
static void way_store(struct way *way, uint64_t name, uint64_t value, uint64_t meta)
{
	PERTURB();
	atomic_store_explicit(&way->name, name, memory_order_release);
	PERTURB();
	atomic_store_explicit(&way->value, value, memory_order_release);
	PERTURB();
	atomic_store_explicit(&way->meta, meta, memory_order_release);
}

/* The set's words do not change but for META_ASKED while its writer looks at them. */
static uint64_t way_meta(struct way *way)
{
	PERTURB();
	return atomic_load_explicit(&way->meta, memory_order_relaxed);
}

/* Inside. NULL: nothing has this name. */
static struct way *set_find(struct vset *s, uint64_t name)
{
	for (unsigned i = 0; i < VCACHE_WAYS; i++) {
		PERTURB();
		if (atomic_load_explicit(&s->way[i].name, memory_order_relaxed) == name &&
			way_meta(&s->way[i]))
			return &s->way[i];
	}
	return NULL;
}

/* Lower is displaced before higher. */
enum rank { RANK_FREE, RANK_WEAK, RANK_WEAK_ASKED, RANK_STRONG, RANK_STRONG_ASKED, RANKS };

static enum rank rank_of(uint64_t meta, struct moment m)
{
	bool asked = meta & META_ASKED;

	if (!meta_alive(meta, m))
		return RANK_FREE;
	if (meta & META_STRONG)
		return asked ? RANK_STRONG_ASKED : RANK_STRONG;
	return asked ? RANK_WEAK_ASKED : RANK_WEAK;
}

/* All five were asked for: the hand has come round, and they must be asked for again. */
static void set_age(struct vset *s)
{
	for (unsigned i = 0; i < VCACHE_WAYS; i++) {
		PERTURB();
		atomic_fetch_and_explicit(&s->way[i].meta, ~META_ASKED, memory_order_relaxed);
	}
}

/* Inside. The first of the lowest rank behind the hand; NULL: weak, and there is no room for it. */
static struct way *set_victim(struct vset *s, bool strong, struct moment m)
{
	enum rank lowest = RANKS;
	unsigned at = 0;

	for (unsigned n = 0; n < VCACHE_WAYS; n++) {
		unsigned i = (s->hand + n) % VCACHE_WAYS;
		enum rank rank = rank_of(way_meta(&s->way[i]), m);

		if (rank < lowest) {
			lowest = rank;
			at = i;
		}
	}
	if (lowest == RANK_STRONG_ASKED && !strong)
		return NULL;
	if (lowest == RANK_STRONG_ASKED)
		set_age(s);
	s->hand = (at + 1) % VCACHE_WAYS;
	return &s->way[at];
}

/* One entry on its way into its set. */
struct store {
	struct vcache_key k;
	uint64_t meta;
	struct moment m;
	struct vcache_fact *there; /* NULL: what has this name is replaced */
};

/* Inside. Where it goes, if it does. */
static enum vcache_put set_place(struct vset *s, struct store *st, struct way **to)
{
	struct way *way = set_find(s, st->k.name);
	uint64_t meta = way ? way_meta(way) : 0;

	*to = way;
	if (way && st->there && meta_alive(meta, st->m)) {
		*st->there = fact_of(st->k, atomic_load_explicit(&way->value, memory_order_relaxed),
			meta, st->m);
		return VCACHE_THERE;
	}
	if (meta_alive(meta, st->m))
		st->meta |= meta & META_ASKED; /* said anew, it is in use as before */
	if (!way)
		*to = set_victim(s, st->meta & META_STRONG, st->m);
	return *to ? VCACHE_STORED : VCACHE_FULL;
}

static enum vcache_put store(struct vcache *vc, struct store *st)
{
	struct vset *s = set_of(vc, st->k);
	struct way *to = NULL;
	enum vcache_put result;
	uint32_t seq;

	if (!set_enter(s, &seq))
		return VCACHE_BUSY;
	result = set_place(s, st, &to);
	if (result == VCACHE_STORED)
		way_store(to, st->k.name, st->k.value, st->meta);
	set_leave(s, seq);
	return result;
}

static struct store store_of(struct vcache *vc, struct vcache_key k, struct vcache_fact fact,
	uint64_t ttl_ms, uint64_t now)
{
	struct moment m = moment_of(vc, now);
	uint64_t expiry = m.second + ttl_ms / 1000 + (ttl_ms % 1000 != 0);

	BUG_ON(fact.verdict == VERDICT_NONE || fact.verdict >= VERDICTS ||
		fact.detail > VCACHE_DETAIL_MAX);
	return (struct store){ k,
		meta_make(fact, m.purges, expiry < UINT32_MAX ? (uint32_t)expiry : UINT32_MAX), m,
		NULL };
}

enum vcache_put vcache_put(struct vcache *vc, struct vcache_key k, struct vcache_fact fact,
	uint64_t ttl_ms, uint64_t now)
{
	struct store st = store_of(vc, k, fact, ttl_ms, now);

	return store(vc, &st);
}

enum vcache_put vcache_put_absent(struct vcache *vc, struct vcache_key k, struct vcache_fact fact,
	uint64_t ttl_ms, uint64_t now, struct vcache_fact *there)
{
	struct store st = store_of(vc, k, fact, ttl_ms, now);

	st.there = there;
	return store(vc, &st);
}

enum vcache_put vcache_claim(struct vcache *vc, struct vcache_key k, uint64_t ttl_ms, uint64_t now,
	struct vcache_fact *there)
{
	const struct vcache_fact pending = { .verdict = VERDICT_PENDING };
	enum vcache_put result;

	/* Mostly it is known, and readers do not disturb each other. */
	*there = vcache_get(vc, k, now);
	if (there->verdict != VERDICT_NONE)
		return VCACHE_THERE;
	result = vcache_put_absent(vc, k, pending, ttl_ms, now, there);
	/* An entry of another key that happens to have this name is none of the caller's. */
	return result == VCACHE_THERE && there->other ? VCACHE_FULL : result;
}

enum vcache_put vcache_drop(struct vcache *vc, struct vcache_key k)
{
	struct vset *s = set_of(vc, k);
	struct way *way;
	uint32_t seq;

	if (!set_enter(s, &seq))
		return VCACHE_BUSY;
	way = set_find(s, k.name);
	if (way)
		way_store(way, 0, 0, 0);
	set_leave(s, seq);
	return VCACHE_STORED;
}

void vcache_purge(struct vcache *vc)
{
	/* Release: with moment_of; who stores after this counts as later. */
	atomic_fetch_add_explicit(&vc->purges, 1, memory_order_acq_rel);
}

/* -- how full it is -- */

/* Word by word, whatever writers do: a sum over a thousand sets does not suffer from it. */
static void set_count(struct vset *s, struct moment m, struct vcache_use *out)
{
	for (unsigned i = 0; i < VCACHE_WAYS; i++) {
		uint64_t meta = way_meta(&s->way[i]);
		bool alive = meta_alive(meta, m);

		out->verdict[alive ? meta & 3 : VERDICT_NONE]++;
		out->strong += alive && meta & META_STRONG;
	}
}

void vcache_use(struct vcache *vc, uint64_t now, struct vcache_use *out)
{
	struct moment m = moment_of(vc, now);
	uint64_t sets = vc->mask + 1;
	uint64_t step = sets > SAMPLE ? sets / SAMPLE : 1;

	*out = (struct vcache_use){ .capacity = sets * VCACHE_WAYS };
	for (uint64_t i = 0; i < sets; i += step)
		set_count(&vc->sets[i], m, out);
	for (unsigned v = 0; v < VERDICTS; v++)
		out->verdict[v] *= step;
	out->strong *= step;
}
