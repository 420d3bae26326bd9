/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inner loops for any machine: a table of classes, a byte at a time. */
#ifndef SLUICE_XML_SKIP_SCALAR_H
#define SLUICE_XML_SKIP_SCALAR_H

#include "xml/skip.h"

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

static inline const char *skip_plain(const char *p, const char *end, unsigned wanted)
{
	for (;;) {
		const char *at = skip_class(p, end, wanted);

		if (at == end || (unsigned char)*at < 0x80)
			return at;
		p = skip_wide(at, end);
		if (p == at)
			return p;
	}
}

static inline const char *skip_text(const char *p, const char *end)
{
	return skip_plain(p, end, CHARS_TEXT);
}

static inline const char *skip_value(const char *p, const char *end)
{
	return skip_plain(p, end, CHARS_VALUE);
}

static inline const char *skip_name(const char *p, const char *end)
{
	while (p < end && chars_is((unsigned char)*p, CHARS_NAME))
		p++;
	return p;
}

#endif
