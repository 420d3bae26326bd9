/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "dialback/pairs.h"
#include "dice.h"

static struct pairs *ps;

static void setup(void)
{
	ps = pairs_new(LIMIT_PAIRS_PER_STREAM);
	cr_assert_not_null(ps);
}

static void teardown(void)
{
	pairs_free(ps);
}

TestSuite(pairs, .init = setup, .fini = teardown);

static struct pair *add(const char *from, const char *to)
{
	struct pair *p = pairs_add(ps, span_str(from), span_str(to), 0);

	cr_assert_not_null(p);
	return p;
}

static struct pairs_hit find(const char *from, const char *to)
{
	return pairs_find(ps, span_str(from), span_str(to));
}

Test(pairs, found_by_canonical_form)
{
	struct pair *p = add("rx.peer.test", "shop.hosted.test");

	cr_expect_eq(p->state, PAIR_NONE);
	cr_expect_eq(add("rx.peer.test", "shop.hosted.test"), p);
	cr_expect_eq(find("rx.peer.test", "shop.hosted.test").pair, p);
	cr_expect(find("rx.peer.test", "shop.hosted.test").canonical);
	cr_expect_eq(pairs_get(ps, SPAN_LIT("rx.peer.test"), SPAN_LIT("shop.hosted.test")), p);
	cr_expect_str_eq(pair_from(ps, p).p, "rx.peer.test");
	cr_expect_str_eq(pair_to(ps, p).p, "shop.hosted.test");
	cr_expect_eq(p->from_len, 12);
	cr_expect_eq(p->to_len, 16);
	cr_expect_null(find("shop.hosted.test", "rx.peer.test").pair);
	cr_expect_null(find("rx.peer.test", "shop.hosted.tes").pair);
	cr_expect_null(find("RX.peer.test", "shop.hosted.test").pair);
	cr_expect_null(find("", "").pair);
	cr_expect_eq(pairs_total(ps), 1);
	cr_expect_eq(pairs_count(ps, PAIR_NONE), 1);
}

/* Where one domain ends and the other begins is part of the name. */
Test(pairs, borders)
{
	struct pair *a = add("ab", "c"), *b = add("a", "bc"), *c = add("abc", "d");

	cr_expect_neq(a, b);
	cr_expect_eq(find("ab", "c").pair, a);
	cr_expect_eq(find("a", "bc").pair, b);
	cr_expect_eq(find("abc", "d").pair, c);
	cr_expect_null(find("abc", "").pair);
	cr_expect_null(find("", "abc").pair);
	cr_expect_null(pairs_find(ps, SPAN_LIT("ab\0c"), SPAN_LIT("")).pair);
	cr_expect_null(pairs_find(ps, SPAN_LIT("a"), SPAN_LIT("b")).pair);
}

Test(pairs, lengths)
{
	char name[LIMIT_DOMAIN + 2];

	memset(name, 'x', sizeof(name));
	for (size_t n = 1; n <= LIMIT_DOMAIN; n += n < 40 ? 1 : 41)
		cr_assert_not_null(pairs_add(ps, span_of(name, n), span_of(name, LIMIT_DOMAIN), 0));
	for (size_t n = 1; n <= LIMIT_DOMAIN; n += n < 40 ? 1 : 41)
		cr_assert_eq(pair_from(ps,
				     pairs_find(ps, span_of(name, n), span_of(name, LIMIT_DOMAIN))
					     .pair)
				     .n,
			n);
	cr_expect_null(pairs_add(ps, span_of(name, LIMIT_DOMAIN + 1), SPAN_LIT("a"), 0));
	cr_expect_null(pairs_find(ps, span_of(name, LIMIT_DOMAIN + 1), SPAN_LIT("a")).pair);
}

Test(pairs, spellings)
{
	static const char *const raw[] = { "RX.peer.test", "rX.peer.test", "Rx.Peer.test",
		"RX.PEER.TEST", "rx.peer.tesT" };
	struct pair *p = add("rx.peer.test", "shop.hosted.test");

	for (size_t i = 0; i < ARRAY_LEN(raw); i++) {
		pairs_remember(ps, p, span_str(raw[i]), SPAN_LIT("shop.hosted.test"));
		pairs_remember(ps, p, span_str(raw[i]), SPAN_LIT("shop.hosted.test"));
	}
	for (size_t i = 0; i < ARRAY_LEN(raw); i++) {
		struct pairs_hit hit = find(raw[i], "shop.hosted.test");

		cr_expect_eq(hit.pair, i < LIMIT_SPELLINGS ? p : NULL, "never displaces one");
		cr_expect_not(hit.canonical);
		cr_expect_null(pairs_get(ps, span_str(raw[i]), SPAN_LIT("shop.hosted.test")));
	}
	cr_expect(find("rx.peer.test", "shop.hosted.test").canonical);
	pairs_remember(ps, p, SPAN_LIT("rx.peer.test"), SPAN_LIT("shop.hosted.test"));
	cr_expect_eq(p->spellings, LIMIT_SPELLINGS);
	cr_expect_eq(pairs_total(ps), 1);
}

Test(pairs, a_spelling_never_means_two_pairs, .signal = SIGABRT)
{
	struct pair *p = add("a", "b");

	add("c", "d");
	cr_assert_not_null(freopen("/dev/null", "w", stderr));
	pairs_remember(ps, p, SPAN_LIT("c"), SPAN_LIT("d"));
}

Test(pairs, senders)
{
	struct pair *a = add("r1", "l1"), *b = add("r1", "l2"), *c = add("r2", "l1");

	cr_expect_not(pairs_sender_valid(ps, SPAN_LIT("r1")));
	pairs_set_state(ps, a, PAIR_VALID);
	pairs_set_state(ps, b, PAIR_VERIFYING);
	cr_expect(pairs_sender_valid(ps, SPAN_LIT("r1")));
	cr_expect_not(pairs_sender_valid(ps, SPAN_LIT("r2")));
	cr_expect_not(pairs_sender_valid(ps, SPAN_LIT("l1")));
	pairs_set_state(ps, b, PAIR_VALID);
	pairs_set_state(ps, a, PAIR_REFUSED);
	cr_expect(pairs_sender_valid(ps, SPAN_LIT("r1")));
	pairs_set_state(ps, b, PAIR_NONE);
	cr_expect_not(pairs_sender_valid(ps, SPAN_LIT("r1")));
	pairs_set_state(ps, c, PAIR_VALID);
	cr_expect(pairs_sender_valid(ps, SPAN_LIT("r2")));
	cr_expect_not(pairs_sender_valid(ps, SPAN_LIT("nobody")));
	cr_expect_eq(pairs_count(ps, PAIR_VALID), 1);
	cr_expect_eq(pairs_count(ps, PAIR_REFUSED), 1);
	cr_expect_eq(pairs_count(ps, PAIR_NONE), 1);
}

Test(pairs, every_edge)
{
	static const bool allowed[PAIR_STATES][PAIR_STATES] = {
		[PAIR_NONE] = { [PAIR_VERIFYING] = 1, [PAIR_VALID] = 1, [PAIR_REFUSED] = 1 },
		[PAIR_VERIFYING] = { [PAIR_VALID] = 1, [PAIR_REFUSED] = 1, [PAIR_NONE] = 1 },
		[PAIR_VALID] = { [PAIR_REFUSED] = 1, [PAIR_NONE] = 1 },
		[PAIR_REFUSED] = { [PAIR_VERIFYING] = 1, [PAIR_VALID] = 1, [PAIR_NONE] = 1 },
	};

	for (int from = 0; from < PAIR_STATES; from++) {
		for (int to = 0; to < PAIR_STATES; to++) {
			char name[32];
			struct pair *p;

			if (!allowed[from][to])
				continue;
			snprintf(name, sizeof(name), "%d-%d", from, to);
			p = add(name, "l");
			if (from != PAIR_NONE)
				pairs_set_state(ps, p, (enum pair_state)from);
			pairs_set_state(ps, p, (enum pair_state)to);
			cr_expect_eq(p->state, to);
		}
	}
}

static void edge(enum pair_state to)
{
	struct pair *p = add("a", "b");

	pairs_set_state(ps, p, PAIR_VALID);
	cr_assert_not_null(freopen("/dev/null", "w", stderr));
	pairs_set_state(ps, p, to);
}

Test(pairs, no_edge_from_valid_to_verifying, .signal = SIGABRT)
{
	edge(PAIR_VERIFYING);
}

Test(pairs, no_edge_to_itself, .signal = SIGABRT)
{
	edge(PAIR_VALID);
}

static void count_up(void *ctx, struct pair *p)
{
	unsigned *n = ctx;
	char name[32];

	snprintf(name, sizeof(name), "r%u", (*n)++);
	cr_assert_str_eq(pair_from(ps, p).p, name);
	pairs_set_state(ps, p, PAIR_VALID);
}

Test(pairs, each_in_order)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 1000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "r%u", i);
		add(name, "l");
	}
	pairs_each(ps, count_up, &n);
	cr_expect_eq(n, 1000);
	cr_expect_eq(pairs_count(ps, PAIR_VALID), 1000);
}

/* -- the bound (T-R25) -- */

static struct pairs *small(uint32_t max)
{
	teardown();
	ps = pairs_new(max);
	cr_assert_not_null(ps);
	for (uint32_t i = 0; i < max; i++) {
		char name[32];

		snprintf(name, sizeof(name), "r%06u", i);
		pairs_set_state(ps, add(name, "l"), PAIR_VALID);
	}
	return ps;
}

static struct pair *nth(unsigned i)
{
	char name[32];

	snprintf(name, sizeof(name), "r%06u", i);
	return find(name, "l").pair;
}

Test(pairs, nothing_valid_is_displaced)
{
	small(LIMIT_PAIRS_PER_STREAM);
	cr_expect_null(pairs_add(ps, SPAN_LIT("r020000"), SPAN_LIT("l"), 0));
	cr_expect_null(find("r020000", "l").pair);
	cr_expect_eq(pairs_count(ps, PAIR_VALID), LIMIT_PAIRS_PER_STREAM);
	for (unsigned i = 0; i < LIMIT_PAIRS_PER_STREAM; i++)
		cr_assert_not_null(nth(i));
}

Test(pairs, useless_ones_are_reused)
{
	struct pair *p;

	small(100);
	p = nth(40);
	pairs_set_state(ps, p, PAIR_REFUSED);
	p->refused_until = 1000;
	cr_expect_null(pairs_add(ps, SPAN_LIT("x"), SPAN_LIT("l"), 999), "its time is not over");
	cr_expect_null(pairs_add(ps, SPAN_LIT("a-rather-long-name.test"), SPAN_LIT("l"), 1000),
		"names do not move");
	cr_expect_eq(pairs_add(ps, SPAN_LIT("x"), SPAN_LIT("l"), 1000), p);
	cr_expect_eq(p->state, PAIR_NONE);
	cr_expect_str_eq(pair_from(ps, p).p, "x");
	cr_expect_null(nth(40));
	cr_expect_eq(find("x", "l").pair, p);
	cr_expect_eq(pairs_total(ps), 100);
	cr_expect_eq(pairs_count(ps, PAIR_REFUSED), 0);
	cr_expect_eq(pairs_count(ps, PAIR_NONE), 1);
	cr_expect_eq(pairs_add(ps, SPAN_LIT("r000040"), SPAN_LIT("l"), 0), p,
		"and back: the room stays");
	pairs_set_state(ps, p, PAIR_VERIFYING);
	cr_expect_null(pairs_add(ps, SPAN_LIT("x"), SPAN_LIT("l"), UINT64_MAX));
}

/* The last hit is answered without a look at the table: it must not outlive a reuse. */
Test(pairs, reuse_forgets_the_last_hit)
{
	struct pair *p;

	small(8);
	p = nth(3);
	pairs_set_state(ps, p, PAIR_NONE);
	nth(3);
	cr_expect_eq(pairs_add(ps, SPAN_LIT("r000009"), SPAN_LIT("l"), 0), p);
	cr_expect_null(nth(3));
	cr_expect_eq(nth(9), p);
}

/* A revoked pair whose spellings are in the table stays: they would mean another pair. */
Test(pairs, reuse_spares_remembered_spellings)
{
	struct pair *p;

	small(8);
	p = nth(3);
	pairs_remember(ps, p, SPAN_LIT("R000003"), SPAN_LIT("L"));
	pairs_set_state(ps, p, PAIR_NONE);
	cr_expect_null(pairs_add(ps, SPAN_LIT("x"), SPAN_LIT("l"), 0));
	cr_expect_eq(find("R000003", "L").pair, p);
	cr_expect_eq(nth(3), p);
}

/* The name of a sender is read from its first pair. */
Test(pairs, reuse_spares_the_leader_of_others)
{
	struct pair *a, *b, *c;

	teardown();
	ps = pairs_new(3);
	a = add("r1", "l1");
	b = add("r1", "l2");
	c = add("r2", "l1");
	pairs_set_state(ps, b, PAIR_VALID);
	pairs_set_state(ps, c, PAIR_VALID);
	cr_expect_null(pairs_add(ps, SPAN_LIT("r3"), SPAN_LIT("l1"), 0));
	cr_expect_eq(find("r1", "l1").pair, a);
	pairs_set_state(ps, c, PAIR_NONE);
	cr_expect_eq(pairs_add(ps, SPAN_LIT("r3"), SPAN_LIT("l1"), 0), c);
	cr_expect(pairs_sender_valid(ps, SPAN_LIT("r1")));
	cr_expect_not(pairs_sender_valid(ps, SPAN_LIT("r2")));
	pairs_set_state(ps, c, PAIR_VALID);
	cr_expect(pairs_sender_valid(ps, SPAN_LIT("r3")));
}

/* -- against an oracle -- */

#define FROMS 400
#define TOS 400

/* One entry per (from, to) that may exist: what the table should say about it. */
static struct oracle {
	struct pair *pair;
	uint8_t state;
} oracle[FROMS][TOS];

static uint32_t oracle_valid[FROMS], oracle_counts[PAIR_STATES], oracle_total;

static void names(unsigned f, unsigned t, char from[32], char to[32])
{
	/* Of many lengths, and such that ends of the one look like beginnings of the other. */
	snprintf(from, 32, "%.*s%u", (int)(f % 14), "aaaaaaaaaaaaaa", f);
	snprintf(to, 32, "%u%.*s", t, (int)(t % 14), "aaaaaaaaaaaaaa");
}

static void oracle_add(unsigned f, unsigned t)
{
	char from[32], to[32];
	struct pair *p;

	names(f, t, from, to);
	p = pairs_add(ps, span_str(from), span_str(to), 0);
	cr_assert_not_null(p);
	if (!oracle[f][t].pair) {
		oracle[f][t].pair = p;
		oracle_counts[PAIR_NONE]++;
		oracle_total++;
	}
	cr_assert_eq(oracle[f][t].pair, p);
}

static void oracle_set(unsigned f, unsigned t, enum pair_state to)
{
	struct oracle *o = &oracle[f][t];

	if (!o->pair || o->state == to || (o->state == PAIR_VALID && to == PAIR_VERIFYING))
		return;
	pairs_set_state(ps, o->pair, to);
	oracle_valid[f] += (to == PAIR_VALID) - (o->state == PAIR_VALID);
	oracle_counts[o->state]--;
	oracle_counts[to]++;
	o->state = (uint8_t)to;
}

static void oracle_check(unsigned f, unsigned t)
{
	char from[32], to[32];
	struct pairs_hit hit;

	names(f, t, from, to);
	hit = pairs_find(ps, span_str(from), span_str(to));
	cr_assert_eq(hit.pair, oracle[f][t].pair);
	cr_assert_eq(hit.canonical, hit.pair != NULL);
	cr_assert(!hit.pair || hit.pair->state == oracle[f][t].state);
	cr_assert_eq(pairs_sender_valid(ps, span_str(from)), oracle_valid[f] > 0);
}

Test(pairs, property, .timeout = 120)
{
	for (unsigned step = 0; oracle_total < 20000; step++) {
		unsigned f = dice(FROMS), t = dice(TOS);

		oracle_add(f, t);
		oracle_set(dice(FROMS), dice(TOS), (enum pair_state)dice(PAIR_STATES));
		oracle_set(f, t, (enum pair_state)dice(PAIR_STATES));
		oracle_check(dice(FROMS), dice(TOS));
		if (oracle[f][t].pair && dice(4) == 0) {
			char from[32], to[32], raw[40];

			names(f, t, from, to);
			snprintf(raw, sizeof(raw), "%s.", from);
			pairs_remember(ps, oracle[f][t].pair, span_str(raw), span_str(to));
			cr_assert_eq(pairs_find(ps, span_str(raw), span_str(to)).pair,
				oracle[f][t].pair);
		}
	}
	for (unsigned f = 0; f < FROMS; f++)
		for (unsigned t = 0; t < TOS; t++)
			oracle_check(f, t);
	for (int s = 0; s < PAIR_STATES; s++)
		cr_assert_eq(pairs_count(ps, (enum pair_state)s), oracle_counts[s]);
	cr_assert_eq(pairs_total(ps), 20000);
}

/* A table at its bound for long: pairs come and go, memory does not. */
Test(pairs, property_of_reuse, .timeout = 120)
{
	enum { MAX = 500, NAMES = 2000, SENDERS = 40 };
	static struct pair *where[NAMES];
	size_t memory = 0;

	teardown();
	ps = pairs_new(MAX);
	for (unsigned step = 0; step < 200000; step++) {
		unsigned i = dice(NAMES);
		char from[32], to[32];
		struct pair *p, *had;

		snprintf(from, sizeof(from), "s%u", i % SENDERS);
		snprintf(to, sizeof(to), "%05u", i);
		had = pairs_get(ps, span_str(from), span_str(to));
		cr_assert(!had || had == where[i]);
		p = pairs_add(ps, span_str(from), span_str(to), step);
		if (!p)
			continue;
		where[i] = p;
		cr_assert_str_eq(pair_to(ps, p).p, to);
		if (p->state == PAIR_NONE && dice(2))
			pairs_set_state(ps, p, PAIR_VALID);
		else if (p->state == PAIR_VALID) {
			pairs_set_state(ps, p, PAIR_REFUSED);
			p->refused_until = step + dice(300);
		}
		cr_assert_eq(pairs_sender_valid(ps, span_str(from)) || p->state != PAIR_VALID,
			true);
		if (step == 20000)
			memory = pairs_memory(ps);
	}
	cr_expect_eq(pairs_total(ps), MAX);
	cr_expect_eq(pairs_memory(ps), memory);
	/* Exactly: a sender is valid if and only if one of the pairs that are left is. */
	for (unsigned s = 0; s < SENDERS; s++) {
		bool valid = false;
		char from[32], to[32];

		snprintf(from, sizeof(from), "s%u", s);
		for (unsigned i = s; i < NAMES; i += SENDERS) {
			struct pair *p;

			snprintf(to, sizeof(to), "%05u", i);
			p = pairs_get(ps, span_str(from), span_str(to));
			valid |= p && p->state == PAIR_VALID;
		}
		cr_expect_eq(pairs_sender_valid(ps, span_str(from)), valid);
	}
}

/* -- cost -- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double fill(unsigned n, const char *format)
{
	double begin = seconds();

	teardown();
	ps = pairs_new(LIMIT_PAIRS_FLAG_MAX);
	for (unsigned i = 0; i < n; i++) {
		char from[64];

		snprintf(from, sizeof(from), format, i);
		pairs_set_state(ps, add(from, "shop.hosted.test"), PAIR_VALID);
	}
	return seconds() - begin;
}

/* Eight times as many cost eight times as much, about. Who disturbs us makes either number larger: what
 * is not linear is so each time. */
static bool is_linear(const char *format)
{
	double once, eight;

	fill(25000, format);
	once = fill(25000, format);
	eight = fill(200000, format);
	cr_log_info("%s: %f, then %f", format, once, eight);
	return eight < 8 * 4 * once + 0.1;
}

/* Names that differ in one place only, or in multiples of a power of two, cost no more. */
Test(pairs, similar_names_stay_linear, .timeout = 120)
{
	static const char *const format[] = { "d%u.peer.test", "%08x.peer.test", "peer.test.%x",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%x", "%x0000",
		"%xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };

	for (size_t i = 0; i < ARRAY_LEN(format); i++) {
		bool linear = false;

		for (unsigned tries = 0; tries < 5 && !linear; tries++)
			linear = is_linear(format[i]);
		cr_expect(linear, "%s", format[i]);
	}
}

Test(pairs, memory_per_pair)
{
	/* The worst shape: as many senders as pairs. */
	fill(10000, "d%u.peer.test");
	cr_expect_leq(pairs_memory(ps) / 10000, 160, "%zu", pairs_memory(ps) / 10000);
	fill(1, "d%u.peer.test");
	cr_expect_leq(pairs_memory(ps), 1600, "%zu", pairs_memory(ps));
}

/* Pointers survive growth. */
Test(pairs, stable)
{
	struct pair *first = add("rx.peer.test", "l");
	struct span from = pair_from(ps, first);

	for (unsigned i = 0; i < 20000 - 1; i++) {
		char name[32];

		snprintf(name, sizeof(name), "r%u", i);
		add(name, "l");
	}
	cr_expect_eq(find("rx.peer.test", "l").pair, first);
	cr_expect_eq(pair_from(ps, first).p, from.p);
	cr_expect_str_eq(from.p, "rx.peer.test");
}

#ifdef SLUICE_FAULT_INJECTION
/* Without memory: NULL, and the table is as good as before. */
Test(pairs, every_allocation_may_fail)
{
	for (uint64_t k = 1; k < 30; k++) {
		unsigned made = 0;

		teardown();
		ps = pairs_new(1000);
		mem_fail_nth(k);
		for (unsigned i = 0; i < 1000; i++) {
			char name[32];
			struct pair *p;

			snprintf(name, sizeof(name), "r%u", i);
			p = pairs_add(ps, span_str(name), SPAN_LIT("l"), 0);
			if (!p)
				continue;
			made++;
			pairs_set_state(ps, p, PAIR_VALID);
			pairs_remember(ps, p, span_str(name), SPAN_LIT("L"));
		}
		mem_fail_nth(0);
		cr_expect_geq(made, 999);
		cr_expect_eq(pairs_total(ps), made);
		cr_expect_eq(pairs_count(ps, PAIR_VALID), made);
	}
}
#endif
