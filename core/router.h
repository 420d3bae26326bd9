/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The router: what happens to one stanza (protocol rules 8.1 to 8.6). Decides by
 * the pair, rewrites what must be rewritten at the start tag, and hands the bytes
 * to the target's route; never re-serialises. Owner thread only.
 *
 * Per stanza: one look-up in the stream's own table, one append; no allocation,
 * no lock, no line shared with another worker.
 */
#ifndef SLUICE_CORE_ROUTER_H
#define SLUICE_CORE_ROUTER_H

#include "core/bounce.h"

struct component;
struct inbound;
struct worker;

/* A stanza from another server (table 8.3). May fail the stream or pause it. */
void router_from_outside(struct inbound *in, const struct frame *f);
/* A stanza from a backend: to another hosted domain, or answered with an error. */
void router_from_backend(struct component *c, const struct frame *f);

/*
 * A stanza over which the two parsers differ (core/canary.h) is not routed. Its sender gets
 * internal-server-error: that the router does not know what it has before it is no fault of the
 * sender's, and the same bytes will not fare better later (type cancel). The stream lives, whoever
 * is wrong: closing it would make one tenant's stanza the loss of all. What the scanner read is not
 * trusted with more than that: from outside the answer goes to domains that were proven on this
 * stream, of a backend back to where it came from.
 */
void router_refuse_outside(struct inbound *in, const struct frame *f);
void router_refuse_backend(struct component *c, const struct frame *f);

/* Under whom its bytes count in a queue that fills up (core/shares.h). */
uint64_t router_whose(struct worker *w, const struct frame *f);

/* A stanza in bytes that could not be delivered to a backend goes back to its sender. SCAN_PAD
 * bytes behind it must be readable. */
void router_return(struct worker *w, struct span stanza, enum stanza_error e, const char *text);

/*
 * Calls fn for each whole stanza of a piece of a stream's content: stanzas that name no content
 * namespace, and what we say ourselves between them. SCAN_PAD bytes behind it must be readable.
 */
void router_each_stanza(struct worker *w, struct span content,
	void (*fn)(void *ctx, const struct frame *f), void *ctx);

#endif
