/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stanza needs so that its bytes mean the same on another stream (protocol
 * rule 8.6, docs/xml.md): declarations that it had from the stream's header,
 * xml:lang, no explicit content namespace, domains in canonical form. The stanza
 * is never re-serialised: the result is a list of pieces of the original with
 * little insertions between them. Lives on the stack; pieces die with the frame.
 */
#ifndef SLUICE_CORE_SPLICE_H
#define SLUICE_CORE_SPLICE_H

#include "xml/jid.h"
#include "xml/scan.h"

#define SPLICE_EDITS (FRAME_REDECLARED + LIMIT_ROOT_PREFIXES + 3)
#define SPLICE_PIECES (2 * SPLICE_EDITS + 1)

struct splice_edit {
	uint32_t off, cut; /* bytes of the original to leave out there */
	struct span insert;
};

/* What goes in behind the element's name is added before the cuts, one of which may begin there. */
struct splice {
	const struct frame *f;
	unsigned n;
	struct splice_edit edit[SPLICE_EDITS]; /* by offset */
};

void splice_init(struct splice *s, const struct frame *f);

/* ` xml:lang='..'` of the stream it came on, unless it has its own. Empty: none. */
void splice_lang(struct splice *s, struct span lang_attr);
/* Declarations of root prefixes that it uses. */
void splice_prefixes(struct splice *s, const struct scan *from);
/* Explicit declarations of the content namespace: cut out. */
void splice_content_ns(struct splice *s);
/* `part`, a piece of an attribute's value, is replaced with text that needs no escaping. */
void splice_value(struct splice *s, struct span part, struct span text);

/* Ready to be written. Returns the number of pieces. */
unsigned splice_pieces(const struct splice *s, struct span pieces[SPLICE_PIECES]);

#endif
