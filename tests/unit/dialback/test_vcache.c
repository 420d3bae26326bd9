/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>

#include "bench/bench.h"
#include "dialback/vcache.h"

#define MINUTE 60000
#define START 1000000

static const struct vcache_fact valid = { .verdict = VERDICT_VALID };
static const struct vcache_fact weak = { .verdict = VERDICT_VALID, .weak = true };
static const struct vcache_fact failed = { .verdict = VERDICT_FAILED, .detail = 3 };

static struct vcache_key key_n(struct vcache *vc, unsigned n)
{
	char name[32];

	snprintf(name, sizeof(name), "r%u.test", n);
	return vcache_key(vc, VSCOPE_FAILURE, SPAN_NONE, span_str(name), SPAN_NONE);
}

static void put(struct vcache *vc, struct vcache_key k, struct vcache_fact f, uint64_t now)
{
	cr_assert_eq(vcache_put(vc, k, f, MINUTE, now), VCACHE_STORED);
}

static unsigned verdict_of(struct vcache *vc, struct vcache_key k, uint64_t now)
{
	return vcache_get(vc, k, now).verdict;
}

/* Without asking, which would change what is displaced next. */
static uint64_t used(struct vcache *vc, uint64_t now)
{
	struct vcache_use use;

	vcache_use(vc, now, &use);
	return use.capacity - use.verdict[VERDICT_NONE];
}

/* -- one entry -- */

Test(vcache, returns_what_was_stored)
{
	struct vcache *vc = vcache_new(1000, START);
	struct vcache_key k = key_n(vc, 1);
	struct vcache_fact f;

	cr_assert_eq(verdict_of(vc, k, START), VERDICT_NONE);
	put(vc, k, failed, START);
	f = vcache_get(vc, k, START);
	cr_assert_eq(f.verdict, VERDICT_FAILED);
	cr_assert_eq(f.detail, 3);
	cr_assert(f.weak);
	cr_assert_not(f.other);
	cr_assert_eq(f.left_s, MINUTE / 1000);
	cr_assert_eq(vcache_get(vc, k, START + 2000).left_s, MINUTE / 1000 - 2);
	cr_assert_eq(verdict_of(vc, key_n(vc, 2), START), VERDICT_NONE);
	vcache_free(vc);
}

Test(vcache, the_same_name_is_replaced)
{
	struct vcache *vc = vcache_new(1, START);
	struct vcache_key k = key_n(vc, 1);

	put(vc, k, failed, START);
	put(vc, k, valid, START);
	cr_assert_eq(verdict_of(vc, k, START), VERDICT_VALID);
	cr_assert_not(vcache_get(vc, k, START).weak);
	cr_assert_eq(used(vc, START), 1);
	vcache_free(vc);
}

Test(vcache, is_over_in_time)
{
	struct vcache *vc = vcache_new(1, START);
	struct vcache_key k = key_n(vc, 1);

	put(vc, k, valid, START + 500);
	cr_assert_eq(verdict_of(vc, k, START + MINUTE - 1), VERDICT_VALID);
	cr_assert_eq(verdict_of(vc, k, START + MINUTE), VERDICT_NONE);
	cr_assert_eq(vcache_put(vc, k, valid, 0, START), VCACHE_STORED);
	cr_assert_eq(verdict_of(vc, k, START), VERDICT_NONE, "no time at all");
	cr_assert_eq(vcache_put(vc, k, valid, 1, START), VCACHE_STORED);
	cr_assert_eq(verdict_of(vc, k, START + 999), VERDICT_VALID, "rounded up");
	cr_assert_eq(verdict_of(vc, k, START + 1000), VERDICT_NONE);
	vcache_free(vc);
}

Test(vcache, lives_as_long_as_it_can)
{
	struct vcache *vc = vcache_new(1, START);
	struct vcache_key k = key_n(vc, 1);
	uint64_t century = UINT64_C(100) * 365 * 86400 * 1000;

	cr_assert_eq(vcache_put(vc, k, valid, UINT64_MAX, START), VCACHE_STORED);
	cr_assert_eq(verdict_of(vc, k, START + century), VERDICT_VALID);
	cr_assert_eq(verdict_of(vc, k, 0), VERDICT_VALID, "a clock behind the table's start");
	vcache_free(vc);
}

Test(vcache, purge_forgets_everything)
{
	struct vcache *vc = vcache_new(100, START);

	for (unsigned i = 0; i < 20; i++)
		put(vc, key_n(vc, i), valid, START);
	vcache_purge(vc);
	for (unsigned i = 0; i < 20; i++)
		cr_assert_eq(verdict_of(vc, key_n(vc, i), START), VERDICT_NONE);
	put(vc, key_n(vc, 1), failed, START);
	cr_assert_eq(verdict_of(vc, key_n(vc, 1), START), VERDICT_FAILED);
	cr_assert_eq(used(vc, START), 1);
	vcache_free(vc);
}

Test(vcache, drop_forgets_one)
{
	struct vcache *vc = vcache_new(1, START);

	put(vc, key_n(vc, 1), valid, START);
	put(vc, key_n(vc, 2), valid, START);
	cr_assert_eq(vcache_drop(vc, key_n(vc, 1)), VCACHE_STORED);
	cr_assert_eq(vcache_drop(vc, key_n(vc, 3)), VCACHE_STORED, "what is not there");
	cr_assert_eq(verdict_of(vc, key_n(vc, 1), START), VERDICT_NONE);
	cr_assert_eq(verdict_of(vc, key_n(vc, 2), START), VERDICT_VALID);
	vcache_free(vc);
}

/* -- keys -- */

static bool key_eq(struct vcache_key a, struct vcache_key b)
{
	return a.name == b.name && a.value == b.value;
}

Test(vcache, every_part_of_a_key_counts)
{
	struct vcache *vc = vcache_new(1, START), *other = vcache_new(1, START);
	static const char hash1[VCACHE_SPKI] = { 1 }, hash2[VCACHE_SPKI] = { 2 };
	struct span spki1 = span_of(hash1, VCACHE_SPKI), spki2 = span_of(hash2, VCACHE_SPKI);
	struct span ab = SPAN_LIT("ab"), a = SPAN_LIT("a"), b = SPAN_LIT("b"), bc = SPAN_LIT("bc"),
		    c = SPAN_LIT("c");
	struct vcache_key keys[] = {
		vcache_key(vc, VSCOPE_IDENTITY, spki1, ab, c),
		vcache_key(vc, VSCOPE_IDENTITY, spki1, a, bc),
		vcache_key(vc, VSCOPE_IDENTITY, spki2, ab, c),
		vcache_key(vc, VSCOPE_IDENTITY, SPAN_NONE, ab, c),
		vcache_key(vc, VSCOPE_FAILURE, spki1, ab, c),
		vcache_key(vc, VSCOPE_FAILURE, SPAN_NONE, ab, c),
		vcache_key(vc, VSCOPE_FAILURE, SPAN_NONE, ab, SPAN_NONE),
		vcache_key(vc, VSCOPE_FAILURE, SPAN_NONE, b, a),
		vcache_key(vc, VSCOPE_FAILURE, SPAN_NONE, a, b),
		vcache_key(other, VSCOPE_FAILURE, SPAN_NONE, a, b),
		vcache_key_pin(vc, ab, 0, spki1),
		vcache_key_pin(vc, ab, 0, spki2),
		vcache_key_pin(vc, a, 0, spki1),
		vcache_key_pin(vc, ab, 1, spki1),
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		for (size_t j = 0; j < i; j++)
			cr_assert_not(key_eq(keys[i], keys[j]), "%zu and %zu", j, i);
	cr_assert(key_eq(keys[0], vcache_key(vc, VSCOPE_IDENTITY, spki1, ab, c)));
	cr_assert_eq(keys[10].name, keys[11].name, "a pin is named by its domain");
	cr_assert_neq(keys[10].name, keys[12].name);
	cr_assert_neq(keys[10].name, keys[13].name, "and by its slot");
	cr_assert_eq(keys[10].value, keys[13].value, "which its value does not depend on");
	vcache_free(vc);
	vcache_free(other);
}

Test(vcache, peek_tells_another_value_of_the_same_name)
{
	struct vcache *vc = vcache_new(1, START);
	static const char hash1[VCACHE_SPKI] = { 1 }, hash2[VCACHE_SPKI] = { 2 };
	struct span domain = SPAN_LIT("r.test");
	struct vcache_key one = vcache_key_pin(vc, domain, 0, span_of(hash1, VCACHE_SPKI));
	struct vcache_key two = vcache_key_pin(vc, domain, 0, span_of(hash2, VCACHE_SPKI));
	struct vcache_fact there;

	put(vc, one, valid, START);
	cr_assert_eq(vcache_peek(vc, one, START).verdict, VERDICT_VALID);
	cr_assert_not(vcache_peek(vc, one, START).other);
	cr_assert_eq(vcache_peek(vc, two, START).verdict, VERDICT_VALID);
	cr_assert(vcache_peek(vc, two, START).other);
	cr_assert_eq(vcache_peek(vc, two, START).value, one.value);
	cr_assert_eq(verdict_of(vc, two, START), VERDICT_NONE);
	cr_assert_eq(vcache_put_absent(vc, two, valid, MINUTE, START, &there), VCACHE_THERE);
	cr_assert(there.other);
	put(vc, two, valid, START);
	cr_assert_eq(verdict_of(vc, one, START), VERDICT_NONE, "one value a name");
	cr_assert_eq(verdict_of(vc, two, START), VERDICT_VALID);
	vcache_free(vc);
}

/* -- put-if-absent -- */

Test(vcache, a_claim_is_given_once)
{
	struct vcache *vc = vcache_new(1, START);
	struct vcache_key k = key_n(vc, 1);
	struct vcache_fact there;

	cr_assert_eq(vcache_claim(vc, k, 30000, START, &there), VCACHE_STORED);
	cr_assert_eq(vcache_claim(vc, k, 30000, START, &there), VCACHE_THERE);
	cr_assert_eq(there.verdict, VERDICT_PENDING);
	put(vc, k, failed, START);
	cr_assert_eq(vcache_claim(vc, k, 30000, START, &there), VCACHE_THERE);
	cr_assert_eq(there.verdict, VERDICT_FAILED);
	cr_assert_eq(there.detail, 3);
	cr_assert_eq(vcache_drop(vc, k), VCACHE_STORED);
	cr_assert_eq(vcache_claim(vc, k, 30000, START, &there), VCACHE_STORED);
	vcache_free(vc);
}

/* Its worker got lost: the next one takes it over. */
Test(vcache, a_claim_ends_by_itself)
{
	struct vcache *vc = vcache_new(1, START);
	struct vcache_key k = key_n(vc, 1);
	struct vcache_fact there;

	cr_assert_eq(vcache_claim(vc, k, 30000, START, &there), VCACHE_STORED);
	cr_assert_eq(vcache_claim(vc, k, 30000, START + 29999, &there), VCACHE_THERE);
	cr_assert_eq(vcache_claim(vc, k, 30000, START + 30000, &there), VCACHE_STORED);
	vcache_free(vc);
}

/* -- what is displaced -- */

/* One set, full of entries 0 to 4, the last `n_asked` of which were asked for. */
static struct vcache *full_set(struct vcache_fact f, unsigned n_asked)
{
	struct vcache *vc = vcache_new(1, START);

	for (unsigned i = 0; i < VCACHE_WAYS; i++)
		put(vc, key_n(vc, i), f, START);
	for (unsigned i = VCACHE_WAYS - n_asked; i < VCACHE_WAYS; i++)
		cr_assert_neq(verdict_of(vc, key_n(vc, i), START), VERDICT_NONE);
	return vc;
}

Test(vcache, a_set_holds_five)
{
	struct vcache *vc = full_set(valid, 0);

	cr_assert_eq(used(vc, START), VCACHE_WAYS);
	put(vc, key_n(vc, 9), valid, START);
	cr_assert_eq(used(vc, START), VCACHE_WAYS);
	cr_assert_eq(verdict_of(vc, key_n(vc, 9), START), VERDICT_VALID);
	vcache_free(vc);
}

Test(vcache, the_oldest_goes_first)
{
	struct vcache *vc = full_set(valid, 0);

	for (unsigned i = 0; i < 3; i++)
		put(vc, key_n(vc, 10 + i), valid, START);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(verdict_of(vc, key_n(vc, i), START), VERDICT_NONE);
	for (unsigned i = 3; i < VCACHE_WAYS; i++)
		cr_assert_eq(verdict_of(vc, key_n(vc, i), START), VERDICT_VALID);
	vcache_free(vc);
}

Test(vcache, what_is_over_goes_before_what_is_not)
{
	struct vcache *vc = full_set(valid, 0);

	cr_assert_eq(vcache_put(vc, key_n(vc, 3), valid, 1000, START), VCACHE_STORED);
	put(vc, key_n(vc, 9), failed, START + 1000);
	for (unsigned i = 0; i < VCACHE_WAYS; i++)
		cr_assert_eq(verdict_of(vc, key_n(vc, i), START + 1000),
			i == 3 ? VERDICT_NONE : VERDICT_VALID);
	vcache_free(vc);
}

Test(vcache, what_was_asked_for_stays)
{
	struct vcache *vc = full_set(valid, 4);

	put(vc, key_n(vc, 9), valid, START);
	cr_assert_eq(verdict_of(vc, key_n(vc, 0), START), VERDICT_NONE);
	put(vc, key_n(vc, 10), valid, START);
	cr_assert_eq(verdict_of(vc, key_n(vc, 9), START), VERDICT_NONE, "it alone was not");
	for (unsigned i = 1; i < VCACHE_WAYS; i++)
		cr_assert_eq(verdict_of(vc, key_n(vc, i), START), VERDICT_VALID);
	vcache_free(vc);
}

/* CLOCK: with all of them in use the hand goes round, and they have to be asked for again. */
Test(vcache, all_in_use_and_yet_one_goes)
{
	struct vcache *vc = full_set(valid, 5);

	put(vc, key_n(vc, 9), valid, START);
	cr_assert_eq(verdict_of(vc, key_n(vc, 0), START), VERDICT_NONE);
	cr_assert_eq(verdict_of(vc, key_n(vc, 1), START), VERDICT_VALID);
	put(vc, key_n(vc, 10), valid, START);
	cr_assert_eq(verdict_of(vc, key_n(vc, 1), START), VERDICT_VALID, "asked for again");
	cr_assert_eq(verdict_of(vc, key_n(vc, 2), START), VERDICT_NONE);
	vcache_free(vc);
}

Test(vcache, said_anew_it_stays_in_use)
{
	struct vcache *vc = full_set(valid, 5);

	put(vc, key_n(vc, 0), valid, START);
	cr_assert_eq(vcache_put(vc, key_n(vc, 9), failed, MINUTE, START), VCACHE_FULL);
	vcache_free(vc);
}

/* -- the class rule -- */

Test(vcache, a_flood_leaves_verdicts_in_use_alone)
{
	struct vcache *vc = full_set(valid, 5);
	struct vcache_fact there;

	for (unsigned i = 10; i < 1000; i++) {
		cr_assert_eq(vcache_put(vc, key_n(vc, i), failed, MINUTE, START), VCACHE_FULL);
		cr_assert_eq(vcache_put(vc, key_n(vc, i), weak, MINUTE, START), VCACHE_FULL);
		cr_assert_eq(vcache_claim(vc, key_n(vc, i), MINUTE, START, &there), VCACHE_FULL);
	}
	for (unsigned i = 0; i < VCACHE_WAYS; i++)
		cr_assert_eq(verdict_of(vc, key_n(vc, i), START), VERDICT_VALID);
	vcache_free(vc);
}

Test(vcache, a_flood_takes_one_of_those_nobody_asked_for)
{
	struct vcache *vc = full_set(valid, 0);
	unsigned left = 0;

	for (unsigned i = 10; i < 1000; i++) {
		put(vc, key_n(vc, i), i % 2 ? failed : weak, START);
		cr_assert_neq(verdict_of(vc, key_n(vc, i), START), VERDICT_NONE);
	}
	for (unsigned i = 0; i < VCACHE_WAYS; i++)
		left += verdict_of(vc, key_n(vc, i), START) == VERDICT_VALID;
	cr_assert_eq(left, VCACHE_WAYS - 1);
	vcache_free(vc);
}

Test(vcache, a_verdict_displaces_what_is_weak_first)
{
	struct vcache *vc = full_set(valid, 0);

	put(vc, key_n(vc, 3), failed, START);
	cr_assert_eq(verdict_of(vc, key_n(vc, 3), START), VERDICT_FAILED);
	put(vc, key_n(vc, 9), valid, START);
	for (unsigned i = 0; i < VCACHE_WAYS; i++)
		cr_assert_eq(verdict_of(vc, key_n(vc, i), START),
			i == 3 ? VERDICT_NONE : VERDICT_VALID);
	vcache_free(vc);
}

/* -- how full it is -- */

Test(vcache, counts_by_class)
{
	struct vcache *vc = vcache_new(5 * 16, START);
	struct vcache_use use;
	struct vcache_fact there;

	put(vc, key_n(vc, 1), valid, START);
	put(vc, key_n(vc, 2), weak, START);
	put(vc, key_n(vc, 3), failed, START);
	cr_assert_eq(vcache_claim(vc, key_n(vc, 4), MINUTE, START, &there), VCACHE_STORED);
	vcache_use(vc, START, &use);
	cr_assert_eq(use.capacity, 80);
	cr_assert_eq(use.verdict[VERDICT_VALID], 2);
	cr_assert_eq(use.verdict[VERDICT_FAILED], 1);
	cr_assert_eq(use.verdict[VERDICT_PENDING], 1);
	cr_assert_eq(use.verdict[VERDICT_NONE], 76);
	cr_assert_eq(use.strong, 1);
	vcache_use(vc, START + MINUTE, &use);
	cr_assert_eq(use.verdict[VERDICT_NONE], 80);
	vcache_free(vc);
}

Test(vcache, a_sample_is_near_enough)
{
	struct vcache *vc = vcache_new(5 << 14, START);
	uint64_t n;

	for (unsigned i = 0; i < 20000; i++)
		put(vc, key_n(vc, i), valid, START);
	n = used(vc, START);
	cr_assert(n > 18000 && n < 22000, "%llu", (unsigned long long)n);
	vcache_free(vc);
}

Test(vcache, rounds_up_to_sets)
{
	static const uint64_t asked[] = { 0, 1, 5, 6, 10, 11, 1000000 };
	static const uint64_t capacity[] = { 5, 5, 5, 10, 10, 20, 5 << 18 };
	struct vcache_use use;

	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		struct vcache *vc = vcache_new(asked[i], START);

		vcache_use(vc, START, &use);
		cr_assert_eq(use.capacity, capacity[i], "%llu", (unsigned long long)asked[i]);
		vcache_free(vc);
	}
}

/* -- against a map that forgets nothing -- */

#define NAMES 400 /* in room for 160: most of it is displaced */
#define VALUES 4
#define OPS 1000000

struct known {
	struct vcache_key k[VALUES];
	struct vcache_fact fact; /* verdict NONE: nothing */
	unsigned value;
	uint64_t until; /* ms */
};

struct oracle {
	struct vcache *vc;
	struct known known[NAMES];
	uint64_t now, random;
	uint64_t hits, stored; /* the test would prove nothing without them */
};

static bool known_now(const struct oracle *o, const struct known *n)
{
	return n->fact.verdict != VERDICT_NONE && o->now < n->until;
}

/* Nothing, or exactly what the map has. */
static void check_answer(struct oracle *o, const struct known *n, unsigned value,
	struct vcache_fact f)
{
	if (f.verdict == VERDICT_NONE)
		return;
	cr_assert(known_now(o, n));
	cr_assert_eq(f.verdict, n->fact.verdict);
	cr_assert_eq(f.detail, n->fact.detail);
	cr_assert_eq(f.weak, n->fact.weak || n->fact.verdict != VERDICT_VALID);
	cr_assert_eq(f.other, n->value != value);
	cr_assert_eq(f.value, n->k[n->value].value);
	o->hits++;
}

static void oracle_set(struct oracle *o, struct known *n, unsigned value, struct vcache_fact f,
	uint64_t ttl)
{
	n->fact = f;
	n->value = value;
	/* As the table rounds: seconds begun, and whole seconds of life. */
	n->until = START + ((o->now - START) / 1000 + ttl / 1000) * 1000;
	o->stored++;
}

static void oracle_put(struct oracle *o, struct known *n, unsigned value)
{
	struct vcache_fact f = {
		.verdict = (uint8_t)(1 + bench_below(&o->random, VERDICTS - 1)),
		.detail = (uint8_t)bench_below(&o->random, VCACHE_DETAIL_MAX + 1),
		.weak = bench_below(&o->random, 2),
	};
	uint64_t ttl = 1000 * bench_below(&o->random, 60);
	bool absent = bench_below(&o->random, 2);
	struct vcache_fact there = { 0 };
	enum vcache_put r = absent ? vcache_put_absent(o->vc, n->k[value], f, ttl, o->now, &there)
				   : vcache_put(o->vc, n->k[value], f, ttl, o->now);

	cr_assert_neq(r, VCACHE_BUSY);
	cr_assert(r != VCACHE_FULL || f.verdict != VERDICT_VALID || f.weak);
	if (r == VCACHE_STORED)
		oracle_set(o, n, value, f, ttl);
	else if (r == VCACHE_THERE)
		check_answer(o, n, value, there);
}

static void oracle_get(struct oracle *o, struct known *n, unsigned value)
{
	struct vcache_fact f = vcache_get(o->vc, n->k[value], o->now);

	cr_assert_not(f.other);
	check_answer(o, n, value, f);
	check_answer(o, n, value, vcache_peek(o->vc, n->k[value], o->now));
}

static void oracle_purge(struct oracle *o)
{
	vcache_purge(o->vc);
	for (unsigned i = 0; i < NAMES; i++)
		o->known[i].fact.verdict = VERDICT_NONE;
}

static void oracle_step(struct oracle *o)
{
	struct known *n = &o->known[bench_below(&o->random, NAMES)];
	unsigned value = (unsigned)bench_below(&o->random, VALUES);
	size_t what = bench_below(&o->random, 1000);

	o->now += bench_below(&o->random, 20);
	if (what < 600) {
		oracle_get(o, n, value);
	} else if (what < 950) {
		oracle_put(o, n, value);
	} else if (what < 999) {
		cr_assert_eq(vcache_drop(o->vc, n->k[value]), VCACHE_STORED);
		n->fact.verdict = VERDICT_NONE;
	} else {
		oracle_purge(o);
	}
}

/* Single thread: a claim that is there must be there, too, in what put_absent says. */
Test(vcache, a_million_operations_against_a_map)
{
	static struct oracle o;
	struct vcache_use use;

	o = (struct oracle){ .vc = vcache_new(160, START), .now = START, .random = 42 };
	for (unsigned i = 0; i < NAMES; i++) {
		struct vcache_key k = key_n(o.vc, i);

		for (unsigned v = 0; v < VALUES; v++)
			o.known[i].k[v] = (struct vcache_key){ k.name, k.value + v };
	}
	for (unsigned i = 0; i < OPS; i++)
		oracle_step(&o);
	vcache_use(o.vc, o.now, &use);
	cr_assert_eq(use.capacity, 160);
	cr_assert(o.hits > OPS / 20, "%llu", (unsigned long long)o.hits);
	cr_assert(o.stored > OPS / 10, "%llu", (unsigned long long)o.stored);
	vcache_free(o.vc);
}
