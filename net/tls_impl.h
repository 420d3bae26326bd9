/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the TLS engine share: net/tls*.c include it, nobody else does.
 */
#ifndef SLUICE_NET_TLS_IMPL_H
#define SLUICE_NET_TLS_IMPL_H

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include <wolfssl/error-ssl.h>

#include "net/tls.h"
#include "net/tls_peer.h"
#include "net/tls_resume.h"

#define TLS_ALPN "xmpp-server"

/* The library is made ready once per process; its memory comes from mem_try_*. */
void tls_library_init(void);

/*
 * For calls in which the library does not look whether it got memory: the first allocation of at
 * most n bytes that would fail does not, until the spare is dropped. False: no memory. One at a
 * time, this thread's.
 */
bool tls_spare_take(size_t n) MUST_CHECK;
void tls_spare_drop(void);

struct tls_setup {
	unsigned refs;
	WOLFSSL_CTX *ctx;
	struct tls_setup_opts opts; /* opts.cert: our own reference */
	struct tls_resume *resume; /* opening */
};

/* Bytes in a buffer of their own: kept ciphertext, output for which there was no room. */
struct tls_bytes {
	char *p;
	size_t start, end, size;
};

struct tls {
	WOLFSSL *ssl;
	struct tls_setup *setup;
	enum tls_state state;
	const char *why;
	bool refused;

	struct tls_io *io; /* of the call that is running */
	size_t step; /* bytes of input that it may still take; SIZE_MAX: no bound */
	size_t handshake; /* bytes of input that the handshake took */
	char header[5]; /* of the record that it took last */
	struct tls_bytes keep, waiting; /* input; output */
	bool no_memory; /* in a callback of the library's */

	bool named; /* accepting: the ClientHello was looked at */
	size_t part; /* until then: bytes of keep that are known to be only a part of it */
	struct tls_cert *cert; /* accepting: chosen by name */
	char *name; /* SNI, sent or received */
	size_t name_n;
	char *identity; /* opening: what a session is to be bound to */
	size_t identity_n;

	struct tls_peer *peer; /* NULL: no certificate was shown */
	bool shown; /* in this very handshake: peer is not a resumed session's */
	bool proven; /* the handshake is done: the peer has the key of what it showed */
	bool judged;
	enum tls_verdict verdict;
};

/* net/tls.c: what the library reads from and writes to. */
int tls_on_recv(WOLFSSL *ssl, char *p, int n, void *ctx);
int tls_on_send(WOLFSSL *ssl, char *p, int n, void *ctx);

/* A copy for the connection; none of an empty span. False: no memory. */
bool tls_copy(struct span s, char **to, size_t *n) MUST_CHECK;

/* Appends; all or nothing. */
bool tls_bytes_add(struct tls_bytes *b, struct span s, size_t max) MUST_CHECK;
void tls_bytes_free(struct tls_bytes *b);

/* net/tls_cert.c: into a connection that is shaking hands. */
bool tls_cert_use(const struct tls_cert *c, WOLFSSL *ssl);
bool tls_cert_use_ctx(const struct tls_cert *c, WOLFSSL_CTX *ctx);

/* net/tls_why.c: what went wrong, for an error of the library's; and for an alert of the peer's. */
const char *tls_error_words(int error);
const char *tls_alert_words(int code);
bool tls_alert_is_of_certificate(int code);
/* The code of the fatal alert that the peer has sent; -1: none. */
int tls_alerted(WOLFSSL *ssl);

#endif
