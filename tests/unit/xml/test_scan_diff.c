/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * T-P12 in miniature: mutated stanzas, the same ones every time. What the scanner
 * accepts, libxml2 (whole element) and expat accept too, all three with the same
 * elements, attributes and text; and any cut of the input gives the same frames.
 */
#include <criterion/criterion.h>
#include <expat.h>

#include "tests/unit/xml/feed.h"
#include "xml/element.h"
#include "xml/jid.h"

#define ROUNDS 40000
#define HEADER_ROUNDS 10000
#define MAX_TEXT 2048

static const char *const seeds[] = {
	"<message from='romeo@chat.example.net/b-3f' to=\"juliet@im.example.com\" type='chat' "
	"id='b4e1'><body>Art &amp; thou</body><active xmlns='http://jabber.org/protocol/"
	"chatstates'/></message>",
	"<presence from='a@b.test' to='c.test'><c xmlns='urn:c' node='x&#47;y' ver='Q+/='/>"
	"<priority>5</priority></presence>",
	"<iq xml:lang='de' type='get' id='&lt;1&gt;'><query xmlns='jabber:iq:roster'/></iq >",
	"<db:result from='a.test' to='b.test'>ebcac7531258efda1f811cfeea7e6197</db:result>",
	"<p:a xmlns:p='urn:p' xmlns:q='urn:q' p:x='1' q:x='2' x='3'><q:b xmlns:q='urn:p'/></p:a>",
	"<m><![CDATA[<b>&x;]] >]]>\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 ]] ></m>",
	"<message xmlns='jabber:server'><forwarded xmlns='urn:f'><message xmlns='jabber:client' "
	"to='v.test&#47;x@e.test'/></forwarded></message>",
	"<a\n\tb = \"'\"\r\nc='\"&#x41;\t'><b/ ><\xc3\xa9 \xc3\xa9='x'>t</\xc3\xa9></a\n>",
	"<a><b><c xmlns=''><d/><e xmlns='u'>x</e>y</c>z</b>&#10;&#13;&#x20AC;</a>",
	"<x xmlns:a='u' xmlns:b='v' a:k='' b:k='' k=''><a:y b:k='&quot;&apos;'/></x>",
};

static const char *const pieces[] = {
	"<",
	">",
	"/",
	"'",
	"\"",
	"=",
	" ",
	"&",
	";",
	":",
	"]]>",
	"]]",
	"<![CDATA[",
	"<!--",
	"-->",
	"<?",
	"?>",
	"<!DOCTYPE a>",
	"&amp;",
	"&lt;",
	"&#60;",
	"&#0;",
	"&#xD800;",
	"&#x10FFFF;",
	"&nbsp;",
	"xmlns",
	"xmlns:p='u'",
	" xmlns:q='urn:p'",
	" xmlns='u'",
	" xmlns:p=''",
	" a='1'",
	" p:x='1'",
	" q:x='1'",
	"xml:",
	"db:",
	"p:",
	"q:",
	"</a>",
	"<a>",
	"<b/>",
	"\xc3",
	"\xa9",
	"\xc3\xa9",
	"\xc0\xbc",
	"\xed\xa0\x80",
	"\xef\xbf\xbf",
	"\xef\xbb\xbf",
	"\xc4\xb2",
	"\xcc\x81",
	"\t",
	"\n",
	"\r\n",
	"\r",
	"\x0c",
	"\x7f",
	"\x01",
	"-",
	".",
	"1",
	"x",
	"!",
	"?",
	"[",
	"]",
	"#",
	"xmlns:xml='http://www.w3.org/XML/1998/namespace'",
	"</stream:stream>",
	" from='a&#47;b'",
	" xml:lang='x'",
	"http://www.w3.org/2000/xmlns/",
	"|",
	"}",
	"%",
	"\\",
};

static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

static size_t below(size_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (size_t)(state >> 11) % n;
}

/* -- mutation -- */

static size_t put(char *to, size_t n, size_t at, size_t gone, const char *s, size_t len)
{
	if (n - gone + len > MAX_TEXT)
		return n;
	memmove(to + at + len, to + at + gone, n - at - gone);
	memcpy(to + at, s, len);
	return n - gone + len;
}

static size_t mutate(char *p, size_t n)
{
	size_t at = below(n + 1), some = n - at ? below(n - at < 12 ? n - at : 12) : 0;
	const char *piece = pieces[below(ARRAY_LEN(pieces))], *other;
	char copy[MAX_TEXT], c;

	switch (below(7)) {
	case 0:
		c = (char)below(256);
		return put(p, n, at, at < n, &c, 1);
	case 1:
		return put(p, n, at, some, "", 0);
	case 2:
		memcpy(copy, p + at, some);
		return put(p, n, below(n + 1), 0, copy, some);
	case 3:
		other = seeds[below(ARRAY_LEN(seeds))];
		return put(p, n, at, 0, other, strlen(other));
	case 4:
		return put(p, n, at, some, piece, strlen(piece));
	default:
		return put(p, n, at, 0, piece, strlen(piece));
	}
}

/* -- what an element means, as text -- */

struct tree {
	char *out;
	size_t n;
};

static void tree_add(struct tree *t, const char *s, size_t n)
{
	t->out = realloc(t->out, t->n + n + 1);
	memcpy(t->out + t->n, s, n);
	t->n += n;
	t->out[t->n] = '\0';
}

static void tree_name(struct tree *t, struct span ns, struct span name)
{
	tree_add(t, "{", 1);
	tree_add(t, ns.p, ns.n);
	tree_add(t, "}", 1);
	tree_add(t, name.p, name.n);
}

/* Text behind the children, since that is how struct element has it. */
static void tree_of_element(struct tree *t, const struct element *e)
{
	tree_add(t, "<", 1);
	tree_name(t, e->ns, e->name);
	for (unsigned i = 0; i < e->n_attrs; i++) {
		tree_add(t, " ", 1);
		tree_name(t, e->attrs[i].ns, e->attrs[i].name);
		tree_add(t, "=", 1);
		tree_add(t, e->attrs[i].value.p, e->attrs[i].value.n);
	}
	tree_add(t, ">", 1);
	for (const struct element *c = e->child; c; c = c->next)
		tree_of_element(t, c);
	tree_add(t, e->text.p, e->text.n);
	tree_add(t, "</>", 3);
}

struct expat {
	struct tree tree, text[LIMIT_DEPTH + 2];
	unsigned depth;
};

static void expat_name(struct tree *t, const char *name)
{
	const char *cut = strchr(name, '\1');

	if (cut)
		tree_name(t, span_of(name, (size_t)(cut - name)), span_str(cut + 1));
	else
		tree_name(t, SPAN_LIT(""), span_str(name));
}

static void expat_start(void *ctx, const char *name, const char **attrs)
{
	struct expat *x = ctx;

	cr_assert_lt(x->depth, LIMIT_DEPTH + 1);
	x->text[++x->depth].n = 0;
	if (x->depth == 1)
		return;
	tree_add(&x->tree, "<", 1);
	expat_name(&x->tree, name);
	for (; *attrs; attrs += 2) {
		tree_add(&x->tree, " ", 1);
		expat_name(&x->tree, attrs[0]);
		tree_add(&x->tree, "=", 1);
		tree_add(&x->tree, attrs[1], strlen(attrs[1]));
	}
	tree_add(&x->tree, ">", 1);
}

static void expat_end(void *ctx, const char *name)
{
	struct expat *x = ctx;
	struct tree *text = &x->text[x->depth--];

	(void)name;
	if (x->depth == 0)
		return;
	if (text->n)
		tree_add(&x->tree, text->out, text->n);
	tree_add(&x->tree, "</>", 3);
}

static void expat_text(void *ctx, const char *s, int n)
{
	struct expat *x = ctx;

	tree_add(&x->text[x->depth], s, (size_t)n);
}

/* Within <s DECLS>. False when expat refuses. */
static bool expat_parse(XML_Parser parser, struct expat *x, struct span decls, struct span bytes)
{
	bool ok;

	XML_ParserReset(parser, "UTF-8");
	XML_SetUserData(parser, x);
	XML_SetElementHandler(parser, expat_start, expat_end);
	XML_SetCharacterDataHandler(parser, expat_text);
	x->tree.n = 0;
	x->depth = 0;
	ok = XML_Parse(parser, "<s", 2, 0) && XML_Parse(parser, decls.p, (int)decls.n, 0) &&
		XML_Parse(parser, ">", 1, 0) && XML_Parse(parser, bytes.p, (int)bytes.n, 0);
	return ok && XML_Parse(parser, "</s>", 4, 1);
}

/* -- comparison -- */

struct oracles {
	struct element_parser *ep;
	XML_Parser parser;
	struct expat x;
	unsigned accepted, refused;
};

static void oracles_open(struct oracles *o)
{
	memset(o, 0, sizeof(*o));
	o->ep = element_parser_new();
	/* U+0001 cannot occur in a namespace name */
	o->parser = XML_ParserCreateNS("UTF-8", '\1');
}

static void oracles_close(struct oracles *o)
{
	free(o->x.tree.out);
	for (size_t i = 0; i < ARRAY_LEN(o->x.text); i++)
		free(o->x.text[i].out);
	XML_ParserFree(o->parser);
	element_parser_free(o->ep);
}

static void compare_value(const char *what, struct span raw, struct span decoded,
	const struct frame *f)
{
	char buf[MAX_TEXT];
	size_t n;

	cr_assert_eq(raw.p == NULL, decoded.p == NULL, "%s of %.*s", what, (int)f->len, f->p);
	if (!raw.p)
		return;
	cr_assert(jid_decode(raw, buf, sizeof(buf), &n));
	cr_assert(span_eq(span_of(buf, n), decoded), "%s of %.*s", what, (int)f->len, f->p);
}

static void compare_frame(struct oracles *o, struct scan *s, const struct frame *f)
{
	struct span bytes = span_of(f->p, f->len), local = f->name;
	struct span decls = scan_root_decls(s);
	struct tree tree = { NULL, 0 };
	const char *why = NULL;
	const struct element *e = element_parse(o->ep, decls, bytes, &why);
	size_t colon = span_find(f->name, ':');

	cr_assert(e, "libxml2 (%s): %.*s", why, (int)f->len, f->p);
	if (colon < f->name.n)
		local = span_skip(f->name, colon + 1);
	cr_assert(span_eq(e->name, local), "%.*s", (int)f->len, f->p);
	compare_value("from", f->from, element_attr(e, "from"), f);
	compare_value("to", f->to, element_attr(e, "to"), f);
	compare_value("id", f->id, element_attr(e, "id"), f);
	compare_value("type", f->type, element_attr(e, "type"), f);
	cr_assert_eq((f->flags & FRAME_HAS_LANG) != 0, element_lang(e).p != NULL, "%.*s",
		(int)f->len, f->p);
	cr_assert_eq(f->kind == FRAME_DIALBACK, span_is(e->ns, "jabber:server:dialback"), "%.*s",
		(int)f->len, f->p);
	cr_assert_eq(f->kind == FRAME_MESSAGE, element_is(e, "jabber:server", "message"), "%.*s",
		(int)f->len, f->p);
	if (f->flags & FRAME_NAME_5E)
		return;
	cr_assert(expat_parse(o->parser, &o->x, decls, bytes), "expat (%s): %.*s",
		XML_ErrorString(XML_GetErrorCode(o->parser)), (int)f->len, f->p);
	tree_of_element(&tree, e);
	cr_assert_str_eq(tree.out, o->x.tree.out, "%.*s\n%s\n%s", (int)f->len, f->p, tree.out,
		o->x.tree.out);
	free(tree.out);
}

/* Every frame of header and text, until the scanner wants more or refuses. */
static void compare_stream(struct oracles *o, const char *p, size_t n)
{
	char *buf = malloc(n + SCAN_PAD);
	struct scan *s = scan_new(LIMIT_STANZA);
	struct frame f;

	memcpy(buf, p, n);
	memset(buf + n, '>', SCAN_PAD);
	for (size_t at = 0;; at += f.len) {
		enum scan_result r = scan(s, buf + at, n - at, &f);

		if (r == SCAN_FRAME) {
			o->accepted++;
			compare_frame(o, s, &f);
		} else if (r != SCAN_HEADER && r != SCAN_SPACE) {
			o->refused += r == SCAN_ERROR;
			break;
		}
	}
	scan_free(s);
	free(buf);
}

static void compare_cuts(const char *p, size_t n, unsigned round)
{
	struct feed whole = feed_cut(p, n, LIMIT_STANZA, n, n);

	feed_same("cut", &whole, p, n, LIMIT_STANZA, 1 + below(n), 1 + below(n));
	if (round % 16 == 0)
		feed_same("cut", &whole, p, n, LIMIT_STANZA, 1, 1);
	feed_free(&whole);
}

Test(scan_diff, T_P12_stanzas)
{
	static char text[sizeof(HEADER) + MAX_TEXT];
	const size_t head = sizeof(HEADER) - 1;
	struct oracles o;

	oracles_open(&o);
	memcpy(text, HEADER, head);
	for (unsigned round = 0; round < ROUNDS; round++) {
		const char *seed = seeds[below(ARRAY_LEN(seeds))];
		size_t n = strlen(seed);

		memcpy(text + head, seed, n);
		for (size_t i = below(4); i > 0; i--)
			n = mutate(text + head, n);
		if (n == 0)
			continue;
		compare_stream(&o, text, head + n);
		if (round % 4 == 0)
			compare_cuts(text, head + n, round);
	}
	/* Both verdicts must be frequent, or this compares nothing. */
	cr_expect_gt(o.accepted, ROUNDS / 5, "%u accepted", o.accepted);
	cr_expect_gt(o.refused, ROUNDS / 5, "%u refused", o.refused);
	oracles_close(&o);
}

/* -- headers -- */

static void compare_header(struct oracles *o, const char *p, size_t n)
{
	char *buf = malloc(n + SCAN_PAD);
	struct scan *s = scan_new(LIMIT_STANZA);
	const char *why = NULL;
	struct frame f;

	memcpy(buf, p, n);
	memset(buf + n, '>', SCAN_PAD);
	if (scan(s, buf, n, &f) != SCAN_HEADER) {
		o->refused++;
	} else {
		o->accepted++;
		cr_assert(element_parse_header(o->ep, span_of(buf, f.len), &why),
			"libxml2 (%s): %.*s", why, (int)f.len, buf);
		XML_ParserReset(o->parser, NULL);
		cr_assert(XML_Parse(o->parser, buf, (int)f.len, 0), "expat (%s): %.*s",
			XML_ErrorString(XML_GetErrorCode(o->parser)), (int)f.len, buf);
	}
	scan_free(s);
	free(buf);
}

Test(scan_diff, T_P12_headers)
{
	static const char seed[] = "\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8' "
				   "standalone='yes'?>\r\n" HEADER;
	static char text[MAX_TEXT];
	struct oracles o;

	oracles_open(&o);
	for (unsigned round = 0; round < HEADER_ROUNDS; round++) {
		size_t skip = below(3) * 3, n = sizeof(seed) - 1 - skip;

		memcpy(text, seed + skip, n);
		for (size_t i = below(3); i > 0; i--)
			n = mutate(text, n);
		if (n == 0)
			continue;
		compare_header(&o, text, n);
		if (round % 4 == 0)
			compare_cuts(text, n, round);
	}
	cr_expect_gt(o.accepted, HEADER_ROUNDS / 8, "%u accepted", o.accepted);
	cr_expect_gt(o.refused, HEADER_ROUNDS / 8, "%u refused", o.refused);
	oracles_close(&o);
}
