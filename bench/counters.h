/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the router itself has counted: its event "stats", which it logs after SIGUSR1.
 */
#ifndef SLUICE_BENCH_COUNTERS_H
#define SLUICE_BENCH_COUNTERS_H

#include "bench/child.h"

struct counters {
	uint64_t accepted; /* stanzas_in and stanzas_from_backends */
	uint64_t parked; /* stanzas_parked and stanzas_requeued */
	uint64_t returned; /* an error was made for them, or must not be */
	uint64_t undeliverable; /* of them, those whose sender could not be told */
	uint64_t in_doubt;
	uint64_t unread; /* stanzas_lost: queues that could not be looked at */
};

/*
 * Asks and waits for the answer, for 10 s at most. The router must log at level info. false when
 * no answer came.
 */
bool counters_ask(struct child *c, struct counters *out);

/* One line of its log. A counter that it leaves out is 0. false when it is another event. */
bool counters_read(const char *line, struct counters *out);

#endif
