/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A text file that an operator writes: --config, --routes, --policy, and secrets.
 * One entry a line; "#" begins a comment at the start of a line and after white
 * space; lines are UTF-8, at most LIMIT_CONFIG_LINE bytes, and hold no NUL and,
 * outside comments, no control character but TAB. Regular files only: a FIFO
 * would hang us. Every error comes as "path:line: what is wrong". At start-up and
 * reload; any thread.
 */
#ifndef SLUICE_CORE_LINES_H
#define SLUICE_CORE_LINES_H

#include "core/base/span.h"

#define LINES_WHY 512

struct lines {
	const char *path;
	char *text;
	size_t len, at;
	unsigned line; /* number of the current one */
	char *why; /* LINES_WHY bytes of the caller's */
	bool failed; /* why says how */
};

/* False when the file cannot be read; lines_close() it all the same. path and why must outlive
 * it. */
bool lines_open(struct lines *l, const char *path, char *why) MUST_CHECK;
/* The next line that holds more than a comment, trimmed; it lives until lines_close(). False at
 * the end and on failure. */
bool lines_next(struct lines *l, struct span *line);
/* Something is wrong on a line (0: with the file). Only the first failure counts. */
void lines_fail(struct lines *l, unsigned line, const char *fmt, ...) PRINTF_LIKE(3, 4);
void lines_close(struct lines *l);

/* Cuts the next word off *rest; an empty span when there is none. */
struct span lines_word(struct span *rest);

/* For "%.*s": a word of the file in a message, cut. */
#define LINES_SHOWN 120
#define LINES_ARG(s) ((s).n > LINES_SHOWN ? LINES_SHOWN : (int)(s).n), (s).p

/*
 * The whole of a file with secrets, NUL-terminated; the caller wipes and frees it. NULL when it
 * cannot be read, or when others than its owner may: `why` names file, cause and remedy.
 */
char *lines_secret(const char *path, size_t *len, char *why) MUST_CHECK;

#endif
