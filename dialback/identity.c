/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/identity.h"

#include <stdlib.h>

#include "core/base/domain.h"
#include "core/base/mem.h"

#define SERVICE "_xmpp-server."

struct name {
	uint32_t at; /* of its text, in the identity */
	uint8_t len;
	uint8_t kind; /* enum x509_name_kind */
	bool wildcard; /* the text begins with "*." */
};

struct identity {
	const char *fault;
	int64_t not_after;
	uint32_t bytes;
	uint16_t count;
	bool cut; /* not all of its names were looked at */
	struct name names[]; /* sorted; their texts follow */
};

_Static_assert(LIMIT_DNS_NAME <= UINT8_MAX, "the length of a name is one octet");
_Static_assert(LIMIT_CERT_NAMES <= UINT16_MAX, "names are counted in two octets");

/* -- names to A-label form; 0 octets: one that is to be ignored -- */

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

/* How many labels; 0 when one of them is none. */
static size_t count_labels(struct span name)
{
	for (size_t n = 1;; n++) {
		size_t end = span_find(name, '.');

		if (!label_is_ldh(span_of(name.p, end)))
			return 0;
		if (end == name.n)
			return n;
		name = span_skip(name, end + 1);
	}
}

static bool is_wildcard(struct span name)
{
	return span_starts(name, SPAN_LIT("*."));
}

static size_t from_dns_name(struct span raw, char out[LIMIT_DNS_NAME + 1])
{
	bool wildcard = is_wildcard(raw);

	if (raw.n > LIMIT_DNS_NAME ||
		count_labels(wildcard ? span_skip(raw, 2) : raw) < (wildcard ? 2 : 1))
		return 0;
	for (size_t i = 0; i < raw.n; i++)
		out[i] = ascii_lower(raw.p[i]);
	return raw.n;
}

static size_t from_srv_name(struct span raw, char out[LIMIT_DNS_NAME + 1])
{
	const struct span service = SPAN_LIT(SERVICE);

	if (raw.n < service.n)
		return 0;
	for (size_t i = 0; i < service.n; i++) {
		if (ascii_lower(raw.p[i]) != service.p[i])
			return 0;
	}
	return from_dns_name(span_skip(raw, service.n), out);
}

/* Canonical forms are equal exactly when their A-label forms are, so that all kinds of names can be
 * compared in one form. */
static size_t from_xmpp_addr(struct span raw, char out[LIMIT_DNS_NAME + 1])
{
	struct domain d;

	/* domain_parse, made for addresses, forgives a dot at the end. */
	if (raw.n == 0 || raw.p[raw.n - 1] == '.' || !domain_parse(raw, &d) ||
		!domain_to_dns(domain_span(&d), out))
		return 0;
	return strlen(out);
}

static size_t name_normalise(const struct x509_name *name, char out[LIMIT_DNS_NAME + 1])
{
	switch (name->kind) {
	case X509_NAME_DNS:
		return from_dns_name(name->text, out);
	case X509_NAME_SRV:
		return from_srv_name(name->text, out);
	case X509_NAME_XMPP:
		return from_xmpp_addr(name->text, out);
	default:
		return 0;
	}
}

/* -- order and search -- */

/* What a name is compared by. */
struct key {
	struct span text; /* without "*." */
	bool wildcard;
};

static struct span name_text(const struct identity *id, const struct name *n)
{
	return span_of((const char *)id + n->at, n->len);
}

static struct key name_key(const struct identity *id, const struct name *n)
{
	struct span text = name_text(id, n);

	return (struct key){ n->wildcard ? span_skip(text, 2) : text, n->wildcard };
}

/* Any order would do; this one seldom looks at the text. */
static int key_compare(struct key a, struct key b)
{
	if (a.text.n != b.text.n)
		return a.text.n < b.text.n ? -1 : 1;
	if (a.wildcard != b.wildcard)
		return a.wildcard ? -1 : 1;
	return memcmp(a.text.p, b.text.p, a.text.n);
}

static int name_compare(const void *a, const void *b, void *id)
{
	return key_compare(name_key(id, a), name_key(id, b));
}

static const struct name *name_find(const struct identity *id, struct key wanted)
{
	size_t low = 0, high = id->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = key_compare(wanted, name_key(id, &id->names[middle]));

		if (order == 0)
			return &id->names[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* -- making one -- */

/* Rule 4.4. What serves as a server's identity is a server's certificate, whichever side dialled:
 * who may have one for clients only is not well enough known. */
static const char *usage_fault(const struct x509 *cert)
{
	if (cert->ca)
		return "it is the certificate of an authority (basicConstraints)";
	if (cert->has_purposes && !(cert->purposes & (X509_PURPOSE_SERVER | X509_PURPOSE_ANY)))
		return "it is not for servers (extKeyUsage)";
	if (cert->has_key_usage && !(cert->key_usage & X509_DIGITAL_SIGNATURE))
		return "its key is not for signatures (keyUsage)";
	if (!cert->strong_signature)
		return "its signature is not of an accepted algorithm";
	return NULL;
}

/* How many names there are, and the octets that their normal forms need at most. */
static size_t names_count(struct span left, size_t *octets)
{
	struct x509_name name;
	size_t n = 0;

	*octets = 0;
	while (n < LIMIT_CERT_NAMES && x509_name_next(&left, &name)) {
		bool grows = name.kind == X509_NAME_XMPP || name.text.n > LIMIT_DNS_NAME;

		*octets += (grows ? LIMIT_DNS_NAME : name.text.n) + 1;
		n++;
	}
	return n;
}

/* libidn2 takes 200,000 instructions for such a name; others take a thousand. */
static bool needs_mapping(const struct x509_name *name)
{
	return name->kind == X509_NAME_XMPP && !domain_is_plain(name->text);
}

/* The texts begin behind the `room` names that there may be. */
static void names_fill(struct identity *id, struct span left, size_t room)
{
	size_t at = sizeof(*id) + room * sizeof(id->names[0]);
	char text[LIMIT_DNS_NAME + 1];
	struct x509_name name;
	unsigned mapped = 0;

	for (size_t i = 0; i < room && x509_name_next(&left, &name); i++) {
		bool skip = needs_mapping(&name) && mapped++ >= LIMIT_CERT_MAPPED;
		size_t len = skip ? 0 : name_normalise(&name, text);

		id->cut = id->cut || skip;
		if (len == 0)
			continue;
		id->names[id->count++] = (struct name){ .at = (uint32_t)at,
			.len = (uint8_t)len,
			.kind = (uint8_t)name.kind,
			.wildcard = is_wildcard(span_of(text, len)) };
		memcpy((char *)id + at, text, len);
		((char *)id)[at + len] = '\0';
		at += len + 1;
	}
	id->bytes = (uint32_t)at;
	id->cut = id->cut || left.n > 0;
}

static struct identity *identity_blank(const char *fault, size_t extra)
{
	struct identity *id = mem_try_zalloc(sizeof(*id) + extra);

	if (!id)
		return NULL;
	id->fault = fault;
	id->bytes = sizeof(*id);
	return id;
}

static struct identity *identity_with_names(const struct x509 *cert)
{
	struct identity *id, *smaller;
	size_t octets, room = names_count(cert->names, &octets);

	id = identity_blank(NULL, room * sizeof(id->names[0]) + octets);
	if (!id)
		return NULL;
	names_fill(id, cert->names, room);
	qsort_r(id->names, id->count, sizeof(id->names[0]), name_compare, id);
	if (id->count == 0)
		id->fault = "it names no domain (subjectAltName)";
	smaller = mem_try_realloc(id, id->bytes);
	return smaller ? smaller : id;
}

struct identity *identity_new(struct span cert)
{
	const char *fault;
	struct identity *id;
	struct x509 read;

	if (!x509_parse(cert, &read, &fault))
		return identity_blank(fault, 0);
	fault = usage_fault(&read);
	id = fault ? identity_blank(fault, 0) : identity_with_names(&read);
	if (id)
		id->not_after = read.not_after;
	return id;
}

void identity_free(struct identity *id)
{
	mem_free(id);
}

/* -- questions -- */

static bool found(const struct identity *id, const struct name *n, struct identity_proof *proof)
{
	if (!n)
		return false;
	*proof = (struct identity_proof){ n->kind, name_text(id, n) };
	return true;
}

/* By the name itself, or by a wildcard in place of its first label. */
static bool find(const struct identity *id, struct span dns, struct identity_proof *proof)
{
	size_t dot = span_find(dns, '.');

	if (found(id, name_find(id, (struct key){ dns, false }), proof))
		return true;
	return dot < dns.n &&
		found(id, name_find(id, (struct key){ span_skip(dns, dot + 1), true }), proof);
}

bool identity_covers(const struct identity *id, struct span domain, struct identity_proof *proof,
	const char **why)
{
	char dns[LIMIT_DNS_NAME + 1];

	*why = id->fault;
	if (id->fault)
		return false;
	/* Rule 7.6: such names can be routed to, not certified; a wildcard must not do so. */
	if (span_find(domain, '_') < domain.n) {
		*why = "no certificate is for a domain with an underscore";
		return false;
	}
	if (!domain_to_dns(domain, dns)) {
		*why = "the domain has no form that a certificate could name";
		return false;
	}
	if (find(id, span_str(dns), proof))
		return true;
	*why = id->cut ? "the domain is none of its names, of which not all were looked at"
		       : "the domain is none of its names";
	return false;
}

const char *identity_fault(const struct identity *id)
{
	return id->fault;
}

int64_t identity_not_after(const struct identity *id)
{
	return id->not_after;
}

size_t identity_memory(const struct identity *id)
{
	return id->bytes;
}
