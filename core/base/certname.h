/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names that certificates, ours and peers', are compared by: A-label form, lower case,
 * by the rules of protocol 4.3 (RFC 9525 section 6, RFC 4985). A name of a certificate
 * that is no domain of this form (an octet that domains do not have, an empty label, a dot at
 * its end, "*" anywhere but alone in the first of at least three labels) is none. Any thread;
 * pure functions.
 */
#ifndef SLUICE_CERTNAME_H
#define SLUICE_CERTNAME_H

#include "core/base/limits.h"
#include "core/base/x509.h"

struct certname {
	uint8_t n;
	bool wildcard; /* of a certificate: "*." and text. Never of one that is asked for */
	char text[LIMIT_DNS_NAME + 1]; /* NUL-terminated */
};

static inline struct span certname_span(const struct certname *name)
{
	return span_of(name->text, name->n);
}

/* A name of a certificate, of whatever kind. */
bool certname_of(const struct x509_name *name, struct certname *out) MUST_CHECK;

/* A name that is asked for: bytes of a peer's in any case, A-labels or U-labels, a dot at the
 * end or not. */
bool certname_asked(struct span raw, struct certname *out) MUST_CHECK;

/* The same, of a domain in canonical form (core/base/domain.h). */
bool certname_domain(struct span canon, struct certname *out) MUST_CHECK;

/* "shop.example" for "www.shop.example", to look for a wildcard; SPAN_NONE: there is none. */
struct span certname_parent(struct span text);

/* Is the name among those of a certificate (x509.names)? */
bool certname_among(struct span names, const struct certname *asked) MUST_CHECK;

#endif
