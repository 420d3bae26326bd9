/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes XML into a buffer of the caller's. The error is sticky: after the first
 * piece that does not fit, `overflow` is set and nothing more is written, so a
 * caller checks once at the end. Attribute values are quoted with apostrophes;
 * & < > " ' and TAB, LF, CR are escaped (rule 8.6), so that what a peer put into
 * an id comes out as the same characters and nothing else. Owner thread only.
 */
#ifndef SLUICE_XML_WRITER_H
#define SLUICE_XML_WRITER_H

#include "core/base/span.h"

struct writer {
	char *p;
	size_t cap, n;
	bool overflow;
};

#define WRITER(buf) ((struct writer){ (buf), sizeof(buf), 0, false })

void writer_raw(struct writer *w, struct span s); /* bytes that are XML already */
void writer_lit(struct writer *w, const char *s); /* the same from a literal */
void writer_text(struct writer *w, struct span s); /* character data, escaped */
void writer_value(struct writer *w, struct span value); /* what stands between the quotes */
void writer_attr(struct writer *w, const char *name, struct span value); /* " name='value'" */
/* The same, but nothing when value.p is NULL. */
void writer_attr_opt(struct writer *w, const char *name, struct span value);
void writer_u64(struct writer *w, uint64_t v);

static inline struct span writer_span(const struct writer *w)
{
	return span_of(w->p, w->n);
}

#endif
