/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream that another server opened to us: we are its Receiving Server, and
 * Authoritative Server for whoever asks (protocol rules 1.2, 2.4, 2.6, 2.11).
 * Belongs to the worker that accepted it.
 */
#ifndef SLUICE_CORE_INBOUND_H
#define SLUICE_CORE_INBOUND_H

#include "core/backlog.h"
#include "core/negotiate.h"
#include "core/pins.h"
#include "core/route.h"
#include "core/sasl.h"
#include "core/stream.h"
#include "core/verdicts.h"
#include "dialback/identity.h"
#include "dialback/pairs.h"
#include "dialback/verify.h"

struct inbound {
	struct stream s;
	struct asker asker;
	struct pairs *pairs;
	struct backlog backlog; /* of claims */
	char *from, *to; /* of the header, canonical; NULL: absent */
	struct lang lang; /* of the header */
	struct identity *identity; /* what the peer's certificate proves; NULL: nothing */
	struct peer_key key; /* that the peer has proven to have, whoever vouches for it */
	const char *unproven; /* why it proves nothing; static text */
	struct sasl sasl;
	char *alarm; /* the domain of the last inbound_alarm, canonical; NULL: none, or no memory */
	uint8_t alarm_pin; /* enum pin, what it was about */
	bool alarm_refused; /* and what came of it */
	uint64_t certificate_ends; /* ms: when that is over; 0: nothing was proven by it */
	uint8_t pausing; /* enum inbound_pause, why it is not read */
	bool counted; /* in the worker's count of unauthenticated streams */
	bool strict_close; /* --invalid-policy=forbid: ends unless a pair becomes VALID */
	unsigned foreign; /* unknown depth-1 elements so far */
	unsigned without_id; /* db:verify */
	uint64_t opened;
	uint64_t asked; /* ms of the last db:verify it sent: keeps it alive */
	struct route *last_route; /* compared, never followed */
	uint64_t mixed_until; /* until then it counts as feeding several routes */
	struct route_waiter waiter;
	struct list resume; /* in the worker's list of streams to be read again */
};

enum inbound_pause {
	PAUSE_CLAIMS = 1, /* too many claims of a stream that has proven nothing */
	PAUSE_ROUTE = 2, /* the one route that it feeds is full */
	PAUSE_ANSWERS = 4, /* it does not read our answers */
	PAUSE_TURN = 8, /* a stanza has to wait for claims before it (core/backlog.h) */
};

/* listen_fn of the outer listeners, without and with TLS from the first byte; ctx is the worker. */
bool inbound_accept(void *ctx, int fd, const struct addr *peer);
bool inbound_accept_tls(void *ctx, int fd, const struct addr *peer);

/* Its first pair has become VALID: the bounds for strangers no longer hold. */
void inbound_proven(struct inbound *in);

void inbound_pause(struct inbound *in, enum inbound_pause why);
void inbound_resume(struct inbound *in, enum inbound_pause why);
/* A depth-1 element whose namespace is in order. */
void inbound_element(struct inbound *in, const struct frame *f);
/* Answers wait that the peer does not read: no more input until it does. */
void inbound_said(struct inbound *in);

/* -- core/inbound_proof.c -- */

bool inbound_is_secure(const struct inbound *in);
/* Does the peer's certificate prove the domain (canonical), now? If not, *why for the log. */
bool inbound_proves(const struct inbound *in, struct span domain, const char **why);

/* What the peer has to show for a domain, and what is remembered of that domain. */
struct inbound_proof {
	bool proven; /* by its certificate, now */
	bool refused; /* its proof, or its want of one, by --pin-auth enforce */
	enum pin pin; /* PIN_NEW with --pin-auth off */
	const char *why; /* it is not proven; for the log */
};

void inbound_judge(const struct inbound *in, struct span domain, struct inbound_proof *out);
/* An event for what is not as it was before; nothing if all is, or for the same again. */
void inbound_alarm(struct inbound *in, struct span domain, const struct inbound_proof *proof);
/* The domain was proven by certificate, and the pair is VALID: its key is remembered. */
void inbound_remember(const struct inbound *in, struct span domain);

/* Writes the features that concern proof. True: the others may be offered too (rule 1.4). */
bool inbound_offer_proof(struct inbound *in, struct writer *w);
void inbound_starttls(struct inbound *in); /* <starttls/> came */
bool inbound_sasl(struct inbound *in, const struct element *e); /* false: it is none of SASL's */
void inbound_secured(struct stream *s); /* ops->secured */
/* A pair is VALID because of the certificate, or of the key in it: the stream ends with it. */
void inbound_by_certificate(struct inbound *in);

/* Is the stream one of these? (streams of a worker are of several kinds) */
struct inbound *inbound_of(struct stream *s);

#endif
