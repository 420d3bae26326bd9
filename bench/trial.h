/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame of the micro benchmarks: a table of trials, timed in turn, and the table
 * of what came out.
 *
 * All trials have their first run, then all of them their second, and so on, so that
 * a noisy machine hits all of them. A run is as many passes as it takes for --seconds
 * of the thread's CPU time, after one pass that is not timed. Trials of one group do
 * the same work in different ways; a ratio compares two of them run by run, since
 * what happens at about the same time happens to both. One thread.
 */
#ifndef SLUICE_BENCH_TRIAL_H
#define SLUICE_BENCH_TRIAL_H

#include "bench/bench.h"

#define TRIAL_RIVALS 2

struct trial {
	const char *group, *name; /* what is worked on; how */
	const void *input;
	size_t param; /* the trial's own */
	size_t units, bytes; /* read in one pass; bytes 0: not to be reported */
	/* The first and the last are not timed and may be NULL. A pass dies if it fails. */
	void *(*begin)(const struct trial *t); /* makes the state */
	void (*pass)(const struct trial *t, void *state);
	void (*end)(const struct trial *t, void *state, uint64_t passes); /* checks and frees it */
	double *ns; /* of a pass, by run; trials_run sets it */
};

struct trials {
	struct trial *all;
	unsigned n;
	const char *unit; /* what a unit is */
	const char
		*rivals[TRIAL_RIVALS]; /* names of trials that others are compared with, or NULL */
	/* From the command line. */
	unsigned runs;
	double seconds;
	const char *only; /* NULL: all */
};

/* Returns -1 to go on, else the exit code: 0 after --help, 2 after a word about bad usage. */
int trials_options(struct trials *ts, int argc, char **argv, const char *about);

/* Does --only leave it in? A trial that it does not is not run and needs no input. */
bool trials_want(const struct trials *ts, const struct trial *t);

void trials_run(struct trials *ts);
void trials_report(const struct trials *ts);
void trials_free(struct trials *ts); /* the figures */

#endif
