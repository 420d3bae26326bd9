/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One claim "I may speak for `from` to `to`, here is a key", from verifier_claim
 * to its end: one allocation, in at most one queue at a time. Inside of
 * dialback/verify.c; owner thread only.
 */
#ifndef SLUICE_DIALBACK_CLAIM_H
#define SLUICE_DIALBACK_CLAIM_H

#include "dialback/table.h"
#include "dialback/verify.h"
#include "dialback/wheel.h"

struct endpoint;
struct lookup;

/*                          queue                      time runs  member of an endpoint */
enum claim_state {
	CLAIM_NEW, /*       none                       no         no  */
	CLAIM_WAITING, /*   asker->waiting             no         no  */
	CLAIM_RESOLVING, /* lookup->claims             yes        no  */
	CLAIM_UNDIALLED, /* asker->undialled           no         yes */
	CLAIM_DIALLING, /*  none: the link comes or goes  yes     yes */
	CLAIM_READY, /*     asker->ready               no         yes */
	CLAIM_ASKED, /*     link->asked, and the table yes        yes */
	CLAIM_ENDED, /*     none                       no         no  */
	CLAIM_STATES,
};

struct claim {
	struct asker *asker;
	struct pair *pair;
	struct lookup *lookup; /* once it has begun */
	struct endpoint *endpoint;
	struct list all; /* in asker->claims */
	struct list queue;
	struct list member; /* in endpoint->members */
	struct deadline deadline; /* in the wheel, or in verifier->paused when time does not run */
	struct table_node asked;
	uint32_t question; /* its number on the link, while asked */
	uint32_t left; /* ms of its time, while that does not run */
	uint8_t state; /* enum claim_state */
	uint8_t candidate; /* index of the place that is tried */
	bool joined; /* it has waited for a link to one of them */
	bool led; /* it began the look-up: source_learn */
	bool lost; /* a link was lost under it once */
	bool cancelled; /* asked already: waits for its answer, so that a later question about the
			 * same pair does not take that for its own */
	bool reached; /* one of its places could be connected to */
	bool tried; /* authority is set */
	struct addr authority;
	uint16_t from_len, to_len, id_len, key_len;
	uint32_t raw_from_len, raw_to_len;
	char text[]; /* from, to, id, key, raw_from, raw_to */
};

/* The state is CLAIM_NEW, nothing is linked. NULL without memory. */
struct claim *claim_new(struct asker *a, struct pair *pair, struct span from, struct span to,
	struct span raw_from, struct span raw_to, struct span key);
struct span claim_id(const struct claim *c); /* of the asking stream, when the claim was made */

/* -- lanes -- */

void lane_init(struct verify_lane *lane);
/* round: where the lane gets in line. */
void lane_push(struct verify_lane *lane, struct claim *c, struct list *round);
void lane_remove(struct verify_lane *lane, struct claim *c);
/* The next claim, whose lane goes to the end of the line; NULL when there is none. It stays in
 * its lane. */
struct claim *lane_next(struct list *round);

#endif
