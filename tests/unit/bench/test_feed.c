/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/feed.h"

#include <criterion/criterion.h>

static struct names names;
static struct shapes shapes;
static struct ledger ledger;
static struct feed feed;

static void set_up(void)
{
	cr_assert(names_init(&names, "o.test", 10, 0, NULL, "b.test", 2, 1));
	shapes_init(&shapes, 296, 7);
	ledger_init(&ledger, 10);
	feed_init(&feed, &names, &shapes, &ledger, NAMES_IN);
}

static void tear_down(void)
{
	ledger_free(&ledger);
	shapes_free(&shapes);
	names_free(&names);
}

TestSuite(feed, .init = set_up, .fini = tear_down);

Test(feed, shares_add_up_and_follow_the_numbers_of_pairs)
{
	struct share s[4] = { { .feed = &feed, .n_pairs = 1 }, { .feed = &feed, .n_pairs = 0 },
		{ .feed = &feed, .n_pairs = 6 }, { .feed = &feed, .n_pairs = 3 } };
	struct share *all[] = { &s[0], &s[1], &s[2], &s[3] };

	pace_begin(&feed.pace, 1001, 0, false, 1, 5);
	feed_divide(&feed, all, 4);
	cr_expect_eq(s[0].quota + s[1].quota + s[2].quota + s[3].quota, 1001);
	cr_expect_eq(s[1].quota, 0);
	cr_expect_eq(s[0].quota, 100);
	cr_expect_eq(s[3].quota, 300);
	/* Both halves end at the middle. */
	cr_expect_eq(share_due(&s[3], 5), 150);
	s[3].slot = 150;
	cr_expect_eq(share_due(&s[3], 5), 150);
	cr_expect_eq(share_due(&s[1], 5), 0);
}

Test(feed, stanzas_are_of_the_pairs_in_turn_and_booked)
{
	uint32_t pairs[] = { 3, 8 };
	struct share s = { .feed = &feed, .pairs = pairs, .n_pairs = 2 }, *all[] = { &s };
	struct wire w = { .source.fd = -1 };
	const char *p;
	struct marker m;

	pace_begin(&feed.pace, 6, 0, false, 1, 5);
	feed_divide(&feed, all, 1);
	share_append(&s, &w, 3, 99);
	cr_expect_eq(s.slot, 3);
	cr_expect_eq(feed.stanzas, 3);
	cr_expect_eq(feed.bytes, wire_pending(&w));
	cr_expect_eq(ledger.pairs[3].sent, 2);
	cr_expect_eq(ledger.pairs[8].sent, 1);
	p = w.out;
	for (uint32_t i = 0; i < 3; i++, p++) {
		p = memchr(p, '~', (size_t)(w.out + w.end - p));
		cr_assert(p && shapes_read(p, &m));
		cr_expect_eq(m.pair, pairs[i % 2]);
		cr_expect_eq(m.number, i / 2);
		cr_expect_eq(m.time, 99);
	}
	free(w.out);
}

Test(feed, what_is_skipped_is_never_sent)
{
	uint32_t pairs[] = { 0 };
	struct share s = { .feed = &feed, .pairs = pairs, .n_pairs = 1 }, *all[] = { &s };

	pace_begin(&feed.pace, 1000, 1000, false, 1, NS_PER_S);
	feed_divide(&feed, all, 1);
	cr_expect_eq(share_due(&s, NS_PER_S + 200 * NS_PER_MS), 201);
	cr_expect_eq(share_skip(&s, NS_PER_S + 200 * NS_PER_MS), 201);
	cr_expect_eq(share_due(&s, NS_PER_S + 200 * NS_PER_MS), 0);
	cr_expect_eq(share_due(&s, NS_PER_S + 201 * NS_PER_MS), 1);
}
