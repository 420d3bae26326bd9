/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of core/outbound.h, for core/outbound.c (life), core/outbound_open.c
 * (negotiation), core/outbound_redirect.c (where a server sends us), core/outbound_claims.c
 * (what is claimed and read) and core/outbound_queue.c (what waits to be sent) only.
 */
#ifndef SLUICE_CORE_OUTBOUND_IMPL_H
#define SLUICE_CORE_OUTBOUND_IMPL_H

#include "core/config.h"
#include "core/explain.h"
#include "core/opening.h"
#include "core/outbound.h"
#include "core/redirect.h"
#include "core/shares.h"
#include "dialback/identity.h"

enum outbound_phase {
	OUTBOUND_DIALLING,
	OUTBOUND_HEADER, /* the peer's header, and its features, are awaited; or a handshake goes on */
	OUTBOUND_TLS, /* <starttls/> was said */
	OUTBOUND_AUTH, /* <auth/> was said */
	OUTBOUND_UP,
};

/* Of what waits: written up to `end` (outbound.written), and begun at `at`. */
struct mark {
	uint64_t end, at;
};

/* What is written within MARK_MS has one mark; all of them last for as long as it takes to be slow. */
#define MARK_MS 250
#define MARKS (TIMEOUT_SLOW_MS / MARK_MS)

struct outbound {
	struct stream s; /* once it is connected */
	struct worker *w;
	struct out_link *link;
	struct opening opening;
	struct dial *dial; /* until it is connected; NULL: a redirect is not dialled yet */
	struct list dialling; /* in w->dialling, likewise */
	/* While dialling: the end that was asked for, or the begin of a redirect; once up: the next space. */
	struct timer timer;
	uint8_t phase; /* enum outbound_phase */
	enum out_proof proof;
	bool aborted; /* the peer wanted to know more, once */
	bool refused; /* it was tried, and refused */
	bool authenticated; /* it was tried, and has proven us */
	bool answered; /* a pair is VALID on it: the peer does talk to us */
	bool tls_offered;
	bool dialback, errors; /* the peer's header, or features, announced them */
	bool told; /* that nothing more can be written */
	bool lost; /* `loss` is known */
	bool follows; /* when this connection is gone: what `redirect` says */
	enum out_loss loss;
	const char *condition; /* of the stream error that came; static */
	struct span id; /* of the peer's header, decoded */
	struct identity *identity; /* what the peer's certificate proves; NULL: nothing */
	const char *unproven; /* why nothing; static text */
	uint64_t max_bytes; /* of a stanza, that the peer takes; 0: it has not said */
	uint64_t idle_ms; /* without output, that it bears; likewise */
	uint64_t last_output; /* ms */
	uint64_t certificate_ends; /* ms: of the peer's, if it has proven the domain */
	uint64_t written; /* bytes of stanzas */
	struct mark marks[MARKS]; /* how long do they wait? A ring, the oldest is at first_mark */
	unsigned first_mark, n_marks;
	struct shares *shares; /* while its queue is long; NULL also without memory */
	struct list late; /* struct late: came after the connection had died */
	size_t late_bytes;
	struct redirect *redirect; /* the last that was followed, or is to be */
	unsigned hops; /* those that were */
	uint64_t lookup; /* cookie; 0: none is under way */
	unsigned foreign; /* elements that are neither dialback nor the stream's own, so far */
	unsigned n_places;
	struct place places[]; /* as they were given */
};

/* -- core/outbound.c -- */

/* For good: the first reason stays. */
void outbound_lose(struct outbound *o, enum out_loss loss);
/* Negotiated. */
void outbound_up(struct outbound *o);
/* The last act of all: the link may be opened anew. */
void outbound_down(struct outbound *o, enum out_loss loss);
/* False, and it was said why: not even the first of them can be dialled. */
bool outbound_dial(struct outbound *o, const struct place *places, unsigned n) MUST_CHECK;

/* -- core/outbound_redirect.c -- */

/* <see-other-host/> with that text has come; the stream is ended behind it. */
void outbound_redirected(struct outbound *o, struct span text);
/* The connection is gone: does another take its place? */
bool outbound_follows(const struct outbound *o);
/* It does: dialling again, in the next turn (outbound_go). */
void outbound_follow(struct outbound *o);
void outbound_go(struct outbound *o);

/* -- core/outbound_claims.c -- */

void outbound_frame(struct stream *s, const struct frame *f); /* ops->frame */

/* -- core/outbound_queue.c -- */

void outbound_writable(struct stream *s); /* ops->writable */
void outbound_stalled(struct stream *s); /* ops->stalled */
/* The connection has died: its stanzas go back to the initiator. */
void outbound_keep_unsent(struct outbound *o);

/* Counts an element that nobody asked for; too many of them end the stream. */
void outbound_foreign(struct outbound *o);

/* -- core/outbound_open.c -- */

bool outbound_is_secure(const struct outbound *o);
/* Must a certificate prove the remote domain of this pair? */
bool outbound_strong(const struct outbound *o, struct span from, struct span to);
/* The header's pair cannot have TLS, or the proof, that is demanded for it: is that anybody's demand, or
 * the sender's own? OUT_LOSS_TLS or OUT_LOSS_RULE. */
enum out_loss outbound_demand(const struct outbound *o);
/* Does the peer's certificate prove the domain (canonical)? If not, *why. */
bool outbound_proves(const struct outbound *o, struct span domain, const char **why);

void outbound_header(struct stream *s, const struct element *e); /* ops->header */
void outbound_secured(struct stream *s); /* ops->secured */
void outbound_timeout(struct stream *s); /* ops->timeout */
void outbound_features(struct outbound *o, const struct element *e);
/* An element of TLS or SASL. False: it is none that is awaited. */
bool outbound_negotiates(struct outbound *o, const struct element *e);

#endif
