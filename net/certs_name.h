/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names under which our own certificates are filed and asked for: A-label form, lower
 * case, by the rules of protocol 4.3 (RFC 9525 section 6, RFC 4985). A name of a certificate
 * that is no domain of this form (an octet that domains do not have, an empty label, a dot at
 * its end, "*" anywhere but alone in the first of at least three labels) is none. Any thread;
 * pure functions.
 */
#ifndef SLUICE_NET_CERTS_NAME_H
#define SLUICE_NET_CERTS_NAME_H

#include "core/base/limits.h"
#include "core/base/x509.h"

struct certs_name {
	uint8_t n;
	bool wildcard; /* of a certificate: "*." and text. Never of one that is asked for */
	char text[LIMIT_DNS_NAME + 1]; /* NUL-terminated */
};

static inline struct span certs_name_span(const struct certs_name *name)
{
	return span_of(name->text, name->n);
}

/* A name of a certificate, of whatever kind. */
bool certs_name_of(const struct x509_name *name, struct certs_name *out) MUST_CHECK;

/* A name that is asked for: bytes of a peer's in any case, A-labels or U-labels, a dot at the
 * end or not. */
bool certs_name_asked(struct span raw, struct certs_name *out) MUST_CHECK;

/* The same, of a domain in canonical form (core/base/domain.h). */
bool certs_name_domain(struct span canon, struct certs_name *out) MUST_CHECK;

/* "shop.example" for "www.shop.example", to look for a wildcard; SPAN_NONE: there is none. */
struct span certs_name_parent(struct span text);

/* Is the name among those of a certificate (x509.names)? */
bool certs_name_among(struct span names, const struct certs_name *asked) MUST_CHECK;

#endif
