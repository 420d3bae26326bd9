/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keyed hashes. hash_sip and hash_sip128 are SipHash-2-4 (Aumasson, Bernstein)
 * for tables whose keys a stranger chooses. hash_fast is a folded multiply with
 * a secret seed for the one look-up that every stanza makes: its keys are
 * spellings of domain pairs, and only a peer's own table suffers from what that
 * peer sends (probe lengths are bounded by dialback/pairs.c).
 * Any thread; pure functions of their arguments.
 */
#ifndef SLUICE_HASH_H
#define SLUICE_HASH_H

#include "core/base/span.h"

struct hash_key {
	uint64_t k0, k1;
};

struct hash128 {
	uint64_t lo, hi;
};

uint64_t hash_sip(const struct hash_key *key, struct span data);
struct hash128 hash_sip128(const struct hash_key *key, struct span data);

uint64_t hash_fast(uint64_t seed, struct span a);

/* A key from the kernel's random source; dies when there is none. */
void hash_key_random(struct hash_key *key);

#endif
