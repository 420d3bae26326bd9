/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that the DNS cannot hold, more places than anybody wants, and the end in the middle. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/base/domain.h"
#include "core/base/limits.h"
#include "resolve_rig.h"

Test(resolve_bounds, t_q16_questions_are_in_a_labels)
{
	static const struct fake_row rows[] = {
		{ PLAIN("xn--bcher-kva.peer.test"), T_SRV, 0, 60, "1 0 5269 a.peer.test" },
		{ "a.peer.test", T_A, 0, 60, "8.8.8.1" },
	};
	struct domain d;

	look_start(rows, ARRAY_LEN(rows));
	cr_assert(domain_parse(span_str("B\xc3\x9c"
					"CHER.peer.test"),
		&d));
	cr_assert_eq(look_up(d.text), RESOLVE_FOUND);
	cr_assert_eq(fake_count(&look.server, T_SRV, PLAIN("xn--bcher-kva.peer.test")), 1);
	cr_assert_eq(fake_count(&look.server, T_SRV, DIRECT("xn--bcher-kva.peer.test")), 1);
	look_stop();
}

static void long_name(char *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = i % 50 == 49 ? '.' : 'a';
	out[n] = '\0';
}

Test(resolve_bounds, t_q17_names_that_dns_cannot_hold)
{
	char name[LIMIT_DOMAIN + 1];

	look_start(NULL, 0);
	long_name(name, LIMIT_DOMAIN);
	cr_assert_eq(look_up(name), RESOLVE_NO_SERVICE);
	memset(name, 'b', 64);
	strcpy(name + 64, ".test");
	cr_assert_eq(look_up(name), RESOLVE_NO_SERVICE);
	cr_assert_eq(fake_count(&look.server, 0, NULL), 0);
	look_stop();
}

Test(resolve_bounds, long_name_has_no_room_for_a_service)
{
	char name[LIMIT_DNS_NAME + 1];
	struct fake_row row = { name, T_A, 0, 60, "8.8.8.1" };

	long_name(name, LIMIT_DNS_NAME);
	look_start(&row, 1);
	cr_assert_eq(look_up(name), RESOLVE_FOUND);
	places_are("8.8.8.1:5269");
	cr_assert_eq(fake_count(&look.server, T_SRV, NULL), 0);
	look_stop();
}

Test(resolve_bounds, places_are_bounded_and_distinct)
{
	static struct fake_row rows[60];
	static char text[40][40], names[20][16];

	for (unsigned i = 0; i < 20; i++) {
		sprintf(text[i], "%u 0 5269 h%u.test", i, i);
		rows[i] = (struct fake_row){ PLAIN("many.test"), T_SRV, 0, 60, text[i] };
		sprintf(text[20 + i], "8.8.%u.1", i / 2); /* every address twice */
		sprintf(names[i], "h%u.test", i);
		rows[20 + 2 * i] = (struct fake_row){ names[i], T_A, 0, 60, text[20 + i] };
		rows[21 + 2 * i] = (struct fake_row){ names[i], T_AAAA, 0, 60, "2606:4700::1" };
	}
	look_start(rows, ARRAY_LEN(rows));
	cr_assert_eq(look_up("many.test"), RESOLVE_FOUND);
	cr_assert_leq(fake_count(&look.server, T_A, NULL), LIMIT_CANDIDATES);
	cr_assert_eq(look.got.n, 9); /* 16 targets: 8 IPv4 addresses and one IPv6 */
	for (unsigned i = 0; i < look.got.n; i++)
		for (unsigned k = 0; k < i; k++)
			cr_assert(!addr_eq(&look.got.places[i].addr, &look.got.places[k].addr));
	look_stop();
}

Test(resolve_bounds, free_with_open_resolutions)
{
	static const struct fake_row rows[] = { { "*.test", T_SRV, FAKE_DROP, 60, "" } };

	look_start(rows, ARRAY_LEN(rows));
	look_begin("open.test", 0);
	dns_turn(look.loop.dns, fake_now(&look.loop));
	look_begin("ready..test", 1);
	look_stop();
	cr_assert_eq(look.n_got, 0);
}
