/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Namespace bindings in scope: those of the stream's root element, copied once,
 * and those of the elements that are open, which point into the scanner's input.
 * A binding is named by a number: 0.. for the root's prefixes, NS_FIRST.. for the
 * elements', NS_XML_PREFIX for the prefix that is always there.
 *
 * Internal to the scanner. Owner thread only.
 */
#ifndef SLUICE_XML_NS_H
#define SLUICE_XML_NS_H

#include "core/base/limits.h"
#include "core/base/span.h"

enum ns_id {
	NS_NONE, /* no namespace */
	NS_OTHER, /* one that means nothing to the router */
	NS_XML, /* the two that nobody may declare */
	NS_XMLNS,
	NS_STREAMS,
	NS_DIALBACK,
	NS_SERVER, /* the content namespaces */
	NS_CLIENT,
	NS_COMPONENT,
	NS_NEVER, /* no element is in it */
};

enum ns_result {
	NS_OK,
	NS_ILLEGAL, /* breaks Namespaces in XML */
	NS_TOO_MANY,
};

#define NS_UNBOUND (-1)
#define NS_FIRST LIMIT_ROOT_PREFIXES
#define NS_XML_PREFIX (LIMIT_ROOT_PREFIXES + LIMIT_PREFIXES)

struct ns_binding {
	uint32_t prefix, uri; /* offsets: into the input, or into the root's text */
	uint32_t hash; /* of the decoded URI; set together with `same` */
	uint16_t prefix_len; /* 0: the default namespace */
	uint16_t uri_len;
	uint8_t id; /* enum ns_id */
	uint8_t dirty; /* the URI holds references or white space to be normalised */
	uint8_t same; /* lowest number with the same URI, plus one; 0: not known yet */
};

struct ns_scope {
	unsigned n;
	struct ns_binding b[LIMIT_PREFIXES];
};

struct ns_decl {
	struct ns_binding b; /* never dirty */
	uint16_t off, len; /* " xmlns:p='uri'" in the text */
};

struct ns_root {
	uint8_t n_decls; /* default namespace included */
	uint8_t n; /* prefixes */
	uint8_t default_id, content_id; /* enum ns_id; see ns_root_new */
	uint16_t decls_len; /* the text begins with the declarations ... */
	uint16_t name_len; /* ... then comes the root's qualified name ... */
	uint16_t default_len; /* ... then its default namespace, decoded */
	char *text;
	struct ns_decl decl[];
};

/*
 * p: the header, in which scope's bindings were made. NULL when there is no memory.
 *
 * The content namespace is the default namespace if that is one of the three. A
 * peer that declares the streams namespace as the default one (RFC 6120 section
 * 4.8.2, "prefix-free") puts xmlns='jabber:server' on each stanza, so that is the
 * content namespace then. Otherwise there is none and every element is foreign.
 */
struct ns_root *ns_root_new(struct span name, const struct ns_scope *scope, const char *p);
void ns_root_free(struct ns_root *root);

struct span ns_root_name(const struct ns_root *root);
struct span ns_root_content(const struct ns_root *root);

enum ns_id ns_identify(struct span uri, bool dirty);

static inline bool ns_is_content(enum ns_id id)
{
	return id >= NS_SERVER && id <= NS_COMPONENT;
}

/* Adds b, whose id, hash and same need not be set. root is NULL while it is being read. */
enum ns_result ns_declare(struct ns_scope *scope, const struct ns_root *root, const char *p,
	struct ns_binding *b);

/* Number of the binding of a prefix, or NS_UNBOUND. */
int ns_find(const struct ns_scope *scope, const struct ns_root *root, const char *p,
	struct span prefix);

enum ns_id ns_id_of(const struct ns_scope *scope, const struct ns_root *root, int number);

/* Two bindings have the same URI if and only if this is the same for both. */
unsigned ns_class(struct ns_scope *scope, struct ns_root *root, const char *p, int number);

#endif
