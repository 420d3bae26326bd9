/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secrets of a run: dialback keys that our authority can compute again, and the
 * digest of a component's handshake. The only file that includes wolfSSL.
 */
#ifndef SLUICE_BENCH_KEYS_H
#define SLUICE_BENCH_KEYS_H

#include "bench/bench.h"

#define KEYS_HEX 64 /* length of a dialback key on the wire */
#define KEYS_DIGEST_HEX 40

/* count random bytes as lower-case hexadecimal digits, 2 * count + 1 bytes. */
void keys_random(char *hex, size_t count);

struct keys; /* keyed with 32 random bytes of its own */

struct keys *keys_new(void);
void keys_free(struct keys *k);

/*
 * The key of sender -> target on the stream with this id: 64 digits and a NUL. It
 * covers the id, so that a server which relays another stream's id is found out.
 */
void keys_make(struct keys *k, struct text target, struct text sender, struct text id,
	char key[KEYS_HEX + 1]);

/* XEP-0114: lower-case hexadecimal SHA-1 of id and secret, with a NUL. */
void keys_handshake(const char *id, const char *secret, char digest[KEYS_DIGEST_HEX + 1]);

#endif
