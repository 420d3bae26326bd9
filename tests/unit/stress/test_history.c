/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judge of tests/stress/: by hand, and against one who tries every order. */
#include <criterion/criterion.h>

#include "tests/stress/crew.h"
#include "tests/stress/history.h"

#define W(v, from, to)                                                                             \
	{                                                                                          \
		.value = v, .began = from, .ended = to, .write = true                              \
	}
#define R(v, from, to)                                                                             \
	{                                                                                          \
		.value = v, .began = from, .ended = to, .write = false                             \
	}
#define JUDGE(...)                                                                                 \
	judge((struct history_op[]){ __VA_ARGS__ },                                                \
		sizeof((struct history_op[]){ __VA_ARGS__ }) / sizeof(struct history_op))

static uint64_t culprit;

static enum history_fault judge(struct history_op *ops, size_t n)
{
	return history_judge(ops, n, &culprit);
}

Test(history, nothing_happened)
{
	cr_assert_eq(history_judge(NULL, 0, &culprit), HISTORY_FINE);
}

Test(history, one_after_the_other)
{
	cr_assert_eq(JUDGE(W(1, 1, 2), R(1, 3, 4), W(2, 5, 6), R(2, 7, 8), R(2, 9, 10)),
		HISTORY_FINE);
}

Test(history, a_read_beside_a_write_may_see_either)
{
	cr_assert_eq(JUDGE(W(1, 1, 2), W(2, 3, 6), R(1, 4, 5)), HISTORY_FINE);
	cr_assert_eq(JUDGE(W(1, 1, 2), W(2, 3, 6), R(2, 4, 5)), HISTORY_FINE);
}

Test(history, an_overwritten_value_is_gone)
{
	cr_assert_eq(JUDGE(W(1, 1, 2), W(2, 3, 4), R(1, 5, 6)), HISTORY_BACK_AGAIN);
	cr_assert_eq(culprit, 2);
}

Test(history, what_was_seen_is_not_unseen)
{
	/* Both reads are beside the write of 2, but the second sees the older value. */
	cr_assert_eq(JUDGE(W(1, 1, 2), W(2, 3, 10), R(2, 4, 5), R(1, 6, 7)), HISTORY_BACK_AGAIN);
	cr_assert_eq(JUDGE(W(1, 1, 2), W(2, 3, 10), R(1, 4, 5), R(2, 6, 7)), HISTORY_FINE);
}

Test(history, two_values_at_once)
{
	cr_assert_eq(JUDGE(W(1, 1, 4), W(2, 2, 3), R(1, 5, 6), R(2, 7, 8), R(1, 9, 10)),
		HISTORY_TWO_AT_ONCE);
}

Test(history, from_nowhere)
{
	cr_assert_eq(JUDGE(W(1, 1, 2), R(7, 3, 4)), HISTORY_NEVER_WRITTEN);
	cr_assert_eq(culprit, 7);
	cr_assert_eq(JUDGE(R(1, 1, 2), W(1, 3, 4)), HISTORY_BEFORE_ITS_TIME);
	cr_assert_eq(JUDGE(W(1, 1, 2), W(1, 3, 4)), HISTORY_WRITTEN_TWICE);
}

/* -- every order -- */

#define OPS_MAX 7

/* Whether the operations not yet in `done` can follow, the register holding `value`. */
static bool some_order(const struct history_op *ops, unsigned n, unsigned done, uint64_t value)
{
	uint64_t first_end = UINT64_MAX;

	if (done == (1u << n) - 1)
		return true;
	for (unsigned i = 0; i < n; i++)
		if (!(done & 1u << i) && ops[i].ended < first_end)
			first_end = ops[i].ended;
	for (unsigned i = 0; i < n; i++) {
		if ((done & 1u << i) || ops[i].began > first_end)
			continue;
		if (!ops[i].write && ops[i].value != value)
			continue;
		if (some_order(ops, n, done | 1u << i, ops[i].value))
			return true;
	}
	return false;
}

/* Writes of 1, 2, .. and reads of them, at times that are all different. */
static unsigned random_history(struct dice *dice, struct history_op *ops)
{
	unsigned n = 2 + dice_below(dice, OPS_MAX - 1), writes = 1 + dice_below(dice, 3);
	uint64_t times[2 * OPS_MAX];

	for (unsigned i = 0; i < 2 * n; i++) {
		unsigned at = dice_below(dice, i + 1);

		times[i] = times[at];
		times[at] = i + 1;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t a = times[2 * i], b = times[2 * i + 1];

		ops[i] = (struct history_op){ .began = a < b ? a : b, .ended = a < b ? b : a };
		ops[i].write = i < writes;
		ops[i].value = ops[i].write ? i + 1 : 1 + dice_below(dice, writes);
	}
	return n;
}

Test(history, agrees_with_trying_every_order, .timeout = 120)
{
	struct dice dice = { 2024 };
	unsigned fine = 0, faults = 0;

	for (unsigned i = 0; i < 200000; i++) {
		struct history_op ops[OPS_MAX];
		unsigned n = random_history(&dice, ops);
		bool possible = some_order(ops, n, 0, 0);

		cr_assert_eq(judge(ops, n) == HISTORY_FINE, possible, "history %u", i);
		fine += possible;
		faults += !possible;
	}
	cr_assert_gt(fine, 20000);
	cr_assert_gt(faults, 20000);
}
