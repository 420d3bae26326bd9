/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario files, parsed: tests and macros, each a list of steps. One step a
 * line; a line whose first character is | continues the step before it: for texts
 * without a separator, for files (registry, policy, secrets) as a further line.
 * # begins a comment line. Indentation means nothing.
 *
 *   test T-R5 a target that is not hosted
 *       peer p
 *       open p rx.peer.test shop.hosted.test
 *       ...
 *   macro open P FROM TO
 *       ...
 *   end
 *
 * A test ends where the next test or macro begins. Blocks inside are
 * `repeat N as i` ... `end` and `together` ... `end`.
 */
#ifndef TESTS_SIM_SCRIPT_H
#define TESTS_SIM_SCRIPT_H

#include "core/base/list.h"
#include "core/base/span.h"

struct step {
	struct step *next;
	unsigned line;
	char *text; /* the whole step, without its indentation */
	struct step *body; /* of a `repeat` */
};

struct scenario {
	struct list link;
	const char *file; /* lives as long as the script */
	unsigned line;
	char *name; /* of a test: the rest of its line; of a macro: its name and parameters */
	struct step *steps;
};

struct script {
	struct list tests, macros, files;
};

void script_init(struct script *s);
/* Adds what the file holds. False: it has said on standard error what is wrong. */
bool script_load(struct script *s, const char *path);
const struct scenario *script_macro(const struct script *s, struct span name);
void script_free(struct script *s);

/* The first word of *s, which is moved behind it and the blanks that follow. */
struct span word_take(struct span *s);

#endif
