/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/run.h"

#include "bench/authority.h"
#include "bench/child.h"
#include "bench/dnsd.h"
#include "bench/keys.h"
#include "bench/origin.h"
#include "bench/sink.h"

#include <inttypes.h>
#include <math.h>
#include <sys/wait.h>

/* After the last stanza: time for a duplicate or a late close to show. */
#define QUIET_NS (250 * NS_PER_MS)

volatile sig_atomic_t run_stopped;

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
	struct child child;
	struct proc proc;
	struct address s2s, component, dns, listen; /* listen: the authority's */
	char secret[65];
};

static void run_init(struct run *run, const struct options *o, unsigned number, struct result *r)
{
	const char *const *given = o->component_names.n ? o->component_names.item : NULL;
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
	if (!given && o->targets == 1)
		given = &one;
	if (given && o->component_names.n && o->targets != o->component_names.n)
		given = NULL;
	if (!names_init(&run->names, suffix, (uint32_t)o->pairs, (uint32_t)o->invalid, given,
		    o->target_suffix, (uint32_t)o->targets, (uint32_t)o->streams))
		result_fail(r, "a domain name would be too long");
	shapes_init(&run->shapes, o->size, o->seed);
	run->keys = keys_new();
	ledger_init(&run->ledger, 1, 1);
	sink_init(&run->sink, &run->loop, &run->names, &run->shapes, &run->ledger);
	origin_init(&run->origin, &run->loop, &run->names, &run->shapes, run->keys, &run->ledger);
	if (!loop_init(&run->loop))
		result_fail(r, "epoll: %s", strerror(errno));
}

/* A router that leaks or crashes when it stops says so by its exit status. */
static void router_stop(struct run *run)
{
	struct child *c = &run->child;
	char log[200];

	if (!c->pid)
		return;
	if (!child_stop(c))
		result_fail(run->r, "the router did not stop within 10 s of SIGTERM");
	else if (c->status && !(WIFSIGNALED(c->status) && WTERMSIG(c->status) == SIGTERM))
		result_fail(run->r, "the router stopped with wait status 0x%x: %s",
			(unsigned)c->status, child_log(c, log, sizeof(log)));
}

static void run_free(struct run *run)
{
	origin_free(&run->origin);
	sink_free(&run->sink);
	authority_close(&run->authority);
	dnsd_close(&run->dnsd);
	router_stop(run);
	if (run->o->keep && run->child.dir[0])
		fprintf(stderr, "sluice-bench: kept %s\n", run->child.dir);
	else
		child_remove(&run->child);
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

	return o->n_ready + o->n_closed + o->counts.asked + o->counts.valid + o->counts.invalid +
		o->counts.error + o->counts.closed + o->counts.probes_answered + o->counts.bytes +
		run->sink.n_ready + run->sink.n_closed + run->sink.bytes +
		run->authority.counts.verified + run->dnsd.counts.srv;
}

static bool child_lost(struct run *run)
{
	char log[200];

	if (!run->o->router || child_is_running(&run->child))
		return false;
	result_fail(run->r, "the router ended (wait status 0x%x): %s", (unsigned)run->child.status,
		child_log(&run->child, log, sizeof(log)));
	return true;
}

/* Runs the loop until done says so; false, with a failure, when that does not come. */
static bool run_until(struct run *run, bool (*done)(const struct run *run), const char *what)
{
	uint64_t progress = run_progress(run), since = bench_now(), checked = since;

	while (!done(run)) {
		uint64_t now, then;

		loop_turn(&run->loop, 100);
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
			if (child_lost(run))
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

	while (bench_now() < end && !run_stopped)
		loop_turn(&run->loop, 20);
}

/* --- the server under test --- */

static bool registry_write(struct run *run)
{
	struct child *c = &run->child;
	bool ok;

	keys_random(run->secret, 32);
	ok = child_write(c, "dialback.secret", "%s\n", run->secret);
	/* Another one for the component; the sink needs it later. */
	keys_random(run->secret, 32);
	ok = ok && child_write(c, "sink.secret", "%s\n", run->secret);
	ok = ok && child_write(c, "routes", "backend sink component secret-file=sink.secret\n");
	for (uint32_t i = 0; ok && i < run->names.n_targets; i++)
		ok = child_write(c, "routes", "%s sink\n", run->names.targets[i].p);
	return ok;
}

static bool router_start(struct run *run)
{
	const struct options *o = run->o;
	char s2s[ADDRESS_TEXT], component[ADDRESS_TEXT], dns[ADDRESS_TEXT + 16];
	char routes[256], secret[256], log[200];
	char *argv[32 + OPTIONS_LIST] = { (char *)(uintptr_t)o->router, "--name",
		"bench.router.test", "--listen", s2s, "--component-listen", component, "--dns", dns,
		"--allow-peer-net", "127.0.0.0/8", "--routes", routes, "--secret-file", secret,
		"--tls", "off", "--workers", "1", "--log-level", "warn" };
	unsigned n = 0;

	while (argv[n])
		n++;
	for (unsigned i = 0; i < o->router_args.n; i++)
		argv[n++] = (char *)(uintptr_t)o->router_args.item[i];
	address_print(&run->s2s, s2s);
	address_print(&run->component, component);
	snprintf(dns, sizeof(dns), "127.0.0.1@%u", address_port(&run->dns));
	child_path(&run->child, "routes", routes);
	child_path(&run->child, "dialback.secret", secret);
	if (!child_start(&run->child, argv)) {
		result_fail(run->r, "%s: %s", o->router, strerror(errno));
		return false;
	}
	run->proc.n = 1;
	run->proc.pids[0] = run->child.pid;
	if (child_wait_listening(&run->child, &run->s2s, (unsigned)o->timeout_s) &&
		child_wait_listening(&run->child, &run->component, (unsigned)o->timeout_s))
		return true;
	if (!child_lost(run))
		result_fail(run->r, "the router does not listen: %s",
			child_log(&run->child, log, sizeof(log)));
	return false;
}

static bool loopback_choose(struct run *run)
{
	char text[ADDRESS_TEXT];
	unsigned s2s, component;

	address_parse(&run->dns, "127.0.0.1:0");
	address_parse(&run->listen, "127.0.0.1:0");
	s2s = address_free_port(&run->dns, 20000);
	do
		component = address_free_port(&run->dns, 20000);
	while (component && component == s2s);
	snprintf(text, sizeof(text), "127.0.0.1:%u", s2s);
	address_parse(&run->s2s, text);
	snprintf(text, sizeof(text), "127.0.0.1:%u", component);
	address_parse(&run->component, text);
	return s2s && component;
}

/* DNS, authority and, when it is ours to start, the router. */
static bool servers_start(struct run *run)
{
	const struct options *o = run->o;

	if (o->direct)
		return true;
	if (o->router && !loopback_choose(run)) {
		result_fail(run->r, "no free port: %s", strerror(errno));
		return false;
	}
	if (!o->router) {
		run->s2s = o->s2s_address;
		run->component = o->component_address;
		run->dns = o->dns_address;
		run->listen = o->authority_address;
		run->proc = o->proc;
	}
	if (!authority_open(&run->authority, &run->loop, run->keys, &run->listen)) {
		result_fail(run->r, "authoritative server: %s", strerror(errno));
		return false;
	}
	if (!dnsd_open(&run->dnsd, &run->loop, &run->names, &run->dns, &run->listen)) {
		result_fail(run->r, "DNS responder: %s", strerror(errno));
		return false;
	}
	if (!o->router)
		return true;
	if (!child_prepare(&run->child) || !registry_write(run)) {
		result_fail(run->r, "temporary directory: %s", strerror(errno));
		return false;
	}
	return router_start(run);
}

/* --- the phases --- */

static bool sink_is_ready(const struct run *run)
{
	return run->sink.n_closed || run->sink.n_ready == run->sink.n_links;
}

static bool origin_is_ready(const struct run *run)
{
	return run->origin.n_closed || run->origin.n_ready == run->origin.n_streams;
}

static bool direct_is_ready(const struct run *run)
{
	return run->sink.n_ready == run->origin.n_streams;
}

static bool pairs_are_settled(const struct run *run)
{
	return origin_settled(&run->origin);
}

static bool stanzas_are_settled(const struct run *run)
{
	const struct origin *o = &run->origin;

	/* Nothing can come any more: do not wait for a time-out to say so. */
	if (o->n_closed == o->n_streams || run->sink.n_closed)
		return true;
	return origin_sent(o) && run->ledger.arrived == run->ledger.sent;
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

static bool streams_open(struct run *run)
{
	const struct options *o = run->o;
	const char *first = run->names.targets[0].p;
	const char *const *names = o->component_names.n ? o->component_names.item : &first;
	uint32_t count = o->component_names.n ? o->component_names.n : 1;

	if (o->direct)
		return direct_open(run);
	if (!sink_login(&run->sink, &run->component, names, count,
		    o->router ? run->secret : o->secret)) {
		result_fail(run->r, "component: %s", strerror(errno));
		return false;
	}
	if (!run_until(run, sink_is_ready, "logging in as component"))
		return false;
	if (run->sink.n_closed) {
		result_fail(run->r, "component: %s", run->sink.reason);
		return false;
	}
	if (!origin_open(&run->origin, &run->s2s)) {
		result_fail(run->r, "S2S connection: %s", strerror(errno));
		return false;
	}
	if (!run_until(run, origin_is_ready, "opening the streams"))
		return false;
	if (run->origin.n_closed)
		result_fail(run->r, "S2S stream: %s", run->origin.reason);
	return !run->origin.n_closed;
}

static void pairs_note(struct run *run, uint64_t cpu)
{
	const struct origin_counts *c = &run->origin.counts;
	struct result *r = run->r;
	struct proc_memory m = proc_memory(&run->proc);

	r->pairs_asked = (double)c->asked;
	r->pairs_valid = (double)c->valid;
	r->pairs_invalid = (double)c->invalid;
	r->pairs_error = (double)c->error;
	r->pairs_closed = (double)(run->names.n_pairs - c->valid - c->invalid - c->error);
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

static bool pairs_run(struct run *run)
{
	uint64_t cpu;
	bool ok;

	if (run->o->direct)
		return true;
	if (run->proc.n)
		run->r->memory_start = (double)proc_memory(&run->proc).resident / 1024;
	cpu = proc_cpu(&run->proc);
	origin_assert(&run->origin, (uint32_t)run->o->window);
	ok = run_until(run, pairs_are_settled, "the pairs were verified");
	pairs_note(run, proc_cpu(&run->proc) - cpu);
	return ok || (run->origin.counts.valid && !run_stopped);
}

static void latency_note(struct run *run)
{
	const struct latency *l = &run->sink.latency;

	/* Without a rate it would be the depth of the server's queues. */
	if (!l->count || !run->o->rate)
		return;
	run->r->latency_p50 = (double)latency_quantile(l, 0.5) / 1e3;
	run->r->latency_p99 = (double)latency_quantile(l, 0.99) / 1e3;
	run->r->latency_p999 = (double)latency_quantile(l, 0.999) / 1e3;
	run->r->latency_max = (double)l->max / 1e3;
}

static void stanzas_note(struct run *run, uint64_t cpu, uint64_t own)
{
	const struct ledger *l = &run->ledger;
	struct result *r = run->r;

	r->stanzas_sent = (double)l->sent;
	if (!l->sent)
		return;
	r->stanza_bytes = (double)run->origin.counts.bytes / (double)l->sent;
	if (run->sink.last > run->origin.began) {
		r->stanzas_time = (double)(run->sink.last - run->origin.began) / 1e9;
		r->stanzas_rate = (double)l->arrived / r->stanzas_time;
		r->stanzas_mb = r->stanzas_rate * r->stanza_bytes / 1e6;
	}
	r->bench_per_cpu = (double)l->arrived / ((double)own / 1e9);
	latency_note(run);
	if (!run->proc.n)
		return;
	r->stanzas_cpu = (double)cpu / 1e9;
	if (cpu)
		r->stanzas_per_cpu = (double)l->arrived / r->stanzas_cpu;
	r->memory_end = (double)proc_memory(&run->proc).resident / 1024;
}

static bool stanzas_run(struct run *run)
{
	const struct options *o = run->o;
	uint64_t cpu, own, valid = run->origin.counts.valid;
	bool ok;

	if (!valid || (!o->stanzas && !o->invalid))
		return true;
	ledger_free(&run->ledger);
	/* One more than the mean for the remainder, one for the rounding of shares. */
	ledger_init(&run->ledger, run->names.n_pairs, (uint32_t)(o->stanzas / valid + 2));
	cpu = proc_cpu(&run->proc);
	own = proc_cpu_own();
	if (!origin_send(&run->origin, o->stanzas, o->rate)) {
		result_fail(run->r, "timer: %s", strerror(errno));
		return false;
	}
	ok = run_until(run, stanzas_are_settled, "the stanzas were on their way");
	stanzas_note(run, proc_cpu(&run->proc) - cpu, proc_cpu_own() - own);
	run_quiet(run);
	return ok;
}

/* --- the verdict --- */

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
	if (run->o->router && run->dnsd.counts.senders < run->o->pairs)
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

void run_once(const struct options *o, unsigned number, struct result *r)
{
	static struct run run;

	result_init(r);
	run_init(&run, o, number, r);
	if (!r->n_failures && servers_start(&run) && streams_open(&run) && pairs_run(&run))
		stanzas_run(&run);
	/* A crash that only the closed streams have shown. */
	if (run.child.pid)
		child_lost(&run);
	counts_note(&run);
	pairs_judge(&run);
	stanzas_judge(&run);
	probes_judge(&run);
	run_free(&run);
}
