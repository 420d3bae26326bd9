/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pairs and spellings live in arenas and are named by index: a slot of the hash
 * table, which names both, is one word, so that spelling and pair are fetched side
 * by side. Open addressing, linear probing, at most 0.6 full, doubling; rebuilding
 * reads the names again, since a slot has room for a tag only.
 *
 * Flooding. The hash of the slots is fast and its seed is secret; only the peer
 * itself suffers from what it puts in its own table. Were it to find colliding names
 * nevertheless, an insertion would meet a run longer than RUN_MAX, which happens by
 * chance once in 10^12 insertions: then the table is rebuilt with SipHash, for good.
 */
#include "dialback/pairs.h"

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/base/rand.h"
#include "dialback/arena.h"

#define PAIR_BITS 20
#define SENDER_TAG (64 - 3 * PAIR_BITS)
#define NAME_BITS 28
#define NAME_UNIT 8 /* bytes: 2 GiB of names in NAME_BITS */
#define SLOTS_MIN 16
#define RUN_MAX 256
/* So many slots ahead, a rebuilding asks for the memory that it will read. */
#define AHEAD 8
/* Pairs looked at for one to reuse, per pairs_add at the bound. */
#define SWEEP 4096

_Static_assert(PAIR_BITS + 2 + SENDER_TAG <= 32,
	"a table at most 0.6 full leaves the tag its bits");
_Static_assert(LIMIT_PAIRS_FLAG_MAX < 1 << PAIR_BITS, "a pair's index fits in its bits");

/* A domain pair as somebody wrote it: bytes are "from\0to\0". */
struct spelling {
	uint16_t from_len, to_len;
	char bytes[];
};

struct slot {
	uint64_t tag : 64 - NAME_BITS - PAIR_BITS;
	uint64_t name : NAME_BITS; /* spelling; 0: the slot is empty */
	uint64_t pair : PAIR_BITS;
};

/* A sender domain: pairs that have it, how many of them are VALID, and one of them for its name. */
struct sender {
	uint64_t tag : SENDER_TAG;
	uint64_t pairs : PAIR_BITS; /* 0: the slot is empty */
	uint64_t valid : PAIR_BITS;
	uint64_t leader : PAIR_BITS;
};

_Static_assert(sizeof(struct slot) == 8 && sizeof(struct sender) == 8, "one word each");
_Static_assert(sizeof(struct pair) <= 48, "10,000 pairs take less than 160 bytes each");

struct pairs {
	const struct spelling *last; /* of the last hit */
	struct pairs_hit last_hit;
	struct slot *slots;
	uint32_t mask, n_slots; /* capacity - 1; used */
	bool strong; /* SipHash for the slots */
	bool softened;
	uint64_t seed;
	struct arena names, pairs;
	uint32_t total, max;
	uint32_t hand; /* where the search for a pair to reuse goes on */
	uint32_t counts[PAIR_STATES];
	struct sender *senders;
	uint32_t sender_mask, n_senders;
	struct hash_key key;
};

/* -- spellings -- */

static inline const struct spelling *spelling_at(const struct pairs *ps, uint32_t name)
{
	return arena_at(&ps->names, name);
}

static inline struct pair *pair_at(const struct pairs *ps, uint32_t index)
{
	return arena_at(&ps->pairs, index);
}

static inline bool bytes_eq(const char *a, const char *b, size_t n)
{
	uint64_t x, y, diff = 0;

	if (n < 8)
		return memcmp(a, b, n) == 0;
	/* Names are short: whole words, the last one overlapping, beat a call. */
	for (size_t i = 0; i + 8 < n; i += 8) {
		memcpy(&x, a + i, 8);
		memcpy(&y, b + i, 8);
		diff |= x ^ y;
	}
	memcpy(&x, a + n - 8, 8);
	memcpy(&y, b + n - 8, 8);
	return (diff | (x ^ y)) == 0;
}

static inline bool spelling_is(const struct spelling *s, struct span from, struct span to)
{
	return s->from_len == from.n && s->to_len == to.n && bytes_eq(s->bytes, from.p, from.n) &&
		bytes_eq(s->bytes + from.n + 1, to.p, to.n);
}

static struct span spelling_from(const struct spelling *s)
{
	return span_of(s->bytes, s->from_len);
}

static struct span spelling_to(const struct spelling *s)
{
	return span_of(s->bytes + s->from_len + 1, s->to_len);
}

static uint32_t spelling_units(struct span from, struct span to)
{
	size_t size = sizeof(struct spelling) + from.n + 1 + to.n + 1;

	return (uint32_t)((size + NAME_UNIT - 1) / NAME_UNIT);
}

static void spelling_write(struct pairs *ps, uint32_t name, struct span from, struct span to)
{
	struct spelling *s = arena_at(&ps->names, name);

	s->from_len = (uint16_t)from.n;
	s->to_len = (uint16_t)to.n;
	memcpy(s->bytes, from.p, from.n);
	s->bytes[from.n] = '\0';
	memcpy(s->bytes + from.n + 1, to.p, to.n);
	s->bytes[from.n + 1 + to.n] = '\0';
}

struct span pair_from(const struct pairs *ps, const struct pair *p)
{
	return spelling_from(spelling_at(ps, p->names));
}

struct span pair_to(const struct pairs *ps, const struct pair *p)
{
	return spelling_to(spelling_at(ps, p->names));
}

/* -- slots -- */

/* The hash of one name is the seed for the other: ("ab", "c") is not ("a", "bc"). */
static inline uint64_t names_hash(const struct pairs *ps, struct span from, struct span to)
{
	struct hash_key key = ps->key;

	if (likely(!ps->strong))
		return hash_fast(hash_fast(ps->seed, from), to);
	key.k0 ^= hash_sip(&ps->key, from);
	return hash_sip(&key, to);
}

static inline unsigned slot_tag(uint64_t hash)
{
	return (unsigned)(hash >> (NAME_BITS + PAIR_BITS));
}

struct pairs_hit pairs_find(struct pairs *ps, struct span from, struct span to)
{
	uint64_t hash;

	if (ps->last && spelling_is(ps->last, from, to))
		return ps->last_hit;
	hash = names_hash(ps, from, to);
	for (uint32_t i = (uint32_t)hash & ps->mask; ps->slots[i].name; i = (i + 1) & ps->mask) {
		const struct slot *slot = &ps->slots[i];
		const struct spelling *s;
		struct pair *p;

		if (slot->tag != slot_tag(hash))
			continue;
		p = pair_at(ps, slot->pair);
		__builtin_prefetch(p);
		s = spelling_at(ps, slot->name);
		if (unlikely(!spelling_is(s, from, to)))
			continue;
		ps->last = s;
		ps->last_hit = (struct pairs_hit){ p, slot->name == p->names };
		return ps->last_hit;
	}
	return (struct pairs_hit){ NULL, false };
}

/* False when the run was longer than a hash that nobody has broken makes it. */
static bool slot_insert(struct pairs *ps, uint32_t name, uint32_t pair)
{
	const struct spelling *s = spelling_at(ps, name);
	uint64_t hash = names_hash(ps, spelling_from(s), spelling_to(s));
	uint32_t i = (uint32_t)hash & ps->mask, run = 0;

	for (; ps->slots[i].name; run++)
		i = (i + 1) & ps->mask;
	ps->slots[i] = (struct slot){ slot_tag(hash), name, pair };
	ps->n_slots++;
	return run < RUN_MAX;
}

/* All slots anew into `slots`, of capacity mask + 1. False when a run was too long. */
static bool slots_move(struct pairs *ps, struct slot *slots, uint32_t mask)
{
	struct slot *old = ps->slots;
	uint32_t n = old ? ps->mask + 1 : 0;
	bool good = true;

	ps->slots = slots;
	ps->mask = mask;
	ps->n_slots = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (i + AHEAD < n && old[i + AHEAD].name)
			__builtin_prefetch(spelling_at(ps, old[i + AHEAD].name));
		if (old[i].name)
			good &= slot_insert(ps, old[i].name, old[i].pair);
	}
	mem_free(old);
	return good;
}

static void slots_strengthen(struct pairs *ps)
{
	struct slot *slots;

	if (ps->strong)
		return;
	/* Without memory the table stays as it is, and the next long run tries again. */
	slots = mem_try_zalloc(((size_t)ps->mask + 1) * sizeof(*slots));
	if (!slots)
		return;
	ps->strong = true;
	slots_move(ps, slots, ps->mask);
}

/* Room for one more. */
static bool slots_reserve(struct pairs *ps)
{
	uint64_t size = (uint64_t)ps->mask + 1;
	struct slot *slots;

	if (((uint64_t)ps->n_slots + 1) * 5 <= size * 3)
		return true;
	slots = mem_try_zalloc(2 * size * sizeof(*slots));
	if (!slots)
		return false;
	if (!slots_move(ps, slots, (uint32_t)(2 * size - 1)))
		slots_strengthen(ps);
	return true;
}

static void slot_add(struct pairs *ps, uint32_t name, uint32_t pair)
{
	if (unlikely(!slot_insert(ps, name, pair)))
		slots_strengthen(ps);
}

/* Does an entry whose home is `home` still belong at or after `hole`, before `at`? */
static bool slot_may_fill(uint32_t home, uint32_t hole, uint32_t at, uint32_t mask)
{
	return ((at - home) & mask) >= ((at - hole) & mask);
}

static uint32_t name_home(const struct pairs *ps, uint32_t name)
{
	const struct spelling *s = spelling_at(ps, name);

	return (uint32_t)names_hash(ps, spelling_from(s), spelling_to(s)) & ps->mask;
}

/* The slot of a spelling that is in the table. */
static uint32_t slot_of(const struct pairs *ps, uint32_t name)
{
	uint32_t i = name_home(ps, name);

	for (; ps->slots[i].name != name; i = (i + 1) & ps->mask)
		BUG_ON(!ps->slots[i].name);
	return i;
}

/* Later entries of the run move up: no tombstones. */
static void slot_del(struct pairs *ps, uint32_t name)
{
	uint32_t hole = slot_of(ps, name), at = hole;

	while (ps->slots[at = (at + 1) & ps->mask].name) {
		if (slot_may_fill(name_home(ps, ps->slots[at].name), hole, at, ps->mask)) {
			ps->slots[hole] = ps->slots[at];
			hole = at;
		}
	}
	ps->slots[hole] = (struct slot){ 0 };
	ps->n_slots--;
}

/* -- senders -- */

static uint32_t sender_hash(const struct pairs *ps, struct span from)
{
	return (uint32_t)hash_sip(&ps->key, from);
}

/* The bits that no table is large enough to use. */
static unsigned sender_tag(uint32_t hash)
{
	return hash >> (32 - SENDER_TAG);
}

/* The slot of `from`, or the empty one where it belongs. */
static struct sender *sender_slot(const struct pairs *ps, struct span from, uint32_t hash)
{
	uint32_t i = hash & ps->sender_mask;

	for (; ps->senders[i].pairs; i = (i + 1) & ps->sender_mask) {
		const struct sender *s = &ps->senders[i];

		if (s->tag == sender_tag(hash) &&
			span_eq(pair_from(ps, pair_at(ps, s->leader)), from))
			break;
	}
	return &ps->senders[i];
}

bool pairs_sender_valid(const struct pairs *ps, struct span from)
{
	const struct sender *s = sender_slot(ps, from, sender_hash(ps, from));

	return s->pairs && s->valid;
}

static uint32_t sender_home(const struct pairs *ps, const struct sender *s)
{
	return pair_at(ps, s->leader)->from_hash & ps->sender_mask;
}

/* One that has moved here from a smaller table, where nobody else had the same sender. */
static void sender_put(struct pairs *ps, const struct sender *s)
{
	uint32_t i = sender_home(ps, s);

	while (ps->senders[i].pairs)
		i = (i + 1) & ps->sender_mask;
	ps->senders[i] = *s;
}

static bool senders_reserve(struct pairs *ps)
{
	uint64_t size = (uint64_t)ps->sender_mask + 1;
	struct sender *old = ps->senders, *grown;

	if (((uint64_t)ps->n_senders + 1) * 5 <= size * 3)
		return true;
	grown = mem_try_zalloc(2 * size * sizeof(*grown));
	if (!grown)
		return false;
	ps->senders = grown;
	ps->sender_mask = (uint32_t)(2 * size - 1);
	for (uint64_t i = 0; i < size; i++) {
		if (i + AHEAD < size && old[i + AHEAD].pairs)
			__builtin_prefetch(pair_at(ps, old[i + AHEAD].leader));
		if (old[i].pairs)
			sender_put(ps, &old[i]);
	}
	mem_free(old);
	return true;
}

/* One more pair has this sender; the room is reserved. */
static void sender_join(struct pairs *ps, uint32_t pair)
{
	struct pair *p = pair_at(ps, pair);
	struct span from = pair_from(ps, p);
	uint32_t hash = sender_hash(ps, from);
	struct sender *s = sender_slot(ps, from, hash);

	p->from_hash = hash;
	if (!s->pairs) {
		*s = (struct sender){ .tag = sender_tag(hash), .leader = pair };
		ps->n_senders++;
	}
	s->pairs++;
}

static void sender_leave(struct pairs *ps, struct sender *s)
{
	uint32_t mask = ps->sender_mask, hole = (uint32_t)(s - ps->senders), at = hole;

	if (--s->pairs)
		return;
	while (ps->senders[at = (at + 1) & mask].pairs) {
		if (slot_may_fill(sender_home(ps, &ps->senders[at]), hole, at, mask)) {
			ps->senders[hole] = ps->senders[at];
			hole = at;
		}
	}
	ps->senders[hole] = (struct sender){ 0 };
	ps->n_senders--;
}

/* -- the table -- */

struct pairs *pairs_new(uint32_t max)
{
	struct pairs *ps = mem_try_zalloc(sizeof(*ps));

	BUG_ON(max > LIMIT_PAIRS_FLAG_MAX);
	if (!ps)
		return NULL;
	ps->max = max;
	ps->mask = ps->sender_mask = SLOTS_MIN - 1;
	ps->slots = mem_try_zalloc(SLOTS_MIN * sizeof(*ps->slots));
	ps->senders = mem_try_zalloc(SLOTS_MIN * sizeof(*ps->senders));
	rand_bytes(&ps->seed, sizeof(ps->seed));
	hash_key_random(&ps->key);
	/* Chunks of names: 512 bytes to 16 KiB; of pairs: 4 to 256. */
	arena_init(&ps->names, NAME_UNIT, 6, 11, 1u << NAME_BITS);
	arena_init(&ps->pairs, sizeof(struct pair), 2, 8, max);
	ps->names.used = 1; /* 0 is the name of no spelling */
	if (!ps->slots || !ps->senders) {
		pairs_free(ps);
		return NULL;
	}
	return ps;
}

void pairs_free(struct pairs *ps)
{
	if (!ps)
		return;
	arena_free(&ps->names);
	arena_free(&ps->pairs);
	mem_free(ps->slots);
	mem_free(ps->senders);
	mem_free(ps);
}

struct pair *pairs_get(struct pairs *ps, struct span from, struct span to)
{
	struct pairs_hit hit = pairs_find(ps, from, to);

	return hit.canonical ? hit.pair : NULL;
}

static void pair_begin(struct pairs *ps, uint32_t index, uint32_t name, uint16_t room,
	struct span from, struct span to)
{
	struct pair *p = pair_at(ps, index);

	spelling_write(ps, name, from, to);
	*p = (struct pair){ .names = name,
		.names_room = room,
		.state = PAIR_NONE,
		.from_len = (uint16_t)from.n,
		.to_len = (uint16_t)to.n };
	ps->counts[PAIR_NONE]++;
	slot_add(ps, name, index);
	sender_join(ps, index);
}

static bool pair_useless(const struct pair *p, uint64_t now)
{
	return p->state == PAIR_NONE || (p->state == PAIR_REFUSED && now >= p->refused_until);
}

/*
 * Makes p, which is of no use any more, a pair of other names. Names do not move: the
 * new ones must fit. The leader of a sender with other pairs must stay, for its name.
 */
static bool pair_reuse(struct pairs *ps, uint32_t index, struct span from, struct span to,
	uint64_t now)
{
	struct pair *p = pair_at(ps, index);
	uint32_t name = p->names;
	uint16_t room = p->names_room;
	struct sender *s;

	if (!pair_useless(p, now) || p->spellings || spelling_units(from, to) > room)
		return false;
	s = sender_slot(ps, pair_from(ps, p), p->from_hash);
	if (s->leader == index && s->pairs > 1)
		return false;
	sender_leave(ps, s);
	slot_del(ps, name);
	ps->counts[p->state]--;
	ps->last = NULL;
	pair_begin(ps, index, name, room, from, to);
	return true;
}

static struct pair *pairs_reuse(struct pairs *ps, struct span from, struct span to, uint64_t now)
{
	uint32_t tries = ps->total < SWEEP ? ps->total : SWEEP;

	if (ps->counts[PAIR_NONE] + ps->counts[PAIR_REFUSED] == 0)
		return NULL;
	while (tries--) {
		uint32_t index = ps->hand;

		ps->hand = index + 1 < ps->total ? index + 1 : 0;
		if (pair_reuse(ps, index, from, to, now))
			return pair_at(ps, index);
	}
	return NULL;
}

struct pair *pairs_add(struct pairs *ps, struct span from, struct span to, uint64_t now)
{
	struct pairs_hit hit = pairs_find(ps, from, to);
	uint32_t units = spelling_units(from, to), index, name;

	/* One spelling never means two pairs: a canonical form is its own canonical form. */
	BUG_ON(hit.pair && !hit.canonical);
	if (hit.pair)
		return hit.pair;
	if (from.n > LIMIT_DOMAIN || to.n > LIMIT_DOMAIN)
		return NULL;
	if (!slots_reserve(ps) || !senders_reserve(ps))
		return NULL;
	if (ps->total == ps->max)
		return pairs_reuse(ps, from, to, now);
	/* Names first: what is taken of them and not used is lost, a pair is not. */
	if (!arena_take(&ps->names, units, &name) || !arena_take(&ps->pairs, 1, &index))
		return NULL;
	ps->total++;
	pair_begin(ps, index, name, (uint16_t)units, from, to);
	return pair_at(ps, index);
}

void pairs_remember(struct pairs *ps, struct pair *p, struct span raw_from, struct span raw_to)
{
	struct pairs_hit hit = pairs_find(ps, raw_from, raw_to);
	uint32_t name;

	BUG_ON(hit.pair && hit.pair != p);
	if (hit.pair || p->spellings == LIMIT_SPELLINGS)
		return;
	if (raw_from.n > LIMIT_DOMAIN || raw_to.n > LIMIT_DOMAIN || !slots_reserve(ps) ||
		!arena_take(&ps->names, spelling_units(raw_from, raw_to), &name))
		return;
	spelling_write(ps, name, raw_from, raw_to);
	slot_add(ps, name, ps->slots[slot_of(ps, p->names)].pair);
	p->spellings++;
}

/* -- states -- */

void pairs_set_state(struct pairs *ps, struct pair *p, enum pair_state to)
{
#define BIT(state) (1u << PAIR_##state)
	static const uint8_t edges[PAIR_STATES] = {
		/* asked; proven at once */
		[PAIR_NONE] = BIT(VERIFYING) | BIT(VALID) | BIT(REFUSED),
		/* answered; given up for want of resources */
		[PAIR_VERIFYING] = BIT(VALID) | BIT(REFUSED) | BIT(NONE),
		/* revoked */
		[PAIR_VALID] = BIT(REFUSED) | BIT(NONE),
		/* its time is over, and it was asked for again */
		[PAIR_REFUSED] = BIT(VERIFYING) | BIT(VALID) | BIT(NONE),
	};
#undef BIT

	BUG_ON(p->state >= PAIR_STATES || to >= PAIR_STATES);
	BUG_ON(!(edges[p->state] & 1u << to));
	if (p->state == PAIR_VALID || to == PAIR_VALID) {
		struct sender *s = sender_slot(ps, pair_from(ps, p), p->from_hash);

		BUG_ON(!s->pairs);
		if (to == PAIR_VALID)
			s->valid++;
		else
			s->valid--;
	}
	ps->counts[p->state]--;
	ps->counts[to]++;
	p->state = (uint8_t)to;
}

uint32_t pairs_count(const struct pairs *ps, enum pair_state state)
{
	return ps->counts[state];
}

uint32_t pairs_total(const struct pairs *ps)
{
	return ps->total;
}

void pairs_set_softened(struct pairs *ps)
{
	ps->softened = true;
}

bool pairs_softened(const struct pairs *ps)
{
	return ps->softened;
}

size_t pairs_memory(const struct pairs *ps)
{
	return sizeof(*ps) + ps->names.bytes + ps->pairs.bytes +
		((size_t)ps->mask + 1) * sizeof(*ps->slots) +
		((size_t)ps->sender_mask + 1) * sizeof(*ps->senders);
}

void pairs_each(struct pairs *ps, void (*fn)(void *ctx, struct pair *p), void *ctx)
{
	for (uint32_t i = 0; i < ps->total; i++)
		fn(ctx, pair_at(ps, i));
}
