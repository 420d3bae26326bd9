/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the tests of core/base/log.c: the log goes to a socket, from which a test reads a line at a
 * time. What is returned is valid until the next call.
 */
#ifndef SLUICE_TESTS_LOG_RIG_H
#define SLUICE_TESTS_LOG_RIG_H

#include "core/base/log.h"

void logged_start(enum log_level level, enum log_format format);

/* The next line without its end, or NULL. */
const char *logged_line(void);
/* The next line, of which there must be one: behind "2026-11-22T16:30:00.123Z ". */
const char *logged_text(void);
/* The same behind {"time":"2026-11-22T16:30:00.123Z", */
const char *logged_json(void);

/* An event with a single field, from a place of its own. */
void log_one(struct span v);

#endif
