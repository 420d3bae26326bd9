/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/pins.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "core/base/limits.h"
#include "dialback/identity.h"

#define START 5000000

static struct pins *p;
static uint64_t now;

static void init(void)
{
	now = START;
	p = pins_new(now);
}

static void fini(void)
{
	pins_free(p);
}

TestSuite(pins, .init = init, .fini = fini);

#define R1 SPAN_LIT("rx.peer.test")
#define R2 SPAN_LIT("other.peer.test")

/* A key of that many keys. */
static struct span key(unsigned n)
{
	static char keys[8][IDENTITY_KEY];

	memset(keys[n], (int)n, IDENTITY_KEY);
	return span_of(keys[n], IDENTITY_KEY);
}

static enum pin look(struct span domain, struct span spki)
{
	return pins_look(p, domain, spki, now);
}

static void keep(struct span domain, struct span spki)
{
	pins_keep(p, domain, spki, now);
}

Test(pins, first_seen)
{
	cr_assert_eq(look(R1, key(1)), PIN_NEW);
	cr_assert_eq(look(R1, SPAN_NONE), PIN_NEW);
	keep(R1, key(1));
	cr_assert_eq(look(R1, key(1)), PIN_KNOWN);
	cr_assert_eq(look(R2, key(1)), PIN_NEW, "what one domain has says nothing of another");
}

Test(pins, T_Z15_another_key)
{
	keep(R1, key(1));
	keep(R2, key(3));
	cr_assert_eq(look(R1, key(2)), PIN_CHANGED);
	cr_assert_eq(look(R1, key(2)), PIN_CHANGED, "asking changes nothing");
	cr_assert_eq(look(R1, key(1)), PIN_KNOWN);
	cr_assert_eq(look(R2, key(3)), PIN_KNOWN);
}

Test(pins, T_Z15_the_key_before_is_known_still)
{
	keep(R1, key(1));
	keep(R1, key(2));
	cr_assert_eq(look(R1, key(2)), PIN_KNOWN);
	cr_assert_eq(look(R1, key(1)), PIN_KNOWN);
	cr_assert_eq(look(R1, key(3)), PIN_CHANGED);
	keep(R1, key(1));
	cr_assert_eq(look(R1, key(2)), PIN_KNOWN, "to and fro");
	keep(R1, key(3));
	cr_assert_eq(look(R1, key(3)), PIN_KNOWN);
	cr_assert_eq(look(R1, key(2)), PIN_KNOWN);
	cr_assert_eq(look(R1, key(1)), PIN_CHANGED, "two, and no more");
}

Test(pins, T_Z16_no_key)
{
	keep(R1, key(1));
	cr_assert_eq(look(R1, SPAN_NONE), PIN_WEAKER);
	cr_assert_eq(look(R2, SPAN_NONE), PIN_NEW);
	keep(R1, key(2));
	cr_assert_eq(look(R1, SPAN_NONE), PIN_WEAKER);
}

Test(pins, forgotten_by_the_operator)
{
	keep(R1, key(1));
	keep(R1, key(2));
	keep(R2, key(1));
	pins_forget(p, R1, now);
	pins_forget(p, SPAN_LIT("never.seen.test"), now);
	cr_assert_eq(look(R1, SPAN_NONE), PIN_NEW);
	cr_assert_eq(look(R1, key(3)), PIN_NEW);
	keep(R1, key(3));
	cr_assert_eq(look(R1, key(2)), PIN_CHANGED, "nothing of before is left");
	cr_assert_eq(look(R2, key(1)), PIN_KNOWN);
}

Test(pins, forgotten_in_time)
{
	keep(R1, key(1));
	now += HOLD_PIN_MS - 1000;
	cr_assert_eq(look(R1, key(2)), PIN_CHANGED);
	now += 1000;
	cr_assert_eq(look(R1, key(2)), PIN_NEW);
	cr_assert_eq(look(R1, SPAN_NONE), PIN_NEW);
}

/* The days count from the last time, not from the first. */
Test(pins, seen_again_it_lives_on)
{
	keep(R1, key(1));
	keep(R1, key(2));
	for (unsigned day = 0; day < 100; day++) {
		now += PIN_RENEWS_MS;
		keep(R1, key(1));
		keep(R1, key(2));
	}
	cr_assert_eq(look(R1, key(1)), PIN_KNOWN);
	cr_assert_eq(look(R1, key(2)), PIN_KNOWN);
	now += HOLD_PIN_MS - PIN_RENEWS_MS;
	cr_assert_eq(look(R1, key(3)), PIN_CHANGED);
}

/* Only the key before is used: it is remembered for longer than the other. */
Test(pins, the_key_of_somebody_passing_is_forgotten_first)
{
	keep(R1, key(1));
	keep(R1, key(2));
	for (unsigned day = 0; day < 31; day++) {
		now += PIN_RENEWS_MS;
		keep(R1, key(1));
	}
	cr_assert_eq(look(R1, key(1)), PIN_KNOWN);
	cr_assert_eq(look(R1, key(2)), PIN_CHANGED);
}

/* -- floods -- */

/* So many names, each of them proven so many times. */
static void flood(unsigned names, unsigned times)
{
	char name[40];

	for (unsigned i = 0; i < names; i++) {
		int n = snprintf(name, sizeof(name), "x%u.evil.test", i);

		for (unsigned j = 0; j < times; j++)
			keep(span_of(name, (size_t)n), key(7));
	}
}

/* Of a hundred domains: n with keys that are known. */
static unsigned known(const char *stem, enum pin expected, struct span spki)
{
	unsigned n = 0;
	char name[40];

	for (unsigned i = 0; i < 100; i++) {
		int len = snprintf(name, sizeof(name), "%s%u.peer.test", stem, i);
		enum pin pin = look(span_of(name, (size_t)len), spki);

		cr_assert(pin == expected || pin == PIN_NEW, "an alarm without a cause");
		n += pin == expected;
	}
	return n;
}

static void seen(const char *stem)
{
	char name[40];

	for (unsigned i = 0; i < 100; i++) {
		int len = snprintf(name, sizeof(name), "%s%u.peer.test", stem, i);

		keep(span_of(name, (size_t)len), key(1));
	}
}

Test(pins, a_flood_leaves_settled_pins_in_use_alone)
{
	seen("old");
	now += PIN_SETTLES_MS;
	seen("old"); /* settled */
	seen("old"); /* asked for */
	seen("new");
	flood(1000000, 2);
	cr_assert_eq(known("old", PIN_KNOWN, key(1)), 100);
	cr_assert_eq(known("old", PIN_CHANGED, key(2)), 100);
	cr_assert_eq(known("old", PIN_WEAKER, SPAN_NONE), 100);
	cr_assert_lt(known("new", PIN_KNOWN, key(1)), 50, "these are what it pushes out");
}

/* Forgotten is new; it is never changed. */
Test(pins, what_was_displaced_is_no_cause_for_an_alarm)
{
	char name[40];

	for (unsigned i = 0; i < 100; i++) {
		int len = snprintf(name, sizeof(name), "two%u.peer.test", i);

		keep(span_of(name, (size_t)len), key(1));
		keep(span_of(name, (size_t)len), key(2));
	}
	flood(400000, 2);
	cr_assert_lt(known("two", PIN_KNOWN, key(1)), 100);
	cr_assert_lt(known("two", PIN_KNOWN, key(2)), 100);
}

/* One of the two was displaced: the other key is taken for it, and then there are two again. */
Test(pins, half_forgotten)
{
	unsigned again = 0;
	char name[40];

	for (unsigned i = 0; i < 100; i++) {
		int len = snprintf(name, sizeof(name), "two%u.peer.test", i);

		keep(span_of(name, (size_t)len), key(1));
		keep(span_of(name, (size_t)len), key(2));
	}
	flood(200000, 1);
	for (unsigned i = 0; i < 100; i++) {
		int len = snprintf(name, sizeof(name), "two%u.peer.test", i);
		struct span domain = span_of(name, (size_t)len);

		if (look(domain, key(2)) != PIN_KNOWN || look(domain, key(1)) != PIN_NEW)
			continue;
		again++;
		keep(domain, key(1));
		cr_assert_eq(look(domain, key(1)), PIN_KNOWN);
		cr_assert_eq(look(domain, key(2)), PIN_KNOWN);
		cr_assert_eq(look(domain, key(3)), PIN_CHANGED);
	}
	cr_assert_gt(again, 0);
}
