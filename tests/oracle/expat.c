/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/expat.h"

#include <expat.h>

#include "core/base/mem.h"
#include "xml/chars.h"

/* No namespace name can contain it, being no XML character; expat refuses those that do. */
#define SEPARATOR '\1'

struct oracle_expat {
	XML_Parser parser;
	struct reading *r;
	unsigned depth; /* open elements */
};

struct name {
	struct span ns, local, prefix;
};

/* "URI SEPARATOR local SEPARATOR prefix", of which the first and the last may be missing. */
static struct name name_split(const char *triplet)
{
	struct span s = span_str(triplet);
	struct name name = { SPAN_LIT(""), s, SPAN_LIT("") };
	size_t at = span_find(s, SEPARATOR);

	if (at == s.n)
		return name;
	name.ns = span_of(s.p, at);
	s = span_skip(s, at + 1);
	at = span_find(s, SEPARATOR);
	name.local = span_of(s.p, at);
	if (at < s.n)
		name.prefix = span_skip(s, at + 1);
	return name;
}

static void on_start(void *ctx, const char *triplet, const char **attrs)
{
	struct oracle_expat *x = ctx;
	struct reading *r = x->r;
	struct name name = name_split(triplet);
	struct events *events = x->depth ? &r->events : &r->root;

	if (x->depth == 1)
		reading_add(r);
	x->depth++;
	events_start(events, name.ns, name.local, name.prefix);
	for (; *attrs; attrs += 2) {
		name = name_split(attrs[0]);
		events_attr(events, name.ns, name.local, name.prefix, span_str(attrs[1]));
	}
}

static void on_end(void *ctx, const char *triplet)
{
	struct oracle_expat *x = ctx;
	struct reading *r = x->r;

	(void)triplet;
	if (--x->depth == 0)
		return;
	events_end(&r->events);
	if (x->depth == 1) {
		struct reading_element *e = &r->element[r->n - 1];

		e->events.n = r->events.n - e->events.off;
		e->end = (size_t)(XML_GetCurrentByteIndex(x->parser) +
			XML_GetCurrentByteCount(x->parser));
	}
}

static void on_text(void *ctx, const char *text, int n)
{
	struct oracle_expat *x = ctx;
	struct span s = span_of(text, (size_t)n);

	if (x->depth == 1)
		reading_between(x->r, s);
	else
		events_text(&x->r->events, s);
}

static void on_comment(void *ctx, const char *text)
{
	struct oracle_expat *x = ctx;

	(void)text;
	reading_refuse(x->r, "comment");
}

static void on_pi(void *ctx, const char *target, const char *data)
{
	struct oracle_expat *x = ctx;

	(void)target;
	(void)data;
	reading_refuse(x->r, "processing instruction");
}

static void on_dtd(void *ctx, const char *name, const char *system, const char *public_id,
	int has_subset)
{
	struct oracle_expat *x = ctx;

	(void)name;
	(void)system;
	(void)public_id;
	(void)has_subset;
	reading_refuse(x->r, "document type declaration");
	XML_StopParser(x->parser, XML_FALSE);
}

struct oracle_expat *oracle_expat_new(void)
{
	struct oracle_expat *x = mem_zalloc(sizeof(*x));

	x->parser = XML_ParserCreateNS(NULL, SEPARATOR);
	BUG_ON(!x->parser);
	return x;
}

void oracle_expat_free(struct oracle_expat *x)
{
	XML_ParserFree(x->parser);
	mem_free(x);
}

void oracle_expat_read(struct oracle_expat *x, struct span document, struct reading *out)
{
	XML_ParserReset(x->parser, NULL); /* and finds out the encoding by itself */
	XML_SetHashSalt(x->parser, 1); /* the same work for the same input */
	XML_SetReturnNSTriplet(x->parser, XML_TRUE);
	XML_SetUserData(x->parser, x);
	XML_SetElementHandler(x->parser, on_start, on_end);
	XML_SetCharacterDataHandler(x->parser, on_text);
	XML_SetCommentHandler(x->parser, on_comment);
	XML_SetProcessingInstructionHandler(x->parser, on_pi);
	XML_SetStartDoctypeDeclHandler(x->parser, on_dtd);
	reading_clear(out);
	x->r = out;
	x->depth = 0;
	if (XML_Parse(x->parser, document.p, (int)document.n, 1) != XML_STATUS_OK) {
		reading_refuse(out, XML_ErrorString(XML_GetErrorCode(x->parser)));
		out->refused_at = (size_t)XML_GetCurrentByteIndex(x->parser);
	}
}

bool oracle_expat_refused_5e(struct span document, const struct reading *r)
{
	uint32_t cp;

	if (r->refused_at >= document.n || (unsigned char)document.p[r->refused_at] < 0x80)
		return false;
	if (chars_decode(document.p + r->refused_at, document.n - r->refused_at, &cp) <= 0)
		return false;
	return (chars_is_name(cp) && !chars_is_name_4e(cp)) ||
		(chars_is_name_start(cp) && !chars_is_name_start_4e(cp));
}
