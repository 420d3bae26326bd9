/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places input so that exactly SCAN_PAD readable bytes stand behind it and then a
 * page that nobody can read: a scanner that reads further than its contract says
 * dies. What stands in the pad is another pattern each time, of what a scanner
 * would like to go on with. One thread.
 */
#ifndef ORACLE_GUARD_H
#define ORACLE_GUARD_H

#include "core/base/span.h"

struct guard {
	char *map; /* the readable pages; one more follows */
	size_t size;
	unsigned turn;
};

void guard_open(struct guard *g, size_t most); /* most: bytes of the longest input */
void guard_close(struct guard *g);

/* Lives until the next call. */
char *guard_place(struct guard *g, struct span s);

/* Fills pad[0..SCAN_PAD) with pattern number `turn` of a row without end. */
void guard_pad(char *pad, unsigned turn);

#endif
