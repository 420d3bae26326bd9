/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "core/base/limits.h"
#include "dialback/authority.h"

#define ID "q7Zr0pD2mV8sK4xN"
#define V4 "ebcac7531258efda1f811cfeea7e6197cb03a2874f0c1b0b3f8f76cbdd4c63ad"
#define WRONG "ebcac7531258efda1f811cfeea7e6197cb03a2874f0c1b0b3f8f76cbdd4c63ae"

static struct authority *authority;
static struct secrets *secrets;

static void setup(void)
{
	const char *why;

	authority = authority_new();
	secrets = secrets_parse(SPAN_LIT("router-cluster-secret-A"), &why);
	cr_assert_not_null(secrets);
}

static void teardown(void)
{
	authority_free(authority);
	secrets_free(secrets);
}

TestSuite(authority, .init = setup, .fini = teardown);

static struct addr source_of(uint32_t n)
{
	struct addr a = { .ip = { [10] = 0xff,
				  [11] = 0xff,
				  (uint8_t)(n >> 24),
				  (uint8_t)(n >> 16),
				  (uint8_t)(n >> 8),
				  (uint8_t)n },
		.port = (uint16_t)(1024 + n % 60000) };

	return a;
}

static enum authority_answer ask(const char *key, struct addr from, uint64_t now)
{
	return authority_check(authority, secrets, SPAN_LIT("rx.peer.test"),
		SPAN_LIT("shop.hosted.test"), SPAN_LIT(ID), span_str(key), true, &from, now);
}

/* T-A1, T-A2 */
Test(authority, valid_and_invalid)
{
	cr_expect_eq(ask(V4, source_of(1), 0), AUTHORITY_VALID);
	cr_expect_eq(ask(WRONG, source_of(1), 0), AUTHORITY_INVALID);
	cr_expect_eq(ask("", source_of(1), 0), AUTHORITY_INVALID);
}

/* T-A3 */
Test(authority, not_hosted)
{
	struct addr from = source_of(1);

	cr_expect_eq(authority_check(authority, secrets, SPAN_LIT("rx.peer.test"),
			     SPAN_LIT("nope.hosted.test"), SPAN_LIT(ID), SPAN_LIT(V4), false, &from,
			     0),
		AUTHORITY_NOT_HOSTED);
	/* Even when the key would be ours. */
	cr_expect_eq(authority_check(authority, secrets, SPAN_LIT("rx.peer.test"),
			     SPAN_LIT("shop.hosted.test"), SPAN_LIT(ID), SPAN_LIT(V4), false, &from,
			     0),
		AUTHORITY_NOT_HOSTED);
}

/* T-K16: nothing is hashed, so that not even a key that fits is valid */
Test(authority, domains_that_failed_validation)
{
	struct addr from = source_of(1);
	char key[KEY_HEX + 1];

	key_make(secrets, SPAN_NONE, SPAN_LIT("shop.hosted.test"), SPAN_LIT(ID), key);
	cr_expect_eq(authority_check(authority, secrets, SPAN_NONE, SPAN_LIT("shop.hosted.test"),
			     SPAN_LIT(ID), span_str(key), true, &from, 0),
		AUTHORITY_INVALID);
	key_make(secrets, SPAN_LIT("rx.peer.test"), SPAN_NONE, SPAN_LIT(ID), key);
	cr_expect_eq(authority_check(authority, secrets, SPAN_LIT("rx.peer.test"), SPAN_NONE,
			     SPAN_LIT(ID), span_str(key), true, &from, 0),
		AUTHORITY_INVALID);
	cr_expect_eq(authority_check(authority, secrets, SPAN_LIT("rx.peer.test"), SPAN_NONE,
			     SPAN_LIT(ID), span_str(key), false, &from, 0),
		AUTHORITY_INVALID);
}

/* T-A9 */
Test(authority, only_wrong_keys_are_limited)
{
	struct addr from = source_of(7);
	unsigned valid = 0, invalid = 0, withheld = 0;

	for (int i = 0; i < 11000; i++) {
		enum authority_answer a = ask(i % 11 ? V4 : WRONG, from, 5000);

		valid += a == AUTHORITY_VALID;
		invalid += a == AUTHORITY_INVALID;
		withheld += a == AUTHORITY_WITHHELD;
	}
	cr_expect_eq(valid, 10000);
	cr_expect_eq(invalid, LIMIT_INVALID_PER_S);
	cr_expect_eq(withheld, 1000 - LIMIT_INVALID_PER_S);
}

Test(authority, the_rate_comes_back)
{
	struct addr from = source_of(7), other = source_of(8);
	unsigned n = 0;

	while (ask(WRONG, from, 0) == AUTHORITY_INVALID)
		n++;
	cr_expect_eq(n, LIMIT_INVALID_PER_S);
	cr_expect_eq(ask(WRONG, other, 0), AUTHORITY_INVALID, "a rate of its own");
	from.port++;
	cr_expect_eq(ask(WRONG, from, 4), AUTHORITY_WITHHELD, "ports do not matter");
	cr_expect_eq(ask(WRONG, from, 5), AUTHORITY_INVALID);
	cr_expect_eq(ask(WRONG, from, 5), AUTHORITY_WITHHELD);
	for (n = 0; ask(WRONG, from, 505) == AUTHORITY_INVALID;)
		n++;
	cr_expect_eq(n, LIMIT_INVALID_PER_S / 2);
	for (n = 0; ask(WRONG, from, 1u << 30) == AUTHORITY_INVALID;)
		n++;
	cr_expect_eq(n, LIMIT_INVALID_PER_S);
}

Test(authority, not_hosted_counts_too)
{
	struct addr from = source_of(9);

	for (int i = 0; i < LIMIT_INVALID_PER_S; i++)
		cr_assert_eq(authority_check(authority, secrets, SPAN_LIT("a"), SPAN_LIT("b"),
				     SPAN_LIT(ID), SPAN_LIT(V4), false, &from, 0),
			AUTHORITY_NOT_HOSTED);
	cr_expect_eq(ask(WRONG, from, 0), AUTHORITY_WITHHELD);
	cr_expect_eq(ask(V4, from, 0), AUTHORITY_VALID);
}

/* More sources than entries: nobody is refused a valid answer or his first invalid one. */
Test(authority, many_sources)
{
	for (uint32_t n = 0; n < 20000; n++)
		cr_assert_eq(ask(WRONG, source_of(n), 0), AUTHORITY_INVALID);
}

/* Hosts of one /64 share a rate. */
Test(authority, ipv6_prefix)
{
	struct addr from = { .ip = { 0x20, 0x01, 0x0d, 0xb8 }, .port = 1 };

	for (int i = 0; i < LIMIT_INVALID_PER_S; i++) {
		from.ip[15] = (uint8_t)i;
		cr_assert_eq(ask(WRONG, from, 0), AUTHORITY_INVALID);
	}
	cr_expect_eq(ask(WRONG, from, 0), AUTHORITY_WITHHELD);
	from.ip[7] = 1;
	cr_expect_eq(ask(WRONG, from, 0), AUTHORITY_INVALID);
}
