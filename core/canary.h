/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The canary (--xml-check): stanzas that the scanner has accepted are parsed by
 * libxml2 as well, and all that the router takes from the scanner's frame is
 * compared with what libxml2 reads. One of the two is wrong where they differ,
 * and a peer that knows it could smuggle stanzas (docs/xml.md): the stanza is
 * counted, told to the operator and refused, and nothing else of its stream is.
 *
 * Compared are name and kind (namespace), from, to, id, type, xml:lang, the
 * number of attributes and declarations, the flags EMPTY, ADDR_DECODED and
 * NS_OVERFLOW, how often the content namespace is redeclared, and, since libxml2
 * gets only those declarations of the stream's header that the frame says it
 * borrows, that it borrows no others. What libxml2 cannot judge is not compared:
 * FRAME_NAME_5E (it knows the fifth edition only) and where an attribute stands.
 *
 * Owner thread of the worker. Nothing outlives a call but the count of stanzas.
 */
#ifndef SLUICE_CORE_CANARY_H
#define SLUICE_CORE_CANARY_H

#include "xml/element.h"
#include "xml/scan.h"

struct stream;

/* Which stanzas of a worker are compared. */
struct canary {
	uint32_t every; /* one of so many; 0: none, and then nothing is done */
	uint32_t left; /* stanzas until the next */
};

static inline void canary_init(struct canary *c, uint64_t every)
{
	c->every = c->left = (uint32_t)every;
}

/* Is this stanza to be compared? The only cost of a stanza that is not. */
static inline bool canary_due(struct canary *c)
{
	if (likely(c->every == 0) || --c->left > 0)
		return false;
	c->left = c->every;
	return true;
}

enum canary_verdict {
	CANARY_AGREES,
	CANARY_DIFFERS,
	CANARY_UNKNOWN, /* no memory, or larger than LIMIT_XML_CHECK */
};

struct canary_finding {
	const char *field; /* of struct frame; "bytes": libxml2 refuses the stanza */
	const char *why; /* in words, for the log; static */
	struct xml_refusal refusal; /* at is SIZE_MAX when libxml2 did not refuse it */
};

/* f: a stanza, as scan() has just returned it. found is set when they differ. The parser's tree is
 * gone afterwards. */
enum canary_verdict canary_compare(struct element_parser *ep, const struct scan *scan,
	const struct frame *f, struct canary_finding *found);

/*
 * Compares, counts and logs. True: they differ, and the stanza must not be routed. A stanza that
 * could not be compared is not refused: it has passed the scanner, as all do while the canary is
 * off, and a host without memory is no sign of a fault in either parser.
 */
bool canary_refuses(struct stream *s, const struct frame *f);

/*
 * What of a stanza goes into the log, so that a fault can be found and nobody's password or message
 * is told: `tag`, the stanza up to the first '>', as it is, and `around`, what follows that, from a
 * little before `at` on, with letters, digits and all that is not ASCII turned into 'x', which
 * leaves the markup's shape. `around` is absent when `at` is no place in the stanza.
 */
#define CANARY_SHOWN 256 /* bytes of each, at most */

struct canary_excerpt {
	struct span tag, around;
	char text[CANARY_SHOWN]; /* of `around` */
};

void canary_excerpt(struct canary_excerpt *x, struct span stanza, size_t at);

#endif
