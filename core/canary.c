/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/canary.h"

#include "core/base/log.h"
#include "core/stanza.h"
#include "core/stream.h"
#include "core/worker.h"

#define BEFORE 64 /* bytes shown of what stands before the place of a refusal */

/* A header's declarations in full: values in it may have grown by escaping. */
#define DECLS_MAX (3 * LIMIT_HEADER)

static const char parsers_differ[] = "libxml2 reads another value";

static void differs(struct canary_finding *found, const char *field, const char *why)
{
	found->field = field;
	found->why = why;
}

/* -- libxml2 on the stanza -- */

/*
 * The declarations of the header without the prefixes that the frame does not claim to use: what
 * the stanza means on another stream once those are spliced in.
 */
static struct span decls_borrowed(const struct scan *scan, uint32_t used, struct writer *w)
{
	struct span rest = scan_root_decls(scan);

	for (unsigned i = 0; i < scan_root_prefix_count(scan); i++) {
		struct span decl = scan_root_prefix_decl(scan, i);
		size_t before = (size_t)(decl.p - rest.p);

		writer_raw(w, span_of(rest.p, before));
		if (used & UINT32_C(1) << i)
			writer_raw(w, decl);
		rest = span_skip(rest, before + decl.n);
	}
	writer_raw(w, rest);
	BUG_ON(w->overflow);
	return writer_span(w);
}

/* NULL: refused, and found says why, or there was no memory. */
static const struct element *parse(struct element_parser *ep, const struct scan *scan,
	const struct frame *f, struct canary_finding *found)
{
	char decls[DECLS_MAX];
	struct writer w = WRITER(decls);
	struct span bytes = span_of(f->p, f->len);
	const char *why = NULL;
	const struct element *e = element_parse(ep, decls_borrowed(scan, f->root_prefixes, &w),
		bytes, &why);

	if (e || element_parser_starved(ep))
		return e;
	differs(found, "bytes", why);
	found->refusal = element_parser_refusal(ep);
	if (element_parse(ep, scan_root_decls(scan), bytes, &why))
		differs(found, "root_prefixes", "a prefix of the header is used");
	return NULL;
}

/* -- the frame and the tree -- */

/* raw as the router would decode it, value as libxml2 did. */
static bool same_value(struct span raw, struct span value)
{
	char text[LIMIT_ATTR_VALUE];
	size_t len;

	if (!raw.p || !value.p)
		return !raw.p && !value.p;
	return jid_decode(raw, text, sizeof(text), &len) && span_eq(span_of(text, len), value);
}

static bool same_name(const struct frame *f, const struct element *e)
{
	struct span name = f->name;

	if (name.p != f->p + 1 || f->name_end != 1 + name.n)
		return false;
	if (e->prefix.n == 0)
		return span_eq(name, e->name);
	return name.n == e->prefix.n + 1 + e->name.n && span_starts(name, e->prefix) &&
		name.p[e->prefix.n] == ':' && span_eq(span_skip(name, e->prefix.n + 1), e->name);
}

static bool same_kind(const struct scan *scan, const struct frame *f, const struct element *e)
{
	static const char *const names[] = { "message", "presence", "iq" };

	_Static_assert(FRAME_MESSAGE == 0 && FRAME_PRESENCE == 1 && FRAME_IQ == 2, "order");
	return f->kind < ARRAY_LEN(names) && span_is(e->name, names[f->kind]) &&
		span_eq(e->ns, scan_root_content_ns(scan));
}

/* libxml2 drops xmlns:xml='..', which may stand anywhere and changes nothing. */
static bool same_count(const struct frame *f, const struct element *e)
{
	unsigned seen = e->n_attrs + e->n_decls;

	return f->attrs == seen || (f->attrs == seen + 1 && memmem(f->p, f->len, "xmlns:xml", 9));
}

static bool has_reference(struct span raw, struct span value)
{
	return raw.p && !span_eq(raw, value);
}

static bool same_flags(const struct frame *f, const struct element *e, struct canary_finding *found)
{
	bool lang = f->flags & FRAME_HAS_LANG, decoded = f->flags & FRAME_ADDR_DECODED;

	if (lang != (element_lang(e).p != NULL))
		differs(found, "lang", "only one of them sees an xml:lang");
	else if (decoded !=
		(has_reference(f->from, element_attr(e, "from")) ||
			has_reference(f->to, element_attr(e, "to"))))
		differs(found, "addr_decoded", "an address is not what stands there");
	else if (f->flags & FRAME_EMPTY && (e->child || e->text.n))
		differs(found, "empty", "libxml2 sees content");
	else
		return true;
	return false;
}

struct declared {
	struct span content; /* namespace */
	unsigned n; /* elements that declare it as the default */
	bool by_prefix; /* some element is in it by a prefix */
};

/* Outside every extension element, as the scanner counts; LIMIT_DEPTH deep at most. */
static void count_declared(const struct element *e, struct declared *d)
{
	if (!span_eq(e->ns, d->content))
		return;
	d->by_prefix |= e->prefix.n > 0;
	d->n += e->sets_default;
	for (const struct element *c = e->child; c; c = c->next)
		count_declared(c, d);
}

static bool same_declared(const struct scan *scan, const struct frame *f, const struct element *e)
{
	struct declared d = { .content = scan_root_content_ns(scan) };
	bool overflow = f->flags & FRAME_NS_OVERFLOW;

	count_declared(e, &d);
	if (overflow != (d.by_prefix || d.n > FRAME_REDECLARED))
		return false;
	return overflow || d.n == f->n_redeclared;
}

static bool same_attrs(const struct frame *f, const struct element *e, struct canary_finding *found)
{
	const struct {
		const char *name;
		struct span raw;
	} rows[] = {
		{ "from", f->from },
		{ "to", f->to },
		{ "id", f->id },
		{ "type", f->type },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		if (same_value(rows[i].raw, element_attr(e, rows[i].name)))
			continue;
		differs(found, rows[i].name, parsers_differ);
		return false;
	}
	return true;
}

enum canary_verdict canary_compare(struct element_parser *ep, const struct scan *scan,
	const struct frame *f, struct canary_finding *found)
{
	const struct element *e;

	*found = (struct canary_finding){ .refusal = { .at = SIZE_MAX } };
	if (f->len > LIMIT_XML_CHECK)
		return CANARY_UNKNOWN;
	e = parse(ep, scan, f, found);
	if (!e)
		return found->field ? CANARY_DIFFERS : CANARY_UNKNOWN;
	if (!same_name(f, e))
		differs(found, "name", parsers_differ);
	else if (!same_kind(scan, f, e))
		differs(found, "kind", "libxml2 reads something else than this stanza");
	else if (!same_attrs(f, e, found) || !same_flags(f, e, found))
		return CANARY_DIFFERS;
	else if (!same_count(f, e))
		differs(found, "attrs", "libxml2 counts others");
	else if (!same_declared(scan, f, e))
		differs(found, "redeclared", "the content namespace is declared elsewhere");
	return found->field ? CANARY_DIFFERS : CANARY_AGREES;
}

/* -- for the operator -- */

static char masked(char c)
{
	bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	bool digit = c >= '0' && c <= '9';

	return letter || digit || (unsigned char)c >= 0x80 ? 'x' : c;
}

void canary_excerpt(struct canary_excerpt *x, struct span stanza, size_t at)
{
	size_t tag = span_find(stanza, '>'), from, n;

	tag += tag < stanza.n;
	x->tag = span_of(stanza.p, tag < CANARY_SHOWN ? tag : CANARY_SHOWN);
	x->around = SPAN_NONE;
	if (at > stanza.n || tag == stanza.n)
		return;
	from = at > tag + BEFORE ? at - BEFORE : tag;
	n = stanza.n - from < CANARY_SHOWN ? stanza.n - from : CANARY_SHOWN;
	for (size_t i = 0; i < n; i++)
		x->text[i] = masked(stanza.p[from + i]);
	x->around = span_of(x->text, n);
}

static void canary_log(const struct stream *s, const struct frame *f,
	const struct canary_finding *found)
{
	struct canary_excerpt x;
	struct address from, to;
	bool refused = found->refusal.at != SIZE_MAX;
	char peer[ADDR_TEXT];

	canary_excerpt(&x, span_of(f->p, f->len), found->refusal.at);
	addr_format(conn_peer(s->conn), peer);
	LOG(LOG_ERROR, "xml-disagreed",
		"the two parsers differ over a stanza, which was refused: report this",
		LF_STR("field", found->field), LF_STR("reason", found->why),
		LF_STR("kind", s->ops->kind), LF_STR("peer", peer),
		LF_SPAN("from",
			address_read(&from, f->from) ? domain_span(&from.domain) : SPAN_NONE),
		LF_SPAN("to", address_read(&to, f->to) ? domain_span(&to.domain) : SPAN_NONE),
		LF_INT("bytes", f->len), LF_SPAN("tag", x.tag),
		refused ? LF_INT("code", found->refusal.code) : LF_NONE,
		refused ? LF_INT("at", found->refusal.at) : LF_NONE, LF_SPAN("around", x.around));
}

bool canary_refuses(struct stream *s, const struct frame *f)
{
	struct worker *w = s->w;
	struct canary_finding found;

	switch (canary_compare(w->elements, s->scan, f, &found)) {
	case CANARY_AGREES:
		STATS_INC(&w->stats, xml_checked);
		return false;
	case CANARY_UNKNOWN:
		STATS_INC(&w->stats, xml_unchecked);
		return false;
	case CANARY_DIFFERS:
		break;
	}
	STATS_INC(&w->stats, xml_checked);
	STATS_INC(&w->stats, xml_disagreed);
	canary_log(s, f, &found);
	return true;
}
