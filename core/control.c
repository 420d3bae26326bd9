/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/control.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/crew.h"
#include "core/lines.h"
#include "core/verdicts.h"
#include "core/worker.h"
#include "xml/scan.h"

#define SECRET_WEAK 16 /* octets; what is shorter can be guessed */
#define EXPIRY_EVERY_S 3600 /* seconds between two looks at the dates of our certificates */

struct router {
	const struct config *config;
	struct resolve_rules rules;
	struct addr *own; /* of rules: our listeners */
	unsigned n_own;
	struct secrets *secrets;
	struct hosting *hosting; /* the current one: a reference besides the workers' */
	int64_t expiry_seen; /* seconds since 1970: dates up to here have been spoken of */
	struct crew crew;
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
			"--max-conns is more than the limit of open files allows: raise it "
			"(ulimit -Hn, systemd: LimitNOFILE=) or lower --max-conns",
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
	for (unsigned i = 0; i < c->n_listen_tls; i++)
		own_add(r, &c->listen_tls[i]);
	for (unsigned i = 0; i < c->n_component_listen; i++)
		own_add(r, &c->component_listen[i]);
	for (unsigned i = 0; i < c->n_own_addr; i++)
		own_add(r, &c->own_addr[i]);
	r->rules = config_rules(c, r->own, r->n_own);
}

/* Works, so it is not refused; the next audit should not be the first to say so. */
static void warn_weak(const char *file, const char *backend, size_t n)
{
	if (n < SECRET_WEAK)
		LOG(LOG_WARN, "secret-weak",
			"a secret this short can be guessed: openssl rand -hex 32 makes a good one",
			LF_STR("file", file), LF_STR("backend", backend), LF_INT("bytes", n));
}

static void warn_weak_lines(const char *path, struct span text)
{
	while (text.n) {
		size_t n = span_find(text, '\n');
		struct span line = span_trim(span_of(text.p, n));

		if (line.n && line.p[0] != '#')
			warn_weak(path, NULL, line.n);
		text = span_skip(text, n < text.n ? n + 1 : n);
	}
}

/* What is allowed and hardly meant. */
static void warn_hosting(const struct config *c, const struct registry *r)
{
	if (registry_hosts(r) == 0)
		LOG(LOG_WARN, "registry-empty",
			"the registry has no domain: every stream and every component is refused",
			LF_STR("file", c->routes));
	if (registry_backends(r) && !c->n_component_listen)
		LOG(LOG_WARN, "backends-shut-out",
			"no backend can log in: --component-listen is missing",
			LF_INT("backends", registry_backends(r)));
	for (unsigned i = 0; i < registry_backends(r); i++)
		warn_weak(c->routes, registry_backend(r, i)->name,
			strlen(registry_backend(r, i)->secret));
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
	else
		warn_weak_lines(path, span_of(text, n));
	mem_wipe(text, n);
	mem_free(text);
	return s;
}

/* -- may we listen there? -- */

/* errno of a bind that shares with nobody; 0: it worked. */
static int bind_alone(const struct addr *at)
{
	static const int on = 1, off = 0;
	struct sockaddr_storage sa;
	unsigned len = addr_to_sockaddr(at, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (struct sockaddr *)&sa, len) < 0)
		err = errno;
	close(fd);
	return err;
}

/* What to do. NULL: left to the listener itself, which knows more. */
static const char *bind_remedy(int err)
{
	switch (err) {
	case EADDRINUSE:
		return "does the router run already? ss -ltnp tells who listens there";
	case EADDRNOTAVAIL:
		return "this machine does not have that address: ip addr lists those it has";
	case EACCES:
		return "ports this low need CAP_NET_BIND_SERVICE "
		       "(systemd: AmbientCapabilities=), or take another port";
	}
	return NULL;
}

/*
 * The listeners are SO_REUSEPORT: without this a router that is started twice gets half of the
 * connections of the first one, and nobody is told.
 */
static bool addresses_free(const struct addr *at, unsigned n, const char *flag)
{
	char text[ADDR_TEXT];

	for (unsigned i = 0; i < n; i++) {
		struct addr all4 = { .ip = { [10] = 0xff, 0xff }, .port = at[i].port };
		int err = bind_alone(&at[i]);

		/* As the listener does on a host without IPv6. */
		if (err == EAFNOSUPPORT && addr_is_any(&at[i]) && !addr_is_v4(&at[i]))
			err = bind_alone(&all4);
		if (!bind_remedy(err))
			continue;
		addr_format(&at[i], text);
		fprintf(stderr, "sluice: cannot listen on %s (%s): %s: %s\n", text, flag,
			strerror(err), bind_remedy(err));
		return false;
	}
	return true;
}

/* -- while it runs -- */

/* References of a hosting: one for each worker, and ours. */
static unsigned hosting_users(const struct router *r)
{
	return (unsigned)r->config->workers + 1;
}

static void control_reload(struct router *r)
{
	char why[512];
	struct hosting *h = hosting_load(r->config, hosting_users(r), why);

	if (!h) {
		LOG(LOG_ERROR, "reload-refused", why, LF_STR("state", "the old one stays"));
		r->crew.reloads_failed++;
		return;
	}
	warn_hosting(r->config, h->registry);
	hosting_release(r->hosting);
	r->hosting = h;
	crew_tell(&r->crew, &(struct control){ .what = CONTROL_HOSTING, .hosting = h });
}

static void warn_expiring(struct router *r)
{
	int64_t now = clock_unix();

	if (!r->hosting->credentials)
		return;
	credentials_expiring(r->hosting->credentials, r->expiry_seen, now, certs_log_expiry, NULL);
	r->expiry_seen = now;
}

static void control_stats(const struct router *r)
{
	struct vcache_use use;
	struct stats sum;

	crew_stats(&r->crew, &sum);
	stats_log(&sum);
	if (verdicts_use(r->crew.verdicts, clock_ms(), &use))
		LOG(LOG_INFO, "verdicts", "what all workers share of them, about",
			LF_INT("room", use.capacity), LF_INT("valid", use.verdict[VERDICT_VALID]),
			LF_INT("failed", use.verdict[VERDICT_FAILED]));
}

/* Counters first: what follows comes from the workers, each in its own time. */
static void control_tell(struct router *r)
{
	control_stats(r);
	crew_tell(&r->crew, &(struct control){ .what = CONTROL_EXPLAIN });
}

static void control_wait(struct router *r, const sigset_t *signals)
{
	bool draining = false;

	while (!crew_ended(&r->crew)) {
		const struct timespec tick = { .tv_nsec = 50000000 };
		const struct timespec expiry = { .tv_sec = EXPIRY_EVERY_S };
		int sig = sigtimedwait(signals, NULL, draining ? &tick : &expiry);

		if (!draining)
			warn_expiring(r);
		if (sig == SIGHUP && draining)
			LOG(LOG_WARN, "reload-ignored", "the router is stopping: nothing is read");
		else if (sig == SIGHUP)
			control_reload(r);
		else if (sig == SIGUSR1)
			control_tell(r);
		else if (sig == SIGTERM || sig == SIGINT) {
			LOG(LOG_INFO, "stopping",
				draining ? "told twice: stopping at once"
					 : "draining streams (--drain-ms)");
			crew_tell(&r->crew,
				&(struct control){
					.what = draining ? CONTROL_ABORT : CONTROL_DRAIN });
			draining = true;
		}
	}
}

/* Blocked in every thread, so that only sigtimedwait() sees them. */
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

static bool scanner_usable(void)
{
	if (scan_loops())
		return true;
	fputs("sluice: SLUICE_SCAN_LOOPS names loops that this processor or build lacks\n", stderr);
	return false;
}

static bool may_listen(const struct config *c)
{
	return addresses_free(c->listen, c->n_listen, "--listen") &&
		addresses_free(c->listen_tls, c->n_listen_tls, "--listen-tls") &&
		addresses_free(c->component_listen, c->n_component_listen, "--component-listen");
}

/* The exit code. */
static int router_run(struct router *r, const sigset_t *signals)
{
	const struct config *c = r->config;
	int code = EX_UNAVAILABLE;
	struct stats sum;

	if (!may_listen(c)) {
		for (unsigned i = 0; i < c->workers; i++)
			hosting_release(r->hosting); /* theirs */
		return code;
	}
	if (!crew_start(&r->crew, c, &r->rules, r->secrets, r->hosting, &code))
		return code;
	LOG(LOG_INFO, "started", "the router is up", LF_STR("name", c->name),
		LF_INT("domains", registry_hosts(r->hosting->registry)));
	warn_hosting(c, r->hosting->registry);
	warn_expiring(r);
	control_wait(r, signals);
	crew_join(&r->crew, &sum);
	stats_log(&sum);
	LOG(LOG_INFO, "stopped", "the router has ended");
	return 0;
}

int control_run(const struct config *c)
{
	struct router *r;
	char why[512];
	int code = EX_CONFIG;
	sigset_t signals;

	if (!scanner_usable())
		return code;
	r = mem_zalloc(sizeof(*r));
	r->config = c;
	r->expiry_seen = INT64_MIN;
	block_signals(&signals);
	raise_descriptors(c);
	rules_from_config(r);
	r->secrets = load_secrets(c->secret_file, why);
	r->hosting = r->secrets ? hosting_load(c, hosting_users(r), why) : NULL;
	if (r->hosting)
		code = router_run(r, &signals);
	else
		fprintf(stderr, "sluice: %s\n", why);
	hosting_release(r->hosting);
	if (r->secrets)
		secrets_free(r->secrets);
	mem_free(r->own);
	mem_free(r);
	return code;
}
