/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of a claim through its states: what it waits for, in which queue, and
 * whether its time runs. Inside of dialback/verify.c, which holds the events and
 * the turn; owner thread only.
 *
 * Re-entrancy. done may make and cancel claims. Therefore whoever ends claims takes
 * them from the head of a list until it is empty, keeps no pointer to a claim, an
 * asker or a source over the call, and pins the look-up or endpoint that it still
 * needs; and claim_end touches nothing but the claim after it.
 */
#ifndef SLUICE_DIALBACK_PROGRESS_H
#define SLUICE_DIALBACK_PROGRESS_H

#include "dialback/claim.h"
#include "dialback/endpoint.h"
#include "dialback/lookup.h"
#include "dialback/source.h"
#include "dialback/verify.h"

struct verifier {
	const struct verify_ops *ops;
	void *ctx;
	uint64_t now; /* of the last call that told it */
	struct hash_key key;
	struct sources sources;
	struct lookups lookups;
	struct endpoints endpoints;
	struct table asked; /* claims by link, from, to and id */
	struct wheel wheel;
	struct list paused; /* claims whose time does not run */
	struct list ready; /* lanes of askers with a claim to ask about and room in the window */
	struct list idle; /* links, by idle_since */
	struct verify_stats stats;
};

/* The only writer of state. */
void claim_move(struct verifier *v, struct claim *c, enum claim_state to);

/* Goes on with the first candidate from c->candidate on that is not known to be dead; may end c. */
void claim_advance(struct verifier *v, struct claim *c);
/* c is not at its endpoint any more; its state is about to change. */
void claim_part(struct verifier *v, struct claim *c);

/* Out of everything; the memory is the caller's. */
void claim_detach(struct verifier *v, struct claim *c);
/* Calls back, unless c was cancelled after it was asked, and frees c. */
void claim_end(struct verifier *v, struct claim *c, enum verify_outcome outcome);

/* A link that nobody needs is kept for a while, but not when it left a question unanswered. */
void link_rest(struct verifier *v, struct verify_link *link);

uint64_t question_hash(const struct verifier *v, const struct verify_link *link, struct span from,
	struct span to, struct span id);

#endif
