/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/identity.h"

#include <stdlib.h>

#include "core/base/certname.h"
#include "core/base/domain.h"
#include "core/base/mem.h"
#include "dialback/key.h"

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
	bool readable; /* `key` is there */
	unsigned char key[IDENTITY_KEY];
	struct name names[]; /* sorted; their texts follow */
};

_Static_assert(IDENTITY_KEY == KEY_DIGEST, "SHA-256");
_Static_assert(LIMIT_DNS_NAME <= UINT8_MAX, "the length of a name is one octet");
_Static_assert(LIMIT_CERT_NAMES <= UINT16_MAX, "names are counted in two octets");

/* The form in which all kinds of names are compared, with "*." in front for a wildcard: its length; 0:
 * to be ignored. */
static size_t name_normalise(const struct x509_name *name, struct certname *out,
	char text[LIMIT_DNS_NAME + 1])
{
	size_t star = 0;

	if (!certname_of(name, out))
		return 0;
	if (out->wildcard) {
		memcpy(text, "*.", 2);
		star = 2;
	}
	BUG_ON(star + out->n > LIMIT_DNS_NAME); /* a wildcard's name is that much shorter */
	memcpy(text + star, out->text, out->n);
	return star + out->n;
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
	struct certname normal;
	unsigned mapped = 0;

	for (size_t i = 0; i < room && x509_name_next(&left, &name); i++) {
		bool skip = needs_mapping(&name) && mapped++ >= LIMIT_CERT_MAPPED;
		size_t len = skip ? 0 : name_normalise(&name, &normal, text);

		id->cut = id->cut || skip;
		if (len == 0)
			continue;
		id->names[id->count++] = (struct name){ .at = (uint32_t)at,
			.len = (uint8_t)len,
			.kind = (uint8_t)name.kind,
			.wildcard = normal.wildcard };
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
	if (!id)
		return NULL;
	id->not_after = read.not_after;
	id->readable = true;
	key_digest(read.key, id->key);
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

struct span identity_key(const struct identity *id)
{
	return id->readable ? span_of((const char *)id->key, sizeof(id->key)) : SPAN_NONE;
}

int64_t identity_not_after(const struct identity *id)
{
	return id->not_after;
}

size_t identity_memory(const struct identity *id)
{
	return id->bytes;
}
