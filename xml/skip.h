/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scanner's inner loops: each walks over bytes that need no thought and
 * returns where thought is needed again, or end.
 *
 *   skip_text    passes legal characters other than '<' '&' ']'
 *   skip_value   passes legal characters other than both quotes '<' '&' TAB CR LF
 *                (those three change the value's meaning: protocol rule 7.6)
 *   skip_name    passes ASCII name characters, of which ':' is none; stops exactly
 *   skip_space   passes SP, TAB, CR, LF; stops exactly
 *
 * A loop never passes what it must not, and never part of a character. Text and
 * value may stop early before a control character and before any character from
 * U+0080 on, so a caller must be able to go on over one by itself. Up to SKIP_PAD
 * bytes behind end are read; what they hold does not matter to the result.
 *
 * skip_scalar.h, skip_sse2.h and skip_avx2.h each have the first three; a source
 * includes one of them. The fourth is the same for all: there is one blank or none.
 */
#ifndef SLUICE_XML_SKIP_H
#define SLUICE_XML_SKIP_H

#include <endian.h>

#include "xml/chars.h"

#define SKIP_PAD 64

static inline const char *skip_space(const char *p, const char *end)
{
	while (p < end && chars_is((unsigned char)*p, CHARS_SPACE))
		p++;
	return p;
}

/* Length of the character whose first four bytes are v, or 0 when it is none >= U+0080. */
static inline unsigned skip_wide_len(uint32_t v)
{
	uint32_t cp;

	if ((v & 0xc0e0) == 0x80c0)
		return (v & 0x1e) ? 2 : 0;
	if ((v & 0xc0c0f0) == 0x8080e0) {
		cp = (v & 0x0f) << 12 | (v >> 2 & 0xfc0) | (v >> 16 & 0x3f);
		return cp >= 0x800 && cp < 0xfffe && cp - 0xd800 >= 0x800 ? 3 : 0;
	}
	if ((v & 0xc0c0c0f8) == 0x808080f0) {
		cp = (v & 0x07) << 18 | (v << 4 & 0x3f000);
		return cp >= 0x10000 && cp < 0x110000 ? 4 : 0;
	}
	return 0;
}

/* Past the whole legal characters from U+0080 on that stand at p. */
static inline const char *skip_wide(const char *p, const char *end)
{
	for (;;) {
		uint32_t v;
		unsigned len;

		memcpy(&v, p, sizeof(v));
		len = skip_wide_len(le32toh(v));
		if (len == 0 || (size_t)(end - p) < len)
			return p;
		p += len;
	}
}

#endif
