/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inner loops in steps of 16 bytes, with what every x86-64 has. */
#ifndef SLUICE_XML_SKIP_SSE2_H
#define SLUICE_XML_SKIP_SSE2_H

#include <emmintrin.h>

#include "xml/skip.h"

#define SKIP_STEP 16

static inline __m128i skip_load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline __m128i skip_is(__m128i v, char c)
{
	return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

/* Bytes from first on, `more` of them beside it. */
static inline __m128i skip_within(__m128i v, char first, char more)
{
	__m128i off = _mm_sub_epi8(v, _mm_set1_epi8(first));

	return _mm_cmpeq_epi8(_mm_min_epu8(off, _mm_set1_epi8(more)), off);
}

/* As signed numbers the bytes from 0x80 on are below the controls: one comparison for both. */
static inline __m128i skip_odd(__m128i v)
{
	return _mm_cmpgt_epi8(_mm_set1_epi8(0x20), v);
}

static inline unsigned skip_text_stops(__m128i v)
{
	__m128i markup = _mm_or_si128(skip_is(v, '<'), skip_is(v, '&'));

	return (unsigned)_mm_movemask_epi8(
		_mm_or_si128(_mm_or_si128(markup, skip_is(v, ']')), skip_odd(v)));
}

static inline unsigned skip_value_stops(__m128i v)
{
	/* '&' and '\'' are neighbours */
	__m128i markup = _mm_or_si128(skip_is(v, '<'), skip_within(v, '&', 1));

	return (unsigned)_mm_movemask_epi8(
		_mm_or_si128(_mm_or_si128(markup, skip_is(v, '"')), skip_odd(v)));
}

static inline unsigned skip_name_stops(__m128i v)
{
	__m128i letter = skip_within(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 25);
	__m128i other = _mm_andnot_si128(skip_is(v, '/'), skip_within(v, '-', '9' - '-'));
	__m128i name = _mm_or_si128(_mm_or_si128(letter, other), skip_is(v, '_'));

	return (unsigned)_mm_movemask_epi8(name) ^ 0xffffu;
}

/* Text or a value; inlined, so that each has its own loop. */
static inline const char *skip_plain(const char *p, const char *end, bool value)
{
	while (p < end) {
		__m128i v = skip_load(p);
		unsigned stops = value ? skip_value_stops(v) : skip_text_stops(v);
		const char *at = p + SKIP_STEP;

		if (stops) {
			p += __builtin_ctz(stops);
			if (p >= end)
				return end;
			at = skip_wide(p, end);
			if (at == p)
				return p;
		}
		p = at;
	}
	return end;
}

static inline const char *skip_text(const char *p, const char *end)
{
	return skip_plain(p, end, false);
}

static inline const char *skip_value(const char *p, const char *end)
{
	return skip_plain(p, end, true);
}

static inline const char *skip_name(const char *p, const char *end)
{
	while (p < end) {
		unsigned stops = skip_name_stops(skip_load(p));

		if (stops) {
			p += __builtin_ctz(stops);
			return p < end ? p : end;
		}
		p += SKIP_STEP;
	}
	return end;
}

#endif
