/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

/* IPv4 addresses and prefixes are those of ::ffff:0:0/96. */
#define V4_AT 12
#define V4_BITS 96

static const uint8_t v4_prefix[V4_AT] = { [10] = 0xff, [11] = 0xff };

/* -- parsing -- */

static bool read_literal(int family, struct span s, uint8_t *out)
{
	char text[INET6_ADDRSTRLEN];

	if (s.n == 0 || s.n >= sizeof(text) || span_find(s, '\0') < s.n)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(family, text, out) == 1;
}

bool addr_parse_ip(struct span s, struct addr *out)
{
	out->port = 0;
	if (span_find(s, ':') < s.n)
		return read_literal(AF_INET6, s, out->ip);
	memcpy(out->ip, v4_prefix, V4_AT);
	return read_literal(AF_INET, s, out->ip + V4_AT);
}

/* ":p", or nothing when there is a default. */
static bool read_port(struct span s, uint16_t default_port, uint16_t *out)
{
	uint64_t port;

	if (s.n == 0) {
		*out = default_port;
		return default_port != 0;
	}
	if (s.p[0] != ':' || !span_u64(span_skip(s, 1), UINT16_MAX, &port))
		return false;
	*out = (uint16_t)port;
	return true;
}

bool addr_parse(struct span s, uint16_t default_port, struct addr *out)
{
	struct span ip, port;

	if (s.n > 0 && s.p[0] == '[') {
		ip = span_of(s.p + 1, span_find(s, ']') - 1);
		/* Nothing closes the bracket, or it holds something else than IPv6. */
		if (ip.n + 2 > s.n || span_find(ip, ':') == ip.n)
			return false;
		port = span_skip(s, ip.n + 2);
	} else {
		/* An IPv6 literal without brackets fails: its last group might be the port. */
		ip = span_of(s.p, span_find(s, ':'));
		port = span_skip(s, ip.n);
	}
	return addr_parse_ip(ip, out) && read_port(port, default_port, &out->port);
}

/* -- prefixes -- */

static void clear_after(uint8_t ip[16], unsigned bits)
{
	for (unsigned at = 0; at < 128; at += 8) {
		unsigned kept = bits > at ? bits - at : 0;

		if (kept < 8)
			ip[at / 8] &= (uint8_t)(0xff00u >> kept);
	}
}

static bool prefix_matches(const uint8_t *ip, const uint8_t *net, unsigned bits)
{
	uint8_t mask = (uint8_t)(0xff00u >> (bits % 8));

	if (memcmp(ip, net, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((ip[bits / 8] ^ net[bits / 8]) & mask) == 0;
}

bool addr_net_parse(struct span s, struct addr_net *out)
{
	size_t slash = span_find(s, '/');
	unsigned base;
	uint64_t bits;
	struct addr a;

	if (!addr_parse_ip(span_of(s.p, slash), &a))
		return false;
	/* "::ffff:10.0.0.0/104" is counted as it is written. */
	base = memchr(s.p, ':', slash) ? 0 : V4_BITS;
	bits = 128 - base;
	if (slash < s.n && !span_u64(span_skip(s, slash + 1), 128 - base, &bits))
		return false;
	memcpy(out->ip, a.ip, sizeof(out->ip));
	out->bits = (uint8_t)(base + bits);
	clear_after(out->ip, out->bits);
	return true;
}

bool addr_ports_parse(struct span s, struct addr_ports *out)
{
	size_t dash = span_find(s, '-');
	uint64_t low, high;

	if (!span_u64(span_of(s.p, dash), UINT16_MAX, &low))
		return false;
	high = low;
	if (dash < s.n && !span_u64(span_skip(s, dash + 1), UINT16_MAX, &high))
		return false;
	if (low > high)
		return false;
	out->low = (uint16_t)low;
	out->high = (uint16_t)high;
	return true;
}

struct addr addr_prefix(const struct addr *a, unsigned v4_bits, unsigned v6_bits)
{
	struct addr p = *a;

	BUG_ON(v4_bits > 32 || v6_bits > 128);
	clear_after(p.ip, addr_is_v4(a) ? V4_BITS + v4_bits : v6_bits);
	p.port = 0;
	return p;
}

/* -- text -- */

void addr_format_ip(const struct addr *a, char out[ADDR_TEXT])
{
	if (addr_is_v4(a))
		BUG_ON(!inet_ntop(AF_INET, a->ip + V4_AT, out, ADDR_TEXT));
	else
		BUG_ON(!inet_ntop(AF_INET6, a->ip, out, ADDR_TEXT));
}

void addr_format(const struct addr *a, char out[ADDR_TEXT])
{
	char ip[ADDR_TEXT];
	int n;

	addr_format_ip(a, ip);
	n = snprintf(out, ADDR_TEXT, addr_is_v4(a) ? "%s:%u" : "[%s]:%u", ip, a->port);
	BUG_ON(n < 0 || n >= ADDR_TEXT);
}

/* -- comparing -- */

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return addr_same_ip(a, b) && a->port == b->port;
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_is_v4(const struct addr *a)
{
	return memcmp(a->ip, v4_prefix, V4_AT) == 0;
}

bool addr_in(const struct addr *a, const struct addr_net *net)
{
	/* "::/0" is all of IPv6 and nothing of IPv4. */
	if (net->bits < V4_BITS && addr_is_v4(a))
		return false;
	return prefix_matches(a->ip, net->ip, net->bits);
}

bool addr_is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	if (addr_is_v4(a))
		return memcmp(a->ip + V4_AT, zero, 4) == 0;
	return memcmp(a->ip, zero, 16) == 0;
}

/* -- ranges without servers (IANA's special-purpose registries) -- */

struct range {
	uint8_t ip[16];
	uint8_t bits;
	bool never; /* not to be opened by --allow-peer-net either */
};

static const struct range v4_ranges[] = {
	{ { 0 }, 8, true }, /* "this network", RFC 1122 */
	{ { 10 }, 8, false }, /* RFC 1918 */
	{ { 100, 100, 100, 200 }, 32, true }, /* metadata service of Alibaba Cloud */
	{ { 100, 64 }, 10, false }, /* carrier NAT, RFC 6598 */
	{ { 127 }, 8, false }, /* loopback */
	{ { 168, 63, 129, 16 }, 32, true }, /* metadata service of Azure, a public address */
	{ { 169, 254 }, 16, true }, /* link-local, and most metadata services */
	{ { 172, 16 }, 12, false }, /* RFC 1918 */
	{ { 192, 0, 0, 192 }, 32, true }, /* metadata service of Oracle */
	{ { 192, 0, 0 }, 24, false }, /* IETF protocol assignments */
	{ { 192, 0, 2 }, 24, false }, /* TEST-NET-1 */
	{ { 192, 88, 99 }, 24, false }, /* 6to4 relays, RFC 7526 */
	{ { 192, 168 }, 16, false }, /* RFC 1918 */
	{ { 198, 18 }, 15, false }, /* benchmarks, RFC 2544 */
	{ { 198, 51, 100 }, 24, false }, /* TEST-NET-2 */
	{ { 203, 0, 113 }, 24, false }, /* TEST-NET-3 */
	{ { 224 }, 4, true }, /* multicast */
	{ { 255, 255, 255, 255 }, 32, true }, /* broadcast */
	{ { 240 }, 4, false }, /* reserved */
};

/* Outside of 2000::/3 nothing is allocated to anybody; only exceptions within it stand here,
 * and what is never to be dialled. */
static const struct range v6_ranges[] = {
	{ { 0 }, 128, true }, /* unspecified */
	{ { 0x20, 0x01 }, 23, false }, /* IETF protocol assignments, Teredo among them */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, false }, /* documentation */
	{ { 0x3f, 0xff }, 20, false }, /* documentation, RFC 9637 */
	{ { 0xfd, 0x00, 0x0e, 0xc2 }, 32, true }, /* metadata service of Amazon, fd00:ec2::254 */
	{ { 0xfe, 0x80 }, 10, true }, /* link-local */
	{ { 0xff }, 8, true }, /* multicast */
};

/* Prefixes whose packets end at the IPv4 address that they hold. */
static const struct {
	uint8_t ip[16];
	uint8_t bits;
	uint8_t v4_at;
	bool open; /* no reason of its own to refuse them */
} v4_carriers[] = {
	{ { 0 }, 96, 12, false }, /* IPv4-compatible, and ::1 */
	{ { [8] = 0xff, 0xff }, 96, 12, false }, /* IPv4-translated, RFC 2765 */
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, 12, true }, /* NAT64, RFC 6052 */
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, 12, false }, /* NAT64, RFC 8215 */
	{ { 0x20, 0x02 }, 16, 2, true }, /* 6to4 */
};

enum reach { REACH_PUBLIC, REACH_PRIVATE, REACH_NEVER };

static enum reach range_reach(const uint8_t *ip, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (prefix_matches(ip, r[i].ip, r[i].bits))
			return r[i].never ? REACH_NEVER : REACH_PRIVATE;
	}
	return REACH_PUBLIC;
}

static enum reach v4_reach(const uint8_t *ip)
{
	return range_reach(ip, v4_ranges, ARRAY_LEN(v4_ranges));
}

static enum reach v6_reach(const uint8_t *ip)
{
	static const uint8_t loopback[16] = { [15] = 1 };
	enum reach reach = range_reach(ip, v6_ranges, ARRAY_LEN(v6_ranges));

	/* "::1" is in the block of the IPv4-compatible addresses, where it would be 0.0.0.1. */
	if (reach != REACH_PUBLIC || memcmp(ip, loopback, 16) == 0)
		return reach == REACH_PUBLIC ? REACH_PRIVATE : reach;
	for (size_t i = 0; i < ARRAY_LEN(v4_carriers); i++) {
		if (!prefix_matches(ip, v4_carriers[i].ip, v4_carriers[i].bits))
			continue;
		reach = v4_reach(ip + v4_carriers[i].v4_at);
		return reach == REACH_PUBLIC && !v4_carriers[i].open ? REACH_PRIVATE : reach;
	}
	return (ip[0] & 0xe0) == 0x20 ? REACH_PUBLIC : REACH_PRIVATE;
}

static enum reach addr_reach(const struct addr *a)
{
	return addr_is_v4(a) ? v4_reach(a->ip + V4_AT) : v6_reach(a->ip);
}

bool addr_is_private(const struct addr *a)
{
	return addr_reach(a) != REACH_PUBLIC;
}

bool addr_is_never(const struct addr *a)
{
	return addr_reach(a) == REACH_NEVER;
}

/* -- sockets -- */

unsigned addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(a->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port) };

	if (addr_is_v4(a)) {
		memcpy(&in.sin_addr, a->ip + V4_AT, 4);
		memcpy(out, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(&in6.sin6_addr, a->ip, 16);
	memcpy(out, &in6, sizeof(in6));
	return sizeof(in6);
}

bool addr_from_sockaddr(const struct sockaddr *sa, struct addr *out)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		memcpy(out->ip, v4_prefix, V4_AT);
		memcpy(out->ip + V4_AT, &in.sin_addr, 4);
		out->port = ntohs(in.sin_port);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		memcpy(out->ip, &in6.sin6_addr, 16);
		out->port = ntohs(in6.sin6_port);
		return true;
	}
	return false;
}
