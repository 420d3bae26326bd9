/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions and what comes of them: answers, tries, the cache, the bounds. The bytes of an answer:
 * test_dns_message.c. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "fake_dns.h"
#include "fake_loop.h"

static struct fake_dns server;
static struct fake_loop loop;

/* What came of the questions of a test, by cookie. */
static struct {
	unsigned calls;
	enum dns_status status;
	unsigned n;
	struct srv_record srv[LIMIT_DNS_RECORDS];
	struct addr addrs[LIMIT_DNS_RECORDS];
	enum dns_type type;
} got[64];
static unsigned n_got;
static bool asking;

static void start(const struct fake_row *rows, unsigned n, uint32_t timeout_ms)
{
	fake_start(&server, rows, n);
	fake_loop_open(&loop, &server.addr, timeout_ms);
}

static void stop(void)
{
	fake_loop_close(&loop);
	fake_stop(&server);
}

static void note(void *ctx, uint64_t cookie, const struct dns_answer *a)
{
	cr_assert(!asking, "called from inside dns_ask");
	cr_assert_eq(ctx, &loop);
	cr_assert_lt(cookie, 64);
	got[cookie].calls++;
	got[cookie].status = a->status;
	got[cookie].n = a->n;
	if (a->status != DNS_FOUND)
		cr_assert_eq(a->n, 0);
	else if (got[cookie].type == DNS_SRV)
		memcpy(got[cookie].srv, a->srv, a->n * sizeof(*a->srv));
	else
		memcpy(got[cookie].addrs, a->addrs, a->n * sizeof(*a->addrs));
	n_got++;
}

static void ask(uint64_t cookie, enum dns_type type, const char *name)
{
	got[cookie].type = type;
	asking = true;
	cr_assert(dns_ask(loop.dns, type, name, note, &loop, cookie, fake_now(&loop)));
	asking = false;
}

static void wait_for(unsigned n)
{
	cr_assert(fake_loop_run(&loop, &n_got, n, 10000, NULL, NULL), "%u of %u", n_got, n);
	cr_assert_eq(n_got, n);
}

/* Asks and waits; the status. */
static enum dns_status look_up(uint64_t cookie, enum dns_type type, const char *name)
{
	ask(cookie, type, name);
	wait_for(n_got + 1);
	cr_assert_geq(got[cookie].calls, 1);
	return got[cookie].status;
}

static void addr_is(const struct addr *a, const char *text)
{
	struct addr want = fake_addr(text);

	cr_assert(addr_eq(a, &want), "not %s", text);
}

Test(dns, records)
{
	static const struct fake_row rows[] = {
		{ "_s._tcp.a.test", T_SRV, 0, 60, "10 5 5269 Host.A.Test" },
		{ "_s._tcp.a.test", T_SRV, 0, 60, "20 0 443 ." },
		{ "a.test", T_A, 0, 60, "192.0.2.1" },
		{ "a.test", T_A, 0, 60, "192.0.2.2" },
		{ "a.test", T_AAAA, 0, 60, "2001:db8::1" },
		{ "mapped.test", T_AAAA, 0, 60, "::ffff:127.0.0.1" },
	};

	start(rows, ARRAY_LEN(rows), 0);
	cr_assert_eq(look_up(0, DNS_SRV, "_s._tcp.a.test"), DNS_FOUND);
	cr_assert_eq(got[0].n, 2);
	cr_assert_eq(got[0].srv[0].priority, 10);
	cr_assert_eq(got[0].srv[0].weight, 5);
	cr_assert_eq(got[0].srv[0].port, 5269);
	cr_assert_str_eq(got[0].srv[0].target, "host.a.test");
	cr_assert_str_eq(got[0].srv[1].target, "");
	cr_assert_eq(look_up(1, DNS_A, "a.test"), DNS_FOUND);
	cr_assert_eq(got[1].n, 2);
	addr_is(&got[1].addrs[0], "192.0.2.1");
	addr_is(&got[1].addrs[1], "192.0.2.2");
	cr_assert_eq(look_up(2, DNS_AAAA, "a.test"), DNS_FOUND);
	addr_is(&got[2].addrs[0], "2001:db8::1");
	cr_assert_eq(look_up(3, DNS_AAAA, "mapped.test"), DNS_FOUND);
	addr_is(&got[3].addrs[0], "127.0.0.1");
	stop();
}

Test(dns, answers_and_failures_are_told_apart)
{
	static const struct fake_row rows[] = {
		{ "none.test", T_A, FAKE_NODATA, 60, "" },
		{ "bare.test", T_A, FAKE_NODATA_BARE, 60, "" },
		{ "gone.test", T_A, FAKE_NXDOMAIN, 60, "" },
		{ "broken.test", T_A, FAKE_SERVFAIL, 60, "" },
		{ "garbage.test", T_A, FAKE_GARBAGE, 60, "192.0.2.1" },
		{ "loop.test", T_SRV, FAKE_LOOP, 60, "1 1 1 x" },
	};

	start(rows, ARRAY_LEN(rows), 0);
	cr_assert_eq(look_up(0, DNS_A, "none.test"), DNS_NO_DATA);
	cr_assert_eq(look_up(1, DNS_A, "bare.test"), DNS_NO_DATA);
	cr_assert_eq(look_up(2, DNS_A, "gone.test"), DNS_NO_NAME);
	cr_assert_eq(look_up(3, DNS_A, "broken.test"), DNS_FAILED);
	cr_assert_eq(look_up(4, DNS_A, "garbage.test"), DNS_FAILED);
	cr_assert_eq(look_up(5, DNS_SRV, "loop.test"), DNS_FAILED);
	cr_assert_eq(dns_stats(loop.dns)->failed, 3);
	stop();
}

Test(dns, silence_fails_after_the_tries)
{
	static const struct fake_row rows[] = { { "drop.test", T_A, FAKE_DROP, 60, "" } };

	start(rows, ARRAY_LEN(rows), 50);
	cr_assert_eq(look_up(0, DNS_A, "drop.test"), DNS_FAILED);
	cr_assert_eq(fake_count(&server, T_A, "drop.test"), 2);
	stop();
}

Test(dns, truncation_leads_to_tcp)
{
	static struct fake_row rows[20];

	for (unsigned i = 0; i < 20; i++)
		rows[i] = (struct fake_row){ "big.test", T_SRV, FAKE_TRUNCATE, 60,
			"1 1 5269 a-rather-long-target-name.somewhere.below.big.test" };
	start(rows, 20, 0);
	cr_assert_eq(look_up(0, DNS_SRV, "big.test"), DNS_FOUND);
	cr_assert_eq(got[0].n, 20);
	cr_assert_eq(fake_tcp_count(&server), 1);
	cr_assert_str_eq(got[0].srv[19].target,
		"a-rather-long-target-name.somewhere.below.big.test");
	stop();
}

Test(dns, edns_lets_large_answers_pass_by_udp)
{
	static struct fake_row rows[12];

	for (unsigned i = 0; i < 12; i++)
		rows[i] = (struct fake_row){ "mid.test", T_SRV, 0, 60,
			"1 1 5269 a-rather-long-target-name.somewhere.below.mid.test" };
	start(rows, 12, 0);
	cr_assert_eq(look_up(0, DNS_SRV, "mid.test"), DNS_FOUND);
	cr_assert_eq(got[0].n, 12);
	cr_assert_eq(fake_tcp_count(&server), 0);
	stop();
}

Test(dns, servers_without_edns)
{
	static const struct fake_row rows[] = {
		{ "*.old.test", T_A, FAKE_NO_EDNS, 60, "192.0.2.1" },
	};

	start(rows, ARRAY_LEN(rows), 0);
	ask(0, DNS_A, "a.old.test");
	ask(1, DNS_A, "b.old.test");
	ask(2, DNS_A, "c.old.test");
	wait_for(3);
	cr_assert_eq(look_up(3, DNS_A, "d.old.test"), DNS_FOUND);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(got[i].status, DNS_FOUND);
	cr_assert_eq(fake_count(&server, T_A, "d.old.test"), 1);
	stop();
}

Test(dns, too_many_records_are_cut)
{
	static struct fake_row rows[LIMIT_DNS_RECORDS + 8];

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		rows[i] = (struct fake_row){ "many.test", T_A, 0, 60, "192.0.2.1" };
	start(rows, ARRAY_LEN(rows), 0);
	cr_assert_eq(look_up(0, DNS_A, "many.test"), DNS_FOUND);
	cr_assert_eq(got[0].n, LIMIT_DNS_RECORDS);
	stop();
}

Test(dns, cname_and_forged_answers)
{
	static const struct fake_row rows[] = {
		{ "alias.test", T_A, 0, 60, "=real.test" },
		{ "alias.test", T_A, 0, 60, "192.0.2.7" },
		{ "dangling.test", T_A, 0, 60, "=nowhere.test" },
		{ "spoof.test", T_A, FAKE_FORGED, 60, "192.0.2.8" },
	};

	start(rows, ARRAY_LEN(rows), 0);
	cr_assert_eq(look_up(0, DNS_A, "alias.test"), DNS_FOUND);
	cr_assert_eq(got[0].n, 1);
	addr_is(&got[0].addrs[0], "192.0.2.7");
	cr_assert_eq(look_up(1, DNS_A, "dangling.test"), DNS_NO_DATA);
	cr_assert_eq(look_up(2, DNS_A, "spoof.test"), DNS_FOUND);
	cr_assert_eq(fake_count(&server, T_A, "spoof.test"), 1);
	stop();
}

Test(dns, impossible_names_are_answered_without_a_question)
{
	char label[80], name[400];

	start(NULL, 0, 0);
	memset(label, 'a', 64);
	strcpy(label + 64, ".test");
	memset(name, 'a', 300);
	name[300] = '\0';
	cr_assert_eq(look_up(0, DNS_A, label), DNS_NO_NAME);
	cr_assert_eq(look_up(1, DNS_A, name), DNS_NO_NAME);
	cr_assert_eq(look_up(2, DNS_A, "a..test"), DNS_NO_NAME);
	cr_assert_eq(look_up(3, DNS_A, ""), DNS_NO_NAME);
	cr_assert_eq(fake_count(&server, 0, NULL), 0);
	stop();
}

Test(dns, t_q13_single_flight)
{
	static const struct fake_row rows[] = {
		{ "a.test", T_A, 0, 60, "192.0.2.1" },
		{ "a.test", T_AAAA, FAKE_NODATA, 60, "" },
	};

	start(rows, ARRAY_LEN(rows), 0);
	for (unsigned i = 0; i < 1000; i++) {
		ask(0, DNS_A, i % 2 ? "A.test" : "a.TEST");
		ask(1, DNS_AAAA, "a.test");
	}
	wait_for(2000);
	cr_assert_eq(got[0].calls, 1000);
	cr_assert_eq(got[1].calls, 1000);
	cr_assert_eq(got[0].status, DNS_FOUND);
	cr_assert_eq(got[1].status, DNS_NO_DATA);
	cr_assert_eq(fake_count(&server, 0, NULL), 2);
	cr_assert_eq(fake_count(&server, T_A, "a.test"), 1, "asked in lower case");
	cr_assert_eq(dns_stats(loop.dns)->joined, 1998);
	stop();
}

Test(dns, t_q19_ttl_bounds)
{
	static const struct fake_row rows[] = {
		{ "short.test", T_A, 0, 5, "192.0.2.1" },
		{ "long.test", T_A, 0, 1000000, "192.0.2.1" },
		{ "huge.test", T_A, 0, 0xffffffff, "192.0.2.1" },
		{ "none.test", T_A, FAKE_NODATA, 100, "" },
		{ "never.test", T_A, FAKE_NXDOMAIN, 100000, "" },
		{ "broken.test", T_A, FAKE_SERVFAIL, 60, "" },
		{ "least.test", T_A, 0, 500, "=x.test" },
		{ "least.test", T_A, 0, 900, "192.0.2.1" },
	};
	/* name, kept for so many seconds */
	static const struct {
		const char *name;
		unsigned s;
	} kept[] = { { "short.test", 30 }, { "long.test", 3600 }, { "huge.test", 30 },
		{ "none.test", 100 }, { "never.test", 300 }, { "broken.test", 30 },
		{ "least.test", 500 } };

	start(rows, ARRAY_LEN(rows), 0);
	fake_freeze(&loop);
	for (unsigned i = 0; i < ARRAY_LEN(kept); i++) {
		unsigned before, questions;

		look_up(i, DNS_A, kept[i].name);
		questions = fake_count(&server, T_A, kept[i].name);
		for (unsigned k = 0; k < 100; k++)
			look_up(i, DNS_A, kept[i].name);
		loop.skip += kept[i].s * 1000u - 1;
		look_up(i, DNS_A, kept[i].name);
		before = fake_count(&server, T_A, kept[i].name);
		cr_assert_eq(before, questions, "%s", kept[i].name);
		loop.skip += 1;
		look_up(i, DNS_A, kept[i].name);
		cr_assert_gt(fake_count(&server, T_A, kept[i].name), before, "%s", kept[i].name);
	}
	stop();
}

static void ask_again(void *ctx, uint64_t cookie, const struct dns_answer *a)
{
	cr_assert_eq(a->status, DNS_FOUND);
	n_got++;
	if (cookie > 0)
		cr_assert(dns_ask(loop.dns, DNS_A, cookie % 2 ? "a.test" : "b.test", ask_again, ctx,
			cookie - 1, fake_now(&loop)));
	cr_assert_eq(a->n, 1);
}

Test(dns, callbacks_may_ask)
{
	static const struct fake_row rows[] = {
		{ "a.test", T_A, 0, 60, "192.0.2.1" },
		{ "b.test", T_A, 0, 60, "192.0.2.2" },
	};

	start(rows, ARRAY_LEN(rows), 0);
	cr_assert(dns_ask(loop.dns, DNS_A, "b.test", ask_again, NULL, 50, fake_now(&loop)));
	wait_for(51);
	cr_assert_eq(fake_count(&server, 0, NULL), 2);
	stop();
}

static unsigned counted[DNS_FAILED + 1];
static unsigned n_counted;

static void count(void *ctx, uint64_t cookie, const struct dns_answer *a)
{
	unsigned char *seen = ctx;

	cr_assert_eq(seen[cookie], 0, "answered twice");
	seen[cookie] = 1;
	counted[a->status]++;
	n_counted++;
}

static void ask_many(unsigned n, const char *suffix, unsigned char *seen)
{
	char name[64];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "_xmpp-server._tcp.n%u.%s", i, suffix);
		cr_assert(dns_ask(loop.dns, DNS_SRV, name, count, seen, i, fake_now(&loop)));
	}
}

Test(dns, ten_thousand_names_at_once, .timeout = 60)
{
	static const struct fake_row rows[] = {
		{ "*.many.test", T_SRV, 0, 60, "1 1 5269 host.many.test" },
	};
	static unsigned char seen[10000];
	uint64_t began;

	start(rows, ARRAY_LEN(rows), 0);
	began = clock_ms();
	ask_many(10000, "many.test", seen);
	cr_assert(fake_loop_run(&loop, &n_counted, 10000, 50000, NULL, NULL), "one was lost");
	cr_assert_eq(counted[DNS_FOUND], 10000);
	cr_assert_eq(fake_count(&server, 0, NULL), 10000);
	cr_assert_eq(dns_stats(loop.dns)->asked, 10000);
	cr_log_info("10,000 names in %u ms", (unsigned)(clock_ms() - began));
	stop();
}

Test(dns, dead_zones_do_not_hold_up_others)
{
	static const struct fake_row rows[] = {
		{ "*.dead.test", T_SRV, FAKE_DROP, 60, "" },
		{ "alive.test", T_A, 0, 60, "192.0.2.1" },
	};
	static unsigned char seen[3 * LIMIT_DNS_WINDOW];

	start(rows, ARRAY_LEN(rows), 60000);
	ask_many(3 * LIMIT_DNS_WINDOW, "dead.test", seen);
	cr_assert_eq(look_up(0, DNS_A, "alive.test"), DNS_FOUND);
	cr_assert_eq(n_counted, 0);
	stop(); /* with open questions: dropped without a call */
	cr_assert_eq(n_counted, 0);
}

Test(dns, window_bounds_what_is_in_flight)
{
	static const struct fake_row rows[] = { { "*.dead.test", T_SRV, FAKE_DROP, 60, "" } };
	static unsigned char seen[1000];

	start(rows, ARRAY_LEN(rows), 60000);
	ask_many(1000, "dead.test", seen);
	for (unsigned i = 0; i < 20; i++) {
		dns_turn(loop.dns, 1); /* no time passes */
		uring_turn(loop.ring, 0, 512, NULL, NULL);
	}
	cr_assert_eq(dns_stats(loop.dns)->asked, LIMIT_DNS_WINDOW);
	cr_assert(!dns_busy(loop.dns));
	stop();
}

Test(dns, waiting_is_bounded)
{
	static unsigned char seen[LIMIT_DNS_WAITING];

	start(NULL, 0, 0);
	ask_many(LIMIT_DNS_WAITING, "much.test", seen);
	cr_assert(!dns_ask(loop.dns, DNS_A, "more.test", note, &loop, 0, fake_now(&loop)));
	ask(1, DNS_SRV, "_xmpp-server._tcp.n7.much.test"); /* waits already: joined */
	stop();
	cr_assert_eq(n_got, 0);
}

Test(dns, cache_is_bounded, .timeout = 60)
{
	static const struct fake_row rows[] = {
		{ "*.a.test", T_SRV, 0, 60, "1 1 5269 host.a.test" },
		{ "*.b.test", T_SRV, 0, 60, "1 1 5269 host.b.test" },
	};
	static unsigned char seen[2][LIMIT_DNS_WAITING];
	const unsigned n = LIMIT_DNS_WAITING, rest = 100;

	start(rows, ARRAY_LEN(rows), 0);
	ask_many(n, "a.test", seen[0]);
	cr_assert(fake_loop_run(&loop, &n_counted, n, 50000, NULL, NULL));
	cr_assert_eq(counted[DNS_FOUND], n);
	cr_assert_eq(dns_stats(loop.dns)->evicted, 0);
	ask_many(rest, "b.test", seen[1]);
	cr_assert(fake_loop_run(&loop, &n_counted, n + rest, 10000, NULL, NULL));
	cr_assert_eq(counted[DNS_FOUND], n + rest);
	cr_assert_eq(dns_stats(loop.dns)->evicted, n + rest - LIMIT_DNS_CACHE);
	stop();
}

Test(dns, dead_server_fails_at_once)
{
	struct addr nobody = fake_addr("127.0.0.1:1");

	fake_loop_open(&loop, &nobody, 0);
	for (unsigned i = 0; i < 60; i++)
		ask(i, i % 2 ? DNS_A : DNS_AAAA, i < 30 ? "a.test" : "b.test");
	wait_for(60); /* not until the time of a try is over */
	for (unsigned i = 0; i < 60; i++)
		cr_assert_eq(got[i].status, DNS_FAILED);
	fake_loop_close(&loop);
}

Test(dns, second_server_takes_over)
{
	static const struct fake_row rows[] = { { "a.test", T_A, 0, 60, "192.0.2.1" } };
	struct addr servers[2];
	struct dns_opts opts = { servers, 2, 60000, 2 };
	const char *why;

	fake_start(&server, rows, ARRAY_LEN(rows));
	servers[0] = fake_addr("127.0.0.1:1"); /* nobody there */
	servers[1] = server.addr;
	fake_loop_open(&loop, &server.addr, 0);
	dns_free(loop.dns);
	loop.dns = dns_new(loop.ring, loop.wheel, &opts, &why);
	cr_assert_not_null(loop.dns);
	cr_assert_eq(look_up(0, DNS_A, "a.test"), DNS_FOUND);
	stop();
}

Test(dns, more_servers_than_can_be_asked)
{
	struct addr servers[33];
	const char *why;

	for (unsigned i = 0; i < ARRAY_LEN(servers); i++)
		servers[i] = fake_addr("127.0.0.1");
	start(NULL, 0, 0);
	dns_free(loop.dns);
	loop.dns = dns_new(loop.ring, loop.wheel,
		&(struct dns_opts){ servers, ARRAY_LEN(servers), 0, 0 }, &why);
	cr_assert_null(loop.dns);
	cr_expect_str_eq(why, "--dns or /etc/resolv.conf names more than 32 servers");
	loop.dns = dns_new(loop.ring, loop.wheel,
		&(struct dns_opts){ servers, ARRAY_LEN(servers) - 1, 0, 0 }, &why);
	cr_expect_not_null(loop.dns);
	stop();
}

Test(dns, servers_of_both_families_and_of_the_system)
{
	struct addr servers[] = { fake_addr("[::1]:5300"), fake_addr("127.0.0.1") };
	struct dns_opts opts = { servers, 2, 0, 0 };
	const char *why;

	start(NULL, 0, 0);
	dns_free(loop.dns);
	loop.dns = dns_new(loop.ring, loop.wheel, &opts, &why);
	cr_assert_not_null(loop.dns);
	dns_free(loop.dns);
	loop.dns = dns_new(loop.ring, loop.wheel, &(struct dns_opts){ 0 }, &why);
	cr_assert_not_null(loop.dns);
	stop();
}
