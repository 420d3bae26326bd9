/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "core/ipcount.h"

static struct addr ip(const char *text)
{
	struct addr a;

	cr_assert(addr_parse_ip(span_str(text), &a));
	return a;
}

Test(ipcount, bound_is_per_source)
{
	struct ipcount *t = ipcount_new();
	struct addr a = ip("192.0.2.1"), b = ip("192.0.2.2");

	cr_expect(ipcount_take(t, &a, 2));
	cr_expect(ipcount_take(t, &a, 2));
	cr_expect_not(ipcount_take(t, &a, 2), "a third stream of one source at a limit of 2");
	cr_expect(ipcount_take(t, &b, 2), "another source is not affected");
	ipcount_give(t, &a);
	cr_expect(ipcount_take(t, &a, 2), "room again after one ended");
	cr_expect_eq(ipcount_get(t, &a), 2);
	ipcount_free(t);
}

Test(ipcount, ipv6_is_counted_by_64)
{
	struct ipcount *t = ipcount_new();
	struct addr a = ip("2001:db8:0:1::1"), same = ip("2001:db8:0:1:ffff::9");
	struct addr other = ip("2001:db8:0:2::1");

	cr_expect(ipcount_take(t, &a, 1));
	cr_expect_not(ipcount_take(t, &same, 1), "the same /64");
	cr_expect(ipcount_take(t, &other, 1), "another /64");
	ipcount_free(t);
}

Test(ipcount, mapped_ipv4_is_the_ipv4_source)
{
	struct ipcount *t = ipcount_new();
	struct addr a = ip("192.0.2.1"), mapped = ip("::ffff:192.0.2.1");

	cr_expect(ipcount_take(t, &a, 1));
	cr_expect_not(ipcount_take(t, &mapped, 1));
	ipcount_free(t);
}

Test(ipcount, zero_admits_nobody_and_many_sources_are_forgotten)
{
	struct ipcount *t = ipcount_new();
	struct addr a = ip("10.0.0.0");

	cr_expect_not(ipcount_take(t, &a, 0));
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 5000; i++) {
			a.ip[14] = (uint8_t)(i >> 8);
			a.ip[15] = (uint8_t)i;
			cr_assert(ipcount_take(t, &a, 1));
		}
		for (unsigned i = 0; i < 5000; i++) {
			a.ip[14] = (uint8_t)(i >> 8);
			a.ip[15] = (uint8_t)i;
			cr_assert_eq(ipcount_get(t, &a), 1);
			ipcount_give(t, &a);
			cr_assert_eq(ipcount_get(t, &a), 0);
		}
	}
	ipcount_free(t);
}
