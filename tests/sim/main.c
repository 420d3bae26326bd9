/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sim [--fault=KIND|--again] WORLD.sim FILE.sim...
 *
 * Plays every test of the files; macros of WORLD.sim are known to all. With a
 * fault each test is played again and again: with the first possible operation
 * failing, the second, and so on, until it passes without having been struck
 * (within the TLS library, for memory: see memory_play). With $SIM_EVERY=N each
 * test takes every Nth of them, the next test beginning with the next. With
 * --again each test is played twice, and the router must say the same at the same
 * times, to the byte.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/sim/play.h"
#include "tests/sim/seed.h"

#define PATH_SCENARIOS 3

static const struct {
	const char *name;
	enum play_fault fault;
	bool harmless; /* every step must hold all the same */
} kinds[] = {
	{ "none", PLAY_UNHARMED, true },
	{ "alloc", PLAY_ALLOC, false },
	{ "short", PLAY_SHORT, true },
	{ "enobufs", PLAY_ENOBUFS, true },
	{ "ecanceled", PLAY_ECANCELED, true },
	{ "eagain", PLAY_EAGAIN, true },
	{ "econnreset", PLAY_ECONNRESET, false },
	{ "emfile", PLAY_EMFILE, false },
};

/*
 * libxml2's own: xmlParserInputBufferCreateMem (2.9.14) forgets the buffer that it has made when it
 * cannot be grown for a document of more than 4 KiB. Some KiB for each time that there is no memory.
 * wolfSSL's own: TLSX_KeyShare_Establish (5.5.4) forgets its list of one when it has no memory for the
 * key. 72 bytes for each time.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:xmlBufCreateSize\nleak:TLSX_KeyShare_Establish\n";
}

static char doing[512]; /* for whom it crashes */

static void on_crash(int sig)
{
	(void)!write(STDERR_FILENO, "crashed in: ", 12);
	(void)!write(STDERR_FILENO, doing, strlen(doing));
	(void)!write(STDERR_FILENO, "\n", 1);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* What makes this run what it is, for the command line. */
static void again_print(const struct scenario *t)
{
	static const char *const others[] = { "SIM_CHANCE", "SIM_WORKERS", "SIM_XML_CHECK" };

	printf("     again: SIM_SEED=%lu", (unsigned long)seed_chosen());
	for (unsigned i = 0; i < ARRAY_LEN(others); i++)
		if (getenv(others[i]))
			printf(" %s=%s", others[i], getenv(others[i]));
	printf(" SIM_ONLY='%s'\n", t->name);
}

static bool judge(const struct scenario *t, unsigned kind, uint64_t k, const struct play_result *r)
{
	if (r->sane && (r->passed || (r->struck && !kinds[kind].harmless)))
		return true;
	printf("FAILED %s", t->name);
	if (kind)
		printf(" (%s, operation %lu)", kinds[kind].name, (unsigned long)k);
	printf("\n     %s\n", r->why);
	again_print(t);
	return false;
}

static bool once(const struct script *script, const struct scenario *t, unsigned kind, uint64_t k,
	struct play_result *r)
{
	(void)snprintf(doing, sizeof(doing), "%s (%s, operation %lu, SIM_SEED=%lu)", t->name,
		kinds[kind].name, (unsigned long)k, (unsigned long)seed_chosen());
	play(script, t, kinds[kind].fault, k, NULL, r);
	return judge(t, kind, k, r);
}

/* Which operations fail: every Nth, from the first on or a later one. */
struct stride {
	uint64_t every, first;
};

/* The number of runs, or 0: one of them failed. */
static uint64_t test_play(const struct script *script, const struct scenario *t, unsigned kind,
	const struct stride *stride, uint64_t *compared)
{
	struct play_result r;
	uint64_t runs = 0;

	do {
		if (!once(script, t, kind, stride->first + runs * stride->every, &r))
			return 0;
		*compared += r.compared;
		runs++;
	} while (kind && r.struck && !r.exempt);
	return runs;
}

/* The number of runs, or 0. */
static uint64_t again_play(const struct script *script, const struct scenario *t)
{
	struct play_result r;
	uint64_t said;

	if (!once(script, t, 0, 0, &r))
		return 0;
	said = kernel_said();
	if (!once(script, t, 0, 0, &r))
		return 0;
	if (kernel_said() == said)
		return 2;
	printf("FAILED %s\n     with the same seed the router has said something else\n", t->name);
	again_print(t);
	return 0;
}

/*
 * The same for memory. What the TLS library asks for is denied it once for each path, in the first
 * PATH_SCENARIOS scenarios that have it.
 */
static uint64_t memory_play(const struct script *script, const struct scenario *t, unsigned kind,
	const struct stride *stride, struct paths *before)
{
	struct paths all = { 0 }, hit = { 0 };
	struct play_result r;
	uint64_t runs = 1, k = 0;
	bool ok;

	play(script, t, PLAY_UNHARMED, 0, &all, &r);
	ok = judge(t, 0, 0, &r);
	r.struck = true;
	while (ok && r.struck && !r.exempt) {
		bool ours = k >= all.n || !all.path[k];
		bool known = !ours &&
			(paths_count(&hit, all.path[k]) > 0 ||
				paths_count(before, all.path[k]) == PATH_SCENARIOS);

		k++;
		/* To behind the last one: only there it passes without having been struck. */
		if (known ||
			(ours && k < all.n && k % stride->every != stride->first % stride->every))
			continue;
		ok = once(script, t, kind, k, &r);
		runs++;
		/* Who was hit, not who was meant: with a TLS library that draws its keys elsewhere
		 * (seed.h) runs differ a little. */
		if (r.struck && r.denied && paths_count(&hit, r.denied) == 0)
			paths_add(&hit, r.denied);
	}
	for (size_t i = 0; i < hit.n; i++)
		if (paths_count(before, hit.path[i]) < PATH_SCENARIOS)
			paths_add(before, hit.path[i]);
	paths_free(&all);
	paths_free(&hit);
	return ok ? runs : 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: sim [--fault=KIND|--again] WORLD.sim FILE.sim...\nkinds:");
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		fprintf(stderr, " %s", kinds[i].name);
	fprintf(stderr, "\n");
	return 2;
}

static bool kind_parse(const char *arg, unsigned *kind)
{
	for (*kind = 0; *kind < ARRAY_LEN(kinds); (*kind)++)
		if (strcmp(arg, kinds[*kind].name) == 0)
			return true;
	return false;
}

static uint64_t stride_of_env(void)
{
	const char *every = getenv("SIM_EVERY");
	unsigned long n = every ? strtoul(every, NULL, 10) : 1;

	return n ? n : 1;
}

static int scripts_play(const struct script *script, unsigned kind, bool again, const char *only)
{
	unsigned passed = 0, not_passed = 0;
	struct stride stride = { .every = kind ? stride_of_env() : 1, .first = 1 };
	uint64_t runs = 0, compared = 0;
	struct paths before = { 0 };

	list_each(l, &script->tests)
	{
		const struct scenario *t = container_of(l, struct scenario, link);
		uint64_t n;

		if (only && !strstr(t->name, only))
			continue;
		if (again)
			n = again_play(script, t);
		else if (kinds[kind].fault == PLAY_ALLOC)
			n = memory_play(script, t, kind, &stride, &before);
		else
			n = test_play(script, t, kind, &stride, &compared);
		stride.first = stride.first % stride.every + 1;
		if (n && kind)
			printf("ok     %s (%lu runs)\n", t->name, (unsigned long)n);
		else if (n)
			printf("ok     %s\n", t->name);
		passed += n > 0;
		not_passed += n == 0;
		runs += n;
	}
	printf("%u passed, %u failed, %lu runs, %lu stanzas compared\n", passed, not_passed,
		(unsigned long)runs, (unsigned long)compared);
	paths_free(&before);
	return passed > 0 && not_passed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct script script;
	const char *only = getenv("SIM_ONLY"); /* tests whose names hold this */
	unsigned kind = 0;
	int first = 1, code = 0;
	bool again;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGABRT, on_crash);
	if (argc > 1 && strncmp(argv[1], "--fault=", 8) == 0) {
		if (!kind_parse(argv[1] + 8, &kind))
			return usage();
		first = 2;
	}
	again = argc > 1 && strcmp(argv[1], "--again") == 0;
	if (again)
		first = 2;
	if (argc - first < 2)
		return usage();
	script_init(&script);
	for (int i = first; i < argc && code == 0; i++) {
		if (i > first && strcmp(argv[i], argv[first]) == 0)
			continue; /* the world, in a list of all files */
		code = script_load(&script, argv[i]) ? 0 : 2;
	}
	if (code == 0)
		code = scripts_play(&script, kind, again, only);
	script_free(&script);
	return code;
}
