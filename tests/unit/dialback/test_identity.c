/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "tests/unit/base/der_build.h"
#include "tests/unit/dialback/identity_ask.h"

TestSuite(identity, .timeout = 120);

#define R1 "rx.peer.test"
#define BUECHER                                                                                    \
	"b\xc3\xbc"                                                                                \
	"cher"

static bool covers_with(struct span extensions, const char *domain)
{
	struct identity *id = identity_of(extensions);
	struct identity_proof proof;
	bool ok = asks(id, domain, &proof);

	identity_free(id);
	return ok;
}

/* A name that is ignored leaves a certificate without one. */
static bool ignores(struct span extensions)
{
	struct identity *id = identity_of(extensions);
	const char *fault = identity_fault(id);

	identity_free(id);
	return fault && strcmp(fault, "it names no domain (subjectAltName)") == 0;
}

#define IGNORES(name) ignores(ALT_NAMES(name))
#define COVERS(domain, ...) covers_with(ALT_NAMES(__VA_ARGS__), domain)

/* -- rule 4.3 -- */

Test(identity, T_C1_dns_name)
{
	struct identity *id = identity_of(ALT_NAMES(DNS("a.test"), DNS(R1)));
	struct identity_proof proof;

	cr_assert(asks(id, R1, &proof));
	cr_assert_eq(proof.kind, X509_NAME_DNS);
	cr_assert_str_eq(proof.name.p, R1);
	cr_assert_null(identity_fault(id));
	cr_assert_eq(identity_not_after(id), 1798761600);
	cr_assert(asks(id, "a.test", &proof));
	cr_assert_not(asks(id, "peer.test", &proof));
	cr_assert_not(asks(id, "x.peer.test", &proof));
	cr_assert_not(asks(id, "a." R1, &proof));
	identity_free(id);
	cr_assert(COVERS(R1, DNS("RX.Peer.TEST")));
}

/* The key's, and not the certificate's. */
Test(identity, T_Z15_the_hash_of_its_key)
{
	struct identity *one = identity_of(ALT_NAMES(DNS(R1)));
	struct identity *two = identity_of(ALT_NAMES(DNS("a.test")));
	struct identity *none = identity_new(SPAN_LIT("no certificate"));

	cr_assert_eq(identity_key(one).n, IDENTITY_KEY);
	cr_assert(span_eq(identity_key(one), identity_key(two)));
	cr_assert_null(identity_key(none).p);
	identity_free(one);
	identity_free(two);
	identity_free(none);
}

Test(identity, T_C2_wildcard)
{
	struct identity *id = identity_of(ALT_NAMES(DNS("*.PEER.test")));
	struct identity_proof proof;

	cr_assert(asks(id, R1, &proof));
	cr_assert_str_eq(proof.name.p, "*.peer.test");
	cr_assert_not(asks(id, "muc.rx.peer.test", &proof));
	cr_assert_not(asks(id, "peer.test", &proof));
	cr_assert_not(asks(id, "rx.xpeer.test", &proof));
	identity_free(id);
	/* The name is a whole label, of whatever script. */
	cr_assert(COVERS(BUECHER ".peer.test", DNS("*.peer.test")));
	cr_assert(COVERS("a." BUECHER ".test", DNS("*.xn--bcher-kva.test")));
	cr_assert(COVERS("peer.test", DNS("*.peer.test"), DNS("peer.test")));
}

Test(identity, T_C3_wildcards_that_are_none)
{
	cr_assert(IGNORES(DNS("r*.peer.test")));
	cr_assert(IGNORES(DNS("*x.peer.test")));
	cr_assert(IGNORES(DNS("r*x.peer.test")));
	cr_assert(IGNORES(DNS("*.*.test")));
	cr_assert(IGNORES(DNS("rx.*.test")));
	cr_assert(IGNORES(DNS("rx.peer.*")));
	cr_assert(IGNORES(DNS("xn--*.peer.test")));
	cr_assert(IGNORES(DNS("*xn--bcher-kva.peer.test")));
	cr_assert(IGNORES(DNS("*")));
	cr_assert(IGNORES(DNS("*.")));
	cr_assert(IGNORES(DNS("**.peer.test")));
	cr_assert(IGNORES(DNS("*..peer.test")));
	cr_assert(IGNORES(DNS("m*c.rx.peer.test")));
	/* Ignored, not refused. */
	cr_assert(COVERS(R1, DNS("r*.peer.test"), DNS(R1)));
}

/* Rule 9.5: one such name would be everybody's below a top-level domain. */
Test(identity, T_C3_wildcard_below_a_top_level_domain)
{
	cr_assert_not(COVERS("peer.test", DNS("*.test")));
	cr_assert_not(COVERS(R1, DNS("*.test")));
	cr_assert_not(COVERS("peer.test", SRV("_xmpp-server.*.test")));
	cr_assert(COVERS("a.peer.test", DNS("*.peer.test")));
}

Test(identity, T_C4_srv_name)
{
	struct identity *id = identity_of(ALT_NAMES(SRV("_xmpp-server." R1)));
	struct identity_proof proof;

	cr_assert(asks(id, R1, &proof));
	cr_assert_eq(proof.kind, X509_NAME_SRV);
	cr_assert_str_eq(proof.name.p, R1);
	cr_assert_not(asks(id, "muc.rx.peer.test", &proof));
	identity_free(id);
	cr_assert(COVERS(R1, SRV("_XMPP-Server.RX.peer.test")));
	cr_assert(COVERS(R1, SRV("_xmpp-server.*.peer.test")));
}

Test(identity, T_C5_srv_name_of_something_else)
{
	cr_assert_not(COVERS(R1, SRV("_xmpp-client." R1)));
	cr_assert_not(COVERS(R1, SRV("_xmpp-server._tcp." R1)));
	cr_assert_not(COVERS(R1, SRV("_xmpps-server." R1)));
	cr_assert_not(COVERS(R1, SRV("xmpp-server." R1)));
	cr_assert_not(COVERS(R1, SRV(R1)));
	cr_assert_not(COVERS(R1, SRV("_xmpp-server.")));
	cr_assert_not(COVERS(R1, SRV("_xmpp-server")));
	cr_assert_not(COVERS(R1, SRV("_xmpp-server.." R1)));
	/* It restricts itself only. */
	cr_assert(COVERS(R1, SRV("_xmpp-client." R1), DNS(R1)));
	/* A dNSName is no place for one. */
	cr_assert_not(COVERS(R1, DNS("_xmpp-server." R1)));
}

Test(identity, T_C6_xmpp_addr)
{
	struct identity *id = identity_of(ALT_NAMES(XMPP(R1)));
	struct identity_proof proof;

	cr_assert(asks(id, R1, &proof));
	cr_assert_eq(proof.kind, X509_NAME_XMPP);
	cr_assert_str_eq(proof.name.p, R1);
	identity_free(id);
	cr_assert(COVERS(R1, XMPP("RX.peer.test")));
	cr_assert_not(COVERS(R1, XMPP("ann@" R1)));
	cr_assert_not(COVERS(R1, XMPP("@" R1)));
	cr_assert_not(COVERS(R1, XMPP(R1 "/server")));
	cr_assert_not(COVERS(R1, XMPP(R1 "/")));
	cr_assert_not(COVERS(R1, XMPP("ann\xef\xbc\xa0" R1)), "a full-width @");
	cr_assert_not(COVERS(R1, XMPP("*.peer.test")));
	cr_assert_not(COVERS(R1, XMPP(R1 ".")));
	cr_assert_not(COVERS(R1, XMPP(R1 "\xef\xbc\x8e")), "a full-width dot");
	cr_assert_not(COVERS(R1, XMPP("rx.peer.test\xff")), "not UTF-8");
	cr_assert_not(COVERS(R1, XMPP("")));
}

Test(identity, T_C7_common_name)
{
	struct build_certificate c = build_plain(NOTHING);
	struct identity_proof proof;
	struct identity *id;

	for (int i = 0; i < 2; i++) {
		c.subject = i == 0 ? COMMON_NAME(R1) : COMMON_NAME("x, CN=" R1);
		id = identity_new(build_whole(&c));
		cr_assert_not(asks(id, R1, &proof));
		cr_assert_str_eq(identity_fault(id), "it names no domain (subjectAltName)");
		identity_free(id);
	}
	c = build_plain(ALT_NAMES(DNS("evil.test")));
	id = identity_new(build_whole(&c));
	cr_assert_not(asks(id, R1, &proof));
	identity_free(id);
}

Test(identity, T_C8_octets_that_no_name_has)
{
	cr_assert(IGNORES(DNS(R1 "\0.evil.test")));
	cr_assert(IGNORES(DNS(R1 "\0")));
	cr_assert(IGNORES(DNS("\0" R1)));
	cr_assert(IGNORES(SRV("_xmpp-server." R1 "\0.evil.test")));
	cr_assert(IGNORES(XMPP(R1 "\0.evil.test")));
	cr_assert(IGNORES(XMPP(R1 "\0")));
	cr_assert(IGNORES(DNS(R1 "\n")));
	cr_assert(IGNORES(DNS(R1 ".")), "a dot at the end");
	cr_assert(IGNORES(DNS("." R1)), "an empty label");
	cr_assert(IGNORES(DNS("rx..peer.test")));
	cr_assert(IGNORES(DNS("-x.peer.test")));
	cr_assert(IGNORES(DNS("x-.peer.test")));
	cr_assert(IGNORES(DNS("a_b.peer.test")));
	cr_assert(IGNORES(DNS("")));
	cr_assert(IGNORES(DNS(".")));
	cr_assert(COVERS(R1, DNS(R1 "\0.evil.test"), DNS(R1)), "the others count");
}

Test(identity, T_C9_addresses_and_uris)
{
	cr_assert_not(COVERS(R1, TLV(DER_CONTEXT + 6, BYTES("xmpp:" R1))));
	cr_assert_not(COVERS(R1, TLV(DER_CONTEXT + 6, BYTES(R1))));
	cr_assert_not(COVERS(R1, TLV(DER_CONTEXT + 1, BYTES(R1))));
	cr_assert_not(COVERS(R1, TLV(DER_CONTEXT + 7, BYTES("\xc0\0\x02\x01"))));
	cr_assert_not(COVERS(R1, EXPLICIT(4, COMMON_NAME(R1))));
	cr_assert_not(COVERS(R1, OTHER_NAME("\x2a\x03", TLV(DER_UTF8_STRING, BYTES(R1)))));
}

Test(identity, T_C10_internationalised_names)
{
	static const char domain[] = BUECHER ".peer.test";

	cr_assert(COVERS(domain, DNS("xn--bcher-kva.peer.test")));
	cr_assert(COVERS(domain, DNS("XN--Bcher-KVA.peer.test")));
	cr_assert(COVERS(domain, SRV("_xmpp-server.xn--bcher-kva.peer.test")));
	cr_assert(COVERS(domain, XMPP(BUECHER ".peer.test")));
	cr_assert(COVERS(domain,
		XMPP("B\xc3\x9c"
		     "CHER.peer.test")));
	cr_assert(COVERS(domain, XMPP("xn--bcher-kva.peer.test")));
	/* Not in an IA5String. */
	cr_assert_not(COVERS(domain, DNS(BUECHER ".peer.test")));
	cr_assert_not(COVERS(domain, SRV("_xmpp-server." BUECHER ".peer.test")));
	cr_assert_not(COVERS("bucher.peer.test", DNS("xn--bcher-kva.peer.test")));
}

Test(identity, underscores_and_lengths)
{
	char label[65], name[300], too_long[sizeof(name) + 2];
	struct identity *id;
	struct identity_proof proof;

	cr_assert_not(COVERS("a_b.peer.test", DNS("*.peer.test")));
	cr_assert_not(COVERS("a_b.peer.test", DNS("a_b.peer.test")));
	cr_assert_not(COVERS("a_b.peer.test", XMPP("a_b.peer.test")));
	memset(label, 'a', 64);
	label[64] = '\0';
	snprintf(name, sizeof(name), "%s.test", label);
	cr_assert(IGNORES(TLV(DER_CONTEXT + 2, span_str(name))));
	/* 253 octets: four labels of 63, 63, 63 and 61. */
	label[63] = '\0';
	snprintf(name, sizeof(name), "%s.%s.%s.%s", label, label, label, label + 2);
	id = identity_of(ALT_NAMES(TLV(DER_CONTEXT + 2, span_str(name))));
	cr_assert(asks(id, name, &proof));
	cr_assert_eq(proof.name.n, LIMIT_DNS_NAME);
	/* XMPP has longer domains, DNS and certificates have not. */
	snprintf(too_long, sizeof(too_long), "a.%s", name);
	cr_assert_not(asks(id, too_long, &proof));
	identity_free(id);
	cr_assert(IGNORES(TLV(DER_CONTEXT + 2, span_str(too_long))));
}

/* -- rule 4.4 -- */

#define NAMED ALT_NAMES(DNS(R1))

Test(identity, T_C11_for_servers)
{
	cr_assert(covers_with(JOIN(NAMED, PURPOSES(OID(OID_SERVER_AUTH))), R1));
	cr_assert(
		covers_with(JOIN(NAMED, PURPOSES(OID(OID_CLIENT_AUTH), OID(OID_SERVER_AUTH))), R1));
}

Test(identity, T_C12_for_anything)
{
	cr_assert(covers_with(NAMED, R1));
	cr_assert(covers_with(JOIN(NAMED, PURPOSES(OID(OID_ANY_USAGE))), R1));
}

static void faulty(struct span extensions, const char *fault)
{
	struct identity *id = identity_of(extensions);
	struct identity_proof proof;
	const char *why;

	cr_assert_not(identity_covers(id, SPAN_LIT(R1), &proof, &why));
	cr_assert_str_eq(why, fault);
	cr_assert_str_eq(identity_fault(id), fault);
	identity_free(id);
}

Test(identity, T_C13_for_clients)
{
	static const char fault[] = "it is not for servers (extKeyUsage)";

	faulty(JOIN(NAMED, PURPOSES(OID(OID_CLIENT_AUTH))), fault);
	faulty(JOIN(NAMED, PURPOSES(OID("\x2a\x03"))), fault);
}

Test(identity, T_C14_of_an_authority)
{
	faulty(JOIN(NAMED, BASIC(CRITICAL)),
		"it is the certificate of an authority (basicConstraints)");
	cr_assert(covers_with(JOIN(NAMED, BASIC(NOTHING)), R1));
}

Test(identity, T_C14_weak_signature)
{
	struct build_certificate c = build_plain(NAMED);
	struct identity_proof proof;
	struct identity *id;

	c.algorithm = c.inner_algorithm = SEQ(OID("\x2a\x86\x48\xce\x3d\x04\x01"));
	id = identity_new(build_whole(&c));
	cr_assert_not(asks(id, R1, &proof));
	cr_assert_str_eq(identity_fault(id), "its signature is not of an accepted algorithm");
	identity_free(id);
}

Test(identity, key_usage)
{
	static const char fault[] = "its key is not for signatures (keyUsage)";

	cr_assert(covers_with(JOIN(NAMED, KEY_USAGE("\x07\x80")), R1));
	cr_assert(covers_with(JOIN(NAMED, KEY_USAGE("\x05\xa0")), R1));
	faulty(JOIN(NAMED, KEY_USAGE("\x05\x20")), fault);
	faulty(JOIN(NAMED, KEY_USAGE("\x00")), fault);
}

Test(identity, malformed)
{
	struct identity *id = identity_new(SPAN_LIT("0"));
	struct identity_proof proof;

	cr_assert_not(asks(id, R1, &proof));
	cr_assert_str_eq(identity_fault(id), "it is not DER of a certificate");
	cr_assert_eq(identity_not_after(id), 0);
	identity_free(id);
	faulty(JOIN(NAMED, NAMED), "an extension is there twice");
	identity_free(NULL);
}

#ifdef SLUICE_FAULT_INJECTION
Test(identity, without_memory)
{
	struct span cert = build_with(ALT_NAMES(DNS(R1), DNS("a b"), DNS("c d")));
	struct identity_proof proof;
	struct identity *id;

	mem_fail_nth(1);
	cr_assert_null(identity_new(cert));
	/* What is not made smaller is as good. */
	mem_fail_nth(2);
	id = identity_new(cert);
	cr_assert_eq(mem_fail_nth(0), 0);
	cr_assert_not_null(id);
	cr_assert(asks(id, R1, &proof));
	identity_free(id);
}
#endif
