/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/ledger.h"

void ledger_init(struct ledger *l, uint32_t pairs, uint32_t per_pair)
{
	memset(l, 0, sizeof(*l));
	l->n_pairs = pairs;
	l->per_pair = per_pair ? per_pair : 1;
	l->pairs = bench_alloc(pairs, sizeof(*l->pairs));
}

void ledger_free(struct ledger *l)
{
	free(l->pairs);
	free(l->missing);
	memset(l, 0, sizeof(*l));
}

static bool missing_take(struct ledger *l, uint32_t pair, uint32_t number)
{
	uint64_t bit = (uint64_t)pair * l->per_pair + number;

	if (!l->missing || !(l->missing[bit / 64] >> bit % 64 & 1))
		return false;
	l->missing[bit / 64] &= ~(1ull << bit % 64);
	return true;
}

static void missing_put(struct ledger *l, uint32_t pair, uint32_t from, uint32_t to)
{
	uint64_t bit = (uint64_t)pair * l->per_pair;

	if (!l->missing)
		l->missing = bench_alloc(((uint64_t)l->n_pairs * l->per_pair + 63) / 64, 8);
	for (uint64_t b = bit + from; b < bit + to; b++)
		l->missing[b / 64] |= 1ull << b % 64;
}

enum arrival ledger_odd(struct ledger *l, uint32_t pair, uint32_t number)
{
	struct ledger_pair *p;

	if (pair >= l->n_pairs || number >= l->pairs[pair].sent) {
		l->alien++;
		return ARRIVAL_ALIEN;
	}
	p = &l->pairs[pair];
	if (number > p->next) {
		missing_put(l, pair, p->next, number);
		p->next = number + 1;
		l->arrived++;
		return ARRIVAL_GAP;
	}
	if (missing_take(l, pair, number)) {
		l->arrived++;
		l->reordered++;
		return ARRIVAL_REORDERED;
	}
	l->duplicated++;
	return ARRIVAL_DUPLICATE;
}
