/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inner loops of xml/skip.h as functions that a test can call, one set per machine. */
#ifndef TEST_SKIP_SET_H
#define TEST_SKIP_SET_H

typedef const char *skip_function(const char *p, const char *end);

struct skip_set {
	const char *name;
	skip_function *text, *value, *ascii_name, *space, *wide;
	/* Over characters from U+0080 on and whatever may stand behind them; NULL: has none. */
	skip_function *mixed_text, *mixed_value;
};

extern const struct skip_set skip_set_scalar, skip_set_sse2, skip_set_avx2;

#endif
