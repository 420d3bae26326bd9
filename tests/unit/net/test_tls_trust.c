/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/limits.h"
#include "net/tls_pem.h"
#include "tls_pair.h"
#include "zoo.h"

TestSuite(tls_trust, .timeout = 120);

#define PAST "-startdate 200101000000Z -enddate 200201000000Z"
#define FUTURE "-startdate 490101000000Z -enddate 491201000000Z"

/* What is judged of these PEM certificates, outside of any connection. */
static enum tls_verdict judge(const struct tls_trust *t, struct span pem)
{
	struct span chain[LIMIT_TLS_CERTS], block;
	enum tls_verdict v;
	unsigned n = 0;

	while ((block = tls_pem_next(&pem, "CERTIFICATE")).p)
		chain[n++] = tls_pem_der(block);
	v = tls_trust_judge(t, chain, n);
	while (n > 0)
		free((void *)chain[--n].p);
	return v;
}

static void ca_make(const char *name, const char *issuer)
{
	zoo_make(name, &(struct zoo_opts){ .issuer = issuer, .extensions = ZOO_CA });
}

static void leaf_make(const char *name, const char *issuer)
{
	zoo_make(name, &(struct zoo_opts){ .issuer = issuer });
}

Test(tls_trust, a_chain_of_any_order_with_strangers_in_it)
{
	struct tls_trust *t;

	ca_make("ca", NULL);
	ca_make("stranger", NULL);
	ca_make("upper", "ca");
	ca_make("lower", "upper");
	leaf_make("leaf", "lower");
	t = trust_of("ca");
	cr_assert_eq(tls_trust_count(t), 1);
	cr_assert_eq(judge(t, zoo_chain("leaf", "lower", "upper", NULL)), TLS_CERT_TRUSTED);
	cr_assert_eq(judge(t, zoo_chain("leaf", "stranger", "upper", "lower", NULL)),
		TLS_CERT_TRUSTED);
	cr_assert_eq(judge(t, zoo_chain("leaf", "lower", "upper", "ca", NULL)), TLS_CERT_TRUSTED);
	cr_assert_eq(judge(t, zoo_chain("leaf", "lower", NULL)), TLS_CERT_UNKNOWN_CA);
	cr_assert_eq(judge(t, zoo_chain("leaf", "upper", NULL)), TLS_CERT_UNKNOWN_CA);
	cr_assert_eq(judge(t, zoo_chain("leaf", NULL)), TLS_CERT_UNKNOWN_CA);
	cr_assert_eq(judge(t, SPAN_LIT("")), TLS_CERT_NONE);
	/* What was in a chain before is not known after. */
	cr_assert_eq(tls_trust_count(t), 1);
	tls_trust_unref(t);
}

Test(tls_trust, T_C14_nothing_but_a_good_chain_is_trusted)
{
	struct tls_trust *t;

	ca_make("ca", NULL);
	ca_make("evil", NULL);
	ca_make("middle", "ca");
	zoo_make("expired", &(struct zoo_opts){ .issuer = "ca", .dates = PAST });
	zoo_make("early", &(struct zoo_opts){ .issuer = "ca", .dates = FUTURE });
	zoo_make("sha1", &(struct zoo_opts){ .issuer = "ca", .digest = "sha1" });
	zoo_make("small",
		&(struct zoo_opts){ .issuer = "ca", .key = "RSA -pkeyopt rsa_keygen_bits:1024" });
	zoo_make("old", &(struct zoo_opts){ .issuer = "ca", .extensions = ZOO_CA, .dates = PAST });
	leaf_make("by-old", "old");
	leaf_make("stranger", "evil");
	leaf_make("self", NULL);
	leaf_make("good", "middle");
	t = trust_of("ca");
	cr_assert_eq(judge(t, zoo_chain("good", "middle", NULL)), TLS_CERT_TRUSTED);
	cr_assert_eq(judge(t, zoo_chain("expired", NULL)), TLS_CERT_EXPIRED);
	cr_assert_eq(judge(t, zoo_chain("early", NULL)), TLS_CERT_NOT_YET);
	cr_assert_eq(judge(t, zoo_chain("sha1", NULL)), TLS_CERT_WEAK);
	cr_assert_eq(judge(t, zoo_chain("small", NULL)), TLS_CERT_WEAK);
	cr_assert_eq(judge(t, zoo_chain("by-old", "old", NULL)), TLS_CERT_EXPIRED);
	cr_assert_eq(judge(t, zoo_chain("stranger", "evil", NULL)), TLS_CERT_UNKNOWN_CA);
	cr_assert_eq(judge(t, zoo_chain("self", NULL)), TLS_CERT_SELF_SIGNED);
	cr_assert_eq(judge(t, zoo_chain("evil", NULL)), TLS_CERT_SELF_SIGNED);
	cr_assert_eq(judge(t, zoo_chain("middle", NULL)), TLS_CERT_IS_CA);
	cr_assert_eq(judge(t, zoo_chain("ca", NULL)), TLS_CERT_IS_CA);
	tls_trust_unref(t);
}

/* Whoever has a certificate for one domain must not be able to make one for another. */
Test(tls_trust, who_may_not_sign_others_proves_nothing)
{
	struct tls_trust *t;

	ca_make("ca", NULL);
	leaf_make("mallory", "ca");
	leaf_make("victim", "mallory");
	zoo_make("short",
		&(struct zoo_opts){ .issuer = "ca",
			.extensions = "basicConstraints=critical,CA:TRUE,pathlen:0\n"
				      "keyUsage=critical,keyCertSign" });
	leaf_make("direct", "short");
	ca_make("beyond", "short");
	leaf_make("far", "beyond");
	zoo_make("no-sign",
		&(struct zoo_opts){ .issuer = "ca",
			.extensions = "basicConstraints=critical,CA:TRUE\n"
				      "keyUsage=critical,digitalSignature" });
	leaf_make("unsigned", "no-sign");
	t = trust_of("ca");
	cr_assert_eq(judge(t, zoo_chain("mallory", NULL)), TLS_CERT_TRUSTED);
	cr_assert_eq(judge(t, zoo_chain("victim", "mallory", NULL)), TLS_CERT_NOT_CA);
	cr_assert_eq(judge(t, zoo_chain("direct", "short", NULL)), TLS_CERT_TRUSTED);
	cr_assert_eq(judge(t, zoo_chain("far", "beyond", "short", NULL)), TLS_CERT_NOT_CA);
	cr_assert_eq(judge(t, zoo_chain("unsigned", "no-sign", NULL)), TLS_CERT_NOT_CA);
	tls_trust_unref(t);
}

/* The bound is the anchor's own, which is in no chain. */
Test(tls_trust, path_length_of_an_anchor)
{
	struct tls_trust *t;

	zoo_make("ca",
		&(struct zoo_opts){ .extensions = "basicConstraints=critical,CA:TRUE,pathlen:1\n"
						  "keyUsage=critical,keyCertSign" });
	ca_make("one", "ca");
	ca_make("two", "one");
	leaf_make("near", "one");
	leaf_make("far", "two");
	t = trust_of("ca");
	cr_assert_eq(judge(t, zoo_chain("near", "one", NULL)), TLS_CERT_TRUSTED);
	cr_assert_eq(judge(t, zoo_chain("far", "two", "one", NULL)), TLS_CERT_NOT_CA);
	tls_trust_unref(t);
}

Test(tls_trust, name_constraints)
{
	struct tls_trust *t;

	ca_make("ca", NULL);
	zoo_make("fenced",
		&(struct zoo_opts){ .issuer = "ca",
			.extensions = ZOO_CA "\nnameConstraints=critical,"
					     "permitted;DNS:inside.test" });
	zoo_make("in",
		&(struct zoo_opts){ .issuer = "fenced",
			.extensions = "subjectAltName=DNS:a.inside.test" });
	zoo_make("out",
		&(struct zoo_opts){ .issuer = "fenced",
			.extensions = "subjectAltName=DNS:outside.test" });
	/* The name of a CA between is within the fence, that of whom it signs is not. */
	ca_make("below.inside.test", "fenced");
	leaf_make("under", "below.inside.test");
	t = trust_of("ca");
	cr_assert_eq(judge(t, zoo_chain("in", "fenced", NULL)), TLS_CERT_TRUSTED);
	cr_assert_eq(judge(t, zoo_chain("out", "fenced", NULL)), TLS_CERT_CONSTRAINED);
	cr_assert_eq(judge(t, zoo_chain("under", "below.inside.test", "fenced", NULL)),
		TLS_CERT_CONSTRAINED);
	tls_trust_unref(t);
	t = tls_trust_new(zoo_file("fenced", "pem"), SPAN_NONE, &(unsigned){ 0 },
		&(const char *){ NULL });
	cr_assert_eq(judge(t, zoo_chain("in", NULL)), TLS_CERT_TRUSTED);
	cr_assert_eq(judge(t, zoo_chain("out", NULL)), TLS_CERT_CONSTRAINED);
	cr_assert_eq(judge(t, zoo_chain("under", "below.inside.test", NULL)), TLS_CERT_CONSTRAINED);
	tls_trust_unref(t);
}

/* A certificate that names an anchor as its issuer, and was signed by somebody else. */
Test(tls_trust, a_signature_that_is_not_the_anchors)
{
	struct tls_trust *t;
	struct span real;

	ca_make("ca", NULL);
	real = zoo_file("ca", "pem");
	zoo_make("ca", &(struct zoo_opts){ .extensions = ZOO_CA }); /* same name, another key */
	zoo_make("leaf", &(struct zoo_opts){ .issuer = "ca" });
	t = trust_of("ca");
	cr_assert_eq(judge(t, zoo_chain("leaf", NULL)), TLS_CERT_TRUSTED);
	tls_trust_unref(t);
	t = tls_trust_new(real, SPAN_NONE, &(unsigned){ 0 }, &(const char *){ NULL });
	cr_assert_neq(judge(t, zoo_chain("leaf", NULL)), TLS_CERT_TRUSTED);
	cr_assert_neq(judge(t, zoo_chain("leaf", "ca", NULL)), TLS_CERT_TRUSTED);
	tls_trust_unref(t);
}

Test(tls_trust, any_changed_byte_spoils_a_chain)
{
	struct tls_trust *t;
	struct span chain[2], pem = SPAN_NONE;

	ca_make("ca", NULL);
	ca_make("middle", "ca");
	leaf_make("leaf", "middle");
	t = trust_of("ca");
	pem = zoo_chain("leaf", "middle", NULL);
	for (unsigned i = 0; i < 2; i++)
		chain[i] = tls_pem_der(tls_pem_next(&pem, "CERTIFICATE"));
	cr_assert_eq(tls_trust_judge(t, chain, 2), TLS_CERT_TRUSTED);
	for (unsigned i = 0; i < 2; i++) {
		for (size_t k = 0; k < chain[i].n; k++) {
			char *byte = (char *)chain[i].p + k;

			*byte ^= 0x04;
			cr_assert_neq(tls_trust_judge(t, chain, 2), TLS_CERT_TRUSTED, "%u:%zu", i,
				k);
			*byte ^= 0x04;
		}
		for (size_t k = 0; k < chain[i].n; k++) {
			struct span cut[2] = { chain[0], chain[1] };

			cut[i].n = k;
			cr_assert_neq(tls_trust_judge(t, cut, 2), TLS_CERT_TRUSTED, "%u:%zu", i, k);
		}
	}
	free((void *)chain[0].p);
	free((void *)chain[1].p);
	tls_trust_unref(t);
}

Test(tls_trust, revoked_by_a_list)
{
	struct tls_trust *t;
	const char *why = "";
	unsigned skipped;

	ca_make("ca", NULL);
	ca_make("other", NULL);
	leaf_make("bad", "ca");
	leaf_make("good", "ca");
	leaf_make("unlisted", "other");
	zoo_revoke("ca", "bad");
	t = tls_trust_new(zoo_chain("ca", "other", NULL), zoo_file("ca", "crl"), &skipped, &why);
	cr_assert(t != NULL, "%s", why);
	cr_assert_eq(judge(t, zoo_chain("bad", NULL)), TLS_CERT_REVOKED);
	cr_assert_eq(judge(t, zoo_chain("good", NULL)), TLS_CERT_TRUSTED);
	cr_assert_eq(judge(t, zoo_chain("unlisted", NULL)), TLS_CERT_TRUSTED, "no list of its CA");
	tls_trust_unref(t);
	cr_assert_null(
		tls_trust_new(zoo_file("other", "pem"), zoo_file("ca", "crl"), &skipped, &why));
	cr_assert_str_eq(why, "a CRL was not signed by one of the trust anchors");
}

Test(tls_trust, anchors_that_are_none)
{
	const char *why = "";
	unsigned skipped;
	struct tls_trust *t;

	ca_make("ca", NULL);
	leaf_make("leaf", "ca");
	cr_assert_null(tls_trust_new(zoo_file("leaf", "pem"), SPAN_NONE, &skipped, &why));
	cr_assert_eq(skipped, 1, "a leaf is no anchor: it could sign for anybody");
	cr_assert_null(tls_trust_new(SPAN_LIT("nothing"), SPAN_NONE, &skipped, &why));
	t = tls_trust_new(zoo_chain("leaf", "ca", NULL), SPAN_NONE, &skipped, &why);
	cr_assert_eq(tls_trust_count(t), 1);
	cr_assert_eq(skipped, 1);
	tls_trust_unref(t);
}

/* -- what a connection says of its peer -- */

struct shown {
	enum tls_verdict accepting, opening;
};

/* Both show that certificate with that chain, to somebody who trusts `trust`. */
static struct shown show(struct tls_trust *trust, struct tls_setup *accepting, const char *name,
	struct span chain)
{
	struct tls_cert *cert = zoo_cert(name, chain);
	struct tls_setup *opening = setup_open(cert, NULL), *back = setup_accept(cert, NULL);
	struct tls_setup *bare = setup_open(NULL, trust);
	struct shown s;
	struct pair p;

	pair_init(&p, tls_accept(accepting), tls_open(opening, SPAN_NONE, false, SPAN_NONE));
	pair_open(&p);
	s.accepting = tls_peer_verdict(p.a.tls);
	pair_free(&p);
	pair_init(&p, tls_accept(back), tls_open(bare, SPAN_NONE, false, SPAN_NONE));
	pair_open(&p);
	s.opening = tls_peer_verdict(p.o.tls);
	pair_free(&p);
	tls_setup_unref(opening);
	tls_setup_unref(back);
	tls_setup_unref(bare);
	tls_cert_unref(cert);
	return s;
}

static void expect(struct tls_trust *trust, struct tls_setup *accepting, const char *name,
	struct span chain, enum tls_verdict v)
{
	struct shown s = show(trust, accepting, name, chain);

	cr_assert_eq(s.accepting, v, "%s: %s", name, tls_verdict_words(s.accepting));
	cr_assert_eq(s.opening, v, "%s: %s", name, tls_verdict_words(s.opening));
}

Test(tls_trust, T_C21_a_peers_own_ca_is_never_learned)
{
	struct tls_trust *trust;
	struct tls_cert *server;
	struct tls_setup *accepting;

	ca_make("ca", NULL);
	ca_make("evil", NULL);
	ca_make("evil-middle", "evil");
	leaf_make("server", "ca");
	leaf_make("first", "evil");
	leaf_make("second", "evil");
	leaf_make("third", "evil-middle");
	trust = trust_of("ca");
	server = zoo_cert("server", SPAN_NONE);
	accepting = setup_accept(server, trust);
	expect(trust, accepting, "first", zoo_chain("first", "evil", NULL), TLS_CERT_UNKNOWN_CA);
	expect(trust, accepting, "second", zoo_chain("second", NULL), TLS_CERT_UNKNOWN_CA);
	expect(trust, accepting, "third", zoo_chain("third", "evil-middle", "evil", NULL),
		TLS_CERT_UNKNOWN_CA);
	expect(trust, accepting, "third", zoo_chain("third", "evil-middle", NULL),
		TLS_CERT_UNKNOWN_CA);
	expect(trust, accepting, "third", zoo_chain("third", NULL), TLS_CERT_UNKNOWN_CA);
	cr_assert_eq(tls_trust_count(trust), 1);
	tls_setup_unref(accepting);
	tls_cert_unref(server);
	tls_trust_unref(trust);
}

Test(tls_trust, T_C22_the_right_usage_proves_nothing)
{
	static const char *const usages[] = { "serverAuth", "clientAuth", "codeSigning" };
	struct tls_trust *trust;
	struct tls_cert *server;
	struct tls_setup *accepting;

	ca_make("ca", NULL);
	ca_make("evil", NULL);
	leaf_make("server", "ca");
	trust = trust_of("ca");
	server = zoo_cert("server", SPAN_NONE);
	accepting = setup_accept(server, trust);
	for (size_t i = 0; i < ARRAY_LEN(usages); i++) {
		char ext[128];

		(void)snprintf(ext, sizeof(ext), "extendedKeyUsage=%s\nsubjectAltName=DNS:a.test",
			usages[i]);
		zoo_make("self", &(struct zoo_opts){ .extensions = ext });
		zoo_make("unknown", &(struct zoo_opts){ .issuer = "evil", .extensions = ext });
		zoo_make("known", &(struct zoo_opts){ .issuer = "ca", .extensions = ext });
		expect(trust, accepting, "self", SPAN_NONE, TLS_CERT_SELF_SIGNED);
		expect(trust, accepting, "unknown", SPAN_NONE, TLS_CERT_UNKNOWN_CA);
		expect(trust, accepting, "known", SPAN_NONE, TLS_CERT_TRUSTED);
	}
	tls_setup_unref(accepting);
	tls_cert_unref(server);
	tls_trust_unref(trust);
}

Test(tls_trust, a_bad_certificate_does_not_end_a_handshake)
{
	struct tls_trust *trust;
	struct tls_cert *server;
	struct tls_setup *accepting;

	ca_make("ca", NULL);
	leaf_make("server", "ca");
	zoo_make("expired", &(struct zoo_opts){ .issuer = "ca", .dates = PAST });
	zoo_make("sha1", &(struct zoo_opts){ .issuer = "ca", .digest = "sha1" });
	leaf_make("self", NULL);
	trust = trust_of("ca");
	server = zoo_cert("server", SPAN_NONE);
	accepting = setup_accept(server, trust);
	expect(trust, accepting, "expired", SPAN_NONE, TLS_CERT_EXPIRED);
	expect(trust, accepting, "sha1", SPAN_NONE, TLS_CERT_WEAK);
	expect(trust, accepting, "self", SPAN_NONE, TLS_CERT_SELF_SIGNED);
	tls_setup_unref(accepting);
	tls_cert_unref(server);
	tls_trust_unref(trust);
}
