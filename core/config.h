/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator asked for: the command line and --config FILE. One table in
 * config.c gives each flag its name, kind, default, unit, range and sentence;
 * parsing, --help and docs/configuration.md come from it. Read once at start by
 * the main thread, constant afterwards; any thread reads it.
 */
#ifndef SLUICE_CORE_CONFIG_H
#define SLUICE_CORE_CONFIG_H

#include <stdio.h>

#include "core/base/addr.h"
#include "core/base/log.h"
#include "dialback/initiate.h"
#include "dialback/receive.h"
#include "net/resolve.h"

enum tls_policy { TLS_REQUIRED, TLS_OPTIONAL, TLS_OFF };
enum verify_tls { VERIFY_TLS_PREFER, VERIFY_TLS_REQUIRE };
enum pair_check { PAIR_CHECK_STRICT, PAIR_CHECK_SENDER };
enum out_auth { OUT_AUTH_OPPORTUNISTIC, OUT_AUTH_SECURE };
enum pin_auth { PIN_AUTH_OFF, PIN_AUTH_WARN, PIN_AUTH_ENFORCE };

struct config {
	char *name; /* the router's own domain, canonical */
	struct addr *listen;
	unsigned n_listen;
	struct addr *listen_tls;
	unsigned n_listen_tls;
	struct addr *component_listen;
	unsigned n_component_listen;
	struct addr *own_addr; /* where names of hosted domains lead, besides the listeners */
	unsigned n_own_addr;
	bool backend_public; /* component_listen may be reachable from everywhere */
	char *routes; /* path of the registry; NULL only with `check` */
	char *policy; /* path, or NULL */
	char *secret_file; /* path, or NULL: random */
	char *cert_dir; /* path, or NULL: no TLS */
	char *ca_file; /* path, or NULL: the system's anchors */
	char *crl_file; /* path, or NULL */
	struct addr *dns;
	unsigned n_dns;
	struct resolve_fixed *peer;
	unsigned n_peer;
	struct addr_net *allow_peer_net;
	unsigned n_allow_peer_net;
	struct addr_net *deny_addr;
	unsigned n_deny_addr;
	struct addr_ports *deny_port;
	unsigned n_deny_port;
	bool follow_redirect;
	enum tls_policy tls;
	bool require_strong;
	enum pin_auth pin_auth;
	enum verify_tls verify_tls;
	enum out_auth out_auth;
	enum pair_check pair_check;
	enum invalid_policy invalid_policy;
	enum invalid_received invalid_received;
	uint64_t workers; /* never 0 */
	bool pin; /* a processor for each */
	uint64_t max_stanza, max_pairs_per_stream, max_conns, max_unauth_per_ip; /* bytes, counts */
	uint64_t max_streams_per_endpoint;
	uint64_t queue_bytes, mem_budget; /* bytes */
	uint64_t cache_entries;
	uint64_t verdict_ttl; /* s */
	uint64_t drain_ms, stall_ms;
	uint64_t xml_check; /* one stanza of so many; 0: none */
	enum log_format log_format;
	enum log_level log_level;
	bool check; /* --check: report and exit */
};

enum config_result {
	CONFIG_RUN,
	CONFIG_EXIT, /* --help or --version was printed to out: exit 0 */
	CONFIG_ERROR, /* said on err what is wrong and how to put it right: exit 64 (EX_USAGE) */
};

/*
 * argv as main() got it. Fills *c with defaults first. With --check a missing --routes and a
 * missing --cert-dir are let through: diag_check() reports them. config_free() is harmless after any
 * result.
 */
enum config_result config_parse(struct config *c, int argc, char **argv, FILE *out, FILE *err);
void config_free(struct config *c);

/* As --pin-auth and a policy's pin-auth= have it. */
bool config_pin_auth_parse(struct span s, enum pin_auth *out) MUST_CHECK;

/* What --tls or a policy's tls= may say with this configuration. NULL: it may; else why not. */
const char *config_tls_refused(const struct config *c, enum tls_policy tls);

/* What may be dialled, by the flags; own: our own addresses, which must outlive the result as c must. */
struct resolve_rules config_rules(const struct config *c, const struct addr *own, unsigned n_own);

/* The flag reference as Markdown, for docs/configuration.md. */
void config_markdown(FILE *out);

#endif
