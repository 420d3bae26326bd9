/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run, for the files that make it up: bench/run.c (the order of things),
 * run_servers.c (what is started before), run_figures.c (what was measured), run_trouble.c
 * (what is the matter in the middle), run_verdict.c (what is found wrong after), run_outward.c (all of
 * that for what is peculiar to remote servers and to components that send).
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
#include "bench/remote.h"
#include "bench/run.h"
#include "bench/secure.h"
#include "bench/sink.h"
#include "bench/speaker.h"
#include "bench/storm.h"

#define RUN_RESERVED 3

struct run {
	const struct options *o;
	struct result *r;
	struct loop loop;
	struct names names;
	struct shapes shapes;
	struct keys *keys;
	struct ledger ledger;
	struct feed feed; /* of who sends: the origin, or outward the speaker */
	struct feed onward; /* of the speaker, with --relay */
	struct flood flood; /* where stanzas arrive in the end */
	struct dnsd dnsd;
	struct authority authority;
	struct sink sink;
	struct origin origin;
	struct speaker speaker; /* instead of the sink, outward and with --relay */
	struct remote *remotes; /* likewise instead of the authority; o->endpoints */
	uint64_t begun; /* first stanzas of pairs, outward: sent before the others, booked apart */
	uint64_t seen, seen_at; /* stanzas that have arrived or come back; when that last grew */
	uint64_t away; /* when the last remote server went */
	struct flows flows; /* only with stages */
	struct latency late_turns; /* of the loop, while late pairs are being verified */
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
	int reserved[RUN_RESERVED]; /* its ports, while it starts */
	unsigned n_reserved;
	unsigned authority_port, s2s_port, direct_port; /* as the DNS gives them */
	unsigned *remote_ports; /* o->endpoints */
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
	return o->router &&
		(options_staged(o) || options_lossy(o) || o->churn || o->backends > 1 ||
			(o->remotes && o->invalid));
}

/* Runs the loop until done says so; false, with a failure, when that does not come. */
bool run_until(struct run *run, bool (*done)(struct run *run), const char *what);

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

/* -- outward -- */

/* The remote servers, and their places for the DNS. false with a failure. */
bool run_remotes_open(struct run *run);
void run_remotes_close(struct run *run);
void run_remotes_turn(struct run *run);
/* The last of them is away, or back. */
void run_outage(struct run *run, bool on);

/* Grows whenever something happens at the remote servers or the components. */
uint64_t run_outward_progress(const struct run *run);

/* Components log in; the first stanza of every pair, if they send. false with a failure. */
bool run_speaker_open(struct run *run, const char *const *names, uint32_t count);
bool run_speaker_begin(struct run *run);

/* As run_trouble_over. */
bool run_outward_over(struct run *run);
/* Asks the router, but not too often. */
void run_counters_refresh(struct run *run);
/* How many stanzas it must have accepted. */
uint64_t run_accepted(const struct run *run);

void run_outward_counts(struct run *run);
void run_outward_verdict(struct run *run);

#endif
