/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "tls_pair.h"
#include "zoo.h"

TestSuite(tls_cert, .timeout = 120);

static struct tls_cert *other_cert;

static struct tls_cert *by_name(void *ctx, struct span name)
{
	(*(unsigned *)ctx)++;
	return span_is(name, "other.test") ? other_cert : NULL;
}

static void name_try(struct tls_setup *accepting, struct tls_setup *opening, struct span name,
	struct tls_cert *expected)
{
	const struct span *chain;
	struct pair p;

	pair_init(&p, tls_accept(accepting), tls_open(opening, name, false, SPAN_NONE));
	p.piece = 17;
	pair_open(&p);
	cr_assert_eq(tls_peer_chain(p.o.tls, &chain), 1);
	cr_assert(span_eq(chain[0], tls_cert_der(expected)));
	cr_assert_not(tls_alpn(p.a.tls));
	cr_assert_eq(tls_peer_verdict(p.o.tls), TLS_CERT_TRUSTED);
	cr_assert(span_eq(tls_server_name(p.a.tls), name));
	pair_free(&p);
}

Test(tls_cert, certificate_by_server_name)
{
	struct tls_world w;
	unsigned asked = 0;
	const char *why;
	struct tls_setup_opts o = { .role = TLS_ACCEPTING, .by_name = by_name, .ctx = &asked };
	struct tls_setup *s;

	tls_world_make(&w);
	zoo_make("other",
		&(struct zoo_opts){ .issuer = "ca", .key = "RSA -pkeyopt rsa_keygen_bits:2048" });
	other_cert = zoo_cert("other", SPAN_NONE);
	o.cert = w.server;
	s = tls_setup_new(&o, &why);
	name_try(s, w.opening, SPAN_LIT("other.test"), other_cert);
	name_try(s, w.opening, SPAN_LIT("server.test"), w.server);
	cr_assert_eq(asked, 2);
	name_try(s, w.opening, SPAN_NONE, w.server);
	cr_assert_eq(asked, 2);
	tls_setup_unref(s);
	tls_cert_unref(other_cert);
	tls_world_free(&w);
}

Test(tls_cert, every_kind_of_key)
{
	static const struct zoo_opts kinds[] = {
		{ .issuer = "ca", .key = "RSA -pkeyopt rsa_keygen_bits:2048" },
		{ .issuer = "ca", .key = "EC -pkeyopt ec_paramgen_curve:P-384" },
		{ .issuer = "ca", .key = "ED25519" },
	};
	struct tls_world w;

	tls_world_make(&w);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct tls_setup *accepting, *opening;
		struct tls_cert *cert;
		struct pair p;

		zoo_make("kind", &kinds[i]);
		cert = zoo_cert("kind", SPAN_NONE);
		accepting = setup_accept(cert, w.trust);
		opening = setup_open(cert, w.trust);
		pair_init(&p, tls_accept(accepting),
			tls_open(opening, SPAN_NONE, false, SPAN_NONE));
		pair_open(&p);
		cr_assert_eq(tls_peer_verdict(p.a.tls), TLS_CERT_TRUSTED, "%s", kinds[i].key);
		cr_assert_eq(tls_peer_verdict(p.o.tls), TLS_CERT_TRUSTED, "%s", kinds[i].key);
		pair_free(&p);
		tls_setup_unref(accepting);
		tls_setup_unref(opening);
		tls_cert_unref(cert);
	}
	tls_world_free(&w);
}

Test(tls_cert, T_E20_no_client_certificate)
{
	struct tls_world w;
	struct tls_setup *bare;
	const struct span *chain;
	struct pair p;

	tls_world_make(&w);
	bare = setup_open(NULL, w.trust);
	pair_init(&p, tls_accept(w.accepting), tls_open(bare, SPAN_NONE, false, SPAN_NONE));
	pair_open(&p);
	cr_assert_eq(tls_peer_verdict(p.a.tls), TLS_CERT_NONE);
	cr_assert_eq(tls_peer_chain(p.a.tls, &chain), 0);
	pair_free(&p);
	tls_setup_unref(bare);
	/* And when we do not ask for one, none comes. */
	bare = setup_accept(w.server, NULL);
	pair_init(&p, tls_accept(bare), tls_open(w.opening, SPAN_NONE, false, SPAN_NONE));
	pair_open(&p);
	cr_assert_eq(tls_peer_verdict(p.a.tls), TLS_CERT_NONE);
	pair_free(&p);
	tls_setup_unref(bare);
	tls_world_free(&w);
}

Test(tls_cert, a_certificate_of_ours_that_cannot_be_used)
{
	const char *why = "";
	struct span cert, key;

	zoo_make("one", &(struct zoo_opts){ 0 });
	zoo_make("two", &(struct zoo_opts){ 0 });
	cert = zoo_file("one", "pem");
	key = zoo_file("two", "key");
	cr_assert_null(tls_cert_new(cert, key, &why));
	cr_assert_str_eq(why, "the private key belongs to another certificate");
	cr_assert_null(tls_cert_new(key, key, &why));
	cr_assert_str_eq(why, "there is no certificate in PEM form");
	cr_assert_null(tls_cert_new(cert, cert, &why));
	cr_assert(strstr(why, "no private key"));
	cr_assert_null(tls_cert_new(span_of(cert.p, cert.n - 40), key, &why));
}

/* They are sound, and a peer that follows RFC 9325 may still not know them. */
Test(tls_cert, keys_of_ours_that_are_not_taken)
{
	static const char *const kinds[] = { "RSA -pkeyopt rsa_keygen_bits:1024",
		"EC -pkeyopt ec_paramgen_curve:P-521", "ED448" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const char *why = "";

		zoo_make("kind", &(struct zoo_opts){ .key = kinds[i] });
		cr_assert_null(tls_cert_new(zoo_file("kind", "pem"), zoo_file("kind", "key"), &why),
			"%s", kinds[i]);
		cr_assert_str_eq(why,
			"the certificate or its key cannot be used: RSA from 2048 bits, ECDSA on "
			"P-256 or P-384 and Ed25519 can",
			"%s", kinds[i]);
	}
}

Test(tls_cert, files_as_they_come)
{
	struct span chain, key;
	struct tls_cert *c;
	char crlf[8192];
	size_t n = 0;

	zoo_make("one", &(struct zoo_opts){ 0 });
	chain = zoo_file("one", "pem");
	key = zoo_file("one", "key");
	/* Both in one, in either order. */
	memcpy(crlf, chain.p, chain.n);
	memcpy(crlf + chain.n, key.p, key.n);
	c = zoo_cert("one", span_of(crlf, chain.n + key.n));
	cr_assert_gt(tls_cert_der(c).n, 100);
	tls_cert_unref(c);
	for (size_t i = 0; i < chain.n; i++) {
		if (chain.p[i] == '\n')
			crlf[n++] = '\r';
		crlf[n++] = chain.p[i];
	}
	c = zoo_cert("one", span_of(crlf, n));
	tls_cert_unref(c);
}
