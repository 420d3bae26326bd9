/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/base/der_build.h"

TestSuite(der, .timeout = 120);

/* -- items -- */

static bool next_of(struct span raw, struct der_item *item)
{
	/* Memory of exactly that size: the sanitizer sees what is read behind it. */
	static char *copy;
	struct span left;
	bool ok;

	free(copy);
	copy = malloc(raw.n ? raw.n : 1);
	memcpy(copy, raw.p, raw.n);
	left = span_of(copy, raw.n);
	ok = der_next(&left, item);
	if (ok) {
		cr_assert(item->whole.p == copy && left.p == copy + item->whole.n);
		cr_assert(item->body.p + item->body.n == left.p);
		cr_assert(left.n == raw.n - item->whole.n);
	} else {
		cr_assert(left.p == copy && left.n == raw.n);
	}
	return ok;
}

static bool refused(struct span raw)
{
	struct der_item item;

	return !next_of(raw, &item);
}

Test(der, item)
{
	struct der_item item;

	cr_assert(next_of(BYTES("\x04\x02ok rest"), &item));
	cr_assert_eq(item.tag, DER_OCTET_STRING);
	cr_assert(span_is(item.body, "ok"));
	cr_assert_eq(item.whole.n, 4);
	cr_assert(next_of(BYTES("\x30\x00"), &item));
	cr_assert_eq(item.body.n, 0);
}

Test(der, an_item_has_to_be_whole)
{
	cr_assert(refused(NOTHING));
	cr_assert(refused(BYTES("\x04")));
	cr_assert(refused(BYTES("\x04\x01")));
	cr_assert(refused(BYTES("\x04\x03ok")));
	cr_assert(refused(BYTES("\x04\x81")));
	cr_assert(refused(BYTES("\x04\x82\x01")));
	cr_assert(refused(BYTES("\x04\x84\xff\xff\xff\xff")));
}

/* A length in the first form that holds it, and definite. */
Test(der, length_has_one_form)
{
	static const size_t sizes[] = { 0, 1, 127, 128, 255, 256, 65535, 65536 };
	static char body[65536];
	struct der_item item;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		cr_assert(next_of(build_tlv(DER_OCTET_STRING, span_of(body, sizes[i])), &item));
		cr_assert_eq(item.body.n, sizes[i]);
		build_reset();
	}
	cr_assert(refused(JOIN(BYTES("\x04\x81\x7f"), span_of(body, 127))));
	cr_assert(refused(JOIN(BYTES("\x04\x82\x00\x80"), span_of(body, 128))));
	cr_assert(refused(JOIN(BYTES("\x04\x83\x00\x01\x00"), span_of(body, 256))));
	cr_assert(refused(JOIN(BYTES("\x04\x85\x00\x00\x00\x01\x00"), span_of(body, 256))));
	cr_assert(refused(JOIN(BYTES("\x04\x85\x01\x00\x00\x00\x00"), span_of(body, 256))));
	cr_assert(refused(BYTES("\x30\x80\x00\x00")), "indefinite");
	cr_assert(refused(BYTES("\x04\xff\x00")), "reserved");
}

Test(der, long_tag_refused)
{
	cr_assert(refused(BYTES("\x1f\x01\x00")));
	cr_assert(refused(BYTES("\xbf\x81\x00\x00")));
}

Test(der, take_wants_the_tag)
{
	struct span left = BYTES("\x02\x01\x05\x04\x00"), body;

	cr_assert_not(der_take(&left, DER_OCTET_STRING, &body));
	cr_assert(der_is_next(left, DER_INTEGER));
	cr_assert(der_take(&left, DER_INTEGER, &body));
	cr_assert_eq(body.n, 1);
	cr_assert(der_take_whole(&left, DER_OCTET_STRING, &body));
	cr_assert_eq(body.n, 2);
	cr_assert_not(der_is_next(left, DER_OCTET_STRING));
	cr_assert_not(der_take(&left, DER_OCTET_STRING, &body));
}

/* -- contents -- */

Test(der, boolean)
{
	bool value = false;

	cr_assert(der_bool(BYTES("\xff"), &value) && value);
	cr_assert(der_bool(BYTES("\x00"), &value) && !value);
	cr_assert_not(der_bool(BYTES("\x01"), &value), "true of BER");
	cr_assert_not(der_bool(NOTHING, &value));
	cr_assert_not(der_bool(BYTES("\xff\xff"), &value));
}

Test(der, integer)
{
	cr_assert(der_is_integer(BYTES("\x00")));
	cr_assert(der_is_integer(BYTES("\xff")));
	cr_assert(der_is_integer(BYTES("\x00\x80")));
	cr_assert(der_is_integer(BYTES("\xff\x7f")));
	cr_assert(der_is_integer(BYTES("\x01\x00")));
	cr_assert_not(der_is_integer(NOTHING));
	cr_assert_not(der_is_integer(BYTES("\x00\x7f")));
	cr_assert_not(der_is_integer(BYTES("\xff\x80")));
}

Test(der, octets_of_a_bit_string)
{
	struct span octets;

	cr_assert(der_octets(BYTES("\x00key"), &octets) && span_is(octets, "key"));
	cr_assert_not(der_octets(BYTES("\x01\x02"), &octets));
	cr_assert_not(der_octets(BYTES("\x00"), &octets));
	cr_assert_not(der_octets(NOTHING, &octets));
}

Test(der, named_bits)
{
	uint16_t bits;

	cr_assert(der_named_bits(BYTES("\x07\x80"), &bits) && bits == 0x01);
	cr_assert(der_named_bits(BYTES("\x05\xa0"), &bits) && bits == 0x05);
	cr_assert(der_named_bits(BYTES("\x07\x00\x80"), &bits) && bits == 0x100);
	cr_assert(der_named_bits(BYTES("\x00\x00\x01"), &bits) && bits == 0x8000);
	cr_assert(der_named_bits(BYTES("\x00"), &bits) && bits == 0);
	cr_assert_not(der_named_bits(NOTHING, &bits));
	cr_assert_not(der_named_bits(BYTES("\x01"), &bits), "unused bits of nothing");
	cr_assert_not(der_named_bits(BYTES("\x00\x80"), &bits), "a zero at the end");
	cr_assert_not(der_named_bits(BYTES("\x06\x81"), &bits), "an unused bit is set");
	cr_assert_not(der_named_bits(BYTES("\x00\x80\x00"), &bits), "eight zeros at the end");
	cr_assert_not(der_named_bits(BYTES("\x08\x80"), &bits));
	cr_assert_not(der_named_bits(BYTES("\xff\x80"), &bits));
	cr_assert_not(der_named_bits(BYTES("\x00\x01\x01\x01"), &bits), "too many");
}

/* -- time -- */

static bool time_of(uint8_t tag, const char *text, int64_t *seconds)
{
	struct der_item item = { .tag = tag, .body = span_str(text) };

	return der_time(&item, seconds);
}

static int64_t utc(const char *text)
{
	int64_t seconds;

	cr_assert(time_of(DER_UTC_TIME, text, &seconds), "%s", text);
	return seconds;
}

static int64_t generalized(const char *text)
{
	int64_t seconds;

	cr_assert(time_of(DER_GENERALIZED_TIME, text, &seconds), "%s", text);
	return seconds;
}

Test(der, time)
{
	cr_assert_eq(utc("700101000000Z"), 0);
	cr_assert_eq(utc("691231235959Z"), -1);
	cr_assert_eq(utc("261122224719Z"), 1795387639);
	cr_assert_eq(utc("491231235959Z"), 2524607999);
	cr_assert_eq(utc("500101000000Z"), -631152000, "1950");
	cr_assert_eq(generalized("20500101000000Z"), 2524608000);
	cr_assert_eq(generalized("20000229120000Z"), utc("000229120000Z"));
	cr_assert_eq(generalized("99991231235959Z"), 253402300799);
}

/* Every day from the year 0 on, against the C library's calendar. */
Test(der, time_as_in_the_calendar_of_libc)
{
	char text[20];
	struct tm tm;

	for (int64_t day = -719528; day <= 2932896; day++) {
		time_t t = (time_t)(day * 86400 + 3723);

		cr_assert_not_null(gmtime_r(&t, &tm));
		cr_assert_eq(snprintf(text, sizeof(text), "%04u%02u%02u010203Z",
				     (unsigned)tm.tm_year + 1900, (unsigned)tm.tm_mon + 1,
				     (unsigned)tm.tm_mday),
			15);
		cr_assert_eq(generalized(text), t, "%s", text);
	}
}

Test(der, time_has_one_form)
{
	static const char *const bad_utc[] = { "", "Z", "2601010000Z", "260101000000",
		"260101000000z", "260101000000+0000", "260101000000.5Z", "260101000000Z0",
		"20260101000000Z", "260001000000Z", "261301000000Z", "260100000000Z",
		"260132000000Z", "260229000000Z", "260431000000Z", "260101240000Z", "260101006000Z",
		"260101000060Z", "26 101000000Z", "+60101000000Z", "-60101000000Z" };
	static const char *const bad_generalized[] = { "260101000000Z", "20260101000000",
		"20260101000000.0Z", "20260101000000-0500", "202601010000Z", "19000229000000Z",
		"21000229000000Z" };
	int64_t seconds;

	for (size_t i = 0; i < ARRAY_LEN(bad_utc); i++)
		cr_assert_not(time_of(DER_UTC_TIME, bad_utc[i], &seconds), "%s", bad_utc[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad_generalized); i++)
		cr_assert_not(time_of(DER_GENERALIZED_TIME, bad_generalized[i], &seconds), "%s",
			bad_generalized[i]);
	cr_assert_not(time_of(DER_IA5_STRING, "260101000000Z", &seconds));
}
