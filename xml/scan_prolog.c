/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/scan_impl.h"

/* What stands before the root: a byte order mark, the XML declaration, white space. */

enum step scan_start(struct scan_run *r)
{
	struct scan_work *w = r->w;
	unsigned char c;

	if (w->pos == r->end)
		return STEP_MORE;
	c = (unsigned char)r->p[w->pos];
	if ((c == 0 || c >= 0xfe) && CHECKED(ENCODING_MARK))
		return scan_fail(r, SCAN_E_UNSUPPORTED_ENCODING, "UTF-16 or UTF-32");
	if (c == 0xef) {
		uint32_t cp;
		int len = chars_decode(r->p + w->pos, r->end - w->pos, &cp);

		if (len == 0)
			return STEP_MORE;
		if (len == 3 && cp == 0xfeff)
			w->pos += 3;
	}
	w->mark = w->pos; /* the only place for an XML declaration */
	w->state = ST_PROLOG;
	return STEP_GO;
}

enum step scan_prolog(struct scan_run *r)
{
	struct scan_work *w = r->w;

	w->pos = (uint32_t)(skip_space(r->p + w->pos, r->p + r->end) - r->p);
	if (w->pos == r->end)
		return STEP_MORE;
	if (r->p[w->pos] != '<' && CHECKED(STREAM_START))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "text before the root element");
	w->pos++;
	w->state = ST_LT;
	return STEP_GO;
}

/* Behind "<?" at the start: "xml" and white space, or it is a processing instruction. */
enum step scan_decl_name(struct scan_run *r)
{
	static const char name[] = "xml";
	struct scan_work *w = r->w;

	for (; w->match < sizeof(name) - 1; w->match++, w->pos++) {
		if (w->pos == r->end)
			return STEP_MORE;
		if (r->p[w->pos] != name[w->match] && CHECKED(PI))
			return scan_refuse(r, SCAN_E_RESTRICTED_XML, "processing instruction");
	}
	if (w->pos == r->end)
		return STEP_MORE;
	if (!chars_is((unsigned char)r->p[w->pos], CHARS_SPACE)) {
		if (r->p[w->pos] == '?')
			return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "empty XML declaration");
		return scan_refuse(r, SCAN_E_RESTRICTED_XML, "processing instruction");
	}
	w->mark = w->pos;
	w->state = ST_DECL;
	return STEP_GO;
}

/* " name = 'value'" off the front of *s, or an absent span when it does not stand there. */
static struct span decl_take(struct span *s, const char *name)
{
	const char *at = s->p, *end = s->p + s->n, *value;
	size_t n = strlen(name);

	at = skip_space(at, end);
	if (at == s->p || (size_t)(end - at) < n || memcmp(at, name, n) != 0)
		return SPAN_NONE;
	at = skip_space(at + n, end);
	if (at == end || *at != '=')
		return SPAN_NONE;
	at = skip_space(at + 1, end);
	if (at == end || (*at != '\'' && *at != '"'))
		return SPAN_NONE;
	value = at + 1;
	at = memchr(value, *at, (size_t)(end - value));
	if (!at)
		return SPAN_NONE;
	*s = span_of(at + 1, (size_t)(end - at - 1));
	return span_of(value, (size_t)(at - value));
}

static bool is_utf8(struct span s)
{
	static const char name[] = "utf-8";

	if (s.n != sizeof(name) - 1)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] | 0x20) != (name[i] | 0x20))
			return false;
	return s.p[3] == '-';
}

/* s: what stands between "<?xml" and "?>". */
static enum step decl_judge(struct scan_run *r, struct span s)
{
	struct span version = decl_take(&s, "version");
	struct span encoding = decl_take(&s, "encoding");
	struct span standalone = decl_take(&s, "standalone");

	if (CHECKED(DECL_FORM) && (!version.p || span_trim(s).n))
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "malformed XML declaration");
	if (CHECKED(DECL_VERSION) && !span_is(version, "1.0"))
		return scan_fail(r, SCAN_E_BAD_FORMAT, "XML version other than 1.0");
	if (CHECKED(DECL_ENCODING) && encoding.p && !is_utf8(encoding))
		return scan_fail(r, SCAN_E_UNSUPPORTED_ENCODING, "encoding other than UTF-8");
	if (CHECKED(DECL_STANDALONE) && standalone.p && !span_is(standalone, "yes") &&
		!span_is(standalone, "no"))
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "malformed XML declaration");
	return STEP_GO;
}

enum step scan_decl(struct scan_run *r)
{
	struct scan_work *w = r->w;
	enum step step;

	for (;; w->pos++) {
		unsigned char c;

		if (w->pos == r->end)
			return STEP_MORE;
		c = (unsigned char)r->p[w->pos];
		if (c == '>')
			break;
		if (CHECKED(DECL_FORM) && (c == '<' || !chars_is(c, CHARS_LEGAL)))
			return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "malformed XML declaration");
	}
	if (r->p[w->pos - 1] != '?' && CHECKED(DECL_FORM))
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "malformed XML declaration");
	step = decl_judge(r, span_of(r->p + w->mark, w->pos - 1 - w->mark));
	w->pos++;
	w->mark = 0; /* no second one */
	w->state = ST_PROLOG;
	return step;
}
