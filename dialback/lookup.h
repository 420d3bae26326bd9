/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The look-up of one sender domain, shared by all claims about it (single flight).
 * It lives while it is under way or a claim tries its places. Inside of
 * dialback/verify.c; owner thread only.
 */
#ifndef SLUICE_DIALBACK_LOOKUP_H
#define SLUICE_DIALBACK_LOOKUP_H

#include "core/base/hash.h"
#include "core/base/list.h"
#include "core/base/place.h"
#include "dialback/table.h"

struct verify_source;

struct lookup {
	struct table_node by_name, by_cookie;
	bool named; /* in lookups->names: new claims join it */
	bool resolving; /* in lookups->cookies */
	uint64_t cookie;
	struct verify_source *source; /* whose slot it has, while it is resolving */
	struct list claims; /* in CLAIM_RESOLVING */
	struct place *places;
	uint64_t begun_at, found_at; /* ms */
	uint32_t n;
	uint32_t refs; /* claims, and 1 while it is resolving */
	uint16_t len;
	char domain[];
};

struct lookups {
	struct hash_key key;
	struct table names, cookies;
	uint64_t cookie; /* the last one given out */
};

void lookups_init(struct lookups *ls); /* dies without memory */
void lookups_free(struct lookups *ls); /* after all claims have released theirs */

/* One that is under way or has found fresh places, or NULL. */
struct lookup *lookup_find(struct lookups *ls, struct span domain, uint64_t now);
/* A new one, resolving and named. NULL without memory. */
struct lookup *lookup_new(struct lookups *ls, struct span domain);
struct lookup *lookup_by_cookie(struct lookups *ls, uint64_t cookie);
void lookup_hold(struct lookup *l);
void lookup_release(struct lookups *ls, struct lookup *l);

/* It is not resolving any more; the reference for that stays the caller's. With n == 0, and
 * without memory for the places (false), nobody can join it any more. */
bool lookup_settle(struct lookups *ls, struct lookup *l, const struct place *places, uint32_t n,
	uint64_t now) MUST_CHECK;

#endif
