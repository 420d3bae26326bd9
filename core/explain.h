/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why does a domain not federate? Of every pair that a stanza was to leave on, the last
 * attempts are remembered stage by stage: names, connection, TLS, stream, authentication,
 * claim, verification, result, with the time that each took, the address and the
 * condition. A failure is told the log in one event; SIGUSR1 has all of them told.
 *
 * What concerns the stream (up to authentication) is noted for the target, and taken over
 * by each pair that is claimed on it or fails before; one that waits is told with it.
 * Bounded: LIMIT_EXPLAINED pairs and as many targets a worker, EXPLAIN_ATTEMPTS of each
 * pair; those that were noted longest ago make room. Without memory nothing is noted.
 * Owner thread only; times in ms; texts are static.
 */
#ifndef SLUICE_CORE_EXPLAIN_H
#define SLUICE_CORE_EXPLAIN_H

#include "core/base/place.h"
#include "core/base/span.h"

#define EXPLAIN_ATTEMPTS 3

enum explain_stage {
	EXPLAIN_BEGUN, /* the first stanza came; or the stream was asked for */
	EXPLAIN_NAMES,
	EXPLAIN_TRIED, /* the last place that took no connection, and why */
	EXPLAIN_CONNECTED,
	EXPLAIN_TLS,
	EXPLAIN_STREAM,
	EXPLAIN_AUTH,
	EXPLAIN_CLAIMED,
	EXPLAIN_VERIFIED, /* the other server has asked us about the key */
	EXPLAIN_RESULT, /* valid, or why not */
	EXPLAIN_STAGES,
};

struct explain;

struct explain *explain_new(void); /* dies without memory */
void explain_free(struct explain *x);

/* Of the stream to a target. EXPLAIN_BEGUN: what was noted before concerns an earlier one, but for the
 * names, which were looked up for this. */
void explain_stream(struct explain *x, struct span to, enum explain_stage stage,
	const struct place *at, const char *detail, uint64_t now);

/* Of a pair. EXPLAIN_BEGUN: a new attempt. EXPLAIN_CLAIMED takes over what is known of the stream at
 * that place; at and detail may be NULL. */
void explain_pair(struct explain *x, struct span from, struct span to, enum explain_stage stage,
	const struct place *at, const char *detail, uint64_t now);

/* The other server has asked whether the pair's key is ours: noted if the pair is known at all, for
 * anybody may ask about anything. */
void explain_verified(struct explain *x, struct span from, struct span to, const char *answer,
	uint64_t now);

/* The pair's attempt has come to nothing: one event. */
void explain_failed(struct explain *x, struct span from, struct span to, const char *why,
	const char *condition, uint64_t now);

/* An event for each attempt of pairs that are not valid, those noted last first, and for a few that are;
 * at most LIMIT_EXPLAINED_AT_ONCE. */
void explain_all(const struct explain *x, uint64_t now);

#endif
