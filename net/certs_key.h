/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does a private key belong to a certificate? Seen by the public key that both hold, which the
 * common forms do (PKCS#1, SEC 1 with its public key, PKCS#8 around either); so no arithmetic is
 * needed. Good for a report, not as a proof: who uses the key finds out (tls_cert_new). Any
 * thread; pure functions.
 */
#ifndef SLUICE_NET_CERTS_KEY_H
#define SLUICE_NET_CERTS_KEY_H

#include "core/base/span.h"

enum certs_key {
	CERTS_KEY_FITS,
	CERTS_KEY_OTHER, /* another certificate's */
	CERTS_KEY_UNSURE, /* of another form, or not RSA, P-256 or P-384 */
};

/* public: DER of SubjectPublicKeyInfo; private: DER of the key, in any of those forms. */
enum certs_key certs_key_compare(struct span public, struct span private);

/* RSA below 2048 bits. */
bool certs_key_is_weak(struct span public);

#endif
