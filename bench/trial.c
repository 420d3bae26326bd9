/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/trial.h"

#include <getopt.h>

struct spread {
	double min, median, max;
};

/* -- options -- */

static void help_print(const struct trials *ts, const char *program, const char *about)
{
	printf("Usage: %s [option...]\n\n%s\n\n"
	       "  --runs N       runs of each trial, all of them in turn (default %u)\n"
	       "  --seconds S    CPU time of one run (default %g)\n"
	       "  --only NAME    only trials with NAME in \"GROUP TRIAL\", as the table has them\n"
	       "  --help         this text\n",
		program, about, ts->runs, ts->seconds);
}

static bool number_parse(const char *text, double min, double max, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return end != text && !*end && *value >= min && *value <= max;
}

int trials_options(struct trials *ts, int argc, char **argv, const char *about)
{
	static const struct option longs[] = {
		{ "runs", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' },
		{ "only", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	double value;
	int c;

	ts->runs = 7;
	ts->seconds = 0.05;
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			help_print(ts, argv[0], about);
			return 0;
		case 'o':
			ts->only = optarg;
			continue;
		case 'r':
			if (!number_parse(optarg, 1, 1000, &value))
				break;
			ts->runs = (unsigned)value;
			continue;
		case 's':
			if (!number_parse(optarg, 0.001, 60, &ts->seconds))
				break;
			continue;
		}
		fprintf(stderr, "%s: bad usage; see --help\n", argv[0]);
		return 2;
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "%s: %s: unexpected argument\n", argv[0], argv[optind]);
	return 2;
}

/* -- runs -- */

static uint64_t cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static double run(const struct trial *t, double seconds)
{
	void *state = t->begin ? t->begin(t) : NULL;
	uint64_t passes = 0, start, spent;

	t->pass(t, state);
	start = cpu_now();
	do {
		t->pass(t, state);
		passes++;
		spent = cpu_now() - start;
	} while ((double)spent < seconds * (double)NS_PER_S);
	if (t->end)
		t->end(t, state, passes + 1);
	return (double)spent / (double)passes;
}

bool trials_want(const struct trials *ts, const struct trial *t)
{
	char name[128];

	snprintf(name, sizeof(name), "%s %s", t->group, t->name);
	return !ts->only || strstr(name, ts->only);
}

void trials_run(struct trials *ts)
{
	for (unsigned i = 0; i < ts->n; i++)
		if (trials_want(ts, &ts->all[i]))
			ts->all[i].ns = bench_alloc(ts->runs, sizeof(double));
	for (unsigned r = 0; r < ts->runs; r++)
		for (unsigned i = 0; i < ts->n; i++)
			if (ts->all[i].ns)
				ts->all[i].ns[r] = run(&ts->all[i], ts->seconds);
}

void trials_free(struct trials *ts)
{
	for (unsigned i = 0; i < ts->n; i++)
		free(ts->all[i].ns);
}

/* -- report -- */

static int double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts values. */
static struct spread spread_of(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), double_compare);
	return (struct spread){ values[0], (values[(n - 1) / 2] + values[n / 2]) / 2,
		values[n - 1] };
}

static void ratio_print(const struct trials *ts, const struct trial *t, const char *name,
	double *values)
{
	const struct trial *rival = NULL;

	for (unsigned i = 0; i < ts->n; i++)
		if (ts->all[i].ns && !strcmp(ts->all[i].group, t->group) &&
			!strcmp(ts->all[i].name, name))
			rival = &ts->all[i];
	if (!rival || rival == t) {
		printf(" %10s", "-");
		return;
	}
	for (unsigned r = 0; r < ts->runs; r++)
		values[r] = rival->ns[r] / t->ns[r];
	printf(" %10.2f", spread_of(values, ts->runs).median);
}

static void trial_print(const struct trials *ts, const struct trial *t, double *values)
{
	struct spread s;

	for (unsigned r = 0; r < ts->runs; r++)
		values[r] = t->ns[r] / (double)t->units;
	s = spread_of(values, ts->runs);
	printf("%-18s %-14s %9.1f %9.1f %9.1f %11.0f", t->group, t->name, s.median, s.min, s.max,
		1e9 / s.median);
	if (t->bytes)
		printf(" %9.1f", (double)t->bytes / (double)t->units / s.median * 1e3);
	for (int i = 0; i < TRIAL_RIVALS && ts->rivals[i]; i++)
		ratio_print(ts, t, ts->rivals[i], values);
	putchar('\n');
}

void trials_report(const struct trials *ts)
{
	double *values = bench_alloc(ts->runs, sizeof(*values));

	printf("%u runs of %g s CPU time each; ns per %s: median, minimum, maximum%s\n\n", ts->runs,
		ts->seconds, ts->unit,
		ts->rivals[0] ? "; x NAME: how often as fast as it, median" : "");
	printf("%-18s %-14s %9s %9s %9s %11s %9s", "group", "trial", "ns", "min", "max",
		"per second", "MB/s");
	for (int i = 0; i < TRIAL_RIVALS && ts->rivals[i]; i++)
		printf(" %*sx %s", (int)(8 - strlen(ts->rivals[i])), "", ts->rivals[i]);
	putchar('\n');
	for (unsigned i = 0; i < ts->n; i++)
		if (ts->all[i].ns)
			trial_print(ts, &ts->all[i], values);
	free(values);
}
