/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run, for the files that make it up: bench/run.c (the order of things),
 * run_servers.c (what is started before), run_figures.c (what was measured), run_trouble.c
 * (what is the matter in the middle), run_verdict.c (what is found wrong after).
 */
#ifndef SLUICE_BENCH_RUN_IMPL_H
#define SLUICE_BENCH_RUN_IMPL_H

#include "bench/authority.h"
#include "bench/child.h"
#include "bench/counters.h"
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
	struct flows flows; /* only with stages */
	enum stage stage, last_stage;
	struct counters counters; /* of the router, at the end */
	bool counted; /* they are known */
	uint64_t asked; /* when they were last asked for */
	struct storm *storm; /* NULL: none, or over */
	struct pki *pki; /* all NULL: in the clear */
	struct secure *opens, *accepts;
	const char *logins[OPTIONS_BACKENDS]; /* of the sink */
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

/* Whether the router's own counters are asked for. */
static inline bool run_is_counted(const struct options *o)
{
	return options_staged(o) || options_lossy(o) || o->churn || o->backends > 1;
}

/* Begins and ends what is to be the matter. Once a turn of the loop. */
void run_trouble_turn(struct run *run);

/*
 * Whether all stanzas have arrived, or the router says that the others never will, or nothing has
 * come for so long that nothing will. Call again and again once all are sent.
 */
bool run_trouble_over(struct run *run);

/* Figures of the parts of a run, into the result. cpu: of the server for it, in ns. */
void run_figures_pairs(struct run *run, uint64_t cpu);
void run_figures_storm(struct run *run, uint64_t cpu);
/* own: of the bench. */
void run_figures_stanzas(struct run *run, uint64_t cpu, uint64_t own);
/* Counts of everybody, at the end. */
void run_figures_counts(struct run *run);

/* Failures. */
void run_verdict(struct run *run);

#endif
