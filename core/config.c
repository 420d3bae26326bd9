/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/config.h"

#include <stdarg.h>
#include <unistd.h>

#include "core/base/domain.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/flag.h"
#include "core/lines.h"

#ifndef SLUICE_VERSION
#define SLUICE_VERSION "unknown"
#endif

#define VALUE_SHOWN 120 /* bytes of a wrong value that an error repeats */

/* -- the table -- */

static const char *const tls_names[] = { "required", "optional", "off", NULL };
static const char *const verify_tls_names[] = { "prefer", "require", NULL };
static const char *const out_auth_names[] = { "opportunistic", "secure", NULL };
static const char *const pin_auth_names[] = { "off", "warn", "enforce", NULL };
static const char *const pair_check_names[] = { "strict", "sender", NULL };
static const char *const received_names[] = { "drop-pair", "quarantine", "migrate", "close", NULL };
static const char *const invalid_names[] = { "rfc3920", "xep-0.6", "xep-1.1", "forbid", NULL };
static const char *const format_names[] = { "text", "json", NULL };
static const char *const level_names[] = { "error", "warn", "info", "debug", NULL };

_Static_assert(TLS_OFF == 2 && PAIR_CHECK_SENDER == 1 && INVALID_FORBID == 3, "order of names");
_Static_assert(OUT_AUTH_SECURE == 1, "order of names");
_Static_assert(PIN_AUTH_OFF == 0 && PIN_AUTH_ENFORCE == 2, "order of names");
_Static_assert(LOG_JSON == 1 && LOG_DEBUG == 3, "order of names");
_Static_assert(LIMIT_STANZA == 256 << 10 && LIMIT_PAIRS_PER_STREAM == 20000 &&
		LIMIT_CONNS == 64 << 10 && LIMIT_UNAUTH_PER_IP == 1024 &&
		LIMIT_QUEUE_BYTES == 1 << 20 && LIMIT_MEM_BUDGET == 1 << 30 &&
		LIMIT_VERDICTS == 1280 << 10 && LIMIT_STALL_MS == 250,
	"defaults in the table");

#define FIELD(f) .at = offsetof(struct config, f)
#define LIST(f) FIELD(f), .count = offsetof(struct config, n_##f)
#define RANGE(lo, hi) .min = (lo), .max = (hi)

#define G_START "Start"
#define G_LISTEN "Who we are and where we listen"
#define G_HOSTING "Backends, domains and policy"
#define G_REACH "Finding other servers"
#define G_PROOF "Proof of identity"
#define G_BOUNDS "Bounds"
#define G_LOG "Log"
#define G_CANARY "Canary"

static const struct flag table[] = {
	{ "config", FLAG_FILE, "FILE", .absent = "none", .group = G_START,
		.when = "Read flags from a file, one a line as `name value`. The command line wins: "
			"a repeatable flag given there replaces the file's whole list." },
	{ "check", FLAG_CHECK, NULL, FIELD(check), .absent = "off", .group = G_START,
		.when = "Report on kernel, io_uring, limits, libraries, certificates, registry, policy "
			"and secrets, and exit: 0 when nothing was found that would keep the same "
			"command from running, 78 when something was. It does not try the listeners. Use it before a "
			"first start and before a reload." },
	{ "help", FLAG_HELP, NULL, .absent = "off", .group = G_START,
		.when = "Print this text and exit." },
	{ "version", FLAG_VERSION, NULL, .absent = "off", .group = G_START,
		.when = "Print the version and exit." },

	{ "name", FLAG_DOMAIN, "FQDN", FIELD(name), .absent = "the host name", .group = G_LISTEN,
		.when = "The router's own name, in errors and logs. Set it when the host name is not "
			"what other administrators should see." },
	{ "listen", FLAG_LISTEN, "ADDR:PORT", LIST(listen), .initial = "[::]:5269", .min = 5269,
		.group = G_LISTEN,
		.when = "Where other servers connect. Change it to listen on some addresses only, or "
			"behind a forwarder on another port." },
	{ "listen-tls", FLAG_LISTEN, "ADDR:PORT", LIST(listen_tls), .absent = "off", .min = 5270,
		.group = G_LISTEN,
		.when = "Where other servers connect with TLS from the first byte (XEP-0368). Name it in "
			"_xmpps-server._tcp records; needs --cert-dir." },
	{ "own-addr", FLAG_LISTEN, "ADDR:PORT", LIST(own_addr), .absent = "none", .min = 5269,
		.group = G_LISTEN,
		.when = "Where the DNS records of the hosted domains lead, when that is not an address of "
			"--listen (address translation, load balancer). Such an address is never "
			"dialled. With it each hosted domain that sends is looked up, and one whose "
			"records do not lead to this router is reported and gets streams of its own, "
			"since other servers will call its keys invalid." },
	{ "component-listen", FLAG_LISTEN, "ADDR:PORT", LIST(component_listen), .absent = "off",
		.min = 5347, .group = G_LISTEN,
		.when = "Where backends log in as components (XEP-0114). Needed for every backend "
			"with a component link; a loopback or private address." },
	{ "backend-public", FLAG_SWITCH, NULL, FIELD(backend_public), .absent = "off",
		.group = G_LISTEN,
		.when = "Let --component-listen take a public or wildcard address. Only when a "
			"firewall or from= in the registry keeps strangers away: component logins "
			"are not encrypted." },

	{ "routes", FLAG_PATH, "FILE", FIELD(routes), .absent = "none, it must be given",
		.group = G_HOSTING,
		.when = "The registry of backends and hosted domains. SIGHUP reads it again." },
	{ "policy", FLAG_PATH, "FILE", FIELD(policy), .absent = "none", .group = G_HOSTING,
		.when = "Rules for single domains. Use it to block a server or to ask more of one. "
			"SIGHUP reads it again." },

	{ "dns", FLAG_DNS, "ADDR[@PORT]", LIST(dns), .absent = "the system's resolvers",
		.group = G_REACH,
		.when = "Resolver to ask. Name one on this host when the system's is far away or slow: "
			"each remote domain costs two look-ups or more." },
	{ "peer", FLAG_PEER, "DOMAIN=ADDR:PORT", LIST(peer), .absent = "none", .group = G_REACH,
		.when = "Fixed address of a remote domain, instead of DNS; *.DOMAIN for all below it. "
			"For servers that DNS does not know, and for tests. Your word is taken: it is "
			"not checked against the addresses and ports that are never dialled." },
	{ "allow-peer-net", FLAG_NET, "CIDR", LIST(allow_peer_net), .absent = "none",
		.group = G_REACH,
		.when = "Let remote domains resolve into this private network. Needed to federate "
			"within a network; strangers can then make the router connect there." },
	{ "deny-addr", FLAG_NET, "CIDR", LIST(deny_addr), .absent = "none", .group = G_REACH,
		.when = "Never dial these addresses, whatever DNS says. For networks of your own that "
			"have public addresses." },
	{ "deny-port", FLAG_PORTS, "RANGE", LIST(deny_port), .absent = "none", .group = G_REACH,
		.when = "Never dial these ports, whatever DNS says, besides the built-in list (below 1024 but 443, and "
			"known databases)." },
	{ "follow-redirect", FLAG_SWITCH, NULL, FIELD(follow_redirect), .absent = "off",
		.group = G_REACH,
		.when = "Where the server of a remote domain says that another host is to be used (stream "
			"error see-other-host), dial that one; up to three in turn. Only a server "
			"whose certificate proves the domain is believed, and what it names is held "
			"to the same addresses and ports as DNS is. Hardly any server says so." },

	{ "secret-file", FLAG_PATH, "FILE", FIELD(secret_file), .absent = "random at start",
		.group = G_PROOF,
		.when = "Dialback secrets, one a line: the first signs, all are accepted. Needed with "
			"several nodes, and to keep dialback going across a restart. Mode 600." },
	{ "tls", FLAG_CHOICE, "required|optional|off", FIELD(tls), .initial = "required",
		.choices = tls_names, .group = G_PROOF,
		.when = "TLS on streams with other servers: required, no domain is proven without it; "
			"optional, it is offered and used when the peer can; off, streams are in clear "
			"text. The policy file changes it for single domains. All but off need "
			"--cert-dir." },
	{ "cert-dir", FLAG_PATH, "DIR", FIELD(cert_dir), .absent = "none", .group = G_PROOF,
		.when = "Certificates of the hosted domains, one PEM file each with chain and key, mode "
			"600. SIGHUP reads it again." },
	{ "ca-file", FLAG_PATH, "FILE", FIELD(ca_file), .absent = "the system's", .group = G_PROOF,
		.when = "Trust anchors, PEM: whose certificates prove a domain. SIGHUP reads it again." },
	{ "crl-file", FLAG_PATH, "FILE", FIELD(crl_file), .absent = "none", .group = G_PROOF,
		.when = "Lists of revoked certificates, PEM, of the anchors that publish them. SIGHUP reads "
			"it again." },
	{ "require-strong", FLAG_SWITCH, NULL, FIELD(require_strong), .absent = "off",
		.group = G_PROOF,
		.when = "Only a certificate proves a domain; a dialback key is not enough. Refuses the many "
			"servers whose certificate does not fit; the policy file asks it of single "
			"domains." },
	{ "pin-auth", FLAG_CHOICE, "off|warn|enforce", FIELD(pin_auth), .initial = "warn",
		.choices = pin_auth_names, .group = G_PROOF,
		.when = "When a domain that a certificate has proven comes with another key, or with no proof "
			"but dialback: warn, the log tells; enforce, it is refused as well; off, nothing "
			"is remembered. Most servers change their key with each certificate, so enforce "
			"is for single domains, by the policy file." },
	{ "verify-tls", FLAG_CHOICE, "prefer|require", FIELD(verify_tls), .initial = "prefer",
		.choices = verify_tls_names, .group = G_PROOF,
		.when = "TLS towards the authoritative servers that are asked about keys: prefer, where it is "
			"offered; require, a server without it proves no key." },
	{ "out-auth", FLAG_CHOICE, "opportunistic|secure", FIELD(out_auth),
		.initial = "opportunistic", .choices = out_auth_names, .group = G_PROOF,
		.when = "What a server has to show before stanzas leave for it: opportunistic, whatever "
			"the domain's DNS leads to gets them; secure, its certificate must prove the "
			"domain, or they go back. The policy file asks that of single domains, by "
			"require-strong." },
	{ "verdict-ttl", FLAG_MS, "N", FIELD(verdict_ttl), .initial = "3600", .unit = "seconds",
		RANGE(0, 86400), .group = G_PROOF,
		.when = "How long a domain pair that dialback has proven on one stream need not be verified "
			"again on another one whose peer has shown the same TLS key, at most until its "
			"certificate ends. 0: each stream has all of its pairs verified; for those whose "
			"peers may share private keys (docs/security.md)." },
	{ "pair-check", FLAG_CHOICE, "strict|sender", FIELD(pair_check), .initial = "strict",
		.choices = pair_check_names, .group = G_PROOF,
		.when = "strict: a stanza needs a proven pair of sender and target domain; sender: a "
			"proven sender may write to any hosted domain. Use sender for peers that "
			"verify once per sender." },
	{ "invalid-policy", FLAG_CHOICE, "rfc3920|xep-0.6|xep-1.1|forbid", FIELD(invalid_policy),
		.initial = "xep-1.1", .choices = invalid_names, .group = G_PROOF,
		.when = "What a wrong key does to a stream that other pairs use: rfc3920 closes it, "
			"the others keep it. Change it for tests of other servers." },
	{ "invalid-received", FLAG_CHOICE, "drop-pair|quarantine|migrate|close",
		FIELD(invalid_received), .initial = "quarantine", .choices = received_names,
		.group = G_PROOF,
		.when = "What another server's word that a key of ours is wrong does to the other pairs on "
			"that stream, which it will most likely close: quarantine, they wait for a "
			"moment and move if it does; drop-pair, they go on at once; migrate, they move "
			"to a new stream; close, the stream is closed." },

	{ "workers", FLAG_SIZE, "N", FIELD(workers), .initial = "0", .unit = "threads",
		RANGE(0, LIMIT_WORKERS), .group = G_BOUNDS,
		.when = "Worker threads; 0: as many as there are processors. They share the streams, and in "
			"equal parts --max-conns and --mem-budget. Fewer leave processors to others." },
	{ "pin", FLAG_SWITCH, NULL, FIELD(pin), .absent = "off", .group = G_BOUNDS,
		.when = "Each worker stays on a processor of its own, of those that the process may use. For "
			"a machine that does nothing else." },
	{ "max-stanza", FLAG_SIZE, "N", FIELD(max_stanza), .initial = "256K", .unit = "bytes",
		RANGE(LIMIT_STANZA_FLOOR, 64 << 20), .group = G_BOUNDS,
		.when = "Largest stanza accepted. Raise it when users send large vCards or pictures in "
			"band; at most what the backends accept." },
	{ "max-pairs-per-stream", FLAG_SIZE, "N", FIELD(max_pairs_per_stream), .initial = "20000",
		.unit = "pairs", RANGE(1, LIMIT_PAIRS_FLAG_MAX), .group = G_BOUNDS,
		.when = "Domain pairs on one stream. Raise it when a peer that hosts more domains is "
			"answered resource-constraint. Streams that we open get half as many." },
	{ "max-streams-per-endpoint", FLAG_SIZE, "N", FIELD(max_streams_per_endpoint),
		.initial = "4", .unit = "streams", RANGE(1, 64), .group = G_BOUNDS,
		.when = "Streams opened to one server that carry the same target domain: a second one when a "
			"stream has half of --max-pairs-per-stream, or when the server reads slowly. "
			"1: never." },
	{ "max-conns", FLAG_SIZE, "N", FIELD(max_conns), .initial = "64K", .unit = "connections",
		RANGE(1, 1 << 20), .group = G_BOUNDS,
		.when = "Connections at once, in both directions, in equal parts for the workers. Each needs an "
			"open file: see --check. An eighth of them, at most 1024 a worker, is kept for "
			"backends and for verification; half of the rest is for streams that we open to "
			"send on, of which no hosted domain has more than it leaves to the others." },
	{ "max-unauth-per-ip", FLAG_SIZE, "N", FIELD(max_unauth_per_ip), .initial = "1K",
		.unit = "streams", RANGE(1, 1 << 20), .group = G_BOUNDS,
		.when = "Streams without a proven domain, and components that have not logged in, from one "
			"IPv4 address or IPv6 /64, for each worker. Lower it "
			"under attack; raise it when many servers share an address." },
	{ "queue-bytes", FLAG_SIZE, "N", FIELD(queue_bytes), .initial = "1M", .unit = "bytes",
		RANGE(64 << 10, 1 << 30), .group = G_BOUNDS,
		.when = "What waits for one backend before a stream that feeds only it is paused and the "
			"stanzas of others get resource-constraint, first those of the pairs that hold "
			"most of it; a quarter more is for pairs that hold little. Also what is kept "
			"while it is down, and what waits on one stream to another server, for which "
			"nobody is paused. Raise it for backends that pause often. Not less than "
			"--max-stanza." },
	{ "stall-ms", FLAG_MS, "N", FIELD(stall_ms), .initial = "250", .unit = "milliseconds",
		RANGE(50, TIMEOUT_SEND_MS), .group = G_BOUNDS,
		.when = "How long a backend may take no byte of what waits for it before streams that were "
			"paused for it are read again and the stanzas that its queue has no room for "
			"get resource-constraint. Raise it for backends that stop for longer and whose "
			"peers had better wait." },
	{ "mem-budget", FLAG_SIZE, "N", FIELD(mem_budget), .initial = "1G", .unit = "bytes",
		RANGE(1 << 20, UINT64_C(1) << 40), .group = G_BOUNDS,
		.when = "Output queues of all connections together (five eighths of it), elements that have "
			"not yet come whole (a quarter), and stanzas that wait for a stream to another "
			"server (an eighth); stanzas kept for backends that are down "
			"come on top. Set it to what the host can spare." },
	{ "cache-entries", FLAG_SIZE, "N", FIELD(cache_entries), .initial = "1280K",
		.unit = "verdicts", RANGE(0, 1 << 28), .group = G_BOUNDS,
		.when = "Room for what was found out about other servers, shared by all workers, in memory "
			"that is taken at start: 25.6 bytes each, rounded up to five times a power of 2; "
			"1280K are 32 MiB. One for each proven pair of all peers that show certificates is "
			"enough; more than fit are verified again. 0: nothing is remembered." },
	{ "drain-ms", FLAG_MS, "N", FIELD(drain_ms), .initial = "10000", .unit = "milliseconds",
		RANGE(0, 600000), .group = G_BOUNDS,
		.when = "How long SIGTERM waits for queues to empty. Less than what the service "
			"manager waits before it kills." },

	{ "log-format", FLAG_CHOICE, "text|json", FIELD(log_format), .initial = "text",
		.choices = format_names, .group = G_LOG,
		.when = "One event a line on standard error. json for collectors." },
	{ "log-level", FLAG_CHOICE, "error|warn|info|debug", FIELD(log_level), .initial = "info",
		.choices = level_names, .group = G_LOG,
		.when = "The least severe level that is written. debug follows every domain pair." },

	{ "xml-check", FLAG_SAMPLE, "off|N|all", FIELD(xml_check), .initial = "off",
		RANGE(1, 1000000), .group = G_CANARY,
		.when = "Let libxml2 read stanzas as well, all of them or one of N of a worker, and refuse "
			"those that it reads otherwise than the scanner did, or not at all. Costs "
			"nothing when off. A stanza of 360 bytes takes it 2.8 microseconds: with all, "
			"no more than 130 MB a second and core of such, 1100 of 4 KiB ones. 1000 is a "
			"canary in production, all is for whoever suspects the scanner. SIGHUP does "
			"not change it." },
};

static const struct flags flags = { table, ARRAY_LEN(table) };

/* -- one setting: where it stands, and what it does -- */

enum level { LEVEL_DEFAULT, LEVEL_FILE, LEVEL_COMMAND };

struct setting {
	const struct flag *flag;
	struct span value; /* p == NULL: none was given */
	enum level level;
	const char *file; /* LEVEL_FILE */
	unsigned line;
};

struct parse {
	struct config *c;
	FILE *err;
	struct setting last[ARRAY_LEN(table)]; /* what set each flag */
	struct setting exposed; /* the first public --component-listen; flag == NULL: none */
	const char *path; /* --config */
	bool help, version;
};

static struct setting *parse_last(struct parse *ps, const struct flag *f)
{
	return &ps->last[f - table];
}

/* Always false. */
PRINTF_LIKE(3, 4)
static bool refuse(const struct parse *ps, const struct setting *s, const char *fmt, ...)
{
	int shown = s->value.n > VALUE_SHOWN ? VALUE_SHOWN : (int)s->value.n;
	va_list ap;

	if (s->level == LEVEL_FILE)
		fprintf(ps->err, "sluice: %s:%u: %s", s->file, s->line, s->flag->name);
	else
		fprintf(ps->err, "sluice: --%s", s->flag->name);
	if (s->value.p)
		fprintf(ps->err, " '%.*s'", shown, s->value.p);
	fputs(": ", ps->err);
	va_start(ap, fmt);
	vfprintf(ps->err, fmt, ap);
	va_end(ap);
	fputc('\n', ps->err);
	return false;
}

bool config_pin_auth_parse(struct span s, enum pin_auth *out)
{
	for (int i = 0; pin_auth_names[i]; i++) {
		if (span_is(s, pin_auth_names[i])) {
			*out = (enum pin_auth)i;
			return true;
		}
	}
	return false;
}

const char *config_tls_refused(const struct config *c, enum tls_policy tls)
{
	if (tls == TLS_OFF || c->cert_dir)
		return NULL;
	return "TLS needs certificates: name their directory with --cert-dir, or say --tls off, and "
	       "streams are in clear text";
}

/* Reachable from other networks than the provider's own. */
static bool is_exposed(const struct addr *a)
{
	return addr_is_any(a) || !addr_is_private(a);
}

static bool setting_note(struct parse *ps, const struct setting *s)
{
	struct config *c = ps->c;

	if (s->flag->at == offsetof(struct config, component_listen) && !ps->exposed.flag &&
		is_exposed(&c->component_listen[c->n_component_listen - 1]))
		ps->exposed = *s;
	*parse_last(ps, s->flag) = *s;
	return true;
}

static bool setting_apply(struct parse *ps, const struct setting *s)
{
	const struct setting *last = parse_last(ps, s->flag);
	bool list = flag_is_list(s->flag);
	const char *unit = s->flag->unit ? s->flag->unit : "";
	const char *blank = s->flag->unit ? " " : "";
	char allowed[FLAG_ALLOWED];

	flag_allowed(s->flag, allowed);
	if (s->flag->metavar && s->value.n == 0)
		return refuse(ps, s, "needs a value: %s%s%s", allowed, blank, unit);
	if (list && last->level < s->level) {
		flag_clear(s->flag, ps->c);
		if (ps->exposed.flag == s->flag)
			ps->exposed.flag = NULL;
	} else if (!list && s->level == LEVEL_FILE && last->level == LEVEL_FILE) {
		return refuse(ps, s, "set on line %u already", last->line);
	}
	if (!flag_set(s->flag, ps->c, s->value))
		return refuse(ps, s, "allowed: %s%s%s", allowed, blank, unit);
	return setting_note(ps, s);
}

/* Always false. dashes: as flags are written at this place. */
static bool refuse_unknown(const struct parse *ps, struct span name, const char *dashes)
{
	const struct flag *meant = flag_suggest(&flags, name);

	fprintf(ps->err, "'%.*s' is no flag", LINES_ARG(name));
	if (meant)
		fprintf(ps->err, "; did you mean %s%s?\n", dashes, meant->name);
	else
		fputs("; sluice --help lists them all\n", ps->err);
	return false;
}

/* -- the command line -- */

/* Takes the setting at argv[*i], and its value when that stands apart. */
static bool argument_take(const struct parse *ps, int argc, char **argv, int *i, struct setting *s)
{
	struct span arg = span_str(argv[*i]);
	size_t eq = span_find(arg, '=');

	*s = (struct setting){ .level = LEVEL_COMMAND, .value = SPAN_NONE };
	if (span_starts(arg, SPAN_LIT("--")))
		s->flag = flag_find(&flags, span_of(arg.p + 2, eq - 2));
	if (!s->flag) {
		fputs("sluice: ", ps->err);
		return refuse_unknown(ps, span_of(arg.p, eq), "--");
	}
	if (eq < arg.n)
		s->value = span_skip(arg, eq + 1);
	else if (s->flag->metavar && *i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0)
		s->value = span_str(argv[++*i]);
	if (s->value.p && !s->flag->metavar && s->flag->kind != FLAG_SWITCH)
		return refuse(ps, s, "takes no value");
	return true;
}

/* Finds what must be known before anything is applied, and every misspelt name. */
static bool arguments_scan(struct parse *ps, int argc, char **argv)
{
	struct setting s;

	for (int i = 1; i < argc && !ps->help && !ps->version; i++) {
		if (!argument_take(ps, argc, argv, &i, &s))
			return false;
		ps->help = s.flag->kind == FLAG_HELP;
		ps->version = s.flag->kind == FLAG_VERSION;
		if (s.flag->kind == FLAG_FILE && s.value.n == 0)
			return refuse(ps, &s, "needs a value: a path");
		if (s.flag->kind == FLAG_FILE)
			ps->path = s.value.p;
	}
	return true;
}

static bool arguments_apply(struct parse *ps, int argc, char **argv)
{
	struct setting s;

	for (int i = 1; i < argc; i++) {
		if (!argument_take(ps, argc, argv, &i, &s))
			return false;
		if (s.flag->kind != FLAG_FILE && !setting_apply(ps, &s))
			return false;
	}
	return true;
}

/* -- the file -- */

static bool file_apply(struct parse *ps, struct lines *l)
{
	struct span rest;

	while (lines_next(l, &rest)) {
		struct setting s = { .level = LEVEL_FILE, .file = l->path, .line = l->line };
		struct span name = lines_word(&rest);

		s.flag = flag_find(&flags, name);
		if (!s.flag) {
			fprintf(ps->err, "sluice: %s:%u: ", l->path, l->line);
			return refuse_unknown(ps, name, "");
		}
		if (s.flag->kind >= FLAG_FILE)
			return refuse(ps, &s, "may stand on the command line only");
		s.value = rest.n ? rest : SPAN_NONE;
		if (!setting_apply(ps, &s))
			return false;
	}
	if (l->failed)
		fprintf(ps->err, "sluice: %s\n", l->why);
	return !l->failed;
}

/* -- what must fit together -- */

/* Listener number i, those of components behind the others. */
static const struct addr *listener_at(const struct config *c, unsigned i)
{
	if (i < c->n_listen)
		return &c->listen[i];
	i -= c->n_listen;
	return i < c->n_listen_tls ? &c->listen_tls[i] : &c->component_listen[i - c->n_listen_tls];
}

/* The kernel would share connections out between two listeners without a word. */
static bool listeners_distinct(const struct parse *ps)
{
	const struct config *c = ps->c;
	char text[ADDR_TEXT];

	for (unsigned i = 0; i < c->n_listen + c->n_listen_tls + c->n_component_listen; i++) {
		const struct addr *a = listener_at(c, i);

		for (unsigned j = 0; j < i && a->port; j++) {
			if (!addr_eq(a, listener_at(c, j)))
				continue;
			addr_format(a, text);
			fprintf(ps->err,
				"sluice: two listeners are to have the address %s "
				"(--listen, --listen-tls, --component-listen)\n",
				text);
			return false;
		}
	}
	return true;
}

/* Proofs come by TLS alone: without it what is demanded here would fail for all, what is named here would
 * not be read, and nobody be told. */
static bool proofs_agree(struct parse *ps)
{
	const struct config *c = ps->c;
	const char *flag = c->require_strong	      ? "require-strong"
		: c->verify_tls == VERIFY_TLS_REQUIRE ? "verify-tls"
		: c->out_auth == OUT_AUTH_SECURE      ? "out-auth"
		: c->ca_file			      ? "ca-file"
		: c->crl_file			      ? "crl-file"
						      : NULL;

	if (!flag || c->cert_dir || c->tls != TLS_OFF)
		return true;
	return refuse(ps, parse_last(ps, flag_find(&flags, span_str(flag))),
		"needs TLS, and without --cert-dir there is none: name the directory of the "
		"certificates, or leave this flag out");
}

static bool tls_agree(struct parse *ps)
{
	const struct config *c = ps->c;
	const struct setting *tls = parse_last(ps, flag_find(&flags, SPAN_LIT("tls")));
	const char *why = config_tls_refused(c, c->tls);

	if (c->n_listen_tls && !c->cert_dir)
		return refuse(ps, parse_last(ps, flag_find(&flags, SPAN_LIT("listen-tls"))),
			"needs --cert-dir, the directory of the certificates");
	if (!why || c->check)
		return true;
	if (tls->level != LEVEL_DEFAULT)
		return refuse(ps, tls, "%s", why);
	fprintf(ps->err, "sluice: --tls is %s by default: %s\n", tls_names[c->tls], why);
	return false;
}

static bool parse_agree(struct parse *ps)
{
	const struct config *c = ps->c;
	const struct setting *queue = parse_last(ps, flag_find(&flags, SPAN_LIT("queue-bytes")));
	const struct setting *budget = parse_last(ps, flag_find(&flags, SPAN_LIT("mem-budget")));
	const uint64_t share = c->mem_budget / c->workers;

	if (c->queue_bytes < c->max_stanza && queue->level == LEVEL_DEFAULT)
		return refuse(ps, parse_last(ps, flag_find(&flags, SPAN_LIT("max-stanza"))),
			"more than --queue-bytes, which is %.*s by default: a stanza of that size "
			"could never leave; raise both",
			LINES_ARG(queue->value));
	if (c->queue_bytes < c->max_stanza)
		return refuse(ps, queue,
			"less than --max-stanza: a stanza of that size could never leave");
	if (share - share / 4 - share / 8 < c->queue_bytes)
		return refuse(ps, budget,
			"five eighths of a worker's part of it (--workers) are less than "
			"--queue-bytes, one of the queues that they bound");
	if (share / 4 < 2 * c->max_stanza)
		return refuse(ps, budget,
			"a worker's part of it (--workers) is less than eight times --max-stanza: "
			"a stanza that has not yet come whole may take a quarter of it");
	if (ps->exposed.flag && !c->backend_public)
		return refuse(ps, &ps->exposed,
			"strangers could reach it and component logins are not "
			"encrypted: use a loopback or private address, or say --backend-public");
	if (!listeners_distinct(ps) || !proofs_agree(ps))
		return false;
	if (!c->check && !c->routes) {
		fputs("sluice: --routes is missing: name the file with the backends and domains\n",
			ps->err);
		return false;
	}
	return tls_agree(ps);
}

/* -- all together -- */

static bool defaults_apply(struct parse *ps)
{
	char host[LIMIT_DOMAIN + 1] = "";
	struct setting s = { .level = LEVEL_DEFAULT };

	for (size_t i = 0; i < flags.n; i++) {
		s.flag = &flags.flag[i];
		s.value = span_str(s.flag->initial);
		if (s.value.p && !setting_apply(ps, &s))
			return false;
	}
	s.flag = flag_find(&flags, SPAN_LIT("name"));
	if (gethostname(host, sizeof(host) - 1) == 0 && flag_set(s.flag, ps->c, span_str(host)))
		return true;
	return flag_set(s.flag, ps->c, SPAN_LIT("localhost"));
}

static void workers_apply(struct config *c)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (c->workers == 0)
		c->workers = n < 1 ? 1 : n > LIMIT_WORKERS ? LIMIT_WORKERS : (uint64_t)n;
}

static bool parse_all(struct parse *ps, int argc, char **argv)
{
	char why[LINES_WHY];
	struct lines l = { 0 };
	bool ok = true;

	if (!arguments_scan(ps, argc, argv))
		return false;
	if (ps->help || ps->version)
		return true;
	ok = defaults_apply(ps);
	BUG_ON(!ok);
	if (ps->path && !lines_open(&l, ps->path, why)) {
		fprintf(ps->err, "sluice: --config %s\n", why);
		ok = false;
	}
	ok = ok && file_apply(ps, &l) && arguments_apply(ps, argc, argv);
	workers_apply(ps->c);
	ok = ok && parse_agree(ps);
	lines_close(&l);
	return ok;
}

enum config_result config_parse(struct config *c, int argc, char **argv, FILE *out, FILE *err)
{
	struct parse ps = { .c = c, .err = err };

	memset(c, 0, sizeof(*c));
	if (!parse_all(&ps, argc, argv)) {
		config_free(c);
		return CONFIG_ERROR;
	}
	if (ps.help)
		flags_help(&flags, out);
	else if (ps.version)
		fputs("sluice " SLUICE_VERSION "\n", out);
	return ps.help || ps.version ? CONFIG_EXIT : CONFIG_RUN;
}

void config_free(struct config *c)
{
	for (size_t i = 0; i < flags.n; i++)
		flag_clear(&flags.flag[i], c);
	memset(c, 0, sizeof(*c));
}

void config_markdown(FILE *out)
{
	flags_markdown(&flags, out);
}

struct resolve_rules config_rules(const struct config *c, const struct addr *own, unsigned n_own)
{
	return (struct resolve_rules){
		.no_tls = !c->cert_dir,
		.fixed = c->peer,
		.n_fixed = c->n_peer,
		.allow = c->allow_peer_net,
		.n_allow = c->n_allow_peer_net,
		.deny = c->deny_addr,
		.n_deny = c->n_deny_addr,
		.deny_ports = c->deny_port,
		.n_deny_ports = c->n_deny_port,
		.own = own,
		.n_own = n_own,
	};
}
