/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/reader.h"

#include <libxml/parser.h>

struct reader {
	xmlParserCtxtPtr ctxt;
	const struct reader_calls *calls;
	void *owner;
	unsigned depth;
	bool broken;
	bool between; /* nothing at depth 1 has begun that has not ended */
	size_t text_len;
	struct reader_element e;
};

static void name_copy(char *to, const xmlChar *from)
{
	snprintf(to, READER_NAME, "%s", (const char *)from);
}

static enum reader_ns ns_find(const xmlChar *uri)
{
	if (!uri)
		return READER_NS_OTHER;
	if (strcmp((const char *)uri, "http://etherx.jabber.org/streams") == 0)
		return READER_NS_STREAM;
	if (strcmp((const char *)uri, "jabber:server:dialback") == 0)
		return READER_NS_DIALBACK;
	return READER_NS_OTHER;
}

static void attr_store(struct reader_element *e, const char *name, const char *value, size_t len)
{
	char *to = NULL;
	size_t cap = READER_ATTR;

	if (strcmp(name, "from") == 0)
		to = e->from;
	else if (strcmp(name, "to") == 0)
		to = e->to;
	else if (strcmp(name, "id") == 0)
		to = e->id;
	else if (strcmp(name, "type") == 0)
		to = e->type, cap = READER_NAME;
	else if (strcmp(name, "version") == 0)
		to = e->version, cap = READER_NAME;
	if (!to)
		return;
	if (len > cap - 1)
		len = cap - 1;
	memcpy(to, value, len);
	to[len] = '\0';
}

static void element_begin(struct reader *r, const xmlChar *name, const xmlChar *uri, int n_attrs,
	const xmlChar **attrs)
{
	struct reader_element *e = &r->e;

	e->ns = ns_find(uri);
	name_copy(e->name, name);
	e->from[0] = e->to[0] = e->id[0] = e->type[0] = e->version[0] = '\0';
	e->n_inner = 0;
	r->text_len = 0;
	for (int i = 0; i < n_attrs; i++, attrs += 5) {
		/* Un-prefixed ones only: local name, prefix, URI, value, its end. */
		if (!attrs[1])
			attr_store(e, (const char *)attrs[0], (const char *)attrs[3],
				(size_t)(attrs[4] - attrs[3]));
	}
}

static void sax_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
	int n_ns, const xmlChar **ns, int n_attrs, int n_defaulted, const xmlChar **attrs)
{
	struct reader *r = ctx;
	struct reader_element *e = &r->e;

	(void)prefix, (void)n_ns, (void)ns, (void)n_defaulted;
	if (r->depth < 2)
		element_begin(r, name, uri, n_attrs, attrs);
	else if (e->n_inner < READER_INNER) {
		e->inner[e->n_inner].depth = r->depth;
		name_copy(e->inner[e->n_inner++].name, name);
	}
	if (r->depth++ == 0) {
		e->text[0] = '\0';
		r->between = true;
		r->calls->header(r->owner, e);
	}
}

static void sax_text(void *ctx, const xmlChar *p, int len)
{
	struct reader *r = ctx;
	size_t room = READER_TEXT - 1 - r->text_len;
	size_t n = (size_t)len < room ? (size_t)len : room;

	if (r->depth != 2)
		return;
	memcpy(r->e.text + r->text_len, p, n);
	r->text_len += n;
}

static void text_trim(struct reader *r)
{
	char *text = r->e.text;
	size_t skip;

	while (r->text_len && strchr(" \t\r\n", text[r->text_len - 1]))
		r->text_len--;
	text[r->text_len] = '\0';
	skip = strspn(text, " \t\r\n");
	memmove(text, text + skip, r->text_len - skip + 1);
}

static void sax_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct reader *r = ctx;

	(void)name, (void)prefix, (void)uri;
	r->depth--;
	r->between = r->depth == 1;
	if (r->depth == 1) {
		text_trim(r);
		r->calls->element(r->owner, &r->e);
	} else if (r->depth == 0) {
		r->calls->end(r->owner);
	}
}

/* libxml2 would print to stderr; its verdict is read from the return value. */
static void sax_error(void *ctx, xmlErrorPtr error)
{
	(void)ctx, (void)error;
}

struct reader *reader_new(const struct reader_calls *calls, void *owner)
{
	struct reader *r = bench_alloc(1, sizeof(*r));
	xmlSAXHandler sax;

	memset(&sax, 0, sizeof(sax));
	sax.initialized = XML_SAX2_MAGIC;
	sax.startElementNs = sax_start;
	sax.endElementNs = sax_end;
	sax.characters = sax_text;
	sax.ignorableWhitespace = sax_text;
	sax.cdataBlock = sax_text;
	sax.serror = sax_error;
	r->calls = calls;
	r->owner = owner;
	r->ctxt = xmlCreatePushParserCtxt(&sax, r, NULL, 0, NULL);
	if (!r->ctxt)
		abort();
	/* NOENT: otherwise "&amp;" in an attribute arrives as "&#38;". */
	xmlCtxtUseOptions(r->ctxt, XML_PARSE_NOENT | XML_PARSE_NONET | XML_PARSE_HUGE);
	return r;
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	if (r->ctxt->myDoc)
		xmlFreeDoc(r->ctxt->myDoc);
	xmlFreeParserCtxt(r->ctxt);
	free(r);
}

bool reader_feed(struct reader *r, const char *p, size_t len)
{
	for (size_t i = 0; r->between && i < len; i++)
		r->between = memchr(" \t\r\n", p[i], 4) != NULL;
	while (len && !r->broken) {
		int n = len > 1 << 20 ? 1 << 20 : (int)len;

		if (xmlParseChunk(r->ctxt, p, n, 0) != XML_ERR_OK && !r->ctxt->wellFormed)
			r->broken = true;
		p += n;
		len -= (size_t)n;
	}
	return !r->broken;
}

bool reader_is_between(const struct reader *r)
{
	return r->between;
}

bool reader_has(const struct reader_element *e, const char *name)
{
	for (unsigned i = 0; i < e->n_inner; i++) {
		if (strcmp(e->inner[i].name, name) == 0)
			return true;
	}
	return false;
}

const char *reader_condition(const struct reader_element *e)
{
	bool stream_error = e->ns == READER_NS_STREAM;
	bool inside = stream_error;

	for (unsigned i = 0; i < e->n_inner; i++) {
		const char *name = e->inner[i].name;

		if (inside && e->inner[i].depth == (stream_error ? 2 : 3) &&
			strcmp(name, "text") != 0)
			return name;
		if (!stream_error && e->inner[i].depth == 2)
			inside = strcmp(name, "error") == 0;
	}
	return "undefined-condition";
}
