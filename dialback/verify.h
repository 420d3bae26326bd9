/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verifier (protocol rule 2.5): takes the claims that inbound streams made
 * ("I may speak for `from`, here is a key"), finds the authoritative server of
 * each sender domain, and asks it over one stream per authoritative endpoint,
 * shared by all claims. Sans-I/O: what it wants done leaves by verify_ops, what
 * happened comes in by calls. One per worker; owner thread only; `now` in ms.
 *
 * A claim passes through:  waiting for a look-up slot of its source  ->  resolving
 * ->  waiting for the endpoint's stream (and, if that must be dialled, for the
 * source's dialling budget)  ->  waiting for the key window of its inbound stream
 * ->  asked  ->  done. The windows bound what is *sent*; what waits, waits: the
 * time that a claim has (TIMEOUT_VERIFY_MS from the beginning of the look-up) does
 * not run while it waits for a budget or a window of ours. A claim ends exactly
 * once, by ops->done or by verifier_cancel, never both.
 *
 * An answer counts only if it came over the very stream that the question was
 * sent on, and from, to and id match it (XEP-0220 section 2.1.2; CVE-2012-3525).
 * A question is never sent twice.
 *
 * Who calls when. resolve, dial, ask and hang_up are called from verifier_turn only.
 * done is called from verifier_turn and from the events below; it may call
 * verifier_claim, verifier_cancel and verifier_cancel_all, and nothing else here.
 * verifier_claim and the cancels call nothing back. An event may make work for
 * verifier_turn: call it once after the events of a loop turn (or ask verifier_next).
 *
 * pair->claim is set by verifier_claim and cleared before done and by the cancels: a
 * pair table must not be freed before the claims of its stream are cancelled.
 *
 * One stream per endpoint, with one exception. Whoever points a domain of his at
 * somebody else's server can make that server end our stream to it with
 * host-unknown, and the honest domains there would suffer. So the blame goes to
 * the domain of the oldest open question (the stream header's, when there is none),
 * and for some minutes that domain is asked about on a stream of its own.
 */
#ifndef SLUICE_DIALBACK_VERIFY_H
#define SLUICE_DIALBACK_VERIFY_H

#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/place.h"
#include "core/base/rand.h"
#include "core/base/span.h"
#include "dialback/answer.h"

struct claim;
struct pair;
struct verifier;
struct verify_link; /* one stream to one authoritative endpoint */

enum verify_outcome {
	VERIFY_VALID,
	VERIFY_INVALID,
	VERIFY_NOT_FOUND, /* no such service, or the authority answered an error or host-unknown */
	VERIFY_UNREACHABLE, /* no answer from the DNS, nothing could be connected to, or only
			     * forbidden addresses */
	VERIFY_TIMEOUT, /* connected, but no answer before the stream ended or time ran out */
	VERIFY_NOT_ACCEPTABLE, /* the authority wants TLS that we do not do */
	VERIFY_OVERLOAD, /* no slot, no memory: resource-constraint */
	VERIFY_INTERNAL,
	VERIFY_OUTCOMES,
};

const char *verify_outcome_name(enum verify_outcome o);

/* Claims of one asker that wait for the same thing. Whoever hands that thing out goes round the
 * lanes, one claim each: a flood of one asker does not delay another's claims. */
struct verify_lane {
	struct list claims;
	struct list turn; /* link in the round; in none while it is empty */
};

/* One inbound stream that asks; embedded in the stream. Fields below the line are the
 * verifier's. */
struct asker {
	char id[STREAM_ID_LEN + 1]; /* id of the stream's current response header */
	struct addr source;
	void *user;
	/* -- */
	struct list claims; /* all of them */
	struct verify_lane waiting, undialled, ready;
	struct verify_source *budget; /* of the /32 or /64; NULL without claims */
	unsigned n_claims, in_flight, window, streak;
};

struct verify_ops {
	/* Look up the service of `domain` (canonical); answer with verifier_resolved(cookie),
	 * exactly once; it may be from inside. */
	void (*resolve)(void *ctx, struct span domain, uint64_t cookie);
	/* Open a stream at `to`; its header says header_from, header_to. Answer with
	 * verifier_link_up or verifier_link_down, never from inside. False: cannot even begin, for
	 * want of something of ours: the claims end with VERIFY_OVERLOAD, the link is gone. */
	bool (*dial)(void *ctx, struct verify_link *link, const struct place *to,
		struct span header_from, struct span header_to);
	/* Write <db:verify> on the link's stream. from: the target domain that asks; to: the
	 * sender domain that is asked about. False: the stream is closing, verifier_link_down will
	 * follow. No event from inside. */
	bool (*ask)(void *ctx, struct verify_link *link, struct span from, struct span to,
		struct span id, struct span key);
	/* The link is not needed any more: close its stream. The link is gone when this returns
	 * (no verifier_link_down for it). */
	void (*hang_up)(void *ctx, struct verify_link *link);
	/* A claim has ended; it is freed when this returns. authority: who answered or was tried
	 * last; NULL when nobody was. */
	void (*done)(void *ctx, struct claim *c, enum verify_outcome outcome,
		const struct addr *authority);
};

struct verify_stats {
	uint64_t claims, asked, links, lookups, unmatched, outcomes[VERIFY_OUTCOMES];
};

struct verifier *verifier_new(const struct verify_ops *ops, void *ctx); /* dies without memory */
void verifier_free(struct verifier *v); /* open claims are dropped without a call */
const struct verify_stats *verifier_stats(const struct verifier *v);

/* id and source must be set. A new id (a restart of the stream) voids the claims: cancel them all
 * before. */
void asker_init(struct asker *a, void *user);

/*
 * A new claim; never calls back from inside. from, to: canonical (kept as copies); raw_from,
 * raw_to: as the peer spelled them, for the answer; key: trimmed. NULL without memory: answer
 * resource-constraint.
 */
struct claim *verifier_claim(struct verifier *v, struct asker *a, struct pair *pair,
	struct span from, struct span to, struct span raw_from, struct span raw_to, struct span key,
	uint64_t now);
void verifier_cancel(struct verifier *v, struct claim *c); /* a later answer is ignored */
void verifier_cancel_all(struct verifier *v, struct asker *a); /* the inbound stream is gone */

struct asker *claim_asker(const struct claim *c);
struct pair *claim_pair(const struct claim *c);
struct span claim_from(const struct claim *c);
struct span claim_to(const struct claim *c);
struct span claim_raw_from(const struct claim *c);
struct span claim_raw_to(const struct claim *c);
struct span claim_key(const struct claim *c);

/* -- events -- */

enum verify_resolution {
	RESOLUTION_FOUND,
	RESOLUTION_NONE,
	RESOLUTION_FAILED,
	RESOLUTION_FORBIDDEN,
	RESOLUTION_DIRECT_ONLY, /* only by direct TLS, which we do not do */
};

/* places: in the order to try; copied. */
void verifier_resolved(struct verifier *v, uint64_t cookie, enum verify_resolution how,
	const struct place *places, unsigned n, uint64_t now);

/* TCP is up, the stream not yet: what goes wrong from here on is remote-server-timeout (2.4). */
void verifier_link_connected(struct verify_link *link);

/* The stream is negotiated: questions may be sent. */
void verifier_link_up(struct verifier *v, struct verify_link *link, uint64_t now);

enum verify_loss {
	LOSS_UNREACHABLE, /* before it was up: refused, timed out, no TLS, no stream: next place,
			   * and this one is the last choice for HOLD_ADDRESS_MS, and not
			   * dialled at all for HOLD_REDIAL_MS; the
			   * outcome depends on whether any place was connected */
	LOSS_HOST_UNKNOWN, /* stream error host-unknown or host-gone */
	LOSS_TLS_REQUIRED, /* it insists on TLS */
	LOSS_OVERLOAD, /* it could not even be begun, for want of something of ours */
	LOSS_CLOSED, /* it was up and ended, or failed in another way */
};

/* Right before verifier_link_down: of all questions asked on the link only the first n were written
 * to the stream; the others wait for another link, as if they had not been asked. */
void verifier_link_sent(struct verifier *v, struct verify_link *link, uint32_t n);

/* The stream is gone; so is the link when this returns. */
void verifier_link_down(struct verifier *v, struct verify_link *link, enum verify_loss loss,
	uint64_t now);

/* from, to: canonical, as in the answer (from: the authority's domain). False: matches no
 * question that was sent on this link; nothing has changed then. True as well for an answer to a
 * question whose claim was cancelled or had run out of time: such an answer is solicited, and
 * ignored. */
bool verifier_answer(struct verifier *v, struct verify_link *link, struct span from, struct span to,
	struct span id, enum answer answer, uint64_t now);

const struct place *verify_link_place(const struct verify_link *link);
/* Is the stream for one domain only (see above)? Then nobody else may use it. */
bool verify_link_apart(const struct verify_link *link);
void *verify_link_user(const struct verify_link *link);
void verify_link_set_user(struct verify_link *link, void *user);

/* Once per loop turn: begins at most LIMIT_VERIFY_PER_TURN claims, ends those out of time, dials,
 * asks, and hangs up idle links. */
void verifier_turn(struct verifier *v, uint64_t now);
/* Milliseconds until verifier_turn has something to do; 0: now; max: nothing. */
uint32_t verifier_next(const struct verifier *v, uint64_t now, uint32_t max);

#endif
