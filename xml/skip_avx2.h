/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inner loops in steps of 32 bytes. A class of ASCII bytes is two tables of 16
 * bytes, looked up by the low and the high half of a byte: the byte is in the
 * class if the two have a bit in common. Other characters are checked in place, a
 * block at a time, after Keiser and Lemire, "Validating UTF-8 in less than one
 * instruction per byte" (2021).
 */
#ifndef SLUICE_XML_SKIP_AVX2_H
#define SLUICE_XML_SKIP_AVX2_H

#include <immintrin.h>

#include "xml/skip.h"

#define SKIP_STEP 32

struct skip_class {
	__m256i low, high;
};

#define SKIP_TABLE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

/*
 * Text: of the controls TAB, LF, CR (bit 0); all of 2x but '&' (bit 1), of 3x but
 * '<' (bit 2), of 5x but ']' (bit 3), all of 4x, 6x, 7x (bit 4).
 */
static inline struct skip_class skip_text_class(void)
{
	return (struct skip_class){
		SKIP_TABLE(30, 30, 30, 30, 30, 30, 28, 30, 30, 31, 31, 30, 26, 23, 30, 30),
		SKIP_TABLE(1, 0, 2, 4, 16, 8, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0),
	};
}

/* Values: all of 2x but both quotes and '&' (bit 1), of 3x but '<' (bit 2), 4x to 7x (bit 4). */
static inline struct skip_class skip_value_class(void)
{
	return (struct skip_class){
		SKIP_TABLE(22, 22, 20, 22, 22, 22, 20, 20, 22, 22, 22, 22, 18, 22, 22, 22),
		SKIP_TABLE(0, 0, 2, 4, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0),
	};
}

/*
 * Names: 1 to f of 4x and 6x (bit 0), 0 to a of 5x and 7x (bit 1), '_' (bit 2), '-'
 * and '.' (bit 3), digits (bit 4).
 */
static inline struct skip_class skip_name_class(void)
{
	return (struct skip_class){
		SKIP_TABLE(18, 19, 19, 19, 19, 19, 19, 19, 19, 19, 3, 1, 1, 9, 9, 5),
		SKIP_TABLE(0, 0, 8, 16, 1, 6, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0),
	};
}

static inline __m256i skip_load(const char *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline __m256i skip_high(__m256i v)
{
	return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0f));
}

/* One bit per byte of v that is not in the class; no byte >= 0x80 is. */
static inline uint32_t skip_stops(__m256i v, struct skip_class c)
{
	__m256i low = _mm256_shuffle_epi8(c.low, v);
	__m256i high = _mm256_shuffle_epi8(c.high, skip_high(v));
	__m256i none = _mm256_cmpeq_epi8(_mm256_and_si256(low, high), _mm256_setzero_si256());

	return (uint32_t)_mm256_movemask_epi8(none);
}

/* -- characters from U+0080 on -- */

/* What is wrong with two neighbouring bytes; an error where all three tables agree. */
#define SHORT 0x01 /* a lead byte without what must follow */
#define LONG 0x02 /* a continuation where there should be none */
#define OVER_3 0x04 /* e0 80..9f */
#define HIGH 0x08 /* f4 90.. and f5.. */
#define SURROGATE 0x10 /* ed a0..bf */
#define OVER_2 0x20 /* c0, c1 */
#define OVER_4 0x40 /* f0 80..8f; f5.. with 80..8f */
#define TWO ((char)0x80) /* two continuations: right where a third or fourth byte is due */
#define ANY (SHORT | LONG | TWO)

/* v shifted by n bytes, the last ones of the block before it in front. */
#define SKIP_BEFORE(v, before, n)                                                                  \
	_mm256_alignr_epi8(v, _mm256_permute2x128_si256(before, v, 0x21), 16 - (n))

static inline __m256i skip_pairs_wrong(__m256i v, __m256i prev1)
{
	const __m256i first_high = SKIP_TABLE(LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, TWO,
		TWO, TWO, TWO, SHORT | OVER_2, SHORT, SHORT | OVER_3 | SURROGATE,
		SHORT | HIGH | OVER_4);
	const __m256i first_low = SKIP_TABLE(ANY | OVER_2 | OVER_3 | OVER_4, ANY | OVER_2, ANY, ANY,
		ANY | HIGH, ANY | HIGH | OVER_4, ANY | HIGH | OVER_4, ANY | HIGH | OVER_4,
		ANY | HIGH | OVER_4, ANY | HIGH | OVER_4, ANY | HIGH | OVER_4, ANY | HIGH | OVER_4,
		ANY | HIGH | OVER_4, ANY | HIGH | OVER_4 | SURROGATE, ANY | HIGH | OVER_4,
		ANY | HIGH | OVER_4);
	const __m256i second_high = SKIP_TABLE(SHORT, SHORT, SHORT, SHORT, SHORT, SHORT, SHORT,
		SHORT, LONG | TWO | OVER_2 | OVER_3 | OVER_4, LONG | TWO | OVER_2 | OVER_3 | HIGH,
		LONG | TWO | OVER_2 | SURROGATE | HIGH, LONG | TWO | OVER_2 | SURROGATE | HIGH,
		SHORT, SHORT, SHORT, SHORT);
	__m256i a = _mm256_shuffle_epi8(first_high, skip_high(prev1));
	__m256i b = _mm256_shuffle_epi8(first_low, _mm256_and_si256(prev1, _mm256_set1_epi8(0x0f)));
	__m256i c = _mm256_shuffle_epi8(second_high, skip_high(v));

	return _mm256_and_si256(_mm256_and_si256(a, b), c);
}

/* One bit per byte at which a character turns out to be none, or U+FFFE or U+FFFF. */
static inline uint32_t skip_wide_wrong(__m256i v, __m256i before)
{
	__m256i prev1 = SKIP_BEFORE(v, before, 1);
	__m256i prev2 = SKIP_BEFORE(v, before, 2);
	__m256i prev3 = SKIP_BEFORE(v, before, 3);
	__m256i third = _mm256_subs_epu8(prev2, _mm256_set1_epi8((char)(0xe0 - 0x80)));
	__m256i fourth = _mm256_subs_epu8(prev3, _mm256_set1_epi8((char)(0xf0 - 0x80)));
	__m256i due = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(TWO));
	__m256i wrong = _mm256_xor_si256(due, skip_pairs_wrong(v, prev1));
	__m256i none = _mm256_cmpeq_epi8(_mm256_or_si256(v, _mm256_set1_epi8(1)),
		_mm256_set1_epi8((char)0xbf)); /* be, bf */

	none = _mm256_and_si256(none, _mm256_cmpeq_epi8(prev1, _mm256_set1_epi8((char)0xbf)));
	none = _mm256_and_si256(none, _mm256_cmpeq_epi8(prev2, _mm256_set1_epi8((char)0xef)));
	wrong = _mm256_cmpeq_epi8(wrong, _mm256_setzero_si256());
	return ~(uint32_t)_mm256_movemask_epi8(wrong) | (uint32_t)_mm256_movemask_epi8(none);
}

#undef SHORT
#undef LONG
#undef OVER_3
#undef HIGH
#undef SURROGATE
#undef OVER_2
#undef OVER_4
#undef TWO
#undef ANY

/* Back from p to where the character begins that is not complete there; start is a boundary. */
static inline const char *skip_back(const char *start, const char *p)
{
	for (int i = 1; i <= 3 && p - i >= start; i++) {
		unsigned char c = (unsigned char)p[-i];

		if (c >= 0xc0)
			return i == (c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4) ? p : p - i;
		if (c < 0x80)
			break;
	}
	return p;
}

/*
 * On from a character >= U+0080: over everything that may stand there, ASCII
 * included. The first byte that stops or is wrong may come behind the beginning
 * of a character that is not whole, and so may end.
 */
static inline const char *skip_mixed(const char *p, const char *end, struct skip_class c)
{
	const char *start = p;
	__m256i before = _mm256_setzero_si256();

	while (p < end) {
		__m256i v = skip_load(p);
		uint32_t stops = skip_stops(v, c) & ~(uint32_t)_mm256_movemask_epi8(v);

		stops |= skip_wide_wrong(v, before);
		if (stops) {
			p += __builtin_ctz(stops);
			break;
		}
		before = v;
		p += SKIP_STEP;
	}
	return skip_back(start, p < end ? p : end);
}

static inline const char *skip_plain(const char *p, const char *end, struct skip_class c)
{
	while (p < end) {
		uint32_t stops = skip_stops(skip_load(p), c);

		if (stops) {
			p += __builtin_ctz(stops);
			if (p >= end)
				return end;
			return (unsigned char)*p < 0x80 ? p : skip_mixed(p, end, c);
		}
		p += SKIP_STEP;
	}
	return end;
}

static inline const char *skip_text(const char *p, const char *end)
{
	return skip_plain(p, end, skip_text_class());
}

static inline const char *skip_value(const char *p, const char *end)
{
	return skip_plain(p, end, skip_value_class());
}

static inline const char *skip_name(const char *p, const char *end)
{
	while (p < end) {
		uint32_t stops = skip_stops(skip_load(p), skip_name_class());

		if (stops) {
			p += __builtin_ctz(stops);
			return p < end ? p : end;
		}
		p += SKIP_STEP;
	}
	return end;
}

#endif
