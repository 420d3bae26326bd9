/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/der, core/base/x509 and dialback/identity under libFuzzer. An input is
 * a certificate (it begins with '0', SEQUENCE), or else what follows its first
 * octet is put into a certificate that is right otherwise: as the list of
 * extensions (odd) or as the names of subjectAltName (even), so that lengths
 * around it do not keep the fuzzer from getting there. Seeds: tests/zoo/zoo.py.
 *
 *   build/fuzz/fuzz/fuzz_x509 -dict=tests/fuzz/x509.dict CORPUS ZOO
 */
#include <stdlib.h>

#include "core/base/domain.h"
#include "core/base/limits.h"
#include "core/base/x509.h"
#include "dialback/identity.h"
#include "tests/unit/base/der_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span part, struct span whole)
{
	BUG_ON(part.p && (part.p < whole.p || part.p + part.n > whole.p + whole.n));
}

/* Each item, of constructed ones what is in them: every octet is read as whatever it may be. */
static void walk(struct span der)
{
	struct span left = der, octets;
	struct der_item item;
	int64_t seconds;
	uint16_t bits;
	bool flag;

	while (left.n > 0 && der_next(&left, &item)) {
		check_inside(item.whole, der);
		check_inside(item.body, item.whole);
		if (item.tag & 0x20)
			left = span_of(item.body.p, (size_t)(der.p + der.n - item.body.p));
		if (der_time(&item, &seconds))
			BUG_ON(seconds < -62167219200 || seconds > 253402300799); /* 0000 to 9999 */
		if (der_named_bits(item.body, &bits))
			BUG_ON(item.body.n > 3);
		if (der_octets(item.body, &octets))
			check_inside(octets, item.body);
		if (der_bool(item.body, &flag))
			BUG_ON(!der_is_integer(item.body));
	}
}

/* What may be said to prove a domain: its own name, or a wildcard two labels above all. */
static void check_proof(struct span domain, const struct identity_proof *proof)
{
	char dns[LIMIT_DNS_NAME + 1];
	const char *parent;

	BUG_ON(!domain_to_dns(domain, dns) || proof->name.p[proof->name.n] != '\0');
	if (strcmp(proof->name.p, dns) == 0)
		return;
	parent = strchr(dns, '.');
	BUG_ON(!parent || proof->name.p[0] != '*' || strcmp(proof->name.p + 1, parent) != 0);
	BUG_ON(!strchr(parent + 1, '.'));
}

static bool ask(const struct identity *id, struct span raw)
{
	struct identity_proof proof;
	const char *why = NULL;
	struct domain d;

	if (!domain_parse(raw, &d))
		return false;
	if (identity_covers(id, domain_span(&d), &proof, &why)) {
		check_proof(domain_span(&d), &proof);
		return true;
	}
	BUG_ON(!why || !why[0]);
	return false;
}

/* A canonical domain of letters, digits and hyphens. */
static bool is_plain(struct span name)
{
	return domain_is_plain(name) && span_find(name, '_') == name.n;
}

/* Each of the names is asked for; a dNSName that is plainly a domain's must be found. */
static void ask_all(const struct identity *id, struct span names)
{
	char dns[LIMIT_DNS_NAME + 1];
	struct x509_name name;

	for (int i = 0; i < LIMIT_CERT_NAMES && x509_name_next(&names, &name); i++) {
		bool covered = name.text.p && ask(id, name.text);

		if (name.kind == X509_NAME_DNS && !identity_fault(id) && is_plain(name.text) &&
			domain_to_dns(name.text, dns))
			BUG_ON(!covered);
	}
}

static void check(struct span der)
{
	struct identity *id = identity_new(der);
	const char *why = NULL;
	struct x509 cert;

	walk(der);
	if (x509_parse(der, &cert, &why)) {
		check_inside(cert.serial, der);
		check_inside(cert.issuer, der);
		check_inside(cert.subject, der);
		check_inside(cert.key, der);
		check_inside(cert.names, der);
		ask_all(id, cert.names);
	} else {
		BUG_ON(!why || identity_fault(id) != why);
	}
	ask(id, SPAN_LIT("rx.peer.test"));
	ask(id, SPAN_LIT("b\xc3\xbc\x63her.peer.test"));
	identity_free(id);
}

/* In memory of its own size, as the fuzzer's inputs are: a read behind it is seen. */
static void check_copy(struct span der)
{
	char *copy = malloc(der.n);

	memcpy(copy, der.p, der.n);
	check(span_of(copy, der.n));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of((const char *)data, size), rest;

	if (size == 0 || size > LIMIT_CERT + 1)
		return 0;
	if (data[0] == DER_SEQUENCE) {
		check(input);
		return 0;
	}
	build_reset();
	rest = span_skip(input, 1);
	check_copy(build_with(data[0] & 1 ? rest : ALT_NAMES(rest)));
	return 0;
}
