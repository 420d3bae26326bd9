/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a server can be reached: an address, and whether TLS begins there with the
 * first byte (XEP-0368) or is agreed upon within the stream. One address with both
 * is two places. In a list of places neighbours with the same group number come
 * from SRV records of one priority: they may be raced, others may not (XEP-0495).
 * The number says nothing about the place itself. A value; any thread.
 */
#ifndef SLUICE_PLACE_H
#define SLUICE_PLACE_H

#include "core/base/addr.h"
#include "core/base/hash.h"

struct place {
	struct addr addr;
	bool direct; /* TLS from the first byte */
	uint8_t group; /* of its list; not compared */
};

static inline bool place_eq(const struct place *a, const struct place *b)
{
	return a->direct == b->direct && addr_eq(&a->addr, &b->addr);
}

/* Whoever owns a domain chooses its places: the key is a secret. */
static inline uint64_t place_hash(const struct hash_key *key, const struct place *at)
{
	char name[sizeof(at->addr.ip) + 3];

	memcpy(name, at->addr.ip, sizeof(at->addr.ip));
	name[sizeof(at->addr.ip)] = (char)(at->addr.port >> 8);
	name[sizeof(at->addr.ip) + 1] = (char)at->addr.port;
	name[sizeof(at->addr.ip) + 2] = (char)at->direct;
	return hash_sip(key, span_of(name, sizeof(name)));
}

#endif
