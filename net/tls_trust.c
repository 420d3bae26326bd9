/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tls_trust.h"
#include <stdatomic.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "net/tls_impl.h"
#include "net/tls_pem.h"

#include <wolfssl/wolfcrypt/asn.h>

#define SYSTEM_ANCHORS "/etc/ssl/certs/ca-certificates.crt"
#define RSA_KEY_MIN 256 /* bytes of the encoded key: beyond those of 1024 bits, below 2048 */

/* One certificate, as far as its place in a path depends on it. */
struct link {
	struct span der;
	byte subject[KEYID_SIZE], issuer[KEYID_SIZE]; /* hashes of the names */
	byte key[KEYID_SIZE], issuer_key[KEYID_SIZE]; /* key identifiers */
	bool has_issuer_key;
	bool self_signed, ca, constrains;
	int path_len; /* -1: no bound */
	bool weak;
	bool used;
};

struct tls_trust {
	WOLFSSL_CERT_MANAGER *signers;
	/* The library does not tell which anchor signed, and knows no bounds of self-signed ones. */
	struct link *anchors;
	unsigned count;
	bool crls;
	_Atomic unsigned refs;
};

const char *tls_verdict_words(enum tls_verdict v)
{
	static const char *const words[] = {
		[TLS_CERT_NONE] = "no certificate",
		[TLS_CERT_TRUSTED] = "trusted",
		[TLS_CERT_UNKNOWN_CA] = "issued by an unknown CA, or an intermediate is missing",
		[TLS_CERT_SELF_SIGNED] = "self-signed",
		[TLS_CERT_EXPIRED] = "expired",
		[TLS_CERT_NOT_YET] = "not valid yet",
		[TLS_CERT_BAD_SIGNATURE] = "a signature in the chain is wrong",
		[TLS_CERT_REVOKED] = "revoked",
		[TLS_CERT_WEAK] = "a signature algorithm or a key in the chain is too weak",
		[TLS_CERT_NOT_CA] = "signed by a certificate that may not sign others",
		[TLS_CERT_IS_CA] = "the certificate is a CA's own",
		[TLS_CERT_CONSTRAINED] = "outside of the name constraints of its CA",
		[TLS_CERT_MALFORMED] = "malformed, or with an unknown critical extension",
		[TLS_CERT_NOT_JUDGED] = "not judged",
	};

	return words[v];
}

/* -- one certificate -- */

static bool is_ca(const DecodedCert *dc)
{
	return dc->isCA && (!dc->extKeyUsageSet || (dc->extKeyUsage & KEYUSE_KEY_CERT_SIGN));
}

static bool signature_is_strong(word32 oid)
{
	switch (oid) {
	case CTC_SHA256wRSA:
	case CTC_SHA384wRSA:
	case CTC_SHA512wRSA:
	case CTC_SHA256wECDSA:
	case CTC_SHA384wECDSA:
	case CTC_SHA512wECDSA:
	case CTC_ED25519:
	case CTC_ED448:
		return true;
	default:
		return false;
	}
}

static bool link_read(struct link *l, struct span der)
{
	DecodedCert dc;
	bool ok;

	wc_InitDecodedCert(&dc, (const byte *)der.p, (word32)der.n, NULL);
	ok = wc_ParseCert(&dc, CERT_TYPE, NO_VERIFY, NULL) == 0;
	if (ok) {
		l->der = der;
		memcpy(l->subject, dc.subjectHash, KEYID_SIZE);
		memcpy(l->issuer, dc.issuerHash, KEYID_SIZE);
		memcpy(l->key, dc.extSubjKeyId, KEYID_SIZE);
		memcpy(l->issuer_key, dc.extAuthKeyId, KEYID_SIZE);
		l->has_issuer_key = dc.extAuthKeyIdSet;
		l->self_signed = dc.selfSigned;
		l->ca = is_ca(&dc);
		l->constrains = dc.permittedNames || dc.excludedNames;
		l->path_len = dc.pathLengthSet ? dc.pathLength : -1;
		l->weak = !signature_is_strong(dc.signatureOID) ||
			(dc.keyOID == RSAk && dc.pubKeySize < RSA_KEY_MIN);
	}
	wc_FreeDecodedCert(&dc);
	return ok;
}

/* -- loading -- */

static bool signer_add(WOLFSSL_CERT_MANAGER *cm, struct span der)
{
	return wolfSSL_CertManagerLoadCABuffer(cm, (const byte *)der.p, (long)der.n,
		       WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS;
}

static void anchors_add(struct tls_trust *t, struct span pem, unsigned *skipped)
{
	struct span block;

	while ((block = tls_pem_next(&pem, "CERTIFICATE")).p) {
		struct span der = tls_pem_der(block);
		struct link l = { 0 };

		/* The library would take a leaf for an anchor as well, and believe what it signs. */
		if (der.p && link_read(&l, der) && l.ca && signer_add(t->signers, der)) {
			l.der = SPAN_NONE;
			t->anchors = mem_realloc(t->anchors, (t->count + 1) * sizeof(l));
			t->anchors[t->count++] = l;
		} else {
			(*skipped)++;
		}
		mem_free((void *)der.p);
	}
}

static const char *crls_add(struct tls_trust *t, struct span pem)
{
	struct span block;

	if (wolfSSL_CertManagerEnableCRL(t->signers, WOLFSSL_CRL_CHECK) != WOLFSSL_SUCCESS)
		return "the TLS library cannot check CRLs";
	while ((block = tls_pem_next(&pem, "X509 CRL")).p) {
		int r = wolfSSL_CertManagerLoadCRLBuffer(t->signers, (const byte *)block.p,
			(long)block.n, WOLFSSL_FILETYPE_PEM);

		if (r == ASN_CRL_NO_SIGNER_E)
			return "a CRL was not signed by one of the trust anchors";
		if (r != WOLFSSL_SUCCESS)
			return "a CRL cannot be read, or its signature is wrong";
		t->crls = true;
	}
	return t->crls ? NULL : "there is no CRL in PEM form";
}

static struct span system_read(void)
{
	FILE *f = fopen(SYSTEM_ANCHORS, "re");
	char *text = NULL;
	size_t n = 0, size = 0, got = 1;

	if (!f)
		return SPAN_NONE;
	while (got > 0) {
		if (size - n < 65536)
			text = mem_realloc(text, size += 262144);
		got = fread(text + n, 1, size - n, f);
		n += got;
	}
	(void)fclose(f);
	return span_of(text, n);
}

struct tls_trust *tls_trust_new(struct span anchors, struct span crls, unsigned *skipped,
	const char **why)
{
	struct tls_trust *t = mem_zalloc(sizeof(*t));
	struct span system = SPAN_NONE;

	tls_library_init();
	atomic_init(&t->refs, 1);
	*skipped = 0;
	*why = NULL;
	if (!anchors.p)
		anchors = system = system_read();
	t->signers = wolfSSL_CertManagerNew();
	if (t->signers)
		anchors_add(t, anchors, skipped);
	mem_free((void *)system.p);
	if (t->count == 0)
		*why = "there is no usable CA certificate in PEM form";
	else if (crls.p)
		*why = crls_add(t, crls);
	if (!*why)
		return t;
	tls_trust_unref(t);
	return NULL;
}

struct tls_trust *tls_trust_ref(struct tls_trust *t)
{
	if (t)
		atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void tls_trust_unref(struct tls_trust *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	wolfSSL_CertManagerFree(t->signers);
	mem_free(t->anchors);
	mem_free(t);
}

unsigned tls_trust_count(const struct tls_trust *t)
{
	return t->count;
}

/* -- judging -- */

static bool issued_by(const struct link *l, const struct link *issuer)
{
	return memcmp(l->issuer, issuer->subject, KEYID_SIZE) == 0 &&
		(!l->has_issuer_key || memcmp(l->issuer_key, issuer->key, KEYID_SIZE) == 0);
}

/* The certificates that lead upwards from the first, by their names alone. */
static unsigned path_build(struct link *links, unsigned n, struct link **path)
{
	unsigned length = 1, i;

	path[0] = &links[0];
	do {
		for (i = 1; i < n; i++)
			if (!links[i].used && issued_by(path[length - 1], &links[i]))
				break;
		if (i < n) {
			links[i].used = true;
			path[length++] = &links[i];
		}
	} while (i < n);
	return length;
}

static enum tls_verdict verdict_of(int error)
{
	switch (error) {
	case 0:
		return TLS_CERT_TRUSTED;
	case ASN_NO_SIGNER_E:
	case ASN_SELF_SIGNED_E:
		return TLS_CERT_UNKNOWN_CA;
	case ASN_AFTER_DATE_E:
		return TLS_CERT_EXPIRED;
	case ASN_BEFORE_DATE_E:
		return TLS_CERT_NOT_YET;
	case ASN_NAME_INVALID_E:
		return TLS_CERT_CONSTRAINED;
	case ASN_PATHLEN_INV_E:
	case ASN_PATHLEN_SIZE_E:
		return TLS_CERT_NOT_CA;
	case ASN_SIG_CONFIRM_E:
	case ASN_SIG_HASH_E:
	case ASN_SIG_KEY_E:
		return TLS_CERT_BAD_SIGNATURE;
	case MEMORY_E:
	case MEMORY_ERROR:
		return TLS_CERT_NOT_JUDGED;
	default:
		return TLS_CERT_MALFORMED;
	}
}

/* Signature, dates and name constraints of one certificate by the signers in cm, which the library
 * only reads. */
static enum tls_verdict link_verify(const struct link *l, WOLFSSL_CERT_MANAGER *cm)
{
	DecodedCert dc;
	int r;

	wc_InitDecodedCert(&dc, (const byte *)l->der.p, (word32)l->der.n, NULL);
	r = wc_ParseCert(&dc, CERT_TYPE, VERIFY, cm);
	wc_FreeDecodedCert(&dc);
	return verdict_of(r);
}

/* From the anchored certificate down to the peer's own, each by the one above it alone. */
static enum tls_verdict path_descend(struct link **path, unsigned anchored)
{
	enum tls_verdict v = TLS_CERT_TRUSTED;

	for (unsigned i = anchored; i > 0 && v == TLS_CERT_TRUSTED; i--) {
		WOLFSSL_CERT_MANAGER *cm = wolfSSL_CertManagerNew();

		if (cm && signer_add(cm, path[i]->der))
			v = link_verify(path[i - 1], cm);
		else
			v = TLS_CERT_NOT_JUDGED;
		wolfSSL_CertManagerFree(cm);
	}
	return v;
}

/* What a CA must be for `under` CAs and then the peer's own certificate to follow it. The library
 * compares names with the constraints of the direct issuer only. */
static enum tls_verdict ca_check(const struct link *ca, int under)
{
	if (!ca->ca || (ca->path_len >= 0 && under > ca->path_len))
		return TLS_CERT_NOT_CA;
	return ca->constrains && under > 0 ? TLS_CERT_CONSTRAINED : TLS_CERT_TRUSTED;
}

/* What each certificate of the path must be, whoever signed it. */
static enum tls_verdict path_check(const struct tls_trust *t, struct link **path, unsigned anchored)
{
	enum tls_verdict v = path[0]->ca ? TLS_CERT_IS_CA : TLS_CERT_TRUSTED;

	for (unsigned i = 0; i <= anchored && v == TLS_CERT_TRUSTED; i++) {
		if (path[i]->weak)
			return TLS_CERT_WEAK;
		if (i > 0)
			v = ca_check(path[i], (int)i - 1);
	}
	for (unsigned i = 0; i < t->count && v == TLS_CERT_TRUSTED; i++)
		if (issued_by(path[anchored], &t->anchors[i]))
			v = ca_check(&t->anchors[i], (int)anchored);
	return v;
}

static bool revoked(const struct tls_trust *t, const struct link *l)
{
	return t->crls &&
		wolfSSL_CertManagerCheckCRL(t->signers, (byte *)l->der.p, (int)l->der.n) ==
		CRL_CERT_REVOKED;
}

static enum tls_verdict path_judge(const struct tls_trust *t, struct link **path, unsigned n)
{
	enum tls_verdict v = TLS_CERT_UNKNOWN_CA, check;
	unsigned anchored = 0;

	/* The lowest one that an anchor signed: what is above it does not matter. */
	for (unsigned i = 0; i < n && v == TLS_CERT_UNKNOWN_CA; i++) {
		anchored = i;
		v = link_verify(path[i], t->signers);
	}
	if (v == TLS_CERT_UNKNOWN_CA && path[0]->self_signed)
		return TLS_CERT_SELF_SIGNED;
	if (v != TLS_CERT_TRUSTED)
		return v;
	check = path_check(t, path, anchored);
	if (check != TLS_CERT_TRUSTED)
		return check;
	if (revoked(t, path[anchored]))
		return TLS_CERT_REVOKED;
	return path_descend(path, anchored);
}

enum tls_verdict tls_trust_judge(const struct tls_trust *t, const struct span *chain, unsigned n)
{
	struct link links[LIMIT_TLS_CERTS], *path[LIMIT_TLS_CERTS];
	unsigned read = 0;

	if (n == 0)
		return TLS_CERT_NONE;
	memset(links, 0, sizeof(links));
	if (!link_read(&links[0], chain[0]))
		return TLS_CERT_MALFORMED;
	for (unsigned i = 1; i < n && i < LIMIT_TLS_CERTS; i++)
		if (link_read(&links[read + 1], chain[i]))
			read++;
	return path_judge(t, path, path_build(links, read + 1, path));
}
