/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "core/base/spsc.h"

static void put(struct spsc *r, uint32_t v)
{
	uint32_t *slot = spsc_reserve(r);

	cr_assert_not_null(slot);
	*slot = v;
}

static uint32_t take(struct spsc *r)
{
	const uint32_t *slot = spsc_peek(r);
	uint32_t v;

	cr_assert_not_null(slot);
	v = *slot;
	spsc_release(r);
	return v;
}

Test(spsc, nothing_is_seen_before_it_is_published)
{
	struct spsc *r = spsc_new(4, sizeof(uint32_t));

	cr_assert_null(spsc_peek(r));
	cr_assert_not(spsc_publish(r));
	put(r, 1);
	put(r, 2);
	cr_assert_null(spsc_peek(r));
	cr_assert_not(spsc_nonempty(r));
	cr_assert(spsc_publish(r));
	cr_assert_not(spsc_publish(r));
	cr_assert(spsc_nonempty(r));
	cr_assert_eq(take(r), 1);
	cr_assert_eq(take(r), 2);
	cr_assert_null(spsc_peek(r));
	cr_assert_not(spsc_nonempty(r));
	spsc_free(r);
}

Test(spsc, peek_does_not_take)
{
	struct spsc *r = spsc_new(2, sizeof(uint32_t));

	put(r, 7);
	spsc_publish(r);
	cr_assert_eq(spsc_peek(r), spsc_peek(r));
	cr_assert_eq(take(r), 7);
	spsc_free(r);
}

Test(spsc, full)
{
	struct spsc *r = spsc_new(4, sizeof(uint32_t));

	/* Unpublished messages take room too. */
	for (uint32_t i = 0; i < 4; i++)
		put(r, i);
	cr_assert_null(spsc_reserve(r));
	spsc_publish(r);
	cr_assert_null(spsc_reserve(r));
	/* Looking at a message does not free its slot, giving it back does. */
	cr_assert_eq(*(const uint32_t *)spsc_peek(r), 0);
	cr_assert_null(spsc_reserve(r));
	spsc_release(r);
	put(r, 4);
	cr_assert_null(spsc_reserve(r));
	spsc_publish(r);
	for (uint32_t i = 1; i <= 4; i++)
		cr_assert_eq(take(r), i);
	spsc_free(r);
}

Test(spsc, capacity_of_one)
{
	struct spsc *r = spsc_new(1, sizeof(uint32_t));

	for (uint32_t i = 0; i < 1000; i++) {
		put(r, i);
		cr_assert_null(spsc_reserve(r));
		spsc_publish(r);
		cr_assert_eq(take(r), i);
	}
	spsc_free(r);
}

Test(spsc, slots_are_apart_and_aligned)
{
	struct spsc *r = spsc_new(8, 32);
	char *first = spsc_reserve(r);

	cr_assert_eq((uintptr_t)first % 64, 0);
	memset(first, 0xff, 32);
	for (int i = 1; i < 8; i++) {
		char *slot = spsc_reserve(r);

		cr_assert_eq(slot - first, i * 32);
		memset(slot, i, 32);
	}
	spsc_publish(r);
	cr_assert_eq(((const unsigned char *)spsc_peek(r))[31], 0xff);
	spsc_free(r);
}

/* Against a counter, with a fixed seed: any mix of calls on one thread. */
Test(spsc, model)
{
	uint32_t reserved = 0, published = 0, released = 0, state = 1;
	struct spsc *r = spsc_new(16, sizeof(uint32_t));

	for (int step = 0; step < 500000; step++) {
		state = state * 1664525 + 1013904223;
		switch (state >> 29) {
		case 0:
		case 1:
		case 2: {
			uint32_t *slot = spsc_reserve(r);

			cr_assert_eq(!slot, reserved - released == 16);
			if (slot)
				*slot = reserved++;
			break;
		}
		case 3:
			cr_assert_eq(spsc_publish(r), published != reserved);
			published = reserved;
			break;
		case 4:
			cr_assert_eq(spsc_nonempty(r), published != released);
			break;
		default:
			if (published == released)
				cr_assert_null(spsc_peek(r));
			else
				cr_assert_eq(take(r), released++);
		}
	}
	cr_assert_gt(released, 100000);
	spsc_free(r);
}

Test(spsc, release_without_a_message_is_a_bug, .signal = SIGABRT)
{
	close(2);
	spsc_release(spsc_new(4, 8));
}

Test(spsc, odd_capacity_is_a_bug, .signal = SIGABRT)
{
	close(2);
	spsc_free(spsc_new(6, 8));
}

Test(spsc, free_of_none)
{
	spsc_free(NULL);
}
