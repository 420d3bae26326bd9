/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two numbers of workers, one against the other: each run is made with both, and which of
 * them comes first changes from run to run, so that whatever else goes on on the machine meets
 * both alike. The ratio is taken within a run.
 */
#ifndef SLUICE_BENCH_VERSUS_H
#define SLUICE_BENCH_VERSUS_H

#include "bench/options.h"
#include "bench/result.h"

struct versus {
	struct options with[2]; /* --workers, --against */
	struct result *results[2]; /* as many as runs were made */
	unsigned runs;
	bool ok; /* all that was asked for was verified in all of them */
};

/* Makes all runs. Ends early when run_stopped is set. */
void versus_run(struct versus *v, const struct options *o);
void versus_free(struct versus *v);

/* Both tables, then minimum, median and maximum of the ratio. */
void versus_people(FILE *f, const struct versus *v);

/* {"one": ..., "other": ..., "ratio": {"min", "median", "max"}}; one and other as report_json's. */
void versus_json(FILE *f, const struct versus *v);

#endif
