/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line. Strings point into argv and live as long as the program.
 */
#ifndef SLUICE_BENCH_OPTIONS_H
#define SLUICE_BENCH_OPTIONS_H

#include "bench/address.h"
#include "bench/proc.h"

#define OPTIONS_LIST 64
#define OPTIONS_BACKENDS 1000
#define OPTIONS_PAIRS 100000000

struct options_list {
	const char *item[OPTIONS_LIST];
	unsigned n;
};

enum options_tls { OPTIONS_CLEAR, OPTIONS_STARTTLS, OPTIONS_DIRECT };

struct options {
	/* Who is driven. */
	const char *router; /* NULL: a server that runs already, or nobody (direct) */
	struct options_list router_args;
	const char *s2s, *component, *dns_listen, *authority_listen, *secret;
	struct options_list component_names;
	const char *pids;
	uint64_t direct, workers, against;
	/* What is sent. */
	uint64_t pairs, targets, backends, by_stream, streams, window;
	uint64_t stanzas, size, rate, invalid;
	/* Outward: remotes is not 0. Both ways: relay. */
	uint64_t remotes, endpoints, believe, in_flight, relay, out_streams;
	const char *suffix, *target_suffix;
	/* What is the matter. */
	uint64_t stall, vanish, noise, late_pairs, overload; /* in the middle third */
	uint64_t rough;
	uint64_t backend_rate, churn, growth;
	uint64_t outage, throttle, unknown;
	/* TLS. */
	const char *tls_text;
	enum options_tls tls;
	uint64_t client_cert, reload;
	uint64_t storm, storm_rate, storm_at_once, resume;
	/* How. */
	uint64_t repeat, seed, timeout_s, json, keep;
	/* From the above. */
	struct address s2s_address, component_address, dns_address, authority_address;
	struct proc proc;
};

/* All pairs that the run may come to: the first, the late ones, and those of churn. */
uint64_t options_pairs(const struct options *o);
/* Domains that a false key may be claimed for, by those who come in. */
uint64_t options_probes(const struct options *o);

/* Whether something is the matter in the middle third, so that there is one. */
static inline bool options_staged(const struct options *o)
{
	return o->stall || o->vanish || o->noise || o->late_pairs || o->overload > 1 || o->outage;
}

/* Whether stanzas may fail to arrive; then the router's own counters have to say which. */
static inline bool options_lossy(const struct options *o)
{
	return o->stall || o->vanish || o->backend_rate || o->outage || o->throttle;
}

/* Whether there are remote servers, and components that send to them. */
static inline bool options_out(const struct options *o)
{
	return o->remotes || o->relay;
}

/*
 * Fills o. Returns -1 to go on, else the exit code: 0 after --help, 2 after a word
 * about bad usage.
 */
int options_parse(struct options *o, int argc, char **argv);

#endif
