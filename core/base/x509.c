/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/x509.h"

#include "core/base/der.h"
#include "core/base/limits.h"

/* Object identifiers, contents octets. */
#define OID_EXTENSION "\x55\x1d" /* 2.5.29 */
#define OID_KEY_USAGE OID_EXTENSION "\x0f"
#define OID_ALT_NAME OID_EXTENSION "\x11"
#define OID_CONSTRAINTS OID_EXTENSION "\x13"
#define OID_PURPOSES OID_EXTENSION "\x25"
#define OID_ANY_PURPOSE OID_PURPOSES "\x00"
#define OID_PKIX "\x2b\x06\x01\x05\x05\x07" /* 1.3.6.1.5.5.7 */
#define OID_SERVER OID_PKIX "\x03\x01"
#define OID_CLIENT OID_PKIX "\x03\x02"
#define OID_XMPP_ADDR OID_PKIX "\x08\x05"
#define OID_SRV_NAME OID_PKIX "\x08\x07"
#define OID_PKCS1 "\x2a\x86\x48\x86\xf7\x0d\x01\x01" /* 1.2.840.113549.1.1 */
#define OID_PSS OID_PKCS1 "\x0a"
#define OID_ECDSA_SHA2 "\x2a\x86\x48\xce\x3d\x04\x03" /* 1.2.840.10045.4.3 */
#define OID_SHA2 "\x60\x86\x48\x01\x65\x03\x04\x02" /* 2.16.840.1.101.3.4.2 */

static bool refuse(const char **why, const char *reason)
{
	*why = reason;
	return false;
}

/* -- the signature's algorithm -- */

/* RSASSA-PSS names its hash in its parameters; without them it is SHA-1. */
static bool pss_is_strong(struct span parameters)
{
	struct span fields, hash, algorithm, oid;

	return der_take(&parameters, DER_SEQUENCE, &fields) &&
		der_take(&fields, DER_CONTEXT_CONSTRUCTED + 0, &hash) &&
		der_take(&hash, DER_SEQUENCE, &algorithm) && der_take(&algorithm, DER_OID, &oid) &&
		(span_eq(oid, SPAN_LIT(OID_SHA2 "\x01")) ||
			span_eq(oid, SPAN_LIT(OID_SHA2 "\x02")) ||
			span_eq(oid, SPAN_LIT(OID_SHA2 "\x03")));
}

/* A list of what is good: a certificate of an algorithm to come proves nothing until it is in it. */
static bool signature_is_strong(struct span algorithm)
{
	static const struct span strong[] = {
		SPAN_LIT(OID_PKCS1 "\x0b"), /* SHA-256, 384, 512 with RSA */
		SPAN_LIT(OID_PKCS1 "\x0c"), SPAN_LIT(OID_PKCS1 "\x0d"),
		SPAN_LIT(OID_ECDSA_SHA2 "\x02"), /* the same with ECDSA */
		SPAN_LIT(OID_ECDSA_SHA2 "\x03"), SPAN_LIT(OID_ECDSA_SHA2 "\x04"),
		SPAN_LIT("\x2b\x65\x70"), /* Ed25519 */
		SPAN_LIT("\x2b\x65\x71"), /* Ed448 */
	};
	struct span oid;

	if (!der_take(&algorithm, DER_OID, &oid))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(strong); i++) {
		if (span_eq(oid, strong[i]))
			return true;
	}
	return span_eq(oid, SPAN_LIT(OID_PSS)) && pss_is_strong(algorithm);
}

/* -- names -- */

/* OtherName: its type, and one value of any kind in [0]. */
static bool other_name(struct span body, struct span *type, struct der_item *value)
{
	struct span wrapped;

	return der_take(&body, DER_OID, type) &&
		der_take(&body, DER_CONTEXT_CONSTRUCTED + 0, &wrapped) && body.n == 0 &&
		der_next(&wrapped, value) && wrapped.n == 0;
}

/* A name of a type that we know in a string of another type is no name of that type. */
static bool read_other_name(struct span body, struct x509_name *out)
{
	struct span type;
	struct der_item value;

	if (!other_name(body, &type, &value))
		return false;
	if (span_eq(type, SPAN_LIT(OID_SRV_NAME)) && value.tag == DER_IA5_STRING)
		*out = (struct x509_name){ X509_NAME_SRV, value.body };
	else if (span_eq(type, SPAN_LIT(OID_XMPP_ADDR)) && value.tag == DER_UTF8_STRING)
		*out = (struct x509_name){ X509_NAME_XMPP, value.body };
	return true;
}

/* The choices of GeneralName. */
static bool read_name(const struct der_item *item, struct x509_name *out)
{
	*out = (struct x509_name){ X509_NAME_OTHER, SPAN_NONE };
	switch (item->tag) {
	case DER_CONTEXT_CONSTRUCTED + 0:
		return read_other_name(item->body, out);
	case DER_CONTEXT + 2:
		*out = (struct x509_name){ X509_NAME_DNS, item->body };
		return true;
	case DER_CONTEXT + 1: /* rfc822Name */
	case DER_CONTEXT_CONSTRUCTED + 3: /* x400Address */
	case DER_CONTEXT_CONSTRUCTED + 4: /* directoryName */
	case DER_CONTEXT_CONSTRUCTED + 5: /* ediPartyName */
	case DER_CONTEXT + 6: /* uniformResourceIdentifier */
	case DER_CONTEXT + 7: /* iPAddress */
	case DER_CONTEXT + 8: /* registeredID */
		return true;
	default:
		return false;
	}
}

bool x509_name_next(struct span *names, struct x509_name *out)
{
	struct der_item item;

	return der_next(names, &item) && read_name(&item, out);
}

const char *x509_name_kind(enum x509_name_kind kind)
{
	static const char *const names[] = { "other name", "dNSName", "SRVName", "XmppAddr" };

	return names[kind];
}

/* -- extensions -- */

static bool read_names(struct span value, struct x509 *out, const char **why)
{
	struct span names, left;
	struct x509_name name;

	if (!der_take(&value, DER_SEQUENCE, &names) || value.n || names.n == 0)
		return refuse(why, "subjectAltName is malformed");
	left = names;
	while (left.n > 0) {
		if (!x509_name_next(&left, &name))
			return refuse(why, "a name in subjectAltName is malformed");
	}
	out->names = names;
	return true;
}

static enum x509_purpose purpose_of(struct span oid)
{
	if (span_eq(oid, SPAN_LIT(OID_SERVER)))
		return X509_PURPOSE_SERVER;
	if (span_eq(oid, SPAN_LIT(OID_CLIENT)))
		return X509_PURPOSE_CLIENT;
	return span_eq(oid, SPAN_LIT(OID_ANY_PURPOSE)) ? X509_PURPOSE_ANY : X509_PURPOSE_OTHER;
}

static bool read_purposes(struct span value, struct x509 *out, const char **why)
{
	struct span oids, oid;

	if (!der_take(&value, DER_SEQUENCE, &oids) || value.n || oids.n == 0)
		return refuse(why, "extKeyUsage is malformed");
	while (oids.n > 0) {
		if (!der_take(&oids, DER_OID, &oid))
			return refuse(why, "a purpose in extKeyUsage is malformed");
		out->purposes |= (uint8_t)purpose_of(oid);
	}
	out->has_purposes = true;
	return true;
}

static bool read_key_usage(struct span value, struct x509 *out, const char **why)
{
	struct span bits;

	if (!der_take(&value, DER_BIT_STRING, &bits) || value.n ||
		!der_named_bits(bits, &out->key_usage))
		return refuse(why, "keyUsage is malformed");
	out->has_key_usage = true;
	return true;
}

/* A BOOLEAN that may be left out, for FALSE. */
static bool take_flag(struct span *left, bool *flag)
{
	struct span body;

	*flag = false;
	if (!der_is_next(*left, DER_BOOLEAN))
		return true;
	return der_take(left, DER_BOOLEAN, &body) && der_bool(body, flag);
}

static bool read_constraints(struct span value, struct x509 *out, const char **why)
{
	struct span fields, length;

	if (!der_take(&value, DER_SEQUENCE, &fields) || value.n || !take_flag(&fields, &out->ca))
		return refuse(why, "basicConstraints is malformed");
	if (fields.n > 0 &&
		(!der_take(&fields, DER_INTEGER, &length) || !der_is_integer(length) || fields.n))
		return refuse(why, "basicConstraints is malformed");
	return true;
}

static bool read_extension(struct span oid, struct span value, struct x509 *out, const char **why)
{
	if (span_eq(oid, SPAN_LIT(OID_ALT_NAME)))
		return read_names(value, out, why);
	if (span_eq(oid, SPAN_LIT(OID_PURPOSES)))
		return read_purposes(value, out, why);
	if (span_eq(oid, SPAN_LIT(OID_KEY_USAGE)))
		return read_key_usage(value, out, why);
	if (span_eq(oid, SPAN_LIT(OID_CONSTRAINTS)))
		return read_constraints(value, out, why);
	return true;
}

/* Extension: its type, whether it is critical, and DER of its own in an OCTET STRING. */
static bool take_extension(struct span *left, struct span *oid, struct span *value)
{
	struct span extension;
	bool critical;

	return der_take(left, DER_SEQUENCE, &extension) && der_take(&extension, DER_OID, oid) &&
		take_flag(&extension, &critical) && der_take(&extension, DER_OCTET_STRING, value) &&
		extension.n == 0;
}

static bool is_among(struct span oid, const struct span *seen, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (span_eq(oid, seen[i]))
			return true;
	}
	return false;
}

/* No extension may be there twice, known or not: another reader might take the other one. */
static bool read_extensions(struct span list, struct x509 *out, const char **why)
{
	struct span seen[LIMIT_CERT_EXTENSIONS], value;
	size_t n = 0;

	while (list.n > 0) {
		if (n == LIMIT_CERT_EXTENSIONS)
			return refuse(why, "too many extensions");
		if (!take_extension(&list, &seen[n], &value))
			return refuse(why, "an extension is malformed");
		if (is_among(seen[n], seen, n))
			return refuse(why, "an extension is there twice");
		if (!read_extension(seen[n], value, out, why))
			return false;
		n++;
	}
	return n > 0 || refuse(why, "the list of extensions is empty");
}

/* -- the certificate -- */

static bool take_version(struct span *left, uint8_t *version)
{
	struct span wrapped, number;

	*version = 1;
	if (!der_is_next(*left, DER_CONTEXT_CONSTRUCTED + 0))
		return true;
	if (!der_take(left, DER_CONTEXT_CONSTRUCTED + 0, &wrapped) ||
		!der_take(&wrapped, DER_INTEGER, &number) || wrapped.n || number.n != 1 ||
		number.p[0] < 1 || number.p[0] > 2)
		return false;
	*version = (uint8_t)(number.p[0] + 1);
	return true;
}

static bool take_validity(struct span *left, struct x509 *out)
{
	struct span validity;
	struct der_item before, after;

	return der_take(left, DER_SEQUENCE, &validity) && der_next(&validity, &before) &&
		der_next(&validity, &after) && validity.n == 0 &&
		der_time(&before, &out->not_before) && der_time(&after, &out->not_after);
}

static bool take_key(struct span *left, struct span *whole)
{
	struct span rest, key, algorithm, bits, octets;

	if (!der_take_whole(left, DER_SEQUENCE, whole))
		return false;
	rest = *whole;
	return der_take(&rest, DER_SEQUENCE, &key) && der_take(&key, DER_SEQUENCE, &algorithm) &&
		der_take(&key, DER_BIT_STRING, &bits) && key.n == 0 && der_octets(bits, &octets);
}

/* Unique identifiers, which nobody uses, and extensions. */
static bool take_optional(struct span *left, struct x509 *out, const char **why)
{
	struct span body, list;

	for (unsigned number = 1; number <= 2; number++) {
		uint8_t tag = (uint8_t)(DER_CONTEXT + number);

		if (der_is_next(*left, tag) && (out->version < 2 || !der_take(left, tag, &body)))
			return refuse(why, "a unique identifier is malformed");
	}
	if (!der_is_next(*left, DER_CONTEXT_CONSTRUCTED + 3))
		return true;
	if (out->version < 3)
		return refuse(why, "extensions in a certificate of version 1 or 2");
	if (!der_take(left, DER_CONTEXT_CONSTRUCTED + 3, &body) ||
		!der_take(&body, DER_SEQUENCE, &list) || body.n)
		return refuse(why, "the list of extensions is malformed");
	return read_extensions(list, out, why);
}

/* TBSCertificate, the part that is signed. */
static bool read_signed_part(struct span left, struct span algorithm, struct x509 *out,
	const char **why)
{
	struct span inner;

	if (!take_version(&left, &out->version))
		return refuse(why, "the version is none of 1 to 3");
	if (!der_take(&left, DER_INTEGER, &out->serial) || !der_is_integer(out->serial))
		return refuse(why, "the serial number is malformed");
	if (!der_take(&left, DER_SEQUENCE, &inner) || !span_eq(inner, algorithm))
		return refuse(why, "two algorithms are named for its signature");
	if (!der_take_whole(&left, DER_SEQUENCE, &out->issuer))
		return refuse(why, "the issuer is malformed");
	if (!take_validity(&left, out))
		return refuse(why, "the validity is malformed");
	if (out->not_after < out->not_before)
		return refuse(why, "the validity ends before it begins");
	if (!der_take_whole(&left, DER_SEQUENCE, &out->subject))
		return refuse(why, "the subject is malformed");
	if (!take_key(&left, &out->key))
		return refuse(why, "the public key is malformed");
	if (!take_optional(&left, out, why))
		return false;
	return left.n == 0 || refuse(why, "there is something behind the extensions");
}

bool x509_parse(struct span der, struct x509 *out, const char **why)
{
	struct span certificate, signed_part, algorithm, bits, signature;

	*out = (struct x509){ .version = 1, .names = SPAN_NONE };
	if (der.n > LIMIT_CERT)
		return refuse(why, "it is too large");
	if (!der_take(&der, DER_SEQUENCE, &certificate))
		return refuse(why, "it is not DER of a certificate");
	if (der.n > 0)
		return refuse(why, "there is something behind it");
	if (!der_take(&certificate, DER_SEQUENCE, &signed_part) ||
		!der_take(&certificate, DER_SEQUENCE, &algorithm) ||
		!der_take(&certificate, DER_BIT_STRING, &bits) || certificate.n ||
		!der_octets(bits, &signature))
		return refuse(why, "it is not DER of a certificate");
	out->strong_signature = signature_is_strong(algorithm);
	if (!read_signed_part(signed_part, algorithm, out, why))
		return false;
	out->self_issued = span_eq(out->issuer, out->subject);
	return true;
}
