/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/key.h"

#include <stdio.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/sha.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/base/rand.h"

#define RANDOM_SECRET 32 /* bytes */

_Static_assert(KEY_HEX == 2 * WC_SHA256_DIGEST_SIZE, "a key is a SHA-256 digest in hex");
_Static_assert(KEY_HEX == WC_SHA256_BLOCK_SIZE,
	"K fills the HMAC block: neither hashed nor padded");
_Static_assert(HANDSHAKE_HEX == 2 * WC_SHA_DIGEST_SIZE, "a handshake is a SHA-1 digest in hex");

/*
 * HMAC(K, m) is H(K^opad, H(K^ipad, m)). The hashes of the two first blocks depend
 * on the secret alone; they are kept, so that a key costs two or three compressions
 * less, and the secret itself is not kept.
 */
struct mac {
	wc_Sha256 inner, outer;
};

struct secrets {
	unsigned n;
	struct mac macs[LIMIT_SECRETS];
};

static void hex_write(char *out, const byte *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	out[2 * n] = '\0';
}

/* wolfSSL's software hashes fail for NULL arguments only: a failure is our mistake. */
static void hash_add(wc_Sha256 *h, const void *p, size_t n)
{
	if (n)
		BUG_ON(wc_Sha256Update(h, p, (word32)n) != 0);
}

static void hash_begin(wc_Sha256 *h)
{
	BUG_ON(wc_InitSha256(h) != 0);
}

static void hash_end(wc_Sha256 *h, byte digest[WC_SHA256_DIGEST_SIZE])
{
	BUG_ON(wc_Sha256Final(h, digest) != 0);
	wc_Sha256Free(h);
	mem_wipe(h, sizeof(*h));
}

static void mac_block(wc_Sha256 *h, const char k[KEY_HEX], byte pad)
{
	byte block[WC_SHA256_BLOCK_SIZE];

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (byte)k[i] ^ pad;
	hash_begin(h);
	hash_add(h, block, sizeof(block));
	mem_wipe(block, sizeof(block));
}

/* K is the hex text of the digest, not its 32 bytes (rule 3.1). */
static void mac_init(struct mac *m, struct span secret)
{
	byte digest[WC_SHA256_DIGEST_SIZE];
	char k[KEY_HEX + 1];
	wc_Sha256 h;

	hash_begin(&h);
	hash_add(&h, secret.p, secret.n);
	hash_end(&h, digest);
	hex_write(k, digest, sizeof(digest));
	mac_block(&m->inner, k, 0x36);
	mac_block(&m->outer, k, 0x5c);
	mem_wipe(digest, sizeof(digest));
	mem_wipe(k, sizeof(k));
}

/* The source is only read: wolfSSL's prototype lacks the const. */
static void mac_copy(const wc_Sha256 *from, wc_Sha256 *to)
{
	BUG_ON(wc_Sha256Copy((wc_Sha256 *)from, to) != 0);
}

static void mac_key(const struct mac *m, struct span receiving, struct span originating,
	struct span id, char out[KEY_HEX + 1])
{
	byte digest[WC_SHA256_DIGEST_SIZE];
	wc_Sha256 h;

	mac_copy(&m->inner, &h);
	hash_add(&h, receiving.p, receiving.n);
	hash_add(&h, " ", 1);
	hash_add(&h, originating.p, originating.n);
	hash_add(&h, " ", 1);
	hash_add(&h, id.p, id.n);
	hash_end(&h, digest);
	mac_copy(&m->outer, &h);
	hash_add(&h, digest, sizeof(digest));
	hash_end(&h, digest);
	hex_write(out, digest, sizeof(digest));
}

/* -- secrets -- */

/* NULL, or what is wrong with it. */
static const char *secrets_add(struct secrets *s, struct span line)
{
	_Static_assert(LIMIT_SECRET == 512 && LIMIT_SECRETS == 8, "bounds in the texts");
	if (span_find(line, '\0') < line.n)
		return "a secret holds a NUL byte: is this a text file?";
	if (line.n > LIMIT_SECRET)
		return "a secret is longer than 512 bytes";
	if (s->n == LIMIT_SECRETS)
		return "more than 8 secrets";
	mac_init(&s->macs[s->n++], line);
	return NULL;
}

static struct span line_next(struct span *text)
{
	size_t n = span_find(*text, '\n');
	struct span line = span_of(text->p, n);

	*text = span_skip(*text, n < text->n ? n + 1 : n);
	return span_trim(line);
}

struct secrets *secrets_parse(struct span text, const char **why)
{
	static _Thread_local char at[80]; /* for *why */
	struct secrets *s = mem_zalloc(sizeof(*s));
	const char *wrong = NULL;
	unsigned number = 0;

	while (text.n && !wrong) {
		struct span line = line_next(&text);

		number++;
		if (line.n && line.p[0] != '#')
			wrong = secrets_add(s, line);
	}
	if (!wrong && s->n > 0)
		return s;
	if (wrong)
		(void)snprintf(at, sizeof(at), "line %u: %s", number, wrong);
	secrets_free(s);
	*why = wrong ? at : "no secret in it: openssl rand -hex 32 makes one";
	return NULL;
}

struct secrets *secrets_random(void)
{
	struct secrets *s = mem_zalloc(sizeof(*s));
	char bytes[RANDOM_SECRET];

	rand_bytes(bytes, sizeof(bytes));
	mac_init(&s->macs[0], span_of(bytes, sizeof(bytes)));
	s->n = 1;
	mem_wipe(bytes, sizeof(bytes));
	return s;
}

unsigned secrets_count(const struct secrets *s)
{
	return s->n;
}

void secrets_free(struct secrets *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n; i++) {
		wc_Sha256Free(&s->macs[i].inner);
		wc_Sha256Free(&s->macs[i].outer);
	}
	mem_wipe(s, sizeof(*s));
	mem_free(s);
}

/* -- keys -- */

void key_make(const struct secrets *s, struct span receiving, struct span originating,
	struct span id, char out[KEY_HEX + 1])
{
	mac_key(&s->macs[0], receiving, originating, id, out);
}

/* All secrets are tried, whichever fits: the time does not tell which one it was. */
bool key_check(const struct secrets *s, struct span receiving, struct span originating,
	struct span id, struct span presented)
{
	char key[KEY_HEX + 1];
	unsigned hits = 0;

	if (presented.n != KEY_HEX)
		return false;
	for (unsigned i = 0; i < s->n; i++) {
		mac_key(&s->macs[i], receiving, originating, id, key);
		hits += key_equal(span_of(key, KEY_HEX), presented);
	}
	mem_wipe(key, sizeof(key));
	return hits != 0;
}

void key_digest(struct span data, unsigned char out[KEY_DIGEST])
{
	wc_Sha256 h;

	_Static_assert(KEY_DIGEST == WC_SHA256_DIGEST_SIZE, "SHA-256");
	hash_begin(&h);
	hash_add(&h, data.p, data.n);
	hash_end(&h, out);
}

void key_handshake(struct span sid, struct span secret, char out[HANDSHAKE_HEX + 1])
{
	byte digest[WC_SHA_DIGEST_SIZE];
	wc_Sha h;

	BUG_ON(wc_InitSha(&h) != 0);
	if (sid.n)
		BUG_ON(wc_ShaUpdate(&h, (const byte *)sid.p, (word32)sid.n) != 0);
	if (secret.n)
		BUG_ON(wc_ShaUpdate(&h, (const byte *)secret.p, (word32)secret.n) != 0);
	BUG_ON(wc_ShaFinal(&h, digest) != 0);
	wc_ShaFree(&h);
	mem_wipe(&h, sizeof(h));
	hex_write(out, digest, sizeof(digest));
}

bool key_equal(struct span a, struct span b)
{
	volatile unsigned char diff = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		diff |= (unsigned char)(a.p[i] ^ b.p[i]);
	return diff == 0;
}
