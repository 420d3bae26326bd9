/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/diag.h"

#include <errno.h>
#include <gnu/libc-version.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sysexits.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/keyring.h"
#include "core/lines.h"
#include "core/policy.h"
#include "core/registry.h"
#include "dialback/key.h"
#include "net/tls.h"
#include "xml/scan.h"

#ifndef SLUICE_SYSTEM_WOLFSSL
#define SLUICE_SYSTEM_WOLFSSL 0
#endif
#ifndef SLUICE_JEMALLOC
#define SLUICE_JEMALLOC 0
#endif
#ifndef SLUICE_VERSION
#define SLUICE_VERSION "unknown"
#endif

#define SECRET_WEAK 16 /* octets; what is shorter can be guessed */
#define OTHER_FILES 64 /* descriptors besides connections: rings, listeners, DNS, files */

/* -- the report -- */

enum verdict { FINE, NOTE, WRONG };

struct report {
	FILE *out;
	unsigned wrong;
};

/* remedy: NULL when there is nothing to do. */
PRINTF_LIKE(5, 6)
static void say(struct report *r, enum verdict v, const char *what, const char *remedy,
	const char *fmt, ...)
{
	static const char *const words[] = { "ok", "note", "WRONG" };
	va_list ap;

	fprintf(r->out, "%-6s %-14s ", words[v], what);
	va_start(ap, fmt);
	vfprintf(r->out, fmt, ap);
	va_end(ap);
	fputc('\n', r->out);
	if (remedy)
		fprintf(r->out, "%-6s %-14s -> %s\n", "", "", remedy);
	r->wrong += v == WRONG;
}

/* -- the system -- */

static void check_kernel(struct report *r)
{
	struct utsname u;

	if (uname(&u) == 0)
		say(r, FINE, "kernel", NULL, "%s %s %s", u.sysname, u.release, u.machine);
	else
		say(r, NOTE, "kernel", NULL, "unknown: %s", strerror(errno));
}

static void check_uring(struct report *r)
{
	const struct uring_opts opts = { 0 };
	struct uring_failure why;
	struct uring *u = uring_open(&opts, &why);

	if (!u) {
		say(r, WRONG, "io_uring", why.remedy, "%s", why.cause);
		return;
	}
	say(r, FINE, "io_uring", NULL, "%s", uring_level_name(uring_level(u)));
	uring_close(u);
}

static void limit_format(rlim_t limit, char out[24])
{
	if (limit == RLIM_INFINITY)
		snprintf(out, 24, "unlimited");
	else
		snprintf(out, 24, "%llu", (unsigned long long)limit);
}

/* The hard limit counts: the router raises its soft one to it. */
static void check_open_files(struct report *r, const struct config *c)
{
	struct rlimit lim;
	char hard[24];

	if (getrlimit(RLIMIT_NOFILE, &lim) != 0) {
		say(r, NOTE, "open files", NULL, "unknown: %s", strerror(errno));
		return;
	}
	limit_format(lim.rlim_max, hard);
	if (lim.rlim_max == RLIM_INFINITY || lim.rlim_max >= c->max_conns + OTHER_FILES)
		say(r, FINE, "open files", NULL, "hard limit %s, enough for --max-conns %llu", hard,
			(unsigned long long)c->max_conns);
	else
		say(r, NOTE, "open files",
			"raise the hard limit (systemd: LimitNOFILE=, ulimit -Hn) or lower --max-conns",
			"hard limit %s, too few for --max-conns %llu and %d others: connections "
			"will be refused",
			hard, (unsigned long long)c->max_conns, OTHER_FILES);
}

static void check_memlock(struct report *r)
{
	struct rlimit lim;
	char soft[24];

	if (getrlimit(RLIMIT_MEMLOCK, &lim) != 0)
		return;
	limit_format(lim.rlim_cur, soft);
	say(r, FINE, "locked memory", NULL, "limit %s%s", soft,
		lim.rlim_cur == RLIM_INFINITY ? "" : " bytes");
}

/* -- the build -- */

/* Versions of the other libraries are known to the files that include their headers only. */
static void check_build(struct report *r)
{
	say(r, FINE, "sluice", NULL, "%s", SLUICE_VERSION);
	if (SLUICE_SYSTEM_WOLFSSL)
		say(r, NOTE, "wolfSSL", "build with the tuned one: scripts/setup.sh",
			"the system's library, without AES instructions and the checks that "
			"authentication by certificate rests on");
	else
		say(r, FINE, "wolfSSL", NULL, "the tuned build");
	say(r, FINE, "allocator", NULL, "%s", SLUICE_JEMALLOC ? "jemalloc" : "the C library's");
	say(r, FINE, "glibc", NULL, "%s", gnu_get_libc_version());
}

#define AES_BYTES (64u << 20)

/* A figure that tells an assembler from plain C, which differ by a factor of thirty. */
static void check_aes(struct report *r)
{
	uint64_t began = clock_ms(), took;

	if (!tls_aes_work(AES_BYTES)) {
		say(r, WRONG, "AES", "rebuild wolfSSL: scripts/setup.sh", "%s cannot do AES-GCM",
			tls_library());
		return;
	}
	took = clock_ms() - began;
	say(r, tls_hardware_aes() ? FINE : NOTE, "AES", NULL,
		"%s, %s; AES-128-GCM about %u MB/s, %s first", tls_library(),
		tls_hardware_aes() ? "with the processor's instructions" : "in software",
		(unsigned)(AES_BYTES / 1000 / (took ? took : 1)),
		tls_hardware_aes() ? "AES" : "ChaCha20");
}

static void check_scanner(struct report *r)
{
	const char *loops = scan_loops();

	if (loops)
		say(r, FINE, "XML scanner", NULL, "%s", loops);
	else
		say(r, WRONG, "XML scanner", "unset SLUICE_SCAN_LOOPS; it is for tests",
			"SLUICE_SCAN_LOOPS names loops that this processor or build lacks");
}

/* -- the configuration -- */

/* All of them, where the log tells of so many a second. A file alone keeps nothing from running. */
static void say_certificate(void *ctx, const struct certs_report *c)
{
	if (c->other)
		say(ctx, NOTE, "certificate", c->remedy, "%s: %s: %s", c->file, c->what, c->other);
	else
		say(ctx, NOTE, "certificate", c->remedy, "%s: %s", c->file, c->what);
}

/* Of one that is over its own report has told. */
static void say_expiry(void *ctx, const struct certs_expiry *e)
{
	if (e->days >= 0)
		say(ctx, NOTE, "certificate", "renew it", "%s: that of %.*s ends in %d days",
			e->file, (int)e->name.n, e->name.p, e->days);
}

/* As a worker begins, which needs one certificate that the TLS library takes. */
static void check_handshakes(struct report *r, const struct config *c, const struct credentials *k)
{
	struct keyring *slot = NULL;
	const char *why = NULL;

	slot = keyring_new(k, span_str(c->name), NULL, &slot, &why);
	if (slot)
		say(r, FINE, "certificates", NULL, "%s: names covered: %u; trust anchors: %u",
			c->cert_dir, credentials_names(k), credentials_anchors(k));
	else
		say(r, WRONG, "certificates", "docs/tls.md has what belongs there", "%s: %s",
			c->cert_dir, why);
	keyring_free(slot);
}

static void check_certificates(struct report *r, const struct config *c)
{
	char why[512];
	struct credentials *k = credentials_load(c, say_certificate, r, why);

	if (k) {
		credentials_expiring(k, INT64_MIN, clock_unix(), say_expiry, r);
		check_handshakes(r, c, k);
	} else {
		say(r, WRONG, "certificates", "docs/tls.md has what belongs there", "%s", why);
	}
	credentials_free(k);
}

static void check_tls(struct report *r, const struct config *c)
{
	const char *refused = config_tls_refused(c, c->tls);

	if (refused)
		say(r, WRONG, "TLS", "--cert-dir DIR, or --tls off", "%s", refused);
	else if (c->tls == TLS_OFF)
		say(r, NOTE, "TLS", NULL, "off: streams with other servers are in clear text");
	/* Its files are read whatever --tls says: the policy may, and --listen-tls has no other way. */
	if (c->cert_dir)
		check_certificates(r, c);
}

static void check_weak(struct report *r, const char *file, const char *backend, size_t n)
{
	if (n < SECRET_WEAK)
		say(r, NOTE, "weak secret", "openssl rand -hex 32 makes a good one",
			"%s%s%s: one of %zu bytes can be guessed", file,
			backend ? ": backend " : "", backend ? backend : "", n);
}

static void check_weak_lines(struct report *r, const char *path, struct span text)
{
	while (text.n) {
		size_t n = span_find(text, '\n');
		struct span line = span_trim(span_of(text.p, n));

		if (line.n && line.p[0] != '#')
			check_weak(r, path, NULL, line.n);
		text = span_skip(text, n < text.n ? n + 1 : n);
	}
}

static void check_registry(struct report *r, const struct config *c)
{
	struct registry *registry;
	char why[512];

	if (!c->routes) {
		say(r, WRONG, "registry", "--routes FILE names the backends and domains",
			"none given");
		return;
	}
	registry = registry_load(c->routes, why);
	if (!registry) {
		say(r, WRONG, "registry", "correct the file; docs/configuration.md has its format",
			"%s", why);
		return;
	}
	say(r, FINE, "registry", NULL, "%s: backends: %u, domains: %u", c->routes,
		registry_backends(registry), registry_hosts(registry));
	if (registry_hosts(registry) == 0)
		say(r, NOTE, "domains", "DOMAIN BACKEND, one a line; docs/configuration.md",
			"none: every stream and every component will be refused");
	for (unsigned i = 0; i < registry_backends(registry); i++)
		check_weak(r, c->routes, registry_backend(registry, i)->name,
			strlen(registry_backend(registry, i)->secret));
	if (registry_backends(registry) && !c->n_component_listen)
		say(r, NOTE, "backends", "--component-listen ADDR:PORT",
			"no listener for components: no backend can log in");
	registry_free(registry);
}

static void check_policy(struct report *r, const struct config *c)
{
	char why[512];
	struct policy *policy;

	if (!c->policy) {
		say(r, FINE, "policy", NULL, "none: all domains alike");
		return;
	}
	policy = policy_load(c, why);
	if (policy)
		say(r, FINE, "policy", NULL, "%s", c->policy);
	else
		say(r, WRONG, "policy", "correct the file; docs/configuration.md has its format",
			"%s", why);
	policy_free(policy);
}

static void check_secret_text(struct report *r, const char *path, struct span text)
{
	const char *remedy = "write one secret a line; openssl rand -hex 32 makes one";
	const char *why = "";
	struct secrets *secrets = secrets_parse(text, &why);
	struct stat st;

	if (!secrets) {
		say(r, WRONG, "secret file", remedy, "%s: %s", path, why);
		return;
	}
	say(r, FINE, "secret file", NULL, "%s: mode %04o, secrets: %u", path,
		stat(path, &st) == 0 ? st.st_mode & 07777 : 0, secrets_count(secrets));
	check_weak_lines(r, path, text);
	secrets_free(secrets);
}

static void check_secret_file(struct report *r, const struct config *c)
{
	char why[LINES_WHY], *text;
	size_t len;

	if (!c->secret_file) {
		say(r, FINE, "secret file", NULL, "none: random at start, good for one node");
		return;
	}
	text = lines_secret(c->secret_file, &len, why);
	if (!text) {
		say(r, WRONG, "secret file",
			"a regular file that its owner alone may read: chmod 600", "%s", why);
		return;
	}
	check_secret_text(r, c->secret_file, span_of(text, len));
	mem_wipe(text, len);
	mem_free(text);
}

int diag_check(const struct config *c, FILE *out)
{
	struct report r = { .out = out };

	check_kernel(&r);
	check_uring(&r);
	check_open_files(&r, c);
	check_memlock(&r);
	check_build(&r);
	check_aes(&r);
	check_scanner(&r);
	check_tls(&r, c);
	check_registry(&r, c);
	check_policy(&r, c);
	check_secret_file(&r, c);
	if (r.wrong)
		fprintf(out, "sluice would not run: %u wrong\n", r.wrong);
	else
		fputs("sluice would run\n", out);
	/* A script that reads the report must not take half of it for the whole. */
	return fflush(out) == 0 && !r.wrong ? EX_OK : EX_CONFIG;
}

int diag_uring_refused(const struct uring_failure *why, FILE *err)
{
	fprintf(err,
		"sluice: io_uring cannot be used, and there is no other way to wait for the network\n"
		"  cause:  %s\n"
		"  remedy: %s\n"
		"  test:   sluice --check says whether it helped\n",
		why->cause, why->remedy);
	return EX_CONFIG;
}
