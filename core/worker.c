/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/worker.h"

#include <sysexits.h>

#include "core/authlink.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/claims.h"
#include "core/component.h"
#include "core/diag.h"
#include "core/inbound.h"
#include "net/tls_ticket.h"

#define INBOX_MESSAGES 16
#define MAX_SLEEP_MS 1000 /* so that a lost wake-up costs a second and not the router */
#define TICKETS_EVERY_MS 60000

static const char going_down[] = "the router is shutting down";

static const struct resolve_service xmpp_service = {
	.label = "_xmpp-server._tcp",
	.direct_label = "_xmpps-server._tcp",
	.port = 5269,
};

/* -- verification: the verifier asks, resolver and authlink do -- */

static void worker_resolve(void *ctx, struct span domain, uint64_t cookie)
{
	struct worker *w = ctx;

	resolve_start(w->resolver, domain, cookie, w->now);
}

static enum verify_resolution resolution_of(enum resolve_status status)
{
	switch (status) {
	case RESOLVE_FOUND:
		return RESOLUTION_FOUND;
	case RESOLVE_NO_SERVICE:
		return RESOLUTION_NONE;
	case RESOLVE_FORBIDDEN:
		return RESOLUTION_FORBIDDEN;
	case RESOLVE_DIRECT_ONLY:
		return RESOLUTION_DIRECT_ONLY;
	case RESOLVE_FAILED:
		break;
	}
	return RESOLUTION_FAILED;
}

static void worker_resolved(void *ctx, uint64_t cookie, const struct resolve_answer *a)
{
	struct worker *w = ctx;

	verifier_resolved(w->verifier, cookie, resolution_of(a->status), a->places, a->n, w->now);
}

static const struct verify_ops verify_ops = {
	.resolve = worker_resolve,
	.dial = authlink_dial,
	.ask = authlink_ask,
	.hang_up = authlink_hang_up,
	.done = claims_done,
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
	routes_reload(w->routes, old->registry);
	hosting_release(old);
	STATS_INC(&w->stats, reloads);
}

/* Strangers first: what they still send must find its backends. */
static void worker_drain(struct worker *w)
{
	w->draining = true;
	w->drain_until = w->now + w->config->drain_ms;
	w->links_until = w->now + w->config->drain_ms / 2;
	listeners_stop(w->listeners);
	/* Before the streams to authorities: the loss of one would be answered as a failed pair. */
	list_each(l, &w->streams) if (inbound_of(container_of(l, struct stream, link)))
		stream_shut_down(container_of(l, struct stream, link), going_down);
	list_each(l, &w->streams) if (!component_of(container_of(l, struct stream, link)))
		stream_end(container_of(l, struct stream, link), going_down);
}

/* True when all streams are gone, or time is up. Backends keep their links while a peer may still
 * send stanzas for them, at most for half of the time: they too want an orderly end. */
static bool worker_drained(struct worker *w)
{
	bool others = false;

	list_each(l, &w->streams) others |= !component_of(container_of(l, struct stream, link));
	if (!others || w->now >= w->links_until) {
		routes_return_parked(w->routes);
		list_each(l, &w->streams)
			stream_shut_down(container_of(l, struct stream, link), going_down);
	}
	return conns_count(w->conns) == 0 || w->now >= w->drain_until;
}

static void worker_inbox(struct worker *w)
{
	const struct control *c;

	while ((c = spsc_peek(w->inbox))) {
		switch (c->what) {
		case CONTROL_HOSTING:
			worker_new_hosting(w, c->hosting);
			break;
		case CONTROL_REFUSED:
			STATS_INC(&w->stats, reloads_failed);
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

/* -- the loop -- */

/* Called before each completion: the first comes after a wait, so the time is read again. */
static bool worker_turn_full(void *ctx)
{
	struct worker *w = ctx;

	w->now = clock_ms();
	return conns_turn_bytes(w->conns) >= LIMIT_TURN_BYTES;
}

static uint32_t worker_sleep(const struct worker *w)
{
	uint32_t wait;

	if (uring_pending(w->ring) || conns_dirty(w->conns) || dns_busy(w->dns) ||
		resolver_busy(w->resolver) || !list_empty(&w->resumable) ||
		routes_busy(w->routes) || spsc_nonempty(w->inbox))
		return 0;
	wait = timer_wheel_next(w->wheel, w->now, w->draining ? 50 : MAX_SLEEP_MS);
	return verifier_next(w->verifier, w->now, wait);
}

static void worker_tickets(struct worker *w)
{
	if (w->now < w->tickets_due)
		return;
	tls_tickets_turn(w->tickets, w->now);
	w->tickets_due = w->now + TICKETS_EVERY_MS;
}

static void worker_loop(struct worker *w)
{
	for (;;) {
		worker_inbox(w);
		timer_wheel_run(w->wheel, w->now);
		worker_tickets(w);
		dns_turn(w->dns, w->now);
		resolver_turn(w->resolver, w->now);
		verifier_turn(w->verifier, w->now);
		claims_resume(w);
		routes_turn(w->routes);
		if (w->draining && worker_drained(w))
			break;
		conns_flush(w->conns, w->now);
		uring_turn(w->ring, worker_sleep(w), LIMIT_TURN_COMPLETIONS, worker_turn_full, w);
		atomic_store_explicit(&w->stats.accepts_failed, listeners_failed(w->listeners),
			memory_order_relaxed);
		keyring_count(w->keyring, &w->stats);
		w->now = clock_ms();
	}
}

/* -- start and end -- */

static bool worker_listen(struct worker *w, const struct addr *at, unsigned n, listen_fn *fn,
	const char *flag)
{
	for (unsigned i = 0; i < n; i++) {
		char text[ADDR_TEXT];
		struct listener *l;
		struct addr bound;
		int err = 0;

		l = listener_open(w->listeners, &at[i], fn, w, &err);
		addr_format(&at[i], text);
		if (!l) {
			fprintf(stderr, "sluice: cannot listen on %s (%s): %s\n", text, flag,
				strerror(-err));
			w->exit_code = EX_UNAVAILABLE;
			return false;
		}
		bound = listener_addr(l);
		addr_format(&bound, text);
		LOG(LOG_INFO, "listening", "accepting connections", LF_STR("on", text),
			LF_STR("flag", flag));
	}
	return true;
}

static bool worker_open(struct worker *w)
{
	const struct config *c = w->config;
	const struct conns_opts conns = { .max = (unsigned)c->max_conns,
		.mem_budget = c->mem_budget - c->mem_budget / 4 };
	const struct dns_opts dns = { .servers = c->dns, .n_servers = c->n_dns };
	const char *why = NULL;
	int err = 0;

	w->ring = uring_open(NULL, &w->refused);
	if (!w->ring) {
		w->exit_code = diag_uring_refused(&w->refused, stderr);
		return false;
	}
	w->wheel = timer_wheel_new(w->now);
	carries_init(&w->carries, c->mem_budget / 4);
	w->conns = conns_new(w->ring, w->wheel, &conns, &err);
	if (!w->conns) {
		fprintf(stderr, "sluice: cannot set up receive buffers: %s\n", strerror(-err));
		w->exit_code = EX_OSERR;
		return false;
	}
	w->dns = dns_new(w->ring, w->wheel, &dns);
	if (!w->dns) {
		fprintf(stderr, "sluice: cannot set up name resolution (c-ares)\n");
		w->exit_code = EX_OSERR;
		return false;
	}
	w->resolver = resolver_new(w->dns, &xmpp_service, w->rules, worker_resolved, w);
	w->verifier = verifier_new(&verify_ops, w);
	w->authority = authority_new();
	w->elements = element_parser_new();
	w->routes = routes_new(w);
	w->unauthenticated = ipcount_new();
	w->listeners = listeners_new(w->ring, w->wheel);
	w->tickets = tls_tickets_new();
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

/* Ends what is left when time is up; the kernel forgets the rest with the descriptors. */
static void worker_abort_streams(struct worker *w)
{
	for (unsigned turn = 0; turn < 100 && conns_count(w->conns) > 0; turn++) {
		list_each(l, &w->streams)
			conn_abort(container_of(l, struct stream, link)->conn, 0, going_down);
		conns_flush(w->conns, w->now);
		uring_turn(w->ring, 10, LIMIT_TURN_COMPLETIONS, NULL, NULL);
		w->now = clock_ms();
	}
}

static void worker_close(struct worker *w)
{
	struct uring *ring;

	if (w->conns)
		worker_abort_streams(w);
	if (w->listeners)
		listeners_free(w->listeners);
	if (w->verifier)
		verifier_free(w->verifier);
	if (w->resolver)
		resolver_free(w->resolver);
	if (w->dns)
		dns_free(w->dns);
	if (w->routes)
		routes_free(w->routes);
	if (w->authority)
		authority_free(w->authority);
	if (w->elements)
		element_parser_free(w->elements);
	if (w->unauthenticated)
		ipcount_free(w->unauthenticated);
	if (w->conns)
		conns_free(w->conns);
	keyring_free(w->keyring);
	tls_tickets_free(w->tickets);
	if (w->wheel)
		timer_wheel_free(w->wheel);
	pthread_mutex_lock(&w->lock);
	ring = w->ring;
	w->ring = NULL; /* from here on nobody is told anything */
	pthread_mutex_unlock(&w->lock);
	if (ring)
		uring_close(ring);
}

static void worker_report(struct worker *w, enum worker_start how)
{
	pthread_mutex_lock(&w->lock);
	w->start = how;
	pthread_cond_signal(&w->started);
	pthread_mutex_unlock(&w->lock);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	w->now = clock_ms();
	if (worker_open(w)) {
		LOG(LOG_INFO, "worker-started", "io_uring is set up", LF_INT("worker", w->number),
			LF_STR("level", uring_level_name(uring_level(w->ring))));
		worker_report(w, WORKER_RUNNING);
		worker_loop(w);
		worker_close(w);
		stats_log(&w->stats);
	} else {
		worker_close(w);
		worker_report(w, WORKER_REFUSED);
	}
	atomic_store_explicit(&w->ended, true, memory_order_release);
	return NULL;
}

bool worker_start(struct worker *w, unsigned number, const struct config *config,
	const struct resolve_rules *rules, const struct secrets *secrets, struct pins *pins,
	struct hosting *hosting, int *exit_code)
{
	enum worker_start how;

	memset(w, 0, sizeof(*w));
	w->number = number;
	w->config = config;
	w->rules = rules;
	w->secrets = secrets;
	w->pins = pins;
	w->hosting = hosting;
	w->route_gen = 1;
	canary_init(&w->canary, config->xml_check);
	list_init(&w->streams);
	list_init(&w->resumable);
	w->inbox = spsc_new(INBOX_MESSAGES, sizeof(struct control));
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->started, NULL);
	if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
		fprintf(stderr, "sluice: cannot start a thread: %s\n", strerror(errno));
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
	struct control *slot = NULL;
	bool gone;

	pthread_mutex_lock(&w->lock);
	gone = !w->ring;
	if (!gone)
		slot = spsc_reserve(w->inbox);
	if (slot) {
		*slot = *c;
		(void)spsc_publish(w->inbox);
		uring_wake(w->ring);
	}
	pthread_mutex_unlock(&w->lock);
	if (gone && c->what == CONTROL_HOSTING)
		hosting_release(c->hosting);
	return gone || slot;
}

void worker_join(struct worker *w)
{
	const struct control *c;

	pthread_join(w->thread, NULL);
	while ((c = spsc_peek(w->inbox))) { /* told, and not heard any more */
		if (c->what == CONTROL_HOSTING)
			hosting_release(c->hosting);
		spsc_release(w->inbox);
	}
	hosting_release(w->hosting);
	spsc_free(w->inbox);
	pthread_cond_destroy(&w->started);
	pthread_mutex_destroy(&w->lock);
}
