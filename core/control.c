/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/control.h"

#include <errno.h>
#include <ifaddrs.h>
#include <signal.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/lines.h"
#include "core/worker.h"

struct router {
	const struct config *config;
	struct resolve_rules rules;
	struct addr *own; /* of rules: our listeners */
	unsigned n_own;
	struct secrets *secrets;
	struct worker worker;
};

/* Every connection is a descriptor: take all that the system gives. */
static void raise_descriptors(const struct config *c)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) != 0)
		return;
	lim.rlim_cur = lim.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &lim);
	if (lim.rlim_cur != RLIM_INFINITY && c->max_conns + 64 > lim.rlim_cur)
		LOG(LOG_WARN, "descriptors-few",
			"--max-conns is more than the limit of open files (ulimit -Hn) allows",
			LF_INT("max-conns", c->max_conns), LF_INT("limit", lim.rlim_cur));
}

/* Appends a listener's addresses: of one that is bound to all, each of the machine's own. */
static void own_add(struct router *r, const struct addr *listener)
{
	struct ifaddrs *all = NULL;

	r->own = mem_realloc(r->own, (r->n_own + 1) * sizeof(*r->own));
	r->own[r->n_own++] = *listener;
	if (!addr_is_any(listener) || getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct addr a;

		if (!i->ifa_addr || !addr_from_sockaddr(i->ifa_addr, &a))
			continue;
		a.port = listener->port;
		r->own = mem_realloc(r->own, (r->n_own + 1) * sizeof(*r->own));
		r->own[r->n_own++] = a;
	}
	freeifaddrs(all);
}

static void rules_from_config(struct router *r)
{
	const struct config *c = r->config;

	for (unsigned i = 0; i < c->n_listen; i++)
		own_add(r, &c->listen[i]);
	for (unsigned i = 0; i < c->n_component_listen; i++)
		own_add(r, &c->component_listen[i]);
	r->rules = (struct resolve_rules){
		.fixed = c->peer,
		.n_fixed = c->n_peer,
		.allow = c->allow_peer_net,
		.n_allow = c->n_allow_peer_net,
		.deny = c->deny_addr,
		.n_deny = c->n_deny_addr,
		.deny_ports = c->deny_port,
		.n_deny_ports = c->n_deny_port,
		.own = r->own,
		.n_own = r->n_own,
	};
}

static struct secrets *load_secrets(const char *path, char why[512])
{
	const char *fault = NULL;
	struct secrets *s;
	size_t n;
	char *text;

	if (!path)
		return secrets_random();
	text = lines_secret(path, &n, why);
	if (!text)
		return NULL;
	s = secrets_parse(span_of(text, n), &fault);
	if (!s)
		(void)snprintf(why, 512, "%s: %s", path, fault);
	mem_wipe(text, n);
	mem_free(text);
	return s;
}

static void tell(struct router *r, struct control c)
{
	/* Full only if 16 messages wait: a worker that long behind is told again soon. */
	while (!worker_tell(&r->worker, &c))
		(void)usleep(1000);
}

static void control_reload(struct router *r)
{
	char why[512];
	struct hosting *h = hosting_load(r->config, 1, why);

	if (!h) {
		LOG(LOG_ERROR, "reload-refused", why, LF_STR("state", "the old one stays"));
		tell(r, (struct control){ .what = CONTROL_REFUSED });
		return;
	}
	LOG(LOG_INFO, "reloaded", "registry and policy were read again",
		LF_INT("domains", registry_hosts(h->registry)),
		LF_INT("backends", registry_backends(h->registry)));
	tell(r, (struct control){ .what = CONTROL_HOSTING, .hosting = h });
}

static void control_wait(struct router *r, const sigset_t *signals)
{
	bool draining = false;

	while (!worker_ended(&r->worker)) {
		const struct timespec tick = { .tv_nsec = 50000000 };
		int sig = draining ? sigtimedwait(signals, NULL, &tick)
				   : sigwaitinfo(signals, NULL);

		if (sig == SIGHUP && !draining)
			control_reload(r);
		else if (sig == SIGUSR1)
			stats_log(&r->worker.stats);
		else if (sig == SIGTERM || sig == SIGINT) {
			LOG(LOG_INFO, "stopping",
				draining ? "told twice: stopping at once"
					 : "draining streams (--drain-ms)");
			tell(r,
				(struct control){
					.what = draining ? CONTROL_ABORT : CONTROL_DRAIN });
			draining = true;
		}
	}
}

/* Blocked in every thread, so that only sigwaitinfo() sees them. */
static void block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGHUP);
	sigaddset(signals, SIGUSR1);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int control_run(const struct config *c)
{
	struct router *r = mem_zalloc(sizeof(*r));
	char why[512];
	struct hosting *hosting;
	int code = EX_CONFIG;
	sigset_t signals;

	r->config = c;
	block_signals(&signals);
	raise_descriptors(c);
	rules_from_config(r);
	r->secrets = load_secrets(c->secret_file, why);
	hosting = r->secrets ? hosting_load(c, 1, why) : NULL;
	if (!hosting) {
		fprintf(stderr, "sluice: %s\n", why);
	} else if (worker_start(&r->worker, 0, c, &r->rules, r->secrets, hosting, &code)) {
		LOG(LOG_INFO, "started", "the router is up", LF_STR("name", c->name),
			LF_INT("domains", registry_hosts(hosting->registry)));
		control_wait(r, &signals);
		worker_join(&r->worker);
		LOG(LOG_INFO, "stopped", "the router has ended");
		code = 0;
	}
	if (r->secrets)
		secrets_free(r->secrets);
	mem_free(r->own);
	mem_free(r);
	return code;
}
