/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every file needs: fixed-width types, BUG_ON for our own mistakes, and a
 * handful of compiler attributes. BUG_ON is always on: a router that has lost
 * track of its own state must stop rather than hand a tenant's stanza to another.
 */
#ifndef SLUICE_BASE_H
#define SLUICE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Prints file, line and the violated condition to standard error, then aborts. */
_Noreturn void bug(const char *file, int line, const char *condition);

#define BUG_ON(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(cond))                                                                \
			bug(__FILE__, __LINE__, #cond);                                            \
	} while (0)

#endif
