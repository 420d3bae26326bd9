/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/spread.h"

#include <math.h>

static int double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct spread spread_of(double *v, unsigned count)
{
	struct spread s = { 0 };

	for (unsigned i = 0; i < count; i++) {
		if (!isnan(v[i]))
			v[s.n++] = v[i];
	}
	if (!s.n)
		return s;
	qsort(v, s.n, sizeof(*v), double_compare);
	s.min = v[0];
	s.max = v[s.n - 1];
	s.median = s.n % 2 ? v[s.n / 2] : (v[s.n / 2 - 1] + v[s.n / 2]) / 2;
	return s;
}
