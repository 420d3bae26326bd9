/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/element.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <strings.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "xml/blocks.h"

#define DICT_MAX (256u << 10) /* names of strangers that a context may remember */
/*
 * Tree memory per byte of input, beyond BLOCKS_SIZE. The worst that is well formed,
 * "<a/>" over and over, needs 40: a node for each 4 bytes.
 */
#define TREE_FACTOR 64u

struct text_piece {
	struct text_piece *next;
	struct span s;
};

struct node {
	struct element e; /* first: the tree that callers see */
	struct node *parent;
	struct node *last;
	struct text_piece *text, *last_text;
	size_t text_len;
};

struct element_parser {
	xmlParserCtxtPtr ctxt;
	struct blocks tree; /* memory of the current one */
	char *doc; /* the synthetic document */
	size_t doc_cap;
	struct node *open; /* innermost open element, NULL outside the outermost */
	struct node *root;
	unsigned depth;
	size_t before; /* bytes of the synthetic document before the caller's */
	size_t theirs; /* the caller's */
	struct xml_refusal refusal;
	bool ns_uri_only; /* namespace errors: none but URIs that are none by RFC 3986 */
	const char *why; /* NULL while all is well */
};

static const char no_memory[] = "out of memory"; /* known by its address */

/*
 * libxml2's memory. What it does without some is told by no one error code, and may be to leave
 * something out: a parse during which anything was refused is not believed.
 */
static _Thread_local bool memory_refused;

static void *xml_alloc(size_t n)
{
	void *p = mem_try_alloc(n);

	memory_refused |= !p;
	return p;
}

static void *xml_realloc(void *old, size_t n)
{
	void *p = mem_try_realloc(old, n);

	memory_refused |= !p;
	return p;
}

static char *xml_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = xml_alloc(n);

	return copy ? memcpy(copy, s, n) : NULL;
}

/*
 * The first reason counts. libxml2 reads on, which costs no more than the input is
 * long; stopping it from inside is not safe in every callback.
 */
static void refuse(struct element_parser *ep, const char *why)
{
	const xmlParserInput *in = ep->ctxt->input;
	size_t at;

	if (ep->why)
		return;
	ep->why = why;
	at = in ? in->consumed + (size_t)(in->cur - in->base) : 0;
	if (at < ep->before + ep->theirs)
		ep->refusal.at = at > ep->before ? at - ep->before : 0;
}

/* NULL when there is no memory or the tree outgrows its bound; the parse is refused then. */
static void *tree_alloc(struct element_parser *ep, size_t n)
{
	bool full;
	void *p = blocks_take(&ep->tree, n, &full);

	if (!p)
		refuse(ep, full ? "tree too large" : no_memory);
	return p;
}

/* -- what libxml2 calls -- */

static struct span name_span(const xmlChar *s)
{
	return s ? span_str((const char *)s) : SPAN_LIT("");
}

/* attrs: local name, prefix, URI, value, end of the value, for each. */
static bool copy_attrs(struct element_parser *ep, struct node *node, int n, const xmlChar **attrs)
{
	struct xml_attr *to;

	if (n == 0)
		return true;
	to = tree_alloc(ep, (size_t)n * sizeof(*to));
	if (!to)
		return false;
	for (int i = 0; i < n; i++, attrs += 5) {
		size_t len = (size_t)(attrs[4] - attrs[3]);
		char *value = tree_alloc(ep, len ? len : 1);

		if (!value)
			return false;
		memcpy(value, attrs[3], len);
		to[i].name = name_span(attrs[0]);
		to[i].ns = name_span(attrs[2]);
		to[i].value = span_of(value, len);
	}
	node->e.attrs = to;
	node->e.n_attrs = (unsigned)n;
	return true;
}

static void append_child(struct node *parent, struct node *node)
{
	node->parent = parent;
	if (!parent)
		return;
	if (parent->last)
		parent->last->e.next = &node->e;
	else
		parent->e.child = &node->e;
	parent->last = node;
}

static void on_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
	int n_ns, const xmlChar **ns, int n_attrs, int n_defaulted, const xmlChar **attrs)
{
	struct element_parser *ep = ctx;
	struct node *node;

	if (ep->why)
		return;
	if (ep->depth > LIMIT_DEPTH) {
		refuse(ep, "elements nested too deeply");
		return;
	}
	if (n_defaulted) {
		refuse(ep, "attribute declared elsewhere");
		return;
	}
	node = tree_alloc(ep, sizeof(*node));
	if (!node)
		return;
	memset(node, 0, sizeof(*node));
	node->e.name = name_span(name);
	node->e.prefix = name_span(prefix);
	node->e.ns = name_span(uri);
	node->e.text = SPAN_LIT("");
	node->e.n_decls = (unsigned)n_ns;
	for (int i = 0; i < n_ns; i++)
		node->e.sets_default |= !ns[2 * (size_t)i];
	if (!copy_attrs(ep, node, n_attrs, attrs))
		return;
	append_child(ep->open, node);
	if (!ep->open)
		ep->root = node;
	ep->open = node;
	ep->depth++;
}

/* Text came in pieces, between children and around references: makes one of them. */
static void join_text(struct element_parser *ep, struct node *node)
{
	char *to;
	size_t n = 0;

	if (!node->text)
		return;
	if (!node->text->next) {
		node->e.text = node->text->s;
		return;
	}
	to = tree_alloc(ep, node->text_len);
	if (!to)
		return;
	for (const struct text_piece *t = node->text; t; t = t->next) {
		memcpy(to + n, t->s.p, t->s.n);
		n += t->s.n;
	}
	node->e.text = span_of(to, n);
}

static void on_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct element_parser *ep = ctx;

	(void)name;
	(void)prefix;
	(void)uri;
	if (ep->why || !ep->open)
		return;
	join_text(ep, ep->open);
	ep->open = ep->open->parent;
	ep->depth--;
}

static void on_text(void *ctx, const xmlChar *text, int n)
{
	struct element_parser *ep = ctx;
	struct node *node = ep->open;
	struct text_piece *piece;

	if (ep->why || !node || n <= 0)
		return;
	piece = tree_alloc(ep, sizeof(*piece) + (size_t)n);
	if (!piece)
		return;
	memcpy(piece + 1, text, (size_t)n);
	piece->s = span_of((const char *)(piece + 1), (size_t)n);
	piece->next = NULL;
	if (node->last_text)
		node->last_text->next = piece;
	else
		node->text = piece;
	node->last_text = piece;
	node->text_len += (size_t)n;
}

static void on_comment(void *ctx, const xmlChar *text)
{
	(void)text;
	refuse(ctx, "comment");
}

static void on_pi(void *ctx, const xmlChar *target, const xmlChar *data)
{
	(void)target;
	(void)data;
	refuse(ctx, "processing instruction");
}

static void on_dtd(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	struct element_parser *ep = ctx;

	(void)name;
	(void)external;
	(void)system;
	refuse(ep, "document type declaration");
	xmlStopParser(ep->ctxt); /* here it is: not a byte of the subset */
}

static void on_entity_decl(void *ctx, const xmlChar *name, int type, const xmlChar *public_id,
	const xmlChar *system_id, xmlChar *content)
{
	(void)name;
	(void)type;
	(void)public_id;
	(void)system_id;
	(void)content;
	refuse(ctx, "entity declaration");
}

static void on_reference(void *ctx, const xmlChar *name)
{
	(void)name;
	refuse(ctx, "entity reference");
}

static xmlEntityPtr on_get_entity(void *ctx, const xmlChar *name)
{
	on_reference(ctx, name);
	return NULL;
}

/*
 * libxml2 wants namespace names to be URIs by RFC 3986 and counts it as a namespace
 * error when they are not; Namespaces in XML leaves that open, expat does not look,
 * and a peer's stanza with such a name is routed (row T-P3).
 */
static void on_error(void *ctx, xmlErrorPtr error)
{
	struct element_parser *ep = ctx;

	if (error->level < XML_ERR_ERROR)
		return;
	if (error->code == XML_WAR_NS_URI || error->code == XML_WAR_NS_URI_RELATIVE) {
		ep->ns_uri_only = true;
		return;
	}
	if (!ep->why)
		ep->refusal.code = error->code;
	if (error->code == XML_ERR_NO_MEMORY)
		refuse(ep, no_memory);
	else if (error->domain == XML_FROM_NAMESPACE)
		refuse(ep, "namespaces not well-formed");
	else
		refuse(ep, "not well-formed");
}

/* -- the parser -- */

static bool context_new(struct element_parser *ep)
{
	xmlSAXHandler *sax;

	ep->ctxt = xmlNewParserCtxt();
	if (!ep->ctxt)
		return false;
	sax = ep->ctxt->sax;
	memset(sax, 0, sizeof(*sax));
	sax->initialized = XML_SAX2_MAGIC;
	sax->startElementNs = on_start;
	sax->endElementNs = on_end;
	sax->characters = on_text;
	sax->ignorableWhitespace = on_text;
	sax->cdataBlock = on_text;
	sax->comment = on_comment;
	sax->processingInstruction = on_pi;
	sax->internalSubset = on_dtd;
	sax->externalSubset = on_dtd;
	sax->entityDecl = on_entity_decl;
	sax->reference = on_reference;
	sax->getEntity = on_get_entity;
	sax->getParameterEntity = on_get_entity;
	sax->serror = on_error;
	ep->ctxt->userData = ep;
	return true;
}

/* The names of the last tree point into the dictionary, so this waits for the next call. */
static bool context_ready(struct element_parser *ep)
{
	if (ep->ctxt && xmlDictGetUsage(ep->ctxt->dict) > DICT_MAX) {
		xmlFreeParserCtxt(ep->ctxt);
		ep->ctxt = NULL;
	}
	return ep->ctxt || context_new(ep);
}

static void say_nothing(void *ctx, const char *fmt, ...)
{
	(void)ctx;
	(void)fmt;
}

struct element_parser *element_parser_new(void)
{
	struct element_parser *ep = mem_zalloc(sizeof(*ep));

	BUG_ON(xmlMemSetup(mem_free, xml_alloc, xml_realloc, xml_strdup) != 0);
	xmlInitParser();
	/* Without memory libxml2 complains past the parser's own handlers, on standard error. */
	xmlSetGenericErrorFunc(NULL, say_nothing);
	BUG_ON(!context_new(ep)); /* no memory at start-up */
	return ep;
}

void element_parser_free(struct element_parser *ep)
{
	if (!ep)
		return;
	blocks_free(&ep->tree);
	mem_free(ep->doc);
	xmlFreeParserCtxt(ep->ctxt);
	mem_free(ep);
}

static bool doc_join(struct element_parser *ep, const struct span *piece, size_t n_pieces,
	size_t *len)
{
	size_t n = 0;

	for (size_t i = 0; i < n_pieces; i++)
		n += piece[i].n;
	if (n > INT32_MAX)
		return false;
	if (n > ep->doc_cap) {
		char *doc = mem_try_realloc(ep->doc, n);

		if (!doc)
			return false;
		ep->doc = doc;
		ep->doc_cap = n;
	}
	*len = 0;
	for (size_t i = 0; i < n_pieces; i++)
		if (piece[i].n) {
			memcpy(ep->doc + *len, piece[i].p, piece[i].n);
			*len += piece[i].n;
		}
	return true;
}

/* As declared; libxml2 keeps that in one of two places. */
static bool is_utf8(const xmlChar *encoding)
{
	return !encoding || strcasecmp((const char *)encoding, "UTF-8") == 0;
}

/*
 * XML_PARSE_NOENT is what libxml2 calls "attribute values come decoded": without
 * it '&' arrives as "&#38;". It substitutes entities as well, of which there are
 * none but the five: declarations end the parse at their first byte.
 */
static void doc_parse(struct element_parser *ep, size_t len)
{
	xmlParserCtxtPtr ctxt = ep->ctxt;
	xmlDocPtr doc;

	ep->why = NULL;
	ep->refusal = (struct xml_refusal){ ep->theirs, 0 };
	memory_refused = false;
	ep->ns_uri_only = false;
	ep->open = ep->root = NULL;
	ep->depth = 0;
	blocks_begin(&ep->tree, BLOCKS_SIZE + TREE_FACTOR * len);
	doc = xmlCtxtReadMemory(ctxt, ep->doc, (int)len, NULL, NULL,
		XML_PARSE_NONET | XML_PARSE_NOENT);
	if (doc)
		xmlFreeDoc(doc);
	if (memory_refused)
		ep->why = no_memory;
	else if (ep->why)
		return;
	else if (!ctxt->wellFormed || ctxt->disableSAX || !ep->root || ep->open)
		ep->why = "not well-formed";
	else if (!ctxt->nsWellFormed && !ep->ns_uri_only)
		ep->why = "namespaces not well-formed";
	else if (ctxt->version && strcmp((const char *)ctxt->version, "1.0") != 0)
		ep->why = "XML version other than 1.0";
	else if (!is_utf8(ctxt->encoding) || (ctxt->input && !is_utf8(ctxt->input->encoding)))
		ep->why = "encoding other than UTF-8";
}

static const struct element *parse(struct element_parser *ep, const struct span *piece,
	size_t n_pieces, const char **why)
{
	size_t len;

	if (!context_ready(ep) || !doc_join(ep, piece, n_pieces, &len)) {
		*why = ep->why = no_memory;
		return NULL;
	}
	/* Behind the root libxml2 takes one for the end and looks at nothing that follows. */
	if (memchr(ep->doc, '\0', len)) {
		*why = ep->why = "NUL";
		return NULL;
	}
	doc_parse(ep, len);
	*why = ep->why;
	return ep->why ? NULL : &ep->root->e;
}

bool element_parser_starved(const struct element_parser *ep)
{
	return ep->why == no_memory;
}

struct xml_refusal element_parser_refusal(const struct element_parser *ep)
{
	return ep->refusal;
}

/* The first byte behind the CDATA section that s begins with, or the end. */
static struct span skip_cdata(struct span s)
{
	const char *end = memmem(s.p, s.n, "]]>", 3);

	return end ? span_skip(s, (size_t)(end - s.p)) : SPAN_NONE;
}

/*
 * Comments, processing instructions and declarations, found before a byte of the document is copied:
 * what is refused costs nothing, however long it is. In XML that is well-formed '<' stands at the
 * start of markup and in CDATA sections only; what is not is refused by libxml2 in any case. It
 * also meets what this cannot see, in a header that declares another encoding: see on_dtd.
 */
static bool has_forbidden(struct element_parser *ep, struct span bytes)
{
	struct span s = bytes;

	for (size_t at; (at = span_find(s, '<')) < s.n;) {
		s = span_skip(s, at);
		if (span_starts(s, SPAN_LIT("<![CDATA["))) {
			s = skip_cdata(s);
			continue;
		}
		if (span_starts(s, SPAN_LIT("<!")) || span_starts(s, SPAN_LIT("<?"))) {
			ep->why = s.p[1] == '?' ? "processing instruction"
						: "comment or declaration";
			ep->refusal = (struct xml_refusal){ bytes.n - s.n, 0 };
			return true;
		}
		s = span_skip(s, 1);
	}
	return false;
}

const struct element *element_parse(struct element_parser *ep, struct span root_decls,
	struct span bytes, const char **why)
{
	const struct span piece[] = {
		SPAN_LIT("<s"),
		root_decls,
		SPAN_LIT(">"),
		bytes,
		SPAN_LIT("</s>"),
	};
	const struct element *root;

	if (has_forbidden(ep, bytes)) {
		*why = ep->why;
		return NULL;
	}
	ep->before = piece[0].n + root_decls.n + piece[2].n;
	ep->theirs = bytes.n;
	root = parse(ep, piece, ARRAY_LEN(piece), why);
	if (!root)
		return NULL;
	if (span_trim(root->text).n)
		*why = "text around the element";
	else if (!root->child || root->child->next)
		*why = "not exactly one element";
	return *why ? NULL : root->child;
}

/* What follows byte order mark and XML declaration; absent when the latter has no end. */
static struct span header_tag(struct span s)
{
	static const char bom[] = "\xef\xbb\xbf";
	size_t end;

	if (span_starts(s, span_str(bom)))
		s = span_skip(s, 3);
	if (!span_starts(s, SPAN_LIT("<?xml")))
		return s;
	end = span_find(s, '>');
	return end < s.n ? span_skip(s, end + 1) : SPAN_NONE;
}

/* The qualified name of the start tag that s is; absent when it is none. */
static struct span tag_name(struct span s)
{
	size_t n = 0;

	s = span_trim(s);
	if (s.n < 2 || s.p[0] != '<')
		return SPAN_NONE;
	s = span_skip(s, 1);
	while (n < s.n && !memchr(" \t\r\n/>", s.p[n], 6))
		n++;
	return n ? span_of(s.p, n) : SPAN_NONE;
}

const struct element *element_parse_header(struct element_parser *ep, struct span bytes,
	const char **why)
{
	struct span tag = header_tag(bytes), name = tag_name(tag);
	const struct span piece[] = { bytes, SPAN_LIT("</"), name, SPAN_LIT(">") };
	const struct element *root;

	if (!name.p)
		ep->why = "no start tag";
	if (!name.p || has_forbidden(ep, tag)) {
		*why = ep->why;
		return NULL;
	}
	ep->before = 0;
	ep->theirs = bytes.n;
	root = parse(ep, piece, ARRAY_LEN(piece), why);
	if (!root)
		return NULL;
	if (root->child || root->text.n) {
		*why = "more than a start tag";
		return NULL;
	}
	return root;
}

/* -- queries -- */

bool element_is(const struct element *e, const char *ns, const char *name)
{
	return span_is(e->ns, ns) && span_is(e->name, name);
}

static struct span attr_get(const struct element *e, const char *ns, const char *name)
{
	for (unsigned i = 0; i < e->n_attrs; i++)
		if (span_is(e->attrs[i].ns, ns) && span_is(e->attrs[i].name, name))
			return e->attrs[i].value;
	return SPAN_NONE;
}

struct span element_attr(const struct element *e, const char *name)
{
	return attr_get(e, "", name);
}

struct span element_lang(const struct element *e)
{
	return attr_get(e, (const char *)XML_XML_NAMESPACE, "lang");
}

const struct element *element_child(const struct element *e, const char *ns, const char *name)
{
	for (const struct element *c = e->child; c; c = c->next)
		if ((!ns || span_is(c->ns, ns)) && (!name || span_is(c->name, name)))
			return c;
	return NULL;
}
