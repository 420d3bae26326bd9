/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/base/addr.h"

static struct addr ip_of(const char *text)
{
	struct addr a;

	cr_assert(addr_parse_ip(span_str(text), &a), "%s", text);
	return a;
}

static struct addr_net net_of(const char *text)
{
	struct addr_net n;

	cr_assert(addr_net_parse(span_str(text), &n), "%s", text);
	return n;
}

/* -- parsing -- */

Test(addr, with_port)
{
	static const struct {
		const char *in;
		uint16_t default_port;
		const char *out; /* NULL: refused */
	} row[] = {
		{ "127.0.0.1:53", 0, "127.0.0.1:53" },
		{ "[::]:5269", 0, "[::]:5269" },
		{ "[::1]:65535", 0, "[::1]:65535" },
		{ "0.0.0.0:0", 5269, "0.0.0.0:0" },
		{ "10.0.0.1", 5269, "10.0.0.1:5269" },
		{ "[2001:db8::1]", 5269, "[2001:db8::1]:5269" },
		{ "[2001:DB8:0:0:0:0:0:1]:1", 0, "[2001:db8::1]:1" },
		{ "[::ffff:10.1.2.3]:22", 0, "10.1.2.3:22" },
		{ "[::ffff:a01:203]:22", 0, "10.1.2.3:22" },
		{ "10.0.0.1", 0, NULL },
		{ "[::1]", 0, NULL },
		{ "10.0.0.1:", 5269, NULL },
		{ "[::1]:", 5269, NULL },
		{ "10.0.0.1:65536", 0, NULL },
		{ "10.0.0.1:-1", 0, NULL },
		{ "10.0.0.1:+1", 0, NULL },
		{ "10.0.0.1:1 ", 0, NULL },
		{ "10.0.0.1:1:1", 0, NULL },
		{ "::1", 5269, NULL },
		{ "::1:5269", 5269, NULL },
		{ "[10.0.0.1]:53", 0, NULL },
		{ "[::1", 5269, NULL },
		{ "[", 5269, NULL },
		{ "[]", 5269, NULL },
		{ "[]:1", 5269, NULL },
		{ "]", 5269, NULL },
		{ "[::1]5269", 5269, NULL },
		{ "[::1]x:5269", 5269, NULL },
		{ "[[::1]]:5269", 5269, NULL },
		{ ":5269", 5269, NULL },
		{ "", 5269, NULL },
		{ "localhost:53", 0, NULL },
		{ "[fe80::1%eth0]:1", 0, NULL },
	};
	char text[ADDR_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct addr a;
		bool ok = addr_parse(span_str(row[i].in), row[i].default_port, &a);

		cr_expect_eq(ok, row[i].out != NULL, "%s", row[i].in);
		if (!ok || !row[i].out)
			continue;
		addr_format(&a, text);
		cr_expect_str_eq(text, row[i].out);
	}
}

Test(addr, literals)
{
	static const struct {
		const char *in, *out;
	} row[] = {
		{ "1.2.3.4", "1.2.3.4" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "::", "::" },
		{ "::ffff:1.2.3.4", "1.2.3.4" },
		{ "0:0:0:0:0:ffff:102:304", "1.2.3.4" },
		{ "::1.2.3.4", "::1.2.3.4" },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
		{ "FE80::A", "fe80::a" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "1.2.3", NULL },
		{ "1.2.3.4.5", NULL },
		{ "1.2.3.256", NULL },
		{ "01.2.3.4", NULL },
		{ "0x1.2.3.4", NULL },
		{ "1", NULL },
		{ " 1.2.3.4", NULL },
		{ "1.2.3.4 ", NULL },
		{ "1.2.3.4/8", NULL },
		{ "[::1]", NULL },
		{ ":::", NULL },
		{ "1::2::3", NULL },
		{ "1:2:3:4:5:6:7", NULL },
		{ "1:2:3:4:5:6:7:8:9", NULL },
		{ "12345::", NULL },
		{ "", NULL },
		{ "::ffff:255.255.255.255::::::::::::::::::::::::::::::", NULL },
	};
	char text[ADDR_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct addr a;
		bool ok = addr_parse_ip(span_str(row[i].in), &a);

		cr_expect_eq(ok, row[i].out != NULL, "%s", row[i].in);
		if (!ok || !row[i].out)
			continue;
		cr_expect_eq(a.port, 0);
		addr_format_ip(&a, text);
		cr_expect_str_eq(text, row[i].out);
	}
}

Test(addr, spans_are_not_strings)
{
	struct addr a;

	cr_assert(addr_parse_ip(span_of("1.2.3.45", 7), &a));
	cr_assert_eq(a.ip[15], 4);
	cr_assert_not(addr_parse_ip(span_of("1.2.3.4\0x", 9), &a));
	cr_assert_not(addr_parse_ip(span_of("::1\0", 4), &a));
	cr_assert_not(addr_parse_ip(SPAN_NONE, &a));
	cr_assert_not(addr_parse(SPAN_NONE, 1, &a));
}

Test(addr, nets)
{
	static const struct {
		const char *in;
		int bits; /* -1: refused */
		const char *ip;
	} row[] = {
		{ "10.0.0.0/8", 104, "10.0.0.0" },
		{ "10.1.2.3/8", 104, "10.0.0.0" },
		{ "10.1.2.3", 128, "10.1.2.3" },
		{ "10.1.2.3/32", 128, "10.1.2.3" },
		{ "10.1.2.3/31", 127, "10.1.2.2" },
		{ "1.2.3.4/0", 96, "0.0.0.0" },
		{ "::1", 128, "::1" },
		{ "::/0", 0, "::" },
		{ "ffff::/1", 1, "8000::" },
		{ "2001:db8:ffff::/33", 33, "2001:db8:8000::" },
		{ "::ffff:10.0.0.0/104", 104, "10.0.0.0" },
		{ "::ffff:10.0.0.1", 128, "10.0.0.1" },
		{ "10.0.0.0/33", -1, NULL },
		{ "::/129", -1, NULL },
		{ "10.0.0.0/", -1, NULL },
		{ "10.0.0.0/x", -1, NULL },
		{ "10.0.0.0/-1", -1, NULL },
		{ "10.0.0.0/8/8", -1, NULL },
		{ "/8", -1, NULL },
		{ "", -1, NULL },
		{ "10/8", -1, NULL },
		{ "10.0.0.0:1", -1, NULL },
		{ "[::]/0", -1, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct addr_net net;
		bool ok = addr_net_parse(span_str(row[i].in), &net);

		cr_expect_eq(ok, row[i].bits >= 0, "%s", row[i].in);
		if (!ok || row[i].bits < 0)
			continue;
		cr_expect_eq(net.bits, row[i].bits, "%s", row[i].in);
		cr_expect_eq(memcmp(net.ip, ip_of(row[i].ip).ip, 16), 0, "%s", row[i].in);
	}
}

Test(addr, ports)
{
	static const struct {
		const char *in;
		bool ok;
		uint16_t low, high;
	} row[] = {
		{ "22", true, 22, 22 },
		{ "6000-6063", true, 6000, 6063 },
		{ "0-65535", true, 0, 65535 },
		{ "5-5", true, 5, 5 },
		{ "6-5", false, 0, 0 },
		{ "65536", false, 0, 0 },
		{ "1-65536", false, 0, 0 },
		{ "-5", false, 0, 0 },
		{ "5-", false, 0, 0 },
		{ "1-2-3", false, 0, 0 },
		{ "", false, 0, 0 },
		{ "1 - 2", false, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct addr_ports p = { 0, 0 };

		cr_expect_eq(addr_ports_parse(span_str(row[i].in), &p), row[i].ok, "%s", row[i].in);
		cr_expect(p.low == row[i].low && p.high == row[i].high, "%s", row[i].in);
	}
}

/* -- comparing -- */

Test(addr, equality)
{
	struct addr a = ip_of("1.2.3.4"), b = ip_of("::ffff:1.2.3.4"), c = ip_of("1.2.3.5");

	a.port = b.port = 1;
	cr_assert(addr_eq(&a, &b));
	b.port = 2;
	cr_assert_not(addr_eq(&a, &b));
	cr_assert(addr_same_ip(&a, &b));
	cr_assert_not(addr_same_ip(&a, &c));
	cr_assert(addr_is_v4(&a));
	cr_assert_not(addr_is_v4(&(struct addr){ .ip = { [15] = 1 } }));
}

Test(addr, in)
{
	static const struct {
		const char *ip, *net;
		bool in;
	} row[] = {
		{ "10.255.255.255", "10.0.0.0/8", true },
		{ "11.0.0.0", "10.0.0.0/8", false },
		{ "9.255.255.255", "10.0.0.0/8", false },
		{ "::ffff:10.0.0.1", "10.0.0.0/8", true },
		{ "10.0.0.1", "::ffff:10.0.0.0/104", true },
		{ "172.31.255.255", "172.16.0.0/12", true },
		{ "172.32.0.0", "172.16.0.0/12", false },
		{ "1.2.3.4", "1.2.3.4", true },
		{ "1.2.3.5", "1.2.3.4", false },
		{ "1.2.3.4", "0.0.0.0/0", true },
		{ "::1", "0.0.0.0/0", false },
		{ "::1", "::/0", true },
		{ "1.2.3.4", "::/0", false },
		{ "1.2.3.4", "::/80", false },
		{ "fdff::1", "fc00::/7", true },
		{ "fe00::1", "fc00::/7", false },
		{ "::1", "::1", true },
		{ "::2", "::1", false },
		{ "2001:db8:7fff::", "2001:db8::/33", true },
		{ "2001:db8:8000::", "2001:db8::/33", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct addr a = ip_of(row[i].ip);
		struct addr_net net = net_of(row[i].net);

		cr_expect_eq(addr_in(&a, &net), row[i].in, "%s in %s", row[i].ip, row[i].net);
	}
}

/* An address is in its own prefix, and not when a bit before the end is flipped. */
Test(addr, in_for_every_prefix_length)
{
	struct addr a = ip_of("2001:470:8a2e:5c3d:9f81:e2d6:37b4:19ac");

	for (unsigned bits = 0; bits <= 128; bits++) {
		struct addr p = addr_prefix(&a, 0, bits);
		struct addr_net net = { .bits = (uint8_t)bits };

		memcpy(net.ip, p.ip, 16);
		cr_assert(addr_in(&a, &net), "%u", bits);
		cr_assert(addr_in(&p, &net), "%u", bits);
		for (unsigned i = 0; i < 128; i++) {
			struct addr b = a;

			b.ip[i / 8] ^= (uint8_t)(0x80 >> i % 8);
			cr_assert_eq(addr_in(&b, &net), i >= bits, "bit %u of /%u", i, bits);
		}
	}
}

Test(addr, prefix)
{
	struct addr a = ip_of("203.0.113.77"), b = ip_of("2001:db8:1:2:3:4:5:6"), p;

	a.port = 5269;
	p = addr_prefix(&a, 24, 64);
	cr_assert(addr_eq(&p, &(struct addr){ .ip = { [10] = 0xff, 0xff, 203, 0, 113, 0 } }));
	p = addr_prefix(&a, 32, 64);
	cr_assert(addr_same_ip(&p, &a));
	p = addr_prefix(&a, 0, 0);
	cr_assert(addr_is_v4(&p) && addr_is_any(&p));
	p = addr_prefix(&b, 24, 48);
	b = ip_of("2001:db8:1::");
	cr_assert(addr_eq(&p, &b));
}

Test(addr, any)
{
	struct addr a;

	a = ip_of("0.0.0.0");
	cr_assert(addr_is_any(&a));
	a = ip_of("::");
	cr_assert(addr_is_any(&a));
	a = ip_of("0.0.0.1");
	cr_assert_not(addr_is_any(&a));
	a = ip_of("::1");
	cr_assert_not(addr_is_any(&a));
}

/* -- rule 9.6 -- */

Test(addr, rule_9_6_ranges)
{
	enum { OPEN, PRIVATE, NEVER };
	static const struct {
		const char *ip;
		int reach;
	} row[] = {
		{ "0.0.0.0", NEVER },
		{ "0.255.255.255", NEVER },
		{ "1.0.0.0", OPEN },
		{ "9.255.255.255", OPEN },
		{ "10.0.0.0", PRIVATE },
		{ "10.255.255.255", PRIVATE },
		{ "11.0.0.0", OPEN },
		{ "100.63.255.255", OPEN },
		{ "100.64.0.0", PRIVATE },
		{ "100.127.255.255", PRIVATE },
		{ "100.100.100.200", NEVER },
		{ "100.128.0.0", OPEN },
		{ "126.255.255.255", OPEN },
		{ "127.0.0.1", PRIVATE },
		{ "127.255.255.255", PRIVATE },
		{ "128.0.0.0", OPEN },
		{ "168.63.129.16", NEVER },
		{ "168.63.129.17", OPEN },
		{ "169.253.255.255", OPEN },
		{ "169.254.169.254", NEVER },
		{ "169.255.0.0", OPEN },
		{ "172.15.255.255", OPEN },
		{ "172.16.0.0", PRIVATE },
		{ "172.31.255.255", PRIVATE },
		{ "172.32.0.0", OPEN },
		{ "192.0.0.1", PRIVATE },
		{ "192.0.0.192", NEVER },
		{ "192.0.1.0", OPEN },
		{ "192.0.2.1", PRIVATE },
		{ "192.0.3.0", OPEN },
		{ "192.88.99.1", PRIVATE },
		{ "192.167.255.255", OPEN },
		{ "192.168.0.1", PRIVATE },
		{ "192.169.0.0", OPEN },
		{ "198.17.255.255", OPEN },
		{ "198.18.0.1", PRIVATE },
		{ "198.19.255.255", PRIVATE },
		{ "198.20.0.0", OPEN },
		{ "198.51.100.1", PRIVATE },
		{ "203.0.113.1", PRIVATE },
		{ "203.0.114.0", OPEN },
		{ "223.255.255.255", OPEN },
		{ "224.0.0.1", NEVER },
		{ "239.255.255.255", NEVER },
		{ "240.0.0.1", PRIVATE },
		{ "255.255.255.254", PRIVATE },
		{ "255.255.255.255", NEVER },
		{ "8.8.8.8", OPEN },
		{ "::ffff:127.0.0.1", PRIVATE },
		{ "::ffff:169.254.169.254", NEVER },
		{ "::", NEVER },
		{ "::1", PRIVATE },
		{ "::8.8.8.8", PRIVATE },
		{ "::169.254.169.254", NEVER },
		{ "::ffff:0:8.8.8.8", PRIVATE },
		{ "::ffff:0:169.254.169.254", NEVER },
		{ "64:ff9b::8.8.8.8", OPEN },
		{ "64:ff9b::10.0.0.1", PRIVATE },
		{ "64:ff9b::127.0.0.1", PRIVATE },
		{ "64:ff9b::169.254.169.254", NEVER },
		{ "64:ff9b::1:8.8.8.8", PRIVATE },
		{ "64:ff9b:1::8.8.8.8", PRIVATE },
		{ "64:ff9b:1::169.254.169.254", NEVER },
		{ "100::1", PRIVATE },
		{ "1fff::1", PRIVATE },
		{ "2000::1", OPEN },
		{ "2001::1", PRIVATE },
		{ "2001:1ff:ffff::", PRIVATE },
		{ "2001:200::1", OPEN },
		{ "2001:470::1", OPEN },
		{ "2001:db7:ffff::1", OPEN },
		{ "2001:db8::1", PRIVATE },
		{ "2001:db9::1", OPEN },
		{ "2002:808:808::1", OPEN },
		{ "2002:a00:1::1", PRIVATE },
		{ "2002:7f00:1::1", PRIVATE },
		{ "2002:a9fe:a9fe::1", NEVER },
		{ "2a01:4f8::1", OPEN },
		{ "3ffe:ffff::1", OPEN },
		{ "3fff::1", PRIVATE },
		{ "3fff:fff::1", PRIVATE },
		{ "3fff:1000::1", OPEN },
		{ "4000::1", PRIVATE },
		{ "5f00::1", PRIVATE },
		{ "fc00::1", PRIVATE },
		{ "fdff::1", PRIVATE },
		{ "fd00:ec2::254", NEVER },
		{ "fe80::1", NEVER },
		{ "febf::1", NEVER },
		{ "fec0::1", PRIVATE },
		{ "ff02::1", NEVER },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct addr a = ip_of(row[i].ip);

		cr_expect_eq(addr_is_private(&a), row[i].reach != OPEN, "%s", row[i].ip);
		cr_expect_eq(addr_is_never(&a), row[i].reach == NEVER, "%s", row[i].ip);
	}
}

/* -- sockets -- */

Test(addr, sockaddr_there_and_back)
{
	static const char *const text[] = { "1.2.3.4", "0.0.0.0", "::", "2001:db8::5" };

	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		struct addr a = ip_of(text[i]), b;
		struct sockaddr_storage ss;
		unsigned len;

		a.port = 5269;
		memset(&ss, 0xee, sizeof(ss));
		len = addr_to_sockaddr(&a, &ss);
		cr_assert_eq(ss.ss_family, addr_is_v4(&a) ? AF_INET : AF_INET6);
		cr_assert_eq(len,
			addr_is_v4(&a) ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		cr_assert(addr_from_sockaddr((struct sockaddr *)&ss, &b));
		cr_assert(addr_eq(&a, &b), "%s", text[i]);
	}
}

Test(addr, sockaddr_fields)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(258) };
	struct sockaddr un = { .sa_family = AF_UNIX };
	struct sockaddr_storage ss;
	struct addr a;

	inet_pton(AF_INET6, "::ffff:9.8.7.6", &in6.sin6_addr);
	cr_assert(addr_from_sockaddr((struct sockaddr *)&in6, &a));
	cr_assert_eq(a.port, 258);
	cr_assert(addr_is_v4(&a));
	cr_assert_eq(addr_to_sockaddr(&a, &ss), sizeof(struct sockaddr_in));
	cr_assert_eq(((struct sockaddr_in *)&ss)->sin_port, htons(258));
	cr_assert_eq(((struct sockaddr_in *)&ss)->sin_addr.s_addr, htonl(0x09080706));
	cr_assert_not(addr_from_sockaddr(&un, &a));
}

Test(addr, text_of_the_longest)
{
	char text[ADDR_TEXT];
	struct addr a;

	memset(a.ip, 0xff, 16);
	a.port = 65535;
	addr_format(&a, text);
	cr_assert_str_eq(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}
