/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sluice-bench: load on an XMPP server's S2S port, with everything around it in one
 * program, and a check of every stanza. See --help.
 */
#include "bench/options.h"
#include "bench/report.h"
#include "bench/run.h"
#include "bench/versus.h"

#include <libxml/parser.h>
#include <sys/resource.h>

static void stop(int signal_number)
{
	(void)signal_number;
	run_stopped = 1;
}

static void signals_prepare(void)
{
	struct sigaction sa = { .sa_handler = stop };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Some servers open one connection per pair to our authority. */
static void files_raise(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static bool runs_make(const struct options *o)
{
	struct result *results = bench_alloc(o->repeat, sizeof(*results));
	unsigned runs = 0;
	bool ok = true;

	while (runs < o->repeat && !run_stopped) {
		run_once(o, runs, &results[runs]);
		ok &= results[runs++].n_failures == 0;
	}
	report_people(o->json ? stderr : stdout, o, results, runs);
	if (o->json) {
		report_json(stdout, o, results, runs);
		putchar('\n');
	}
	free(results);
	return ok && runs == o->repeat;
}

static bool versus_make(const struct options *o)
{
	struct versus v;

	versus_run(&v, o);
	versus_people(o->json ? stderr : stdout, &v);
	if (o->json)
		versus_json(stdout, &v);
	versus_free(&v);
	return v.ok;
}

int main(int argc, char **argv)
{
	static struct options options;
	int code = options_parse(&options, argc, argv);
	bool ok;

	if (code >= 0)
		return code;
	signals_prepare();
	files_raise();
	xmlInitParser();
	ok = options.against ? versus_make(&options) : runs_make(&options);
	xmlCleanupParser();
	return ok ? 0 : 1;
}
