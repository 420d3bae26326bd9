/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder of temporary files for one test. Each test is a process of its own. */
#ifndef TESTS_UNIT_CORE_SCRATCH_H
#define TESTS_UNIT_CORE_SCRATCH_H

#include <stddef.h>

void scratch_open(void);
void scratch_close(void); /* removes all of it */

/* Writes a file with this mode; its path, which lives until scratch_close(). */
const char *scratch_file(const char *name, const char *text, unsigned mode);
const char *scratch_bytes(const char *name, const void *p, size_t n, unsigned mode);
/* The path of a file in it, whether it exists or not. */
const char *scratch_path(const char *name);
/* All of a file, NUL-terminated; the caller frees it. */
char *scratch_read(const char *path);

#endif
