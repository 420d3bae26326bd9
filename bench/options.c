/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/options.h"

#include "bench/shapes.h"

#include <ctype.h>
#include <getopt.h>

enum kind { FLAG, NUMBER, STRING, LIST };

struct option_row {
	const char *group; /* heading before this row, or NULL */
	const char *name, *arg;
	enum kind kind;
	size_t offset; /* in struct options */
	uint64_t min, max;
	const char *help;
};

#define AT(field) offsetof(struct options, field)

static const struct option_row rows[] = {
	{ "The server under test, one of three ways", "router", "PATH", STRING, AT(router), 0, 0,
		"start this router on loopback in a temporary directory, stop it afterwards" },
	{ NULL, "router-arg", "ARG", LIST, AT(router_args), 0, 0,
		"one more argument for it; repeatable" },
	{ NULL, "workers", "N", NUMBER, AT(workers), 1, 64, "its --workers" },
	{ NULL, "against", "N", NUMBER, AT(against), 0, 64,
		"each run twice, the other with N workers; the ratio is reported; 0: do not" },
	{ NULL, "s2s", "ADDR:PORT", STRING, AT(s2s), 0, 0,
		"S2S address of a server that runs already" },
	{ NULL, "component", "ADDR:PORT", STRING, AT(component), 0, 0,
		"its address for components (XEP-0114)" },
	{ NULL, "component-name", "NAME", LIST, AT(component_names), 0, 0,
		"component and target domain; repeatable: one component and one target each" },
	{ NULL, "component-secret", "S", STRING, AT(secret), 0, 0, "secret of the components" },
	{ NULL, "dns-listen", "ADDR:PORT", STRING, AT(dns_listen), 0, 0,
		"where to answer its DNS questions (UDP)" },
	{ NULL, "authority-listen", "ADDR:PORT", STRING, AT(authority_listen), 0, 0,
		"where to be the authoritative server of all senders, or the remote server" },
	{ NULL, "pid", "PID[,PID]", STRING, AT(pids), 0, 0,
		"its processes, for CPU time and memory (summed)" },
	{ NULL, "direct", NULL, FLAG, AT(direct), 0, 1,
		"no server: stanzas go straight to those who count them; the bench's own ceiling" },
	{ "Pairs", "pairs", "N", NUMBER, AT(pairs), 0, 10000000,
		"sender domains d<i>.SUFFIX; 0: 10000; outward see --remotes" },
	{ NULL, "targets", "M", NUMBER, AT(targets), 1, 100000,
		"hosted domains, the senders spread over them; outward they are the senders" },
	{ NULL, "backends", "B", NUMBER, AT(backends), 1, OPTIONS_BACKENDS,
		"components, the targets spread over them (only with --router)" },
	{ NULL, "by-stream", NULL, FLAG, AT(by_stream), 0, 1,
		"all pairs of a stream are for one target; else each stream has some for each" },
	{ NULL, "streams", "S", NUMBER, AT(streams), 1, 10000,
		"streams, the pairs spread over them" },
	{ NULL, "window", "W", NUMBER, AT(window), 0, 1000000,
		"most unanswered db:result per stream; 0: all in one burst; outward see --remotes" },
	{ NULL, "suffix", "DOMAIN", STRING, AT(suffix), 0, 0, "domain of the senders" },
	{ NULL, "target-suffix", "DOMAIN", STRING, AT(target_suffix), 0, 0,
		"domain of several targets h1.DOMAIN, ...; a single one is hosted.DOMAIN" },
	{ "Stanzas", "stanzas", "N", NUMBER, AT(stanzas), 0, 100000000000ull,
		"chat messages, round robin over the verified pairs" },
	{ NULL, "size", "BYTES", NUMBER, AT(size), SHAPES_SIZE_MIN, SHAPES_SIZE_MAX,
		"of a whole message, within 2; the body fills it" },
	{ NULL, "rate", "R", NUMBER, AT(rate), 0, 100000000,
		"messages per second; latency is measured only so; 0: as fast as the server takes them" },
	{ NULL, "in-flight", "N", NUMBER, AT(in_flight), 0, 100000000,
		"most that have neither arrived nor come back to a component; 0: as many as are taken" },
	{ NULL, "invalid", "K", NUMBER, AT(invalid), 0, 100000,
		"in the middle assert K more domains with keys that are called invalid; outward: one"
		" stanza of each of K more hosted domains" },
	{ "Outward: the components send, to remote domains", "remotes", "N", NUMBER, AT(remotes), 0,
		1000000,
		"remote domains d<i>.SUFFIX. Pairs: each hosted one with each of them, or --pairs."
		" First one stanza for each, --window (0: 1000) on their way" },
	{ NULL, "endpoints", "S", NUMBER, AT(endpoints), 1, 1000,
		"remote servers, the remote domains spread over them" },
	{ NULL, "believe", NULL, FLAG, AT(believe), 0, 1,
		"they believe every key at once; else the router is asked, on one stream" },
	{ NULL, "out-streams", "N", NUMBER, AT(out_streams), 0, 1000000,
		"fail if more streams to a remote server have had pairs; 0: any number" },
	{ NULL, "throttle", "BYTES", NUMBER, AT(throttle), 0, 1000000000,
		"a second that a remote server reads of each connection; 0: all it gets" },
	{ NULL, "relay", NULL, FLAG, AT(relay), 0, 1,
		"both ways: inward, and the components send each stanza on, from d<i> to d<i+1>" },
	{ "Trouble in the middle third of the stanzas' time (only with --router and --rate)",
		"stall", NULL, FLAG, AT(stall), 0, 1, "the last backend reads nothing" },
	{ NULL, "vanish", NULL, FLAG, AT(vanish), 0, 1,
		"the last backend's connection is reset; at the end of the third it logs in again" },
	{ NULL, "noise", NULL, FLAG, AT(noise), 0, 1,
		"the first pair sends as much as its stream takes" },
	{ NULL, "late-pairs", "N", NUMBER, AT(late_pairs), 0, 1000000,
		"N more pairs are asserted on the same streams; also the latency of what is due until the last is answered" },
	{ NULL, "overload", "F", NUMBER, AT(overload), 1, 100,
		"F times the rate; what does not get out then is dropped" },
	{ NULL, "outage", NULL, FLAG, AT(outage), 0, 1,
		"outward: the last remote server resets all and is away; at the end it is back" },
	{ "Other trouble (likewise)", "backend-rate", "R", NUMBER, AT(backend_rate), 0, 100000000,
		"messages a second that the backends read, together; 0: all they get" },
	{ NULL, "churn", "R", NUMBER, AT(churn), 0, 1000,
		"streams a second that end and are opened anew with other pairs" },
	{ NULL, "rough", NULL, FLAG, AT(rough), 0, 1,
		"they end in turn in order, by an error, without a word, and once more by a reset in the "
		"middle of their claims; and each claims a false key (with --churn)" },
	{ NULL, "growth", "MIB", NUMBER, AT(growth), 0, 1000000,
		"fail if resident memory after the pairs grows by more; 0: any" },
	{ NULL, "unknown", "N", NUMBER, AT(unknown), 0, 1000000000,
		"fail if more are missing that the router knows nothing of, where a connection was reset" },
	{ "TLS 1.3 (only with --router; certificates are made for the run)", "tls",
		"off|starttls|direct", STRING, AT(tls_text), 0, 0,
		"of the streams to the router, and outward of those to the remote servers" },
	{ NULL, "client-cert", NULL, FLAG, AT(client_cert), 0, 1,
		"the streams prove all senders by one certificate, for *.SUFFIX" },
	{ NULL, "storm", "N", NUMBER, AT(storm), 0, 100000000,
		"N more connections that open a stream and go, the targets in turn by SNI" },
	{ NULL, "storm-rate", "R", NUMBER, AT(storm_rate), 0, 1000000,
		"of them a second; 0: as fast as the router takes them" },
	{ NULL, "storm-at-once", "N", NUMBER, AT(storm_at_once), 1, 1000,
		"of them, most that are on their way" },
	{ NULL, "resume", NULL, FLAG, AT(resume), 0, 1, "they resume sessions, with one target" },
	{ NULL, "reload", NULL, FLAG, AT(reload), 0, 1,
		"the router gets SIGHUP as the stanzas begin" },
	{ "Runs", "repeat", "R", NUMBER, AT(repeat), 1, 1000,
		"whole runs; minimum, median and maximum are reported" },
	{ NULL, "seed", "N", NUMBER, AT(seed), 1, UINT32_MAX,
		"of the order of the message shapes" },
	{ NULL, "timeout", "SECONDS", NUMBER, AT(timeout_s), 1, 86400,
		"give up after so long without progress" },
	{ NULL, "json", NULL, FLAG, AT(json), 0, 1,
		"one JSON object on standard output, the table on standard error" },
	{ NULL, "keep", NULL, FLAG, AT(keep), 0, 1, "keep the router's temporary directory" },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct options defaults = {
	.workers = 1,
	.targets = 1,
	.endpoints = 1,
	.backends = 1,
	.streams = 1,
	.overload = 1,
	.unknown = 1000000000,
	.stanzas = 1000000,
	.size = 296,
	.tls_text = "off",
	.storm_at_once = 64,
	.repeat = 1,
	.seed = 1,
	.timeout_s = 60,
	.suffix = "bench-origin.test",
	.target_suffix = "bench.test",
};

static uint64_t *number_at(const struct options *o, const struct option_row *row)
{
	return (uint64_t *)((char *)(uintptr_t)o + row->offset);
}

static const char **string_at(const struct options *o, const struct option_row *row)
{
	return (const char **)((char *)(uintptr_t)o + row->offset);
}

static void help_print(void)
{
	puts("Usage: sluice-bench --router PATH [option...]\n"
	     "       sluice-bench --s2s ADDR:PORT --component ADDR:PORT --component-name NAME\n"
	     "           --component-secret S --dns-listen ADDR:PORT --authority-listen ADDR:PORT\n"
	     "           [--pid PID] [option...]\n"
	     "       sluice-bench --direct [option...]\n"
	     "       any of these with --remotes N: outward; the first with --relay: both ways\n\n"
	     "Plays the originating server, the authoritative server with its DNS, and the\n"
	     "backend of an XMPP server, outward the remote servers too, and checks that every\n"
	     "stanza arrives once and in order. Exit code 0: all that was asked for was verified; 1: not; 2: bad usage.");
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct option_row *row = &rows[i];
		char left[64];

		if (row->group)
			printf("\n%s:\n", row->group);
		snprintf(left, sizeof(left), "--%s%s%s", row->name, row->arg ? " " : "",
			row->arg ? row->arg : "");
		printf("  %-28s %s", left, row->help);
		if (row->kind == NUMBER)
			printf(" (default %llu)", (unsigned long long)*number_at(&defaults, row));
		else if (row->kind == STRING && *string_at(&defaults, row))
			printf(" (default %s)", *string_at(&defaults, row));
		putchar('\n');
	}
	puts("  --help                       this text");
}

static bool number_parse(const struct option_row *row, const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (isdigit((unsigned char)*text) && !*end && !errno && *value >= row->min &&
		*value <= row->max)
		return true;
	fprintf(stderr, "sluice-bench: --%s %s: wanted a number from %llu to %llu\n", row->name,
		text, (unsigned long long)row->min, (unsigned long long)row->max);
	return false;
}

static bool option_take(struct options *o, const struct option_row *row, const char *arg)
{
	struct options_list *list;

	switch (row->kind) {
	case FLAG:
		*number_at(o, row) = 1;
		return true;
	case NUMBER:
		return number_parse(row, arg, number_at(o, row));
	case STRING:
		*string_at(o, row) = arg;
		return true;
	default:
		list = (struct options_list *)((char *)o + row->offset);
		if (list->n == OPTIONS_LIST) {
			fprintf(stderr, "sluice-bench: more than %d times --%s\n", OPTIONS_LIST,
				row->name);
			return false;
		}
		list->item[list->n++] = arg;
		return true;
	}
}

static bool pids_parse(struct options *o)
{
	const char *p = o->pids;

	while (p && *p) {
		char *end;
		long pid = strtol(p, &end, 10);

		if (pid <= 0 || end == p || (*end && *end != ',') || o->proc.n == PROC_MAX) {
			fprintf(stderr, "sluice-bench: --pid %s: wanted PID[,PID...]\n", o->pids);
			return false;
		}
		o->proc.pids[o->proc.n++] = (pid_t)pid;
		p = *end ? end + 1 : end;
	}
	return true;
}

static bool address_take(struct address *a, const char *name, const char *text)
{
	if (!text)
		fprintf(stderr, "sluice-bench: --%s is missing\n", name);
	else if (!address_parse(a, text))
		fprintf(stderr, "sluice-bench: --%s %s: wanted ADDR:PORT\n", name, text);
	else
		return true;
	return false;
}

static bool tls_check(struct options *o)
{
	static const char *const words[] = { "off", "starttls", "direct" };
	const char *fault = NULL;
	unsigned i = 0;

	while (i < 3 && strcmp(words[i], o->tls_text) != 0)
		i++;
	o->tls = (enum options_tls)i;
	if (i == 3)
		fault = "--tls is one of off, starttls and direct";
	else if (o->tls && !o->router)
		fault = "--tls needs --router";
	else if (!o->tls && (o->client_cert || o->storm))
		fault = "--client-cert and --storm need --tls";
	else if (o->invalid && o->client_cert)
		fault = "a key cannot be --invalid where a certificate proves all senders";
	else if (o->resume && o->client_cert)
		fault = "who shows a certificate is given no session to --resume";
	else if (o->storm && o->stanzas && !o->rate)
		fault = "--storm needs --rate, or --stanzas 0";
	else if (o->reload && !o->router)
		fault = "--reload needs --router";
	if (fault)
		fprintf(stderr, "sluice-bench: %s\n", fault);
	return !fault;
}

static bool trouble_check(struct options *o)
{
	bool any = options_staged(o) || options_lossy(o) || o->churn;
	const char *fault = NULL;

	if ((any || o->against || o->backends > 1 || o->workers > 1 || o->growth) && !o->router)
		fault = "--workers, --against, --backends, --growth and all trouble need --router";
	else if (any && (!o->rate || !o->stanzas))
		fault = "trouble needs --rate and --stanzas";
	else if (o->component_names.n && o->backends > 1)
		fault = "--component-name and --backends are two ways to say the same";
	else if ((o->stall || o->vanish) && o->backends < 2)
		fault = "--stall and --vanish need --backends: nobody else could feel it";
	else if (o->stall && o->vanish)
		fault = "a backend can --stall or --vanish";
	else if (o->by_stream && (o->churn || o->late_pairs))
		fault = "--by-stream goes with neither --churn nor --late-pairs";
	else if (o->invalid && o->churn)
		fault = "--invalid needs a stream that stays: no --churn";
	else if (o->rough && !o->churn)
		fault = "--rough is how streams end: see --churn";
	else if (o->churn && options_pairs(o) > OPTIONS_PAIRS)
		fault = "too many pairs for so much --churn";
	if (fault)
		fprintf(stderr, "sluice-bench: %s\n", fault);
	return !fault;
}

/* How many pairs there are; false when there cannot be so many. */
static bool pairs_choose(struct options *o)
{
	uint64_t most = o->remotes ? o->targets * o->remotes : UINT64_MAX;

	if (!o->pairs)
		o->pairs = o->remotes ? most : 10000;
	return o->pairs <= most && o->pairs <= OPTIONS_PAIRS;
}

static bool outward_check(struct options *o)
{
	bool inward = o->stall || o->vanish || o->noise || o->late_pairs || o->overload > 1 ||
		o->backend_rate || o->churn || o->by_stream || o->client_cert || o->storm;
	const char *fault = NULL;

	if (!options_out(o) &&
		(o->endpoints > 1 || o->believe || o->out_streams || o->throttle || o->outage))
		fault = "--endpoints, --believe, --out-streams, --throttle and --outage are about remote servers: see --remotes";
	else if (o->remotes && o->relay)
		fault = "--remotes and --relay are two runs";
	else if (options_out(o) && inward)
		fault = "--remotes and --relay go with no trouble but --outage, --throttle and"
			" --invalid, and with neither --by-stream, --client-cert nor --storm";
	else if (o->relay && (!o->router || o->invalid || o->outage || o->throttle))
		fault = "--relay needs --router, and no trouble";
	else if (o->in_flight && (options_lossy(o) || o->overload > 1 || o->churn) && !o->remotes)
		fault = "--in-flight would wait for stanzas that come back to their senders";
	else if (o->remotes && o->streams > 1)
		fault = "--streams are those that come in";
	else if (o->remotes && o->endpoints > o->remotes)
		fault = "more --endpoints than --remotes";
	else if (options_out(o) && o->s2s && o->endpoints > 1)
		fault = "--endpoints needs --router: there is one --authority-listen";
	else if (o->remotes && o->invalid && (!o->router || o->component_names.n))
		fault = "--invalid with --remotes needs --router, and no --component-name";
	else if (o->throttle && !o->router)
		fault = "--throttle needs --router";
	if (fault)
		fprintf(stderr, "sluice-bench: %s\n", fault);
	return !fault;
}

static bool options_check(struct options *o)
{
	int ways = (o->router != NULL) + (o->s2s != NULL) + (o->direct != 0);

	if (ways != 1) {
		fputs("sluice-bench: one of --router, --s2s and --direct is needed; see --help\n",
			stderr);
		return false;
	}
	if (o->invalid && o->direct) {
		fputs("sluice-bench: --invalid needs a server\n", stderr);
		return false;
	}
	if (o->targets < o->backends)
		o->targets = o->backends;
	if (o->component_names.n > 1)
		o->targets = o->component_names.n;
	if (!pairs_choose(o)) {
		fputs("sluice-bench: more --pairs than there can be\n", stderr);
		return false;
	}
	if (o->streams > o->pairs) {
		fputs("sluice-bench: more --streams than --pairs\n", stderr);
		return false;
	}
	if (!outward_check(o) || !tls_check(o) || !trouble_check(o))
		return false;
	if (!o->s2s)
		return true;
	if (!o->component_names.n || !o->secret) {
		fputs("sluice-bench: --s2s needs --component-name and --component-secret\n",
			stderr);
		return false;
	}
	return address_take(&o->s2s_address, "s2s", o->s2s) &&
		address_take(&o->component_address, "component", o->component) &&
		address_take(&o->dns_address, "dns-listen", o->dns_listen) &&
		address_take(&o->authority_address, "authority-listen", o->authority_listen) &&
		pids_parse(o);
}

/* How often a stream may be opened anew. */
static uint64_t reopenings(const struct options *o)
{
	return o->churn ? o->churn * (o->stanzas / o->rate + 2) : 0;
}

uint64_t options_pairs(const struct options *o)
{
	return o->pairs + o->late_pairs + reopenings(o) * (o->pairs / o->streams);
}

uint64_t options_probes(const struct options *o)
{
	return o->rough ? reopenings(o) : o->remotes ? 0 : o->invalid;
}

int options_parse(struct options *o, int argc, char **argv)
{
	struct option longs[N_ROWS + 2];
	const int help = (int)N_ROWS + 1;
	int c;

	*o = defaults;
	memset(longs, 0, sizeof(longs));
	for (size_t i = 0; i < N_ROWS; i++) {
		longs[i].name = rows[i].name;
		longs[i].has_arg = rows[i].kind == FLAG ? no_argument : required_argument;
		longs[i].val = (int)i + 1;
	}
	longs[N_ROWS] = (struct option){ "help", no_argument, NULL, help };
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == help) {
			help_print();
			return 0;
		}
		if (c < 1 || c > (int)N_ROWS || !option_take(o, &rows[c - 1], optarg))
			return 2;
	}
	if (optind < argc) {
		fprintf(stderr, "sluice-bench: %s: unexpected argument\n", argv[optind]);
		return 2;
	}
	return options_check(o) ? -1 : 2;
}
