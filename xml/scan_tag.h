/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The states within a tag, each behind those that it goes on to. Part of
 * xml/scan_machine.h; the source that includes that has chosen the inner loops.
 */
#ifndef SLUICE_XML_SCAN_TAG_H
#define SLUICE_XML_SCAN_TAG_H

#include "xml/scan_impl.h"

static bool is_start(char c)
{
	return chars_is((unsigned char)c, CHARS_START);
}

static bool is_quote(char c)
{
	return c == '\'' || c == '"';
}

/* -- names -- */

/* Starts on the name at w->pos. */
static void name_begin(struct scan_work *w, enum scan_state state)
{
	w->name = w->part = w->pos;
	w->state = (uint8_t)state;
}

/* Goes on with a qualified name; STEP_GO when w->pos is behind it. */
static enum step name_run(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const char *end = r->p + r->end;
	enum step step;

	for (;;) {
		const char *at = r->p + w->pos;

		if (w->pos != w->part || is_start(*at) || !CHECKED(NAME_START)) {
			at = skip_name(at, end);
			w->pos = (uint32_t)(at - r->p);
		}
		if (w->pos - w->name > LIMIT_XML_NAME && CHECKED(NAME_LENGTH))
			return scan_fail(r, SCAN_E_LIMIT, "name too long");
		if (at == end)
			return STEP_MORE;
		if (*at == ':') {
			step = scan_colon(r);
			if (step != STEP_GO)
				return step;
			continue;
		}
		if ((unsigned char)*at < 0x80)
			break;
		step = scan_name_wide(r);
		if (step != STEP_GO)
			return step;
	}
	if (w->pos == w->part && CHECKED(NAME_EMPTY))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "name expected");
	return STEP_GO;
}

static uint16_t name_prefix(const struct scan_work *w)
{
	return w->part == w->name ? 0 : (uint16_t)(w->part - w->name - 1);
}

/* -- attributes -- */

/* The byte at w->pos, where skip_value stopped, is neither the end nor '&'. */
static enum step value_special(struct scan_run *r, struct scan_attr *a)
{
	struct scan_work *w = r->w;
	char c = r->p[w->pos];

	if (c == '<' && CHECKED(ATTR_LT))
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "< in an attribute value");
	if (is_quote(c)) {
		w->pos++;
		return STEP_GO;
	}
	if (c == '\t' || c == '\n' || c == '\r') {
		a->dirty = 1;
		w->pos++;
		return STEP_GO;
	}
	return scan_wide(r);
}

static enum step attr_value(struct scan_run *r)
{
	struct scan_work *w = r->w;
	struct scan_attr *a = &w->attrs[w->n_attrs - 1];
	const char *end = r->p + r->end;
	enum step step;

	for (;;) {
		const char *at = skip_value(r->p + w->pos, end);

		w->pos = (uint32_t)(at - r->p);
		if (w->pos - a->value > LIMIT_ATTR_VALUE && CHECKED(ATTR_LENGTH))
			return scan_fail(r, SCAN_E_LIMIT, "attribute value too long");
		if (at == end)
			return STEP_MORE;
		if ((uint8_t)*at == w->quote)
			break;
		if (*at == '&') {
			a->dirty = 1;
			if (scan_ref_plain(r))
				continue;
			w->pos++;
			w->back = ST_VALUE;
			w->state = ST_REF;
			return STEP_GO;
		}
		step = value_special(r, a);
		if (step != STEP_GO)
			return step;
	}
	a->value_len = (uint16_t)(w->pos - a->value);
	w->mark = ++w->pos;
	w->state = ST_TAG;
	return STEP_GO;
}

static enum step attr_quote(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const char *end = r->p + r->end, *at = skip_space(r->p + w->pos, end);

	w->pos = (uint32_t)(at - r->p);
	if (at == end)
		return STEP_MORE;
	if (!is_quote(*at) && CHECKED(ATTR_QUOTE))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "attribute value not quoted");
	w->quote = (uint8_t)*at;
	w->pos++;
	w->attrs[w->n_attrs - 1].value = w->pos;
	w->state = ST_VALUE;
	return attr_value(r);
}

static enum step attr_equals(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const char *end = r->p + r->end, *at = skip_space(r->p + w->pos, end);

	w->pos = (uint32_t)(at - r->p);
	if (at == end)
		return STEP_MORE;
	if (*at != '=' && CHECKED(ATTR_EQUALS))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "attribute without a value");
	w->pos++;
	w->state = ST_QUOTE;
	return attr_quote(r);
}

/*
 * Notes the name of the last attribute, which goes on to `to`; false when the element
 * has one of that name already. Names of up to eight bytes have a key of their own.
 */
static inline bool attr_named(struct scan_work *w, const char *p, const char *name, uint32_t prefix,
	const char *to)
{
	struct scan_attr *a = &w->attrs[w->n_attrs - 1];
	uint32_t len = (uint32_t)(to - name), first = prefix ? prefix : len;
	uint64_t key = scan_name_key(name, len);
	uint64_t bit = UINT64_C(1) << (key * UINT64_C(0x9e3779b97f4a7c15) >> 58);
	bool maybe = w->attr_seen & bit;

	a->name = (uint32_t)(name - p);
	a->name_len = (uint16_t)len;
	a->prefix_len = (uint16_t)prefix;
	a->dirty = 0;
	a->decl = first == 5 && memcmp(name, "xmlns", 5) == 0;
	w->attr_key[w->n_attrs - 1] = key;
	w->attr_seen |= bit;
	w->has_decl |= a->decl;
	w->has_prefixed |= !a->decl && prefix;
	return !maybe || !scan_attr_twice(w, p, w->n_attrs - 1u);
}

static enum step attr_name(struct scan_run *r)
{
	struct scan_work *w = r->w;
	enum step step = name_run(r);

	if (step != STEP_GO)
		return step;
	if (!attr_named(w, r->p, r->p + w->name, name_prefix(w), r->p + w->pos) &&
		CHECKED(ATTR_TWICE))
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "attribute given twice");
	w->state = ST_EQUALS;
	return attr_equals(r);
}

/*
 * The attributes that are there as a whole with nothing unusual in them, which is
 * nearly all: from w->pos, the end of a name or of a value, to the end of the last of
 * them. What comes then is for the states, which can refuse it or wait for more.
 */
static void attrs_plain(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const char *p = r->p + w->pos, *end = r->p + r->end;

	while (w->n_attrs < LIMIT_ATTRS && *p == ' ' && is_start(p[1])) {
		const char *name = p + 1, *to = skip_name(name, end), *value, *close;
		struct scan_attr *a = &w->attrs[w->n_attrs];
		uint64_t seen = w->attr_seen;
		uint32_t prefix = 0;

		if (*to == ':' && is_start(to[1])) {
			prefix = (uint32_t)(to - name);
			to = skip_name(to + 1, end);
		}
		value = to + 2;
		close = skip_value(value, end);
		if (close == end || *to != '=' || !is_quote(*close) || *close != value[-1] ||
			to - name > LIMIT_XML_NAME || close - value > LIMIT_ATTR_VALUE)
			break;
		w->n_attrs++;
		if (!attr_named(w, r->p, name, prefix, to)) {
			w->n_attrs--;
			w->attr_seen = seen;
			break;
		}
		a->space = (uint32_t)(p - r->p);
		a->value = (uint32_t)(value - r->p);
		a->value_len = (uint16_t)(close - value);
		p = close + 1;
	}
	w->mark = w->pos = (uint32_t)(p - r->p);
}

/* -- start tags -- */

static enum step element_end(struct scan_run *r)
{
	struct scan_work *w = r->w;

	w->depth--;
	w->ns.n = w->open[w->depth].n_ns;
	if (w->ext_depth > w->depth)
		w->ext_depth = 0;
	w->state = ST_TEXT;
	return w->depth ? STEP_GO : STEP_FRAME;
}

/* The start tag is complete. Most declare nothing, have no prefix and begin nothing new. */
static enum step tag_close(struct scan_run *r)
{
	struct scan_work *w = r->w;

	if (w->depth == 1 || w->has_decl || w->has_prefixed || w->prefix_len)
		return scan_scope_open(r);
	if (w->ext_depth == 0 && w->open[w->depth - 1].default_ns != r->s->root->content_id)
		w->ext_depth = w->depth;
	return STEP_GO;
}

static enum step tag_slash(struct scan_run *r)
{
	struct scan_work *w = r->w;
	enum step step;

	if (w->pos == r->end)
		return STEP_MORE;
	if (r->p[w->pos] != '>' && CHECKED(TAG_SLASH))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "malformed start tag");
	if (!r->s->root && CHECKED(STREAM_EMPTY))
		return scan_fail(r, SCAN_E_BAD_FORMAT, "the root element ends at once");
	w->pos++;
	if (w->depth == 1)
		w->flags |= FRAME_EMPTY;
	step = tag_close(r);
	return step == STEP_GO ? element_end(r) : step;
}

/* Behind the name, or behind an attribute: the rest of the tag. */
static enum step tag(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const char *end = r->p + r->end, *at;

	if (w->pos == w->mark)
		attrs_plain(r);
	at = skip_space(r->p + w->pos, end);
	w->pos = (uint32_t)(at - r->p);
	if (at == end)
		return STEP_MORE;
	if (*at == '>') {
		w->pos++;
		w->state = ST_TEXT;
		return tag_close(r);
	}
	if (*at == '/') {
		w->pos++;
		w->state = ST_SLASH;
		return tag_slash(r);
	}
	if (w->pos == w->mark && CHECKED(TAG_SPACE))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "malformed start tag");
	if (w->n_attrs == LIMIT_ATTRS && CHECKED(ATTR_COUNT))
		return scan_fail(r, SCAN_E_LIMIT, "too many attributes");
	w->attrs[w->n_attrs++].space = w->mark;
	name_begin(w, ST_ATTR);
	return attr_name(r);
}

static enum step element_name(struct scan_run *r)
{
	struct scan_work *w = r->w;
	enum step step = name_run(r);
	struct scan_open *open;

	if (step != STEP_GO)
		return step;
	if (w->depth == LIMIT_DEPTH && CHECKED(DEPTH))
		return scan_fail(r, SCAN_E_LIMIT, "elements nested too deeply");
	open = &w->open[w->depth];
	open->name = w->name;
	open->name_len = (uint16_t)(w->pos - w->name);
	open->n_ns = (uint8_t)w->ns.n;
	if (w->depth)
		open->default_ns = open[-1].default_ns;
	else
		open->default_ns = r->s->root ? r->s->root->default_id : NS_NONE;
	w->depth++;
	w->prefix_len = name_prefix(w);
	w->n_attrs = 0;
	w->attr_seen = 0;
	w->has_decl = w->has_prefixed = false;
	w->mark = w->pos;
	w->state = ST_TAG;
	return tag(r);
}

/* -- end tags -- */

static enum step end_tail(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const char *end = r->p + r->end, *at = skip_space(r->p + w->pos, end);

	w->pos = (uint32_t)(at - r->p);
	if (at == end)
		return STEP_MORE;
	if (*at != '>' && CHECKED(END_TAIL))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "end tag does not match");
	w->pos++;
	return w->depth ? element_end(r) : STEP_CLOSE;
}

/* Eight bytes can be read from both whatever n is; most names are no longer. */
static bool end_same(const char *a, const char *b, uint32_t n)
{
	if (n > 8 || n == 0)
		return memcmp(a, b, n) == 0;
	return (scan_load8(a) ^ scan_load8(b)) << (64 - 8 * n) == 0;
}

static enum step end_name(struct scan_run *r)
{
	struct scan_work *w = r->w;
	struct span want = scan_end_wanted(r);
	uint32_t left = (uint32_t)want.n - w->match, there = r->end - w->pos;
	uint32_t n = left < there ? left : there;

	if (!end_same(r->p + w->pos, want.p + w->match, n))
		return scan_end_mismatch(r, want);
	w->pos += n;
	w->match += n;
	if (n < left)
		return STEP_MORE;
	w->state = ST_END_TAIL;
	return end_tail(r);
}

/* The whole end tag is there, with nothing unusual in it; else nothing has happened. */
static bool end_plain(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const struct scan_open *open = &w->open[w->depth - 1];
	const char *p = r->p + w->pos;

	if (r->end - w->pos <= open->name_len || p[open->name_len] != '>' ||
		!end_same(p, r->p + open->name, open->name_len))
		return false;
	w->pos += open->name_len + 1u;
	return true;
}

static enum step end_tag(struct scan_run *r)
{
	struct scan_work *w = r->w;

	if (w->depth && end_plain(r))
		return element_end(r);
	w->match = 0;
	w->state = ST_END_NAME;
	return end_name(r);
}

#endif
