/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SASL EXTERNAL, the receiving side (RFC 4422 appendix A, RFC 6120 section 6,
 * XEP-0178 section 3, protocol rule 4.1): a server that dialled us says which
 * domain it is, and its certificate has to prove it. Nothing but the rules of the
 * exchange: the facts come with each call, the answer goes into a writer, and what
 * becomes of the stream is the caller's to do. Owner thread of the stream.
 *
 *   IDLE        <auth>, identity or `=`                success: DONE; or failure
 *               <auth/>                                <challenge/>: CHALLENGED
 *               <response>                             failure
 *   CHALLENGED  <response>, identity, `=` or nothing   success: DONE; or failure: IDLE
 *               <auth>                                 counted as a failure; as in IDLE
 *   DONE        whatever comes                         failure
 *   any         <abort/>                               failure; CHALLENGED: IDLE
 *
 * Who it is: the identity that it gives, which must be a domain and that of its
 * header's `from`, or that `from` if it gives none. A failure leaves the stream
 * open, so that the peer may go on with dialback, and LIMIT_SASL_FAILURES of them
 * end it: the same certificate proves no more at the next attempt. In clear there
 * is no handshake at all: <auth/> gets a failure that does not count, and the
 * caller bounds such elements together with those that nobody knows.
 */
#ifndef SLUICE_CORE_SASL_H
#define SLUICE_CORE_SASL_H

#include "core/base/domain.h"
#include "xml/element.h"
#include "xml/writer.h"

/* Of one stream; all zero at first. A restart after STARTTLS makes it so again (what was learnt in
 * clear counts for nothing), that after success does not: nobody authenticates twice. */
struct sasl {
	uint8_t state; /* enum sasl_state */
	uint8_t failures;
};

enum sasl_state { SASL_IDLE, SASL_CHALLENGED, SASL_DONE };

enum sasl_proof {
	SASL_PROVEN,
	SASL_UNPROVEN,
	SASL_UNDECIDED, /* by a fault of ours that may pass: no memory, no answer from elsewhere */
};

struct sasl_facts {
	bool tls; /* the stream is encrypted */
	const char *unavailable; /* why EXTERNAL is not to be had here at all; NULL: it is */
	struct span from; /* of the header, in canonical form; empty: absent */
	/* Is that domain one of ours? */
	bool (*hosted)(void *ctx, struct span domain);
	/* Does the peer's certificate, which has been verified, prove that domain, and is such a
	 * proof accepted from it? If not, *why: words that live for ever. */
	enum sasl_proof (*proves)(void *ctx, struct span domain, const char **why);
	void *ctx;
};

enum sasl_next {
	SASL_FOREIGN, /* none of SASL's elements that a peer may send: nothing has changed */
	SASL_GO_ON, /* the answer is a challenge or a failure */
	SASL_AUTHENTICATED, /* as verdict.domain: after the answer the stream restarts */
	SASL_EXHAUSTED, /* after the answer, a failure, the stream error policy-violation */
};

struct sasl_verdict {
	const char *condition; /* of the failure that is the answer; NULL: there was none */
	const char *why; /* the failure in words, for the log; NULL likewise */
	struct domain domain; /* that it is, or would have been; len 0: none was said */
};

/* Octets of the longest answer and of the longest offer. */
#define SASL_ANSWER 128

/*
 * One element of the peer's; those in other namespaces are SASL_FOREIGN. w, empty
 * and with room for SASL_ANSWER octets, gets the answer. Facts are asked for one
 * domain, and only when all else is in order.
 */
enum sasl_next sasl_take(struct sasl *s, const struct sasl_facts *facts, const struct element *e,
	struct writer *w, struct sasl_verdict *v) MUST_CHECK;

/*
 * The stream feature (RFC 6120 section 6.4.1): <mechanisms/> with EXTERNAL, or nothing
 * at all when EXTERNAL would fail, so that it is not tried in vain. False: nothing
 * was written, and *why says it in words.
 */
bool sasl_offer(const struct sasl *s, const struct sasl_facts *facts, struct writer *w,
	const char **why);

#endif
