/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The initiator: Initiating Server of all hosted domains (XEP-0220 sections 2.1 and 2.6; protocol
 * rules 2.3, 2.8.2, 2.9). A stanza from a hosted domain to a remote one belongs to an ordered
 * pair. The initiator finds or opens a stream that may carry the pair, has the pair claimed on it
 * (db:result), keeps what comes meanwhile, in order, and gives back what cannot go. Sans-I/O: what
 * it wants done leaves by initiate_ops, what happened comes in by calls. One per worker, for the
 * remote domains whose home it is; owner thread only; `now` in ms.
 *
 * A pair passes through
 *   WAITING    no stream yet: names are looked up, a stream is found or opened
 *   QUEUED     on a stream that is not up yet, or whose window of claims is full
 *   REQUESTED  db:result is written; TIMEOUT_DIALBACK_MS
 *   VALID      its stanzas go out at once
 *   FAILED     refused; what comes is given back with the reason, until its hold is over
 * A stanza is kept for TIMEOUT_DELIVER_MS at most, LIMIT_OUT_STANZAS of them and LIMIT_OUT_BYTES
 * for each pair; of max_kept no sender takes more than it leaves to the others. Look-ups and dials
 * are begun for one sender after the other. Failures that concern the whole domain (no service,
 * nothing reachable) are held by its target, with a delay that grows (rule 1.7). Pairs that find room
 * on a stream that is there are not touched by them.
 *
 * Which stream (rule 2.9). One that carries the target already takes any further sender. One
 * at a place where the target is found by fresh look-up takes the target too, if its peer has
 * announced dialback errors, has not gone wrong over that before, and ops->suits. Streams that
 * are slow, or have half of max_pairs, get siblings, at most max_streams; when those are full, too,
 * up to max_pairs go on the emptiest. A pair stays on its stream (order, rule 8.7); when that ends, it moves once the
 * stream is gone, and what the kernel had not taken moves with it (initiator_requeue).
 * A stream of its own have: a pair that was called invalid before, one whose sender's names do not
 * lead to us (ops->is_ours), and one that was told resource-constraint, once. So have all pairs of a
 * target whose server has no dialback: max_streams of these are opened at a time. When such a stream is
 * lost again and again, its pair waits, and nobody else.
 *
 * Who calls when. resolve, open, close and claim are called from initiator_turn and from nowhere
 * else; give_back, send, suits, permits, is_ours and step also from the events below. From inside an op
 * nothing here may be called, but initiator_resolved from resolve. An event may make work for
 * initiator_turn: call it once after the events of a loop turn (or ask initiator_next).
 */
#ifndef SLUICE_DIALBACK_INITIATE_H
#define SLUICE_DIALBACK_INITIATE_H

#include "core/base/limits.h"
#include "core/base/place.h"
#include "core/base/span.h"
#include "dialback/answer.h"
#include "dialback/condition.h"

#define OUT_PAD 64 /* bytes that can be read behind a stanza that is sent or given back */

struct initiator;
struct out_link; /* one stream that we open */

/* --invalid-received: what is done when a pair is called invalid (rule 2.8.2). */
enum invalid_received {
	RECEIVED_DROP_PAIR, /* nothing to the others */
	RECEIVED_QUARANTINE, /* the others wait for a moment: will the peer close? */
	RECEIVED_MIGRATE, /* the others go to a new stream */
	RECEIVED_CLOSE, /* the stream is closed; the others come again when they have something */
};

/* Why a stanza does not go out. core/outward.c has the stanza error for each (rule 8.4). */
enum out_failure {
	OUT_NO_SERVICE, /* the names say so, or lead to ourselves */
	OUT_NO_ANSWER_DNS, /* the DNS has not answered in all the time */
	OUT_UNREACHABLE, /* nothing takes connections there, or nothing that may be dialled */
	OUT_NO_STREAM, /* connected, but no stream came of it */
	OUT_NO_TLS, /* TLS, or proof by certificate, is demanded and not to be had: for good */
	OUT_NO_AUTH, /* neither dialback nor a mechanism that we have: for good */
	OUT_LOST, /* the stream ended before the pair was answered */
	OUT_REFUSED, /* the answer to the claim was an error: condition */
	OUT_INVALID, /* the answer was `invalid` */
	OUT_NO_ANSWER, /* no answer to the claim */
	OUT_EXPIRED, /* it could not be sent in time */
	OUT_FULL, /* too much is kept for the pair, or in all */
	OUT_BLOCKED, /* policy */
	OUT_DRAINING, /* the router ends */
	OUT_FAILURES,
};

struct out_reason {
	enum out_failure how;
	/* The dialback or stream error's condition that was received; static, NULL if there is none. */
	const char *condition;
};

/* Steps of an attempt, for the explanation that operators get (core/explain.h). */
enum out_step {
	OUT_STEP_BEGUN, /* a stanza came for a pair that is not known, or may be tried again */
	OUT_STEP_LOOKED_UP,
	OUT_STEP_DIALLED,
	OUT_STEP_CONNECTED,
	OUT_STEP_UP,
	OUT_STEP_FOREIGN, /* the names of `from` do not lead to us: its pairs get streams of their own */
	OUT_STEP_JOINED, /* another pair's stream is used */
	OUT_STEP_CLAIMED,
	OUT_STEP_VALID,
	OUT_STEP_FAILED,
	OUT_STEP_DOWN,
};

/* OUT_FOUND_HERE: found, and others of its places are ours. OUT_OURS: all that were found. */
enum out_resolution {
	OUT_FOUND,
	OUT_FOUND_HERE,
	OUT_NONE,
	OUT_LOOK_UP_FAILED,
	OUT_FORBIDDEN,
	OUT_OURS
};

/* How we prove ourselves to a server, beside the keys of dialback. */
enum out_proof {
	OUT_PROOF_EXTERNAL, /* our certificate is shown, and SASL EXTERNAL tried if it is offered */
	OUT_PROOF_SHOWN, /* it is shown, and EXTERNAL, which was refused there before, is the last resort */
	OUT_PROOF_NONE, /* it is not: the last handshake there may have failed over it */
};

struct initiate_ops {
	/* Look up the service of `domain`; answer with initiator_resolved(cookie), exactly once; it
	 * may be from inside. */
	void (*resolve)(void *ctx, struct span domain, uint64_t cookie);
	/* Open a stream at one of these places, which are in the order to try, groups apart; its header says
	 * from and to. Ends in initiator_link_up or initiator_link_down, never from inside. False: it
	 * cannot even begin. */
	bool (*open)(void *ctx, struct out_link *l, const struct place *places, unsigned n,
		struct span from, struct span to, enum out_proof proof);
	/* Orderly end of a stream, up or not; initiator_link_down follows, not from inside. */
	void (*close)(void *ctx, struct out_link *l, const char *why);
	/* May that pair be claimed on this stream, which is up: TLS policy, certificate (2.9.2)? */
	bool (*suits)(void *ctx, struct out_link *l, struct span from, struct span to);
	/* Write db:result, with the key for that stream's id. */
	void (*claim)(void *ctx, struct out_link *l, struct span from, struct span to);
	/* A stanza of that pair, which was kept, goes out. False: the stream has no room for it just now, and
	 * initiator_link_room will follow. */
	bool (*send)(void *ctx, struct out_link *l, struct span from, struct span to,
		struct span stanza);
	/* A stanza goes back to its sender. */
	void (*give_back)(void *ctx, struct span stanza, const struct out_reason *why);
	/* Does what is written to this stream, which is up, wait for longer than TIMEOUT_SLOW_MS? NULL: never. */
	bool (*slow)(void *ctx, struct out_link *l);
	/* Do policy and registry permit the pair? Asked when it is made and after initiator_review. */
	bool (*permits)(void *ctx, struct span from, struct span to);
	/* Do these places lead to this router? NULL: that cannot be told, and nobody is looked up for
	 * it (rule 2.9.4). */
	bool (*is_ours)(void *ctx, const struct place *places, unsigned n);
	/* from empty: it concerns the target. at NULL: nowhere yet. why: OUT_STEP_FAILED, else NULL. */
	void (*step)(void *ctx, struct span from, struct span to, enum out_step step,
		const struct place *at, const struct out_reason *why);
	/* A uniform number in [0, bound). */
	uint32_t (*below)(uint32_t bound);
};

struct initiate_opts {
	uint32_t max_pairs; /* of a stream: --max-pairs-per-stream */
	unsigned max_streams; /* --max-streams-per-endpoint */
	enum invalid_received invalid_received;
	/* Streams at once, of which no sender and no target has more than it leaves; 0: any number. */
	unsigned max_links;
	size_t max_kept; /* bytes of stanzas kept for all pairs; what comes back unsent may exceed it */
};

struct initiate_stats {
	uint64_t links, claims, valid, invalid, refused, unsolicited, moved, foreign;
	uint64_t kept; /* bytes, now */
	uint64_t pairs, open_links; /* now */
};

struct initiator *initiator_new(const struct initiate_ops *ops, void *ctx,
	const struct initiate_opts *opts); /* dies without memory */
/* All links must be down; what is kept is dropped. */
void initiator_free(struct initiator *i);
void initiator_stats(const struct initiator *i, struct initiate_stats *out);

/* -- stanzas -- */

enum out_take {
	OUT_WRITE, /* write it to *l's stream, now */
	OUT_KEPT, /* a copy is kept; it will be sent, or given back */
	OUT_RETURN, /* give it back: *why */
	OUT_NOWHERE, /* an error that would need a stream of its own: drop it */
};

/*
 * A stanza in pieces, from a hosted domain to a remote one (canonical). error: it is a stanza
 * error of the router's own making, for which no stream is opened (rule 8.5).
 */
enum out_take initiator_stanza(struct initiator *i, struct span from, struct span to,
	const struct span *pieces, unsigned n, bool error, struct out_link **l,
	struct out_reason *why, uint64_t now);

/* The peer was written to, and took nothing for TIMEOUT_SLOW_MS: further pairs, and those that are
 * not claimed yet, get another stream, if there may be one. May be said again and again. */
void initiator_link_slow(struct initiator *i, struct out_link *l, uint64_t now);

/* What `send` had refused may be sent now. */
void initiator_link_room(struct initiator *i, struct out_link *l, uint64_t now);

/* -- links -- */

/* which: of the places that `open` was given. */
void initiator_link_connected(struct initiator *i, struct out_link *l, unsigned which,
	uint64_t now);
/* A place that did not take the connection: it is the last choice for HOLD_ADDRESS_MS. */
void initiator_place_failed(struct initiator *i, const struct place *at, uint64_t now);

struct out_facts {
	bool errors; /* the peer announced that it handles dialback errors (rule 2.2) */
	bool proven; /* SASL EXTERNAL: the header's pair is VALID */
	bool claimless; /* and no other one can be: the peer has no dialback */
};

/* Negotiated. */
void initiator_link_up(struct initiator *i, struct out_link *l, const struct out_facts *facts,
	uint64_t now);

/* Nothing more can be written to it; initiator_link_down follows. Stanzas are kept till then. */
void initiator_link_ending(struct initiator *i, struct out_link *l);

/* Before initiator_link_down, in the order in which they were to be sent: stanzas that the kernel
 * had not taken. They go before all that is kept. False without memory, or when the pair has failed
 * or is no longer on that stream: the caller gives it back. */
bool initiator_requeue(struct initiator *i, struct out_link *l, struct span from, struct span to,
	struct span stanza) MUST_CHECK;

enum out_loss {
	OUT_LOSS_UNREACHABLE, /* no place took the connection */
	OUT_LOSS_NEGOTIATION, /* connected; TLS failed, or no header or features in time */
	OUT_LOSS_REFUSED, /* an alert: the peer does not take our certificate */
	OUT_LOSS_AT_SIGHT, /* it went when it had been shown that, and never spoke within TLS */
	OUT_LOSS_TLS, /* TLS or a certificate is demanded, and is not to be had there */
	/* Likewise, and it is the rule of the header's sender that asks for so much, or forbids TLS. */
	OUT_LOSS_RULE,
	OUT_LOSS_EXTERNAL, /* the peer ended it after SASL EXTERNAL failed */
	OUT_LOSS_UNSUPPORTED, /* no way to authenticate there */
	/* None for the header's sender: its certificate is not what the peer wants, or our own rule keeps
	 * it out of TLS. */
	OUT_LOSS_UNPROVEN,
	OUT_LOSS_ERROR, /* stream error: condition */
	OUT_LOSS_CLOSED, /* the peer ended it, or the connection broke */
	OUT_LOSS_OURS, /* we ended it */
	OUT_LOSS_OVERLOAD, /* for want of something of ours */
};

/* The stream is gone. condition: static, with OUT_LOSS_ERROR. The link may be opened again for the next
 * place; else it is gone when this returns. */
void initiator_link_down(struct initiator *i, struct out_link *l, enum out_loss how,
	const char *condition, uint64_t now);

/*
 * A typed db:result: from is the remote domain, to the hosted one, as they stand in it, canonical.
 * condition: of an error; DB_CONDITION_COUNT: none that we know. False: it answers nothing that was
 * claimed on this stream, and has changed nothing (rule 2.11).
 */
bool initiator_answer(struct initiator *i, struct out_link *l, struct span from, struct span to,
	enum answer answer, enum db_condition condition, uint64_t now);

/* What the peer is known by, beyond the end of its streams: EXTERNAL was refused. */
void initiator_external_refused(struct initiator *i, struct out_link *l, uint64_t now);

const struct place *out_link_place(const struct out_link *l); /* NULL: not connected yet */
struct span out_link_from(const struct out_link *l); /* of the header */
struct span out_link_to(const struct out_link *l);
uint32_t out_link_pairs(const struct out_link *l);
void *out_link_user(const struct out_link *l);
void out_link_set_user(struct out_link *l, void *user);

/* -- the rest -- */

/* exactly once for each cookie; places are copied. */
void initiator_resolved(struct initiator *i, uint64_t cookie, enum out_resolution how,
	const struct place *places, unsigned n, uint64_t now);

/* Registry or policy have changed: pairs that are not permitted any more fail, those that their
 * stream does not suit any more leave it, and what failed for want of TLS, or of a
 * certificate, may be tried again. */
void initiator_review(struct initiator *i, uint64_t now);

/* The router ends: no stream is opened any more, and what is kept goes back, unless its pair sits on
 * a stream that is up. Streams that are there, or are being opened, are the caller's to end. */
void initiator_drain(struct initiator *i, uint64_t now);

/* Once per loop turn. */
void initiator_turn(struct initiator *i, uint64_t now);
/* Milliseconds until initiator_turn has something to do; 0: now; max: nothing. */
uint32_t initiator_next(const struct initiator *i, uint64_t now, uint32_t max);

#endif
