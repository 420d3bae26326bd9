/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run, for the files that make it up: bench/run.c (the order of things),
 * run_servers.c (what is started before), run_verdict.c (what is found wrong after).
 */
#ifndef SLUICE_BENCH_RUN_IMPL_H
#define SLUICE_BENCH_RUN_IMPL_H

#include "bench/authority.h"
#include "bench/child.h"
#include "bench/dnsd.h"
#include "bench/keys.h"
#include "bench/origin.h"
#include "bench/pki.h"
#include "bench/run.h"
#include "bench/secure.h"
#include "bench/sink.h"
#include "bench/storm.h"

struct run {
	const struct options *o;
	struct result *r;
	struct loop loop;
	struct names names;
	struct shapes shapes;
	struct keys *keys;
	struct ledger ledger;
	struct dnsd dnsd;
	struct authority authority;
	struct sink sink;
	struct origin origin;
	struct storm *storm; /* NULL: none, or over */
	struct pki *pki; /* all NULL: in the clear */
	struct secure *opens, *accepts;
	struct child child;
	struct proc proc;
	struct address s2s, component, dns, listen; /* listen: the authority's */
	struct address direct; /* of the router, for TLS from the first byte */
	uint64_t storm_cpu; /* the server's CPU time when the storm began */
	char secret[65];
};

/* DNS, authority and, when it is ours to start, the router. false with a failure. */
bool run_servers(struct run *run);

/* Whether the router has ended, which is a failure. */
bool run_child_lost(struct run *run);

/* Counts into the result, and failures. */
void run_verdict(struct run *run);

#endif
