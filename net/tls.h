/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One TLS connection as a filter between memory buffers: ciphertext in, plaintext out
 * and the other way round. It knows no socket, no clock and no XMPP. Owner thread only.
 *
 * Every call is given a struct tls_io: what came from the peer, and room for what is
 * to be sent to it. A call takes input from the front of `in`, appends output, and says
 * what it wants next:
 *
 *   TLS_NEED_INPUT  all input was taken and no plaintext is left: call again when more
 *                   has come
 *   TLS_NEED_ROOM   output is waiting: send what there is, call again with room. Nothing is
 *                   read meanwhile, so a peer that does not read cannot make us store
 *                   answers without end
 *   TLS_AGAIN       there is more to do, or to be had; call again, at once or next turn
 *   TLS_OVER        nothing more will be read: tls_state() and tls_why() tell why. Output
 *                   may still be waiting (an alert): tls_flush()
 *
 * A caller that stops reading before TLS_NEED_INPUT (its consumer is paused, its turn is
 * over) either keeps io.in and hands it in again, or, when those bytes must be given
 * back, has them kept here: tls_keep(). tls_readable() says that reading is worth while
 * without new input.
 *
 * Work per call is bounded: a step of the handshake takes at most LIMIT_TLS_STEP bytes of
 * input and so does at most one flight's public-key operations; all of a handshake may take
 * no more than LIMIT_TLS_HANDSHAKE. Rounds of tls_handshake() are for the caller to budget.
 */
#ifndef SLUICE_NET_TLS_H
#define SLUICE_NET_TLS_H

#include "net/tls_setup.h"

#define TLS_RECORD 16384 /* bytes of plaintext in a full record */
#define TLS_RECORD_ROOM (TLS_RECORD + 256) /* bytes of output that one can become */

struct tls;

enum tls_state {
	TLS_HANDSHAKE,
	TLS_OPEN,
	TLS_CLOSING, /* we have said that we send no more; the peer has not */
	TLS_CLOSED, /* the peer has said that it sends no more: nothing was cut off; we still may */
	TLS_FAILED, /* everything else */
};

enum tls_next { TLS_NEED_INPUT, TLS_NEED_ROOM, TLS_AGAIN, TLS_OVER };

struct tls_io {
	struct span in; /* ciphertext from the peer; what is taken is skipped */
	char *out; /* ciphertext for the peer is appended at out + out_n */
	size_t out_n, out_room; /* bytes there; bytes that fit in all */
};

/* NULL: no memory. The connection holds a reference to its setup. */
struct tls *tls_accept(struct tls_setup *s) MUST_CHECK;
/*
 * server_name: sent by SNI, A-label form, SPAN_NONE for none (an address, say). alpn: offer
 * `xmpp-server` (XEP-0368). identity: who we are towards whom, in bytes of the caller's
 * making, e.g. "from\0to\0address\0policy": a session is resumed only for the identity that it
 * was made under, once; SPAN_NONE: none is, and none is remembered.
 */
struct tls *tls_open(struct tls_setup *s, struct span server_name, bool alpn,
	struct span identity) MUST_CHECK;
/* Before the handshake: shown, unless the peer names another by SNI. The connection takes a reference
 * of its own. False: the library refuses it. */
bool tls_show(struct tls *t, struct tls_cert *cert) MUST_CHECK;
void tls_free(struct tls *t);

/* Until tls_state() is no longer TLS_HANDSHAKE. TLS_AGAIN with TLS_OPEN: it is done. */
enum tls_next tls_handshake(struct tls *t, struct tls_io *io);
/* Fills p with plaintext as far as there is any; *n bytes of it, also with TLS_OVER. */
enum tls_next tls_read(struct tls *t, struct tls_io *io, char *p, size_t room, size_t *n);
/* Encrypts the pieces as one text, in full records as far as it goes, while there is room;
 * returns how many bytes it took: 0 when there is no room, or not open. */
size_t tls_write(struct tls *t, struct tls_io *io, const struct span *pieces, unsigned n);
bool tls_writable(const struct tls *t); /* it is open, whatever the peer has said */
/* Says that we send no more (close_notify), once. Input is still read. */
void tls_close(struct tls *t, struct tls_io *io);
/* Moves waiting output; true when none is left. */
bool tls_flush(struct tls *t, struct tls_io *io);
/* The connection under it has ended. Without the peer's close_notify: TLS_FAILED, cut off. */
void tls_eof(struct tls *t);

/* Keeps input for later: it is read before io.in is. False: no memory, or more than
 * LIMIT_TLS_KEEP in all. */
bool tls_keep(struct tls *t, struct span in) MUST_CHECK;
bool tls_readable(const struct tls *t);

enum tls_state tls_state(const struct tls *t);
bool tls_shaken(const struct tls *t); /* the handshake was done, whatever became of t since */
const char *tls_why(const struct tls *t); /* static text, once over; until then "" */

/* Once over: a fatal alert has come that is about our certificate. It may have been in the clear, and
 * anybody's. */
bool tls_refused(const struct tls *t);

/* -- what came of the handshake; all valid from TLS_OPEN on, for the life of t -- */

const char *tls_version(const struct tls *t); /* "TLSv1.3" */
const char *tls_cipher(const struct tls *t); /* as the library names it */
bool tls_resumed(const struct tls *t);
bool tls_alpn(const struct tls *t); /* xmpp-server was agreed upon */
struct span tls_server_name(const struct tls *t); /* sent or received; SPAN_NONE: none */

/*
 * The peer's certificates, DER, its own first; 0: it showed none. A session that the peer
 * resumes with us was one without a certificate, since others are given no ticket; one that we
 * resume has the certificates of its full handshake. Valid until tls_peer_forget().
 */
unsigned tls_peer_chain(const struct tls *t, const struct span **chain);
/*
 * The key by which the peer has proven itself in the handshake: DER of the SubjectPublicKeyInfo of
 * its certificate, whose last second is *ends. False: it showed no certificate, or the library has
 * not read the very key in it that core/base/x509.h reads. Valid until tls_peer_forget().
 */
bool tls_peer_key(const struct tls *t, struct span *spki, int64_t *ends) MUST_CHECK;
/* Judged at the first call, anew for a resumed session (dates, CRLs and anchors may have
 * changed), then remembered. */
enum tls_verdict tls_peer_verdict(struct tls *t);
/* Frees the certificates; the verdict stays. For streams that live long. Sessions that the peer
 * offers later (most do at once) are not remembered. */
void tls_peer_forget(struct tls *t);

#endif
