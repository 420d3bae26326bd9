/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain names of a run.
 *
 *   d<i>.SUFFIX    sender of pair i (0 .. pairs-1)
 *   x<i>.SUFFIX    sender of probe i, whose key our authority calls invalid
 *   xmpp.SUFFIX    the one host that all SRV records of SUFFIX point to
 *
 * Those are the domains outside. A pair is one of them and one hosted domain; its stanzas go in, or out.
 *
 * Names of senders are printed when they are wanted: there may be millions. Targets are given by
 * name or are h1.TARGET_SUFFIX, h2.TARGET_SUFFIX, ...; with S streams pair i, which is on stream
 * i mod S, goes to target (i / S) mod targets, so that each stream has something for everybody, or, by
 * stream, to target (i mod S) mod targets. Target t is behind backend t mod backends. The targets'
 * texts belong to the struct.
 *
 * Outward the pairs are those of M targets and N outside domains, M x N at most, in such an order that as
 * many of them as the larger of the two numbers use every domain: each of that side's takes its turn, and in
 * each round the other side's are those of the round before, one further.
 *
 * When stanzas that came in are sent on (not outward, but way NAMES_OUT), pair i's go from its target to
 * the outside domain of the next pair.
 */
#ifndef SLUICE_BENCH_NAMES_H
#define SLUICE_BENCH_NAMES_H

#include "bench/bench.h"

#define NAMES_MAX 255
#define NAMES_TEXT (NAMES_MAX + 1) /* bytes for a sender's name */

enum name_kind {
	NAME_OTHER,
	NAME_PAIR,
	NAME_PROBE,
	NAME_HOST,
};

enum names_way { NAMES_IN, NAMES_OUT };

struct names {
	char suffix[NAMES_MAX + 1];
	size_t suffix_len;
	uint32_t n_pairs, n_probes, n_targets, n_streams;
	uint32_t n_hosted; /* n_targets unless that is set lower: those behind it are in no pair */
	uint32_t n_outside; /* n_pairs unless set */
	uint32_t n_backends; /* 1 unless set */
	uint32_t n_endpoints; /* 1 unless set: outside domain i is at endpoint i mod this */
	bool by_stream; /* false unless set: see above */
	bool outward; /* likewise */
	struct text *targets;
	char *store;
	bool given; /* the targets' names were */
};

/*
 * given: names of the targets, or NULL for h1.target_suffix and so on; copied.
 * false when a name would be longer than a domain name may be.
 */
bool names_init(struct names *n, const char *suffix, uint32_t pairs, uint32_t probes,
	const char *const *given, const char *target_suffix, uint32_t targets, uint32_t streams);
void names_free(struct names *n);

/* Domain d<pair>, or the sender of a probe, in text (NAMES_TEXT bytes), with a NUL behind it. */
struct text names_pair(const struct names *n, uint32_t pair, char *text);
struct text names_probe(const struct names *n, uint32_t probe, char *text);

/* The number of a pair's target. */
static inline uint32_t names_target_number(const struct names *n, uint32_t pair)
{
	uint32_t wide = n->n_outside;

	if (!n->outward)
		return (n->by_stream ? pair % n->n_streams : pair / n->n_streams) % n->n_targets;
	return n->n_targets >= wide ? pair % n->n_targets
				    : (pair % wide + pair / wide) % n->n_targets;
}

/* The number of the outside domain of a pair, whose stanzas go this way. */
static inline uint32_t names_outside_number(const struct names *n, enum names_way way,
	uint32_t pair)
{
	uint32_t wide = n->n_targets;

	if (!n->outward)
		return way == NAMES_IN ? pair : (pair + 1) % n->n_outside;
	return n->n_outside > wide ? pair % n->n_outside
				   : (pair % wide + pair / wide) % n->n_outside;
}

/* The target of a pair. */
static inline struct text names_target(const struct names *n, uint32_t pair)
{
	return n->targets[names_target_number(n, pair)];
}

/* The number of the backend that it is behind. */
static inline uint32_t names_backend(const struct names *n, uint32_t pair)
{
	return names_target_number(n, pair) % n->n_backends;
}

/* The number of the backend, or outward of the endpoint, that gets a pair's stanzas. */
static inline uint32_t names_receiver(const struct names *n, uint32_t pair)
{
	return n->outward ? names_outside_number(n, NAMES_OUT, pair) % n->n_endpoints
			  : names_backend(n, pair);
}

/* From whom and to whom a pair's stanzas are; text as for names_pair. */
struct text names_from(const struct names *n, enum names_way way, uint32_t pair, char *text);
struct text names_to(const struct names *n, enum names_way way, uint32_t pair, char *text);

/*
 * The other way round, for NAMES_OUT: the pair of hosted domain number `hosted` and outside domain
 * `outside`. false when there is none.
 */
bool names_pair_of(const struct names *n, uint32_t hosted, uint32_t outside, uint32_t *pair);

/* The number of a hosted domain, letters in any case. */
bool names_find_hosted(const struct names *n, struct text name, uint32_t *number);

/* The domain of an address. */
struct text names_domain(const char *address);

/*
 * What a domain name is, letters in any case, one trailing dot allowed. *index is the
 * number of the pair or probe and is set only for those two kinds.
 */
enum name_kind names_find(const struct names *n, struct text name, uint32_t *index);

/* Whether a name, one trailing dot allowed, is suffix or below it. */
bool names_below(const char *suffix, struct text name);

/* The same of SUFFIX. */
bool names_covers(const struct names *n, struct text name);

#endif
