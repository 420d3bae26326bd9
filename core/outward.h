/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stanzas from hosted domains to remote ones. Whatever worker a backend's link is on, a
 * stanza goes to the home of its target's domain (core/crew.h) in one record: there the
 * initiator (dialback/initiate.h) knows the pair and has the streams. So order per pair
 * holds with as many workers as there are, and nothing moves. What cannot go is
 * returned by that worker, with the condition of rule 8.4 and words for the sender's
 * administrator. Owner thread only.
 */
#ifndef SLUICE_CORE_OUTWARD_H
#define SLUICE_CORE_OUTWARD_H

#include "core/base/domain.h"
#include "core/bounce.h"
#include "core/post.h"
#include "dialback/initiate.h"
#include "net/resolve.h"

/* In a cookie of the worker's resolver: it is the initiator who asks. */
#define RESOLVE_OUTWARD (UINT64_C(1) << 62)

struct worker;

/* Makes w->initiator and w->explain; frees them, after all streams of the initiator's have ended. */
void outward_open(struct worker *w);
void outward_close(struct worker *w);

struct outward_refusal {
	enum stanza_error error;
	char text[160];
};

/* A stanza in pieces, from the hosted domain `from` to the remote one `to` (canonical). False: it was
 * not taken, and *why is what its sender is to be told. */
bool outward_stanza(struct worker *w, struct span from, struct span to, const struct span *pieces,
	unsigned n, struct outward_refusal *why) MUST_CHECK;

/* The same for an error of our own making: it goes where a stream to the domain is open, and is
 * dropped otherwise (rule 8.5). Counts what became of it. */
void outward_error(struct worker *w, struct span from, struct span to, struct span error);

/* A server of the remote domain `to` has asked about a key of `from`, and got this answer (static). */
void outward_verified(struct worker *w, struct span from, struct span to, const char *answer);

/* Records of POST_OUTWARD and POST_VERIFIED. */
void outward_record(struct worker *w, const char *p);
void outward_verified_record(struct worker *w, const char *p);

/* A look-up of the initiator's has ended. */
void outward_resolved(struct worker *w, uint64_t cookie, const struct resolve_answer *a);

/* Registry or policy have changed. */
void outward_review(struct worker *w);

/* Of the streams that it opened, those that still are: they end, in order. */
void outward_leave(struct worker *w, const char *why);

#endif
