/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/domain.h"
#include "fake_dns.h"
#include "net/resolve.h"

#define PLAIN(d) "_xmpp-server._tcp." d
#define DIRECT(d) "_xmpps-server._tcp." d

static const struct resolve_service service = { "_xmpp-server._tcp", "_xmpps-server._tcp", 5269 };

static struct fake_dns server;
static struct fake_loop loop;
static struct resolver *resolver;
static struct resolve_rules rules;
static struct resolve_answer got;
static unsigned n_got, calls[2048];
static bool starting;

static void note(void *ctx, uint64_t cookie, const struct resolve_answer *a)
{
	cr_assert(!starting, "called from inside resolve_start");
	cr_assert_eq(ctx, &loop);
	cr_assert_not_null(a->detail);
	cr_assert_eq(a->n > 0, a->status == RESOLVE_FOUND);
	calls[cookie]++;
	got = *a;
	n_got++;
}

static bool turn(void *ctx, uint64_t now)
{
	resolver_turn(ctx, now);
	return resolver_busy(ctx);
}

static void start_impatient(const struct fake_row *rows, unsigned n, uint32_t timeout_ms)
{
	fake_start(&server, rows, n);
	fake_loop_open(&loop, &server.addr, timeout_ms);
	resolver = resolver_new(loop.dns, &service, &rules, note, &loop);
}

static void start(const struct fake_row *rows, unsigned n)
{
	start_impatient(rows, n, 0);
}

static void stop(void)
{
	resolver_free(resolver);
	fake_loop_close(&loop);
	fake_stop(&server);
}

static void begin(const char *domain, uint64_t cookie)
{
	starting = true;
	resolve_start(resolver, span_str(domain), cookie, fake_now(&loop));
	starting = false;
}

static enum resolve_status resolve(const char *domain)
{
	unsigned before = n_got;

	begin(domain, before);
	cr_assert(fake_loop_run(&loop, &n_got, before + 1, 10000, turn, resolver), "%s", domain);
	cr_assert_eq(n_got, before + 1);
	cr_assert_eq(calls[before], 1);
	return got.status;
}

/* The places, separated by spaces; direct ones end in "!". */
static void places_are(const char *want)
{
	char text[LIMIT_CANDIDATES * (ADDR_TEXT + 2)] = "", one[ADDR_TEXT];

	for (unsigned i = 0; i < got.n; i++) {
		addr_format(&got.places[i].addr, one);
		sprintf(text + strlen(text), "%s%s%s", i ? " " : "", one,
			got.places[i].direct ? "!" : "");
	}
	cr_assert_str_eq(text, want);
}

/* The group of each place, a digit. */
static void groups_are(const char *want)
{
	char text[LIMIT_CANDIDATES + 1] = "";

	for (unsigned i = 0; i < got.n; i++)
		text[i] = (char)('0' + got.places[i].group);
	cr_assert_str_eq(text, want);
}

/* Addresses of the tests are public ones that are never connected to. */
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
	start(both, ARRAY_LEN(both));
	cr_assert_eq(resolve("prio.test"), RESOLVE_FOUND);
	places_are("[2606:4700::2]:5269 8.8.8.2:5269 8.8.8.3:5269 8.8.8.1:443!");
	groups_are("0001");
	stop();
}

static enum resolve_status resolve_at(const char *host, uint16_t port)
{
	unsigned before = n_got;

	starting = true;
	resolve_host(resolver, span_str(host), port, before, fake_now(&loop));
	starting = false;
	cr_assert(fake_loop_run(&loop, &n_got, before + 1, 10000, turn, resolver), "%s", host);
	cr_assert_eq(calls[before], 1);
	return got.status;
}

Test(resolve, a_host_has_no_service)
{
	static const struct resolve_fixed fixed = { .domain = (char *)"b.peer.test" };

	rules.fixed = &fixed;
	rules.n_fixed = 1;
	start(both, ARRAY_LEN(both));
	cr_assert_eq(resolve_at("b.peer.test", 5280), RESOLVE_FOUND);
	places_are("[2606:4700::2]:5280 8.8.8.2:5280 8.8.8.3:5280");
	cr_assert_eq(resolve_at("prio.test", 5269), RESOLVE_NO_SERVICE);
	cr_assert_eq(resolve_at("dots.test", 5269), RESOLVE_FOUND);
	places_are("9.9.9.9:5269");
	cr_assert_eq(resolve_at("b.peer.test", 22), RESOLVE_FORBIDDEN);
	stop();
}

Test(resolve, t_q2_direct_tls_first_on_equal_priority)
{
	start(both, ARRAY_LEN(both));
	cr_assert_eq(resolve("equal.test"), RESOLVE_FOUND);
	places_are("8.8.8.1:5270! [2606:4700::2]:5269 8.8.8.2:5269 8.8.8.3:5269");
	groups_are("0000");
	stop();
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

	rules = (struct resolve_rules){ .no_tls = true };
	start(rows, ARRAY_LEN(rows));
	cr_assert_eq(resolve("only.test"), RESOLVE_DIRECT_ONLY);
	cr_assert_eq(resolve("lost.test"), RESOLVE_DIRECT_ONLY);
	cr_assert_eq(resolve("shut.test"), RESOLVE_FORBIDDEN);
	cr_assert_eq(resolve("more.test"), RESOLVE_FOUND);
	places_are("8.8.8.2:5269");
	cr_assert_eq(fake_count(&server, T_A, "a.peer.test"), 0);
	cr_assert_eq(fake_count(&server, T_A, "only.test"), 0);
	stop();
}

Test(resolve, direct_and_plain_at_one_address_are_two_places)
{
	static const struct fake_row rows[] = {
		{ DIRECT("one.test"), T_SRV, 0, 60, "5 0 5270 a.peer.test" },
		{ PLAIN("one.test"), T_SRV, 0, 60, "5 0 5270 a.peer.test" },
		{ "a.peer.test", T_A, 0, 60, "8.8.8.1" },
	};

	start(rows, ARRAY_LEN(rows));
	cr_assert_eq(resolve("one.test"), RESOLVE_FOUND);
	places_are("8.8.8.1:5270! 8.8.8.1:5270");
	stop();
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

	start(rows, ARRAY_LEN(rows));
	cr_assert_eq(resolve("many.test"), RESOLVE_FOUND);
	places_are("[2606:4700::1]:5270! 8.8.8.1:5270! [2606:4700::2]:5270! 8.8.8.2:5270!"
		   " [2606:4700::1]:5269 8.8.8.1:5269 [2606:4700::2]:5269 8.8.8.2:5269"
		   " 8.8.8.3:5269 8.8.8.2:5300 8.8.8.3:5300");
	groups_are("00000000244");
	stop();
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

	start(rows, ARRAY_LEN(rows));
	cr_assert_eq(resolve("long.test"), RESOLVE_FOUND);
	groups_are("001112334");
	stop();
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

	start(rows, ARRAY_LEN(rows));
	for (unsigned i = 0; i < 100; i++) {
		cr_assert_eq(resolve("w.test"), RESOLVE_FOUND);
		cr_assert_eq(got.n, 2);
		heavy += got.places[0].addr.ip[15] == 2;
	}
	cr_assert_geq(heavy, 98);
	cr_assert_eq(fake_count(&server, T_SRV, PLAIN("w.test")), 1);
	stop();
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

	start(rows, ARRAY_LEN(rows));
	cr_assert_eq(resolve("r.test"), RESOLVE_NO_SERVICE);
	cr_assert_eq(resolve("s.test"), RESOLVE_NO_SERVICE);
	cr_assert_eq(fake_count(&server, T_A, NULL) + fake_count(&server, T_AAAA, NULL), 0);
	stop();
}

Test(resolve, t_q5_direct_denied_plain_used)
{
	start(both, ARRAY_LEN(both));
	cr_assert_eq(resolve("off.test"), RESOLVE_FOUND);
	places_are("[2606:4700::2]:5269 8.8.8.2:5269 8.8.8.3:5269");
	stop();
}

Test(resolve, t_q6_direct_denied_plain_empty)
{
	static const struct fake_row rows[] = {
		{ DIRECT("r.test"), T_SRV, 0, 60, "0 0 0 ." },
		{ PLAIN("r.test"), T_SRV, FAKE_NODATA, 60, "" },
		{ "r.test", T_A, 0, 60, "8.8.8.1" },
	};

	start(rows, ARRAY_LEN(rows));
	cr_assert_eq(resolve("r.test"), RESOLVE_NO_SERVICE);
	cr_assert_eq(fake_count(&server, T_A, NULL) + fake_count(&server, T_AAAA, NULL), 0);
	stop();
}

Test(resolve, t_q7_fallback_to_the_domain_itself)
{
	static const struct fake_row rows[] = {
		{ DIRECT("r.test"), T_SRV, FAKE_NODATA, 60, "" },
		{ PLAIN("r.test"), T_SRV, FAKE_NXDOMAIN, 60, "" },
		{ "r.test", T_A, 0, 60, "8.8.8.1" },
		{ "r.test", T_AAAA, FAKE_NODATA, 60, "" },
	};

	start(rows, ARRAY_LEN(rows));
	cr_assert_eq(resolve("r.test"), RESOLVE_FOUND);
	places_are("8.8.8.1:5269");
	groups_are("0");
	cr_assert_eq(resolve("nothing.test"), RESOLVE_NO_SERVICE);
	cr_assert_eq(fake_count(&server, T_A, "nothing.test"), 1);
	stop();
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

	start(rows, ARRAY_LEN(rows));
	cr_assert_eq(resolve("r.test"), RESOLVE_NO_SERVICE);
	cr_assert_eq(fake_count(&server, T_A, "r.test"), 0);
	cr_assert_eq(resolve("s.test"), RESOLVE_FAILED);
	stop();
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

	start(rows, ARRAY_LEN(rows));
	cr_assert_eq(resolve("r.test"), RESOLVE_FAILED);
	cr_assert_eq(fake_count(&server, T_A, NULL), 0);
	before = fake_count(&server, T_SRV, PLAIN("r.test"));
	cr_assert_eq(resolve("r.test"), RESOLVE_FAILED);
	cr_assert_eq(fake_count(&server, T_SRV, PLAIN("r.test")), before);
	loop.skip += 30000;
	cr_assert_eq(resolve("r.test"), RESOLVE_FAILED);
	cr_assert_gt(fake_count(&server, T_SRV, PLAIN("r.test")), before);
	cr_assert_eq(resolve("u.test"), RESOLVE_FAILED);
	stop();
}

Test(resolve, t_q9_silence_is_no_answer)
{
	static const struct fake_row rows[] = {
		{ PLAIN("r.test"), T_SRV, FAKE_DROP, 60, "" },
		{ DIRECT("r.test"), T_SRV, FAKE_NODATA, 60, "" },
		{ "r.test", T_A, 0, 60, "8.8.8.1" },
	};

	start_impatient(rows, ARRAY_LEN(rows), 50);
	cr_assert_eq(resolve("r.test"), RESOLVE_FAILED);
	cr_assert_eq(fake_count(&server, T_A, NULL), 0);
	stop();
}

Test(resolve, one_service_is_enough)
{
	start(both, ARRAY_LEN(both));
	cr_assert_eq(resolve("half.test"), RESOLVE_FOUND);
	places_are("[2606:4700::2]:5269 8.8.8.2:5269 8.8.8.3:5269");
	stop();
}

Test(resolve, root_target_beside_others_is_ignored)
{
	start(both, ARRAY_LEN(both));
	cr_assert_eq(resolve("dot.test"), RESOLVE_FOUND);
	places_are("[2606:4700::2]:5269 8.8.8.2:5269 8.8.8.3:5269");
	cr_assert_eq(resolve("dots.test"), RESOLVE_NO_SERVICE);
	cr_assert_eq(fake_count(&server, T_A, "dots.test"), 0);
	stop();
}

Test(resolve, t_q13_a_thousand_at_once)
{
	start(both, ARRAY_LEN(both));
	for (unsigned i = 0; i < 1000; i++)
		begin("prio.test", i);
	cr_assert(fake_loop_run(&loop, &n_got, 1000, 10000, turn, resolver));
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(calls[i], 1);
	/* Two services, two targets of two families. */
	cr_assert_eq(fake_count(&server, 0, NULL), 6);
	stop();
}

Test(resolve, t_q14_own_listeners_and_backends)
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
	rules = (struct resolve_rules){ .own = own, .n_own = 3, .allow = allow, .n_allow = 2 };
	start(rows, ARRAY_LEN(rows));
	cr_assert_eq(resolve("loop.test"), RESOLVE_OURS);
	cr_assert_str_eq(got.detail, "the address is a listener or a backend of ours");
	cr_assert_eq(resolve("other.test"), RESOLVE_FOUND);
	places_are("8.8.8.1:5299");
	cr_assert_eq(resolve("local.test"), RESOLVE_OURS); /* through [::]:5269 */
	cr_assert(!resolve_allowed(&rules, &own[2], &why));
	cr_assert(resolve_allowed(&rules, &(struct addr){ { 0 }, 0 }, NULL) == false);
	stop();
}

Test(resolve, t_q15_forbidden_ports_and_addresses)
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

	start(rows, ARRAY_LEN(rows));
	cr_assert_eq(resolve("ssh.test"), RESOLVE_FORBIDDEN);
	cr_assert_eq(fake_count(&server, T_A, NULL), 0, "no question for a port never dialled");
	cr_assert_eq(resolve("meta.test"), RESOLVE_FORBIDDEN);
	cr_assert_eq(resolve("mapped.test"), RESOLVE_FORBIDDEN);
	cr_assert_eq(resolve("mixed.test"), RESOLVE_FOUND);
	places_are("8.8.8.1:5269");
	stop();
}

Test(resolve, allowed_destinations)
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
	rules = (struct resolve_rules){ .allow = allow,
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
		cr_assert_eq(resolve_allowed(&rules, &a, &why), rows[i].opened, "%s", rows[i].addr);
	}
}

Test(resolve, t_q16_questions_are_in_a_labels)
{
	static const struct fake_row rows[] = {
		{ PLAIN("xn--bcher-kva.peer.test"), T_SRV, 0, 60, "1 0 5269 a.peer.test" },
		{ "a.peer.test", T_A, 0, 60, "8.8.8.1" },
	};
	struct domain d;

	start(rows, ARRAY_LEN(rows));
	cr_assert(domain_parse(span_str("B\xc3\x9c"
					"CHER.peer.test"),
		&d));
	cr_assert_eq(resolve(d.text), RESOLVE_FOUND);
	cr_assert_eq(fake_count(&server, T_SRV, PLAIN("xn--bcher-kva.peer.test")), 1);
	cr_assert_eq(fake_count(&server, T_SRV, DIRECT("xn--bcher-kva.peer.test")), 1);
	stop();
}

Test(resolve, t_q17_names_that_dns_cannot_hold)
{
	char name[LIMIT_DOMAIN + 1];

	start(NULL, 0);
	for (unsigned i = 0; i < LIMIT_DOMAIN; i++)
		name[i] = i % 50 == 49 ? '.' : 'a';
	name[LIMIT_DOMAIN] = '\0';
	cr_assert_eq(resolve(name), RESOLVE_NO_SERVICE);
	memset(name, 'b', 64);
	strcpy(name + 64, ".test");
	cr_assert_eq(resolve(name), RESOLVE_NO_SERVICE);
	cr_assert_eq(fake_count(&server, 0, NULL), 0);
	stop();
}

Test(resolve, long_name_has_no_room_for_a_service)
{
	char name[LIMIT_DNS_NAME + 1];
	struct fake_row row = { name, T_A, 0, 60, "8.8.8.1" };

	for (unsigned i = 0; i < LIMIT_DNS_NAME; i++)
		name[i] = i % 50 == 49 ? '.' : 'a';
	name[LIMIT_DNS_NAME] = '\0';
	start(&row, 1);
	cr_assert_eq(resolve(name), RESOLVE_FOUND);
	places_are("8.8.8.1:5269");
	cr_assert_eq(fake_count(&server, T_SRV, NULL), 0);
	stop();
}

Test(resolve, t_q19_short_ttl_is_kept_for_thirty_seconds)
{
	static const struct fake_row rows[] = {
		{ PLAIN("r.test"), T_SRV, 0, 5, "1 0 5269 a.peer.test" },
		{ DIRECT("r.test"), T_SRV, FAKE_NODATA, 5, "" },
		{ "a.peer.test", T_A, 0, 5, "8.8.8.1" },
		{ "a.peer.test", T_AAAA, FAKE_NODATA, 5, "" },
	};

	start(rows, ARRAY_LEN(rows));
	for (unsigned i = 0; i < 100; i++) {
		cr_assert_eq(resolve("r.test"), RESOLVE_FOUND);
		loop.skip += 250;
	}
	cr_assert_eq(fake_count(&server, 0, NULL), 4);
	loop.skip += 5001;
	cr_assert_eq(resolve("r.test"), RESOLVE_FOUND);
	cr_assert_eq(fake_count(&server, T_SRV, PLAIN("r.test")), 2);
	stop();
}

Test(resolve, fixed_addresses)
{
	struct resolve_fixed fixed[] = {
		{ "peer.test", true, fake_addr("127.0.0.1:7001") },
		{ "a.peer.test", false, fake_addr("127.0.0.1:7002") },
		{ "deep.peer.test", true, fake_addr("127.0.0.1:7003") },
		{ "a.peer.test", false, fake_addr("[::1]:22") },
		{ "plain.test", false, fake_addr("10.0.0.1") },
	};

	rules = (struct resolve_rules){ .fixed = fixed, .n_fixed = ARRAY_LEN(fixed) };
	start(NULL, 0);
	cr_assert_eq(resolve("a.peer.test"), RESOLVE_FOUND);
	places_are("127.0.0.1:7002 [::1]:22");
	groups_are("00");
	cr_assert_eq(resolve("b.peer.test"), RESOLVE_FOUND);
	places_are("127.0.0.1:7001");
	cr_assert_eq(resolve("x.deep.peer.test"), RESOLVE_FOUND);
	places_are("127.0.0.1:7003");
	cr_assert_eq(resolve("plain.test"), RESOLVE_FOUND);
	places_are("10.0.0.1:5269");
	cr_assert_eq(fake_count(&server, 0, NULL), 0);
	cr_assert_eq(resolve("peer.test"), RESOLVE_NO_SERVICE, "*. is not the name itself");
	cr_assert_eq(resolve("evilpeer.test"), RESOLVE_NO_SERVICE);
	stop();
}

Test(resolve, places_are_bounded_and_distinct)
{
	static struct fake_row rows[64];
	static char text[40][40];

	for (unsigned i = 0; i < 20; i++) {
		sprintf(text[i], "%u 0 5269 h%u.test", i, i);
		rows[i] = (struct fake_row){ PLAIN("many.test"), T_SRV, 0, 60, text[i] };
		sprintf(text[20 + i], "8.8.%u.1", i / 2); /* every address twice */
		rows[20 + 2 * i] = (struct fake_row){ "*.hosts", T_A, 0, 60, "8.8.8.8" };
	}
	for (unsigned i = 0; i < 20; i++) {
		static char names[20][16];

		sprintf(names[i], "h%u.test", i);
		rows[20 + 2 * i] = (struct fake_row){ names[i], T_A, 0, 60, text[20 + i] };
		rows[21 + 2 * i] = (struct fake_row){ names[i], T_AAAA, 0, 60, "2606:4700::1" };
	}
	start(rows, 60);
	cr_assert_eq(resolve("many.test"), RESOLVE_FOUND);
	cr_assert_leq(fake_count(&server, T_A, NULL), LIMIT_CANDIDATES);
	cr_assert_eq(got.n, 9); /* 16 targets: 8 IPv4 addresses and one IPv6 */
	for (unsigned i = 0; i < got.n; i++)
		for (unsigned k = 0; k < i; k++)
			cr_assert(!addr_eq(&got.places[i].addr, &got.places[k].addr));
	stop();
}

Test(resolve, free_with_open_resolutions)
{
	static const struct fake_row rows[] = { { "*.test", T_SRV, FAKE_DROP, 60, "" } };

	start(rows, ARRAY_LEN(rows));
	begin("open.test", 0);
	dns_turn(loop.dns, fake_now(&loop));
	begin("ready..test", 1);
	stop();
	cr_assert_eq(n_got, 0);
}
