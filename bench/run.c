/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/run_impl.h"

#include <inttypes.h>
#include <math.h>
#include <sys/wait.h>

/* After the last stanza: time for a duplicate or a late close to show. */
#define QUIET_NS (250 * NS_PER_MS)

volatile sig_atomic_t run_stopped;

static void run_init(struct run *run, const struct options *o, unsigned number, struct result *r)
{
	const char *const *given = o->component_names.n ? o->component_names.item : NULL;
	/* Outward those whose keys are called invalid are hosted domains. */
	uint64_t probes = options_probes(o), extra = o->remotes ? o->invalid : 0;
	char hosted[NAMES_MAX + 8], suffix[NAMES_MAX + 1];
	const char *one = hosted;

	memset(run, 0, sizeof(*run));
	run->o = o;
	run->r = r;
	run->dnsd.source.fd = run->authority.source.fd = -1;
	run->loop.epfd = -1;
	snprintf(hosted, sizeof(hosted), "hosted.%.200s", o->target_suffix);
	/* A server that runs on would still know the senders of the run before. */
	if (number && !o->router)
		snprintf(suffix, sizeof(suffix), "r%u.%.200s", number, o->suffix);
	else
		snprintf(suffix, sizeof(suffix), "%.200s", o->suffix);
	if (!given && o->targets == 1 && !o->remotes)
		given = &one;
	if (given && o->component_names.n && o->targets != o->component_names.n)
		given = NULL;
	if (!names_init(&run->names, suffix, (uint32_t)options_pairs(o), (uint32_t)probes, given,
		    o->target_suffix, (uint32_t)(o->targets + extra), (uint32_t)o->streams))
		result_fail(r, "a domain name would be too long");
	run->names.n_backends = (uint32_t)o->backends;
	run->names.by_stream = o->by_stream;
	run->names.n_targets = (uint32_t)o->targets;
	run->names.n_endpoints = (uint32_t)o->endpoints;
	run->names.outward = o->remotes;
	if (o->remotes)
		run->names.n_outside = (uint32_t)o->remotes;
	shapes_init(&run->shapes, o->size, o->seed);
	run->keys = keys_new();
	ledger_init(&run->ledger, 1);
	feed_init(&run->feed, &run->names, &run->shapes, &run->ledger,
		o->remotes ? NAMES_OUT : NAMES_IN);
	feed_init(&run->onward, &run->names, &run->shapes, &run->ledger, NAMES_OUT);
	flood_init(&run->flood, &run->names, &run->shapes, &run->ledger,
		options_out(o) ? NAMES_OUT : NAMES_IN);
	sink_init(&run->sink, &run->loop, &run->flood);
	speaker_init(&run->speaker, &run->loop, &run->names, o->relay ? &run->onward : &run->feed);
	origin_init(&run->origin, &run->loop, &run->names, run->keys, &run->feed,
		(uint32_t)o->pairs, (uint32_t)o->late_pairs);
	if (!loop_init(&run->loop))
		result_fail(r, "epoll: %s", strerror(errno));
}

/* A router that leaks or crashes when it stops says so by its exit status. */
static void router_stop(struct run *run)
{
	struct child *c = &run->child;
	char log[CHILD_LOG], end[32];

	if (!c->pid)
		return;
	if (!child_stop(c))
		result_fail(run->r, "the router did not stop within %u s of SIGTERM", CHILD_STOP_S);
	else if (c->status && !(WIFSIGNALED(c->status) && WTERMSIG(c->status) == SIGTERM))
		result_fail(run->r, "the router stopped with %s: %s", child_end(c, end),
			child_log(c, log, sizeof(log)));
}

static void run_free(struct run *run)
{
	storm_free(run->storm);
	origin_free(&run->origin);
	sink_free(&run->sink);
	speaker_free(&run->speaker);
	run_remotes_close(run);
	authority_close(&run->authority);
	dnsd_close(&run->dnsd);
	router_stop(run);
	if (run->o->keep && run->child.dir[0])
		fprintf(stderr, "sluice-bench: kept %s\n", run->child.dir);
	else
		child_remove(&run->child);
	secure_free(run->opens);
	secure_free(run->accepts);
	pki_free(run->pki);
	loop_close(&run->loop);
	ledger_free(&run->ledger);
	keys_free(run->keys);
	shapes_free(&run->shapes);
	names_free(&run->names);
}

/* Grows whenever anything happens. */
static uint64_t run_progress(const struct run *run)
{
	const struct origin *o = &run->origin;
	struct storm_counts storm = { 0 };
	uint64_t pairs = 0;

	for (unsigned i = 0; i < WAVES; i++) {
		const struct origin_pairs *c = &o->counts.pairs[i];

		pairs += c->asked + c->valid + c->invalid + c->error + c->closed;
	}
	if (run->storm)
		storm = storm_counts(run->storm);
	return storm.opened + storm.failed + o->n_ready + o->n_closed + pairs +
		o->counts.probes_answered + run->feed.bytes + o->counts.withheld +
		o->counts.reopened + run->sink.n_ready + run->sink.n_closed + run->sink.n_returned +
		run->sink.bytes + run->authority.counts.verified + run->dnsd.counts.srv +
		run_outward_progress(run);
}

bool run_until(struct run *run, bool (*done)(struct run *run), const char *what)
{
	uint64_t progress = run_progress(run), since = bench_now(), checked = since;

	while (!done(run)) {
		uint64_t now, then;

		loop_turn(&run->loop, 100);
		run_trouble_turn(run);
		now = bench_now();
		then = progress;
		progress = run_progress(run);
		if (progress != then)
			since = now;
		if (run_stopped) {
			result_fail(run->r, "interrupted while %s", what);
			return false;
		}
		if (now - checked > 100 * NS_PER_MS) {
			checked = now;
			if (run_child_lost(run))
				return false;
		}
		if (now - since > run->o->timeout_s * NS_PER_S) {
			result_fail(run->r, "nothing happened for %" PRIu64 " s while %s",
				run->o->timeout_s, what);
			return false;
		}
	}
	return true;
}

static void run_quiet(struct run *run)
{
	uint64_t end = bench_now() + QUIET_NS;

	while (bench_now() < end && !run_stopped) {
		loop_turn(&run->loop, 20);
		run_trouble_turn(run);
	}
}

/* --- the phases --- */

static bool sink_is_ready(struct run *run)
{
	return run->sink.n_closed || run->sink.n_ready == run->sink.n_links;
}

static bool origin_is_ready(struct run *run)
{
	return run->origin.n_closed || run->origin.n_ready == run->origin.n_streams;
}

static bool direct_is_ready(struct run *run)
{
	return run->sink.n_ready == run->origin.n_streams;
}

static bool pairs_are_settled(struct run *run)
{
	return origin_settled(&run->origin);
}

static bool stanzas_are_settled(struct run *run)
{
	const struct origin *o = &run->origin;

	/* Nothing can come any more: do not wait for a time-out to say so. */
	if ((o->n_streams && o->n_closed == o->n_streams) || run->sink.n_closed ||
		run->speaker.n_closed)
		return true;
	return (run->o->remotes ? speaker_sent(&run->speaker) : origin_sent(o)) &&
		run->stage == run->last_stage && run_trouble_over(run);
}

static bool direct_open(struct run *run)
{
	struct address a;

	address_parse(&a, "127.0.0.1:0");
	if (!sink_listen(&run->sink, &a, run->names.n_streams) ||
		!origin_open_direct(&run->origin, &a)) {
		result_fail(run->r, "loopback: %s", strerror(errno));
		return false;
	}
	return run_until(run, direct_is_ready, "connecting");
}

static bool sink_open(struct run *run, const char *const *names, uint32_t count)
{
	const struct options *o = run->o;

	if (o->stall)
		run->sink.narrow = (uint32_t)o->backends - 1;
	run->sink.rate = o->backend_rate * o->size / o->backends;
	if (!sink_login(&run->sink, &run->component, names, count,
		    o->router ? run->secret : o->secret)) {
		result_fail(run->r, "component: %s", strerror(errno));
		return false;
	}
	if (!run_until(run, sink_is_ready, "logging in as component"))
		return false;
	if (run->sink.n_closed)
		result_fail(run->r, "component: %s", run->sink.reason);
	return !run->sink.n_closed;
}

static bool components_open(struct run *run)
{
	const struct options *o = run->o;
	const char *const *names = o->component_names.n ? o->component_names.item : run->logins;
	uint32_t count = o->component_names.n ? o->component_names.n : (uint32_t)o->backends;

	/* Target t is behind backend t: each logs in as its first one. */
	for (uint32_t i = 0; i < o->backends; i++)
		run->logins[i] = run->names.targets[i].p;
	if (!(options_out(o) ? run_speaker_open(run, names, count) : sink_open(run, names, count)))
		return false;
	if (run->proc.n)
		run->r->memory_router = (double)proc_memory(&run->proc).resident / 1024;
	return true;
}

static bool streams_open(struct run *run)
{
	const struct options *o = run->o;

	if (o->remotes)
		return true;
	/* What does not get out is to be seen here, not to wait for seconds in the kernel. */
	run->origin.narrow = o->overload > 1;
	run->origin.rough = o->rough;
	if (!origin_open(&run->origin, o->tls == OPTIONS_DIRECT ? &run->direct : &run->s2s)) {
		result_fail(run->r, "S2S connection: %s", strerror(errno));
		return false;
	}
	if (!run_until(run, origin_is_ready, "opening the streams"))
		return false;
	if (run->proc.n)
		run->r->memory_per_stream = ((double)proc_memory(&run->proc).resident -
						    run->r->memory_router * 1024) /
			(double)run->origin.n_streams;
	if (run->origin.n_closed)
		result_fail(run->r, "S2S stream: %s", run->origin.reason);
	return !run->origin.n_closed;
}

static bool servers_open(struct run *run)
{
	const struct options *o = run->o;

	if (o->direct && !o->remotes)
		return direct_open(run);
	return components_open(run) && streams_open(run);
}

static bool pairs_run(struct run *run)
{
	uint64_t cpu;
	bool ok;

	if (run->o->direct || run->o->remotes)
		return true;
	if (run->proc.n)
		run->r->memory_start = (double)proc_memory(&run->proc).resident / 1024;
	cpu = proc_cpu(&run->proc);
	origin_assert(&run->origin, (uint32_t)run->o->window);
	ok = run_until(run, pairs_are_settled, "the pairs were verified");
	run_figures_pairs(run, proc_cpu(&run->proc) - cpu);
	return ok || (run->origin.counts.pairs[WAVE_FIRST].valid && !run_stopped);
}

static bool storm_is_done(struct run *run)
{
	return storm_is_over(run->storm);
}

static bool storm_begin(struct run *run)
{
	const struct options *o = run->o;
	struct storm_opts opts = {
		.server = o->tls == OPTIONS_DIRECT ? &run->direct : &run->s2s,
		.names = &run->names,
		.secure = run->opens,
		.count = o->storm,
		.rate = o->storm_rate,
		.at_once = (uint32_t)o->storm_at_once,
		.resume = o->resume,
	};

	if (!o->storm)
		return true;
	run->storm_cpu = proc_cpu(&run->proc);
	run->storm = storm_start(&opts);
	if (!run->storm)
		result_fail(run->r, "storm: %s", strerror(errno));
	return run->storm;
}

/* Waits for its end. CPU time is counted to the end of the stanzas beside it, if there are any. */
static bool storm_end(struct run *run)
{
	bool ok;

	if (!run->storm)
		return true;
	ok = run_until(run, storm_is_done, "the storm went on");
	run_figures_storm(run, proc_cpu(&run->proc) - run->storm_cpu);
	return ok;
}

static void stages_begin(struct run *run)
{
	const struct options *o = run->o;
	struct flows *f = &run->flows;

	pace_begin(&run->feed.pace, o->stanzas, o->rate, options_staged(o), (unsigned)o->overload,
		bench_now());
	if (!options_staged(o))
		return;
	run->last_stage = STAGE_AFTER;
	flows_init(f, &run->names, &run->feed.pace);
	if (o->stall || o->vanish)
		f->receiver = run->names.n_backends - 1;
	if (o->outage)
		f->receiver = run->names.n_endpoints - 1;
	if (o->noise)
		f->pair = 0;
	run->feed.flows = run->flood.flows = f;
}

static bool stanzas_begin(struct run *run)
{
	const struct options *o = run->o;

	run->begun = run->ledger.sent;
	ledger_free(&run->ledger);
	ledger_init(&run->ledger, run->names.n_pairs);
	run->feed.stanzas = run->feed.bytes = 0;
	memset(&run->flood.latency, 0, sizeof(run->flood.latency));
	stages_begin(run);
	run->feed.window = o->in_flight;
	if (o->remotes ? speaker_send(&run->speaker, o->in_flight)
		       : origin_send(&run->origin, (uint32_t)o->churn))
		return true;
	result_fail(run->r, "timer: %s", strerror(errno));
	return false;
}

static bool stanzas_run(struct run *run)
{
	const struct options *o = run->o;
	uint64_t cpu, own;
	bool ok;

	if (!storm_begin(run))
		return false;
	if (o->reload)
		child_reload(&run->child);
	if ((!o->remotes && !run->origin.counts.pairs[WAVE_FIRST].valid) ||
		(!o->stanzas && !o->invalid))
		return storm_end(run);
	cpu = proc_cpu(&run->proc);
	own = proc_cpu_own();
	if (!stanzas_begin(run))
		return false;
	ok = run_until(run, stanzas_are_settled, "the stanzas were on their way");
	run_figures_stanzas(run, proc_cpu(&run->proc) - cpu, proc_cpu_own() - own);
	ok = ok && storm_end(run);
	run_quiet(run);
	return ok;
}

void run_once(const struct options *o, unsigned number, struct result *r)
{
	static struct run run;

	result_init(r);
	run_init(&run, o, number, r);
	if (!r->n_failures && run_servers(&run) && servers_open(&run) && pairs_run(&run) &&
		run_speaker_begin(&run))
		stanzas_run(&run);
	/* A crash that only the closed streams have shown. */
	if (run.child.pid)
		run_child_lost(&run);
	run_figures_counts(&run);
	run_verdict(&run);
	run_free(&run);
}
