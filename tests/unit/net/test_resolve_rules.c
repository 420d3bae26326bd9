/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may be dialled: not ourselves, no private address, no port of another service; and what the
 * operator fixes. */
#include <criterion/criterion.h>

#include "resolve_rig.h"

Test(resolve_rules, t_q14_own_listeners_and_backends)
{
	static const struct fake_row rows[] = {
		{ "loop.test", T_A, 0, 60, "8.8.8.1" },
		{ PLAIN("other.test"), T_SRV, 0, 60, "1 0 5299 loop.test" },
		{ "local.test", T_A, 0, 60, "127.0.0.9" },
	};
	struct addr own[] = { fake_addr("8.8.8.1:5269"), fake_addr("[::]:5269"),
		fake_addr("10.0.0.11:5269") };
	struct addr_net allow[2];
	const char *why;

	cr_assert(addr_net_parse(span_str("127.0.0.0/8"), &allow[0]));
	cr_assert(addr_net_parse(span_str("10.0.0.0/8"), &allow[1]));
	look.rules = (struct resolve_rules){ .own = own, .n_own = 3, .allow = allow, .n_allow = 2 };
	look_start(rows, ARRAY_LEN(rows));
	cr_assert_eq(look_up("loop.test"), RESOLVE_OURS);
	cr_assert_str_eq(look.got.detail, "the address is a listener or a backend of ours");
	cr_assert_eq(look_up("other.test"), RESOLVE_FOUND);
	places_are("8.8.8.1:5299");
	cr_assert_eq(look_up("local.test"), RESOLVE_OURS); /* through [::]:5269 */
	cr_assert(!resolve_allowed(&look.rules, &own[2], &why));
	cr_assert(resolve_allowed(&look.rules, &(struct addr){ { 0 }, 0 }, NULL) == false);
	look_stop();
}

Test(resolve_rules, t_q15_forbidden_ports_and_addresses)
{
	static const struct fake_row rows[] = {
		{ PLAIN("ssh.test"), T_SRV, 0, 60, "1 0 22 a.peer.test" },
		{ PLAIN("meta.test"), T_SRV, 0, 60, "1 0 5269 meta.peer.test" },
		{ PLAIN("mapped.test"), T_SRV, 0, 60, "1 0 5269 mapped.peer.test" },
		{ PLAIN("mixed.test"), T_SRV, 0, 60, "1 0 22 a.peer.test" },
		{ PLAIN("mixed.test"), T_SRV, 0, 60, "2 0 5269 meta.peer.test" },
		{ PLAIN("mixed.test"), T_SRV, 0, 60, "3 0 5269 a.peer.test" },
		{ "a.peer.test", T_A, 0, 60, "8.8.8.1" },
		{ "meta.peer.test", T_A, 0, 60, "169.254.169.254" },
		{ "mapped.peer.test", T_AAAA, 0, 60, "::ffff:127.0.0.1" },
	};

	look_start(rows, ARRAY_LEN(rows));
	cr_assert_eq(look_up("ssh.test"), RESOLVE_FORBIDDEN);
	cr_assert_eq(fake_count(&look.server, T_A, NULL), 0,
		"no question for a port never dialled");
	cr_assert_eq(look_up("meta.test"), RESOLVE_FORBIDDEN);
	cr_assert_eq(look_up("mapped.test"), RESOLVE_FORBIDDEN);
	cr_assert_eq(look_up("mixed.test"), RESOLVE_FOUND);
	places_are("8.8.8.1:5269");
	look_stop();
}

Test(resolve_rules, allowed_destinations)
{
	static const struct {
		const char *addr;
		bool plain, opened; /* without any rule; with all private ranges allowed */
	} rows[] = {
		{ "8.8.8.8:5269", true, true },
		{ "8.8.8.8:443", true, true },
		{ "8.8.8.8:80", false, false },
		{ "8.8.8.8:22", false, false },
		{ "8.8.8.8:1023", false, false },
		{ "8.8.8.8:1024", true, true },
		{ "8.8.8.8:2049", false, false },
		{ "8.8.8.8:3306", false, false },
		{ "8.8.8.8:5432", false, false },
		{ "8.8.8.8:6379", false, false },
		{ "8.8.8.8:9200", false, false },
		{ "8.8.8.8:11211", false, false },
		{ "8.8.8.8:6100", true, false }, /* --deny-port 6100-6199 */
		{ "8.8.8.8:6199", true, false },
		{ "8.8.8.8:6200", true, true },
		{ "9.9.9.9:5269", true, false }, /* --deny-addr 9.9.9.0/24 */
		{ "127.0.0.1:5269", false, true },
		{ "[::1]:5269", false, true },
		{ "10.1.2.3:5269", false, true },
		{ "10.9.2.3:5269", false, false }, /* denied and allowed: denied */
		{ "172.16.0.1:5269", false, true },
		{ "192.168.0.1:5269", false, true },
		{ "100.64.0.1:5269", false, true },
		{ "[fd00::1]:5269", false, true },
		{ "0.0.0.0:5269", false, false },
		{ "[::]:5269", false, false },
		{ "169.254.169.254:5269", false, false },
		{ "[fe80::1]:5269", false, false },
		{ "224.0.0.1:5269", false, false },
		{ "[ff02::1]:5269", false, false },
		{ "[2606:4700::1]:5269", true, true },
	};
	struct addr_net allow[2], deny[2];
	struct addr_ports ports = { 6100, 6199 };
	struct resolve_rules none = { 0 };

	cr_assert(addr_net_parse(span_str("0.0.0.0/0"), &allow[0]));
	cr_assert(addr_net_parse(span_str("::/0"), &allow[1]));
	cr_assert(addr_net_parse(span_str("9.9.9.0/24"), &deny[0]));
	cr_assert(addr_net_parse(span_str("10.9.0.0/16"), &deny[1]));
	look.rules = (struct resolve_rules){ .allow = allow,
		.n_allow = 2,
		.deny = deny,
		.n_deny = 2,
		.deny_ports = &ports,
		.n_deny_ports = 1 };
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr a = fake_addr(rows[i].addr);
		const char *why = NULL;

		cr_assert_eq(resolve_allowed(&none, &a, &why), rows[i].plain, "%s", rows[i].addr);
		cr_assert_eq(why == NULL, rows[i].plain);
		cr_assert_eq(resolve_allowed(&look.rules, &a, &why), rows[i].opened, "%s",
			rows[i].addr);
	}
}

Test(resolve_rules, fixed_addresses)
{
	struct resolve_fixed fixed[] = {
		{ "peer.test", true, fake_addr("127.0.0.1:7001") },
		{ "a.peer.test", false, fake_addr("127.0.0.1:7002") },
		{ "deep.peer.test", true, fake_addr("127.0.0.1:7003") },
		{ "a.peer.test", false, fake_addr("[::1]:22") },
		{ "plain.test", false, fake_addr("10.0.0.1") },
	};

	look.rules = (struct resolve_rules){ .fixed = fixed, .n_fixed = ARRAY_LEN(fixed) };
	look_start(NULL, 0);
	cr_assert_eq(look_up("a.peer.test"), RESOLVE_FOUND);
	places_are("127.0.0.1:7002 [::1]:22");
	groups_are("00");
	cr_assert_eq(look_up("b.peer.test"), RESOLVE_FOUND);
	places_are("127.0.0.1:7001");
	cr_assert_eq(look_up("x.deep.peer.test"), RESOLVE_FOUND);
	places_are("127.0.0.1:7003");
	cr_assert_eq(look_up("plain.test"), RESOLVE_FOUND);
	places_are("10.0.0.1:5269");
	cr_assert_eq(fake_count(&look.server, 0, NULL), 0);
	cr_assert_eq(look_up("peer.test"), RESOLVE_NO_SERVICE, "*. is not the name itself");
	cr_assert_eq(look_up("evilpeer.test"), RESOLVE_NO_SERVICE);
	look_stop();
}
