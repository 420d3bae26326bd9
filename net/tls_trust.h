/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trust anchors, and the judgement of a peer's certificate chain by them (RFC 5280
 * section 6, docs/protocol.md 4.4).
 *
 * The anchors are loaded once and never change: no peer's certificate ever gets into
 * them, since the handshake itself is run with none (net/tls_setup.h) and the chain is
 * judged here afterwards, from its DER bytes. One object serves all workers; a reload
 * makes a new one.
 *
 * What is judged: signatures, dates, that who signs is a CA within its path length, the
 * name constraints of the direct issuer, revocation by the CRLs given, that the first
 * certificate is not a CA's, that hashes and keys are strong enough. What is not: names
 * and key usages. A certificate meant for servers only, or for clients only, is trusted
 * here; whether it may stand for a domain is decided by whoever asks for identity.
 *
 * A chain is followed by names, each certificate used once; what does not belong to it
 * is passed over. Dates are compared with the system's clock.
 */
#ifndef SLUICE_NET_TLS_TRUST_H
#define SLUICE_NET_TLS_TRUST_H

#include "core/base/span.h"

struct tls_trust;

enum tls_verdict {
	TLS_CERT_NONE, /* the peer showed none */
	TLS_CERT_TRUSTED, /* the one verdict that proves something */
	TLS_CERT_UNKNOWN_CA,
	TLS_CERT_SELF_SIGNED, /* and no anchor */
	TLS_CERT_EXPIRED, /* it, or a certificate of its chain */
	TLS_CERT_NOT_YET,
	TLS_CERT_BAD_SIGNATURE,
	TLS_CERT_REVOKED,
	TLS_CERT_WEAK, /* a signature with SHA-1 or older, an RSA key of less than 2048 bits */
	TLS_CERT_NOT_CA, /* a certificate was signed by one that may not do so */
	TLS_CERT_IS_CA, /* the peer's own certificate is a CA's */
	TLS_CERT_CONSTRAINED, /* its names are outside of its CA's name constraints */
	TLS_CERT_MALFORMED, /* or has a critical extension that is not known */
	TLS_CERT_NOT_JUDGED, /* no memory, or no anchors given */
};

const char *tls_verdict_words(enum tls_verdict v);

/*
 * Reads anchors, PEM, from `anchors`, or, when its p is NULL, the system's
 * (/etc/ssl/certs/ca-certificates.crt). `crls`: PEM, or SPAN_NONE; a CRL counts only if one
 * of the anchors signed it; for a CA without one, or with one that is out of date, nothing
 * is held against its certificates. Anchors that cannot be read are passed over and counted
 * in *skipped; NULL and *why when none is left or a CRL cannot be used. Start-up memory. The
 * result holds one reference.
 */
struct tls_trust *tls_trust_new(struct span anchors, struct span crls, unsigned *skipped,
	const char **why) MUST_CHECK;
/* Any thread; t may be NULL in both. */
struct tls_trust *tls_trust_ref(struct tls_trust *t);
void tls_trust_unref(struct tls_trust *t);
unsigned tls_trust_count(const struct tls_trust *t); /* anchors */

/* Any thread. chain[0] is the peer's own certificate, DER. Costs one or two signature checks. */
enum tls_verdict tls_trust_judge(const struct tls_trust *t, const struct span *chain, unsigned n);

#endif
