/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domain names in canonical form (RFC 7622 section 3.2, protocol rule 7.6).
 *
 * Canonical form, the only one that is compared, hashed or used in a key: one
 * trailing dot stripped, ASCII lower-cased, otherwise IDNA2008 with mapping of
 * case and width (UTS 46, non-transitional), A-labels turned into U-labels,
 * UTF-8, 1..1023 octets. Labels hold letters, digits, hyphens (and underscores,
 * which occur in remote names) or are valid U-labels, and do not begin or end
 * with a hyphen; lengths below 1023 are DNS's business (domain_to_dns). IP
 * literals are refused, and every name whose last label is a number, since
 * inet_aton takes many of them for IPv4: where the private side accepts literals
 * it asks addr_parse_ip first. Any thread; pure functions.
 */
#ifndef SLUICE_DOMAIN_H
#define SLUICE_DOMAIN_H

#include "core/base/limits.h"
#include "core/base/span.h"

struct domain {
	uint16_t len;
	char text[LIMIT_DOMAIN + 1]; /* NUL-terminated */
};

/* False when the bytes are no valid domain name; out is unspecified then. */
bool domain_parse(struct span raw, struct domain *out) MUST_CHECK;

/* True when the bytes are in canonical form already: the usual case, without libidn2. */
bool domain_is_plain(struct span raw);

/*
 * The A-label form for DNS, SNI and certificates. False when a label exceeds 63
 * or the name 253 octets. canon must be in canonical form.
 */
bool domain_to_dns(struct span canon, char out[LIMIT_DNS_NAME + 1]) MUST_CHECK;

static inline struct span domain_span(const struct domain *d)
{
	return span_of(d->text, d->len);
}

/* True when canon is `name` or ends in "." name. */
bool domain_is_below(struct span canon, struct span name);

#endif
