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
		"where to be the authoritative server of all senders" },
	{ NULL, "pid", "PID[,PID]", STRING, AT(pids), 0, 0,
		"its processes, for CPU time and memory (summed)" },
	{ NULL, "direct", NULL, FLAG, AT(direct), 0, 1,
		"no server: stanzas go straight to the sink; the bench's own ceiling" },
	{ "Pairs", "pairs", "N", NUMBER, AT(pairs), 1, 10000000, "sender domains d<i>.SUFFIX" },
	{ NULL, "targets", "M", NUMBER, AT(targets), 1, 100000,
		"hosted domains, the senders spread over them" },
	{ NULL, "streams", "S", NUMBER, AT(streams), 1, 10000,
		"streams, the pairs spread over them" },
	{ NULL, "window", "W", NUMBER, AT(window), 0, 1000000,
		"most unanswered db:result per stream; 0: all in one burst" },
	{ NULL, "suffix", "DOMAIN", STRING, AT(suffix), 0, 0, "domain of the senders" },
	{ NULL, "target-suffix", "DOMAIN", STRING, AT(target_suffix), 0, 0,
		"domain of several targets h1.DOMAIN, ...; a single one is hosted.DOMAIN" },
	{ "Stanzas", "stanzas", "N", NUMBER, AT(stanzas), 0, 4000000000ull,
		"chat messages, round robin over the verified pairs" },
	{ NULL, "size", "BYTES", NUMBER, AT(size), SHAPES_SIZE_MIN, SHAPES_SIZE_MAX,
		"of a whole message, within 2; the body fills it" },
	{ NULL, "rate", "R", NUMBER, AT(rate), 0, 100000000,
		"messages per second; latency is measured only so; 0: as fast as the server takes them" },
	{ NULL, "invalid", "K", NUMBER, AT(invalid), 0, 100000,
		"in the middle assert K more domains with keys that are called invalid" },
	{ "TLS 1.3 (only with --router; certificates are made for the run)", "tls",
		"off|starttls|direct", STRING, AT(tls_text), 0, 0, "of the streams to the router" },
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
	.pairs = 10000,
	.targets = 1,
	.streams = 1,
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
	     "       sluice-bench --direct [option...]\n\n"
	     "Plays the originating server, the authoritative server with its DNS, and the\n"
	     "backend of an XMPP server, and checks that every stanza arrives once and in\n"
	     "order. Exit code 0: all that was asked for was verified; 1: not; 2: bad usage.");
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

static bool options_check(struct options *o)
{
	int ways = (o->router != NULL) + (o->s2s != NULL) + (o->direct != 0);

	if (ways != 1) {
		fputs("sluice-bench: one of --router, --s2s and --direct is needed; see --help\n",
			stderr);
		return false;
	}
	if (o->streams > o->pairs) {
		fputs("sluice-bench: more --streams than --pairs\n", stderr);
		return false;
	}
	if (o->invalid && o->direct) {
		fputs("sluice-bench: --invalid needs a server\n", stderr);
		return false;
	}
	if (!tls_check(o))
		return false;
	if (o->component_names.n > 1)
		o->targets = o->component_names.n;
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
