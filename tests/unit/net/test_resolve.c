/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From records to places: which there are, their order, and when the domain itself is asked. What may
 * be dialled: test_resolve_rules.c; bounds: test_resolve_bounds.c. */
#include <criterion/criterion.h>

#include "resolve_rig.h"

static const struct fake_row both[] = {
	{ DIRECT("prio.test"), T_SRV, 0, 60, "10 0 443 a.peer.test" },
	{ PLAIN("prio.test"), T_SRV, 0, 60, "5 0 5269 b.peer.test" },
	{ DIRECT("equal.test"), T_SRV, 0, 60, "5 0 5270 a.peer.test" },
	{ PLAIN("equal.test"), T_SRV, 0, 60, "5 100 5269 b.peer.test" },
	{ DIRECT("half.test"), T_SRV, FAKE_SERVFAIL, 60, "" },
	{ PLAIN("half.test"), T_SRV, 0, 60, "5 0 5269 b.peer.test" },
	{ DIRECT("off.test"), T_SRV, 0, 60, "0 0 0 ." },
	{ PLAIN("off.test"), T_SRV, 0, 60, "5 0 5269 b.peer.test" },
	{ PLAIN("dot.test"), T_SRV, 0, 60, "0 0 0 ." },
	{ PLAIN("dot.test"), T_SRV, 0, 60, "1 0 5269 b.peer.test" },
	{ PLAIN("dots.test"), T_SRV, 0, 60, "0 0 0 ." },
	{ PLAIN("dots.test"), T_SRV, 0, 60, "1 0 0 ." },
	{ "dots.test", T_A, 0, 60, "9.9.9.9" },
	{ "a.peer.test", T_A, 0, 60, "8.8.8.1" },
	{ "b.peer.test", T_A, 0, 60, "8.8.8.2" },
	{ "b.peer.test", T_A, 0, 60, "8.8.8.3" },
	{ "b.peer.test", T_AAAA, 0, 60, "2606:4700::2" },
};

Test(resolve, t_q1_priorities_across_services)
{
	look_start(both, ARRAY_LEN(both));
	cr_assert_eq(look_up("prio.test"), RESOLVE_FOUND);
	places_are("[2606:4700::2]:5269 8.8.8.2:5269 8.8.8.3:5269 8.8.8.1:443!");
	groups_are("0001");
	look_stop();
}

Test(resolve, a_host_has_no_service)
{
	static const struct resolve_fixed fixed = { .domain = (char *)"b.peer.test" };

	look.rules.fixed = &fixed;
	look.rules.n_fixed = 1;
	look_start(both, ARRAY_LEN(both));
	cr_assert_eq(look_up_host("b.peer.test", 5280), RESOLVE_FOUND);
	places_are("[2606:4700::2]:5280 8.8.8.2:5280 8.8.8.3:5280");
	cr_assert_eq(look_up_host("prio.test", 5269), RESOLVE_NO_SERVICE);
	cr_assert_eq(look_up_host("dots.test", 5269), RESOLVE_FOUND);
	places_are("9.9.9.9:5269");
	cr_assert_eq(look_up_host("b.peer.test", 22), RESOLVE_FORBIDDEN);
	look_stop();
}

Test(resolve, t_q2_direct_tls_first_on_equal_priority)
{
	look_start(both, ARRAY_LEN(both));
	cr_assert_eq(look_up("equal.test"), RESOLVE_FOUND);
	places_are("8.8.8.1:5270! [2606:4700::2]:5269 8.8.8.2:5269 8.8.8.3:5269");
	groups_are("0000");
	look_stop();
}

Test(resolve, without_tls_its_targets_are_passed_over)
{
	static const struct fake_row rows[] = {
		{ DIRECT("only.test"), T_SRV, 0, 60, "5 0 5270 a.peer.test" },
		{ DIRECT("more.test"), T_SRV, 0, 60, "5 0 5270 a.peer.test" },
		{ PLAIN("more.test"), T_SRV, 0, 60, "9 0 5269 b.peer.test" },
		{ DIRECT("lost.test"), T_SRV, 0, 60, "5 0 5270 a.peer.test" },
		{ PLAIN("lost.test"), T_SRV, 0, 60, "9 0 5269 nowhere.test" },
		{ DIRECT("shut.test"), T_SRV, 0, 60, "5 0 5270 a.peer.test" },
		{ PLAIN("shut.test"), T_SRV, 0, 60, "9 0 22 b.peer.test" },
		{ "only.test", T_A, 0, 60, "8.8.8.9" },
		{ "a.peer.test", T_A, 0, 60, "8.8.8.1" },
		{ "b.peer.test", T_A, 0, 60, "8.8.8.2" },
	};

	look.rules = (struct resolve_rules){ .no_tls = true };
	look_start(rows, ARRAY_LEN(rows));
	cr_assert_eq(look_up("only.test"), RESOLVE_DIRECT_ONLY);
	cr_assert_eq(look_up("lost.test"), RESOLVE_DIRECT_ONLY);
	cr_assert_eq(look_up("shut.test"), RESOLVE_FORBIDDEN);
	cr_assert_eq(look_up("more.test"), RESOLVE_FOUND);
	places_are("8.8.8.2:5269");
	cr_assert_eq(fake_count(&look.server, T_A, "a.peer.test"), 0);
	cr_assert_eq(fake_count(&look.server, T_A, "only.test"), 0);
	look_stop();
}

Test(resolve, direct_and_plain_at_one_address_are_two_places)
{
	static const struct fake_row rows[] = {
		{ DIRECT("one.test"), T_SRV, 0, 60, "5 0 5270 a.peer.test" },
		{ PLAIN("one.test"), T_SRV, 0, 60, "5 0 5270 a.peer.test" },
		{ "a.peer.test", T_A, 0, 60, "8.8.8.1" },
	};

	look_start(rows, ARRAY_LEN(rows));
	cr_assert_eq(look_up("one.test"), RESOLVE_FOUND);
	places_are("8.8.8.1:5270! 8.8.8.1:5270");
	look_stop();
}

/* A group for each priority; the families take turns within each target; who is in two groups is in
 * the first; a group may be empty. */
Test(resolve, each_priority_is_a_group)
{
	static const struct fake_row rows[] = {
		{ DIRECT("many.test"), T_SRV, 0, 60, "7 0 5270 a.peer.test" },
		{ DIRECT("many.test"), T_SRV, 0, 60, "30 0 5270 a.peer.test" },
		{ PLAIN("many.test"), T_SRV, 0, 60, "7 0 5269 a.peer.test" },
		{ PLAIN("many.test"), T_SRV, 0, 60, "8 0 5269 gone.test" },
		{ PLAIN("many.test"), T_SRV, 0, 60, "9 0 5269 b.peer.test" },
		{ PLAIN("many.test"), T_SRV, 0, 60, "65535 0 5300 b.peer.test" },
		{ "a.peer.test", T_A, 0, 60, "8.8.8.1" },
		{ "a.peer.test", T_A, 0, 60, "8.8.8.2" },
		{ "a.peer.test", T_AAAA, 0, 60, "2606:4700::1" },
		{ "a.peer.test", T_AAAA, 0, 60, "2606:4700::2" },
		{ "b.peer.test", T_A, 0, 60, "8.8.8.2" },
		{ "b.peer.test", T_A, 0, 60, "8.8.8.3" },
	};

	look_start(rows, ARRAY_LEN(rows));
	cr_assert_eq(look_up("many.test"), RESOLVE_FOUND);
	places_are("[2606:4700::1]:5270! 8.8.8.1:5270! [2606:4700::2]:5270! 8.8.8.2:5270!"
		   " [2606:4700::1]:5269 8.8.8.1:5269 [2606:4700::2]:5269 8.8.8.2:5269"
		   " 8.8.8.3:5269 8.8.8.2:5300 8.8.8.3:5300");
	groups_are("00000000244");
	look_stop();
}

/* More targets than are asked about at once. */
Test(resolve, groups_go_on_over_many_targets)
{
	static const struct fake_row rows[] = {
		{ PLAIN("long.test"), T_SRV, 0, 60, "1 0 5001 a.peer.test" },
		{ PLAIN("long.test"), T_SRV, 0, 60, "1 0 5002 a.peer.test" },
		{ PLAIN("long.test"), T_SRV, 0, 60, "2 0 5003 a.peer.test" },
		{ PLAIN("long.test"), T_SRV, 0, 60, "2 0 5004 a.peer.test" },
		{ PLAIN("long.test"), T_SRV, 0, 60, "2 0 5005 a.peer.test" },
		{ PLAIN("long.test"), T_SRV, 0, 60, "3 0 5006 a.peer.test" },
		{ PLAIN("long.test"), T_SRV, 0, 60, "4 0 5007 a.peer.test" },
		{ PLAIN("long.test"), T_SRV, 0, 60, "4 0 5008 a.peer.test" },
		{ PLAIN("long.test"), T_SRV, 0, 60, "5 0 5009 a.peer.test" },
		{ "a.peer.test", T_A, 0, 60, "8.8.8.1" },
	};

	look_start(rows, ARRAY_LEN(rows));
	cr_assert_eq(look_up("long.test"), RESOLVE_FOUND);
	groups_are("001112334");
	look_stop();
}

Test(resolve, t_q3_weights_choose_the_first_target)
{
	static const struct fake_row rows[] = {
		{ PLAIN("w.test"), T_SRV, 0, 60, "1 0 5269 a.peer.test" },
		{ PLAIN("w.test"), T_SRV, 0, 60, "1 65535 5269 b.peer.test" },
		{ "a.peer.test", T_A, 0, 60, "8.8.8.1" },
		{ "b.peer.test", T_A, 0, 60, "8.8.8.2" },
	};
	unsigned heavy = 0;

	look_start(rows, ARRAY_LEN(rows));
	for (unsigned i = 0; i < 100; i++) {
		cr_assert_eq(look_up("w.test"), RESOLVE_FOUND);
		cr_assert_eq(look.got.n, 2);
		heavy += look.got.places[0].addr.ip[15] == 2;
	}
	cr_assert_geq(heavy, 98);
	cr_assert_eq(fake_count(&look.server, T_SRV, PLAIN("w.test")), 1);
	look_stop();
}

Test(resolve, t_q4_no_service_without_fallback)
{
	static const struct fake_row rows[] = {
		{ PLAIN("r.test"), T_SRV, 0, 60, "0 0 0 ." },
		{ DIRECT("r.test"), T_SRV, FAKE_NODATA, 60, "" },
		{ "r.test", T_A, 0, 60, "8.8.8.1" },
		{ PLAIN("s.test"), T_SRV, 0, 60, "0 0 0 ." },
		{ DIRECT("s.test"), T_SRV, 0, 60, "0 0 0 ." },
	};

	look_start(rows, ARRAY_LEN(rows));
	cr_assert_eq(look_up("r.test"), RESOLVE_NO_SERVICE);
	cr_assert_eq(look_up("s.test"), RESOLVE_NO_SERVICE);
	cr_assert_eq(fake_count(&look.server, T_A, NULL) + fake_count(&look.server, T_AAAA, NULL),
		0);
	look_stop();
}

Test(resolve, t_q5_direct_denied_plain_used)
{
	look_start(both, ARRAY_LEN(both));
	cr_assert_eq(look_up("off.test"), RESOLVE_FOUND);
	places_are("[2606:4700::2]:5269 8.8.8.2:5269 8.8.8.3:5269");
	look_stop();
}

Test(resolve, t_q6_direct_denied_plain_empty)
{
	static const struct fake_row rows[] = {
		{ DIRECT("r.test"), T_SRV, 0, 60, "0 0 0 ." },
		{ PLAIN("r.test"), T_SRV, FAKE_NODATA, 60, "" },
		{ "r.test", T_A, 0, 60, "8.8.8.1" },
	};

	look_start(rows, ARRAY_LEN(rows));
	cr_assert_eq(look_up("r.test"), RESOLVE_NO_SERVICE);
	cr_assert_eq(fake_count(&look.server, T_A, NULL) + fake_count(&look.server, T_AAAA, NULL),
		0);
	look_stop();
}

Test(resolve, t_q7_fallback_to_the_domain_itself)
{
	static const struct fake_row rows[] = {
		{ DIRECT("r.test"), T_SRV, FAKE_NODATA, 60, "" },
		{ PLAIN("r.test"), T_SRV, FAKE_NXDOMAIN, 60, "" },
		{ "r.test", T_A, 0, 60, "8.8.8.1" },
		{ "r.test", T_AAAA, FAKE_NODATA, 60, "" },
	};

	look_start(rows, ARRAY_LEN(rows));
	cr_assert_eq(look_up("r.test"), RESOLVE_FOUND);
	places_are("8.8.8.1:5269");
	groups_are("0");
	cr_assert_eq(look_up("nothing.test"), RESOLVE_NO_SERVICE);
	cr_assert_eq(fake_count(&look.server, T_A, "nothing.test"), 1);
	look_stop();
}

Test(resolve, t_q8_records_rule_out_the_fallback)
{
	static const struct fake_row rows[] = {
		{ PLAIN("r.test"), T_SRV, 0, 60, "1 0 5269 gone.peer.test" },
		{ "r.test", T_A, 0, 60, "8.8.8.1" },
		{ PLAIN("s.test"), T_SRV, 0, 60, "1 0 5269 sick.peer.test" },
		{ PLAIN("s.test"), T_SRV, 0, 60, "2 0 5269 gone.peer.test" },
		{ "sick.peer.test", T_A, FAKE_SERVFAIL, 60, "" },
		{ "sick.peer.test", T_AAAA, FAKE_SERVFAIL, 60, "" },
	};

	look_start(rows, ARRAY_LEN(rows));
	cr_assert_eq(look_up("r.test"), RESOLVE_NO_SERVICE);
	cr_assert_eq(fake_count(&look.server, T_A, "r.test"), 0);
	cr_assert_eq(look_up("s.test"), RESOLVE_FAILED);
	look_stop();
}

Test(resolve, t_q9_servfail_is_no_answer)
{
	static const struct fake_row rows[] = {
		{ PLAIN("r.test"), T_SRV, FAKE_SERVFAIL, 60, "" },
		{ DIRECT("r.test"), T_SRV, FAKE_NODATA, 60, "" },
		{ "r.test", T_A, 0, 60, "8.8.8.1" },
		{ PLAIN("u.test"), T_SRV, 0, 60, "0 0 0 ." },
		{ DIRECT("u.test"), T_SRV, FAKE_SERVFAIL, 60, "" },
	};
	unsigned before;

	look_start(rows, ARRAY_LEN(rows));
	cr_assert_eq(look_up("r.test"), RESOLVE_FAILED);
	cr_assert_eq(fake_count(&look.server, T_A, NULL), 0);
	before = fake_count(&look.server, T_SRV, PLAIN("r.test"));
	cr_assert_eq(look_up("r.test"), RESOLVE_FAILED);
	cr_assert_eq(fake_count(&look.server, T_SRV, PLAIN("r.test")), before);
	look.loop.skip += 30000;
	cr_assert_eq(look_up("r.test"), RESOLVE_FAILED);
	cr_assert_gt(fake_count(&look.server, T_SRV, PLAIN("r.test")), before);
	cr_assert_eq(look_up("u.test"), RESOLVE_FAILED);
	look_stop();
}

Test(resolve, t_q9_silence_is_no_answer)
{
	static const struct fake_row rows[] = {
		{ PLAIN("r.test"), T_SRV, FAKE_DROP, 60, "" },
		{ DIRECT("r.test"), T_SRV, FAKE_NODATA, 60, "" },
		{ "r.test", T_A, 0, 60, "8.8.8.1" },
	};

	look_start_impatient(rows, ARRAY_LEN(rows), 50);
	cr_assert_eq(look_up("r.test"), RESOLVE_FAILED);
	cr_assert_eq(fake_count(&look.server, T_A, NULL), 0);
	look_stop();
}

Test(resolve, one_service_is_enough)
{
	look_start(both, ARRAY_LEN(both));
	cr_assert_eq(look_up("half.test"), RESOLVE_FOUND);
	places_are("[2606:4700::2]:5269 8.8.8.2:5269 8.8.8.3:5269");
	look_stop();
}

Test(resolve, root_target_beside_others_is_ignored)
{
	look_start(both, ARRAY_LEN(both));
	cr_assert_eq(look_up("dot.test"), RESOLVE_FOUND);
	places_are("[2606:4700::2]:5269 8.8.8.2:5269 8.8.8.3:5269");
	cr_assert_eq(look_up("dots.test"), RESOLVE_NO_SERVICE);
	cr_assert_eq(fake_count(&look.server, T_A, "dots.test"), 0);
	look_stop();
}

Test(resolve, t_q13_a_thousand_at_once)
{
	look_start(both, ARRAY_LEN(both));
	for (unsigned i = 0; i < 1000; i++)
		look_begin("prio.test", i);
	cr_assert(look_until(1000));
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(look.calls[i], 1);
	/* Two services, two targets of two families. */
	cr_assert_eq(fake_count(&look.server, 0, NULL), 6);
	look_stop();
}

Test(resolve, t_q19_short_ttl_is_kept_for_thirty_seconds)
{
	static const struct fake_row rows[] = {
		{ PLAIN("r.test"), T_SRV, 0, 5, "1 0 5269 a.peer.test" },
		{ DIRECT("r.test"), T_SRV, FAKE_NODATA, 5, "" },
		{ "a.peer.test", T_A, 0, 5, "8.8.8.1" },
		{ "a.peer.test", T_AAAA, FAKE_NODATA, 5, "" },
	};

	look_start(rows, ARRAY_LEN(rows));
	fake_freeze(&look.loop);
	for (unsigned i = 0; i < 100; i++) {
		cr_assert_eq(look_up("r.test"), RESOLVE_FOUND);
		look.loop.skip += 300;
	}
	look.loop.skip -= 1;
	cr_assert_eq(look_up("r.test"), RESOLVE_FOUND);
	cr_assert_eq(fake_count(&look.server, 0, NULL), 4);
	look.loop.skip += 1;
	cr_assert_eq(look_up("r.test"), RESOLVE_FOUND);
	cr_assert_eq(fake_count(&look.server, T_SRV, PLAIN("r.test")), 2);
	look_stop();
}
