/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Authoritative Server (XEP-0220 section 2.2.2; protocol rule 2.6): stateless
 * answers to db:verify. `valid` is never delayed; answers other than valid are
 * counted against a rate per source (LIMIT_INVALID_PER_S per /32 or /64), beyond which
 * they are withheld, so that nobody can use us to test keys. One per worker,
 * owner thread only.
 */
#ifndef SLUICE_DIALBACK_AUTHORITY_H
#define SLUICE_DIALBACK_AUTHORITY_H

#include "core/base/addr.h"
#include "dialback/key.h"

struct authority;

enum authority_answer {
	AUTHORITY_VALID,
	AUTHORITY_INVALID,
	AUTHORITY_NOT_HOSTED, /* dialback error item-not-found */
	AUTHORITY_WITHHELD, /* over the rate: no answer, count it */
};

struct authority *authority_new(void); /* dies without memory */
void authority_free(struct authority *a);

/*
 * receiving: `from` of the db:verify, originating: `to`, both canonical, or with p == NULL when
 * they failed validation (then nothing is hashed and the answer is never valid: rule 3.1).
 * key: trimmed by the caller. hosted: originating is ours.
 */
enum authority_answer authority_check(struct authority *a, const struct secrets *secrets,
	struct span receiving, struct span originating, struct span id, struct span key,
	bool hosted, const struct addr *source, uint64_t now);

#endif
