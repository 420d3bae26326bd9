/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole elements through libxml2, the parser of record for all that the router
 * acts upon: headers, features, dialback, SASL, errors, handshakes. Each call
 * parses one complete element inside a synthetic root that carries the stream's
 * own namespace declarations, with the acceptance test
 *
 *   return value 0, well formed, namespace-well-formed, no comment, PI or DTD.
 *
 * The last three are refused at their first byte and before anything is copied.
 *
 * It is never fed TCP chunks (docs/xml.md says why). One parser per worker,
 * owner thread only. The tree that it returns lives until its next call.
 */
#ifndef SLUICE_XML_ELEMENT_H
#define SLUICE_XML_ELEMENT_H

#include "core/base/span.h"

struct xml_attr {
	struct span name; /* local name */
	struct span ns; /* namespace URI; empty when un-prefixed */
	struct span value; /* decoded */
};

struct element {
	struct span name; /* local name */
	struct span prefix; /* empty when none */
	struct span ns; /* namespace URI; empty when none */
	struct span text; /* all character data directly inside, concatenated, decoded */
	const struct xml_attr *attrs;
	unsigned n_attrs;
	unsigned n_decls; /* namespace declarations on it, but xmlns:xml */
	bool sets_default; /* one of them is xmlns= */
	const struct element *child; /* first one */
	const struct element *next; /* next sibling */
};

struct element_parser;

struct element_parser *element_parser_new(void); /* dies without memory: start-up */
void element_parser_free(struct element_parser *ep);

/*
 * One complete element. root_decls: namespace declarations in scope, each with a
 * space before it (scan_root_decls), may be empty. NULL when it is refused or
 * when there is no memory; *why says so in words.
 */
const struct element *element_parse(struct element_parser *ep, struct span root_decls,
	struct span bytes, const char **why) MUST_CHECK;

/* Was the last call refused for want of memory, and not for what it was given? */
bool element_parser_starved(const struct element_parser *ep);

/* Why the last call refused, for reports. */
struct xml_refusal {
	size_t at; /* offset of the tag or text in whose course it became certain; at most the length */
	int code; /* libxml2's (xmlParserErrors); 0: it was not libxml2 that refused */
};

struct xml_refusal element_parser_refusal(const struct element_parser *ep);

/* A stream header: XML declaration and root start tag, whose end tag is synthesised. */
const struct element *element_parse_header(struct element_parser *ep, struct span bytes,
	const char **why) MUST_CHECK;

bool element_is(const struct element *e, const char *ns, const char *name);

/* Value of an un-prefixed attribute; p == NULL when absent. */
struct span element_attr(const struct element *e, const char *name);

/* xml:lang; p == NULL when absent. */
struct span element_lang(const struct element *e);

/* First child with this namespace (NULL: any) and local name (NULL: any), or NULL. */
const struct element *element_child(const struct element *e, const char *ns, const char *name);

#endif
