/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a connection is made and freed, and which session it tries to resume. */
#include "core/base/mem.h"
#include "net/tls_impl.h"

static struct tls *conn_new(struct tls_setup *s)
{
	struct tls *t = mem_try_zalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->setup = tls_setup_ref(s);
	t->why = "";
	t->step = SIZE_MAX;
	t->ssl = wolfSSL_new(s->ctx);
	if (!t->ssl) {
		tls_free(t);
		return NULL;
	}
	wolfSSL_SetIOReadCtx(t->ssl, t);
	wolfSSL_SetIOWriteCtx(t->ssl, t);
	wolfSSL_SetCertCbCtx(t->ssl, t);
	return t;
}

static bool alpn_use(struct tls *t)
{
	return wolfSSL_UseALPN(t->ssl, (char[]){ TLS_ALPN }, sizeof(TLS_ALPN) - 1,
		       WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS;
}

struct tls *tls_accept(struct tls_setup *s)
{
	struct tls *t = conn_new(s);

	BUG_ON(s->opts.role != TLS_ACCEPTING);
	if (t && !alpn_use(t)) {
		tls_free(t);
		return NULL;
	}
	return t;
}

bool tls_show(struct tls *t, struct tls_cert *cert)
{
	tls_cert_unref(t->cert);
	t->cert = tls_cert_ref(cert);
	return tls_cert_use(cert, t->ssl);
}

bool tls_copy(struct span s, char **to, size_t *n)
{
	if (!s.n)
		return true;
	*to = mem_try_alloc(s.n);
	if (!*to)
		return false;
	memcpy(*to, s.p, s.n);
	*n = s.n;
	return true;
}

/* With a session comes what the peer showed when it was made; a handshake that turns out to be a
 * full one replaces it. */
static void session_use(struct tls *t)
{
	struct span identity = span_of(t->identity, t->identity_n);
	struct tls_peer *peer = NULL;
	WOLFSSL_SESSION *session = tls_resume_take(t->setup->resume, identity, &peer);

	if (!session)
		return;
	if (wolfSSL_set_session(t->ssl, session) == WOLFSSL_SUCCESS)
		t->peer = tls_peer_ref(peer);
	tls_peer_unref(peer);
	wolfSSL_SESSION_free(session);
}

/* A ticket has come. Without the certificates that belong to it, it is not kept. */
static int on_session(WOLFSSL *ssl, const unsigned char *ticket, int n, void *ctx)
{
	struct tls *t = ctx;
	WOLFSSL_SESSION *session;

	(void)ticket, (void)n;
	if (wolfSSL_version(ssl) != TLS1_3_VERSION || !t->peer)
		return 0;
	session = wolfSSL_get1_session(ssl);
	if (session)
		tls_resume_put(t->setup->resume, span_of(t->identity, t->identity_n), session,
			t->peer);
	return 0;
}

static bool resume_set(struct tls *t, struct span identity)
{
	if (!identity.n || identity.n > LIMIT_TLS_IDENTITY || !t->setup->resume)
		return true;
	if (!tls_copy(identity, &t->identity, &t->identity_n) ||
		wolfSSL_set_SessionTicket_cb(t->ssl, on_session, t) != WOLFSSL_SUCCESS)
		return false;
	session_use(t);
	return true;
}

struct tls *tls_open(struct tls_setup *s, struct span server_name, bool alpn, struct span identity)
{
	struct tls *t = conn_new(s);
	bool ok;

	BUG_ON(s->opts.role != TLS_OPENING);
	if (!t)
		return NULL;
	ok = tls_copy(server_name, &t->name, &t->name_n) &&
		(!t->name ||
			wolfSSL_UseSNI(t->ssl, WOLFSSL_SNI_HOST_NAME, t->name,
				(unsigned short)t->name_n) == WOLFSSL_SUCCESS) &&
		(!alpn || alpn_use(t)) && resume_set(t, identity);
	if (ok)
		return t;
	tls_free(t);
	return NULL;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	t->io = NULL;
	wolfSSL_free(t->ssl);
	tls_bytes_free(&t->keep);
	tls_bytes_free(&t->waiting);
	tls_peer_unref(t->peer);
	tls_cert_unref(t->cert);
	mem_free(t->name);
	if (t->identity)
		mem_wipe(t->identity, t->identity_n);
	mem_free(t->identity);
	tls_setup_unref(t->setup);
	mem_free(t);
}
