/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/answer.h"

static const char *const types[] = {
	[ANSWER_VALID] = "valid",
	[ANSWER_INVALID] = "invalid",
	[ANSWER_ERROR] = "error",
};

const char *answer_type(enum answer a)
{
	BUG_ON((unsigned)a >= ARRAY_LEN(types));
	return types[a];
}

bool answer_parse(struct span type, enum answer *out)
{
	for (enum answer a = 0; a < ARRAY_LEN(types); a++) {
		if (span_is(type, types[a])) {
			*out = a;
			return true;
		}
	}
	return false;
}
