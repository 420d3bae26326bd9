/* SPDX-License-Identifier: GPL-2.0-or-later */
/* To make identities of built certificates, and to ask them. */
#ifndef SLUICE_TEST_IDENTITY_ASK_H
#define SLUICE_TEST_IDENTITY_ASK_H

#include <criterion/criterion.h>

#include "core/base/domain.h"
#include "dialback/identity.h"
#include "tests/unit/base/der_build.h"

static inline struct identity *identity_of(struct span extensions)
{
	struct identity *id = identity_new(build_with(extensions));

	cr_assert_not_null(id);
	return id;
}

/* Domains come in canonical form, as from domain_parse. */
static inline bool asks(const struct identity *id, const char *domain, struct identity_proof *proof)
{
	const char *why = NULL;
	struct domain d;

	cr_assert(domain_parse(span_str(domain), &d), "%s", domain);
	if (identity_covers(id, domain_span(&d), proof, &why)) {
		cr_assert_eq(strlen(proof->name.p), proof->name.n);
		return true;
	}
	cr_assert(why && why[0], "no reason for %s", domain);
	return false;
}

#endif
