/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/span.h"

Test(span, equality)
{
	cr_assert(span_eq(SPAN_LIT("a"), span_of("ab", 1)));
	cr_assert_not(span_eq(SPAN_LIT("a"), SPAN_LIT("ab")));
	cr_assert_not(span_eq(SPAN_LIT("a"), SPAN_LIT("b")));
	cr_assert(span_eq(SPAN_NONE, SPAN_LIT("")));
	cr_assert(span_is(span_of("x\0y", 1), "x"));
	cr_assert_not(span_is(span_of("x\0y", 3), "x"));
	cr_assert_eq(SPAN_LIT("a\0b").n, 3);
	cr_assert_null(span_str(NULL).p);
	cr_assert_eq(span_str(NULL).n, 0);
}

Test(span, starts)
{
	cr_assert(span_starts(SPAN_LIT("abc"), SPAN_LIT("ab")));
	cr_assert(span_starts(SPAN_LIT("abc"), SPAN_LIT("abc")));
	cr_assert_not(span_starts(SPAN_LIT("ab"), SPAN_LIT("abc")));
	cr_assert_not(span_starts(SPAN_LIT("abc"), SPAN_LIT("b")));
	cr_assert(span_starts(SPAN_LIT("abc"), SPAN_NONE));
	cr_assert(span_starts(SPAN_NONE, SPAN_NONE));
}

Test(span, find)
{
	cr_assert_eq(span_find(SPAN_LIT("a.b.c"), '.'), 1);
	cr_assert_eq(span_find(SPAN_LIT("abc"), '.'), 3);
	cr_assert_eq(span_find(SPAN_NONE, '.'), 0);
	cr_assert_eq(span_find(SPAN_LIT("a\0b"), '\0'), 1);
}

Test(span, skip)
{
	cr_assert(span_is(span_skip(SPAN_LIT("abc"), 1), "bc"));
	cr_assert_eq(span_skip(SPAN_LIT("abc"), 3).n, 0);
	cr_assert_not_null(span_skip(SPAN_LIT("abc"), 3).p);
	cr_assert_null(span_skip(SPAN_NONE, 0).p);
}

Test(span, skip_beyond_the_end_is_a_bug, .signal = SIGABRT)
{
	volatile struct span s;

	close(2);
	s = span_skip(SPAN_LIT("abc"), 4);
	(void)s;
}

Test(span, trim)
{
	cr_assert(span_is(span_trim(SPAN_LIT(" \t\r\n a b \n\r\t ")), "a b"));
	cr_assert(span_is(span_trim(SPAN_LIT("ab")), "ab"));
	cr_assert_eq(span_trim(SPAN_LIT(" \t ")).n, 0);
	cr_assert_eq(span_trim(SPAN_NONE).n, 0);
	/* Vertical tab, NUL and no-break space are no blanks of ours. */
	cr_assert(span_is(span_trim(SPAN_LIT("\v a")), "\v a"));
	cr_assert_eq(span_trim(SPAN_LIT("a\0")).n, 2);
}

Test(span, u64)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t value;
	} row[] = {
		{ "0", 0, true, 0 },
		{ "1", 0, false, 0 },
		{ "9", 8, false, 0 },
		{ "007", 7, true, 7 },
		{ "65535", 65535, true, 65535 },
		{ "65536", 65535, false, 0 },
		{ "100000", 65535, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "18446744073709551620", UINT64_MAX, false, 0 },
		{ "99999999999999999999999999", UINT64_MAX, false, 0 },
		{ "", 10, false, 0 },
		{ "-1", UINT64_MAX, false, 0 },
		{ "+1", UINT64_MAX, false, 0 },
		{ " 1", UINT64_MAX, false, 0 },
		{ "1 ", UINT64_MAX, false, 0 },
		{ "1x", UINT64_MAX, false, 0 },
		{ "0x1", UINT64_MAX, false, 0 },
		{ "/", UINT64_MAX, false, 0 },
		{ ":", UINT64_MAX, false, 0 },
		{ "\xb1", UINT64_MAX, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		uint64_t v = 77;

		cr_expect_eq(span_u64(span_str(row[i].text), row[i].max, &v), row[i].ok, "%s",
			row[i].text);
		cr_expect_eq(v, row[i].ok ? row[i].value : 77, "%s", row[i].text);
	}
}

Test(span, u64_agrees_with_arithmetic_for_every_small_number)
{
	for (uint64_t max = 0; max < 130; max++) {
		for (uint64_t v = 0; v < 300; v++) {
			char text[8];
			uint64_t out;

			snprintf(text, sizeof(text), "%u", (unsigned)v);
			cr_assert_eq(span_u64(span_str(text), max, &out), v <= max);
			cr_assert(v > max || out == v);
		}
	}
}
