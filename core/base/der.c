/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/der.h"

#define TAG_NUMBER 0x1f /* all ones: the number follows in further octets */
#define LENGTH_LONG 0x80
#define LENGTH_OCTETS_MAX 4

static uint8_t octet(struct span s, size_t at)
{
	return (uint8_t)s.p[at];
}

/* Takes the length octets off `at`. */
static bool take_length(struct span *at, size_t *length)
{
	size_t octets, value = 0;
	uint8_t first;

	if (at->n == 0)
		return false;
	first = octet(*at, 0);
	*at = span_skip(*at, 1);
	if (first < LENGTH_LONG) {
		*length = first;
		return true;
	}
	/* None after it: the indefinite length of BER. */
	octets = first & ~LENGTH_LONG;
	if (octets == 0 || octets > LENGTH_OCTETS_MAX || at->n < octets || octet(*at, 0) == 0)
		return false;
	for (size_t i = 0; i < octets; i++)
		value = value << 8 | octet(*at, i);
	*at = span_skip(*at, octets);
	*length = value;
	return value >= LENGTH_LONG;
}

bool der_next(struct span *left, struct der_item *item)
{
	struct span at = *left;
	const char *start = left->p;
	size_t length;

	if (at.n == 0 || (octet(at, 0) & TAG_NUMBER) == TAG_NUMBER)
		return false;
	item->tag = octet(at, 0);
	at = span_skip(at, 1);
	if (!take_length(&at, &length) || length > at.n)
		return false;
	item->body = span_of(at.p, length);
	item->whole = span_of(start, (size_t)(at.p - start) + length);
	*left = span_skip(at, length);
	return true;
}

bool der_take(struct span *left, uint8_t tag, struct span *body)
{
	struct der_item item;

	if (!der_is_next(*left, tag) || !der_next(left, &item))
		return false;
	*body = item.body;
	return true;
}

bool der_take_whole(struct span *left, uint8_t tag, struct span *whole)
{
	struct der_item item;

	if (!der_is_next(*left, tag) || !der_next(left, &item))
		return false;
	*whole = item.whole;
	return true;
}

/* -- contents -- */

bool der_bool(struct span body, bool *value)
{
	if (body.n != 1 || (octet(body, 0) != 0 && octet(body, 0) != 0xff))
		return false;
	*value = octet(body, 0) != 0;
	return true;
}

/* The first nine bits are neither all zeros nor all ones. */
bool der_is_integer(struct span body)
{
	bool negative;

	if (body.n < 2)
		return body.n == 1;
	negative = octet(body, 1) & 0x80;
	return octet(body, 0) != (negative ? 0xff : 0x00);
}

bool der_octets(struct span body, struct span *octets)
{
	if (body.n < 2 || octet(body, 0) != 0)
		return false;
	*octets = span_skip(body, 1);
	return true;
}

bool der_named_bits(struct span body, uint16_t *bits)
{
	uint16_t value = 0;
	uint8_t unused, last;

	if (body.n == 0 || body.n > 3)
		return false;
	unused = octet(body, 0);
	*bits = 0;
	if (body.n == 1)
		return unused == 0;
	/* The last bit that is there is the last one set; those after it are zero. */
	last = octet(body, body.n - 1);
	if (last == 0 || unused != __builtin_ctz(last))
		return false;
	for (size_t i = 0; i < 8 * (body.n - 1); i++) {
		if (octet(body, 1 + i / 8) & 0x80 >> i % 8)
			value |= (uint16_t)(1u << i);
	}
	*bits = value;
	return true;
}

/* -- time -- */

/* `n` decimal digits, taken off `text`. */
static bool take_number(struct span *text, size_t n, unsigned min, unsigned max, unsigned *value)
{
	uint64_t v;

	if (text->n < n || !span_u64(span_of(text->p, n), max, &v) || v < min)
		return false;
	*value = (unsigned)v;
	*text = span_skip(*text, n);
	return true;
}

static unsigned month_days(unsigned year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01 in the Gregorian calendar. A year that begins in March has its leap day at
 * its end, and the months before are 153 days in five. */
static int64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool take_year(uint8_t tag, struct span *text, unsigned *year)
{
	if (tag == DER_GENERALIZED_TIME)
		return take_number(text, 4, 0, 9999, year);
	if (tag != DER_UTC_TIME || !take_number(text, 2, 0, 99, year))
		return false;
	*year += *year < 50 ? 2000 : 1900;
	return true;
}

bool der_time(const struct der_item *item, int64_t *seconds)
{
	struct span text = item->body;
	unsigned year, month, day, hour, minute, second;

	if (!take_year(item->tag, &text, &year) || !take_number(&text, 2, 1, 12, &month) ||
		!take_number(&text, 2, 1, month_days(year, month), &day) ||
		!take_number(&text, 2, 0, 23, &hour) || !take_number(&text, 2, 0, 59, &minute) ||
		!take_number(&text, 2, 0, 59, &second) || !span_is(text, "Z"))
		return false;
	*seconds = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
	return true;
}
