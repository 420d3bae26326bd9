/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came of the handshake. */
#include "net/tls_impl.h"

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
