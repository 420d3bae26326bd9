/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/scan_impl.h"

/* -- names -- */

/* A name character >= 0x80 at w->pos. */
static enum step name_wide(struct scan_run *r)
{
	struct scan_work *w = r->w;
	bool first = w->pos == w->part;
	uint32_t cp;
	int len = chars_decode(r->p + w->pos, r->end - w->pos, &cp);

	if (len <= 0 || !(first ? chars_is_name_start(cp) : chars_is_name(cp)))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "character not allowed in a name");
	if (!(first ? chars_is_name_start_4e(cp) : chars_is_name_4e(cp)))
		w->odd_name = true;
	w->pos += (uint32_t)len;
	return STEP_GO;
}

/* Goes on with a qualified name; STEP_GO when w->pos is behind it. */
static enum step name_run(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const char *end = r->p + r->end;
	enum step step;

	for (;;) {
		const char *at = r->p + w->pos;

		if (w->pos != w->part || chars_is((unsigned char)*at, CHARS_START)) {
			at = skip_name(at, end);
			w->pos = (uint32_t)(at - r->p);
		}
		if (w->pos - w->name > LIMIT_XML_NAME)
			return scan_fail(r, SCAN_E_LIMIT, "name too long");
		if (at == end)
			return STEP_MORE;
		if (*at == ':') {
			if (w->pos == w->part || w->part != w->name)
				return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "misplaced colon");
			w->part = ++w->pos;
			continue;
		}
		if ((unsigned char)*at < 0x80)
			break;
		step = name_wide(r);
		if (step != STEP_GO)
			return step;
	}
	if (w->pos == w->part)
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "name expected");
	return STEP_GO;
}

static uint16_t name_prefix(const struct scan_work *w)
{
	return w->part == w->name ? 0 : (uint16_t)(w->part - w->name - 1);
}

/* -- start tags -- */

enum step scan_name(struct scan_run *r)
{
	struct scan_work *w = r->w;
	enum step step = name_run(r);
	struct scan_open *open;

	if (step != STEP_GO)
		return step;
	if (w->depth == LIMIT_DEPTH)
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
	return scan_tag(r);
}

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

enum step scan_tag(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const char *end = r->p + r->end, *at = skip_space(r->p + w->pos, end);

	w->pos = (uint32_t)(at - r->p);
	if (at == end)
		return STEP_MORE;
	if (*at == '>') {
		w->pos++;
		w->state = ST_TEXT;
		return scan_scope_open(r);
	}
	if (*at == '/') {
		w->pos++;
		w->state = ST_SLASH;
		return scan_slash(r);
	}
	if (w->pos == w->mark)
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "malformed start tag");
	if (w->n_attrs == LIMIT_ATTRS)
		return scan_fail(r, SCAN_E_LIMIT, "too many attributes");
	w->attrs[w->n_attrs++].space = w->mark;
	scan_name_begin(w, ST_ATTR);
	return scan_attr(r);
}

enum step scan_slash(struct scan_run *r)
{
	struct scan_work *w = r->w;
	enum step step;

	if (w->pos == r->end)
		return STEP_MORE;
	if (r->p[w->pos] != '>')
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "malformed start tag");
	if (!r->s->root)
		return scan_fail(r, SCAN_E_BAD_FORMAT, "the root element ends at once");
	w->pos++;
	if (w->depth == 1)
		w->flags |= FRAME_EMPTY;
	step = scan_scope_open(r);
	return step == STEP_GO ? element_end(r) : step;
}

/* -- attributes -- */

static bool attr_repeated(struct scan_work *w, const char *p, const struct scan_attr *a)
{
	const char *name = p + a->name;
	unsigned hash = (unsigned char)name[0] * 5u + (unsigned char)name[a->name_len - 1] * 3u;
	uint64_t bit = UINT64_C(1) << ((hash + a->name_len) & 63);
	bool maybe = w->attr_seen & bit;

	w->attr_seen |= bit;
	if (maybe)
		for (const struct scan_attr *b = w->attrs; b < a; b++)
			if (b->name_len == a->name_len &&
				memcmp(p + b->name, name, a->name_len) == 0)
				return true;
	return false;
}

enum step scan_attr(struct scan_run *r)
{
	struct scan_work *w = r->w;
	struct scan_attr *a = &w->attrs[w->n_attrs - 1];
	enum step step = name_run(r);
	unsigned first;

	if (step != STEP_GO)
		return step;
	a->name = w->name;
	a->name_len = (uint16_t)(w->pos - w->name);
	a->prefix_len = name_prefix(w);
	a->dirty = 0;
	if (attr_repeated(w, r->p, a))
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "attribute given twice");
	first = a->prefix_len ? a->prefix_len : a->name_len;
	a->decl = first == 5 && memcmp(r->p + a->name, "xmlns", 5) == 0;
	if (a->decl)
		w->has_decl = true;
	else if (a->prefix_len)
		w->has_prefixed = true;
	w->state = ST_EQUALS;
	return scan_equals(r);
}

enum step scan_equals(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const char *end = r->p + r->end, *at = skip_space(r->p + w->pos, end);

	w->pos = (uint32_t)(at - r->p);
	if (at == end)
		return STEP_MORE;
	if (*at != '=')
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "attribute without a value");
	w->pos++;
	w->state = ST_QUOTE;
	return scan_quote(r);
}

enum step scan_quote(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const char *end = r->p + r->end, *at = skip_space(r->p + w->pos, end);

	w->pos = (uint32_t)(at - r->p);
	if (at == end)
		return STEP_MORE;
	if (*at != '\'' && *at != '"')
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "attribute value not quoted");
	w->quote = (uint8_t)*at;
	w->pos++;
	w->attrs[w->n_attrs - 1].value = w->pos;
	w->state = ST_VALUE;
	return scan_value(r);
}

/* The byte at w->pos, where skip_value stopped, is neither the end nor '&'. */
static enum step value_special(struct scan_run *r, struct scan_attr *a)
{
	struct scan_work *w = r->w;
	char c = r->p[w->pos];

	if (c == '<')
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "< in an attribute value");
	if (c == '\'' || c == '"') {
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

enum step scan_value(struct scan_run *r)
{
	struct scan_work *w = r->w;
	struct scan_attr *a = &w->attrs[w->n_attrs - 1];
	const char *end = r->p + r->end;
	enum step step;

	for (;;) {
		const char *at = skip_value(r->p + w->pos, end);

		w->pos = (uint32_t)(at - r->p);
		if (w->pos - a->value > LIMIT_ATTR_VALUE)
			return scan_fail(r, SCAN_E_LIMIT, "attribute value too long");
		if (at == end)
			return STEP_MORE;
		if ((uint8_t)*at == w->quote)
			break;
		if (*at == '&') {
			a->dirty = 1;
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

/* -- end tags -- */

static struct span end_wanted(const struct scan_run *r)
{
	const struct scan_work *w = r->w;
	const struct scan_open *open;

	if (w->depth == 0)
		return ns_root_name(r->s->root);
	open = &w->open[w->depth - 1];
	return span_of(r->p + open->name, open->name_len);
}

/*
 * Some byte differs. If it is in the middle of a character, step back to where
 * that begins, so that broken UTF-8 gets the error that is its own.
 */
static enum step end_mismatch(struct scan_run *r, struct span want)
{
	struct scan_work *w = r->w;
	size_t i = 0;

	while (r->p[w->pos + i] == want.p[w->match + i])
		i++;
	i += w->match;
	while (i > 0 && ((unsigned char)want.p[i] & 0xc0) == 0x80)
		i--;
	w->pos = w->pos - w->match + (uint32_t)i;
	w->match = (uint32_t)i;
	return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "end tag does not match");
}

enum step scan_end_name(struct scan_run *r)
{
	struct scan_work *w = r->w;
	struct span want = end_wanted(r);
	uint32_t left = (uint32_t)want.n - w->match, there = r->end - w->pos;
	uint32_t n = left < there ? left : there;

	if (memcmp(r->p + w->pos, want.p + w->match, n) != 0)
		return end_mismatch(r, want);
	w->pos += n;
	w->match += n;
	if (n < left)
		return STEP_MORE;
	w->state = ST_END_TAIL;
	return scan_end_tail(r);
}

enum step scan_end_tail(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const char *end = r->p + r->end, *at = skip_space(r->p + w->pos, end);

	w->pos = (uint32_t)(at - r->p);
	if (at == end)
		return STEP_MORE;
	if (*at != '>')
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "end tag does not match");
	w->pos++;
	return w->depth ? element_end(r) : STEP_CLOSE;
}
