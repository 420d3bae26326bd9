/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tls_cert.h"

#include <limits.h>
#include <stdatomic.h>

#include "core/base/mem.h"
#include "net/tls_impl.h"
#include "net/tls_pem.h"

#include <wolfssl/wolfcrypt/asn.h>

#define KEY_COPY 64 /* bytes that a copy of a key has beside the key itself */

struct tls_cert {
	_Atomic unsigned refs;
	char *chain; /* DER, one after the other, the certificate first */
	size_t chain_n, first_n;
	char *key; /* DER */
	size_t key_n;
};

static void chain_add(struct tls_cert *c, struct span der)
{
	c->chain = mem_realloc(c->chain, c->chain_n + der.n);
	memcpy(c->chain + c->chain_n, der.p, der.n);
	if (c->chain_n == 0)
		c->first_n = der.n;
	c->chain_n += der.n;
}

static const char *chain_read(struct tls_cert *c, struct span pem)
{
	struct span block, der;

	for (unsigned n = 0; (block = tls_pem_next(&pem, "CERTIFICATE")).p; n++) {
		if (n == LIMIT_TLS_CERTS)
			return "there are more than 9 certificates in the chain";
		der = tls_pem_der(block);
		if (!der.p)
			return "a certificate cannot be read as PEM";
		chain_add(c, der);
		mem_free((void *)der.p);
	}
	_Static_assert(LIMIT_TLS_CERTS == 9, "the bound in the text");
	return c->chain_n ? NULL : "there is no certificate in PEM form";
}

static const char *key_read(struct tls_cert *c, struct span pem)
{
	static const char *const labels[] = { "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY" };

	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		struct span text = pem, block = tls_pem_next(&text, labels[i]), der;

		if (!block.p)
			continue;
		der = tls_pem_der(block);
		if (!der.p)
			return "the private key cannot be read as PEM; if it is encrypted, decrypt it";
		c->key = (char *)der.p;
		c->key_n = der.n;
		return NULL;
	}
	return "there is no private key in PEM form, or it is encrypted";
}

/* The library copies the key, and does not look whether it could (ProcessBuffer, as of 5.5.4). */
static bool key_use(const struct tls_cert *c, WOLFSSL *ssl, WOLFSSL_CTX *ctx)
{
	const byte *key = (const byte *)c->key;
	long n = (long)c->key_n;
	int r;

	if (!tls_spare_take(c->key_n + KEY_COPY))
		return false;
	r = ssl ? wolfSSL_use_PrivateKey_buffer(ssl, key, n, WOLFSSL_FILETYPE_ASN1)
		: wolfSSL_CTX_use_PrivateKey_buffer(ctx, key, n, WOLFSSL_FILETYPE_ASN1);
	tls_spare_drop();
	return r == WOLFSSL_SUCCESS;
}

bool tls_cert_use(const struct tls_cert *c, WOLFSSL *ssl)
{
	return wolfSSL_use_certificate_chain_buffer_format(ssl, (const byte *)c->chain,
		       (long)c->chain_n, WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS &&
		key_use(c, ssl, NULL);
}

bool tls_cert_use_ctx(const struct tls_cert *c, WOLFSSL_CTX *ctx)
{
	return wolfSSL_CTX_use_certificate_chain_buffer_format(ctx, (const byte *)c->chain,
		       (long)c->chain_n, WOLFSSL_FILETYPE_ASN1) == WOLFSSL_SUCCESS &&
		key_use(c, NULL, ctx);
}

/* The library takes further curves and Ed448, of which peers cannot be expected to know any. */
static bool kind_is_taken(const struct tls_cert *c)
{
	struct span der = tls_cert_der(c);
	DecodedCert dc;
	bool taken;

	wc_InitDecodedCert(&dc, (const byte *)der.p, (word32)der.n, NULL);
	taken = wc_ParseCert(&dc, CERT_TYPE, NO_VERIFY, NULL) == 0 &&
		(dc.keyOID == RSAk || dc.keyOID == ED25519k ||
			(dc.keyOID == ECDSAk &&
				(dc.pkCurveOID == ECC_SECP256R1_OID ||
					dc.pkCurveOID == ECC_SECP384R1_OID)));
	wc_FreeDecodedCert(&dc);
	return taken;
}

static const char *pair_check(const struct tls_cert *c)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLS_server_method());
	const char *why = NULL;

	if (!ctx)
		return "the TLS library cannot be used";
	/* The library takes RSA from 1024 bits. */
	if (wolfSSL_CTX_SetMinRsaKey_Sz(ctx, 2048) != WOLFSSL_SUCCESS)
		why = "the TLS library cannot be used";
	else if (!kind_is_taken(c) || !tls_cert_use_ctx(c, ctx))
		why = "the certificate or its key cannot be used: RSA from 2048 bits, ECDSA on P-256 "
		      "or P-384 and Ed25519 can";
	else if (wolfSSL_CTX_check_private_key(ctx) != WOLFSSL_SUCCESS)
		why = "the private key belongs to another certificate";
	wolfSSL_CTX_free(ctx);
	return why;
}

struct tls_cert *tls_cert_new(struct span chain, struct span key, const char **why)
{
	struct tls_cert *c = mem_zalloc(sizeof(*c));

	tls_library_init();
	c->refs = 1;
	*why = chain_read(c, chain);
	if (!*why)
		*why = key_read(c, key);
	if (!*why)
		*why = pair_check(c);
	if (!*why)
		return c;
	tls_cert_unref(c);
	return NULL;
}

struct tls_cert *tls_cert_ref(struct tls_cert *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void tls_cert_unref(struct tls_cert *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (c->key)
		mem_wipe(c->key, c->key_n);
	mem_free(c->key);
	mem_free(c->chain);
	mem_free(c);
}

struct span tls_cert_der(const struct tls_cert *c)
{
	return span_of(c->chain, c->first_n);
}
