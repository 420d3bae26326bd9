/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/run_impl.h"

#include <sys/stat.h>
#include <unistd.h>

bool run_child_lost(struct run *run)
{
	char log[CHILD_LOG], end[32];

	if (!run->o->router || child_is_running(&run->child))
		return false;
	result_fail(run->r, "the router ended (%s): %s", child_end(&run->child, end),
		child_log(&run->child, log, sizeof(log)));
	return true;
}

static bool registry_write(struct run *run)
{
	struct child *c = &run->child;
	bool ok;

	keys_random(run->secret, 32);
	ok = child_write(c, "dialback.secret", "%s\n", run->secret);
	/* Another one for the component; the sink needs it later. */
	keys_random(run->secret, 32);
	ok = ok && child_write(c, "sink.secret", "%s\n", run->secret);
	for (uint32_t i = 0; ok && i < run->names.n_backends; i++)
		ok = child_write(c, "routes", "backend sink%u component secret-file=sink.secret\n",
			i);
	for (uint32_t i = 0; ok && i < run->names.n_hosted; i++)
		ok = child_write(c, "routes", "%s sink%u\n", run->names.targets[i].p,
			i % run->names.n_backends);
	return ok;
}

/* One certificate for each hosted domain; where nobody asks for them by name, one for all. */
static bool hosted_issue(struct run *run)
{
	const struct names *n = &run->names;
	char path[256], name[NAMES_MAX + 8];
	bool ok = true;

	if (options_out(run->o) && n->n_hosted > 1)
		return pki_issue(run->pki, run->o->target_suffix, true,
			child_path(&run->child, "certs/all.pem", path));
	for (uint32_t i = 0; ok && i < n->n_hosted; i++) {
		snprintf(name, sizeof(name), "certs/%u.pem", i);
		ok = pki_issue(run->pki, n->targets[i].p, false,
			child_path(&run->child, name, path));
	}
	return ok;
}

/* Certificates of hosted domains, one for all domains outside, and how they are used. */
static bool credentials_make(struct run *run)
{
	const struct options *o = run->o;
	bool direct = o->tls == OPTIONS_DIRECT, ok;
	char root[256], ours[256], path[256];

	run->pki = pki_new();
	child_path(&run->child, "root.pem", root);
	child_path(&run->child, "senders.pem", ours);
	ok = run->pki && pki_write_root(run->pki, root) &&
		pki_issue(run->pki, run->names.suffix, true, ours) &&
		mkdir(child_path(&run->child, "certs", path), 0700) == 0 && hosted_issue(run);
	if (!ok)
		return false;
	run->opens = secure_client(root, o->client_cert ? ours : NULL, direct);
	/* An authority is found by _xmpp-server, a remote server by what --tls says. */
	run->accepts = secure_server(ours, direct && options_out(o));
	run->origin.secure = run->opens;
	return run->opens && run->accepts;
}

/* The flags that say so; text has room for the three values. */
static void credentials_args(const struct run *run, char **argv, unsigned *n, char text[3][256])
{
	if (!run->pki) {
		argv[(*n)++] = "--tls";
		argv[(*n)++] = "off";
		return;
	}
	argv[(*n)++] = "--tls";
	argv[(*n)++] = "required";
	argv[(*n)++] = "--cert-dir";
	argv[(*n)++] = (char *)(uintptr_t)child_path(&run->child, "certs", text[0]);
	argv[(*n)++] = "--ca-file";
	argv[(*n)++] = (char *)(uintptr_t)child_path(&run->child, "root.pem", text[1]);
	if (run->o->tls == OPTIONS_DIRECT) {
		argv[(*n)++] = "--listen-tls";
		argv[(*n)++] = (char *)(uintptr_t)address_print(&run->direct, text[2]);
	}
}

static bool router_start(struct run *run)
{
	const struct options *o = run->o;
	char s2s[ADDRESS_TEXT], component[ADDRESS_TEXT], dns[ADDRESS_TEXT + 16];
	char routes[256], secret[256], log[200], credentials[3][256], workers[24];
	uint64_t began = bench_now();
	char *argv[40 + OPTIONS_LIST] = { (char *)(uintptr_t)o->router, "--name",
		"bench.router.test", "--listen", s2s, "--component-listen", component, "--dns", dns,
		"--allow-peer-net", "127.0.0.0/8", "--routes", routes, "--secret-file", secret,
		"--workers", workers, "--log-level", run_is_counted(o) ? "info" : "warn",
		/* The bench is the backend, and may have to wait for a processor. */
		"--stall-ms", "60000" };
	unsigned n = 0;

	while (argv[n])
		n++;
	credentials_args(run, argv, &n, credentials);
	for (unsigned i = 0; i < o->router_args.n; i++)
		argv[n++] = (char *)(uintptr_t)o->router_args.item[i];
	address_print(&run->s2s, s2s);
	address_print(&run->component, component);
	snprintf(workers, sizeof(workers), "%u", (unsigned)o->workers);
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
		child_wait_listening(&run->child, &run->component, (unsigned)o->timeout_s)) {
		run->r->start_time = (double)(bench_now() - began) / 1e6;
		return true;
	}
	if (!run_child_lost(run))
		result_fail(run->r, "the router does not listen: %s",
			child_log(&run->child, log, sizeof(log)));
	return false;
}

/* Until the router listens there nobody else must get one of its ports. */
static bool loopback_choose(struct run *run)
{
	struct address *const mine[RUN_RESERVED] = { &run->s2s, &run->component, &run->direct };

	address_parse(&run->dns, "127.0.0.1:0");
	address_parse(&run->listen, "127.0.0.1:0");
	for (; run->n_reserved < RUN_RESERVED; run->n_reserved++) {
		int fd;

		address_parse(mine[run->n_reserved], "127.0.0.1:0");
		fd = address_reserve(mine[run->n_reserved], 20000);
		if (fd < 0)
			return false;
		run->reserved[run->n_reserved] = fd;
	}
	return true;
}

static void loopback_release(struct run *run)
{
	while (run->n_reserved)
		close(run->reserved[--run->n_reserved]);
}

/* Whoever the domains outside are looked up as. */
static bool outside_open(struct run *run)
{
	if (options_out(run->o))
		return run_remotes_open(run);
	if (!authority_open(&run->authority, &run->loop, run->keys, &run->listen)) {
		result_fail(run->r, "authoritative server: %s", strerror(errno));
		return false;
	}
	run->authority.secure = run->accepts;
	return true;
}

static bool names_serve(struct run *run)
{
	const struct options *o = run->o;
	struct dnsd_zone zones[DNSD_ZONES] = { { .suffix = run->names.suffix,
						       .host = run->listen,
						       .plain = &run->authority_port,
						       .n_ports = 1 },
		{ .suffix = o->target_suffix,
			.host = run->s2s,
			.plain = &run->s2s_port,
			.direct = o->tls == OPTIONS_DIRECT ? &run->direct_port : NULL,
			.n_ports = 1 } };

	run->authority_port = address_port(&run->listen);
	run->s2s_port = address_port(&run->s2s);
	run->direct_port = address_port(&run->direct);
	if (options_out(o)) {
		zones[0].plain = o->tls == OPTIONS_DIRECT ? NULL : run->remote_ports;
		zones[0].direct = o->tls == OPTIONS_DIRECT ? run->remote_ports : NULL;
		zones[0].n_ports = (uint32_t)o->endpoints;
	}
	/* Who only sends in needs no hosted domain in the DNS. */
	if (dnsd_open(&run->dnsd, &run->loop, &run->names, &run->dns, zones,
		    options_out(o) ? 2 : 1))
		return true;
	result_fail(run->r, "DNS responder: %s", strerror(errno));
	return false;
}

static bool servers_start(struct run *run)
{
	const struct options *o = run->o;

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
	if (o->router && (!child_prepare(&run->child) || !registry_write(run))) {
		result_fail(run->r, "temporary directory: %s", strerror(errno));
		return false;
	}
	if (o->tls && !credentials_make(run)) {
		result_fail(run->r, "certificates: %s", strerror(errno));
		return false;
	}
	if (!outside_open(run) || !names_serve(run))
		return false;
	return !o->router || router_start(run);
}

bool run_servers(struct run *run)
{
	bool ok;

	if (run->o->direct)
		return !run->o->remotes || run_remotes_open(run);
	ok = servers_start(run);
	loopback_release(run);
	return ok;
}
