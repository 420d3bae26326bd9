/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Was it one register? Judges what several threads have seen of a register that may
 * forget: each write puts a value that was never written before, each read returned
 * one of them. A read that returned nothing is always right, and a write that was
 * refused never happened: neither is part of the history.
 *
 * The history is linearizable when some order of all operations explains it, in which
 * one that ended before another began comes first, and each read returns the value
 * of the last write. With unique values this can be told in O(n log n) (Gibbons and
 * Korach, "Testing shared memories", SIAM J. Comput. 26, 1997): a value's write and
 * reads are its cluster. If all of them overlap at some moment, they may happen at one
 * moment of the time from their last beginning to their first end. Otherwise the
 * register holds this value, and no other, from the first end to the last beginning.
 * So no two such holds may overlap, and no cluster of the first kind may have all its
 * time inside a hold of another value.
 */
#ifndef SLUICE_STRESS_HISTORY_H
#define SLUICE_STRESS_HISTORY_H

#include "core/base/base.h"

/* began < ended; no two times of a history are the same. */
struct history_op {
	uint64_t value, began, ended;
	bool write;
};

enum history_fault {
	HISTORY_FINE,
	HISTORY_WRITTEN_TWICE, /* the caller's mistake */
	HISTORY_NEVER_WRITTEN,
	HISTORY_BEFORE_ITS_TIME, /* a read had ended when the write began */
	HISTORY_TWO_AT_ONCE, /* two values are held at the same time */
	HISTORY_BACK_AGAIN, /* a value comes in the midst of another one's hold */
};

/* Of one register. Changes the order of ops. *value: one that cannot be explained. */
enum history_fault history_judge(struct history_op *ops, size_t n, uint64_t *value);

#endif
