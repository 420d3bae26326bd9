/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions that we may resume as the opening side, each bound to the identity that it
 * was made under (who we were towards whom) and with the certificates that the peer
 * showed then, because a resumed handshake shows none. The oldest goes when the table is
 * full. A session is given out once: tickets used twice would let an observer link the
 * connections (RFC 8446 appendix C.4). Owner thread only.
 */
#ifndef SLUICE_NET_TLS_RESUME_H
#define SLUICE_NET_TLS_RESUME_H

#include "net/tls_peer.h"

struct tls_resume;
struct WOLFSSL_SESSION;

struct tls_resume *tls_resume_new(unsigned max);
void tls_resume_free(struct tls_resume *r); /* r may be NULL */
unsigned tls_resume_count(const struct tls_resume *r);

/* Takes over the caller's reference to the session, and one of its own to peer (may be NULL).
 * Replaces what is there for that identity. Without memory the session is dropped. */
void tls_resume_put(struct tls_resume *r, struct span identity, struct WOLFSSL_SESSION *session,
	struct tls_peer *peer);
/* NULL: none. Both references are the caller's. */
struct WOLFSSL_SESSION *tls_resume_take(struct tls_resume *r, struct span identity,
	struct tls_peer **peer);

#endif
