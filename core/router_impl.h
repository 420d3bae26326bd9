/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of core/router.h: what stanzas from outside (core/router.c) and from backends
 * (core/router_backend.c) have in common.
 */
#ifndef SLUICE_CORE_ROUTER_IMPL_H
#define SLUICE_CORE_ROUTER_IMPL_H

#include "core/forward.h"
#include "core/route.h"
#include "core/router.h"

/* What a canary that disagrees has the sender told. */
extern const char parsers_differ[];

/* As it is read, not as it is written: raw bytes could name another domain (rule 7.6). */
struct span domain_read(struct address *a, struct span raw);

/* The error for a stanza, in the worker's scratch; empty when it must not be answered. */
struct span bounce_make(struct worker *w, const struct frame *f, enum stanza_error e,
	const char *text);

/*
 * Answers a stanza with an error. Its sender sits behind a backend of ours, or on another server: then
 * the error goes where a stream is open, for none is opened for it (rule 8.5).
 */
void router_bounce(struct worker *w, const struct frame *f, enum stanza_error e, const char *text);

/* Faults of the stanza itself go back to its sender. False: it was answered. */
bool stanza_sound(struct worker *w, const struct splice *edits, const struct jid *from,
	const struct jid *to);

/* The route to a backend; NULL after the stanza was answered. */
struct route *route_to(struct worker *w, const struct frame *f, const struct backend *b);

#endif
