/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sluice-bench: load on an XMPP server's S2S port, with everything around it in one
 * program, and a check of every stanza. See --help.
 */
#include "bench/options.h"
#include "bench/report.h"
#include "bench/run.h"

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

int main(int argc, char **argv)
{
	static struct options options;
	int code = options_parse(&options, argc, argv);
	struct result *results;
	unsigned runs = 0;
	bool ok = true;

	if (code >= 0)
		return code;
	signals_prepare();
	files_raise();
	xmlInitParser();
	results = bench_alloc(options.repeat, sizeof(*results));
	while (runs < options.repeat && !run_stopped) {
		run_once(&options, runs, &results[runs]);
		ok &= results[runs++].n_failures == 0;
	}
	report_people(options.json ? stderr : stdout, &options, results, runs);
	if (options.json)
		report_json(stdout, &options, results, runs);
	free(results);
	xmlCleanupParser();
	return ok && runs == options.repeat ? 0 : 1;
}
