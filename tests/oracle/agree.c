/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/agree.h"

#include "core/base/mem.h"
#include "tests/oracle/libxml2.h"
#include "xml/jid.h"

/* -- names and values -- */

static bool agree_qname(struct span qname, const struct events *e, struct events_name name)
{
	struct span prefix = events_span(e, name.prefix), local = events_span(e, name.local);

	if (prefix.n == 0)
		return span_eq(qname, local);
	return qname.n == prefix.n + 1 + local.n && span_starts(qname, prefix) &&
		qname.p[prefix.n] == ':' && span_eq(span_skip(qname, prefix.n + 1), local);
}

static bool agree_value(const char *what, struct span raw, struct span decoded, struct complaint *c)
{
	char *buf;
	size_t n;
	bool same;

	if (!raw.p != !decoded.p)
		return complain(c, "%s: %s", what, raw.p ? "there is none" : "not told of");
	if (!raw.p)
		return true;
	buf = mem_alloc(raw.n + 1);
	same = jid_decode(raw, buf, raw.n, &n) && span_eq(span_of(buf, n), decoded);
	mem_free(buf);
	return same || complain(c, "%s is '%.*s'", what, (int)decoded.n, decoded.p);
}

static bool is_dirty(struct span raw)
{
	return span_find(raw, '&') < raw.n || span_find(raw, '\t') < raw.n ||
		span_find(raw, '\r') < raw.n || span_find(raw, '\n') < raw.n;
}

static bool agree_name(const struct frame *f, const struct reading *r,
	const struct reading_element *e, struct complaint *c)
{
	if (!agree_qname(f->name, &r->events, e->name))
		return complain(c, "name");
	if (f->p[0] != '<' || f->name.p != f->p + 1 || f->name_end != f->name.n + 1)
		return complain(c, "name_end");
	return true;
}

static bool agree_attrs(const struct frame *f, const struct reading *r,
	const struct reading_element *e, struct complaint *c)
{
	/* libxml2 passes over a declaration of the prefix xml, which can only repeat itself. */
	unsigned unseen = f->attrs - e->attrs;

	if (unseen > 1 || (unseen && !memmem(f->p, f->len, "xmlns:xml", 9)))
		return complain(c, "%u attributes, and not %u", e->attrs, f->attrs);
	return agree_value("from", f->from, events_span(&r->events, e->from), c) &&
		agree_value("to", f->to, events_span(&r->events, e->to), c) &&
		agree_value("id", f->id, events_span(&r->events, e->id), c) &&
		agree_value("type", f->type, events_span(&r->events, e->type), c);
}

/* -- kind and flags -- */

static bool is_content(struct span ns)
{
	return span_is(ns, "jabber:server") || span_is(ns, "jabber:client") ||
		span_is(ns, "jabber:component:accept");
}

static enum frame_kind kind_of(const struct reading *r, const struct reading_element *e)
{
	struct span ns = events_span(&r->events, e->name.ns);
	struct span local = events_span(&r->events, e->name.local);

	if (span_is(ns, "http://etherx.jabber.org/streams"))
		return FRAME_STREAM;
	if (span_is(ns, "jabber:server:dialback"))
		return FRAME_DIALBACK;
	if (!r->content.n || !span_eq(ns, r->content))
		return FRAME_FOREIGN;
	if (span_is(local, "message"))
		return FRAME_MESSAGE;
	if (span_is(local, "presence"))
		return FRAME_PRESENCE;
	return span_is(local, "iq") ? FRAME_IQ : FRAME_CONTENT;
}

/* All but FRAME_NS_OVERFLOW and FRAME_NAME_5E. */
static unsigned flags_of(const struct frame *f, const struct reading *r,
	const struct reading_element *e)
{
	struct span ns = events_span(&r->events, e->name.ns);
	unsigned flags = 0;

	if (is_dirty(f->from) || is_dirty(f->to))
		flags |= FRAME_ADDR_DECODED;
	if (e->has_lang)
		flags |= FRAME_HAS_LANG;
	if (e->name.prefix.n)
		flags |= FRAME_PREFIXED;
	if (is_content(ns) && !span_eq(ns, r->content))
		flags |= FRAME_CONTENT_NS;
	if (f->p[f->len - 2] == '/')
		flags |= FRAME_EMPTY;
	return flags;
}

static bool agree_kind(const struct frame *f, const struct reading *r,
	const struct reading_element *e, struct complaint *c)
{
	const unsigned others = FRAME_NS_OVERFLOW | FRAME_NAME_5E;

	if (f->kind != kind_of(r, e))
		return complain(c, "kind %d, and not %d", kind_of(r, e), f->kind);
	if ((f->flags & ~others) != flags_of(f, r, e))
		return complain(c, "flags %#x, and not %#x", flags_of(f, r, e), f->flags & ~others);
	return true;
}

/* -- what a stanza borrows from its stream -- */

/* The p of " xmlns:p='uri'". */
static struct span decl_prefix(struct span decl)
{
	struct span rest = span_skip(decl, sizeof(" xmlns:") - 1);

	return span_of(rest.p, span_find(rest, '='));
}

static bool agree_borrowed(const struct frame *f, const struct scan *s, const struct reading *r,
	const struct reading_element *e, struct complaint *c)
{
	unsigned found = 0;

	for (unsigned i = 0; i < scan_root_prefix_count(s); i++) {
		struct span prefix = decl_prefix(scan_root_prefix_decl(s, i));
		bool borrowed = false;

		for (unsigned k = 0; k < e->n_borrowed; k++)
			borrowed |= span_eq(prefix, events_span(&r->events, e->borrowed[k]));
		if (borrowed != (f->root_prefixes >> i & 1))
			return complain(c, "prefix %.*s is%s the root's", (int)prefix.n, prefix.p,
				borrowed ? "" : " not");
		found += borrowed;
	}
	if (found != e->n_borrowed || found != (unsigned)__builtin_popcount(f->root_prefixes))
		return complain(c, "%u of the root's prefixes", e->n_borrowed);
	return true;
}

/* Whether s is white space and then exactly one declaration of ns as the default. */
static bool is_default_decl(struct span s, struct span ns)
{
	char value[64];
	struct span rest;
	size_t n;

	if (s.n == 0 || !memchr(" \t\r\n", s.p[0], 4))
		return false;
	rest = span_trim(s);
	if (rest.p + rest.n != s.p + s.n || !span_starts(rest, SPAN_LIT("xmlns")))
		return false;
	rest = span_trim(span_skip(rest, 5));
	if (rest.n == 0 || rest.p[0] != '=')
		return false;
	rest = span_trim(span_skip(rest, 1));
	if (rest.n < 2 || (rest.p[0] != '\'' && rest.p[0] != '"') ||
		span_find(span_skip(rest, 1), rest.p[0]) != rest.n - 2)
		return false;
	rest = span_of(rest.p + 1, rest.n - 2);
	return jid_decode(rest, value, sizeof(value), &n) && span_eq(span_of(value, n), ns);
}

static bool agree_redeclared(const struct frame *f, const struct reading *r,
	const struct reading_element *e, struct complaint *c)
{
	bool overflow = e->content_prefixed || e->redeclared > FRAME_REDECLARED;
	unsigned n = e->redeclared < FRAME_REDECLARED ? e->redeclared : FRAME_REDECLARED;
	uint32_t behind = f->name_end;

	if (overflow != !!(f->flags & FRAME_NS_OVERFLOW))
		return complain(c, "redeclarations%s overflow", overflow ? "" : " do not");
	if (n != f->n_redeclared)
		return complain(c, "%u redeclarations, and not %u", n, f->n_redeclared);
	for (unsigned i = 0; i < n; i++) {
		struct frame_ref at = f->redeclared[i];

		if (at.off < behind || at.off > f->len || at.len > f->len - at.off)
			return complain(c, "redeclaration %u lies elsewhere", i);
		if (!is_default_decl(span_of(f->p + at.off, at.len), r->content))
			return complain(c, "redeclaration %u is none", i);
		behind = at.off + at.len;
	}
	return true;
}

bool agree_frame(const struct frame *f, const struct scan *s, const struct reading *r, unsigned i,
	struct complaint *c)
{
	const struct reading_element *e = &r->element[i];

	return agree_name(f, r, e, c) && agree_attrs(f, r, e, c) && agree_kind(f, r, e, c) &&
		agree_borrowed(f, s, r, e, c) && agree_redeclared(f, r, e, c);
}

/* -- the root -- */

/* Its declarations as the scanner gives them are read again, on an element of their own. */
static bool agree_decls(const struct scan *s, const struct reading *r, struct complaint *c)
{
	struct span decls = scan_root_decls(s);
	struct reading again = { 0 };
	char *text = mem_alloc(decls.n + 4);
	bool same;

	memcpy(text, "<s", 2);
	memcpy(text + 2, decls.p, decls.n);
	memcpy(text + 2 + decls.n, "/>", 2);
	oracle_libxml2_read(span_of(text, decls.n + 4), &again);
	same = again.accepted &&
		span_eq(span_of(again.root_decls.p, again.root_decls.n),
			span_of(r->root_decls.p, r->root_decls.n));
	reading_free(&again);
	mem_free(text);
	return same || complain(c, "declarations of the root: %.*s", (int)decls.n, decls.p);
}

static struct span content_of(const struct reading *r)
{
	struct span ns = events_span(&r->root_decls, r->root_default);

	/* A peer without prefixes puts xmlns='jabber:server' on its stanzas (xml/scan.h). */
	return span_is(ns, "http://etherx.jabber.org/streams") ? r->content : ns;
}

bool agree_root(const struct scan *s, const struct reading *r, struct complaint *c)
{
	if (!agree_qname(scan_root_name(s), &r->root, r->root_name))
		return complain(c, "name of the root");
	if (!span_eq(scan_root_content_ns(s), content_of(r)))
		return complain(c, "content namespace of the root");
	return agree_decls(s, r, c);
}
