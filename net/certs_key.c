/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/certs_key.h"

#include "core/base/der.h"

#define OID_RSA "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" /* 1.2.840.113549.1.1.1 */
#define OID_EC "\x2a\x86\x48\xce\x3d\x02\x01" /* 1.2.840.10045.2.1 */

#define OID_P256 "\x2a\x86\x48\xce\x3d\x03\x01\x07" /* 1.2.840.10045.3.1.7 */
#define OID_P384 "\x2b\x81\x04\x00\x22" /* 1.3.132.0.34 */

#define RSA_OCTETS_MIN 256

struct public
{
	struct span algorithm, parameters, key; /* an object identifier; any DER; octets */
};

/* AlgorithmIdentifier */
static bool take_algorithm(struct span *left, struct span *oid, struct span *parameters)
{
	return der_take(left, DER_SEQUENCE, parameters) && der_take(parameters, DER_OID, oid);
}

/* SubjectPublicKeyInfo */
static bool read_public(struct span der, struct public *out)
{
	struct span info, bits;

	return der_take(&der, DER_SEQUENCE, &info) &&
		take_algorithm(&info, &out->algorithm, &out->parameters) &&
		der_take(&info, DER_BIT_STRING, &bits) && der_octets(bits, &out->key);
}

static bool is_rsa(const struct public *p)
{
	return span_eq(p->algorithm, SPAN_LIT(OID_RSA));
}

/* On a curve that can be used. */
static bool is_ec(const struct public *p)
{
	struct span parameters = p->parameters, curve;

	return span_eq(p->algorithm, SPAN_LIT(OID_EC)) && der_take(&parameters, DER_OID, &curve) &&
		(span_eq(curve, SPAN_LIT(OID_P256)) || span_eq(curve, SPAN_LIT(OID_P384)));
}

/* The modulus of RSAPublicKey, without the octet for its sign. */
static bool rsa_modulus(struct span integer, struct span *modulus)
{
	if (!der_is_integer(integer))
		return false;
	*modulus = integer.p[0] == 0 ? span_skip(integer, 1) : integer;
	return true;
}

static bool public_modulus(struct span key, struct span *modulus)
{
	struct span fields, integer;

	return der_take(&key, DER_SEQUENCE, &fields) && der_take(&fields, DER_INTEGER, &integer) &&
		rsa_modulus(integer, modulus);
}

/* RSAPrivateKey: version, modulus, and what is secret. */
static bool private_modulus(struct span key, struct span *modulus)
{
	struct span fields, integer;

	return der_take(&key, DER_SEQUENCE, &fields) && der_take(&fields, DER_INTEGER, &integer) &&
		der_take(&fields, DER_INTEGER, &integer) && rsa_modulus(integer, modulus);
}

/* ECPrivateKey: version, what is secret, and at its end the point, which may be left out. */
static bool private_point(struct span key, struct span *point)
{
	struct span fields, version, secret, skipped, wrapped, bits;

	if (!der_take(&key, DER_SEQUENCE, &fields) || !der_take(&fields, DER_INTEGER, &version) ||
		!der_take(&fields, DER_OCTET_STRING, &secret))
		return false;
	if (der_is_next(fields, DER_CONTEXT_CONSTRUCTED + 0) &&
		!der_take(&fields, DER_CONTEXT_CONSTRUCTED + 0, &skipped))
		return false;
	return der_take(&fields, DER_CONTEXT_CONSTRUCTED + 1, &wrapped) &&
		der_take(&wrapped, DER_BIT_STRING, &bits) && der_octets(bits, point);
}

/* PKCS#8 around it is taken off. */
static struct span unwrapped(struct span key)
{
	struct span left = key, fields, version, oid, parameters, inner;

	if (der_take(&left, DER_SEQUENCE, &fields) && der_take(&fields, DER_INTEGER, &version) &&
		take_algorithm(&fields, &oid, &parameters) &&
		der_take(&fields, DER_OCTET_STRING, &inner))
		return inner;
	return key;
}

/* Values of one length differ or do not; a point may also be written in another form. */
static enum certs_key compare(struct span a, struct span b)
{
	if (a.n != b.n)
		return CERTS_KEY_UNSURE;
	return span_eq(a, b) ? CERTS_KEY_FITS : CERTS_KEY_OTHER;
}

enum certs_key certs_key_compare(struct span public, struct span private)
{
	struct span ours, theirs;
	struct public p;

	if (!read_public(public, &p))
		return CERTS_KEY_UNSURE;
	private = unwrapped(private);
	if (is_rsa(&p) && public_modulus(p.key, &ours) && private_modulus(private, &theirs))
		return compare(ours, theirs);
	if (is_ec(&p) && private_point(private, &theirs))
		return compare(p.key, theirs);
	return CERTS_KEY_UNSURE;
}

bool certs_key_is_weak(struct span public)
{
	struct span modulus;
	struct public p;

	return read_public(public, &p) && is_rsa(&p) && public_modulus(p.key, &modulus) &&
		modulus.n < RSA_OCTETS_MIN;
}
