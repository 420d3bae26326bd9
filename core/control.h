/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control thread: the one thread without a ring. Loads what the operator
 * wrote, starts the workers, then waits for signals:
 *
 *   SIGHUP            reads registry and policy again; a bad one changes nothing
 *   SIGUSR1           writes the counters to the log
 *   SIGTERM, SIGINT   drains; a second one stops at once
 */
#ifndef SLUICE_CORE_CONTROL_H
#define SLUICE_CORE_CONTROL_H

#include "core/config.h"

/* Runs the router until it is told to end. Returns the exit code. */
int control_run(const struct config *c);

#endif
