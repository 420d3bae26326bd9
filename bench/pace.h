/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timetable of a run that has a rate: when how many stanzas are due.
 *
 * A run may have three stages of equal length; something is the matter in the
 * middle one, when also `factor` times as many stanzas may be due. A stanza belongs to
 * the stage in which it was due, whenever it could be sent.
 */
#ifndef SLUICE_BENCH_PACE_H
#define SLUICE_BENCH_PACE_H

#include "bench/bench.h"

enum stage { STAGE_BEFORE, STAGE_MIDDLE, STAGE_AFTER, STAGES };

struct pace {
	uint64_t rate; /* a second; 0: everything is due at once */
	unsigned factor;
	uint64_t began;
	uint64_t middle, after; /* when these stages begin; UINT64_MAX without stages */
	uint64_t total; /* stanzas */
};

/* As many stanzas as take count / rate seconds; count itself when factor is 1 or staged false. */
void pace_begin(struct pace *p, uint64_t count, uint64_t rate, bool staged, unsigned factor,
	uint64_t now);

/* Seconds that they take; 0 without a rate. */
double pace_seconds(const struct pace *p);

/* How many are due at that time. */
double pace_due(const struct pace *p, uint64_t now);

/* When the n-th is due. Needs a rate. */
uint64_t pace_time(const struct pace *p, double n);

static inline enum stage pace_stage(const struct pace *p, uint64_t time)
{
	return time < p->middle ? STAGE_BEFORE : time < p->after ? STAGE_MIDDLE : STAGE_AFTER;
}

#endif
