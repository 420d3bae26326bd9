/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/versus.h"

#include "bench/report.h"
#include "bench/run.h"
#include "bench/spread.h"

#include <math.h>

void versus_run(struct versus *v, const struct options *o)
{
	memset(v, 0, sizeof(*v));
	v->ok = true;
	for (unsigned side = 0; side < 2; side++) {
		v->with[side] = *o;
		v->results[side] = bench_alloc(o->repeat, sizeof(*v->results[side]));
	}
	v->with[1].workers = o->against;
	while (v->runs < o->repeat && !run_stopped) {
		for (unsigned i = 0; i < 2; i++) {
			unsigned side = (i + v->runs) % 2;
			struct result *r = &v->results[side][v->runs];

			run_once(&v->with[side], v->runs, r);
			v->ok &= r->n_failures == 0;
		}
		v->runs++;
	}
	v->ok &= v->runs == o->repeat;
}

void versus_free(struct versus *v)
{
	free(v->results[0]);
	free(v->results[1]);
}

/* Of stanzas per CPU-second, the other's to the one's; NAN where one of them has none. */
static struct spread ratio(const struct versus *v)
{
	double *of = bench_alloc(v->runs, sizeof(*of));
	struct spread s;

	for (unsigned i = 0; i < v->runs; i++)
		of[i] = v->results[1][i].stanzas_per_cpu / v->results[0][i].stanzas_per_cpu;
	s = spread_of(of, v->runs);
	free(of);
	return s;
}

void versus_people(FILE *f, const struct versus *v)
{
	struct spread s = ratio(v);

	for (unsigned side = 0; side < 2; side++) {
		fprintf(f, "%s--workers %u\n", side ? "\n" : "", (unsigned)v->with[side].workers);
		report_people(f, &v->with[side], v->results[side], v->runs);
	}
	if (s.n)
		fprintf(f,
			"\n%u workers against %u, stanzas per CPU-second, ratio in %u runs: minimum %.3f,"
			" median %.3f, maximum %.3f\n",
			(unsigned)v->with[1].workers, (unsigned)v->with[0].workers, s.n, s.min,
			s.median, s.max);
}

void versus_json(FILE *f, const struct versus *v)
{
	struct spread s = ratio(v);

	fputs("{\"one\":", f);
	report_json(f, &v->with[0], v->results[0], v->runs);
	fputs(",\"other\":", f);
	report_json(f, &v->with[1], v->results[1], v->runs);
	fputs(",\"ratio\":", f);
	if (s.n)
		fprintf(f, "{\"min\":%.4f,\"median\":%.4f,\"max\":%.4f}", s.min, s.median, s.max);
	else
		fputs("null", f);
	fputs("}\n", f);
}
