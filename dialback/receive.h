/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Receiving Server (XEP-0220 section 2.1.2; protocol rules 2.4 and 2.8): what
 * to answer to a db:result request, and what to answer once its key was verified.
 * Decisions only: no sockets, no XML, no clock. The caller gathers the facts, and
 * writes the answer after the state has changed (a pair is VALID in the table
 * before `result valid` is written). Owner thread of the stream.
 */
#ifndef SLUICE_DIALBACK_RECEIVE_H
#define SLUICE_DIALBACK_RECEIVE_H

#include "dialback/pairs.h"
#include "dialback/verify.h"

/* --invalid-policy, named after the text that it conforms to (rule 2.8.2). */
enum invalid_policy { INVALID_RFC3920, INVALID_XEP_0_6, INVALID_XEP_1_1, INVALID_FORBID };

bool invalid_policy_parse(struct span s, enum invalid_policy *out);
const char *invalid_policy_name(enum invalid_policy p);

/* What the caller knows about a request (rows of 2.4). */
struct receive_facts {
	bool tls_missing; /* 3: TLS is required for one of the two and the stream has none */
	bool from_hosted; /* 4: the sender domain is hosted here */
	bool to_hosted; /* 5: the target domain is hosted here and not gone */
	bool blocked; /* 6: policy */
	bool proven; /* 11: the peer's certificate proves the sender now */
	bool need_strong; /* 12 */
};

enum receive_action {
	RECEIVE_VALID, /* answer type='valid' */
	RECEIVE_INVALID, /* answer type='invalid' (a stored refusal repeated) */
	RECEIVE_ERROR, /* answer type='error' with the condition */
	RECEIVE_IGNORE, /* an answer is on its way already */
	RECEIVE_VERIFY, /* start a claim for the pair (it is VERIFYING without a claim now) */
	RECEIVE_REVERIFY, /* the same, after cancelling pair->claim: another key came */
};

struct receive_step {
	enum receive_action action;
	enum db_condition condition; /* RECEIVE_ERROR */
	struct pair *pair; /* NULL when refused before one was made */
};

/* Rows 3 to 6: does registry or policy forbid the pair, whatever its state? *c: what it is told. */
bool receive_forbidden(const struct receive_facts *facts, enum db_condition *c);

/* from, to: canonical; key: trimmed. */
struct receive_step receive_request(struct pairs *ps, struct span from, struct span to,
	struct span key, struct span pending_key, const struct receive_facts *facts, uint64_t now);

/* A pair that is VALID, or whose claim has just ended, is not permitted any more: REFUSED with this condition for a while. */
void receive_revoke(struct pairs *ps, struct pair *p, enum db_condition c, uint64_t now);

struct receive_reply {
	enum { REPLY_VALID, REPLY_INVALID, REPLY_ERROR } type;
	enum db_condition condition; /* REPLY_ERROR */
	bool close; /* then end the stream normally: </stream:stream>, no error */
	bool grace; /* INVALID_FORBID: close in GRACE_FORBID_MS unless a pair became VALID */
};

/* A claim has ended: changes the pair's state, says what to write. */
struct receive_reply receive_outcome(struct pairs *ps, struct pair *p, enum verify_outcome outcome,
	enum invalid_policy policy, uint64_t now);

#endif
