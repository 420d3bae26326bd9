/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/worker.h"

#include <sched.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/authcall.h"
#include "core/authlink.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/rand.h"
#include "core/claims.h"
#include "core/component.h"
#include "core/diag.h"
#include "core/explain.h"
#include "core/inbound.h"
#include "core/outbound.h"
#include "core/outward.h"
#include "core/verdicts.h"
#include "net/tls_ticket.h"

#define INBOX_MESSAGES 16
#define MAX_SLEEP_MS 1000 /* so that a lost wake-up costs a second and not the router */
#define TICKETS_EVERY_MS 60000
#define ABORT_SILENT_TURNS 100 /* of 10 ms */
#define STARVED_US 50

static const char going_down[] = "the router is shutting down";

static const struct resolve_service xmpp_service = {
	.label = "_xmpp-server._tcp",
	.direct_label = "_xmpps-server._tcp",
	.port = 5269,
};

/* -- messages of the control thread -- */

/* False: *why says what the TLS library holds against it. */
static bool worker_keyring(struct worker *w, const struct hosting *h, const char **why)
{
	struct keyring *fresh = NULL;

	if (h->credentials)
		fresh = keyring_new(h->credentials, span_str(w->config->name), w->tickets,
			&w->keyring, why);
	if (h->credentials && !fresh)
		return false;
	keyring_count(w->keyring, &w->stats);
	keyring_free(w->keyring);
	w->keyring = fresh;
	return true;
}

static void worker_new_hosting(struct worker *w, struct hosting *h)
{
	struct hosting *old = w->hosting;
	const char *why;

	if (!worker_keyring(w, h, &why))
		LOG(LOG_ERROR, "keyring-kept", why, LF_STR("state", "the old certificates stay"));
	w->hosting = h;
	/* Each worker: when the last one has come here, nothing is left that rests on the old rules. */
	verdicts_forget(w->verdicts);
	routes_reload(w->routes, old->registry);
	outward_review(w);
	hosting_release(old);
	if (!hosting_taken(h, w->crew->n))
		return;
	/* Not when it was read: what is said holds, whichever worker a peer comes to. */
	STATS_INC(&w->stats, reloads);
	LOG(LOG_INFO, "reloaded", "registry and policy were read again",
		LF_INT("domains", registry_hosts(h->registry)),
		LF_INT("backends", registry_backends(h->registry)));
}

/* Once for each phase, to all workers, itself included. */
static void worker_phase(struct worker *w, enum drain_phase phase)
{
	if (w->phase >= phase)
		return;
	w->phase = phase;
	for (unsigned to = 0; to < w->crew->n; to++) {
		enum drain_phase *post = mesh_must_write(w->port, to, POST_PHASE, sizeof(*post));

		*post = phase;
	}
}

static bool all_workers(const struct worker *w, enum drain_phase phase)
{
	return w->in_phase[phase] == w->crew->n;
}

/* Strangers first: what they still send must find its backends. */
static void worker_drain(struct worker *w)
{
	if (w->draining)
		return;
	w->draining = true;
	w->drain_until = w->now + w->config->drain_ms;
	w->links_until = w->now + w->config->drain_ms / 2;
	listeners_stop(w->listeners);
	list_each(l, &w->streams) if (inbound_of(container_of(l, struct stream, link)))
		stream_shut_down(container_of(l, struct stream, link), going_down);
	worker_phase(w, DRAIN_BEGUN);
}

static bool worker_has_strangers(const struct worker *w)
{
	list_each(l, &w->streams) if (inbound_of(container_of(l, struct stream, link))) return true;
	return false;
}

/* To authorities. While a claim is open anywhere, the loss of one would be answered as a failed
 * pair. */
static void worker_end_questions(struct worker *w)
{
	list_each(l, &w->streams)
	{
		struct stream *s = container_of(l, struct stream, link);

		if (!component_of(s) && !inbound_of(s) && !outbound_of(s))
			stream_end(s, going_down);
	}
}

static bool worker_has_links(struct worker *w)
{
	list_each(l,
		&w->streams) if (component_of(container_of(l, struct stream, link))) return true;
	return false;
}

static void worker_end_links(struct worker *w)
{
	list_each(l, &w->streams) if (component_of(container_of(l, struct stream, link)))
		stream_shut_down(container_of(l, struct stream, link), going_down);
}

/*
 * True when all streams of all workers are gone, or time is up. Backends keep their links while a
 * peer may still send stanzas for them, at most for half of the time: they too want an orderly end.
 * And until what other workers had parked for somebody has come back to them. Streams to other servers
 * last longest: what backends sent until the end goes out on them.
 */
static bool worker_drained(struct worker *w)
{
	bool late = w->now >= w->links_until;

	if (all_workers(w, DRAIN_BEGUN) || late)
		worker_end_questions(w);
	if (!worker_has_strangers(w))
		worker_phase(w, DRAIN_QUIET);
	if (w->phase < DRAIN_RETURNED && (all_workers(w, DRAIN_QUIET) || late)) {
		routes_return_parked(w->routes);
		outbounds_stop(w);
		initiator_drain(w->initiator, w->now);
		worker_phase(w, DRAIN_RETURNED);
	}
	if (all_workers(w, DRAIN_RETURNED)) {
		worker_end_links(w);
		if (!worker_has_links(w))
			worker_phase(w, DRAIN_UNLINKED);
	}
	if (all_workers(w, DRAIN_UNLINKED))
		outward_leave(w, going_down);
	if (all_workers(w, DRAIN_UNLINKED) && conns_count(w->conns) == 0)
		worker_phase(w, DRAIN_LEFT);
	return all_workers(w, DRAIN_LEFT) || w->now >= w->drain_until;
}

static void worker_inbox(struct worker *w)
{
	const struct control *c;

	while ((c = spsc_peek(w->inbox))) {
		switch (c->what) {
		case CONTROL_HOSTING:
			worker_new_hosting(w, c->hosting);
			break;
		case CONTROL_EXPLAIN:
			explain_all(w->explain, w->now);
			break;
		case CONTROL_DRAIN:
			worker_drain(w);
			break;
		case CONTROL_ABORT:
			w->draining = true;
			w->drain_until = w->now;
			break;
		}
		spsc_release(w->inbox);
	}
}

/* -- messages of other workers -- */

static void worker_record(void *ctx, unsigned from, unsigned kind, const char *p, size_t n)
{
	struct worker *w = ctx;

	switch ((enum post)kind) {
	case POST_CHANNEL:
	case POST_CHANNEL_END:
	case POST_RUN:
	case POST_HELD:
	case POST_CREDIT:
		channels_record(w->channels, from, (enum post)kind, p, n);
		break;
	case POST_COMPONENT:
		component_arrive(w, p, n);
		break;
	case POST_RESOLVE:
	case POST_RESOLVED:
	case POST_LINK:
	case POST_ANSWER:
		authcalls_record(w->authcalls, from, (enum post)kind, p, n);
		break;
	case POST_DIAL:
	case POST_ASK:
	case POST_HANG_UP:
	case POST_STRAY:
		authlinks_record(w->authlinks, from, (enum post)kind, p);
		break;
	case POST_OUTWARD:
		outward_record(w, p);
		break;
	case POST_VERIFIED:
		outward_verified_record(w, p);
		break;
	case POST_PHASE:
		w->in_phase[*(const enum drain_phase *)(const void *)p]++;
		break;
	}
}

/* -- the loop -- */

/* Called before each completion: the first comes after a wait, so the time is read again. */
static bool worker_turn_full(void *ctx)
{
	struct worker *w = ctx;

	w->now = clock_ms();
	return conns_turn_bytes(w->conns) >= LIMIT_TURN_BYTES || mesh_starved(w->port);
}

static uint32_t worker_sleep(const struct worker *w)
{
	uint32_t wait;

	if (uring_pending(w->ring) || conns_dirty(w->conns) || dns_busy(w->dns) ||
		resolver_busy(w->resolver) || !list_empty(&w->resumable) ||
		!list_empty(&w->backlogs.turns) || routes_busy(w->routes) ||
		spsc_nonempty(w->inbox) || mesh_busy(w->port))
		return 0;
	wait = timer_wheel_next(w->wheel, w->now, w->draining ? 50 : MAX_SLEEP_MS);
	wait = initiator_next(w->initiator, w->now, wait);
	return verifier_next(w->verifier, w->now, wait);
}

static void worker_tickets(struct worker *w)
{
	if (w->now < w->tickets_due)
		return;
	tls_tickets_turn(w->tickets, w->now);
	w->tickets_due = w->now + TICKETS_EVERY_MS;
}

/* The one system call of a turn. */
static void worker_enter(struct worker *w)
{
	uint32_t wait = worker_sleep(w);
	unsigned n;

	if (wait == 0) {
		/* Completions that are not taken yet do not let it sleep, and it is the one who is far
		 * behind that needs the processor. */
		if (mesh_starved(w->port))
			(void)usleep(STARVED_US);
		uring_turn(w->ring, 0, LIMIT_TURN_COMPLETIONS, worker_turn_full, w);
		return;
	}
	if (!mesh_sleep(w->port))
		wait = 0;
	n = uring_turn(w->ring, wait, LIMIT_TURN_COMPLETIONS, worker_turn_full, w);
	if (mesh_awake(w->port) && n == 0 && wait == MAX_SLEEP_MS)
		STATS_INC(&w->stats, wakeups_lost);
}

static void worker_loop(struct worker *w)
{
	for (;;) {
		worker_inbox(w);
		mesh_turn(w->port, LIMIT_TURN_BYTES);
		timer_wheel_run(w->wheel, w->now);
		worker_tickets(w);
		dns_turn(w->dns, w->now);
		resolver_turn(w->resolver, w->now);
		backlogs_turn(w);
		verifier_turn(w->verifier, w->now);
		initiator_turn(w->initiator, w->now);
		claims_resume(w);
		routes_turn(w->routes);
		if (w->draining && worker_drained(w))
			break;
		conns_flush(w->conns, w->now);
		mesh_publish(w->port);
		worker_enter(w);
		atomic_store_explicit(&w->stats.accepts_failed, listeners_failed(w->listeners),
			memory_order_relaxed);
		keyring_count(w->keyring, &w->stats);
		w->now = clock_ms();
	}
}

/* -- start and end -- */

/* Port 0 is a free one, which the first worker finds for all. */
static bool worker_listen(struct worker *w, const struct addr *at, unsigned n, listen_fn *fn,
	const char *flag)
{
	const struct worker *first = &w->crew->workers[0];

	for (unsigned i = 0; i < n; i++) {
		const struct addr *here = w == first ? &at[i] : &first->bound[w->n_bound];
		char text[ADDR_TEXT];
		struct listener *l;
		struct addr bound;
		int err = 0;

		l = listener_open(w->listeners, here, fn, w, &err);
		addr_format(here, text);
		if (!l) {
			fprintf(stderr, "sluice: cannot listen on %s (%s): %s%s\n", text, flag,
				strerror(-err),
				err == -EMFILE ? ": raise the limit of open files (ulimit -Hn, "
						 "systemd: LimitNOFILE=)"
					       : "");
			w->exit_code = EX_UNAVAILABLE;
			return false;
		}
		bound = listener_addr(l);
		w->bound[w->n_bound++] = bound;
		addr_format(&bound, text);
		if (w != first)
			continue;
		LOG(LOG_INFO, "listening", "accepting connections", LF_STR("on", text),
			LF_STR("flag", flag));
	}
	return true;
}

static bool worker_open(struct worker *w)
{
	const struct config *c = w->config;
	const uint64_t budget = c->mem_budget / c->workers;
	const struct conns_opts conns = {
		.max = worker_max_conns(w),
		.mem_budget = budget - budget / 4 - budget / 8,
	};
	const struct dns_opts dns = { .servers = c->dns, .n_servers = c->n_dns };
	const char *why = NULL;
	int err = 0;

	w->ring = uring_open(NULL, &w->refused);
	if (!w->ring) {
		w->exit_code = diag_uring_refused(&w->refused, stderr);
		return false;
	}
	w->wheel = timer_wheel_new(w->now);
	carries_init(&w->carries, budget / 4);
	w->port = mesh_open(w->crew->mesh, w->number, w->ring, worker_record, w);
	w->channels = channels_new(w);
	w->bound = mem_array(c->n_listen + c->n_listen_tls + c->n_component_listen + 1,
		sizeof(*w->bound));
	w->conns = conns_new(w->ring, w->wheel, &conns, &err);
	if (!w->conns) {
		fprintf(stderr,
			"sluice: cannot set up receive buffers: %s: raise the limits of memory and of "
			"locked memory (ulimit -l, systemd: LimitMEMLOCK=)\n",
			strerror(-err));
		w->exit_code = EX_OSERR;
		return false;
	}
	w->dns = dns_new(w->ring, w->wheel, &dns, &why);
	if (!w->dns) {
		fprintf(stderr, "sluice: cannot set up name resolution (c-ares): %s\n", why);
		w->exit_code = EX_OSERR;
		return false;
	}
	w->resolver = resolver_new(w->dns, &xmpp_service, w->rules, authcalls_resolved, w);
	w->verifier = verifier_new(&authcall_ops, w);
	w->authcalls = authcalls_new(w);
	w->authlinks = authlinks_new(w);
	outward_open(w);
	w->authority = authority_new();
	w->elements = element_parser_new();
	w->routes = routes_new(w);
	w->unauthenticated = ipcount_new();
	w->listeners = listeners_new(w->ring, w->wheel);
	if (!worker_keyring(w, w->hosting, &why)) {
		fprintf(stderr, "sluice: cannot set up TLS: %s\n", why);
		w->exit_code = EX_CONFIG;
		return false;
	}
	return worker_listen(w, c->component_listen, c->n_component_listen, component_accept,
		       "--component-listen") &&
		worker_listen(w, c->listen, c->n_listen, inbound_accept, "--listen") &&
		worker_listen(w, c->listen_tls, c->n_listen_tls, inbound_accept_tls,
			"--listen-tls");
}

static void streams_abort(struct worker *w)
{
	list_each(l, &w->streams)
		conn_abort(container_of(l, struct stream, link)->conn, 0, going_down);
}

/* Ends what is left when time is up, for as long as the kernel has something to say. */
static void worker_abort_streams(struct worker *w)
{
	unsigned silent = 0;

	while (conns_count(w->conns) > 0 && silent < ABORT_SILENT_TURNS) {
		if (silent % 10 == 0) /* again, for what came meanwhile */
			streams_abort(w);
		conns_flush(w->conns, w->now);
		silent = uring_turn(w->ring, 10, LIMIT_TURN_COMPLETIONS, NULL, NULL) ? 1
										     : silent + 1;
		w->now = clock_ms();
	}
}

/* All but the ring, by which others may still wake it. */
static void worker_close(struct worker *w)
{
	if (w->conns) {
		outbounds_stop(w);
		worker_abort_streams(w);
	}
	if (w->listeners)
		listeners_free(w->listeners);
	if (w->verifier)
		verifier_free(w->verifier);
	authcalls_free(w->authcalls);
	authlinks_free(w->authlinks);
	outward_close(w);
	if (w->resolver)
		resolver_free(w->resolver);
	if (w->dns)
		dns_free(w->dns);
	if (w->routes)
		routes_free(w->routes);
	channels_free(w->channels);
	mesh_close(w->port);
	if (w->authority)
		authority_free(w->authority);
	if (w->elements)
		element_parser_free(w->elements);
	if (w->unauthenticated)
		ipcount_free(w->unauthenticated);
	if (w->conns)
		conns_free(w->conns);
	keyring_free(w->keyring);
	if (w->wheel)
		timer_wheel_free(w->wheel);
}

static void worker_report(struct worker *w, enum worker_start how)
{
	pthread_mutex_lock(&w->lock);
	w->start = how;
	pthread_cond_signal(&w->started);
	pthread_mutex_unlock(&w->lock);
}

/* --pin: the next one of the processors that the process may use. */
static void worker_pin(const struct worker *w)
{
	cpu_set_t allowed, own;
	unsigned turn = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return;
	turn = w->number % (unsigned)CPU_COUNT(&allowed);
	CPU_ZERO(&own);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || turn-- > 0)
			continue;
		CPU_SET(cpu, &own);
		break;
	}
	if (sched_setaffinity(0, sizeof(own), &own) < 0)
		LOG(LOG_WARN, "worker-not-pinned", strerror(errno), LF_INT("worker", w->number));
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	if (w->config->pin)
		worker_pin(w);
	w->now = clock_ms();
	if (worker_open(w)) {
		LOG(LOG_INFO, "worker-started", "io_uring is set up", LF_INT("worker", w->number),
			LF_STR("level", uring_level_name(uring_level(w->ring))));
		worker_report(w, WORKER_RUNNING);
		worker_loop(w);
		worker_close(w);
	} else {
		worker_close(w);
		worker_report(w, WORKER_REFUSED);
	}
	atomic_store_explicit(&w->ended, true, memory_order_release);
	return NULL;
}

void worker_init(struct worker *w, struct crew *crew, unsigned number, struct hosting *hosting)
{
	w->crew = crew;
	w->number = number;
	w->config = crew->config;
	w->rules = crew->rules;
	w->secrets = crew->secrets;
	w->pins = crew->pins;
	w->verdicts = crew->verdicts;
	w->tickets = crew->tickets;
	w->hosting = hosting;
	w->route_gen = 1;
	rand_bytes(&w->share_seed, sizeof(w->share_seed));
	canary_init(&w->canary, w->config->xml_check);
	list_init(&w->streams);
	list_init(&w->dialling);
	list_init(&w->resumable);
	backlogs_init(&w->backlogs);
	w->inbox = spsc_new(INBOX_MESSAGES, sizeof(struct control));
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->started, NULL);
}

bool worker_start(struct worker *w, int *exit_code)
{
	int err = pthread_create(&w->thread, NULL, worker_main, w);
	enum worker_start how;

	if (err) {
		fprintf(stderr,
			"sluice: cannot start a thread: %s: raise the limits of threads (ulimit -u, "
			"systemd: TasksMax=) and memory, or lower --workers\n",
			strerror(err));
		*exit_code = EX_OSERR;
		return false;
	}
	pthread_mutex_lock(&w->lock);
	while (w->start == WORKER_STARTING)
		pthread_cond_wait(&w->started, &w->lock);
	how = w->start;
	pthread_mutex_unlock(&w->lock);
	if (how == WORKER_RUNNING)
		return true;
	*exit_code = w->exit_code;
	worker_join(w);
	return false;
}

bool worker_tell(struct worker *w, const struct control *c)
{
	struct control *slot;

	if (worker_ended(w)) {
		if (c->what == CONTROL_HOSTING)
			hosting_release(c->hosting);
		return true;
	}
	slot = spsc_reserve(w->inbox);
	if (!slot)
		return false;
	*slot = *c;
	(void)spsc_publish(w->inbox);
	uring_wake(w->ring);
	return true;
}

void worker_join(struct worker *w)
{
	pthread_join(w->thread, NULL);
}

void worker_free(struct worker *w)
{
	const struct control *c;

	while ((c = spsc_peek(w->inbox))) { /* told, and not heard any more */
		if (c->what == CONTROL_HOSTING)
			hosting_release(c->hosting);
		spsc_release(w->inbox);
	}
	hosting_release(w->hosting);
	spsc_free(w->inbox);
	if (w->ring)
		uring_close(w->ring);
	mem_free(w->bound);
	pthread_cond_destroy(&w->started);
	pthread_mutex_destroy(&w->lock);
}
