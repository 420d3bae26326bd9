/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/ledger.h"

void ledger_init(struct ledger *l, uint32_t pairs)
{
	memset(l, 0, sizeof(*l));
	l->n_pairs = pairs;
	l->pairs = bench_alloc(pairs, sizeof(*l->pairs));
}

void ledger_free(struct ledger *l)
{
	for (uint32_t i = 0; l->missing && i < l->n_pairs; i++)
		free(l->missing[i].bits);
	free(l->missing);
	free(l->bounced);
	free(l->pairs);
	memset(l, 0, sizeof(*l));
}

static bool missing_take(struct ledger *l, uint32_t pair, uint32_t number)
{
	struct ledger_missing *m = l->missing ? &l->missing[pair] : NULL;

	if (!m || number / 64 >= m->words || !(m->bits[number / 64] >> number % 64 & 1))
		return false;
	m->bits[number / 64] &= ~(1ull << number % 64);
	return true;
}

static void missing_grow(struct ledger_missing *m, size_t words)
{
	if (words <= m->words)
		return;
	words += words / 2;
	m->bits = bench_grow(m->bits, words * sizeof(*m->bits));
	memset(m->bits + m->words, 0, (words - m->words) * sizeof(*m->bits));
	m->words = words;
}

static void missing_put(struct ledger *l, uint32_t pair, uint32_t from, uint32_t to)
{
	if (!l->missing)
		l->missing = bench_alloc(l->n_pairs, sizeof(*l->missing));
	missing_grow(&l->missing[pair], (size_t)to / 64 + 1);
	for (uint32_t i = from; i < to; i++)
		l->missing[pair].bits[i / 64] |= 1ull << i % 64;
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

void ledger_bounce(struct ledger *l, uint32_t pair)
{
	if (!l->bounced)
		l->bounced = bench_alloc(l->n_pairs, sizeof(*l->bounced));
	l->bounced[pair]++;
	l->returned++;
}

static uint32_t pair_arrived(const struct ledger *l, uint32_t pair)
{
	const struct ledger_missing *m = l->missing ? &l->missing[pair] : NULL;
	uint32_t missing = 0;

	for (size_t i = 0; m && i < m->words; i++)
		missing += (uint32_t)__builtin_popcountll(m->bits[i]);
	return l->pairs[pair].next - missing;
}

uint64_t ledger_both(const struct ledger *l)
{
	uint64_t both = 0;

	for (uint32_t i = 0; l->bounced && i < l->n_pairs; i++) {
		uint32_t seen = pair_arrived(l, i) + l->bounced[i];

		if (seen > l->pairs[i].sent)
			both += seen - l->pairs[i].sent;
	}
	return both;
}
