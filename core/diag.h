/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an operator asks before and when it does not start: --check, and the words
 * for a refused io_uring.
 */
#ifndef SLUICE_CORE_DIAG_H
#define SLUICE_CORE_DIAG_H

#include <stdio.h>

#include "core/config.h"
#include "net/uring.h"

/*
 * Reports kernel, io_uring level, limits, wolfSSL build, libraries and registry, one fact a line;
 * what is wrong comes with its remedy. 0: it would run; 78 (EX_CONFIG): it would not.
 */
int diag_check(const struct config *c, FILE *out);

/* Says on err why io_uring is not to be had and what to do. Returns 78. */
int diag_uring_refused(const struct uring_failure *why, FILE *err);

#endif
