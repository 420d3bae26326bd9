/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of hash tables, and with them the homes of domains and endpoints (core/crew.h), are the same in
 * every run, so that what failed once fails again; SIM_SEED=N makes others. */
#include <stdlib.h>

#include "core/base/hash.h"

void __wrap_hash_key_random(struct hash_key *key);

void __wrap_hash_key_random(struct hash_key *key)
{
	const char *seed = getenv("SIM_SEED");

	key->k0 = UINT64_C(0x736c75696365) + (seed ? strtoull(seed, NULL, 10) : 0);
	key->k1 = key->k0 * UINT64_C(0x9e3779b97f4a7c15);
}
