/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/run_impl.h"

#include <inttypes.h>
#include <math.h>

static void probes_judge(struct run *run)
{
	const struct origin_counts *c = &run->origin.counts;
	struct result *r = run->r;
	char text[256];

	if (!run->names.n_probes)
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
	const struct origin_pairs *c = &run->origin.counts.pairs[WAVE_FIRST];
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
	if (run->origin.counts.unexpected)
		result_fail(r, "%" PRIu64 " dialback answers that nobody asked for",
			run->origin.counts.unexpected);
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
	const struct origin_counts *c = &run->origin.counts;
	/* Where stanzas may be lost there is more to be said about it. */
	double lost = options_lossy(run->o) ? 0 : r->stanzas_lost;
	char text[256];

	if (isnan(r->stanzas_sent))
		return;
	if (run->feed.stanzas - c->noise + c->withheld < run->feed.pace.total)
		result_fail(run->r, "only %.0f of %" PRIu64 " stanzas could be sent",
			r->stanzas_sent, run->feed.pace.total);
	if (lost > 0 || r->stanzas_duplicated > 0 || r->stanzas_reordered > 0 ||
		r->stanzas_damaged > 0 || r->stanzas_misaddressed > 0 || r->stanzas_alien > 0)
		result_fail(run->r,
			"of %.0f stanzas %.0f were lost, %.0f duplicated, %.0f reordered,"
			" %.0f changed, %.0f misaddressed, %.0f never sent",
			r->stanzas_sent, lost, r->stanzas_duplicated, r->stanzas_reordered,
			r->stanzas_damaged, r->stanzas_misaddressed, r->stanzas_alien);
	if (run->sink.n_closed)
		result_fail(run->r, "component link: %s", run->sink.reason);
	if (run->authority.counts.stanzas)
		result_fail(run->r, "%" PRIu64 " stanzas came back to their senders (%s)",
			run->authority.counts.stanzas,
			tally_print(&run->authority.counts.bounces, text, sizeof(text)));
}

static void wave_judge(struct run *run, enum origin_wave wave, uint64_t wanted, const char *whose)
{
	const struct origin_pairs *c = &run->origin.counts.pairs[wave];
	char text[256];

	if (c->valid < wanted)
		result_fail(run->r, "%" PRIu64 " of %" PRIu64 " pairs %s were verified; errors: %s",
			c->valid, wanted, whose, tally_print(&c->conditions, text, sizeof(text)));
}

/* delivered + bounced + in doubt = accepted: what the router says must fit what was seen. */
static void counters_judge(struct run *run)
{
	const struct counters *c = &run->counters;
	const struct ledger *l = &run->ledger;
	struct result *r = run->r;
	uint64_t lost = ledger_lost(l);

	/* What came back to components has been seen. */
	if (run->o->remotes)
		return;
	if (!run_is_counted(run->o) || isnan(r->stanzas_sent))
		return;
	if (!run->counted) {
		result_fail(r, "the router did not tell its counters");
		return;
	}
	if (c->accepted != run_accepted(run))
		result_fail(r, "%" PRIu64 " stanzas were sent, but %" PRIu64 " accepted",
			run_accepted(run), c->accepted);
	if (lost < c->returned)
		result_fail(r,
			"%" PRIu64 " stanzas were answered with errors, yet %" PRIu64
			" of them arrived",
			c->returned, c->returned - lost);
	r->stanzas_unknown = lost > c->returned + c->in_doubt
		? (double)(lost - c->returned - c->in_doubt)
		: 0;
	/* Only with a connection can anything be gone that the router does not know of. */
	if (r->stanzas_unknown > (run->sink.n_returned ? (double)run->o->unknown : 0))
		result_fail(r, "%.0f stanzas were lost without a word", r->stanzas_unknown);
}

/* Those whom the trouble does not concern must not feel it. */
static void flows_judge(struct run *run)
{
	uint64_t sent = 0, arrived = 0;

	if (!options_staged(run->o) || run->o->backend_rate || isnan(run->r->stanzas_sent))
		return;
	for (unsigned i = 0; i < STAGES; i++) {
		sent += run->flows.of[i][FLOW_OTHERS].sent;
		arrived += run->flows.of[i][FLOW_OTHERS].arrived;
	}
	if (arrived < sent)
		result_fail(run->r,
			"%" PRIu64 " stanzas of pairs that were not in trouble were lost",
			sent - arrived);
}

static void memory_judge(struct run *run)
{
	const struct result *r = run->r;
	double growth = (r->memory_peak - r->memory_pairs) / 1024;

	if (run->o->growth && growth > (double)run->o->growth)
		result_fail(run->r, "resident memory grew by %.1f MiB", growth);
}

void run_verdict(struct run *run)
{
	const struct origin_counts *c = &run->origin.counts;

	pairs_judge(run);
	stanzas_judge(run);
	probes_judge(run);
	counters_judge(run);
	flows_judge(run);
	memory_judge(run);
	if (options_out(run->o))
		run_outward_verdict(run);
	if (!isnan(run->r->stanzas_sent)) {
		wave_judge(run, WAVE_LATE, run->o->late_pairs, "asserted in the middle");
		wave_judge(run, WAVE_CHURN, c->pairs[WAVE_CHURN].asked, "of streams opened anew");
	}
}
