/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificates with many names: every name is found, and the bounds hold. */
#include <stdio.h>

#include "core/base/limits.h"
#include "tests/unit/dialback/identity_ask.h"

#define UE "\xc3\xbc"

TestSuite(identity_many, .timeout = 120);

static struct span nth_name(char *out, size_t size, unsigned i)
{
	return span_of(out,
		(size_t)snprintf(out, size, "%s%u.many.peer.test", i % 3 ? "" : "*.n", i));
}

/* `n` names "N.many.peer.test", every third "*.nN.many.peer.test". */
static struct identity *crowd(unsigned n)
{
	static struct span names[LIMIT_CERT_NAMES + 1];
	char text[64];

	cr_assert(n <= ARRAY_LEN(names));
	for (unsigned i = 0; i < n; i++)
		names[i] = TLV(DER_CONTEXT + 2, nth_name(text, sizeof(text), i));
	return identity_of(ALT_NAMES(build_join(names, n)));
}

Test(identity_many, each_of_many_names_is_found)
{
	struct identity *id = crowd(LIMIT_CERT_NAMES);
	struct identity_proof proof;
	char domain[80], name[64];

	for (unsigned i = 0; i < 2 * LIMIT_CERT_NAMES; i++) {
		snprintf(domain, sizeof(domain), "%s%u.many.peer.test", i % 3 ? "" : "any.n", i);
		cr_assert_eq(asks(id, domain, &proof), i < LIMIT_CERT_NAMES, "%s", domain);
		if (i < LIMIT_CERT_NAMES)
			cr_assert(span_eq(proof.name, nth_name(name, sizeof(name), i)));
	}
	cr_assert_leq(identity_memory(id), 96 + LIMIT_CERT_NAMES * 32);
	identity_free(id);
}

Test(identity_many, names_beyond_the_bound_are_not_looked_at)
{
	struct identity *id = crowd(LIMIT_CERT_NAMES + 1);
	struct identity_proof proof;
	const char *why;

	cr_assert(asks(id, "1.many.peer.test", &proof));
	cr_assert_not(identity_covers(id, SPAN_LIT("1024.many.peer.test"), &proof, &why));
	cr_assert_str_eq(why, "the domain is none of its names, of which not all were looked at");
	identity_free(id);
}

/* Names that cost much to bring into canonical form: of those only some. */
Test(identity_many, mapped_names_beyond_the_bound_are_not_looked_at)
{
	static struct span names[LIMIT_CERT_MAPPED + 3];
	struct identity_proof proof;
	struct identity *id;
	char text[64];

	for (size_t i = 0; i <= LIMIT_CERT_MAPPED; i++) {
		snprintf(text, sizeof(text), UE "%zu.test", i);
		names[i] = OTHER_NAME(OID_XMPP, TLV(DER_UTF8_STRING, span_str(text)));
	}
	names[LIMIT_CERT_MAPPED + 1] = XMPP("plain.test");
	names[LIMIT_CERT_MAPPED + 2] = DNS("xn--tda.test");
	id = identity_of(ALT_NAMES(build_join(names, ARRAY_LEN(names))));
	for (size_t i = 0; i <= LIMIT_CERT_MAPPED; i++) {
		snprintf(text, sizeof(text), UE "%zu.test", i);
		cr_assert_eq(asks(id, text, &proof), i < LIMIT_CERT_MAPPED, "%s", text);
	}
	cr_assert(asks(id, "plain.test", &proof));
	cr_assert(asks(id, UE ".test", &proof));
	identity_free(id);
}

/* The bound that the header states: by the longest names, and for one short one. */
Test(identity_many, memory_is_bounded)
{
	static struct span names[LIMIT_CERT_NAMES];
	struct identity *id;
	char text[56];

	for (unsigned i = 0; i < LIMIT_CERT_NAMES; i++) {
		snprintf(text, sizeof(text), "%050u.test", i);
		names[i] = TLV(DER_CONTEXT + 2, span_str(text));
	}
	id = identity_of(ALT_NAMES(build_join(names, ARRAY_LEN(names))));
	cr_assert_null(identity_fault(id));
	cr_assert_leq(identity_memory(id), 96 + LIMIT_CERT_NAMES * (8 + sizeof(text)));
	identity_free(id);
	id = identity_of(ALT_NAMES(DNS("rx.peer.test")));
	cr_assert_leq(identity_memory(id), 96);
	identity_free(id);
}
