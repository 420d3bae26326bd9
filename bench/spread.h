/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What several runs have measured of one figure.
 */
#ifndef SLUICE_BENCH_SPREAD_H
#define SLUICE_BENCH_SPREAD_H

#include "bench/bench.h"

struct spread {
	unsigned n; /* figures that were measured; 0: the rest says nothing */
	double min, median, max;
};

/* Those that are NAN were not measured and are left out. Puts v in another order. */
struct spread spread_of(double *v, unsigned count);

#endif
