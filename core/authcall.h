/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a worker's verifier reaches what exists once for the whole router: the look-up
 * of a domain, and the stream to an authoritative endpoint. Both are at their homes
 * (core/crew.h), so that N workers ask the DNS once and open one connection; a call
 * is this worker's use of such a stream (core/authlink.h). The home may be the worker
 * itself: what it is asked for goes over the mesh all the same, since the verifier
 * must not be called back from inside; what it has to say is said at once.
 *
 * Owner thread only.
 */
#ifndef SLUICE_CORE_AUTHCALL_H
#define SLUICE_CORE_AUTHCALL_H

#include "core/authpost.h"
#include "dialback/verify.h"
#include "net/resolve.h"

struct authcalls;
struct worker;

struct authcalls *authcalls_new(struct worker *w); /* dies without memory */
void authcalls_free(struct authcalls *cs);

/* For verifier_new; its ctx is the worker. */
extern const struct verify_ops authcall_ops;

/* resolve_fn of the worker's resolver; ctx is the worker. */
void authcalls_resolved(void *ctx, uint64_t cookie, const struct resolve_answer *a);

/* What became of the stream; LINK_DOWN: the call is over, see struct post_link. Unknown calls, which
 * have been hung up meanwhile, are ignored. */
void authcalls_link(struct authcalls *cs, const struct post_link *post);
/* An answer came over the stream. False: it answers no question of this call; the log was told. */
bool authcalls_answer(struct authcalls *cs, uint64_t call, struct span from, struct span to,
	struct span id, enum answer answer);

/* A record of POST_RESOLVE, POST_RESOLVED, POST_LINK or POST_ANSWER. */
void authcalls_record(struct authcalls *cs, unsigned from, enum post kind, const char *p, size_t n);

#endif
