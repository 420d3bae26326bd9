/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dialback/vcache: eight threads on one set of five entries, and eight names for them,
 * so that entries are displaced all the time.
 *
 * Two drives. In the first all eight threads ask and store through the public calls;
 * what is stored tells the key that it was stored for. In the second an entry is a
 * register that may forget: four threads write values never written before, four read
 * them, and the history of each name must be explained by some order of all operations
 * (history.h). The time that is left to an entry tells its name and value.
 *
 * A thread ends when it has done its share of what counts, however the threads are
 * scheduled: what came to nothing is tried again.
 */
#include <sched.h>
#include <stdio.h>

#include "dialback/vcache.c" /* with its points of perturbation */
#include "tests/stress/crew.h"
#include "tests/stress/history.h"

#define THREADS 8
#define NAMES 8
#define VALUES 2 /* of a name, in the first drive */
#define TOLD 15000 /* times that each thread is told a verdict, in the first drive */
#define OPERATIONS 20000 /* of each thread that count, in the second */
#define NOW 1000000

/* The low bits of a name choose its set, and none is 0. */
static uint64_t name_of(uint32_t number)
{
	return (uint64_t)(number + 1) * 0x9e3779b97f4a7c15u;
}

static uint64_t mix(uint64_t name, uint64_t value)
{
	uint64_t h = (name ^ value * 0xff51afd7ed558ccdu) * 0xc4ceb9fe1a85ec53u;

	return h ^ h >> 29;
}

/* -- first drive: the public calls -- */

struct talk {
	struct vcache *vc;
	_Atomic uint64_t known, unknown, stored, busy, mixed;
};

/* VALID or FAILED by the key; the detail, too, belongs to it. */
static struct vcache_fact told_of(struct vcache_key k)
{
	uint64_t h = mix(k.name, k.value);

	return (struct vcache_fact){ .verdict = h & 16 ? VERDICT_VALID : VERDICT_FAILED,
		.detail = h & VCACHE_DETAIL_MAX };
}

static bool belongs(struct vcache_key k, struct vcache_fact f)
{
	struct vcache_fact mine = told_of(k);

	return f.verdict == mine.verdict && f.detail == mine.detail;
}

/* Whether it was told. */
static bool ask(struct talk *t, struct vcache_key k)
{
	struct vcache_fact f = vcache_get(t->vc, k, NOW);

	if (f.verdict == VERDICT_NONE) {
		t->unknown++;
		sched_yield(); /* as whoever is told so has other work to do */
		return false;
	}
	t->known++;
	t->mixed += !belongs(k, f);
	return true;
}

static void tell(struct talk *t, struct vcache_key k, uint32_t how)
{
	struct vcache_fact there = { .verdict = VERDICT_NONE };
	enum vcache_put result;

	if (how == 0)
		result = vcache_drop(t->vc, k);
	else if (how < 4)
		result = vcache_put_absent(t->vc, k, told_of(k), 60000, NOW, &there);
	else
		result = vcache_put(t->vc, k, told_of(k), 60000, NOW);
	t->stored += result == VCACHE_STORED;
	if (result == VCACHE_BUSY) {
		t->busy++;
		sched_yield();
	}
	/* What is there belongs to this key, or is said to be of another value. */
	if (result == VCACHE_THERE && !there.other)
		t->mixed += !belongs(k, there);
}

static void talk_work(void *ctx, unsigned number)
{
	struct talk *t = ctx;
	struct dice dice = { number + 1 };

	for (uint32_t told = 0; told < TOLD;) {
		struct vcache_key k = { name_of(dice_below(&dice, NAMES)),
			1 + dice_below(&dice, VALUES) };
		uint32_t what = dice_below(&dice, 32);

		if (what < 12)
			tell(t, k, what);
		else
			told += ask(t, k);
	}
}

static bool talk_fine(void)
{
	struct talk t = { .vc = vcache_new(VCACHE_WAYS, NOW) };

	crew_run(THREADS, talk_work, &t);
	printf("talk: %llu known, %llu unknown; %llu stored, %llu busy; %llu mixed\n",
		(unsigned long long)t.known, (unsigned long long)t.unknown,
		(unsigned long long)t.stored, (unsigned long long)t.busy,
		(unsigned long long)t.mixed);
	vcache_free(t.vc);
	return t.mixed == 0;
}

/* -- second drive: registers -- */

struct log {
	struct history_op ops[OPERATIONS];
	uint32_t names[OPERATIONS];
	uint32_t n;
	uint64_t mixed;
};

struct registers {
	struct vcache *vc;
	_Atomic uint64_t time;
	struct log logs[THREADS];
};

/*
 * No two are the same, and what ends before something else begins has the lower one. The
 * sanitizer must not take this for a hand-over between threads: to it, it is relaxed. The
 * instruction is the same one on x86.
 */
static uint64_t stamp(struct registers *r)
{
#ifdef __SANITIZE_THREAD__
	return atomic_fetch_add_explicit(&r->time, 1, memory_order_relaxed);
#else
	return atomic_fetch_add_explicit(&r->time, 1, memory_order_seq_cst);
#endif
}

/* Milliseconds, by the name and value. */
static uint64_t ttl_of(uint64_t name, uint64_t value)
{
	return 1000 * (1 + (mix(name, value) & 0x7fffffff));
}

static bool register_write(struct registers *r, uint64_t name, struct history_op *op)
{
	const struct vcache_fact valid = { .verdict = VERDICT_VALID };
	const struct vcache_key k = { name, op->value };
	enum vcache_put result;

	op->write = true;
	op->began = stamp(r);
	result = vcache_put(r->vc, k, valid, ttl_of(name, op->value), NOW);
	op->ended = stamp(r);
	return result == VCACHE_STORED;
}

static bool register_read(struct registers *r, uint64_t name, struct history_op *op,
	uint64_t *mixed)
{
	struct vcache_fact f;

	op->write = false;
	op->began = stamp(r);
	f = vcache_peek(r->vc, (struct vcache_key){ name, 0 }, NOW);
	perturb();
	op->ended = stamp(r);
	op->value = f.value;
	if (f.verdict == VERDICT_NONE)
		return false;
	*mixed += f.left_s != ttl_of(name, f.value) / 1000;
	return true;
}

static void register_work(void *ctx, unsigned number)
{
	struct registers *r = ctx;
	struct log *l = &r->logs[number];
	struct dice dice = { number + 1 };

	for (uint64_t tried = 0; l->n < OPERATIONS; tried++) {
		uint32_t name = dice_below(&dice, NAMES);
		struct history_op *op = &l->ops[l->n];
		bool done;

		op->value = (uint64_t)(number + 1) << 32 | tried;
		if (number % 2)
			done = register_write(r, name_of(name), op);
		else
			done = register_read(r, name_of(name), op, &l->mixed);
		l->names[l->n] = name;
		l->n += done;
		if (!done)
			sched_yield();
	}
}

/* All that was done to one name. */
static size_t gather(const struct registers *r, uint32_t name, struct history_op *out)
{
	size_t n = 0;

	for (unsigned t = 0; t < THREADS; t++)
		for (uint32_t i = 0; i < r->logs[t].n; i++)
			if (r->logs[t].names[i] == name)
				out[n++] = r->logs[t].ops[i];
	return n;
}

static bool registers_fine(void)
{
	struct registers *r = mem_zalloc(sizeof(*r));
	struct history_op *ops = mem_zalloc(THREADS * OPERATIONS * sizeof(*ops));
	uint64_t mixed = 0, value = 0, reads = 0, writes = 0, unexplained = 0;

	r->vc = vcache_new(VCACHE_WAYS, NOW);
	crew_run(THREADS, register_work, r);
	for (unsigned t = 0; t < THREADS; t++) {
		mixed += r->logs[t].mixed;
		*(t % 2 ? &writes : &reads) += r->logs[t].n;
	}
	for (uint32_t name = 0; name < NAMES; name++)
		unexplained += history_judge(ops, gather(r, name, ops), &value) != HISTORY_FINE;
	printf("registers: %llu writes, %llu reads; %llu mixed, %llu of %u histories unexplained\n",
		(unsigned long long)writes, (unsigned long long)reads, (unsigned long long)mixed,
		(unsigned long long)unexplained, NAMES);
	vcache_free(r->vc);
	mem_free(ops);
	mem_free(r);
	return mixed == 0 && unexplained == 0;
}

int main(void)
{
	bool fine = talk_fine();

	return registers_fine() && fine ? 0 : 1;
}
