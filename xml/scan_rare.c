/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/scan_impl.h"

/* What is rare enough to be compiled once: refusals, odd characters, markup that few stanzas have. */

enum step scan_fail(struct scan_run *r, enum scan_error e, const char *why)
{
	r->s->error = (uint8_t)e;
	r->s->reason = why;
	return STEP_ERROR;
}

enum step scan_refuse(struct scan_run *r, enum scan_error e, const char *why)
{
	uint32_t cp;
	int len = chars_decode(r->p + r->w->pos, r->end - r->w->pos, &cp);

	if (len == 0)
		return STEP_MORE;
	if (len < 0)
		return scan_fail(r, SCAN_E_UNSUPPORTED_ENCODING, "invalid UTF-8");
	if (!chars_is_char(cp))
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "character that XML does not allow");
	return scan_fail(r, e, why);
}

enum step scan_wide(struct scan_run *r)
{
	struct scan_work *w = r->w;
	uint32_t cp;
	int len = chars_decode(r->p + w->pos, r->end - w->pos, &cp);

	if (len < 0 && !CHECKED(UTF8))
		len = 1;
	else if (len <= 0 || (CHECKED(CHAR) && !chars_is_char(cp)))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "");
	w->pos += (uint32_t)len;
	return STEP_GO;
}

enum step scan_name_wide(struct scan_run *r)
{
	struct scan_work *w = r->w;
	bool first = w->pos == w->part;
	uint32_t cp;
	int len = chars_decode(r->p + w->pos, r->end - w->pos, &cp);

	if (len < 0 && !CHECKED(UTF8_NAME)) {
		w->pos++;
		return STEP_GO;
	}
	if (len <= 0 ||
		(CHECKED(NAME_CHAR) && !(first ? chars_is_name_start(cp) : chars_is_name(cp))))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "character not allowed in a name");
	if (CHECKED(NAME_4E) && !(first ? chars_is_name_start_4e(cp) : chars_is_name_4e(cp)))
		w->odd_name = true;
	w->pos += (uint32_t)len;
	return STEP_GO;
}

enum step scan_colon(struct scan_run *r)
{
	struct scan_work *w = r->w;

	if (w->pos == w->part && CHECKED(NAME_PARTS))
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "misplaced colon");
	if (w->part != w->name && CHECKED(NAME_COLONS))
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "misplaced colon");
	w->part = ++w->pos;
	return STEP_GO;
}

bool scan_attr_twice(const struct scan_work *w, const char *p, unsigned number)
{
	const struct scan_attr *a = &w->attrs[number];
	uint64_t key = w->attr_key[number];

	for (unsigned i = 0; i < number; i++) {
		const struct scan_attr *b = &w->attrs[i];

		if (w->attr_key[i] == key && b->name_len == a->name_len &&
			memcmp(p + b->name, p + a->name, a->name_len) == 0)
			return true;
	}
	return false;
}

struct span scan_end_wanted(const struct scan_run *r)
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
enum step scan_end_mismatch(struct scan_run *r, struct span want)
{
	struct scan_work *w = r->w;
	size_t i = 0;

	if (!CHECKED(END_NAME) || (w->depth == 0 && !CHECKED(STREAM_END))) {
		while (w->pos < r->end && r->p[w->pos] != '>')
			w->pos++;
		w->state = ST_END_TAIL;
		return STEP_GO;
	}
	while (r->p[w->pos + i] == want.p[w->match + i])
		i++;
	i += w->match;
	while (i > 0 && ((unsigned char)want.p[i] & 0xc0) == 0x80)
		i--;
	w->pos = w->pos - w->match + (uint32_t)i;
	w->match = (uint32_t)i;
	return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "end tag does not match");
}

/* Behind "<?", which only the XML declaration may begin with, at the stream's first byte. */
enum step scan_question(struct scan_run *r)
{
	struct scan_work *w = r->w;

	if (CHECKED(PI) && (r->s->root || w->pos - 1 != w->mark))
		return scan_fail(r, SCAN_E_RESTRICTED_XML, "processing instruction");
	w->pos++;
	w->match = 0;
	w->state = ST_DECL_NAME;
	return STEP_GO;
}

/* Decided at the first byte: of a document type declaration not even the name is read. */
enum step scan_bang(struct scan_run *r)
{
	struct scan_work *w = r->w;
	char c;

	if (w->pos == r->end)
		return STEP_MORE;
	c = r->p[w->pos];
	if (c == '-' && CHECKED(COMMENT))
		return scan_fail(r, SCAN_E_RESTRICTED_XML, "comment");
	if (c == 'D' && CHECKED(DOCTYPE))
		return scan_fail(r, SCAN_E_RESTRICTED_XML, "document type declaration");
	if (CHECKED(BANG) && (c != '[' || !r->s->root))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "malformed markup");
	if (w->depth == 0 && CHECKED(CDATA_LEVEL))
		return scan_fail(r, SCAN_E_BAD_FORMAT, "text between elements");
	w->pos++;
	w->match = 0;
	w->state = ST_CDATA_NAME;
	return STEP_GO;
}

enum step scan_cdata_name(struct scan_run *r)
{
	static const char name[] = "CDATA[";
	struct scan_work *w = r->w;

	for (; w->match < sizeof(name) - 1; w->match++, w->pos++) {
		if (w->pos == r->end)
			return STEP_MORE;
		if (r->p[w->pos] != name[w->match] && CHECKED(CDATA_NAME))
			return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "malformed CDATA section");
	}
	w->state = ST_CDATA;
	return STEP_GO;
}
