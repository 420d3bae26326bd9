/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the router has found out about other servers and need not find out again: one
 * table of fixed size for all workers (dialback/vcache.h), which may forget anything at
 * any time. It is asked before work is begun, so that a claim may be answered at once, and
 * told what came of the work.
 *
 *   proven       who has this TLS key may speak for that sender to that target: dialback has
 *                shown so on a stream whose peer had proven in the handshake that the key
 *                is its own. For --verdict-ttl, and not beyond the end of the
 *                certificate that it was in.
 *   absent       the domain has no XMPP service, says the DNS (HOLD_ABSENT_MS)
 *   unreachable  nothing takes connections at that address (HOLD_REDIAL_MS)
 *
 * Why a key of TLS, and nothing else. A dialback key belongs to the id of one stream
 * (XEP-0220 section 2.1.2), so what it proves holds for that stream. A second stream may
 * inherit it only if its peer is the same, and nothing shows that but the possession of a
 * private key: no address, no header, no name. Hence a stream that has proven no key,
 * since it is in clear text, came without a certificate or resumed a session, is told of
 * nothing proven, and what dialback proves on it is not kept here. Who vouches
 * for the certificate does not matter; a self-signed one does.
 *
 * What a certificate's names prove is not kept. Any stream with that certificate proves it
 * by itself, so only a stream whose own certificate does not prove the name could
 * make use of it: one that has been revoked, say.
 *
 * Policy stands before this: who asks has found that registry, policy and pins permit the
 * pair to be verified (dialback/receive.h, row 13). That a key was wrong is never kept: it would
 * let a stranger lock out the domain's owner. The failures that are depend on no claim, no key
 * and no stream.
 *
 * Nobody waits for work that another worker has begun: look-ups and connections are done
 * once anyway, at their homes (core/crew.h), and one more question on a stream that is open
 * costs less than a verdict that hangs on another stream's life. So entries are
 * never PENDING.
 *
 * Any thread, without a lock; made and freed by the control thread. All functions but
 * verdicts_new take NULL: --cache-entries 0. Names in canonical form; now in ms.
 */
#ifndef SLUICE_CORE_VERDICTS_H
#define SLUICE_CORE_VERDICTS_H

#include "core/base/addr.h"
#include "dialback/vcache.h"

struct verdicts;

/* The key that the peer of a stream has proven to have. */
struct peer_key {
	unsigned char hash[VCACHE_SPKI]; /* SHA-256 of its SubjectPublicKeyInfo */
	int64_t ends; /* the last second of its certificate, since 1970; 0: it has proven none */
};

/* spki: DER of a SubjectPublicKeyInfo. */
void peer_key_set(struct peer_key *k, struct span spki, int64_t ends);

/* NULL for entries == 0; dies without memory. ttl_ms 0: nothing proven is kept. */
struct verdicts *verdicts_new(uint64_t entries, uint64_t ttl_ms, uint64_t now);
void verdicts_free(struct verdicts *v);

/* -- domain pairs -- */

enum verdict_known { KNOWN_NOTHING, KNOWN_PROVEN, KNOWN_ABSENT };

/* What a claim of this pair, on a stream with this key, may be answered at once. */
enum verdict_known verdicts_ask(struct verdicts *v, const struct peer_key *k, struct span from,
	struct span to, uint64_t now);

/* An authority has said that it is valid. For how many seconds that is kept; 0: it is not. */
uint32_t verdicts_proven(struct verdicts *v, const struct peer_key *k, struct span from,
	struct span to, uint64_t now);

/* An authority has said that it is invalid: whatever was kept is not believed any more. */
void verdicts_disproven(struct verdicts *v, const struct peer_key *k, struct span from,
	struct span to);

/* The DNS knows no service of the domain. */
void verdicts_absent(struct verdicts *v, struct span domain, uint64_t now);

/* -- addresses -- */

void verdicts_unreachable(struct verdicts *v, const struct addr *at, uint64_t now);
bool verdicts_is_unreachable(struct verdicts *v, const struct addr *at, uint64_t now);

/* -- all -- */

/* Forgets everything. */
void verdicts_forget(struct verdicts *v);

/* How full it is, about. False: there is no table. */
bool verdicts_use(struct verdicts *v, uint64_t now, struct vcache_use *out);

#endif
