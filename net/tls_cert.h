/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A certificate of our own with its chain and private key, read once from PEM, shared
 * by any number of connections of any worker, never changed. Counted: who keeps a
 * pointer takes a reference. To replace a certificate, hand out another object;
 * connections that run keep what they began with.
 */
#ifndef SLUICE_NET_TLS_CERT_H
#define SLUICE_NET_TLS_CERT_H

#include "core/base/span.h"

struct tls_cert;

/*
 * `chain`: the certificate, then its intermediates, in PEM; `key`: its private key in
 * PEM (PKCS#8, or the traditional forms of RSA and EC), not encrypted. Both may lie in one
 * file: what is not a certificate is passed over in the first, what is not a key in the
 * second. RSA from 2048 bits, ECDSA on P-256 and P-384, Ed25519, and no other. NULL and *why
 * (static text) when something cannot be read, or the key is another certificate's. Start-up
 * memory; the caller wipes its PEM. The result holds one reference.
 */
struct tls_cert *tls_cert_new(struct span chain, struct span key, const char **why) MUST_CHECK;

/* Any thread. */
struct tls_cert *tls_cert_ref(struct tls_cert *c);
void tls_cert_unref(struct tls_cert *c);

struct span tls_cert_der(const struct tls_cert *c); /* of the certificate itself */

#endif
