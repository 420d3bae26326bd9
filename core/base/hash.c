/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/hash.h"

#include <endian.h>

#include "core/base/rand.h"

static inline uint64_t load64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline uint64_t load32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t rotl(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

/* -- SipHash-2-4 -- */

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32) + s->v3;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	sip_round(s);
	s->v0 ^= m;
}

static inline uint64_t sip_finish(struct sip *s)
{
	for (int i = 0; i < 4; i++)
		sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* `wide` is what tells the 128-bit variant apart: 0 or 0xee. */
static struct sip sip_absorb(const struct hash_key *key, struct span data, uint64_t wide)
{
	struct sip s = {
		.v0 = key->k0 ^ 0x736f6d6570736575u,
		.v1 = key->k1 ^ 0x646f72616e646f6du ^ wide,
		.v2 = key->k0 ^ 0x6c7967656e657261u,
		.v3 = key->k1 ^ 0x7465646279746573u,
	};
	uint64_t last = (uint64_t)data.n << 56;
	size_t i = 0;

	for (; data.n - i >= 8; i += 8)
		sip_word(&s, load64(data.p + i));
	for (unsigned shift = 0; i < data.n; i++, shift += 8)
		last |= (uint64_t)(unsigned char)data.p[i] << shift;
	sip_word(&s, last);
	return s;
}

uint64_t hash_sip(const struct hash_key *key, struct span data)
{
	struct sip s = sip_absorb(key, data, 0);

	s.v2 ^= 0xff;
	return sip_finish(&s);
}

struct hash128 hash_sip128(const struct hash_key *key, struct span data)
{
	struct sip s = sip_absorb(key, data, 0xee);
	struct hash128 h;

	s.v2 ^= 0xee;
	h.lo = sip_finish(&s);
	s.v1 ^= 0xdd;
	h.hi = sip_finish(&s);
	return h;
}

void hash_key_random(struct hash_key *key)
{
	rand_bytes(key, sizeof(*key));
}

/* -- folded multiply -- */

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 u128;
	u128 product = (u128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * Both factors of every product hold a secret: with a public constant in one of
 * them, input equal to that constant makes the product 0 whatever the seed is.
 */
uint64_t hash_fast(uint64_t seed, struct span a)
{
	uint64_t k = seed ^ 0x9e3779b97f4a7c15u;
	uint64_t h = fold(seed ^ 0xd1b54a32d192ed03u, 0x8cb92ba72f3d8dd7u) ^ a.n;
	const char *p = a.p, *end = a.n ? a.p + a.n : a.p;
	uint64_t x = 0, y = 0;

	if (a.n > 16) {
		/* The last 16 bytes are left, some of them perhaps for a second time. */
		for (; end - p > 16; p += 16)
			h = fold(load64(p) ^ k, load64(p + 8) ^ h);
		x = load64(end - 16);
		y = load64(end - 8);
	} else if (a.n >= 8) {
		x = load64(p);
		y = load64(end - 8);
	} else if (a.n >= 4) {
		x = load32(p);
		y = load32(end - 4);
	} else if (a.n > 0) {
		const unsigned char *u = (const unsigned char *)p;

		x = (uint64_t)u[0] << 16 | (uint64_t)u[a.n / 2] << 8 | u[a.n - 1];
	}
	h = fold(x ^ k, y ^ h);
	/* Once more: the high bits of short input reach the low ones, which index tables. */
	return fold(h ^ k, 0xa0761d6478bd642fu ^ a.n);
}
