/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain pairs of one inbound stream: the authority on what that stream may
 * say. Plain memory of the worker that owns the stream; no atomics. VALID is
 * neither evicted nor expired: it ends with the stream or by revocation.
 *
 * A stanza is looked up by the raw bytes of its two domains as they stand, so
 * that case folding and IDNA are paid once per spelling: pairs_find. Spellings
 * enter the table when a pair is made (its canonical form) and by
 * pairs_remember, at most LIMIT_SPELLINGS more per pair. Pairs are made by
 * db:result (and SASL) only, never by a stanza.
 *
 * A pointer to a pair is stable until pairs_free; at the bound, a pair that is of
 * no use any more (see pairs_add) becomes another pair. Whoever keeps a pointer
 * over a call of pairs_add keeps it to a pair in VERIFYING or VALID.
 *
 * Cost: a look-up is a comparison with the last hit, else one probe (one slot, one
 * spelling, one pair). Names are hashed with a seed of this table; whoever found
 * colliding names all the same would make a run of slots longer than the bound in
 * pairs.c, at which the table goes over to SipHash. 10,000 pairs of usual names
 * take less than 160 bytes each.
 */
#ifndef SLUICE_DIALBACK_PAIRS_H
#define SLUICE_DIALBACK_PAIRS_H

#include "core/base/span.h"
#include "dialback/condition.h"

enum pair_state {
	PAIR_NONE, /* known, nothing asked: made and forgotten again */
	PAIR_VERIFYING, /* a claim is under way, waiting or sent */
	PAIR_VALID,
	PAIR_REFUSED, /* answered with `refusal`; repeated until `refused_until` */
	PAIR_STATES,
};

struct claim;
struct pairs;

struct pair {
	struct claim *claim; /* VERIFYING: owned by dialback/verify.c */
	void *route; /* core's: where the target lives; good while route_gen is current */
	uint64_t refused_until; /* ms */
	uint32_t route_gen;
	uint32_t from_hash; /* for the table of senders */
	uint32_t names; /* where the canonical "from\0to\0" is in the table's arena */
	uint16_t from_len, to_len;
	uint16_t names_room; /* what that place holds, in the arena's units */
	uint8_t state; /* enum pair_state; written by pairs_set_state only */
	uint8_t refusal; /* enum db_condition */
	bool refused_invalid; /* the stored answer was type='invalid', not an error */
	bool restarted; /* its one second verification is used up (2.4 row 9) */
	uint8_t spellings;
};

struct pairs_hit {
	struct pair *pair; /* NULL: unknown spelling */
	bool canonical; /* the spelling is the canonical form: forward it verbatim */
};

/* max: bound on pairs (--max-pairs-per-stream). NULL without memory. */
struct pairs *pairs_new(uint32_t max);
void pairs_free(struct pairs *ps);

/* The hot path: raw domains of a stanza. */
struct pairs_hit pairs_find(struct pairs *ps, struct span from, struct span to);

/* By canonical form: an existing pair or NULL. */
struct pair *pairs_get(struct pairs *ps, struct span from, struct span to);

/* Finds or makes. NULL at the bound or without memory; nothing VALID is ever displaced. Pairs in
 * state NONE, and REFUSED ones whose time is over, may be reused when the bound is reached: if the
 * new names fit in the place of the old ones, no further spelling of them was remembered, and one is
 * found among the next few thousand. */
struct pair *pairs_add(struct pairs *ps, struct span from, struct span to, uint64_t now);

/* Remembers a further spelling of p, if there is room for it. The spelling must mean p. */
void pairs_remember(struct pairs *ps, struct pair *p, struct span raw_from, struct span raw_to);

/* The only writer of state. BUG_ON for an edge that the state machine does not have. */
void pairs_set_state(struct pairs *ps, struct pair *p, enum pair_state to);

/* Good for as long as the pointer to the pair is; NUL-terminated. */
struct span pair_from(const struct pairs *ps, const struct pair *p);
struct span pair_to(const struct pairs *ps, const struct pair *p);

uint32_t pairs_count(const struct pairs *ps, enum pair_state state);
uint32_t pairs_total(const struct pairs *ps);
/* Is `from` (canonical) the sender of any VALID pair? O(1). */
bool pairs_sender_valid(const struct pairs *ps, struct span from);
/* An invalid key was answered `forbidden` because other pairs were alive (rule 2.8.2): the table
 * remembers it until the stream ends. For dialback/receive.c. */
void pairs_set_softened(struct pairs *ps);
bool pairs_softened(const struct pairs *ps);
size_t pairs_memory(const struct pairs *ps); /* bytes held */

/* All pairs, in the order in which they were made; the callback may change states, and must not
 * call pairs_add. */
void pairs_each(struct pairs *ps, void (*fn)(void *ctx, struct pair *p), void *ctx);

#endif
