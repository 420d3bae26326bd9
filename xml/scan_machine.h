/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scanner's states. A source that has chosen its inner loops includes this
 * once, with SCAN_MACHINE set to the name of the function that it thereby becomes:
 * so every choice has its loops inlined and is picked once a call, not once a skip.
 */
#include "xml/scan_impl.h"
#include "xml/scan_tag.h"

/* -- markup -- */

static enum step markup(struct scan_run *r)
{
	struct scan_work *w = r->w;
	char c;

	if (w->pos == r->end)
		return STEP_MORE;
	c = r->p[w->pos];
	if (c == '/' && r->s->root) {
		w->pos++;
		return end_tag(r);
	}
	if (c == '!') {
		w->pos++;
		w->state = ST_BANG;
		return STEP_GO;
	}
	if (c == '?')
		return scan_question(r);
	if (c == 0 && !r->s->root && w->pos == 1 && CHECKED(ENCODING_MARK))
		return scan_fail(r, SCAN_E_UNSUPPORTED_ENCODING, "UTF-16 or UTF-32");
	name_begin(w, ST_NAME);
	return element_name(r);
}

/* -- content -- */

/* Text, or a CDATA section, in which neither '<' nor '&' means anything; inlined into both. */
static inline enum step content(struct scan_run *r, bool in_cdata)
{
	struct scan_work *w = r->w;
	const char *end = r->p + r->end;
	enum step step;

	for (;;) {
		const char *at = skip_text(r->p + w->pos, end);

		w->pos = (uint32_t)(at - r->p);
		if (at == end)
			return STEP_MORE;
		if (*at == '<' && !in_cdata) {
			w->pos++;
			w->state = ST_LT;
			return markup(r);
		}
		if (*at == '&' && !in_cdata) {
			if (scan_ref_plain(r))
				continue;
			w->pos++;
			w->back = ST_TEXT;
			w->state = ST_REF;
			return STEP_GO;
		}
		if (*at == ']') {
			w->pos++;
			w->brackets = 1;
			w->state = in_cdata ? ST_CDATA_BRACKET : ST_TEXT_BRACKET;
			return STEP_GO;
		}
		step = scan_wide(r);
		if (step != STEP_GO)
			return step;
	}
}

static FLATTEN enum step text(struct scan_run *r)
{
	return content(r, false);
}

static enum step cdata(struct scan_run *r)
{
	return content(r, true);
}

/* Counts ']' and says whether two of them stand before a '>'. */
static enum step brackets(struct scan_run *r, bool *closing)
{
	struct scan_work *w = r->w;

	for (; w->pos < r->end && r->p[w->pos] == ']'; w->pos++)
		w->brackets = 2;
	if (w->pos == r->end)
		return STEP_MORE;
	*closing = w->brackets == 2 && r->p[w->pos] == '>';
	return STEP_GO;
}

static enum step text_bracket(struct scan_run *r)
{
	bool closing;
	enum step step = brackets(r, &closing);

	if (step != STEP_GO)
		return step;
	if (closing && CHECKED(CDATA_END))
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "]]> in text");
	r->w->state = ST_TEXT;
	return STEP_GO;
}

static enum step cdata_bracket(struct scan_run *r)
{
	bool closing;
	enum step step = brackets(r, &closing);

	if (step != STEP_GO)
		return step;
	r->w->state = closing ? ST_TEXT : ST_CDATA;
	if (closing)
		r->w->pos++;
	return STEP_GO;
}

/* At stream level, where white space was dealt with already. */
static FLATTEN enum step item(struct scan_run *r)
{
	if (r->end == 0)
		return STEP_MORE;
	if (r->s->closed && CHECKED(STREAM_AFTER))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "data after the stream's end");
	if (r->p[0] != '<' && CHECKED(STREAM_TEXT))
		return scan_refuse(r, SCAN_E_BAD_FORMAT, "text between elements");
	r->w->pos = 1;
	r->w->state = ST_LT;
	return markup(r);
}

/* -- the machine -- */

static enum step advance(struct scan_run *r)
{
	switch ((enum scan_state)r->w->state) {
	case ST_START:
		return scan_start(r);
	case ST_PROLOG:
		return scan_prolog(r);
	case ST_DECL_NAME:
		return scan_decl_name(r);
	case ST_DECL:
		return scan_decl(r);
	case ST_ITEM:
		return item(r);
	case ST_LT:
		return markup(r);
	case ST_BANG:
		return scan_bang(r);
	case ST_CDATA_NAME:
		return scan_cdata_name(r);
	case ST_NAME:
		return element_name(r);
	case ST_TAG:
		return tag(r);
	case ST_SLASH:
		return tag_slash(r);
	case ST_ATTR:
		return attr_name(r);
	case ST_EQUALS:
		return attr_equals(r);
	case ST_QUOTE:
		return attr_quote(r);
	case ST_VALUE:
		return attr_value(r);
	case ST_END_NAME:
		return end_name(r);
	case ST_END_TAIL:
		return end_tail(r);
	case ST_TEXT:
		return text(r);
	case ST_TEXT_BRACKET:
		return text_bracket(r);
	case ST_CDATA:
		return cdata(r);
	case ST_CDATA_BRACKET:
		return cdata_bracket(r);
	case ST_REF:
		return scan_ref(r);
	case ST_REF_NAME:
		return scan_ref_name(r);
	case ST_REF_HASH:
		return scan_ref_hash(r);
	case ST_REF_DEC:
		return scan_ref_digits(r, false);
	case ST_REF_HEX:
		return scan_ref_digits(r, true);
	}
	BUG_ON("scanner in no state");
	return STEP_ERROR;
}

enum step SCAN_MACHINE(struct scan_run *r)
{
	enum step step;

	do
		step = advance(r);
	while (step == STEP_GO);
	return step;
}
