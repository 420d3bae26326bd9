/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One scanner's way over a stream: what it said of bytes that arrived in pieces.
 * However they are cut, wherever they lie and whichever inner loops read them, two
 * walks over the same bytes must be the same.
 */
#ifndef ORACLE_WALK_H
#define ORACLE_WALK_H

#include "tests/oracle/complaint.h"
#include "tests/oracle/guard.h"
#include "xml/scan.h"

enum walk_cut {
	WALK_WHOLE,
	WALK_TWO, /* cut once, behind `first` bytes */
	WALK_RANDOM, /* pieces of 1 to `first` bytes, drawn from `seed` */
	WALK_BYTES, /* one at a time; the input stays where it is and grows */
};

struct walk_way {
	enum walk_cut cut;
	unsigned machine; /* < walk_machines() */
	uint32_t max; /* of one element, as for scan_new */
	size_t first;
	uint64_t seed;
};

struct walk_item {
	enum scan_result result; /* SCAN_HEADER, SCAN_FRAME, SCAN_SPACE or SCAN_CLOSE */
	struct frame frame; /* its pointers are into the walk's own input, not the copies */
};

struct walk {
	struct span input;
	struct scan *scan; /* for what it knows of the root */
	struct walk_item *item; /* adjacent white space is one item */
	unsigned n, cap;
	enum scan_result end; /* SCAN_MORE or SCAN_ERROR */
	bool closed; /* the root has ended; what follows it is read as well */
	size_t consumed; /* bytes of whole items */
};

/* Inner loops that this machine can run: walk_machine_name(0) is the best of them. */
unsigned walk_machines(void);
const char *walk_machine_name(unsigned machine);

/*
 * False when the scanner broke its contract on the way: a frame outside the input,
 * or one told of later than its last byte. walk_free w in either case.
 */
bool walk_take(struct walk *w, struct guard *g, struct span input, const struct walk_way *way,
	struct complaint *c);
void walk_free(struct walk *w);

/* Of the same input. */
bool walk_same(const struct walk *a, const struct walk *b, struct complaint *c);

#endif
