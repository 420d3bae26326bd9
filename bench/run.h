/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of the scenario: start, log in, assert all pairs, send all stanzas, look
 * at what came of it, stop.
 */
#ifndef SLUICE_BENCH_RUN_H
#define SLUICE_BENCH_RUN_H

#include "bench/options.h"
#include "bench/result.h"

#include <signal.h>

/* Set by a signal handler: the run that is going on ends as failed and cleans up. */
extern volatile sig_atomic_t run_stopped;

/* number: 0 for the first. Whatever goes wrong is in r->failures; all is cleaned up. */
void run_once(const struct options *o, unsigned number, struct result *r);

#endif
