/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the TLS connections of one worker and one role have in common. The profile is
 * that of RFC 9325 and RFC 7590, and nothing of it is left to the library's defaults:
 *
 *   versions   TLS 1.3, TLS 1.2
 *   suites     ephemeral keys and AEAD only: AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305;
 *              the last one first where AES has no instructions of its own
 *   groups     X25519, P-256, P-384; whoever opens with TLS 1.2 may also choose P-521 and
 *              X448, which wolfSSL's server does not let one forbid
 *   never      renegotiation, compression, 0-RTT, post-handshake authentication
 *
 * The peer's certificate is asked for when `trust` is given, never insisted on, and never
 * a reason to end the handshake: its chain is kept and judged on request (tls_verdict).
 * The library's own trust store is empty in every setup.
 *
 * A setup does not change after it was made. For a reload make another; connections hold
 * a reference to theirs. Owner thread only.
 */
#ifndef SLUICE_NET_TLS_SETUP_H
#define SLUICE_NET_TLS_SETUP_H

#include "net/tls_cert.h"
#include "net/tls_ticket.h"
#include "net/tls_trust.h"

struct tls_setup;

enum tls_role { TLS_ACCEPTING, TLS_OPENING };

struct tls_setup_opts {
	enum tls_role role;
	/* The setup takes a reference of its own. NULL: certificates are not asked for (accepting) or not judged. */
	struct tls_trust *trust;
	/* Shown by default; the setup takes a reference of its own. NULL: nothing is, but what tls_show
	 * and by_name say, and who accepts without either fails. */
	struct tls_cert *cert;
	/* Accepting: the certificate for the name that the peer sent by SNI (RFC 6066), which is
	 * bytes of the peer's, unchecked, at most 255; without SNI it is not called. NULL: the
	 * default. The connection takes a reference of its own. May be NULL. */
	struct tls_cert *(*by_name)(void *ctx, struct span name);
	void *ctx;
	struct tls_tickets
		*tickets; /* accepting: to resume sessions; outlives the setup; or NULL */
	unsigned sessions; /* opening: how many to remember, at most LIMIT_TLS_SESSIONS; or 0 */
};

/* NULL and *why (static text) when the library refuses. */
struct tls_setup *tls_setup_new(const struct tls_setup_opts *opts, const char **why) MUST_CHECK;
struct tls_setup *tls_setup_ref(struct tls_setup *s);
void tls_setup_unref(struct tls_setup *s);

/* For --check and the log. */
const char *tls_library(void); /* name and version */
bool tls_hardware_aes(void); /* the library was built for it and the processor has it */
/* Encrypts so many bytes with AES-128-GCM in full records, for the caller to time. False: the library
 * refuses. */
bool tls_aes_work(size_t bytes);

#endif
