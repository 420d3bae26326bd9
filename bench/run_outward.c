/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/run_impl.h"

#include <inttypes.h>
#include <math.h>

/* Of pairs that begin, unless --window says otherwise: what a router keeps for them is bounded. */
#define BEGIN_WINDOW 1000
/* While something comes the router is not asked: it would have to wait until the answer is here. */
#define PAUSE_NS (20 * NS_PER_MS)
/* So long nothing has come or come back: what the router has no more word about is not with it. */
#define SILENCE_NS (3 * NS_PER_S)
/* So long it may wait between two attempts to reach a server that is back. */
#define RETRY_NS (10 * NS_PER_S)
/* After that a router has given back what it kept for a server that is away. */
#define PARKED_NS (40 * NS_PER_S)

static uint32_t remotes_count(const struct run *run)
{
	return run->remotes ? (uint32_t)run->o->endpoints : 0;
}

bool run_remotes_open(struct run *run)
{
	const struct options *o = run->o;
	struct remote_opts opts = { .names = &run->names,
		.flood = &run->flood,
		.keys = o->relay ? run->keys : NULL,
		.secure = run->accepts,
		.opens = run->opens,
		.server = o->tls == OPTIONS_DIRECT ? run->direct : run->s2s,
		.believe = o->believe,
		.naked = o->direct,
		.throttle = o->throttle };

	run->remotes = bench_alloc(o->endpoints, sizeof(*run->remotes));
	run->remote_ports = bench_alloc(o->endpoints, sizeof(*run->remote_ports));
	for (uint32_t i = 0; i < o->endpoints; i++) {
		struct address listen;

		opts.index = i;
		address_parse(&listen, "127.0.0.1:0");
		if (o->s2s)
			listen = o->authority_address;
		if (!remote_open(&run->remotes[i], &run->loop, &opts, &listen)) {
			result_fail(run->r, "remote server: %s", strerror(errno));
			return false;
		}
		run->remote_ports[i] = address_port(&listen);
		run->listen = listen;
	}
	return true;
}

void run_remotes_close(struct run *run)
{
	for (uint32_t i = 0; i < remotes_count(run); i++)
		remote_close(&run->remotes[i]);
	free(run->remotes);
	free(run->remote_ports);
	run->remotes = NULL;
	run->remote_ports = NULL;
}

void run_remotes_turn(struct run *run)
{
	for (uint32_t i = 0; i < remotes_count(run); i++)
		remote_turn(&run->remotes[i]);
	speaker_turn(&run->speaker);
}

void run_outage(struct run *run, bool on)
{
	struct remote *last = &run->remotes[run->o->endpoints - 1];

	if (on) {
		run->away = bench_now();
		remote_vanish(last);
	} else if (!remote_return(last)) {
		result_fail(run->r, "the remote server could not return: %s", strerror(errno));
	}
}

uint64_t run_outward_progress(const struct run *run)
{
	uint64_t sum = run->speaker.n_ready + run->speaker.n_closed + run->speaker.bytes;

	for (uint32_t i = 0; i < remotes_count(run); i++)
		sum += run->remotes[i].bytes + run->remotes[i].counts.connections;
	return sum;
}

/* --- the phases --- */

static bool speaker_is_ready(struct run *run)
{
	return run->speaker.n_closed || run->speaker.n_ready == run->speaker.n_links;
}

bool run_speaker_open(struct run *run, const char *const *names, uint32_t count)
{
	const struct options *o = run->o;
	struct speaker *s = &run->speaker;
	bool ok = o->direct ? speaker_open_direct(s, &run->listen, count)
			    : speaker_login(s, &run->component, names, count,
				      o->router ? run->secret : o->secret);

	if (!ok) {
		result_fail(run->r, "component: %s", strerror(errno));
		return false;
	}
	if (!run_until(run, speaker_is_ready, "logging in as component"))
		return false;
	if (s->n_closed)
		result_fail(run->r, "component: %s", s->reason);
	return !s->n_closed;
}

static bool pairs_have_begun(struct run *run)
{
	const struct ledger *l = &run->ledger;

	return run->speaker.n_closed ||
		(speaker_begun(&run->speaker) && l->arrived + l->returned == l->sent);
}

static void begun_note(struct run *run, uint64_t began, uint64_t cpu, uint64_t memory)
{
	struct result *r = run->r;
	double pairs = (double)run->ledger.arrived;
	uint64_t now = proc_memory(&run->proc).resident;

	r->out_pairs = pairs;
	if (run->flood.last > began) {
		r->out_time = (double)(run->flood.last - began) / 1e9;
		r->out_rate = pairs / r->out_time;
	}
	if (!run->proc.n)
		return;
	r->out_cpu = (double)cpu / 1e9;
	if (cpu)
		r->out_per_cpu = pairs / r->out_cpu;
	if (run->ledger.arrived)
		r->out_memory_per_pair = ((double)now - (double)memory) / pairs;
	if (isnan(r->memory_start))
		r->memory_start = (double)memory / 1024;
	r->memory_pairs = (double)now / 1024;
}

bool run_speaker_begin(struct run *run)
{
	const struct options *o = run->o;
	uint64_t began = bench_now(), cpu = proc_cpu(&run->proc);
	uint64_t memory = proc_memory(&run->proc).resident;
	char text[256];
	bool ok;

	if (!options_out(o))
		return true;
	ledger_free(&run->ledger);
	ledger_init(&run->ledger, run->names.n_pairs);
	speaker_begin(&run->speaker, o->window ? o->window : BEGIN_WINDOW);
	ok = run_until(run, pairs_have_begun, "the first stanzas were on their way");
	begun_note(run, began, proc_cpu(&run->proc) - cpu, memory);
	if (run->ledger.arrived == run->names.n_pairs)
		return ok;
	result_fail(run->r,
		"of %u pairs outward the first stanza of %" PRIu64 " arrived and that of %" PRIu64
		" came back (%s)",
		run->names.n_pairs, run->ledger.arrived, run->ledger.returned,
		tally_print(&run->speaker.counts.bounces, text, sizeof(text)));
	return false;
}

uint64_t run_accepted(const struct run *run)
{
	const struct speaker_counts *c = &run->speaker.counts;

	return run->begun + run->ledger.sent + c->probes_asked + c->relayed;
}

bool run_outward_over(struct run *run)
{
	const struct remote *last = &run->remotes[run->o->endpoints - 1];
	const struct ledger *l = &run->ledger;
	uint64_t now = bench_now(), seen = l->arrived + l->returned, silence;

	if (seen != run->seen || !run->seen_at) {
		run->seen = seen;
		run->seen_at = now;
	}
	silence = now - run->seen_at;
	if (!run_is_counted(run->o))
		return seen == l->sent;
	if (seen < l->sent && silence < PAUSE_NS)
		return false;
	run_counters_refresh(run);
	if (!run->counted || run->counters.accepted < run_accepted(run))
		return false;
	seen += run->counters.undeliverable;
	if (seen >= l->sent)
		return true;
	return silence > (last->back && !last->heard ? PARKED_NS : RETRY_NS) ||
		(silence > SILENCE_NS && seen + run->counters.in_doubt >= l->sent);
}

/* --- what came of it --- */

static struct remote_counts remotes_sum(const struct run *run)
{
	struct remote_counts sum = { 0 };

	for (uint32_t i = 0; i < remotes_count(run); i++) {
		const struct remote_counts *c = &run->remotes[i].counts;

		sum.connections += c->connections;
		sum.secured += c->secured;
		sum.ended += c->ended;
		sum.carried += c->carried;
		sum.most = c->most > sum.most ? c->most : sum.most;
		sum.asserted += c->asserted;
		sum.valid += c->valid;
		sum.invalid += c->invalid;
		sum.failed += c->failed;
		sum.key_valid += c->key_valid;
		sum.key_invalid += c->key_invalid;
		sum.key_error += c->key_error;
		sum.verified += c->verified;
		sum.refused += c->refused;
		sum.unproven += c->unproven;
		sum.forbidden += c->forbidden;
		sum.foreign += c->foreign;
	}
	return sum;
}

static void remotes_note(struct run *run)
{
	struct remote_counts c = remotes_sum(run);
	struct result *r = run->r;

	r->remote_connections = (double)c.connections;
	r->remote_ended = (double)c.ended;
	r->remote_carried = (double)c.carried;
	r->remote_most = (double)c.most;
	r->remote_asserted = (double)c.asserted;
	r->remote_valid = (double)c.valid;
	r->remote_invalid = (double)c.invalid;
	r->remote_failed = (double)c.failed;
	if (run->o->tls)
		r->remote_secured = (double)c.secured;
	if (run->o->relay) {
		r->verify_valid = (double)c.verified;
		r->verify_invalid = (double)c.refused;
	}
	if (run->o->believe)
		return;
	r->key_streams = 0;
	for (uint32_t i = 0; i < remotes_count(run); i++)
		r->key_streams += (double)run->remotes[i].inquirer.streams;
	r->key_valid = (double)c.key_valid;
	r->key_invalid = (double)(c.key_invalid + c.key_error);
}

void run_outward_counts(struct run *run)
{
	const struct options *o = run->o;
	const struct remote *last = run->remotes ? &run->remotes[o->endpoints - 1] : NULL;
	struct result *r = run->r;

	if (!last || isnan(r->out_pairs))
		return;
	if (!o->direct)
		remotes_note(run);
	if (isnan(r->stanzas_sent))
		return;
	r->stanzas_bounced = (double)run->ledger.returned;
	if (o->remotes && o->invalid) {
		r->refused_sent = (double)run->speaker.counts.probes_asked;
		r->refused_returned = (double)tally_total(&run->speaker.counts.probes);
	}
	if (!last->back)
		return;
	r->outage_time = (double)(last->back - run->away) / 1e9;
	if (last->heard)
		r->outage_heard = (double)(last->heard - last->back) / 1e6;
}

static void remotes_judge(struct run *run)
{
	struct remote_counts c = remotes_sum(run);
	struct result *r = run->r;
	char text[256];

	if (c.unproven)
		result_fail(r,
			"%" PRIu64 " stanzas came on streams on which their pair is not valid",
			c.unproven);
	if (c.forbidden)
		result_fail(r, "%" PRIu64 " stanzas came of pairs that were called invalid",
			c.forbidden);
	if (c.key_invalid + c.key_error)
		result_fail(r,
			"of our keys the server called %" PRIu64 " invalid, %" PRIu64
			" could not be verified",
			c.key_invalid, c.key_error);
	for (uint32_t i = 0; i < remotes_count(run); i++) {
		const struct remote *m = &run->remotes[i];

		if (c.key_error && m->inquirer.reason[0])
			result_fail(r, "verify stream: %s", m->inquirer.reason);
		if (m->counts.foreign)
			result_fail(r, "%" PRIu64 " foreign stanzas came to a remote server (%s)",
				m->counts.foreign,
				tally_print(&m->counts.bounces, text, sizeof(text)));
		if (tally_total(&m->counts.errors))
			result_fail(r, "stream errors to a remote server: %s",
				tally_print(&m->counts.errors, text, sizeof(text)));
		if (run->o->out_streams && m->counts.carried > run->o->out_streams)
			result_fail(r, "%" PRIu64 " streams to one remote server had pairs",
				m->counts.carried);
	}
}

static void speaker_judge(struct run *run)
{
	const struct speaker *s = &run->speaker;
	struct result *r = run->r;
	uint64_t refused = tally_total(&s->counts.probes);
	char text[256];

	if (s->n_closed)
		result_fail(r, "component link: %s", s->reason);
	if (s->counts.foreign || s->counts.damaged)
		result_fail(r,
			"to the components came %" PRIu64 " foreign stanzas, %" PRIu64
			" with a changed body",
			s->counts.foreign, s->counts.damaged);
	if (s->counts.bounced && !options_lossy(run->o))
		result_fail(r, "%" PRIu64 " stanzas came back to the components (%s)",
			s->counts.bounced, tally_print(&s->counts.bounces, text, sizeof(text)));
	if (!run->o->remotes || isnan(r->stanzas_sent))
		return;
	if (s->counts.probes_asked < run->o->invalid || refused < s->counts.probes_asked)
		result_fail(r,
			"of %" PRIu64 " stanzas of invalid pairs %" PRIu64 " were sent and %" PRIu64
			" came back",
			run->o->invalid, s->counts.probes_asked, refused);
}

/* sent = delivered + bounced + in doubt, and none of them twice. */
static void accounts_judge(struct run *run)
{
	const struct counters *c = &run->counters;
	const struct ledger *l = &run->ledger;
	uint64_t lost = ledger_lost(l), refused = tally_total(&run->speaker.counts.probes), told;
	struct result *r = run->r;

	if (!run->o->remotes || isnan(r->stanzas_sent))
		return;
	if (ledger_both(l))
		result_fail(r, "%" PRIu64 " stanzas arrived and came back too", ledger_both(l));
	if (!run_is_counted(run->o))
		return;
	if (!run->counted) {
		result_fail(r, "the router did not tell its counters");
		return;
	}
	if (c->accepted != run_accepted(run))
		result_fail(r, "%" PRIu64 " stanzas were sent, but %" PRIu64 " accepted",
			run_accepted(run), c->accepted);
	if (c->returned - c->undeliverable != l->returned + refused)
		result_fail(r,
			"the router sent errors for %" PRIu64 " stanzas, but %" PRIu64
			" came to the components",
			c->returned - c->undeliverable, l->returned + refused);
	r->undeliverable = (double)c->undeliverable;
	r->stanzas_unknown = 0;
	told = l->returned + c->undeliverable + c->in_doubt;
	if (lost > told)
		r->stanzas_unknown = (double)(lost - told);
	/* Only with a connection can anything be gone that the router does not know of. */
	if (r->stanzas_unknown > (run->o->outage ? (double)run->o->unknown : 0))
		result_fail(r, "%.0f stanzas were lost without a word", r->stanzas_unknown);
}

void run_outward_verdict(struct run *run)
{
	const struct remote *last = run->remotes ? &run->remotes[run->o->endpoints - 1] : NULL;

	if (isnan(run->r->out_pairs))
		return;
	remotes_judge(run);
	speaker_judge(run);
	accounts_judge(run);
	if (last->back && !last->heard)
		result_fail(run->r, "no stanza came to the remote server after its return");
}
