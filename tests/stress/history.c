/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/stress/history.h"

#include <stdlib.h>

#include "core/base/mem.h"

/* One value's write and reads. */
struct cluster {
	uint64_t value;
	uint64_t first_end, last_begin;
};

/* Held: the register has this value from first_end to last_begin, for certain. */
static bool held(const struct cluster *c)
{
	return c->first_end < c->last_begin;
}

static int by_number(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* By value, its write first. */
static int by_value(const void *a, const void *b)
{
	const struct history_op *x = a, *y = b;
	int order = by_number(x->value, y->value);

	return order ? order : y->write - x->write;
}

static int by_first_end(const void *a, const void *b)
{
	const struct cluster *x = a, *y = b;

	return by_number(x->first_end, y->first_end);
}

/* ops[0..n): all operations with one value, the write first. */
static enum history_fault cluster_make(struct cluster *c, const struct history_op *ops, size_t n)
{
	if (!ops[0].write)
		return HISTORY_NEVER_WRITTEN;
	*c = (struct cluster){ ops[0].value, ops[0].ended, ops[0].began };
	for (size_t i = 1; i < n; i++) {
		if (ops[i].write)
			return HISTORY_WRITTEN_TWICE;
		if (ops[i].ended < ops[0].began)
			return HISTORY_BEFORE_ITS_TIME;
		if (ops[i].ended < c->first_end)
			c->first_end = ops[i].ended;
		if (ops[i].began > c->last_begin)
			c->last_begin = ops[i].began;
	}
	return HISTORY_FINE;
}

/* The last hold that begins before `when`; NULL: none. */
static const struct cluster *hold_before(const struct cluster *holds, size_t n, uint64_t when)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (holds[middle].first_end < when)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &holds[low - 1] : NULL;
}

/* holds: sorted, and without overlap. */
static bool in_the_midst(const struct cluster *c, const struct cluster *holds, size_t n)
{
	const struct cluster *hold = hold_before(holds, n, c->last_begin);

	return hold && c->first_end < hold->last_begin;
}

static enum history_fault clusters_judge(struct cluster *clusters, size_t n, uint64_t *value)
{
	struct cluster *holds = mem_zalloc((n + 1) * sizeof(*holds));
	enum history_fault fault = HISTORY_FINE;
	size_t n_holds = 0;

	qsort(clusters, n, sizeof(*clusters), by_first_end);
	for (size_t i = 0; i < n && !fault; i++) {
		if (!held(&clusters[i]))
			continue;
		*value = clusters[i].value;
		if (n_holds && clusters[i].first_end < holds[n_holds - 1].last_begin)
			fault = HISTORY_TWO_AT_ONCE;
		holds[n_holds++] = clusters[i];
	}
	for (size_t i = 0; i < n && !fault; i++) {
		*value = clusters[i].value;
		if (!held(&clusters[i]) && in_the_midst(&clusters[i], holds, n_holds))
			fault = HISTORY_BACK_AGAIN;
	}
	mem_free(holds);
	return fault;
}

enum history_fault history_judge(struct history_op *ops, size_t n, uint64_t *value)
{
	struct cluster *clusters = mem_zalloc((n + 1) * sizeof(*clusters));
	enum history_fault fault = HISTORY_FINE;
	size_t n_clusters = 0;

	if (n > 0)
		qsort(ops, n, sizeof(*ops), by_value);
	for (size_t i = 0, end; i < n && !fault; i = end) {
		for (end = i + 1; end < n && ops[end].value == ops[i].value;)
			end++;
		*value = ops[i].value;
		fault = cluster_make(&clusters[n_clusters++], ops + i, end - i);
	}
	if (!fault)
		fault = clusters_judge(clusters, n_clusters, value);
	mem_free(clusters);
	return fault;
}
