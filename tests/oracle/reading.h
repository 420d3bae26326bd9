/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How one parser read one whole document: a stream from its header to its end tag.
 * Made by oracle_libxml2_read or oracle_expat_read, whole documents only: the one
 * mode in which both parsers are sound (docs/xml.md). One thread; lives until it
 * is read into again.
 */
#ifndef ORACLE_READING_H
#define ORACLE_READING_H

#include "core/base/limits.h"
#include "tests/oracle/events.h"

/* An element directly below the root. */
struct reading_element {
	size_t end; /* offset in the document behind its last byte */
	struct part events;
	/* What only libxml2 tells, whose start tags come with prefixes and declarations. */
	struct events_name name;
	struct part from, to, id, type; /* values, decoded */
	bool has_lang;
	unsigned attrs; /* with declarations, but without those of the prefix xml */
	/* Prefixes that it borrows from the root, each once. */
	unsigned n_borrowed;
	struct part borrowed[LIMIT_ROOT_PREFIXES];
	/*
	 * Content elements outside every extension element: default declarations of the
	 * content namespace on them, and whether one of them has a prefix.
	 */
	unsigned redeclared;
	bool content_prefixed;
};

struct reading {
	bool accepted;
	char why[160]; /* when not: NUL-terminated */
	size_t refused_at; /* expat: offset of what it would not have */
	struct events events; /* of the elements below the root; text at depth 1 is not in it */
	bool stray; /* character data other than white space at depth 1 */
	unsigned n, cap;
	struct reading_element *element;
	/* The root. libxml2 alone tells the declarations, as "prefix=URI" lines. */
	struct events root; /* its start and its attributes */
	struct events root_decls;
	struct events_name root_name;
	struct part root_default; /* in root_decls: its default namespace */
	struct span content; /* the content namespace that it sets (scan.h), static; or empty */
};

void reading_clear(struct reading *r);
void reading_free(struct reading *r);

/* Another element; zeroed but for where its events begin. */
struct reading_element *reading_add(struct reading *r);

/* All events of element number i. */
struct span reading_events(const struct reading *r, unsigned i);

/* The first reason counts. */
void reading_refuse(struct reading *r, const char *why);

/* Character data directly inside the root. */
void reading_between(struct reading *r, struct span text);

#endif
