/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/keys.h"

#include <sys/random.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/sha.h>

struct keys {
	Hmac hmac;
};

static void hex_print(char *hex, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	hex[2 * count] = '\0';
}

static void random_fill(uint8_t *bytes, size_t count)
{
	if (getrandom(bytes, count, 0) != (ssize_t)count)
		abort();
}

void keys_random(char *hex, size_t count)
{
	uint8_t bytes[64];

	if (count > sizeof(bytes))
		abort();
	random_fill(bytes, count);
	hex_print(hex, bytes, count);
}

struct keys *keys_new(void)
{
	struct keys *k = bench_alloc(1, sizeof(*k));
	uint8_t secret[32];

	random_fill(secret, sizeof(secret));
	/* Set once: wc_HmacFinal leaves the object keyed for the next message. */
	if (wc_HmacInit(&k->hmac, NULL, INVALID_DEVID) != 0 ||
		wc_HmacSetKey(&k->hmac, WC_SHA256, secret, sizeof(secret)) != 0)
		abort();
	return k;
}

void keys_free(struct keys *k)
{
	if (!k)
		return;
	wc_HmacFree(&k->hmac);
	free(k);
}

static void hmac_add(struct keys *k, struct text t)
{
	wc_HmacUpdate(&k->hmac, (const byte *)t.p, (word32)t.len);
	wc_HmacUpdate(&k->hmac, (const byte *)" ", 1);
}

void keys_make(struct keys *k, struct text target, struct text sender, struct text id,
	char key[KEYS_HEX + 1])
{
	uint8_t digest[WC_SHA256_DIGEST_SIZE];

	hmac_add(k, target);
	hmac_add(k, sender);
	hmac_add(k, id);
	if (wc_HmacFinal(&k->hmac, digest) != 0)
		abort();
	hex_print(key, digest, sizeof(digest));
}

void keys_handshake(const char *id, const char *secret, char digest[KEYS_DIGEST_HEX + 1])
{
	uint8_t bytes[WC_SHA_DIGEST_SIZE];
	wc_Sha sha;

	if (wc_InitSha(&sha) != 0)
		abort();
	wc_ShaUpdate(&sha, (const byte *)id, (word32)strlen(id));
	wc_ShaUpdate(&sha, (const byte *)secret, (word32)strlen(secret));
	wc_ShaFinal(&sha, bytes);
	wc_ShaFree(&sha);
	hex_print(digest, bytes, sizeof(bytes));
}
