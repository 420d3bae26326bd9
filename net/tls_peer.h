/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The certificates that a peer showed in its handshake, copied; counted, since a
 * session that can be resumed keeps them as well. Owner thread only.
 */
#ifndef SLUICE_NET_TLS_PEER_H
#define SLUICE_NET_TLS_PEER_H

#include "core/base/limits.h"
#include "core/base/span.h"

struct tls_peer {
	unsigned refs;
	unsigned n;
	struct span chain[LIMIT_TLS_CERTS]; /* into bytes */
	char bytes[];
};

/* NULL: no memory, or beyond LIMIT_TLS_CERTS or LIMIT_TLS_CHAIN. Holds one reference. */
struct tls_peer *tls_peer_new(const struct span *chain, unsigned n) MUST_CHECK;
struct tls_peer *tls_peer_ref(struct tls_peer *p); /* p may be NULL in both */
void tls_peer_unref(struct tls_peer *p);

#endif
