/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/scan_impl.h"

/* References in text and in values: the five entities and characters by number. */

bool scan_ref_plain(struct scan_run *r)
{
	uint32_t cp, left = r->end - r->w->pos;
	size_t n = chars_reference(span_of(r->p + r->w->pos, left), &cp);

	r->w->pos += (uint32_t)n;
	return n > 0;
}

static enum step ref_done(struct scan_run *r)
{
	r->w->pos++;
	r->w->state = r->w->back;
	return STEP_GO;
}

enum step scan_ref(struct scan_run *r)
{
	struct scan_work *w = r->w;

	if (w->pos == r->end)
		return STEP_MORE;
	w->mark = w->pos;
	w->state = ST_REF_NAME;
	if (r->p[w->pos] == '#') {
		w->pos++;
		w->state = ST_REF_HASH;
	}
	return STEP_GO;
}

/* One of the five that text begins. */
static bool ref_known(struct span text, bool whole)
{
	static const struct span names[] = {
		{ "amp", 3 },
		{ "lt", 2 },
		{ "gt", 2 },
		{ "apos", 4 },
		{ "quot", 4 },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (whole ? span_eq(names[i], text) : span_starts(names[i], text))
			return true;
	return false;
}

enum step scan_ref_name(struct scan_run *r)
{
	struct scan_work *w = r->w;
	enum scan_error error = SCAN_E_NOT_WELL_FORMED;

	for (;; w->pos++) {
		struct span text = span_of(r->p + w->mark, w->pos - w->mark);
		bool first = text.n == 0;
		uint32_t cp;

		if (w->pos == r->end)
			return STEP_MORE;
		if (r->p[w->pos] == ';' && !first)
			break;
		if (chars_decode(r->p + w->pos, r->end - w->pos, &cp) > 0 &&
			(cp == ':' || (first ? chars_is_name_start(cp) : chars_is_name(cp))))
			error = SCAN_E_RESTRICTED_XML;
		else
			error = SCAN_E_NOT_WELL_FORMED;
		text.n++;
		if (CHECKED(REF_NAME) &&
			(error == SCAN_E_NOT_WELL_FORMED || !ref_known(text, false)))
			return scan_refuse(r, error, "entity reference");
	}
	if (CHECKED(REF_NAME) && !ref_known(span_of(r->p + w->mark, w->pos - w->mark), true))
		return scan_fail(r, SCAN_E_RESTRICTED_XML, "entity reference");
	return ref_done(r);
}

enum step scan_ref_hash(struct scan_run *r)
{
	struct scan_work *w = r->w;

	if (w->pos == r->end)
		return STEP_MORE;
	w->ref_value = 0;
	w->ref_digits = 0;
	w->state = ST_REF_DEC;
	if (r->p[w->pos] == 'x') {
		w->pos++;
		w->state = ST_REF_HEX;
	}
	return STEP_GO;
}

static int ref_digit(char c, bool hex)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return hex && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum step scan_ref_digits(struct scan_run *r, bool hex)
{
	struct scan_work *w = r->w;

	for (; w->pos < r->end; w->pos++) {
		int digit = ref_digit(r->p[w->pos], hex);

		if (digit < 0)
			break;
		if (w->ref_digits == LIMIT_CHAR_REF_DIGITS && CHECKED(REF_LENGTH))
			return scan_fail(r, SCAN_E_LIMIT, "character reference too long");
		w->ref_digits++;
		w->ref_value = w->ref_value * (hex ? 16 : 10) + (uint32_t)digit;
	}
	if (w->pos == r->end)
		return STEP_MORE;
	if (CHECKED(REF_DIGITS) && (r->p[w->pos] != ';' || w->ref_digits == 0))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "malformed character reference");
	if (CHECKED(REF_CHAR) && !chars_is_char(w->ref_value))
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED,
			"reference to a character that XML does not allow");
	return ref_done(r);
}
