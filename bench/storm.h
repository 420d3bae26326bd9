/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many servers that connect at once: each opens an encrypted stream as far as its features,
 * then is gone. Target and server name go round the targets.
 *
 * It runs on a thread of its own with a loop of its own, so that its handshakes do not
 * hold up the streams whose latency is measured meanwhile. That thread owns all but the
 * counts, which anybody may read.
 */
#ifndef SLUICE_BENCH_STORM_H
#define SLUICE_BENCH_STORM_H

#include "bench/address.h"
#include "bench/names.h"
#include "bench/secure.h"

#define STORM_REASON 120

struct storm_opts {
	const struct address *server;
	const struct names *names;
	struct secure *secure;
	uint64_t count; /* connections in all */
	uint64_t rate; /* connections begun a second, 0: as fast as they are answered */
	uint32_t at_once; /* most that are not open yet */
	bool resume; /* each takes up the session of one before it, all with the first target */
};

struct storm_counts {
	uint64_t opened, failed;
	uint64_t resumed; /* of those opened */
	uint64_t time; /* from the first to the last, once it is over */
};

struct storm;

/* What o points to must outlive it. NULL with errno set. */
struct storm *storm_start(const struct storm_opts *o);
/* Ends it if it is not over. NULL is allowed. */
void storm_free(struct storm *s);

bool storm_is_over(const struct storm *s);
struct storm_counts storm_counts(const struct storm *s);
/* Why the first one failed, once it is over; else "". */
const char *storm_reason(const struct storm *s);

#endif
