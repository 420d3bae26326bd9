/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The opening of a stream that we have dialled, as far as streams to authorities and
 * those that carry stanzas do the same (protocol rules 1.1, 1.5 and 6.4): our header,
 * and TLS by the first byte or by STARTTLS. What the peer's header and features mean,
 * and what becomes of a peer without TLS, is the kind's business.
 *
 *   opening_start   connected: the header goes out, or the handshake begins
 *   opening_ask     <starttls/>; nothing else may be said until the answer
 *   opening_answer  <proceed/>: the handshake begins behind it; or anything else
 *   opening_again   the handshake is done: the header goes out (again)
 *
 * Timers: TIMEOUT_TLS_MS for a handshake, TIMEOUT_HEADER_MS for the peer's header and
 * features. Part of its stream's struct; owner thread only.
 */
#ifndef SLUICE_CORE_OPENING_H
#define SLUICE_CORE_OPENING_H

#include "core/base/place.h"
#include "core/negotiate.h"
#include "core/stream.h"

struct opening {
	char *from, *to; /* of our header, canonical */
	struct place at;
	enum header_form form;
	bool asked; /* <starttls/> was said, and no answer has come */
	bool bare; /* no certificate of ours is shown; the caller's to set, before it begins */
};

/* Copies the domains. False without memory: there is nothing to free. */
bool opening_init(struct opening *o, struct span from, struct span to,
	enum header_form form) MUST_CHECK;
void opening_free(struct opening *o);

/* Connected, with o->at. Where TLS begins with the first byte nothing is ever said in the clear. */
void opening_start(struct opening *o, struct stream *s);
/* stream_ops.open: our header, unless it is out. */
void opening_say_header(struct opening *o, struct stream *s);
void opening_ask(struct opening *o, struct stream *s);
/* The element that answers <starttls/>; false: that was no <proceed/>. Without memory the stream is
 * ended. */
bool opening_answer(struct opening *o, struct stream *s, const struct element *e) MUST_CHECK;
/* Within TLS: is a certificate of ours shown to a peer that asks for one? */
bool opening_shows(const struct opening *o, const struct stream *s);
/* It is, and the peer has ended TLS with an alert about it: older servers take one that is made for servers
 * for none of a client. For ops->closed and ended, as is the next. */
bool opening_refused(const struct opening *o, const struct stream *s);
/* It is, and the peer has gone behind our end of a handshake of TLS 1.3, when it sees the certificate: its
 * alert may be lost. Means something only if it has not spoken within TLS. */
bool opening_left_at_sight(const struct opening *o, const struct stream *s, int err);
/* From stream_ops.secured, and after SASL: a new stream on the same connection. */
void opening_again(struct opening *o, struct stream *s);

#endif
