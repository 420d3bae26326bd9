/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scanner's inner loops. Each walks over bytes that need no thought and
 * returns where thought is needed again, or end. They may read up to SKIP_PAD
 * bytes behind end, whose content must not matter to the result, and are free
 * to stop early where the contract says "may", so that a version with wide
 * loads and coarser comparisons can take their place.
 *
 *   skip_text    stops at '<' '&' ']', at a byte >= 0x80, and at a control
 *                character that is no XML Char; may stop at any byte < 0x20
 *   skip_value   stops at either quote, '<' '&', >= 0x80 and at every byte < 0x20
 *                (TAB, CR and LF change the value's meaning: 7.6)
 *   skip_name    stops at the first byte that is no ASCII name character; ':' is none
 *   skip_space   stops at the first byte other than SP, TAB, CR, LF
 */
#ifndef SLUICE_XML_SKIP_H
#define SLUICE_XML_SKIP_H

#include "xml/chars.h"

#define SKIP_PAD 64
#define SKIP_STEP 8

/* The bytes before end that are in the class; whole steps first, so end is checked once a step. */
static inline const char *skip_class(const char *p, const char *end, unsigned wanted)
{
	while (p < end) {
		for (unsigned i = 0; i < SKIP_STEP; i++)
			if (!chars_is((unsigned char)p[i], wanted))
				return p + i < end ? p + i : end;
		p += SKIP_STEP;
	}
	return end;
}

static inline const char *skip_text(const char *p, const char *end)
{
	return skip_class(p, end, CHARS_TEXT);
}

static inline const char *skip_value(const char *p, const char *end)
{
	return skip_class(p, end, CHARS_VALUE);
}

static inline const char *skip_name(const char *p, const char *end)
{
	while (p < end && chars_is((unsigned char)*p, CHARS_NAME))
		p++;
	return p;
}

static inline const char *skip_space(const char *p, const char *end)
{
	while (p < end && chars_is((unsigned char)*p, CHARS_SPACE))
		p++;
	return p;
}

#endif
