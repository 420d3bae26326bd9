/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/names.h"

#include <criterion/criterion.h>

static struct text text_of(const char *s)
{
	return (struct text){ s, strlen(s) };
}

static bool is(struct text t, const char *s)
{
	return t.len == strlen(s) && memcmp(t.p, s, t.len) == 0;
}

static void make(struct names *n, uint32_t hosted, uint32_t outside, uint32_t pairs)
{
	cr_assert(names_init(n, "o.test", pairs, 0, NULL, "b.test", hosted, 1));
	n->n_outside = outside;
	n->outward = true;
}

Test(names, outward_each_hosted_domain_has_each_outside_one_once)
{
	static const uint32_t sizes[][2] = { { 1, 1 }, { 1, 7 }, { 7, 1 }, { 6, 4 }, { 4, 6 },
		{ 5, 5 }, { 7, 5 }, { 12, 18 } };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t m = sizes[i][0], n = sizes[i][1], pair, most = m > n ? m : n;
		bool seen[18][18] = { { false } }, hosted[18] = { false }, outside[18] = { false };
		struct names names;

		make(&names, m, n, m * n);
		for (uint32_t p = 0; p < m * n; p++) {
			uint32_t a = names_target_number(&names, p);
			uint32_t b = names_outside_number(&names, NAMES_OUT, p);

			cr_assert(a < m && b < n);
			cr_expect(!seen[a][b]);
			seen[a][b] = true;
			cr_expect(names_pair_of(&names, a, b, &pair));
			cr_expect_eq(pair, p);
			if (p < most)
				hosted[a] = outside[b] = true;
		}
		for (uint32_t k = 0; k < most; k++)
			cr_expect((k >= m || hosted[k]) && (k >= n || outside[k]));
		cr_expect_not(names_pair_of(&names, m, 0, &pair));
		cr_expect_not(names_pair_of(&names, 0, n, &pair));
		names_free(&names);
	}
}

Test(names, outward_with_fewer_pairs_the_others_are_none)
{
	struct names names;
	uint32_t pair, found = 0;

	make(&names, 6, 4, 7);
	for (uint32_t a = 0; a < 6; a++) {
		for (uint32_t b = 0; b < 4; b++) {
			if (!names_pair_of(&names, a, b, &pair))
				continue;
			found++;
			cr_expect_lt(pair, 7);
		}
	}
	cr_expect_eq(found, 7);
	names_free(&names);
}

Test(names, outward_addresses)
{
	struct names names;
	char text[NAMES_TEXT];

	make(&names, 2, 3, 6);
	names.n_endpoints = 2;
	cr_expect(is(names_from(&names, NAMES_OUT, 1, text), "h2.b.test"));
	cr_expect(is(names_to(&names, NAMES_OUT, 1, text), "d1.o.test"));
	cr_expect_eq(names_receiver(&names, 1), 1);
	cr_expect_eq(names_receiver(&names, 2), 0);
	names_free(&names);
}

Test(names, what_comes_in_goes_on_to_the_next_domain)
{
	struct names names;
	char text[NAMES_TEXT];
	uint32_t pair;

	cr_assert(names_init(&names, "o.test", 5, 0, NULL, "b.test", 2, 1));
	cr_expect(is(names_from(&names, NAMES_IN, 3, text), "d3.o.test"));
	cr_expect(is(names_to(&names, NAMES_IN, 3, text), "h2.b.test"));
	cr_expect(is(names_from(&names, NAMES_OUT, 3, text), "h2.b.test"));
	cr_expect(is(names_to(&names, NAMES_OUT, 3, text), "d4.o.test"));
	cr_expect(is(names_to(&names, NAMES_OUT, 4, text), "d0.o.test"));
	cr_expect(names_pair_of(&names, 1, 4, &pair));
	cr_expect_eq(pair, 3);
	cr_expect(names_pair_of(&names, 0, 0, &pair));
	cr_expect_eq(pair, 4);
	cr_expect_not(names_pair_of(&names, 0, 4, &pair));
	names_free(&names);
}

Test(names, hosted_domains_are_known_by_their_names)
{
	static const char *const given[] = { "one.test", "two.test" };
	static const char *const none[] = { "h0.b.test", "h4.b.test", "h.b.test", "h1.b.tes", "",
		"h1.b.test.", "d1.b.test", "h01.b.test", "h99999999999.b.test" };
	struct names names;
	uint32_t i = 0;

	cr_assert(names_init(&names, "o.test", 5, 0, NULL, "b.test", 3, 1));
	cr_expect(names_find_hosted(&names, text_of("h3.b.test"), &i));
	cr_expect_eq(i, 2);
	cr_expect(names_find_hosted(&names, text_of("H1.B.test"), &i));
	cr_expect_eq(i, 0);
	for (size_t k = 0; k < sizeof(none) / sizeof(none[0]); k++)
		cr_expect_not(names_find_hosted(&names, text_of(none[k]), &i), "%s", none[k]);
	names_free(&names);
	cr_assert(names_init(&names, "o.test", 5, 0, given, "b.test", 2, 1));
	cr_expect(names_find_hosted(&names, text_of("Two.test"), &i));
	cr_expect_eq(i, 1);
	cr_expect_not(names_find_hosted(&names, text_of("three.test"), &i));
	names_free(&names);
}

Test(names, domain_of_an_address)
{
	cr_expect(is(names_domain("alice@h1.b.test/desk@home"), "h1.b.test"));
	cr_expect(is(names_domain("h1.b.test"), "h1.b.test"));
	cr_expect(is(names_domain("h1.b.test/a@b"), "h1.b.test"));
	cr_expect(is(names_domain("alice@h1.b.test"), "h1.b.test"));
	cr_expect(is(names_domain(""), ""));
}
