/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/seed.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/base/hash.h"
#include "core/base/rand.h"

#define MAIN_THREAD 0 /* workers follow */

/* What all threads of the run have in common; they are started after it is set. */
static uint64_t run;
static _Thread_local uint64_t state;
static _Thread_local bool seeded, drawn;

uint64_t seed_chosen(void)
{
	const char *seed = getenv("SIM_SEED");

	return seed ? strtoull(seed, NULL, 10) : 0;
}

/* splitmix64: each state gives another number, and the next state. */
static uint64_t mixed(uint64_t *s)
{
	uint64_t v = *s += UINT64_C(0x9e3779b97f4a7c15);

	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return v ^ v >> 31;
}

static void thread_seed(unsigned n)
{
	uint64_t s = run + n;

	state = mixed(&s);
	seeded = true;
}

void seed_begin(const char *scenario)
{
	uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
	char used;

	for (const char *p = scenario; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
	run = seed_chosen();
	run = mixed(&run) ^ hash;
	thread_seed(MAIN_THREAD);
	/* What core/base/rand has left from the run before is not for this one. */
	for (drawn = false; !drawn;)
		rand_bytes(&used, sizeof(used));
}

void seed_worker(unsigned n)
{
	thread_seed(MAIN_THREAD + 1 + n);
}

ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags);

ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags)
{
	char *to = p;
	uint64_t v;

	(void)flags;
	BUG_ON(!seeded); /* else runs differ */
	for (size_t at = 0, part; at < n; at += part) {
		v = mixed(&state);
		part = n - at < sizeof(v) ? n - at : sizeof(v);
		memcpy(to + at, &v, part);
	}
	drawn = true;
	return (ssize_t)n;
}

/* Not by the scenario: which worker is whose home is the same in all of them, as they are written for it.
 * What a rule's absence shows (scripts/break_rules.py) may depend on it. */
void __wrap_hash_key_random(struct hash_key *key);

void __wrap_hash_key_random(struct hash_key *key)
{
	key->k0 = UINT64_C(0x736c75696365) + seed_chosen();
	key->k1 = key->k0 * UINT64_C(0x9e3779b97f4a7c15);
}

uint32_t __real_rand_below(uint32_t bound);
uint32_t __wrap_rand_below(uint32_t bound);

uint32_t __wrap_rand_below(uint32_t bound)
{
	const char *how = getenv("SIM_CHANCE");
	uint32_t drawn_fairly = __real_rand_below(bound);

	if (!how)
		return drawn_fairly;
	if (strcmp(how, "lowest") == 0)
		return 0;
	if (strcmp(how, "highest") == 0)
		return bound - 1;
	BUG_ON(strcmp(how, "either") != 0);
	return __real_rand_below(2) ? bound - 1 : 0;
}
