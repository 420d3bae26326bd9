/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the bench does TLS in one role: as a server that opens streams (client) or as one
 * that accepts them. TLS 1.3 only, so that figures compare.
 *
 * OpenSSL, because it is not what the router uses: two ends that shared wolfSSL, or the
 * router's net/tls*.c around it, would agree on their mistakes. It is Debian's, well kept,
 * and does TLS on a socket by itself, so that the bench needs no buffers for it.
 *
 * Immutable but for its references, and so good for any thread, once it was made.
 */
#ifndef SLUICE_BENCH_SECURE_H
#define SLUICE_BENCH_SECURE_H

#include "bench/bench.h"

struct ssl_st;
struct ssl_session_st;
struct secure;

/*
 * root: PEM file of the anchors that the other side is judged by; shown: PEM file with key and
 * chain, NULL: none. direct: TLS from the first byte (XEP-0368), with its ALPN. NULL with a
 * word on standard error.
 */
struct secure *secure_client(const char *root, const char *shown, bool direct);
/* For who accepts; asks for no certificate and gives no tickets. direct: as above. */
struct secure *secure_server(const char *shown, bool direct);
void secure_free(struct secure *s); /* NULL is allowed */

bool secure_is_direct(const struct secure *s);

/*
 * One connection, for wire_secure. name: whom a client expects, by SNI and in the certificate;
 * NULL for who accepts. session: to be resumed, or NULL. Never NULL.
 */
struct ssl_st *secure_connection(struct secure *s, const char *name,
	struct ssl_session_st *session);

#endif
