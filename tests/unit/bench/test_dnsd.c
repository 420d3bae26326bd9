/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/dnsd.h"

#include <criterion/criterion.h>

enum { A = 1, AAAA = 28, SRV = 33, TXT = 16 };

static struct dnsd server;
static struct names names;
static const unsigned authority = 25270;

static void set_up(void)
{
	memset(&server, 0, sizeof(server));
	cr_assert(names_init(&names, "origin.test", 300, 2, NULL, "bench.test", 2, 1));
	server.names = &names;
	server.asked = bench_alloc(names.n_pairs, 1);
	server.n_zones = 1;
	server.zones[0] = (struct dnsd_zone){ "origin.test", .plain = &authority, .n_ports = 1 };
	cr_assert(address_parse(&server.zones[0].host, "127.0.0.1:0"));
}

static void tear_down(void)
{
	free(server.asked);
	names_free(&names);
}

TestSuite(dnsd, .init = set_up, .fini = tear_down);

static size_t query_make(uint8_t *m, const char *name, unsigned type, bool edns)
{
	uint8_t *p = m + 12;

	memset(m, 0, DNSD_MESSAGE);
	m[0] = 0xab, m[1] = 0xcd, m[2] = 1, m[5] = 1;
	while (*name) {
		size_t len = strcspn(name, ".");

		*p++ = (uint8_t)len;
		memcpy(p, name, len);
		p += len;
		name += len + (name[len] == '.');
	}
	*p++ = 0;
	*p++ = (uint8_t)(type >> 8), *p++ = (uint8_t)type, *p++ = 0, *p++ = 1;
	if (edns) {
		static const uint8_t opt[11] = { 0, 0, 41, 4, 208 };

		memcpy(p, opt, sizeof(opt));
		p += sizeof(opt);
		m[11] = 1;
	}
	return (size_t)(p - m);
}

static size_t ask(const char *name, unsigned type, uint8_t out[DNSD_MESSAGE])
{
	uint8_t m[DNSD_MESSAGE];

	return dnsd_answer(&server, m, query_make(m, name, type, false), out);
}

static unsigned rcode(const uint8_t *m)
{
	return m[3] & 15;
}

Test(dnsd, srv_of_a_sender)
{
	static const uint8_t want[] = {
		0xc0,
		12,
		0,
		33,
		0,
		1,
		0,
		0,
		0x0e,
		0x10,
		0,
		24, /* name, SRV, IN, TTL, length */
		0,
		0,
		0,
		0,
		0x62,
		0xb6, /* 25270 */
		4,
		'x',
		'm',
		'p',
		'p',
		6,
		'o',
		'r',
		'i',
		'g',
		'i',
		'n',
		4,
		't',
		'e',
		's',
		't',
		0,
	};
	uint8_t out[DNSD_MESSAGE];
	size_t len = ask("_xmpp-server._tcp.d7.origin.test", SRV, out);

	cr_assert_geq(len, sizeof(want));
	cr_expect_eq(out[0], 0xab);
	cr_expect_eq(out[1], 0xcd);
	cr_expect_eq(out[2], 0x85, "response, authoritative, RD kept");
	cr_expect_eq(out[3], 0x80);
	cr_expect_eq(out[7], 1);
	cr_expect_eq(memcmp(out + len - sizeof(want), want, sizeof(want)), 0);
	cr_expect_eq(server.counts.srv, 1);
	cr_expect_eq(server.counts.senders, 1);
}

Test(dnsd, senders_are_counted_once)
{
	uint8_t out[DNSD_MESSAGE];

	ask("_xmpp-server._tcp.d7.origin.test", SRV, out);
	ask("_XMPP-Server._tcp.D7.Origin.TEST", SRV, out);
	ask("_xmpp-server._tcp.d299.origin.test", SRV, out);
	ask("_xmpp-server._tcp.d300.origin.test", SRV, out);
	ask("_xmpp-server._tcp.x1.origin.test", SRV, out);
	cr_expect_eq(out[7], 1);
	cr_expect_eq(server.counts.srv, 5);
	cr_expect_eq(server.counts.senders, 2);
}

Test(dnsd, host_has_an_address_of_one_family)
{
	static const uint8_t want[] = { 0, 4, 127, 0, 0, 1 };
	uint8_t out[DNSD_MESSAGE];
	size_t len = ask("xmpp.origin.test", A, out);

	cr_expect_eq(out[7], 1);
	cr_expect_eq(memcmp(out + len - sizeof(want), want, sizeof(want)), 0);
	ask("xmpp.origin.test", AAAA, out);
	cr_expect_eq(out[7], 0);
	cr_expect_eq(out[9], 1, "SOA");
	cr_expect_eq(rcode(out), 0);
}

Test(dnsd, no_data_and_no_name)
{
	static const struct {
		const char *name;
		unsigned type, rcode;
	} rows[] = {
		{ "_xmpps-server._tcp.d7.origin.test", SRV, 0 },
		{ "_tcp.d7.origin.test", A, 0 },
		{ "d7.origin.test", A, 0 },
		{ "d7.origin.test", TXT, 0 },
		{ "origin.test", AAAA, 0 },
		{ "d7.other.test", A, 3 },
		{ "notorigin.test", A, 3 },
		{ "_xmpp-server._tcp.example.org", SRV, 3 },
		{ "", A, 3 },
	};
	uint8_t out[DNSD_MESSAGE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_gt(ask(rows[i].name, rows[i].type, out), 12);
		cr_expect_eq(out[7], 0, "%s", rows[i].name);
		cr_expect_eq(out[9], 1, "%s", rows[i].name);
		cr_expect_eq(rcode(out), rows[i].rcode, "%s", rows[i].name);
	}
	cr_expect_eq(server.counts.srvs, 1);
	cr_expect_eq(server.counts.srv, 0);
}

Test(dnsd, edns_is_answered_with_edns)
{
	uint8_t m[DNSD_MESSAGE], out[DNSD_MESSAGE];
	size_t len = query_make(m, "xmpp.origin.test", A, true);

	len = dnsd_answer(&server, m, len, out);
	cr_expect_eq(out[11], 1);
	cr_expect_eq(out[len - 9], 41);
}

Test(dnsd, what_is_no_question_gets_no_data)
{
	uint8_t m[DNSD_MESSAGE], out[DNSD_MESSAGE];
	size_t len = query_make(m, "_xmpp-server._tcp.d7.origin.test", SRV, true);

	for (size_t cut = 0; cut < len - 11; cut++) {
		uint8_t *exact = bench_alloc(1, cut);
		size_t got;

		memcpy(exact, m, cut);
		got = dnsd_answer(&server, exact, cut, out);
		cr_expect(cut < 12 ? got == 0 : got == 12 && rcode(out) == 1, "%zu", cut);
		free(exact);
	}
	m[2] |= 0x80;
	cr_expect_eq(dnsd_answer(&server, m, len, out), 0, "a response");
	m[2] = 0x28;
	cr_expect_eq(dnsd_answer(&server, m, len, out), 12);
	cr_expect_eq(rcode(out), 4, "an update");
	m[2] = 1;
	m[12] = 0xc0;
	cr_expect_eq(dnsd_answer(&server, m, len, out), 12);
	cr_expect_eq(rcode(out), 1, "a compressed question");
}

Test(dnsd, longest_name_fits)
{
	char name[256];
	uint8_t out[DNSD_MESSAGE];
	size_t at = 0;

	for (int i = 0; i < 3; i++) {
		memset(name + at, 'a', 63);
		at += 63;
		name[at++] = '.';
	}
	memset(name + at, 'b', 49);
	strcpy(name + at + 49, ".origin.test");
	cr_assert_eq(strlen(name), 253);
	cr_expect_gt(ask(name, SRV, out), 12);
	cr_expect_eq(rcode(out), 0);
}

Test(names, are_found_again)
{
	struct names n;
	char text[NAMES_TEXT];
	uint32_t i = 99;

	cr_assert(names_init(&n, "o.test", 12, 3, NULL, "b.test", 3, 2));
	cr_expect_eq(names_find(&n, names_pair(&n, 11, text), &i), NAME_PAIR);
	cr_expect_eq(i, 11);
	cr_expect_eq(names_find(&n, names_probe(&n, 2, text), &i), NAME_PROBE);
	cr_expect_eq(i, 2);
	cr_expect_str_eq(names_pair(&n, 0, text).p, "d0.o.test");
	cr_expect_eq(names_pair(&n, UINT32_MAX, text).len, strlen("d4294967295.o.test"));
	cr_expect_str_eq(text, "d4294967295.o.test");
	cr_expect_str_eq(n.targets[2].p, "h3.b.test");
	cr_expect_str_eq(names_target(&n, 5).p, "h3.b.test", "5 / 2 mod 3");
	cr_expect_eq(names_backend(&n, 5), 0);
	n.n_backends = 2;
	cr_expect_eq(names_backend(&n, 5), 0, "2 mod 2");
	cr_expect_eq(names_backend(&n, 3), 1, "3 / 2 mod 3 mod 2");
	cr_expect_eq(names_find(&n, (struct text){ "xmpp.o.test.", 12 }, &i), NAME_HOST);
	for (const char *const *bad = (const char *const[]){ "d12.o.test", "d.o.test", "d1x.o.test",
		     "e1.o.test", "d1.p.test", "d1o.test", ".o.test", "o.test", "",
		     "d4294967297.o.test", "d99999999999999999999.o.test", NULL };
		*bad; bad++)
		cr_expect_eq(names_find(&n, (struct text){ *bad, strlen(*bad) }, &i), NAME_OTHER,
			"%s", *bad);
	names_free(&n);
}

/* The port of an answer's first SRV record; 0: there is none. */
static unsigned port_of(const char *name)
{
	uint8_t out[DNSD_MESSAGE];
	size_t len = ask(name, SRV, out);

	if (!len || rcode(out) || !out[7])
		return 0;
	/* Behind the question: name, type, class, TTL, length, priority, weight. */
	len = 12 + strlen(name) + 2 + 4 + 2 + 2 + 2 + 4 + 2 + 4;
	return (unsigned)out[len] << 8 | out[len + 1];
}

Test(dnsd, outside_domains_have_their_servers_in_turn_and_hosted_ones_the_router)
{
	static const unsigned remotes[] = { 25001, 25002, 25003 }, s2s = 25269, tls = 25270;

	server.zones[0].plain = remotes;
	server.zones[0].n_ports = 3;
	server.zones[1] = (struct dnsd_zone){ "bench.test", .host = server.zones[0].host,
		.plain = &s2s, .direct = &tls, .n_ports = 1 };
	server.n_zones = 2;
	cr_expect_eq(port_of("_xmpp-server._tcp.d0.origin.test"), 25001);
	cr_expect_eq(port_of("_xmpp-server._tcp.d7.origin.test"), 25002);
	cr_expect_eq(port_of("_xmpp-server._tcp.d299.origin.test"), 25003);
	cr_expect_eq(port_of("_xmpps-server._tcp.d0.origin.test"), 0);
	cr_expect_eq(port_of("_xmpp-server._tcp.h2.bench.test"), 25269);
	cr_expect_eq(port_of("_xmpps-server._tcp.h2.bench.test"), 25270);
	cr_expect_eq(server.counts.senders, 3);
	server.zones[0].direct = remotes;
	server.zones[0].plain = NULL;
	cr_expect_eq(port_of("_xmpps-server._tcp.d4.origin.test"), 25002);
	cr_expect_eq(port_of("_xmpp-server._tcp.d4.origin.test"), 0);
	cr_expect_eq(server.counts.senders, 4);
}
