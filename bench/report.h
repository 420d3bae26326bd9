/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Results in words, in a table, and as JSON. Nothing here is stated that was not
 * measured in the run that it is stated of.
 */
#ifndef SLUICE_BENCH_REPORT_H
#define SLUICE_BENCH_REPORT_H

#include "bench/options.h"
#include "bench/result.h"

/* A table of all figures, then sentences about each run. runs >= 1. */
void report_people(FILE *f, const struct options *o, const struct result *results, unsigned runs);

/*
 * One object, no new line behind it: "ok", "failures" (of each run), "options", "figures" with "unit",
 * "min", "median", "max" and "runs" of each; a figure that was not measured is null.
 */
void report_json(FILE *f, const struct options *o, const struct result *results, unsigned runs);

#endif
