/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server name (RFC 6066 section 3) in a ClientHello, found before the library sees
 * it, so that the certificate can be chosen first: wolfSSL has a callback for that, but
 * only in builds with its OpenSSL layer. Nothing else of the message is judged here; what
 * is odd is left to the library to refuse. Pure function, any thread.
 */
#ifndef SLUICE_NET_TLS_HELLO_H
#define SLUICE_NET_TLS_HELLO_H

#include "core/base/span.h"

#define TLS_NAME_MAX 255

enum tls_hello {
	TLS_HELLO_PART, /* it may be the beginning of one: more is needed */
	TLS_HELLO_WHOLE,
	TLS_HELLO_OTHER, /* no ClientHello, or one of more than LIMIT_TLS_HELLO bytes */
};

/* `records`: all that the peer has sent, in as many records as it likes. name[0 .. *n): as sent,
 * 1 to TLS_NAME_MAX bytes, any value; *n 0: there is none. Set only with TLS_HELLO_WHOLE. */
enum tls_hello tls_hello_read(struct span records, char name[TLS_NAME_MAX], size_t *n);

#endif
