/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Characters of XML 1.0: which code points may stand where, UTF-8 in both
 * directions, and the text behind an attribute value's references.
 *
 * Names come in two editions. The fifth lets nearly everything in; expat, and
 * with it Prosody and ejabberd, still reads names by the fourth, whose set is
 * smaller (tests/unit/xml/test_chars.c proves both statements for every code
 * point). Any thread; pure functions.
 */
#ifndef SLUICE_XML_CHARS_H
#define SLUICE_XML_CHARS_H

#include "core/base/span.h"

/* Classes of an ASCII byte; bytes from 0x80 on have none. */
enum chars_class {
	CHARS_START = 1 << 0, /* begins a name; ':' does not, it is a separator here */
	CHARS_NAME = 1 << 1, /* goes on in a name; ':' does not */
	CHARS_SPACE = 1 << 2,
	CHARS_TEXT = 1 << 3, /* plain in character data: no '<' '&' ']' */
	CHARS_VALUE = 1 << 4, /* plain in an attribute value: no '<' '&' quotes TAB CR LF */
	CHARS_LEGAL = 1 << 5, /* an XML Char at all */
};

extern const uint8_t chars_class[256];

static inline bool chars_is(unsigned char c, unsigned classes)
{
	return (chars_class[c] & classes) != 0;
}

/*
 * The first code point of p[0..n): its length in bytes, 0 when more bytes are
 * needed to tell, -1 when it is no UTF-8 (Unicode table 3-7: no overlong forms,
 * no surrogates, nothing above U+10FFFF). What can be told early is told early.
 */
int chars_decode(const char *p, size_t n, uint32_t *cp);

/* Bytes written; cp must be a Unicode scalar value. */
int chars_encode(uint32_t cp, char out[4]);

bool chars_is_char(uint32_t cp); /* XML 1.0 production [2] */
bool chars_is_name_start(uint32_t cp); /* fifth edition, without ':' */
bool chars_is_name(uint32_t cp);
bool chars_is_name_start_4e(uint32_t cp); /* fourth edition, without ':' */
bool chars_is_name_4e(uint32_t cp);

/*
 * The reference at the start of s ("&amp;", "&#65;"): its length in bytes and the
 * code point that it stands for, or 0 when it is none of the legal ones.
 */
size_t chars_reference(struct span s, uint32_t *cp);

/*
 * A raw attribute value -> its characters: references resolved; TAB, LF, CR and
 * CR LF that stand literally turned into one space (XML 1.0 sections 2.11 and
 * 3.3.3). False when cap is too small or a reference is broken.
 */
bool chars_decode_value(struct span raw, char *out, size_t cap, size_t *len) MUST_CHECK;

#endif
