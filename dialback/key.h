/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dialback keys after XEP-0185, and the digest of the component handshake
 * (XEP-0114) and that of a peer's TLS key, which are here because this file alone
 * talks to wolfSSL's hashes.
 *
 *   K   = lowercase_hex(SHA256(secret))          the HMAC key is this text
 *   key = lowercase_hex(HMAC-SHA256(K, receiving SP originating SP stream_id))
 *
 * Domains are in canonical form, the id as it reads after unescaping. Several
 * secrets may be active: the first signs, all verify (rollover, rule 3.3).
 * A struct secrets is immutable: any thread may use it.
 */
#ifndef SLUICE_DIALBACK_KEY_H
#define SLUICE_DIALBACK_KEY_H

#include "core/base/span.h"

#define KEY_HEX 64
#define HANDSHAKE_HEX 40
#define KEY_DIGEST 32

struct secrets;

/* One secret a line, surrounding white space trimmed, empty lines and # comments skipped (so no
 * secret begins with #). NULL and *why in words, with the line, when there is none, too many, or one is too long or holds
 * a NUL; *why is good until the thread's next call. */
struct secrets *secrets_parse(struct span text, const char **why) MUST_CHECK;
/* 256 bits from the kernel. */
struct secrets *secrets_random(void);
unsigned secrets_count(const struct secrets *s);
void secrets_free(struct secrets *s); /* wipes */

void key_make(const struct secrets *s, struct span receiving, struct span originating,
	struct span id, char out[KEY_HEX + 1]);

/* Does any active secret give this key? Constant time in the key. presented: trimmed by the
 * caller (rule 2.1); case matters. The domains must have been validated before (rule 3.1): an
 * unvalidated one could hold the separator. */
bool key_check(const struct secrets *s, struct span receiving, struct span originating,
	struct span id, struct span presented);

/* lowercase_hex(SHA1(sid secret)) */
void key_handshake(struct span sid, struct span secret, char out[HANDSHAKE_HEX + 1]);

/* SHA-256, of what is no secret. */
void key_digest(struct span data, unsigned char out[KEY_DIGEST]);

/* Equal contents in time that depends on the lengths only. */
bool key_equal(struct span a, struct span b);

#endif
