/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Homes and stream ids; the workers themselves are elsewhere (test_worker, tests/sim/workers.sim). */
#include "core/crew.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "tests/stress/crew.h"

#define NAMES 20000

TestSuite(crew, .timeout = 200);

static struct crew crew_of(unsigned n)
{
	struct crew c = { .n = n };

	hash_key_random(&c.key);
	return c;
}

static struct span numbered(char text[64], unsigned i)
{
	return span_of(text, (size_t)snprintf(text, 64, "backend-%u.hosted.test", i));
}

/* Four and a half standard deviations: one key in some thousands fails, and then another is tried. */
static bool even(const unsigned *at, unsigned n, unsigned of)
{
	double mean = (double)of / n, off = 0;

	for (unsigned i = 0; i < n; i++)
		off = at[i] > mean + off ? at[i] - mean : mean - at[i] > off ? mean - at[i] : off;
	return off * off <= 4.5 * 4.5 * mean;
}

static bool names_spread(const struct crew *c)
{
	unsigned at[LIMIT_WORKERS] = { 0 };
	char text[64];

	for (unsigned i = 0; i < NAMES; i++) {
		unsigned home = crew_home(c, numbered(text, i));

		cr_assert_lt(home, c->n);
		at[home]++;
	}
	return even(at, c->n, NAMES);
}

static bool endpoints_spread(const struct crew *c)
{
	unsigned at[LIMIT_WORKERS] = { 0 };

	for (unsigned i = 0; i < NAMES; i++) {
		struct addr a;
		char text[64];
		unsigned home;

		(void)snprintf(text, sizeof(text), "10.1.%u.%u:5269", i >> 8 & 0xff, i & 0xff);
		cr_assert(addr_parse(span_str(text), 0, &a));
		a.port = (uint16_t)(a.port + (i >> 16));
		home = crew_home_of(c, &a);
		cr_assert_lt(home, c->n);
		at[home]++;
	}
	return even(at, c->n, NAMES);
}

Test(crew, homes_are_spread_evenly)
{
	for (unsigned n = 1; n <= LIMIT_WORKERS; n++) {
		bool names = false, endpoints = false;

		for (unsigned key = 0; key < 3 && !(names && endpoints); key++) {
			struct crew c = crew_of(n);

			names = names || names_spread(&c);
			endpoints = endpoints || endpoints_spread(&c);
		}
		cr_assert(names && endpoints, "%u workers", n);
	}
}

Test(crew, a_home_is_the_same_whoever_asks)
{
	struct crew c = crew_of(7), copy = c;
	struct addr a, b;
	char text[64], again[64];

	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(crew_home(&c, numbered(text, i)),
			crew_home(&copy, numbered(again, i)));
	/* What stands in between, or where it was written, does not count. */
	memset(&a, 0xff, sizeof(a));
	memset(&b, 0, sizeof(b));
	cr_assert(addr_parse(SPAN_LIT("192.0.2.7:5269"), 0, &a));
	cr_assert(addr_parse(SPAN_LIT("192.0.2.7:5269"), 0, &b));
	cr_assert_eq(crew_home_of(&c, &a), crew_home_of(&copy, &b));
}

/* Another port is another endpoint: of 64 not all have one home. */
Test(crew, the_port_counts)
{
	struct crew c = crew_of(8);
	unsigned first, others = 0;
	struct addr a;

	cr_assert(addr_parse(SPAN_LIT("192.0.2.7:5269"), 0, &a));
	first = crew_home_of(&c, &a);
	for (unsigned i = 1; i < 64; i++) {
		a.port = (uint16_t)(5269 + i);
		others += crew_home_of(&c, &a) != first;
	}
	cr_assert_gt(others, 32);
}

Test(crew, T_H2_a_stream_id_tells_its_maker)
{
	struct crew c = crew_of(LIMIT_WORKERS);

	for (unsigned maker = 0; maker < c.n; maker++) {
		char id[STREAM_ID_LEN + 1], other[STREAM_ID_LEN + 1];
		unsigned told = c.n;

		crew_stream_id(maker, id);
		crew_stream_id(maker, other);
		cr_assert_str_neq(id, other);
		cr_assert_eq(strlen(id), STREAM_ID_LEN);
		cr_assert_eq(strspn(id,
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789-_"),
			STREAM_ID_LEN);
		cr_assert(crew_maker(&c, span_str(id), &told));
		cr_assert_eq(told, maker);
	}
}

Test(crew, a_foreign_id_has_no_maker)
{
	static const char *const foreign[] = { "", "a", "aaaaaaaaaaaaaaaaaaaaaaa", /* 23 */
		"aaaaaaaaaaaaaaaaaaaaaaaaa", /* 25 */
		"daaaaaaaaaaaaaaaaaaaaaaa", /* of a fourth worker */
		"Aaaaaaaaaaaaaaaaaaaaaaaa", "0aaaaaaaaaaaaaaaaaaaaaaa", "-aaaaaaaaaaaaaaaaaaaaaaa",
		("\xc3\xa4"
		 "aaaaaaaaaaaaaaaaaaaaaa") };
	struct crew c = crew_of(3);
	char nul[STREAM_ID_LEN + 1] = "";
	unsigned told;

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		cr_assert(!crew_maker(&c, span_str(foreign[i]), &told), "%s", foreign[i]);
	cr_assert(!crew_maker(&c, span_of(nul, STREAM_ID_LEN), &told), "NUL ends the letters");
	cr_assert(!crew_maker(&c, SPAN_NONE, &told));
	cr_assert(crew_maker(&c, SPAN_LIT("caaaaaaaaaaaaaaaaaaaaaaa"), &told));
	cr_assert_eq(told, 2);
}

/* -- ids of many threads, over forks -- */

#define THREADS 8
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define IDS 1000000u /* their memory is several times ours */
#else
#define IDS 10000000u
#endif
#define ROUNDS 4 /* of all threads: in this process, and each time in a child of it as well */
#define OF_ROUND (IDS / ROUNDS / 2)

/* Both ends of an id, 66 bits each without its letter: were there a counter in it, then in one of
 * them at most, and the other would come twice. */
struct ids {
	uint64_t *head, *tail;
	size_t at; /* where this round's begin */
};

static uint64_t bits_of(const char *p)
{
	static const char symbols[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-_";
	uint64_t v = 0;

	for (unsigned i = 0; i < 11; i++)
		v = v << 6 | (uint64_t)(strchr(symbols, p[i]) - symbols);
	return v;
}

static void ids_make(void *ctx, unsigned number)
{
	struct ids *ids = ctx;
	char id[STREAM_ID_LEN + 1];

	for (size_t i = number; i < OF_ROUND; i += THREADS + 1) {
		crew_stream_id(number, id);
		ids->head[ids->at + i] = bits_of(id + 1);
		ids->tail[ids->at + i] = bits_of(id + STREAM_ID_LEN - 11);
	}
}

/* By this thread, which has drawn before, and new ones. */
static void ids_make_all(struct ids *ids)
{
	ids_make(ids, THREADS);
	crew_run(THREADS, ids_make, ids);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static size_t twice(uint64_t *v, size_t n)
{
	size_t found = 0;

	qsort(v, n, sizeof(*v), by_value);
	for (size_t i = 1; i < n; i++)
		found += v[i] == v[i - 1];
	return found;
}

static uint64_t *shared(size_t n)
{
	void *p = mmap(NULL, n * sizeof(uint64_t), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	return p;
}

/* What a thread has drawn and not used is in the child, too, if that goes on with it. */
static void round_in_child(struct ids *ids)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		ids_make_all(ids);
		_exit(0);
	}
	cr_assert_gt(child, 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
}

Test(crew, T_H17_ids_of_eight_threads_over_forks_are_unique)
{
	struct ids ids = { shared(IDS), shared(IDS), 0 };

	for (unsigned round = 0; round < ROUNDS; round++) {
		char id[STREAM_ID_LEN + 1];

		crew_stream_id(0, id); /* so that there is something left of what was drawn */
		round_in_child(&ids);
		ids.at += OF_ROUND;
		ids_make_all(&ids);
		ids.at += OF_ROUND;
	}
	cr_assert_eq(ids.at, IDS);
	cr_assert_eq(twice(ids.head, IDS), 0);
	cr_assert_eq(twice(ids.tail, IDS), 0);
}
