/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What TLS needs of the operator's files. Credentials are the certificates of the hosted
 * domains (--cert-dir) and the anchors that peers' are judged by (--ca-file, --crl-file):
 * read by the control thread, immutable, counted, any thread. A keyring is one worker's
 * use of them: what it has loaded, and how it shakes hands in both directions. A reload
 * makes both anew; connections keep what they began with.
 */
#ifndef SLUICE_CORE_KEYRING_H
#define SLUICE_CORE_KEYRING_H

#include "core/config.h"
#include "core/stats.h"
#include "net/certs.h"

struct credentials;
struct keyring;
struct place;
struct tls;
struct tls_tickets;

/* NULL with the message in `why`: a file that all depends on cannot be used. A certificate that
 * cannot be is left out, and `report` told of it, as of those that should not stay as they are.
 * Start-up memory. */
struct credentials *credentials_load(const struct config *c, certs_report_fn *report, void *ctx,
	char why[512]);
void credentials_free(struct credentials *c);
unsigned credentials_names(const struct credentials *c); /* that certificates cover */
unsigned credentials_anchors(const struct credentials *c);

/* `report` is told which certificates end soon; since: when that was last done, INT64_MIN: never. */
void credentials_expiring(const struct credentials *c, int64_t since, int64_t now,
	certs_expiry_fn *report, void *ctx);

/* name: the router's own, whose certificate, or else any, is for peers that name nobody. *slot is where the worker has its current keyring; it outlives all connections, as the tickets do
 * (NULL: no session is resumed). NULL and *why (static text) when no certificate can be used or the TLS library refuses. */
struct keyring *keyring_new(const struct credentials *c, struct span name,
	struct tls_tickets *tickets, struct keyring **slot, const char **why);
void keyring_free(struct keyring *k); /* NULL is allowed */
/* Adds to the counters what it has read since the last call; NULL is allowed. Each turn, and before it
 * is freed. */
void keyring_count(struct keyring *k, struct stats *stats);

/*
 * The accepting side of a handshake, with the certificate for `domain` (canonical) unless the peer
 * names another by SNI; empty: by SNI alone. NULL: no certificate covers it, or no memory.
 */
struct tls *keyring_accept(struct keyring *k, struct span domain) MUST_CHECK;
/*
 * The opening side towards a server of the domain `to`, which it is asked for by SNI; from: who we
 * are, whose certificate is shown if there is one; empty: none is. NULL: no memory.
 */
struct tls *keyring_open(struct keyring *k, struct span from, struct span to,
	const struct place *at) MUST_CHECK;

/* Is there a certificate that keyring_open would show for this domain (canonical)? */
bool keyring_has(struct keyring *k, struct span domain);

#endif
