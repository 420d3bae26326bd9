/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came of the handshake. */
#include "core/base/x509.h"
#include "net/tls_impl.h"

#include <wolfssl/wolfcrypt/asn.h>

#define KEY_OCTETS_MIN 32 /* of a public key: Ed25519 */

const char *tls_version(const struct tls *t)
{
	return wolfSSL_get_version(t->ssl);
}

const char *tls_cipher(const struct tls *t)
{
	return wolfSSL_get_cipher_name(t->ssl);
}

bool tls_resumed(const struct tls *t)
{
	return wolfSSL_session_reused(t->ssl) != 0;
}

bool tls_alpn(const struct tls *t)
{
	char *name = NULL;
	unsigned short n = 0;

	return wolfSSL_ALPN_GetProtocol(t->ssl, &name, &n) == WOLFSSL_SUCCESS &&
		span_eq(span_of(name, n), SPAN_LIT(TLS_ALPN));
}

struct span tls_server_name(const struct tls *t)
{
	return t->name ? span_of(t->name, t->name_n) : SPAN_NONE;
}

unsigned tls_peer_chain(const struct tls *t, const struct span **chain)
{
	if (!t->proven || !t->peer)
		return 0;
	*chain = t->peer->chain;
	return t->peer->n;
}

/* The library has checked a signature by the key that it found. It keeps the whole of the
 * SubjectPublicKeyInfo or what is last in it, by the kind of the key. */
static bool library_reads(struct span der, struct span spki)
{
	DecodedCert dc;
	bool same = false;

	wc_InitDecodedCert(&dc, (const byte *)der.p, (word32)der.n, NULL);
	if (wc_ParseCert(&dc, CERT_TYPE, NO_VERIFY, NULL) == 0 && dc.publicKey &&
		dc.pubKeySize >= KEY_OCTETS_MIN && dc.pubKeySize <= spki.n)
		same = memcmp(spki.p + spki.n - dc.pubKeySize, dc.publicKey, dc.pubKeySize) == 0;
	wc_FreeDecodedCert(&dc);
	return same;
}

bool tls_peer_key(const struct tls *t, struct span *spki, int64_t *ends)
{
	const struct span *chain;
	struct x509 cert;
	const char *why;

	if (tls_peer_chain(t, &chain) == 0 || !x509_parse(chain[0], &cert, &why) ||
		!library_reads(chain[0], cert.key))
		return false;
	*spki = cert.key;
	*ends = cert.not_after;
	return true;
}

enum tls_verdict tls_peer_verdict(struct tls *t)
{
	const struct tls_trust *trust = t->setup->opts.trust;

	if (t->judged)
		return t->verdict;
	if (!t->proven)
		return TLS_CERT_NONE;
	t->judged = true;
	if (!t->peer)
		t->verdict = TLS_CERT_NONE;
	else if (!trust)
		t->verdict = TLS_CERT_NOT_JUDGED;
	else
		t->verdict = tls_trust_judge(trust, t->peer->chain, t->peer->n);
	return t->verdict;
}

void tls_peer_forget(struct tls *t)
{
	(void)tls_peer_verdict(t);
	tls_peer_unref(t->peer);
	t->peer = NULL;
}
