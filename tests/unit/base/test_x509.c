/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/limits.h"
#include "core/base/x509.h"
#include "tests/unit/base/der_build.h"

TestSuite(x509, .timeout = 120);

#define SOME_NAMES ALT_NAMES(DNS("rx.peer.test"))
#define GENERAL(literal) TLV(DER_GENERALIZED_TIME, BYTES(literal))

static struct x509 parsed(struct span der)
{
	const char *why = NULL;
	struct x509 cert;

	cr_assert(x509_parse(der, &cert, &why), "%s", why);
	return cert;
}

static void refused(struct span der, const char *reason)
{
	const char *why = NULL;
	struct x509 cert;

	cr_assert_not(x509_parse(der, &cert, &why), "not refused: %s", reason);
	cr_assert_str_eq(why, reason);
}

static struct build_certificate plain(void)
{
	return build_plain(SOME_NAMES);
}

static struct span whole(struct build_certificate c)
{
	return build_whole(&c);
}

Test(x509, fields)
{
	struct build_certificate c = build_plain(JOIN(SOME_NAMES, BASIC(NOTHING)));
	struct x509 cert = parsed(whole(c));

	cr_assert_eq(cert.version, 3);
	cr_assert(span_is(cert.serial, "\x01\x02\x03"));
	cr_assert(span_eq(cert.issuer, c.issuer));
	cr_assert(span_eq(cert.subject, c.subject));
	cr_assert(span_eq(cert.key, c.key));
	cr_assert_eq(cert.not_before, 1767225600);
	cr_assert_eq(cert.not_after, 1798761600);
	cr_assert(cert.names.p && cert.strong_signature);
	cr_assert_not(cert.ca || cert.self_issued || cert.has_purposes || cert.has_key_usage);
}

Test(x509, self_issued)
{
	struct build_certificate c = plain();

	c.issuer = c.subject;
	cr_assert(parsed(whole(c)).self_issued);
}

Test(x509, versions)
{
	struct build_certificate c = plain();

	c.version = NOTHING;
	refused(whole(c), "extensions in a certificate of version 1 or 2");
	c.extensions = NOTHING;
	cr_assert_eq(parsed(whole(c)).version, 1);
	cr_assert_null(parsed(whole(c)).names.p);
	c.unique = TLV(DER_CONTEXT + 1, BYTES("\0id"));
	refused(whole(c), "a unique identifier is malformed");
	c.version = EXPLICIT(0, TLV(DER_INTEGER, BYTES("\x01")));
	cr_assert_eq(parsed(whole(c)).version, 2);
	c.unique = JOIN(TLV(DER_CONTEXT + 1, BYTES("\0id")), TLV(DER_CONTEXT + 2, BYTES("\0id")));
	cr_assert_eq(parsed(whole(c)).version, 2);
	c.unique = JOIN(TLV(DER_CONTEXT + 2, BYTES("\0id")), TLV(DER_CONTEXT + 1, BYTES("\0id")));
	refused(whole(c), "there is something behind the extensions");
	c = plain();
	c.version = EXPLICIT(0, TLV(DER_INTEGER, BYTES("\x00")));
	refused(whole(c), "the version is none of 1 to 3");
	c.version = EXPLICIT(0, TLV(DER_INTEGER, BYTES("\x03")));
	refused(whole(c), "the version is none of 1 to 3");
	c.version = EXPLICIT(0, TLV(DER_INTEGER, BYTES("\x00\x02")));
	refused(whole(c), "the version is none of 1 to 3");
}

Test(x509, outer_shape)
{
	struct build_certificate c = plain();
	struct span der = whole(c);
	static char large[LIMIT_CERT + 1];

	refused(NOTHING, "it is not DER of a certificate");
	refused(span_of(large, sizeof(large)), "it is too large");
	refused(JOIN(der, BYTES("\0")), "there is something behind it");
	refused(span_of(der.p, der.n - 1), "it is not DER of a certificate");
	c.behind = TLV(DER_INTEGER, BYTES("\x01"));
	refused(whole(c), "it is not DER of a certificate");
	c = plain();
	c.signature = TLV(DER_BIT_STRING, BYTES("\x01signature"));
	refused(whole(c), "it is not DER of a certificate");
	c = plain();
	c.behind_extensions = TLV(DER_INTEGER, BYTES("\x01"));
	refused(whole(c), "there is something behind the extensions");
}

Test(x509, signed_part)
{
	struct build_certificate c = plain();

	c.serial = TLV(DER_INTEGER, BYTES("\x00\x01"));
	refused(whole(c), "the serial number is malformed");
	c.serial = NOTHING;
	refused(whole(c), "the serial number is malformed");
	c = plain();
	c.inner_algorithm = SEQ(OID("\x2a\x86\x48\xce\x3d\x04\x03\x03"));
	refused(whole(c), "two algorithms are named for its signature");
	c = plain();
	c.issuer = TLV(DER_INTEGER, BYTES("\x01"));
	refused(whole(c), "the issuer is malformed");
	c = plain();
	c.subject = NOTHING;
	c.key = NOTHING;
	refused(whole(c), "the subject is malformed");
	c = plain();
	c.key = SEQ(SEQ(OID("\x2b\x65\x70")), TLV(DER_BIT_STRING, BYTES("\x01key")));
	refused(whole(c), "the public key is malformed");
	c.key = SEQ(SEQ(OID("\x2b\x65\x70")), TLV(DER_BIT_STRING, BYTES("\0key")), NOTHING,
		SEQ(NOTHING));
	refused(whole(c), "the public key is malformed");
}

Test(x509, validity)
{
	struct build_certificate c = plain();

	c.validity = SEQ(UTC("260101000000Z"), GENERAL("20500101000000Z"));
	cr_assert_eq(parsed(whole(c)).not_after, 2524608000);
	c.validity = SEQ(UTC("260101000000Z"), UTC("260101000000Z"));
	cr_assert_eq(parsed(whole(c)).not_after, parsed(whole(c)).not_before);
	c.validity = SEQ(UTC("260101000001Z"), UTC("260101000000Z"));
	refused(whole(c), "the validity ends before it begins");
	c.validity = SEQ(UTC("260101000000Z"), UTC("2701010000Z"));
	refused(whole(c), "the validity is malformed");
	c.validity = SEQ(UTC("260101000000Z"));
	refused(whole(c), "the validity is malformed");
	c.validity = SEQ(UTC("260101000000Z"), UTC("260101000000Z"), UTC("260101000000Z"));
	refused(whole(c), "the validity is malformed");
}

/* -- extensions -- */

Test(x509, an_extension_is_there_once)
{
	struct span unknown = EXTENSION("\x2a\x03", BYTES("?"));

	refused(CERTIFICATE(SOME_NAMES, SOME_NAMES), "an extension is there twice");
	refused(CERTIFICATE(unknown, SOME_NAMES, unknown), "an extension is there twice");
	refused(CERTIFICATE(BASIC(NOTHING), BASIC(CRITICAL)), "an extension is there twice");
	/* What is critical and unknown is for the TLS library to refuse. */
	cr_assert(parsed(CERTIFICATE(CRITICAL_EXTENSION("\x2a\x03", BYTES("?")), SOME_NAMES))
			  .names.p);
}

Test(x509, list_of_extensions)
{
	struct span list = NOTHING;
	struct build_certificate c = plain();

	c.extensions = EXPLICIT(3, SEQ(NOTHING));
	refused(whole(c), "the list of extensions is empty");
	c.extensions = EXPLICIT(3, SEQ(SOME_NAMES), SEQ(SOME_NAMES));
	refused(whole(c), "the list of extensions is malformed");
	for (int i = 0; i < LIMIT_CERT_EXTENSIONS; i++) {
		char oid[] = { 0x2a, (char)i };

		list = JOIN(list,
			SEQ(TLV(DER_OID, span_of(oid, 2)), TLV(DER_OCTET_STRING, NOTHING)));
	}
	parsed(build_with(list));
	refused(CERTIFICATE(list, SOME_NAMES), "too many extensions");
	refused(CERTIFICATE(SEQ(OID(OID_NAMES))), "an extension is malformed");
	refused(CERTIFICATE(SEQ(OID(OID_NAMES), TLV(DER_BOOLEAN, BYTES("\x01")),
			TLV(DER_OCTET_STRING, NOTHING))),
		"an extension is malformed");
	refused(CERTIFICATE(SEQ(OID(OID_NAMES), TLV(DER_OCTET_STRING, NOTHING), NOTHING, CRITICAL)),
		"an extension is malformed");
}

/* "critical FALSE" is written out in real certificates. */
Test(x509, default_written_out)
{
	struct span no = TLV(DER_BOOLEAN, BYTES("\x00"));

	cr_assert(parsed(CERTIFICATE(SEQ(OID(OID_NAMES), no,
				 TLV(DER_OCTET_STRING, SEQ(DNS("rx.peer.test"))))))
			  .names.p);
	cr_assert_not(parsed(CERTIFICATE(BASIC(no))).ca);
}

Test(x509, T_C14_basic_constraints)
{
	struct span yes = TLV(DER_BOOLEAN, BYTES("\xff"));
	struct span length = TLV(DER_INTEGER, BYTES("\x00"));

	cr_assert(parsed(CERTIFICATE(BASIC(yes))).ca);
	cr_assert(parsed(CERTIFICATE(BASIC(yes, length))).ca);
	cr_assert_not(parsed(CERTIFICATE(BASIC(NOTHING))).ca);
	refused(CERTIFICATE(BASIC(yes, length, length)), "basicConstraints is malformed");
	refused(CERTIFICATE(BASIC(yes, yes)), "basicConstraints is malformed");
	refused(CERTIFICATE(BASIC(TLV(DER_BOOLEAN, BYTES("\x01")))),
		"basicConstraints is malformed");
	refused(CERTIFICATE(EXTENSION(OID_BASIC, SEQ(yes), yes)), "basicConstraints is malformed");
	refused(CERTIFICATE(EXTENSION(OID_BASIC, yes)), "basicConstraints is malformed");
}

Test(x509, T_C12_purposes)
{
	struct span server = OID(OID_SERVER_AUTH), client = OID(OID_CLIENT_AUTH);
	struct x509 cert = parsed(CERTIFICATE(PURPOSES(server, client)));

	cr_assert(cert.has_purposes);
	cr_assert_eq(cert.purposes, X509_PURPOSE_SERVER | X509_PURPOSE_CLIENT);
	cr_assert_eq(parsed(CERTIFICATE(PURPOSES(OID(OID_ANY_USAGE)))).purposes, X509_PURPOSE_ANY);
	cr_assert_eq(parsed(CERTIFICATE(PURPOSES(OID("\x2a\x03")))).purposes, X509_PURPOSE_OTHER);
	cr_assert_not(parsed(CERTIFICATE(SOME_NAMES)).has_purposes);
	refused(CERTIFICATE(PURPOSES(NOTHING)), "extKeyUsage is malformed");
	refused(CERTIFICATE(PURPOSES(server, CRITICAL)), "a purpose in extKeyUsage is malformed");
	refused(CERTIFICATE(EXTENSION(OID_EXTENDED, server)), "extKeyUsage is malformed");
}

Test(x509, key_usage)
{
	struct x509 cert = parsed(CERTIFICATE(KEY_USAGE("\x05\xa0")));

	cr_assert(cert.has_key_usage);
	cr_assert_eq(cert.key_usage, X509_DIGITAL_SIGNATURE | X509_KEY_ENCIPHERMENT);
	cr_assert_eq(parsed(CERTIFICATE(KEY_USAGE("\x02\x04"))).key_usage, X509_KEY_CERT_SIGN);
	refused(CERTIFICATE(KEY_USAGE("\x00\xa0")), "keyUsage is malformed");
	refused(CERTIFICATE(KEY_USAGE("")), "keyUsage is malformed");
}

/* -- signature algorithms -- */

static bool strong(struct span algorithm)
{
	struct build_certificate c = plain();

	c.algorithm = c.inner_algorithm = algorithm;
	return parsed(whole(c)).strong_signature;
}

#define PKCS1 "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
#define SHA2 "\x60\x86\x48\x01\x65\x03\x04\x02"
#define HASH(oid) EXPLICIT(0, SEQ(OID(oid)))

Test(x509, T_C14_signature_algorithms)
{
	struct span null = TLV(0x05, NOTHING);

	cr_assert(strong(SEQ(OID(PKCS1 "\x0b"), null)), "SHA-256 with RSA");
	cr_assert(strong(SEQ(OID(PKCS1 "\x0d"), null)), "SHA-512 with RSA");
	cr_assert(strong(SEQ(OID("\x2b\x65\x70"))), "Ed25519");
	cr_assert(strong(SEQ(OID(PKCS1 "\x0a"), SEQ(HASH(SHA2 "\x01")))), "PSS, SHA-256");
	cr_assert_not(strong(SEQ(OID(PKCS1 "\x0a"), SEQ(HASH("\x2b\x0e\x03\x02\x1a")))),
		"PSS, SHA-1");
	cr_assert_not(strong(SEQ(OID(PKCS1 "\x0a"), SEQ(NOTHING))), "PSS, SHA-1 by default");
	cr_assert_not(strong(SEQ(OID(PKCS1 "\x0a"))), "PSS without parameters");
	cr_assert_not(strong(SEQ(OID(PKCS1 "\x05"), null)), "SHA-1 with RSA");
	cr_assert_not(strong(SEQ(OID(PKCS1 "\x04"), null)), "MD5 with RSA");
	cr_assert_not(strong(SEQ(OID("\x2a\x86\x48\xce\x3d\x04\x01"))), "SHA-1 with ECDSA");
	cr_assert_not(strong(SEQ(NOTHING)));
}

/* -- names -- */

/* "kind:text kind:text ..." */
static const char *names_of(struct span der)
{
	static char text[1024];
	struct span left = parsed(der).names;
	struct x509_name name;
	size_t n = 0;

	text[0] = '\0';
	while (x509_name_next(&left, &name))
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s:%.*s", n ? " " : "",
			x509_name_kind(name.kind), (int)name.text.n,
			name.text.p ? name.text.p : "");
	cr_assert_eq(left.n, 0);
	return text;
}

Test(x509, names)
{
	cr_assert_str_eq(names_of(CERTIFICATE(ALT_NAMES(DNS("a.test"), SRV("_xmpp-server.b.test"),
				 XMPP("c.test")))),
		"dNSName:a.test SRVName:_xmpp-server.b.test XmppAddr:c.test");
	cr_assert_str_eq(names_of(CERTIFICATE(BASIC(NOTHING))), "");
}

/* Each choice of GeneralName is read over; a choice that there is not, is malformed. */
Test(x509, T_C9_other_names)
{
	for (uint8_t tag = 0x80; tag < 0xc0; tag++) {
		bool constructed = tag & 0x20, known;
		uint8_t number = tag & 0x1f;
		struct span value = constructed ? SEQ(NOTHING) : BYTES("xmpp:rx.peer.test");
		struct span der = CERTIFICATE(ALT_NAMES(TLV(tag, value), DNS("a.test")));

		known = constructed ? number >= 3 && number <= 5 : number >= 1 && number <= 8;
		known = known && (constructed || number < 3 || number > 5);
		if (tag == 0x82)
			cr_assert_str_eq(names_of(der), "dNSName:xmpp:rx.peer.test dNSName:a.test");
		else if (known)
			cr_assert_str_eq(names_of(der), "other name: dNSName:a.test");
		else
			refused(der, "a name in subjectAltName is malformed");
	}
}

Test(x509, other_name_of_another_type_or_string)
{
	struct span text = BYTES("rx.peer.test");

	cr_assert_str_eq(names_of(CERTIFICATE(
				 ALT_NAMES(OTHER_NAME("\x2a\x03", TLV(DER_UTF8_STRING, text)),
					 OTHER_NAME(OID_XMPP, TLV(DER_IA5_STRING, text)),
					 OTHER_NAME(OID_SRV, TLV(DER_UTF8_STRING, text))))),
		"other name: other name: other name:");
}

Test(x509, malformed_names)
{
	static const char reason[] = "a name in subjectAltName is malformed";
	struct span value = TLV(DER_UTF8_STRING, BYTES("rx.peer.test"));

	refused(CERTIFICATE(ALT_NAMES(NOTHING)), "subjectAltName is malformed");
	refused(CERTIFICATE(EXTENSION(OID_NAMES, SEQ(DNS("a.test")), BYTES("\0"))),
		"subjectAltName is malformed");
	refused(CERTIFICATE(EXTENSION(OID_NAMES, DNS("a.test"))), "subjectAltName is malformed");
	refused(CERTIFICATE(ALT_NAMES(EXPLICIT(0, OID(OID_XMPP)))), reason);
	refused(CERTIFICATE(ALT_NAMES(EXPLICIT(0, OID(OID_XMPP), value))), reason);
	refused(CERTIFICATE(ALT_NAMES(EXPLICIT(0, EXPLICIT(0, value)))), reason);
	refused(CERTIFICATE(ALT_NAMES(EXPLICIT(0, OID(OID_XMPP), EXPLICIT(0, NOTHING)))), reason);
	refused(CERTIFICATE(ALT_NAMES(EXPLICIT(0, OID(OID_XMPP), EXPLICIT(0, value, value)))),
		reason);
	refused(CERTIFICATE(ALT_NAMES(EXPLICIT(0, OID(OID_XMPP), EXPLICIT(0, value), value))),
		reason);
	refused(CERTIFICATE(ALT_NAMES(DNS("a.test"), BYTES("\x82"))), reason);
}

/* -- everything cut short, everything with one bit wrong -- */

static void check_inside(struct span part, struct span der)
{
	if (part.p)
		cr_assert(part.p >= der.p && part.p + part.n <= der.p + der.n);
}

/* Whatever is accepted points into the certificate; whatever is not, is told why. */
static bool check_sound(struct span der)
{
	const char *why = NULL;
	struct x509_name name;
	struct span left;
	struct x509 cert;

	if (!x509_parse(der, &cert, &why)) {
		cr_assert(why && why[0]);
		return false;
	}
	check_inside(cert.serial, der);
	check_inside(cert.issuer, der);
	check_inside(cert.subject, der);
	check_inside(cert.key, der);
	check_inside(cert.names, der);
	left = cert.names;
	while (x509_name_next(&left, &name))
		check_inside(name.text, der);
	cr_assert_eq(left.n, 0, "x509_parse has read all names");
	return true;
}

static struct span full(void)
{
	return CERTIFICATE(ALT_NAMES(DNS("a.test"), SRV("_xmpp-server.b.test"), XMPP("c.test")),
		PURPOSES(OID(OID_SERVER_AUTH)), KEY_USAGE("\x07\x80"), BASIC(NOTHING));
}

Test(x509, cut_short_at_every_octet)
{
	struct span der = full();

	for (size_t n = 0; n < der.n; n++) {
		char *copy = malloc(n ? n : 1);

		memcpy(copy, der.p, n);
		cr_assert_not(check_sound(span_of(copy, n)), "%zu octets", n);
		free(copy);
	}
}

Test(x509, every_bit_wrong)
{
	struct span der = full();
	char *copy = malloc(der.n);

	memcpy(copy, der.p, der.n);
	for (size_t bit = 0; bit < 8 * der.n; bit++) {
		copy[bit / 8] ^= (char)(1 << bit % 8);
		check_sound(span_of(copy, der.n));
		copy[bit / 8] ^= (char)(1 << bit % 8);
	}
	cr_assert(check_sound(span_of(copy, der.n)));
	free(copy);
}
