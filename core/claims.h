/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dialback elements of an inbound stream: reads db:result and db:verify,
 * gathers the facts for dialback/receive.h and dialback/authority.h, and writes
 * the answers (templates B4, B6, B7). Owner thread of the stream.
 */
#ifndef SLUICE_CORE_CLAIMS_H
#define SLUICE_CORE_CLAIMS_H

#include "core/inbound.h"

/* An element in the dialback namespace; its turn may come later (core/backlog.h). */
void claims_element(struct inbound *in, const struct frame *f);
/* One that has come before, in these bytes: its turn is now. */
void claims_now(struct inbound *in, struct span element);

/* An element that changes nothing: counted, and told the log; on streams to authorities, too. */
void claims_ignored(struct stream *s, const struct element *e, const char *why);
/* False: too many of them within an hour for a stream that has proven nothing (rule 2.11). */
bool claims_patience(struct stream *s);
/* The same as claims_ignored for an answer that came over another worker's stream. */
void claims_stray(struct worker *w, const struct addr *peer, struct span from, struct span to,
	const char *type);

/* The sender has proven itself without a key (SASL EXTERNAL): the pair is VALID, if registry and
 * policy permit it. */
void claims_proven(struct inbound *in, struct span from, struct span to);

/* verify_ops.done; ctx is the worker. */
void claims_done(void *ctx, struct claim *c, enum verify_outcome outcome,
	const struct addr *authority);

/* Once per turn: streams that were paused because too many claims waited. */
void claims_resume(struct worker *w);

#endif
