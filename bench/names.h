/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain names of a run.
 *
 *   d<i>.SUFFIX    sender of pair i (0 .. pairs-1)
 *   x<i>.SUFFIX    sender of probe i, whose key our authority calls invalid
 *   xmpp.SUFFIX    the one host that all SRV records of SUFFIX point to
 *
 * Targets are given by name or are h1.TARGET_SUFFIX, h2.TARGET_SUFFIX, ...; pair i on
 * stream s of S goes to target (i / S) mod targets. Texts belong to the struct.
 */
#ifndef SLUICE_BENCH_NAMES_H
#define SLUICE_BENCH_NAMES_H

#include "bench/bench.h"

#define NAMES_MAX 255

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
	struct text *pairs;
	struct text *probes;
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

/* The target of a pair. */
static inline struct text names_target(const struct names *n, uint32_t pair)
{
	return n->targets[pair / n->n_streams % n->n_targets];
}

/*
 * What a domain name is, letters in any case, one trailing dot allowed. *index is the
 * number of the pair or probe and is set only for those two kinds.
 */
enum name_kind names_find(const struct names *n, struct text name, uint32_t *index);

/* Whether a name is SUFFIX or below it. */
bool names_covers(const struct names *n, struct text name);

#endif
