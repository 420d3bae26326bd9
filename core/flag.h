/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flag of the command line and of --config FILE: one row of the table in
 * config.c. How its value is read, what is allowed, how it is explained. Nothing
 * here knows a single flag but by its row. Start-up only, main thread.
 */
#ifndef SLUICE_CORE_FLAG_H
#define SLUICE_CORE_FLAG_H

#include "core/config.h"

enum flag_kind {
	FLAG_PATH,
	FLAG_DOMAIN,
	FLAG_LISTEN, /* from here to FLAG_PORTS: lists */
	FLAG_DNS,
	FLAG_PEER,
	FLAG_NET,
	FLAG_PORTS,
	FLAG_SIZE,
	FLAG_SAMPLE, /* off (0), all (1), or one of so many */
	FLAG_MS,
	FLAG_CHOICE,
	FLAG_SWITCH,
	FLAG_FILE, /* from here on: the command line's alone */
	FLAG_CHECK,
	FLAG_HELP,
	FLAG_VERSION,
};

struct flag {
	const char *name;
	enum flag_kind kind;
	const char *metavar; /* NULL: takes no value, or need not */
	size_t at, count; /* offsets in struct config; count: of a list's length */
	const char *initial; /* default, parsed like any other value; NULL: none */
	const char *absent; /* what holds without a value, in words */
	const char *unit;
	uint64_t min, max; /* numbers; FLAG_LISTEN: min is the default port */
	const char *const *choices; /* FLAG_CHOICE: names in the order of the enum */
	const char *group;
	const char *when; /* what it is, and when to change it */
};

struct flags {
	const struct flag *flag; /* those of a group stand together */
	size_t n;
};

/* The flag of this name (without dashes), or NULL. */
const struct flag *flag_find(const struct flags *all, struct span name);
/* The one that was perhaps meant, or NULL. */
const struct flag *flag_suggest(const struct flags *all, struct span name);

bool flag_is_list(const struct flag *f);
/* Stores the value, or appends it to the list. False: not allowed, nothing has changed. */
bool flag_set(const struct flag *f, struct config *c, struct span value) MUST_CHECK;
/* Empties a list, frees a string. */
void flag_clear(const struct flag *f, struct config *c);

#define FLAG_ALLOWED 160
/* What values it may have, in words. */
void flag_allowed(const struct flag *f, char out[FLAG_ALLOWED]);

void flags_help(const struct flags *all, FILE *out);
void flags_markdown(const struct flags *all, FILE *out);

#endif
