/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy (--policy FILE), one rule a line, # comments:
 *
 *   peer DOMAIN RULE...      a remote domain, "*.example" for all below it
 *   host DOMAIN RULE...      a domain hosted here
 *   default RULE...          whatever has no rule of its own
 *
 * RULE: block | tls=required|optional|off | require-strong |
 * pin-auth=off|warn|enforce (not of a host: it is about other servers' keys). The most specific
 * entry gives all rules of a domain; what it does not mention comes from
 * `default`, and what that does not mention from the flags. `default` cannot block:
 * no rule could open it again. tls=required and tls=optional need --cert-dir.
 *
 * For a pair a rule of either domain counts, and of two about TLS the stricter; only
 * where neither has one does the default, or the flag.
 * Immutable after load, any thread reads it.
 */
#ifndef SLUICE_CORE_POLICY_H
#define SLUICE_CORE_POLICY_H

#include "core/config.h"

struct policy_rule {
	bool block;
	bool require_strong;
	enum pin_auth pin_auth; /* of peers */
	enum tls_policy tls;
	bool own_tls; /* that is the domain's own rule */
};

struct policy;

/* --policy not given: only the default. NULL on any error, with file and line in `why`. */
struct policy *policy_load(const struct config *c, char why[512]);
void policy_free(struct policy *p);

struct policy_rule policy_peer(const struct policy *p, struct span domain);
struct policy_rule policy_host(const struct policy *p, struct span domain);
/* What holds between a remote domain and one of ours; pin_auth is the former's. */
struct policy_rule policy_pair(const struct policy *p, struct span peer, struct span host);

#endif
