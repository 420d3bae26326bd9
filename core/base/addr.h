/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network addresses as values: IPv6 or IPv4-mapped bytes and a port, so that
 * "the same endpoint" is a memcmp and an IPv4-mapped peer is the IPv4 peer.
 * Parsing takes literals only; names are net/dns.h's business. Any thread.
 */
#ifndef SLUICE_ADDR_H
#define SLUICE_ADDR_H

#include "core/base/span.h"

struct sockaddr;
struct sockaddr_storage;

struct addr {
	uint8_t ip[16]; /* network order; IPv4 as ::ffff:a.b.c.d */
	uint16_t port; /* host order */
};

struct addr_net {
	uint8_t ip[16];
	uint8_t bits; /* 0..128, IPv4 prefixes counted from bit 96 */
};

struct addr_ports {
	uint16_t low, high;
};

#define ADDR_TEXT 64

/* "a.b.c.d:p", "[v6]:p"; without ":p" only when default_port is not 0. IPv6 needs its brackets. */
bool addr_parse(struct span s, uint16_t default_port, struct addr *out);
bool addr_parse_ip(struct span s, struct addr *out); /* without a port; port = 0 */
/* "10.0.0.0/8", "::1", "10.1.2.3"; bits behind the prefix are cleared. */
bool addr_net_parse(struct span s, struct addr_net *out);
bool addr_ports_parse(struct span s, struct addr_ports *out); /* "22" or "6000-6063" */

void addr_format(const struct addr *a, char out[ADDR_TEXT]); /* "127.0.0.1:5269" */
void addr_format_ip(const struct addr *a, char out[ADDR_TEXT]);

bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_same_ip(const struct addr *a, const struct addr *b);
bool addr_is_v4(const struct addr *a);
bool addr_in(const struct addr *a, const struct addr_net *net); /* "::/0" holds no IPv4 address */
bool addr_is_any(const struct addr *a); /* 0.0.0.0 or :: */

/* All but the first v4_bits or v6_bits cleared, and no port: those who share a budget. */
struct addr addr_prefix(const struct addr *a, unsigned v4_bits, unsigned v6_bits);

/* Loopback, private, link-local, metadata, multicast, documentation and other ranges that no
 * server on the internet has (protocol rule 9.6). */
bool addr_is_private(const struct addr *a);
/* Of them, those that --allow-peer-net cannot open: link-local, metadata, multicast, broadcast,
 * unspecified (0/8). IPv6 forms that carry such an IPv4 address (NAT64, 6to4) count as it. */
bool addr_is_never(const struct addr *a);

/* Length of the socket address written. IPv4 comes out as AF_INET. */
unsigned addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out);
bool addr_from_sockaddr(const struct sockaddr *sa, struct addr *out);

#endif
