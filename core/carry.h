/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stream keeps of its input: the bytes of an element that is not complete
 * yet, and after a pause what follows it. All carries of a worker are bounded
 * together: whoever can open connections could otherwise fill the memory with
 * elements that never end (T-Z1). When they take too much, one has to go: of
 * those whose streams have proven nothing the one that has waited longest for its
 * end, and only then of the others. Bytes are counted as they were allocated.
 * Owner thread only.
 */
#ifndef SLUICE_CORE_CARRY_H
#define SLUICE_CORE_CARRY_H

#include "core/base/list.h"
#include "core/base/span.h"

struct carries { /* of a worker */
	struct list strangers, proven; /* those that hold bytes, longest first */
	size_t bytes, max; /* allocated, and how much of it may be */
};

struct carry {
	struct carries *all;
	struct list link;
	char *p; /* SCAN_PAD readable bytes behind the last */
	size_t n, cap;
	bool proven;
};

void carries_init(struct carries *all, size_t max);
/* Who has to go, or NULL: they are within the bound. Ask after carry_append. */
struct carry *carries_victim(const struct carries *all);

void carry_init(struct carry *c, struct carries *all);
void carry_free(struct carry *c); /* and may be used again */
/* The stream is a backend's, or has proven a domain. */
void carry_prove(struct carry *c);

bool carry_append(struct carry *c, const char *p, size_t n) MUST_CHECK; /* false: no memory */
void carry_drop(struct carry *c, size_t n); /* the first n bytes */

#endif
