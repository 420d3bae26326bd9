/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/run_impl.h"

#include <inttypes.h>
#include <math.h>

void run_figures_pairs(struct run *run, uint64_t cpu)
{
	const struct origin_pairs *c = &run->origin.counts.pairs[WAVE_FIRST];
	struct result *r = run->r;
	struct proc_memory m = proc_memory(&run->proc);

	r->pairs_asked = (double)c->asked;
	r->pairs_valid = (double)c->valid;
	r->pairs_invalid = (double)c->invalid;
	r->pairs_error = (double)c->error;
	r->pairs_closed = (double)(run->o->pairs - c->valid - c->invalid - c->error);
	r->pairs_time = (double)(c->last - c->first) / 1e9;
	if (c->last > c->first)
		r->pairs_rate = (double)c->valid / r->pairs_time;
	if (!run->proc.n)
		return;
	r->pairs_cpu = (double)cpu / 1e9;
	if (cpu)
		r->pairs_per_cpu = (double)c->valid / r->pairs_cpu;
	r->memory_pairs = (double)m.resident / 1024;
	if (c->valid)
		r->memory_per_pair = (r->memory_pairs - r->memory_start) * 1024 / (double)c->valid;
}

void run_figures_storm(struct run *run, uint64_t cpu)
{
	struct storm_counts c = storm_counts(run->storm);
	struct result *r = run->r;

	r->storm_opened = (double)c.opened;
	r->storm_failed = (double)c.failed;
	r->storm_resumed = (double)c.resumed;
	r->storm_time = (double)c.time / 1e9;
	if (c.time)
		r->storm_rate = r->storm_opened / r->storm_time;
	r->storm_cpu = (double)cpu / 1e9;
	if (cpu)
		r->storm_per_cpu = r->storm_opened / r->storm_cpu;
	if (c.failed)
		result_fail(r, "%" PRIu64 " connections of the storm failed; the first: %s",
			c.failed, storm_reason(run->storm));
}

static void flow_note(const struct flow *f, double *sent, double *arrived, double *p50, double *p99)
{
	*sent = (double)f->sent;
	*arrived = (double)f->arrived;
	if (!f->arrived)
		return;
	*p50 = (double)latency_quantile(&f->latency, 0.5) / 1e3;
	*p99 = (double)latency_quantile(&f->latency, 0.99) / 1e3;
}

static void flows_note(struct run *run)
{
	const struct flow(*of)[FLOWS] = run->flows.of;
	struct result *r = run->r;
	uint64_t last;

#define FLOW_NOTE(stage, whose, name)                                                              \
	flow_note(&of[stage][whose], &r->name##_sent, &r->name##_arrived, &r->name##_p50,          \
		&r->name##_p99)
	FLOW_NOTE(STAGE_BEFORE, FLOW_OTHERS, before);
	FLOW_NOTE(STAGE_MIDDLE, FLOW_OTHERS, middle);
	FLOW_NOTE(STAGE_AFTER, FLOW_OTHERS, after);
	if (of[STAGE_MIDDLE][FLOW_TROUBLED].sent) {
		FLOW_NOTE(STAGE_BEFORE, FLOW_TROUBLED, troubled_before);
		FLOW_NOTE(STAGE_MIDDLE, FLOW_TROUBLED, troubled_middle);
		FLOW_NOTE(STAGE_AFTER, FLOW_TROUBLED, troubled_after);
	}
#undef FLOW_NOTE
	last = of[STAGE_MIDDLE][FLOW_OTHERS].last;
	if (last)
		r->recovery = last > run->flows.pace->after
			? (double)(last - run->flows.pace->after) / 1e6
			: 0;
}

static void late_note(struct run *run)
{
	const struct origin_pairs *c = &run->origin.counts.pairs[WAVE_LATE];
	struct result *r = run->r;

	r->late_asked = (double)c->asked;
	r->late_valid = (double)c->valid;
	r->late_time = (double)(c->last - c->first) / 1e9;
	r->late_p50 = (double)latency_quantile(&c->wait, 0.5) / 1e6;
	r->late_p99 = (double)latency_quantile(&c->wait, 0.99) / 1e6;
	r->late_max = (double)c->wait.max / 1e6;
	flow_note(&run->flows.meanwhile, &r->meanwhile_sent, &r->meanwhile_arrived,
		&r->meanwhile_p50, &r->meanwhile_p99);
	r->meanwhile_max = (double)run->flows.meanwhile.latency.max / 1e3;
	r->late_turn_p99 = (double)latency_quantile(&run->late_turns, 0.99) / 1e3;
	r->late_turn_max = (double)run->late_turns.max / 1e3;
}

/* What trouble there was, and what it did. */
static void stages_note(struct run *run)
{
	const struct options *o = run->o;
	const struct origin_counts *c = &run->origin.counts;
	struct result *r = run->r;

	if (options_staged(o))
		flows_note(run);
	if (o->late_pairs)
		late_note(run);
	if (o->overload > 1 || o->churn)
		r->stanzas_withheld = (double)c->withheld;
	if (o->noise)
		r->stanzas_noise = (double)c->noise;
	if (o->churn) {
		r->churn_streams = (double)c->reopened;
		r->churn_pairs = (double)c->pairs[WAVE_CHURN].valid;
	}
	if (!run->counted)
		return;
	r->accepted = (double)run->counters.accepted;
	r->returned = (double)run->counters.returned;
	r->parked = (double)run->counters.parked;
	r->in_doubt = (double)run->counters.in_doubt;
}

static void latency_note(struct run *run)
{
	const struct latency *l = &run->flood.latency;

	/* Without a rate it would be the depth of the server's queues. */
	if (!l->count || !run->o->rate)
		return;
	run->r->latency_p50 = (double)latency_quantile(l, 0.5) / 1e3;
	run->r->latency_p99 = (double)latency_quantile(l, 0.99) / 1e3;
	run->r->latency_p999 = (double)latency_quantile(l, 0.999) / 1e3;
	run->r->latency_max = (double)l->max / 1e3;
}

void run_figures_stanzas(struct run *run, uint64_t cpu, uint64_t own)
{
	const struct ledger *l = &run->ledger;
	struct result *r = run->r;

	r->stanzas_sent = (double)l->sent;
	if (!l->sent)
		return;
	r->stanza_bytes = (double)run->feed.bytes / (double)l->sent;
	if (run->flood.last > run->feed.pace.began) {
		r->stanzas_time = (double)(run->flood.last - run->feed.pace.began) / 1e9;
		r->stanzas_rate = (double)l->arrived / r->stanzas_time;
		r->stanzas_mb = r->stanzas_rate * r->stanza_bytes / 1e6;
	}
	r->bench_per_cpu = (double)l->arrived / ((double)own / 1e9);
	latency_note(run);
	if (!run->proc.n)
		return;
	r->stanzas_cpu = (double)cpu / 1e9;
	if (cpu && !run->storm)
		r->stanzas_per_cpu = (double)l->arrived / r->stanzas_cpu;
	if (cpu && run->o->relay)
		r->routed_per_cpu = 2 * r->stanzas_per_cpu;
	r->memory_end = (double)proc_memory(&run->proc).resident / 1024;
	stages_note(run);
}

static void authority_note(struct run *run)
{
	const struct authority_counts *a = &run->authority.counts;
	struct result *r = run->r;

	r->stanzas_bounced = (double)a->stanzas;
	r->authority_connections = (double)a->connections;
	if (run->o->tls)
		r->authority_secured = (double)a->secured;
	r->verify_valid = (double)a->verified;
	r->verify_invalid = (double)a->refused;
}

void run_figures_counts(struct run *run)
{
	const struct options *o = run->o;
	const struct dnsd_counts *d = &run->dnsd.counts;
	struct result *r = run->r;

	if (!isnan(r->stanzas_sent)) {
		r->stanzas_arrived = (double)run->ledger.arrived;
		r->stanzas_lost = (double)ledger_lost(&run->ledger);
		r->stanzas_duplicated = (double)run->ledger.duplicated;
		r->stanzas_reordered = (double)run->ledger.reordered;
		r->stanzas_alien = (double)run->ledger.alien;
		r->stanzas_damaged = (double)run->flood.damaged;
		r->stanzas_misaddressed = (double)run->flood.misaddressed;
	}
	if (options_out(o))
		run_outward_counts(run);
	if (o->direct)
		return;
	if (!options_out(o))
		authority_note(run);
	r->dns_srv = (double)d->srv;
	r->dns_srvs = (double)d->srvs;
	r->dns_address = (double)d->address;
	r->dns_senders = (double)d->senders;
	r->streams_closed = (double)run->origin.n_closed;
	if (run->proc.n)
		r->memory_peak = (double)proc_memory(&run->proc).peak / 1024;
}
