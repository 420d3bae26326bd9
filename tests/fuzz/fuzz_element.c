/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The element parser (xml/element.h) with bytes that no scanner has looked at: what
 * it accepts expat accepts with the same tree, and a parser that has seen other
 * inputs says what a new one says. One difference is excused: expat reads names by
 * the fourth edition of XML 1.0. Input: a byte that chooses between a stream header
 * and an element, whose root then declares this or that; the bytes.
 */
#include "core/base/mem.h"
#include "tests/fuzz/fuzz.h"
#include "tests/oracle/expat.h"
#include "tests/oracle/tree.h"
#include "xml/element.h"

#define MOST (64u << 10)
#define HEADER 0x10 /* in the first byte: a stream header */

static const struct span decls[] = {
	SPAN_LIT(" xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
		 "xmlns:db='jabber:server:dialback'"),
	SPAN_LIT(""),
	SPAN_LIT(" xmlns='http://etherx.jabber.org/streams' xmlns:p='urn:p' xmlns:q='urn:&#112;'"),
};

struct text {
	char *p;
	size_t n;
};

static void put(struct text *to, struct span s)
{
	if (s.n)
		memcpy(to->p + to->n, s.p, s.n);
	to->n += s.n;
}

/* The end tag that element_parse_header supplies. */
static struct span root_close(const struct element *e, char *buf)
{
	struct text close = { buf, 0 };

	put(&close, SPAN_LIT("</"));
	put(&close, e->prefix);
	if (e->prefix.n)
		put(&close, SPAN_LIT(":"));
	put(&close, e->name);
	put(&close, SPAN_LIT(">"));
	return span_of(buf, close.n);
}

/* Makes the document that e was the parser's reading of, in text. */
static struct span document(const struct element *e, bool header, struct span root,
	struct span bytes, char *text)
{
	struct text doc = { text, 0 };
	char close[MOST + 4];

	if (header) {
		put(&doc, bytes);
		put(&doc, root_close(e, close));
		return span_of(text, doc.n);
	}
	put(&doc, SPAN_LIT("<s"));
	put(&doc, root);
	put(&doc, SPAN_LIT(">"));
	put(&doc, bytes);
	put(&doc, SPAN_LIT("</s>"));
	return span_of(text, doc.n);
}

static void expat_agrees(const struct element *e, bool header, struct span doc)
{
	static struct oracle_expat *expat;
	static struct reading r;
	struct complaint c;
	bool same;

	if (!expat)
		expat = oracle_expat_new();
	oracle_expat_read(expat, doc, &r);
	if (!r.accepted && oracle_expat_refused_5e(doc, &r))
		return;
	if (!r.accepted)
		fuzz_found(r.why);
	if (header)
		same = tree_agrees_root(e, span_of(r.root.p, r.root.n), &c);
	else if (r.n == 1 && !r.stray)
		same = tree_agrees(e, reading_events(&r, 0), &c);
	else
		same = complain(&c, "not one element");
	if (!same)
		fuzz_found(c.text);
}

static const struct element *parse(struct element_parser *ep, bool header, struct span root,
	struct span bytes)
{
	const char *why = NULL;
	const struct element *e = header ? element_parse_header(ep, bytes, &why)
					 : element_parse(ep, root, bytes, &why);

	if (!e && (!why || element_parser_starved(ep)))
		fuzz_found(why ? why : "refused without a reason");
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct element_parser *used;
	struct element_parser *fresh;
	struct span root, bytes;
	const struct element *e;
	bool header;

	if (size < 1 || size > MOST)
		return 0;
	if (!used)
		used = element_parser_new();
	header = data[0] & HEADER;
	root = decls[(data[0] & 0xf) % ARRAY_LEN(decls)];
	bytes = span_of((const char *)data + 1, size - 1);
	fresh = element_parser_new();
	e = parse(used, header, root, bytes);
	if (!e != !parse(fresh, header, root, bytes))
		fuzz_found("a used parser and a new one differ");
	element_parser_free(fresh);
	if (e) {
		char *text = mem_alloc(3 * MOST);

		expat_agrees(e, header, document(e, header, root, bytes, text));
		mem_free(text);
	}
	return 0;
}
