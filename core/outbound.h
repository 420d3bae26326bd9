/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream that we open to another server, to send stanzas on (protocol rules 1.1, 1.4
 * to 1.8, 4.2, 6.4, 6.5 and 7.4): dials one of the places, sends the header, takes TLS
 * by the first byte or by STARTTLS, judges the peer's certificate, authenticates by SASL
 * EXTERNAL where that is offered, and writes db:result for the pairs that the initiator
 * (dialback/initiate.h) has on it. It decides nothing about pairs: it belongs to a link
 * of the initiator's, tells it what happens, and ends with it.
 *
 *   dialling -> header -> features -> [STARTTLS -> header -> features] ->
 *   [EXTERNAL -> header -> features] -> up: claims and stanzas -> ended
 *
 * Header without a language (rule 8.6): stanzas that have none must not get ours. Nothing
 * but spaces, db:result and stanzas is written once it is up. What is read is features,
 * SASL, typed db:result and stream errors; a stanza or an untyped dialback element on it
 * is ignored and counted (rule 2.11), with a bound. With --follow-redirect a server that has
 * proven the domain may send us elsewhere before the stream is up (<see-other-host/>, rule 1.10):
 * the connection ends, and another one is dialled for the same link.
 *
 * Belongs to the worker, which is the home of the target's domain. When it ends, what the
 * kernel had not taken is given back to the initiator, stanza by stanza, and what only the
 * kernel has is in doubt.
 */
#ifndef SLUICE_CORE_OUTBOUND_H
#define SLUICE_CORE_OUTBOUND_H

#include "core/stream.h"
#include "dialback/initiate.h"
#include "net/resolve.h"

/* In a cookie of the worker's resolver: where a server has sent us is looked up. */
#define RESOLVE_REDIRECT (UINT64_C(1) << 61)

struct outbound;

/* For initiate_ops: see there. */
bool outbound_open(struct worker *w, struct out_link *l, const struct place *places, unsigned n,
	struct span from, struct span to, enum out_proof proof);
void outbound_close(struct outbound *o, const char *why);
bool outbound_suits(const struct outbound *o, struct span from, struct span to);
void outbound_claim(struct outbound *o, struct span from, struct span to);

enum outbound_write {
	OUTBOUND_SENT,
	OUTBOUND_FULL, /* too much waits for this stream */
	OUTBOUND_SPENT, /* --mem-budget or memory is used up */
	OUTBOUND_TOO_BIG, /* the peer has announced that it takes less (XEP-0478) */
};

/* A stanza, in pieces. whose: its pair (shares_key): who holds most of a full queue is refused
 * first, and the last quarter of --queue-bytes is for those who hold nothing (core/shares.h). */
enum outbound_write outbound_write(struct outbound *o, const struct span *pieces, unsigned n,
	uint64_t whose);

/* Is there room for so many bytes? If not, initiator_link_room will follow. */
bool outbound_has_room(struct outbound *o, size_t n);
/* Does its output wait for longer than TIMEOUT_SLOW_MS? */
bool outbound_is_slow(const struct outbound *o);

/* A look-up with RESOLVE_REDIRECT has ended. */
void outbound_resolved(struct worker *w, uint64_t cookie, const struct resolve_answer *a);

/* Is the stream one of these? */
struct outbound *outbound_of(struct stream *s);
/* The same as outbound_close because the router ends: with system-shutdown. */
void outbound_leave(struct outbound *o, const char *why);
/* The worker's time is up: connections that are still being dialled, or looked for where a server has
 * sent us, are given up, and their links told. Those that stand end as streams do. */
void outbounds_stop(struct worker *w);

#endif
