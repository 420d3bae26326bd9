/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "dialback/answer.h"

Test(answer, types_are_read_as_they_are_named)
{
	static const struct {
		enum answer answer;
		const char *type;
	} table[] = {
		{ ANSWER_VALID, "valid" },
		{ ANSWER_INVALID, "invalid" },
		{ ANSWER_ERROR, "error" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		enum answer got = table[(i + 1) % ARRAY_LEN(table)].answer;

		cr_expect_str_eq(answer_type(table[i].answer), table[i].type);
		cr_expect(answer_parse(span_str(table[i].type), &got));
		cr_expect_eq(got, table[i].answer, "%s", table[i].type);
	}
}

/* Such an answer is ignored (T-D16). */
Test(answer, of_other_types_none_is_read)
{
	static const char *const others[] = { "Valid", "valid ", "vali", "validd", "result", "" };
	enum answer got = ANSWER_INVALID;

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		cr_expect_not(answer_parse(span_str(others[i]), &got), "%s", others[i]);
	cr_expect_not(answer_parse(SPAN_NONE, &got));
	cr_expect_eq(got, ANSWER_INVALID, "untouched");
}
