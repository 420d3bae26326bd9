/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a domain to the places to try, in order (RFC 6120 section 3.2, RFC 2782,
 * XEP-0368, protocol rules 7.1 and 9.6): fixed addresses (--peer) first, else
 * both service labels, their targets' AAAA and A records, else the domain's own
 * addresses with the default port when both services have no records at all.
 * Places of one priority are one group; so are the fixed ones, and the domain's own.
 * Addresses and ports that must not be dialled are taken out and counted. The
 * service labels are parameters: this file knows no XMPP. Owner thread only.
 */
#ifndef SLUICE_NET_RESOLVE_H
#define SLUICE_NET_RESOLVE_H

#include "core/base/place.h"
#include "net/dns.h"

struct resolver;

enum resolve_status {
	RESOLVE_FOUND, /* at least one place */
	RESOLVE_NO_SERVICE, /* NXDOMAIN, no usable record, or the target "." */
	RESOLVE_FAILED, /* the resolver failed: try again later */
	RESOLVE_FORBIDDEN, /* records lead only to addresses or ports that are never dialled */
	RESOLVE_OURS, /* the same, and the first of them was one of ours */
	RESOLVE_DIRECT_ONLY, /* records are for direct TLS only, which rules->no_tls rules out */
};

struct resolve_answer {
	enum resolve_status status;
	bool ours; /* RESOLVE_FOUND: others of its addresses are our own */
	unsigned n;
	struct place places[LIMIT_CANDIDATES]; /* a group for each priority, ascending */
	const char *detail; /* static words for the log */
};

/* A fixed address for a domain, or with `below` for all domains below it. */
struct resolve_fixed {
	char *domain; /* canonical form */
	bool below;
	struct addr addr;
};

/* Bounds on destinations; owned by the caller, who keeps it as long as the resolver. */
struct resolve_rules {
	const struct resolve_fixed *fixed;
	unsigned n_fixed;
	const struct addr_net *allow; /* --allow-peer-net: opens private ranges */
	unsigned n_allow;
	const struct addr_net *deny; /* --deny-addr */
	unsigned n_deny;
	const struct addr_ports *deny_ports; /* --deny-port, besides the built-in list */
	unsigned n_deny_ports;
	const struct addr *own; /* our listeners and backends: never dialled */
	unsigned n_own;
	bool no_tls; /* TLS cannot be spoken: targets for direct TLS are passed over */
};

struct resolve_service {
	const char *label; /* "_xmpp-server._tcp" */
	const char *direct_label; /* "_xmpps-server._tcp" */
	uint16_t port; /* of the fall-back */
};

/* Exactly once per resolve_start or resolve_host, never from inside it. */
typedef void resolve_fn(void *ctx, uint64_t cookie, const struct resolve_answer *a);

struct resolver *resolver_new(struct dns *dns, const struct resolve_service *service,
	const struct resolve_rules *rules, resolve_fn *fn, void *ctx);
/* Open resolutions end without a call. No dns_turn after this: it would answer them. */
void resolver_free(struct resolver *r);

/* domain: canonical form. Never fails: refusals come by the callback too. */
void resolve_start(struct resolver *r, struct span domain, uint64_t cookie, uint64_t now);
/* The same for the addresses of one host (canonical form), at that port: no service is asked for, and no
 * fixed address of a domain answers. */
void resolve_host(struct resolver *r, struct span host, uint16_t port, uint64_t cookie,
	uint64_t now);
/* Once per turn, after dns_turn: answers that needed no question. */
void resolver_turn(struct resolver *r, uint64_t now);
bool resolver_busy(const struct resolver *r);

/* Would this address be dialled? The last look right before the connect. Fixed addresses of
 * --peer are exempt from it. */
bool resolve_allowed(const struct resolve_rules *rules, const struct addr *a, const char **why);

#endif
