/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain names of a run.
 *
 *   d<i>.SUFFIX    sender of pair i (0 .. pairs-1)
 *   x<i>.SUFFIX    sender of probe i, whose key our authority calls invalid
 *   xmpp.SUFFIX    the one host that all SRV records of SUFFIX point to
 *
 * Names of senders are printed when they are wanted: there may be millions. Targets are given by
 * name or are h1.TARGET_SUFFIX, h2.TARGET_SUFFIX, ...; with S streams pair i, which is on stream
 * i mod S, goes to target (i / S) mod targets, so that each stream has something for everybody, or, by
 * stream, to target (i mod S) mod targets. Target t is behind backend t mod backends. The targets'
 * texts belong to the struct.
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

struct names {
	char suffix[NAMES_MAX + 1];
	size_t suffix_len;
	uint32_t n_pairs, n_probes, n_targets, n_streams;
	uint32_t n_backends; /* 1 unless set */
	bool by_stream; /* false unless set: see above */
	struct text *targets;
	char *store;
};

/*
 * given: names of the targets, or NULL for h1.target_suffix and so on; copied.
 * false when a name would be longer than a domain name may be.
 */
bool names_init(struct names *n, const char *suffix, uint32_t pairs, uint32_t probes,
	const char *const *given, const char *target_suffix, uint32_t targets, uint32_t streams);
void names_free(struct names *n);

/* The sender of a pair, or of a probe, in text (NAMES_TEXT bytes), with a NUL behind it. */
struct text names_pair(const struct names *n, uint32_t pair, char *text);
struct text names_probe(const struct names *n, uint32_t probe, char *text);

/* The number of a pair's target. */
static inline uint32_t names_target_number(const struct names *n, uint32_t pair)
{
	return (n->by_stream ? pair % n->n_streams : pair / n->n_streams) % n->n_targets;
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

/*
 * What a domain name is, letters in any case, one trailing dot allowed. *index is the
 * number of the pair or probe and is set only for those two kinds.
 */
enum name_kind names_find(const struct names *n, struct text name, uint32_t *index);

/* Whether a name is SUFFIX or below it. */
bool names_covers(const struct names *n, struct text name);

#endif
