/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What several threads have found out about domains, shared without a lock: a table
 * of fixed size that may forget anything at any time.
 *
 * What a reader may be told. VERDICT_NONE is always a right answer: it means "not known
 * here, find out", and comes for what was never stored, was displaced, is over, was
 * purged, or is being written at this very moment. Anything else was stored as a whole by
 * one call for exactly this key, is not over at `now`, and had not been replaced before
 * the question was put. A mixture of two entries, or one entry's verdict for another's
 * key, is never returned. So whoever asks must be able to do without an answer, and
 * whoever stores must be able to bear that it is lost; what may not be forgotten does not
 * belong here (the pairs of a stream are in dialback/pairs.h).
 *
 * Who may write: any thread, at any time. A writer that meets another one in the same
 * set of five entries is told VCACHE_BUSY and nothing has changed: it tries again in its
 * next turn, or does without. Nobody ever waits.
 *
 * What a key must say. A verdict is as wide as its key: the scope is part of it, so that
 * what is known of one peer is never answered for another one.
 *   VSCOPE_IDENTITY  the owner of this TLS key (hash of its SubjectPublicKeyInfo) may
 *                    speak for domain a to domain b. Never for a stream without TLS: what
 *                    dialback proved there holds for that stream alone, and is in its
 *                    pairs.
 *   VSCOPE_FAILURE   domain a, or the endpoint that a names, cannot be reached or does
 *                    not exist, whatever key is asked about. Never that a key was
 *                    invalid: a stranger's bad key must not lock out the domain's owner.
 *   VSCOPE_PIN       domain a was proven by a certificate with this key (core/pins.h).
 * Names are in canonical form. They are hashed with a secret of the table (SipHash, 128
 * bits), so nobody can aim at a set or make two keys equal, and no name is kept.
 *
 * An entry is named by the first word of its key, and has one value: a key with the same
 * first word and another second one replaces it. For identities and failures that is an
 * accident that never happens. Pins make use of it: the first word is the domain alone,
 * the second its key, and vcache_peek tells the two apart.
 *
 * Displaced is, within the set: what is empty, over or purged; then weak entries; then
 * strong ones that nobody has asked for since they were last passed over (CLOCK). Weak
 * entries (PENDING, FAILED, and what the caller calls weak) never displace a strong one
 * that was asked for: a flood of invented domains leaves the verdicts in use alone, and
 * as it fills one entry of a set it goes on to displace itself. VCACHE_FULL says so.
 *
 * Times: `now` in milliseconds (core/base/clock.h), handed in by every caller; threads
 * may differ by a loop turn. Entries are over by the second, up to one second early.
 *
 * Cost: a look-up reads two adjacent cache lines and writes at most one bit, once an
 * entry; storing takes one compare-and-swap and four stores. 25.6 bytes an entry, taken
 * at start as a whole. No allocation, no system call after vcache_new.
 */
#ifndef SLUICE_DIALBACK_VCACHE_H
#define SLUICE_DIALBACK_VCACHE_H

#include "core/base/span.h"

#define VCACHE_WAYS 5 /* entries of a set */
#define VCACHE_SPKI 32 /* octets of the hash of a SubjectPublicKeyInfo */
#define VCACHE_DETAIL_MAX 15

struct vcache;

enum verdict {
	VERDICT_NONE,
	VERDICT_PENDING, /* somebody is finding it out */
	VERDICT_VALID,
	VERDICT_FAILED,
	VERDICTS,
};

enum vcache_scope { VSCOPE_IDENTITY = 'i', VSCOPE_FAILURE = 'f', VSCOPE_PIN = 'p' };

struct vcache_key {
	uint64_t name, value;
};

/* What is known. Whoever stores says the first three; the others are answers. */
struct vcache_fact {
	uint8_t verdict; /* enum verdict */
	uint8_t detail; /* the caller's, at most VCACHE_DETAIL_MAX: which failure, for example */
	bool weak; /* in what it may displace; PENDING and FAILED always are */
	bool other; /* it was stored with another value than that of the key asked for */
	uint32_t left_s; /* until it is over */
	uint64_t value; /* with which it was stored */
};

enum vcache_put {
	VCACHE_STORED,
	VCACHE_THERE, /* vcache_claim, vcache_put_absent: something is there already */
	VCACHE_FULL, /* a weak entry, and the set is full of strong ones in use: do without */
	VCACHE_BUSY, /* another thread is writing there: nothing has changed, try again later */
};

/* Room for at least `entries`, which is rounded up to a power of 2 of sets; the pages are touched
 * by the caller's thread. `now`: the table's first second. Dies without memory. */
struct vcache *vcache_new(uint64_t entries, uint64_t now);
void vcache_free(struct vcache *vc); /* no other thread uses it any more; NULL is allowed */

/* spki: VCACHE_SPKI octets, or empty for failures; b: empty where one domain is enough. */
struct vcache_key vcache_key(const struct vcache *vc, enum vcache_scope scope, struct span spki,
	struct span a, struct span b);
/* The name is `domain` and `slot` (a domain may have a pin in each of several), the value `domain`
 * with `spki`, the same in each slot. */
struct vcache_key vcache_key_pin(const struct vcache *vc, struct span domain, unsigned slot,
	struct span spki);

/* VERDICT_NONE unless name and value are stored. Wait-free. */
struct vcache_fact vcache_get(struct vcache *vc, struct vcache_key k, uint64_t now);
/* By its name alone, whatever its value. Wait-free. */
struct vcache_fact vcache_peek(struct vcache *vc, struct vcache_key k, uint64_t now);

/* Replaces whatever has this name. fact.verdict is not NONE; after ttl_ms it is over (0: at once). */
enum vcache_put vcache_put(struct vcache *vc, struct vcache_key k, struct vcache_fact fact,
	uint64_t ttl_ms, uint64_t now) MUST_CHECK;

/* The same unless something has this name, which *there then is. */
enum vcache_put vcache_put_absent(struct vcache *vc, struct vcache_key k, struct vcache_fact fact,
	uint64_t ttl_ms, uint64_t now, struct vcache_fact *there) MUST_CHECK;

/*
 * PENDING unless something is known. VCACHE_STORED: the work is the caller's, and nobody
 * else gets that answer for ttl_ms unless the entry is displaced; it ends by vcache_put
 * or vcache_drop, or by itself when its worker got lost. VCACHE_THERE: *there, which may
 * be somebody's PENDING.
 */
enum vcache_put vcache_claim(struct vcache *vc, struct vcache_key k, uint64_t ttl_ms, uint64_t now,
	struct vcache_fact *there) MUST_CHECK;

/* Forgets what has this name, whatever its value. VCACHE_STORED: it is gone, if it was there. */
enum vcache_put vcache_drop(struct vcache *vc, struct vcache_key k) MUST_CHECK;

/* Forgets everything that was stored before this call began. What is being stored meanwhile may
 * be of before or after. */
void vcache_purge(struct vcache *vc);

/* Entries in use: an estimate from a sample of the table's sets, good enough for a counter. */
struct vcache_use {
	uint64_t capacity;
	uint64_t verdict[VERDICTS]; /* [VERDICT_NONE]: free, over or purged */
	uint64_t strong; /* of those in use */
};

void vcache_use(struct vcache *vc, uint64_t now, struct vcache_use *out);

#endif
