/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a step: escapes, variables and what is matched against what the
 * router says.
 *
 *   \n \r \t \s \\ \{ \} \xHH   bytes
 *   {name}                      a variable: an argument, a `let`, something captured
 *   {20 x TEXT}                 TEXT twenty times
 *   {key SECRET RECEIVING ORIGINATING ID}      the dialback key of XEP-0185
 *   {handshake SECRET ID}       the digest of XEP-0114
 *   {=name}                     in patterns: any bytes up to what follows, kept as `name`
 *   {*}                         in patterns: any bytes up to what follows
 *
 * Braces nest: {key a b c {p.id}}.
 */
#ifndef TESTS_SIM_TEXT_H
#define TESTS_SIM_TEXT_H

#include "core/base/span.h"

#define TEXT_NAME 64
#define TEXT_WHY 2048

struct buf {
	char *p; /* NUL-terminated once anything was added */
	size_t n, cap;
};

void buf_add(struct buf *b, struct span s);
void buf_free(struct buf *b);

struct var {
	char name[TEXT_NAME];
	char *value;
	size_t n;
};

/* Variables; those of a call hide those of its parent. */
struct vars {
	struct vars *parent;
	struct var *all;
	unsigned count;
};

void vars_set(struct vars *v, struct span name, struct span value);
bool vars_get(const struct vars *v, struct span name, struct span *out);
void vars_free(struct vars *v);

/* Appends; false: why says what is wrong with the text. */
bool text_expand(const struct vars *v, struct span text, struct buf *out, char why[TEXT_WHY]);
/* Does `in` begin with what the pattern says? *used: so many bytes of it. Captures go to `to`. */
bool text_match(const struct vars *v, struct vars *to, struct span pattern, struct span in,
	size_t *used, char why[TEXT_WHY]);

#endif
