/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The router as a child of the bench, in a temporary directory of its own.
 *
 * Only this one process is ever signalled, by its pid. It is told to die with the
 * bench. Its output goes to "log" in the directory.
 */
#ifndef SLUICE_BENCH_CHILD_H
#define SLUICE_BENCH_CHILD_H

#include "bench/address.h"

#include <sys/types.h>

struct child {
	pid_t pid; /* 0: not started, or reaped */
	int status; /* of wait, once reaped */
	char dir[128]; /* empty: none */
};

/* Makes the directory. false with errno set. */
bool child_prepare(struct child *c);

/* Writes a file of mode 0600 into it. false with errno set. */
bool child_write(struct child *c, const char *name, const char *fmt, ...) BENCH_PRINTF(3, 4);

/* path: directory and name; text holds 256 bytes; returned. */
const char *child_path(const struct child *c, const char *name, char *text);

/* argv ends with NULL; argv[0] is the program. false with errno set. */
bool child_start(struct child *c, char *const *argv);

/* false, and reaped, when it has ended. */
bool child_is_running(struct child *c);

/* Until the address accepts a connection. false when the child ended or time is over. */
bool child_wait_listening(struct child *c, const struct address *a, unsigned timeout_s);

/* More than the router's --drain-ms is by default. */
#define CHILD_STOP_S 60

/* SIGTERM, then after CHILD_STOP_S SIGKILL; waits. Returns whether SIGTERM was enough. */
bool child_stop(struct child *c);

#define CHILD_LOG 1000

/* The last lines of its log: cap bytes at most, NUL-terminated. Returns text. */
const char *child_log(const struct child *c, char *text, size_t cap);

/* How it ended, once reaped: "exit status 78", "signal 11". Returns text, of 32 bytes. */
const char *child_end(const struct child *c, char *text);

/* Tells it to read its files again. */
void child_reload(const struct child *c);

/* Removes the directory and all in it. */
void child_remove(struct child *c);

#endif
