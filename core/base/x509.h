/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one certificate says (RFC 5280 section 4), read from its DER: the part
 * that authentication by certificate needs and TLS libraries keep to themselves
 * (SRVName of RFC 4985, XmppAddr of RFC 6120 section 13.7.1.4, key usages).
 *
 * It says what the certificate says, not that it is true: signatures, the chain,
 * revocation, the time of day, and extensions that are critical and unknown are
 * the business of the TLS library, which has done its part before anybody
 * believes what is read here. A certificate of which any part that is read is
 * malformed is refused as a whole: it proves nothing. Two things of real
 * certificates are forgiven because they can be read in one way only: a default
 * value (FALSE) that is written out, and GeneralizedTime before 2050.
 *
 * Nothing is copied or allocated; the spans point into the certificate and live
 * as long as it does. Time is linear in its size, at most LIMIT_CERT octets. Any
 * thread; pure functions of their arguments.
 */
#ifndef SLUICE_X509_H
#define SLUICE_X509_H

#include "core/base/span.h"

/* keyUsage: bit n of the extension is bit n here. */
#define X509_DIGITAL_SIGNATURE (1u << 0)
#define X509_KEY_ENCIPHERMENT (1u << 2)
#define X509_KEY_CERT_SIGN (1u << 5)

/* extKeyUsage: which purposes are in it. */
enum x509_purpose {
	X509_PURPOSE_SERVER = 1 << 0,
	X509_PURPOSE_CLIENT = 1 << 1,
	X509_PURPOSE_ANY = 1 << 2,
	X509_PURPOSE_OTHER = 1 << 3,
};

struct x509 {
	struct span serial; /* contents of the INTEGER */
	struct span issuer, subject; /* whole DER of the names; never searched for a domain */
	struct span key; /* whole DER of SubjectPublicKeyInfo */
	struct span names; /* GeneralNames of subjectAltName; SPAN_NONE when absent */
	int64_t not_before, not_after; /* seconds since 1970; both seconds belong to it */
	uint8_t version; /* 1 to 3 */
	uint8_t purposes; /* of enum x509_purpose */
	uint16_t key_usage; /* X509_DIGITAL_SIGNATURE... */
	bool has_purposes, has_key_usage; /* the extensions are there */
	bool ca; /* basicConstraints says so */
	bool self_issued; /* issuer and subject are the same octets */
	bool strong_signature; /* over SHA-2, or Ed25519 or Ed448; all else is not */
};

/* False when it is malformed: *why says so in words, *out is unspecified. */
bool x509_parse(struct span der, struct x509 *out, const char **why) MUST_CHECK;

/* -- subject alternative names -- */

enum x509_name_kind {
	X509_NAME_OTHER, /* proves no domain: addresses, URIs, directory names, other types */
	X509_NAME_DNS, /* dNSName, IA5String */
	X509_NAME_SRV, /* SRVName, IA5String: "_service.name" */
	X509_NAME_XMPP, /* XmppAddr, UTF8String: a JID */
};

struct x509_name {
	enum x509_name_kind kind;
	struct span text; /* as it stands: anything may be in it, NUL too; none for OTHER */
};

/*
 * Takes the first name off `names`, which is a copy of x509.names; false when
 * none is left. How many are looked at is for the caller to bound.
 */
bool x509_name_next(struct span *names, struct x509_name *out) MUST_CHECK;

/* "dNSName", "SRVName", "XmppAddr", "other name" */
const char *x509_name_kind(enum x509_name_kind kind);

#endif
