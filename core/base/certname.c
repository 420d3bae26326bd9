/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/certname.h"

#include "core/base/domain.h"

#define SERVICE "_xmpp-server."

_Static_assert(LIMIT_DNS_NAME <= UINT8_MAX, "the length of a name is one octet");

static char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Letters, digits and, inside, hyphens; at most 63. */
static bool label_is_ldh(struct span label)
{
	if (label.n == 0 || label.n > LIMIT_DNS_LABEL || label.p[0] == '-' ||
		label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++) {
		char c = ascii_lower(label.p[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-')
			return false;
	}
	return true;
}

/* False when one of its labels is none. */
static bool count_labels(struct span name, size_t *n)
{
	for (*n = 1;; ++*n) {
		size_t end = span_find(name, '.');

		if (!label_is_ldh(span_of(name.p, end)))
			return false;
		if (end == name.n)
			return true;
		name = span_skip(name, end + 1);
	}
}

static bool take_dns(struct span raw, struct certname *out)
{
	size_t labels;

	if (raw.n > LIMIT_DNS_NAME || !count_labels(raw, &labels) || (out->wildcard && labels < 2))
		return false;
	for (size_t i = 0; i < raw.n; i++)
		out->text[i] = ascii_lower(raw.p[i]);
	out->text[raw.n] = '\0';
	out->n = (uint8_t)raw.n;
	return true;
}

/* The bound of DNS is on the whole of a name, the wildcard included. */
static bool take_pattern(struct span raw, struct certname *out)
{
	out->wildcard = span_starts(raw, SPAN_LIT("*."));
	return raw.n <= LIMIT_DNS_NAME && take_dns(out->wildcard ? span_skip(raw, 2) : raw, out);
}

static bool take_service(struct span raw, struct certname *out)
{
	const struct span service = SPAN_LIT(SERVICE);

	if (raw.n < service.n)
		return false;
	for (size_t i = 0; i < service.n; i++) {
		if (ascii_lower(raw.p[i]) != service.p[i])
			return false;
	}
	return take_pattern(span_skip(raw, service.n), out);
}

/* By way of the canonical form: it is equal for two names exactly when the A-label form is. A dot
 * at the end is none of its business, but domain_parse, made for addresses, forgives it. */
static bool take_mapped(struct span raw, struct certname *out)
{
	struct domain d;

	return raw.n > 0 && raw.p[raw.n - 1] != '.' && domain_parse(raw, &d) &&
		certname_domain(domain_span(&d), out);
}

bool certname_of(const struct x509_name *name, struct certname *out)
{
	struct span text = name->text;

	out->wildcard = false;
	switch (name->kind) {
	case X509_NAME_DNS:
		return take_pattern(text, out);
	case X509_NAME_SRV:
		return take_service(text, out);
	case X509_NAME_XMPP:
		return take_mapped(text, out);
	default:
		return false;
	}
}

bool certname_asked(struct span raw, struct certname *out)
{
	out->wildcard = false;
	if (raw.n > 0 && raw.p[raw.n - 1] == '.')
		raw.n--;
	/* Nearly all are of this form already, and libidn2 is slow. */
	return take_dns(raw, out) || take_mapped(raw, out);
}

bool certname_domain(struct span canon, struct certname *out)
{
	char dns[LIMIT_DNS_NAME + 1];

	out->wildcard = false;
	return domain_to_dns(canon, dns) && take_dns(span_str(dns), out);
}

struct span certname_parent(struct span text)
{
	size_t dot = span_find(text, '.');

	return dot < text.n ? span_skip(text, dot + 1) : SPAN_NONE;
}

bool certname_among(struct span names, const struct certname *asked)
{
	struct span text = certname_span(asked), parent = certname_parent(text);
	struct x509_name name;
	struct certname mine;

	for (unsigned n = 0; n < LIMIT_CERT_NAMES && x509_name_next(&names, &name); n++) {
		if (certname_of(&name, &mine) &&
			span_eq(certname_span(&mine), mine.wildcard ? parent : text))
			return true;
	}
	return false;
}
