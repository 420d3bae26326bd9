/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often each of a few words was seen: error conditions. Words are copied and
 * cut at TALLY_WORD; when there are more than TALLY_KINDS different ones, the rest
 * is counted under "other".
 */
#ifndef SLUICE_BENCH_TALLY_H
#define SLUICE_BENCH_TALLY_H

#include "bench/bench.h"

#define TALLY_KINDS 16
#define TALLY_WORD 64

struct tally {
	unsigned n;
	struct {
		char word[TALLY_WORD];
		uint64_t count;
	} kind[TALLY_KINDS];
};

void tally_add(struct tally *t, const char *word);

uint64_t tally_count(const struct tally *t, const char *word);

uint64_t tally_total(const struct tally *t);

/* "forbidden 3, not-allowed 1"; empty when nothing was counted. Returns text. */
const char *tally_print(const struct tally *t, char *text, size_t cap);

#endif
