/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/secure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

static const unsigned char alpn[] = "\x0bxmpp-server";

struct secure {
	SSL_CTX *ctx;
	bool direct;
};

static bool context_fill(SSL_CTX *ctx, const char *root, const char *shown)
{
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1)
		return false;
	if (root && SSL_CTX_load_verify_locations(ctx, root, NULL) != 1)
		return false;
	/* What is to be written may have moved when it is tried again, and may go out in part. */
	SSL_CTX_set_mode(ctx,
		SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_quiet_shutdown(ctx, 1);
	return !shown ||
		(SSL_CTX_use_certificate_chain_file(ctx, shown) == 1 &&
			SSL_CTX_use_PrivateKey_file(ctx, shown, SSL_FILETYPE_PEM) == 1);
}

static struct secure *secure_new(const SSL_METHOD *method, const char *root, const char *shown)
{
	struct secure *s = bench_alloc(1, sizeof(*s));

	s->ctx = SSL_CTX_new(method);
	if (s->ctx && context_fill(s->ctx, root, shown))
		return s;
	ERR_print_errors_fp(stderr);
	secure_free(s);
	return NULL;
}

struct secure *secure_client(const char *root, const char *shown, bool direct)
{
	struct secure *s = secure_new(TLS_client_method(), root, shown);

	if (!s)
		return NULL;
	s->direct = direct;
	SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER, NULL);
	if (!direct || SSL_CTX_set_alpn_protos(s->ctx, alpn, sizeof(alpn) - 1) == 0)
		return s;
	secure_free(s);
	return NULL;
}

/* Who asks for our protocol gets it, and who asks for others alone gets no connection. */
static int alpn_choose(SSL *ssl, const unsigned char **out, unsigned char *len,
	const unsigned char *in, unsigned in_len, void *arg)
{
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, len, alpn, sizeof(alpn) - 1, in, in_len) !=
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

struct secure *secure_server(const char *shown, bool direct)
{
	struct secure *s = secure_new(TLS_server_method(), NULL, shown);

	if (!s)
		return NULL;
	SSL_CTX_set_num_tickets(s->ctx, 0);
	s->direct = direct;
	if (direct)
		SSL_CTX_set_alpn_select_cb(s->ctx, alpn_choose, NULL);
	return s;
}

void secure_free(struct secure *s)
{
	if (!s)
		return;
	SSL_CTX_free(s->ctx);
	free(s);
}

bool secure_is_direct(const struct secure *s)
{
	return s->direct;
}

struct ssl_st *secure_connection(struct secure *s, const char *name, struct ssl_session_st *session)
{
	SSL *ssl = SSL_new(s->ctx);

	if (!ssl ||
		(name &&
			(SSL_set_tlsext_host_name(ssl, name) != 1 ||
				SSL_set1_host(ssl, name) != 1))) {
		fputs("sluice-bench: out of memory\n", stderr);
		abort();
	}
	if (name)
		SSL_set_connect_state(ssl);
	else
		SSL_set_accept_state(ssl);
	if (session)
		SSL_set_session(ssl, session);
	return ssl;
}
