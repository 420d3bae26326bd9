/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Authoritative endpoints and the streams to them: one record per place, with at
 * most one link. A record lives while it has claims or a link, and
 * for a while when there is something to remember: that it could not be reached,
 * or that a domain is asked about on a stream of its own ("apart"). Inside of
 * dialback/verify.c; owner thread only.
 */
#ifndef SLUICE_DIALBACK_ENDPOINT_H
#define SLUICE_DIALBACK_ENDPOINT_H

#include "core/base/hash.h"
#include "core/base/list.h"
#include "core/base/place.h"
#include "dialback/table.h"
#include "dialback/verify.h"

struct dialer;

struct endpoint {
	struct table_node node;
	struct place place;
	struct verify_link *link; /* NULL: not dialled */
	struct list members; /* claims that are at this endpoint */
	struct list memory; /* in endpoints->memory while there is something to remember */
	uint64_t failed_until, apart_until; /* ms */
	bool reached; /* while failed: it could be connected to */
	uint32_t pins; /* held by a function that goes on using it */
	uint16_t only_len;
	char only[]; /* the one domain that it is for; empty: all others */
};

struct verify_link {
	struct endpoint *endpoint;
	struct dialer *payer; /* while it is opening */
	struct list asked; /* claims, the oldest question first */
	struct list idle; /* in verifier->idle */
	uint64_t idle_since;
	uint64_t answers; /* that came over it */
	uint32_t questions; /* asked on it */
	uint32_t orphans; /* questions whose claims are gone: their answers are solicited */
	bool connected;
	bool up;
	bool closing; /* takes no more questions */
	bool silent; /* a question ran out of time, and no answer came since */
	void *user;
	uint16_t header_to_len;
	char header_to[];
};

struct endpoints {
	struct hash_key key;
	struct table table;
	struct list memory; /* the oldest first */
	uint32_t remembered;
};

void endpoints_init(struct endpoints *es); /* dies without memory */
void endpoints_free(struct endpoints *es);
/* Forgets what is over; some at a time. */
void endpoints_prune(struct endpoints *es, uint64_t now);

/* The record that serves `domain` at this place. NULL without memory. */
struct endpoint *endpoint_get(struct endpoints *es, const struct place *at, struct span domain,
	uint64_t now);
/* Frees it unless something still needs it. To be called when a claim, the link or a pin goes. */
void endpoint_settle(struct endpoints *es, struct endpoint *e);
void endpoint_failed(struct endpoints *es, struct endpoint *e, uint64_t now);
/* From now on `domain` has a stream of its own there. */
void endpoint_set_apart(struct endpoints *es, const struct place *at, struct span domain,
	uint64_t now);

/* Becomes e's link. NULL without memory. */
struct verify_link *link_new(struct endpoint *e, struct span header_to);
void link_free(struct verify_link *link);

#endif
