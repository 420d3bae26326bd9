/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream that we open to an authoritative server to have keys verified: one per
 * endpoint for the whole router, shared by all questions of all workers (protocol
 * rule 2.5). Carries db:verify and nothing else. TLS from the first byte where the
 * place asks for it (rule 6.4), by STARTTLS wherever else it is offered.
 *
 * It belongs to the home of the endpoint. Each worker that uses it has a call open
 * (core/authcall.h); it ends with the last of them. Whose question an answer belongs
 * to is told by the stream id in it, which we made (crew_maker).
 */
#ifndef SLUICE_CORE_AUTHLINK_H
#define SLUICE_CORE_AUTHLINK_H

#include "core/post.h"

struct authlinks; /* all of a worker */
struct worker;

struct authlinks *authlinks_new(struct worker *w); /* dies without memory */
void authlinks_free(struct authlinks *as); /* all streams must have closed */

/* A record of POST_DIAL, POST_ASK, POST_HANG_UP or POST_STRAY. */
void authlinks_record(struct authlinks *as, unsigned from, enum post kind, const char *p);

#endif
