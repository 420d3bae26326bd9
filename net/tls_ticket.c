/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tls_ticket.h"

#include <pthread.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/aes.h>

#include "core/base/mem.h"
#include "core/base/rand.h"

#define KEY_BYTES 32
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define ID_BYTES 16

struct key {
	unsigned char id[ID_BYTES];
	unsigned char bytes[KEY_BYTES];
};

struct tls_tickets {
	pthread_mutex_t lock; /* held while keys change or are copied, not while they work */
	uint64_t due; /* when the next key is; 0: the clock was not seen yet */
	struct key newest, before;
};

static void key_make(struct key *key)
{
	rand_bytes(key->id, ID_BYTES);
	rand_bytes(key->bytes, KEY_BYTES);
}

struct tls_tickets *tls_tickets_new(void)
{
	struct tls_tickets *k = mem_zalloc(sizeof(*k));

	BUG_ON(pthread_mutex_init(&k->lock, NULL) != 0);
	key_make(&k->newest);
	key_make(&k->before); /* that nothing was ever sealed with */
	return k;
}

void tls_tickets_free(struct tls_tickets *k)
{
	if (!k)
		return;
	(void)pthread_mutex_destroy(&k->lock);
	mem_wipe(k, sizeof(*k));
	mem_free(k);
}

void tls_tickets_turn(struct tls_tickets *k, uint64_t now)
{
	BUG_ON(pthread_mutex_lock(&k->lock) != 0);
	if (k->due == 0) {
		k->due = now + TLS_TICKET_S * 1000ull;
	} else if (now >= k->due) {
		/* Late by more than a whole life: the newest has outlived its time as well. */
		if (now < k->due + TLS_TICKET_S * 1000ull)
			k->before = k->newest;
		else
			key_make(&k->before);
		key_make(&k->newest);
		k->due = now + TLS_TICKET_S * 1000ull;
	}
	BUG_ON(pthread_mutex_unlock(&k->lock) != 0);
}

/* A copy of the newest key, or of the one with that id. */
static bool key_get(struct tls_tickets *k, const unsigned char *id, struct key *out)
{
	bool found = true;

	BUG_ON(pthread_mutex_lock(&k->lock) != 0);
	if (!id || memcmp(id, k->newest.id, ID_BYTES) == 0)
		*out = k->newest;
	else if (memcmp(id, k->before.id, ID_BYTES) == 0)
		*out = k->before;
	else
		found = false;
	BUG_ON(pthread_mutex_unlock(&k->lock) != 0);
	return found;
}

static bool aes_begin(Aes *aes, struct key *key)
{
	bool ok = wc_AesInit(aes, NULL, INVALID_DEVID) == 0;

	if (ok && wc_AesGcmSetKey(aes, key->bytes, KEY_BYTES) != 0) {
		wc_AesFree(aes);
		ok = false;
	}
	mem_wipe(key, sizeof(*key));
	return ok;
}

static void aes_end(Aes *aes)
{
	wc_AesFree(aes);
	mem_wipe(aes, sizeof(*aes));
}

bool tls_ticket_seal(struct tls_tickets *k, struct span bound, struct tls_ticket_seal *seal,
	unsigned char *data, size_t n)
{
	struct key key;
	Aes aes;
	bool ok;

	BUG_ON(!key_get(k, NULL, &key));
	memset(seal, 0, sizeof(*seal));
	memcpy(seal->id, key.id, ID_BYTES);
	rand_bytes(seal->nonce, NONCE_BYTES);
	if (!aes_begin(&aes, &key))
		return false;
	ok = wc_AesGcmEncrypt(&aes, data, data, (word32)n, seal->nonce, NONCE_BYTES, seal->tag,
		     TAG_BYTES, (const byte *)bound.p, (word32)bound.n) == 0;
	aes_end(&aes);
	return ok;
}

bool tls_ticket_open(struct tls_tickets *k, struct span bound, const struct tls_ticket_seal *seal,
	unsigned char *data, size_t n)
{
	struct key key;
	Aes aes;
	bool ok;

	if (!key_get(k, seal->id, &key) || !aes_begin(&aes, &key))
		return false;
	ok = wc_AesGcmDecrypt(&aes, data, data, (word32)n, seal->nonce, NONCE_BYTES, seal->tag,
		     TAG_BYTES, (const byte *)bound.p, (word32)bound.n) == 0;
	aes_end(&aes);
	return ok;
}
