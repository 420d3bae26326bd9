/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/run_impl.h"

#include <inttypes.h>
#include <math.h>

static void counts_note(struct run *run)
{
	const struct options *o = run->o;
	const struct authority_counts *a = &run->authority.counts;
	const struct dnsd_counts *d = &run->dnsd.counts;
	struct result *r = run->r;

	if (!isnan(r->stanzas_sent)) {
		r->stanzas_arrived = (double)run->ledger.arrived;
		r->stanzas_lost = (double)ledger_lost(&run->ledger);
		r->stanzas_duplicated = (double)run->ledger.duplicated;
		r->stanzas_reordered = (double)run->ledger.reordered;
		r->stanzas_alien = (double)run->ledger.alien;
		r->stanzas_damaged = (double)run->sink.damaged;
		r->stanzas_misaddressed = (double)run->sink.misaddressed;
	}
	if (o->direct)
		return;
	r->stanzas_bounced = (double)a->stanzas;
	r->authority_connections = (double)a->connections;
	if (o->tls)
		r->authority_secured = (double)a->secured;
	r->verify_valid = (double)a->verified;
	r->verify_invalid = (double)a->refused;
	r->dns_srv = (double)d->srv;
	r->dns_srvs = (double)d->srvs;
	r->dns_address = (double)d->address;
	r->dns_senders = (double)d->senders;
	r->streams_closed = (double)run->origin.n_closed;
	if (run->proc.n)
		r->memory_peak = (double)proc_memory(&run->proc).peak / 1024;
}

static void probes_judge(struct run *run)
{
	const struct origin_counts *c = &run->origin.counts;
	struct result *r = run->r;
	char text[256];

	if (!run->o->invalid)
		return;
	r->probes = c->probes;
	r->probes_asked = (double)c->probes_asked;
	r->probes_forbidden = (double)tally_count(&c->probes, "forbidden");
	r->probes_invalid = (double)tally_count(&c->probes, "invalid");
	r->probes_other = (double)c->probes_answered - r->probes_forbidden - r->probes_invalid;
	r->probes_silent = (double)(c->probes_asked - c->probes_answered);
	tally_print(&c->probes, text, sizeof(text));
	if (c->probes_asked < run->o->invalid || c->probes_answered < c->probes_asked)
		result_fail(r, "%" PRIu64 " of %" PRIu64 " invalid keys were answered (%s)",
			c->probes_answered, run->o->invalid, text);
	if (tally_count(&c->probes, "valid"))
		result_fail(r, "%" PRIu64 " invalid keys were answered valid",
			tally_count(&c->probes, "valid"));
}

static void pairs_judge(struct run *run)
{
	const struct origin_counts *c = &run->origin.counts;
	struct result *r = run->r;
	char text[256];

	if (run->o->direct || isnan(r->pairs_asked))
		return;
	if (run->o->client_cert && run->authority.counts.verified)
		result_fail(r, "%" PRIu64 " pairs were verified although a certificate proves them",
			run->authority.counts.verified);
	tally_print(&c->conditions, text, sizeof(text));
	if (c->valid < run->o->pairs)
		result_fail(r,
			"%" PRIu64 " of %" PRIu64 " pairs were verified; first refusal: %s;"
			" errors: %s",
			c->valid, run->o->pairs,
			run->origin.pair_reason[0] ? run->origin.pair_reason : "none",
			text[0] ? text : "none");
	if (c->unexpected)
		result_fail(r, "%" PRIu64 " dialback answers that nobody asked for", c->unexpected);
	if (run->origin.n_closed)
		result_fail(r, "%u of %u streams were closed; the first: %s", run->origin.n_closed,
			run->origin.n_streams, run->origin.reason);
	if (run->o->router && !run->o->client_cert && run->dnsd.counts.senders < run->o->pairs)
		result_fail(r, "only %" PRIu64 " of %" PRIu64 " sender domains were looked up",
			run->dnsd.counts.senders, run->o->pairs);
}

static void stanzas_judge(struct run *run)
{
	const struct result *r = run->r;
	char text[256];

	if (isnan(r->stanzas_sent))
		return;
	if ((double)run->o->stanzas > r->stanzas_sent)
		result_fail(run->r, "only %.0f of %" PRIu64 " stanzas could be sent",
			r->stanzas_sent, run->o->stanzas);
	if (r->stanzas_lost > 0 || r->stanzas_duplicated > 0 || r->stanzas_reordered > 0 ||
		r->stanzas_damaged > 0 || r->stanzas_misaddressed > 0 || r->stanzas_alien > 0)
		result_fail(run->r,
			"of %.0f stanzas %.0f were lost, %.0f duplicated, %.0f reordered,"
			" %.0f changed, %.0f misaddressed, %.0f never sent",
			r->stanzas_sent, r->stanzas_lost, r->stanzas_duplicated,
			r->stanzas_reordered, r->stanzas_damaged, r->stanzas_misaddressed,
			r->stanzas_alien);
	if (run->sink.n_closed)
		result_fail(run->r, "component link: %s", run->sink.reason);
	if (run->authority.counts.stanzas)
		result_fail(run->r, "%" PRIu64 " stanzas came back to their senders (%s)",
			run->authority.counts.stanzas,
			tally_print(&run->authority.counts.bounces, text, sizeof(text)));
}

void run_verdict(struct run *run)
{
	counts_note(run);
	pairs_judge(run);
	stanzas_judge(run);
	probes_judge(run);
}
