/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scripted clock, linked instead of core/base/clock.c: time stands still
 * while the router works and passes only when a scenario says so. Milliseconds.
 */
#ifndef TESTS_SIM_CLOCK_H
#define TESTS_SIM_CLOCK_H

#include "core/base/clock.h"

/* A new run: long after all before, since what the program keeps for longer than a run (the log's
 * allowance of lines) goes by the clock, too; but with the same lower bits, and so the same slots of
 * timer wheels, whatever was played before. */
void sim_clock_begin(void);
void sim_clock_pass(uint64_t ms);

#endif
