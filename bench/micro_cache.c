/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table that workers share (dialback/vcache.h): what a look-up costs that finds
 * something, and one that does not, alone and beside other readers and a writer of
 * 10,000 entries a second, which is as many as verifications can make. Small: the table
 * is in the processor's caches. Large: the default of 1.3 million entries, which is not.
 * Time is that of the reader's own processor, so more readers than processors only show
 * what they do to each other's caches.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "bench/trial.h"
#include "dialback/vcache.h"

#define SMALL 1000
#define LARGE 1310720
#define LOOKUPS_SMALL 8192 /* of one pass */
#define LOOKUPS_LARGE 262144 /* each in a set of its own, mostly */
#define WRITES_PER_S 10000
#define WRITES_AT_ONCE 10
#define HOUR_MS 3600000
#define COMPANY_MAX 8

struct table {
	struct vcache *vc;
	struct vcache_key *stored, *missing;
	size_t lookups; /* how many of either */
};

static const struct vcache_fact valid = { .verdict = VERDICT_VALID };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "micro-cache: %s\n", what);
	exit(1);
}

static struct vcache_key key_of(const struct table *t, size_t n)
{
	static const char spki[VCACHE_SPKI];
	char domain[32];

	snprintf(domain, sizeof(domain), "r%zu.example", n);
	return vcache_key(t->vc, VSCOPE_IDENTITY, span_of(spki, VCACHE_SPKI), span_str(domain),
		SPAN_LIT("hosted.example"));
}

/* The next entry behind *at that has not been displaced by others of its set. */
static struct vcache_key stored_next(const struct table *t, size_t *at, size_t n, size_t step)
{
	struct vcache_key k;

	do {
		*at = (*at + step) % n;
		k = key_of(t, *at);
	} while (vcache_get(t->vc, k, 0).verdict == VERDICT_NONE);
	return k;
}

/* Half full. What is looked up is spread over all of it. */
static void table_init(struct table *t, size_t entries, size_t lookups)
{
	size_t n = entries / 2, step = n / lookups + 1, at = 0;

	*t = (struct table){ .vc = vcache_new(entries, 0), .lookups = lookups };
	t->stored = bench_alloc(lookups, sizeof(*t->stored));
	t->missing = bench_alloc(lookups, sizeof(*t->missing));
	for (size_t i = 0; i < n; i++)
		if (vcache_put(t->vc, key_of(t, i), valid, HOUR_MS, 0) != VCACHE_STORED)
			die("a put was refused");
	for (size_t i = 0; i < lookups; i++) {
		t->stored[i] = stored_next(t, &at, n, step);
		t->missing[i] = key_of(t, entries + i);
	}
}

static void table_free(struct table *t)
{
	vcache_free(t->vc);
	free(t->stored);
	free(t->missing);
}

/* -- who else is there -- */

struct company {
	struct table *table;
	_Atomic bool stop;
	pthread_t thread[COMPANY_MAX];
	unsigned n;
};

static void *reader_run(void *arg)
{
	struct company *c = arg;

	while (!atomic_load_explicit(&c->stop, memory_order_relaxed))
		for (size_t i = 0; i < c->table->lookups; i++)
			(void)vcache_get(c->table->vc, c->table->stored[i], 1);
	return NULL;
}

/* What is there is said anew, so that readers go on finding it. */
static void *writer_run(void *arg)
{
	const struct timespec pause = { 0, NS_PER_S / WRITES_PER_S * WRITES_AT_ONCE };
	struct company *c = arg;
	size_t at = 0;

	while (!atomic_load_explicit(&c->stop, memory_order_relaxed)) {
		for (unsigned i = 0; i < WRITES_AT_ONCE; i++)
			(void)!vcache_put(c->table->vc, c->table->stored[at++ % c->table->lookups],
				valid, HOUR_MS, 1);
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	}
	return NULL;
}

static void company_join(struct company *c, void *(*run)(void *))
{
	if (c->n == COMPANY_MAX || pthread_create(&c->thread[c->n++], NULL, run, c) != 0)
		die("no thread");
}

/* t->param: readers, this thread being one; 0: this thread alone, and no writer. */
static void *company_begin(const struct trial *t)
{
	struct company *c = bench_alloc(1, sizeof(*c));

	c->table = (struct table *)t->input;
	if (t->param)
		company_join(c, writer_run);
	for (size_t i = 1; i < t->param; i++)
		company_join(c, reader_run);
	return c;
}

static void company_end(const struct trial *t, void *state, uint64_t passes)
{
	struct company *c = state;

	(void)t;
	(void)passes;
	atomic_store(&c->stop, true);
	for (unsigned i = 0; i < c->n; i++)
		pthread_join(c->thread[i], NULL);
	free(c);
}

/* -- passes -- */

/* Beside a writer a look-up may meet it, and then rightly finds nothing: one in a hundred at most. */
static void hit_pass(const struct trial *t, void *state)
{
	const struct table *table = t->input;
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < table->lookups; i++)
		found += vcache_get(table->vc, table->stored[i], 1).verdict == VERDICT_VALID;
	if (found < table->lookups - (t->param ? table->lookups / 100 : 0))
		die("what was stored is not found");
}

static void miss_pass(const struct trial *t, void *state)
{
	const struct table *table = t->input;

	(void)state;
	for (size_t i = 0; i < table->lookups; i++)
		if (vcache_get(table->vc, table->missing[i], 1).verdict != VERDICT_NONE)
			die("what was never stored is found");
}

static void put_pass(const struct trial *t, void *state)
{
	const struct table *table = t->input;

	(void)state;
	for (size_t i = 0; i < table->lookups; i++)
		if (vcache_put(table->vc, table->stored[i], valid, HOUR_MS, 1) != VCACHE_STORED)
			die("a put was refused");
}

static void key_pass(const struct trial *t, void *state)
{
	const struct table *table = t->input;
	static const char spki[VCACHE_SPKI];
	uint64_t sum = 0;

	(void)state;
	for (size_t i = 0; i < table->lookups; i++)
		sum += vcache_key(table->vc, VSCOPE_IDENTITY, span_of(spki, VCACHE_SPKI),
			SPAN_LIT("conference.tenant-1234.example"), SPAN_LIT("hosted.example"))
			       .name;
	if (sum == 0)
		die("a key of nothing");
}

static struct trial trial_of(const char *group, const char *name, struct table *t, size_t readers,
	void (*pass)(const struct trial *, void *))
{
	return (struct trial){ group, name, t, readers, .units = t->lookups, .begin = company_begin,
		.pass = pass, .end = company_end };
}

static void measure(struct trials *ts, struct table *small, struct table *large)
{
	struct trial all[] = {
		trial_of("key", "", small, 0, key_pass),
		trial_of("small", "hit", small, 0, hit_pass),
		trial_of("small", "miss", small, 0, miss_pass),
		trial_of("small", "put", small, 0, put_pass),
		trial_of("small", "hit, 1+w", small, 1, hit_pass),
		trial_of("small", "hit, 2+w", small, 2, hit_pass),
		trial_of("small", "hit, 4+w", small, 4, hit_pass),
		trial_of("large", "hit", large, 0, hit_pass),
		trial_of("large", "miss", large, 0, miss_pass),
		trial_of("large", "put", large, 0, put_pass),
		trial_of("large", "hit, 1+w", large, 1, hit_pass),
		trial_of("large", "hit, 2+w", large, 2, hit_pass),
		trial_of("large", "hit, 4+w", large, 4, hit_pass),
	};

	ts->all = all;
	ts->n = ARRAY_LEN(all);
	trials_run(ts);
	trials_report(ts);
	trials_free(ts);
}

int main(int argc, char **argv)
{
	struct table small, large;
	struct trials ts = { .unit = "operation", .rivals = { "hit" } };
	int exit_code = trials_options(&ts, argc, argv,
		"The table that workers share: look-ups that find something and that do not, alone and "
		"beside a writer (w) of 10,000 entries a second and other readers.");

	if (exit_code >= 0)
		return exit_code;
	table_init(&small, SMALL, LOOKUPS_SMALL);
	table_init(&large, LARGE, LOOKUPS_LARGE);
	measure(&ts, &small, &large);
	table_free(&small);
	table_free(&large);
	return 0;
}
