/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/libxml2.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include "core/base/mem.h"

struct declared {
	const xmlChar *prefix; /* the parser's own string; NULL: the default namespace */
	unsigned depth;
};

struct run {
	xmlParserCtxtPtr ctxt;
	struct reading *r;
	unsigned depth; /* open elements */
	unsigned ext_depth; /* depth of the outermost open extension element, or 0 */
	struct declared *declared; /* below the root */
	size_t n_declared, cap_declared;
	bool ns_uri_only;
};

static struct span text_of(const xmlChar *s)
{
	return s ? span_str((const char *)s) : SPAN_LIT("");
}

/* -- declarations -- */

static void declare(struct run *run, const xmlChar *prefix)
{
	if (run->n_declared == run->cap_declared) {
		run->cap_declared = 2 * run->cap_declared + 16;
		run->declared = mem_realloc(run->declared,
			run->cap_declared * sizeof(*run->declared));
	}
	run->declared[run->n_declared++] = (struct declared){ prefix, run->depth };
}

static bool declared_below_root(const struct run *run, const xmlChar *prefix)
{
	for (size_t i = 0; i < run->n_declared; i++)
		if (xmlStrEqual(run->declared[i].prefix, prefix))
			return true;
	return false;
}

/* Notes a prefix that only the root declares. at: where the prefix stands in the events. */
static void borrow(struct run *run, const xmlChar *prefix, struct part at)
{
	struct reading_element *e = &run->r->element[run->r->n - 1];

	if (!prefix || xmlStrEqual(prefix, BAD_CAST "xml") || declared_below_root(run, prefix))
		return;
	for (unsigned i = 0; i < e->n_borrowed; i++)
		if (span_eq(events_span(&run->r->events, e->borrowed[i]), text_of(prefix)))
			return;
	if (e->n_borrowed == LIMIT_ROOT_PREFIXES)
		reading_refuse(run->r, "more prefixes borrowed than a root may declare");
	else
		e->borrowed[e->n_borrowed++] = at;
}

/* -- start tags -- */

static void root_start(struct run *run, struct span ns, struct span local, struct span prefix,
	int n_ns, const xmlChar **decls)
{
	static const char *const content[] = { "jabber:server", "jabber:client",
		"jabber:component:accept" };
	struct reading *r = run->r;

	r->root_name = events_start(&r->root, ns, local, prefix);
	for (int i = 0; i < n_ns; i++) {
		struct span uri = text_of(decls[2 * i + 1]);

		struct part value = events_attr(&r->root_decls, SPAN_LIT(""), text_of(decls[2 * i]),
			SPAN_LIT(""), uri);

		if (decls[2 * i])
			continue;
		r->root_default = value;
		for (size_t k = 0; k < ARRAY_LEN(content); k++)
			if (span_is(uri, content[k]))
				r->content = span_str(content[k]);
		if (span_is(uri, "http://etherx.jabber.org/streams"))
			r->content = span_str(content[0]);
	}
}

static void note_content(struct run *run, struct span ns, bool prefixed, int n_ns,
	const xmlChar **decls)
{
	struct reading_element *e = &run->r->element[run->r->n - 1];

	if (run->ext_depth)
		return;
	if (!run->r->content.n || !span_eq(ns, run->r->content)) {
		run->ext_depth = run->depth;
		return;
	}
	e->content_prefixed |= prefixed;
	for (int i = 0; i < n_ns; i++)
		if (!decls[2 * i] && span_eq(text_of(decls[2 * i + 1]), run->r->content))
			e->redeclared++;
}

static void note_attr(struct reading_element *e, struct span ns, struct span local,
	struct part value)
{
	if (span_is(ns, (const char *)XML_XML_NAMESPACE) && span_is(local, "lang"))
		e->has_lang = true;
	if (ns.n)
		return;
	if (span_is(local, "from"))
		e->from = value;
	else if (span_is(local, "to"))
		e->to = value;
	else if (span_is(local, "id"))
		e->id = value;
	else if (span_is(local, "type"))
		e->type = value;
}

/* attrs: local name, prefix, URI, value, end of the value, for each. */
static void attributes(struct run *run, int n, const xmlChar **attrs)
{
	struct events *events = run->depth == 1 ? &run->r->root : &run->r->events;

	for (int i = 0; i < n; i++, attrs += 5) {
		struct span local = text_of(attrs[0]), prefix = text_of(attrs[1]);
		struct span ns = text_of(attrs[2]);
		struct part value = events_attr(events, ns, local, prefix,
			span_of((const char *)attrs[3], (size_t)(attrs[4] - attrs[3])));

		if (run->depth == 1)
			continue;
		/* The prefix stands before the mark of the value. */
		borrow(run, attrs[1], (struct part){ value.off - 1 - prefix.n, prefix.n });
		if (run->depth == 2)
			note_attr(&run->r->element[run->r->n - 1], ns, local, value);
	}
}

static void on_start(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri,
	int n_ns, const xmlChar **decls, int n_attrs, int n_defaulted, const xmlChar **attrs)
{
	struct run *run = ctx;
	struct reading *r = run->r;
	struct reading_element *e;
	struct events_name name;

	if (n_defaulted)
		reading_refuse(r, "attribute declared elsewhere");
	if (++run->depth == 1) {
		root_start(run, text_of(uri), text_of(local), text_of(prefix), n_ns, decls);
		attributes(run, n_attrs, attrs);
		return;
	}
	e = run->depth == 2 ? reading_add(r) : &r->element[r->n - 1];
	for (int i = 0; i < n_ns; i++)
		declare(run, decls[2 * i]);
	name = events_start(&r->events, text_of(uri), text_of(local), text_of(prefix));
	if (run->depth == 2) {
		e->name = name;
		e->attrs = (unsigned)(n_attrs + n_ns);
	}
	borrow(run, prefix, name.prefix);
	note_content(run, text_of(uri), prefix, n_ns, decls);
	attributes(run, n_attrs, attrs);
}

/* -- the rest of what libxml2 calls -- */

static void on_end(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
	struct run *run = ctx;
	struct reading *r = run->r;

	(void)local;
	(void)prefix;
	(void)uri;
	while (run->n_declared && run->declared[run->n_declared - 1].depth == run->depth)
		run->n_declared--;
	if (run->ext_depth == run->depth)
		run->ext_depth = 0;
	if (run->depth > 1)
		events_end(&r->events);
	if (run->depth == 2) {
		struct reading_element *e = &r->element[r->n - 1];

		e->events.n = r->events.n - e->events.off;
		e->end = (size_t)xmlByteConsumed(run->ctxt);
	}
	run->depth--;
}

static void on_text(void *ctx, const xmlChar *text, int n)
{
	struct run *run = ctx;
	struct span s = span_of((const char *)text, (size_t)n);

	if (run->depth == 1)
		reading_between(run->r, s);
	else
		events_text(&run->r->events, s);
}

static void refuse(void *ctx, const char *why)
{
	struct run *run = ctx;

	reading_refuse(run->r, why);
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
	struct run *run = ctx;

	(void)name;
	(void)external;
	(void)system;
	refuse(ctx, "document type declaration");
	xmlStopParser(run->ctxt);
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

static void on_error(void *ctx, xmlErrorPtr error)
{
	struct run *run = ctx;

	if (error->level < XML_ERR_ERROR)
		return;
	if (error->code == XML_WAR_NS_URI || error->code == XML_WAR_NS_URI_RELATIVE)
		run->ns_uri_only = true;
	else
		reading_refuse(run->r, error->message ? error->message : "error without a message");
}

static xmlParserCtxtPtr context_new(struct run *run)
{
	xmlParserCtxtPtr ctxt = xmlNewParserCtxt();
	xmlSAXHandler *sax;

	BUG_ON(!ctxt);
	sax = ctxt->sax;
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
	sax->reference = on_reference;
	sax->getEntity = on_get_entity;
	sax->getParameterEntity = on_get_entity;
	sax->serror = on_error;
	ctxt->userData = run;
	return ctxt;
}

/* A parser for each document: none can learn from the one before. */
void oracle_libxml2_read(struct span document, struct reading *out)
{
	struct run run = { .r = out };
	xmlParserCtxtPtr ctxt = context_new(&run);
	xmlDocPtr doc;

	run.ctxt = ctxt;
	reading_clear(out);
	/* XML_PARSE_NOENT is what makes libxml2 give values decoded; there are no entities. */
	doc = xmlCtxtReadMemory(ctxt, document.p, (int)document.n, NULL, NULL,
		XML_PARSE_NONET | XML_PARSE_NOENT);
	if (memchr(document.p, '\0', document.n))
		reading_refuse(out, "NUL, at which libxml2 may just have ended");
	if (!ctxt->wellFormed || ctxt->disableSAX || run.depth || !out->root.n)
		reading_refuse(out, "not well-formed");
	if (!ctxt->nsWellFormed && !run.ns_uri_only)
		reading_refuse(out, "namespaces not well-formed");
	if (doc)
		xmlFreeDoc(doc);
	mem_free(run.declared);
	xmlFreeParserCtxt(ctxt);
}
