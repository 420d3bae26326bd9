/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/scan_impl.h"

#include "core/base/mem.h"

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

	if (len <= 0 || !chars_is_char(cp))
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "");
	w->pos += (uint32_t)len;
	return STEP_GO;
}

/* -- references -- */

static enum step ref_done(struct scan_run *r)
{
	r->w->pos++;
	r->w->state = r->w->back;
	return STEP_GO;
}

static enum step ref_begin(struct scan_run *r)
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

static enum step ref_name(struct scan_run *r)
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
		if (error == SCAN_E_NOT_WELL_FORMED || !ref_known(text, false))
			return scan_refuse(r, error, "entity reference");
	}
	if (!ref_known(span_of(r->p + w->mark, w->pos - w->mark), true))
		return scan_fail(r, SCAN_E_RESTRICTED_XML, "entity reference");
	return ref_done(r);
}

static enum step ref_hash(struct scan_run *r)
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

static enum step ref_digits(struct scan_run *r, bool hex)
{
	struct scan_work *w = r->w;

	for (; w->pos < r->end; w->pos++) {
		int digit = ref_digit(r->p[w->pos], hex);

		if (digit < 0)
			break;
		if (w->ref_digits == LIMIT_CHAR_REF_DIGITS)
			return scan_fail(r, SCAN_E_LIMIT, "character reference too long");
		w->ref_digits++;
		w->ref_value = w->ref_value * (hex ? 16 : 10) + (uint32_t)digit;
	}
	if (w->pos == r->end)
		return STEP_MORE;
	if (r->p[w->pos] != ';' || w->ref_digits == 0)
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "malformed character reference");
	if (!chars_is_char(w->ref_value))
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED,
			"reference to a character that XML does not allow");
	return ref_done(r);
}

/* -- content -- */

static enum step markup(struct scan_run *r)
{
	struct scan_work *w = r->w;
	char c;

	if (w->pos == r->end)
		return STEP_MORE;
	c = r->p[w->pos];
	if (c == '/' && r->s->root) {
		w->pos++;
		w->match = 0;
		w->state = ST_END_NAME;
		return scan_end_name(r);
	}
	if (c == '!') {
		w->pos++;
		w->state = ST_BANG;
		return STEP_GO;
	}
	if (c == '?') {
		if (r->s->root || w->pos - 1 != w->mark)
			return scan_fail(r, SCAN_E_RESTRICTED_XML, "processing instruction");
		w->pos++;
		w->match = 0;
		w->state = ST_DECL_NAME;
		return STEP_GO;
	}
	if (c == 0 && !r->s->root && w->pos == 1)
		return scan_fail(r, SCAN_E_UNSUPPORTED_ENCODING, "UTF-16 or UTF-32");
	scan_name_begin(w, ST_NAME);
	return scan_name(r);
}

/* Decided at the first byte: of a document type declaration not even the name is read. */
static enum step bang(struct scan_run *r)
{
	struct scan_work *w = r->w;
	char c;

	if (w->pos == r->end)
		return STEP_MORE;
	c = r->p[w->pos];
	if (c == '-')
		return scan_fail(r, SCAN_E_RESTRICTED_XML, "comment");
	if (c == 'D')
		return scan_fail(r, SCAN_E_RESTRICTED_XML, "document type declaration");
	if (c != '[' || !r->s->root)
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "malformed markup");
	if (w->depth == 0)
		return scan_fail(r, SCAN_E_BAD_FORMAT, "text between elements");
	w->pos++;
	w->match = 0;
	w->state = ST_CDATA_NAME;
	return STEP_GO;
}

static enum step cdata_name(struct scan_run *r)
{
	static const char name[] = "CDATA[";
	struct scan_work *w = r->w;

	for (; w->match < sizeof(name) - 1; w->match++, w->pos++) {
		if (w->pos == r->end)
			return STEP_MORE;
		if (r->p[w->pos] != name[w->match])
			return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "malformed CDATA section");
	}
	w->state = ST_CDATA;
	return STEP_GO;
}

static enum step text(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const char *end = r->p + r->end;
	enum step step;

	for (;;) {
		const char *at = skip_text(r->p + w->pos, end);

		w->pos = (uint32_t)(at - r->p);
		if (at == end)
			return STEP_MORE;
		if (*at == '<') {
			w->pos++;
			w->state = ST_LT;
			return markup(r);
		}
		if (*at == '&') {
			w->pos++;
			w->back = ST_TEXT;
			w->state = ST_REF;
			return STEP_GO;
		}
		if (*at == ']') {
			w->pos++;
			w->brackets = 1;
			w->state = ST_TEXT_BRACKET;
			return STEP_GO;
		}
		if (chars_is((unsigned char)*at, CHARS_SPACE)) {
			w->pos++;
			continue;
		}
		step = scan_wide(r);
		if (step != STEP_GO)
			return step;
	}
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
	if (closing)
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "]]> in text");
	r->w->state = ST_TEXT;
	return STEP_GO;
}

static enum step cdata(struct scan_run *r)
{
	struct scan_work *w = r->w;
	const char *end = r->p + r->end;
	enum step step;

	for (;;) {
		const char *at = skip_text(r->p + w->pos, end);

		w->pos = (uint32_t)(at - r->p);
		if (at == end)
			return STEP_MORE;
		if (*at == ']') {
			w->pos++;
			w->brackets = 1;
			w->state = ST_CDATA_BRACKET;
			return STEP_GO;
		}
		if (chars_is((unsigned char)*at, CHARS_LEGAL)) {
			w->pos++;
			continue;
		}
		step = scan_wide(r);
		if (step != STEP_GO)
			return step;
	}
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
static enum step item(struct scan_run *r)
{
	if (r->end == 0)
		return STEP_MORE;
	if (r->s->closed)
		return scan_refuse(r, SCAN_E_NOT_WELL_FORMED, "data after the stream's end");
	if (r->p[0] != '<')
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
		return bang(r);
	case ST_CDATA_NAME:
		return cdata_name(r);
	case ST_NAME:
		return scan_name(r);
	case ST_TAG:
		return scan_tag(r);
	case ST_SLASH:
		return scan_slash(r);
	case ST_ATTR:
		return scan_attr(r);
	case ST_EQUALS:
		return scan_equals(r);
	case ST_QUOTE:
		return scan_quote(r);
	case ST_VALUE:
		return scan_value(r);
	case ST_END_NAME:
		return scan_end_name(r);
	case ST_END_TAIL:
		return scan_end_tail(r);
	case ST_TEXT:
		return text(r);
	case ST_TEXT_BRACKET:
		return text_bracket(r);
	case ST_CDATA:
		return cdata(r);
	case ST_CDATA_BRACKET:
		return cdata_bracket(r);
	case ST_REF:
		return ref_begin(r);
	case ST_REF_NAME:
		return ref_name(r);
	case ST_REF_HASH:
		return ref_hash(r);
	case ST_REF_DEC:
		return ref_digits(r, false);
	case ST_REF_HEX:
		return ref_digits(r, true);
	}
	BUG_ON("scanner in no state");
	return STEP_ERROR;
}

/* The arrays need no value: their counts say how much of them holds one. */
static void work_begin(struct scan_work *w, const struct scan *s)
{
	w->pos = 0;
	w->state = s->root ? ST_ITEM : ST_START;
	w->depth = w->ext_depth = 0;
	w->n_attrs = 0;
	w->odd_name = false;
	w->root_prefixes = 0;
	w->kind = FRAME_FOREIGN;
	w->flags = 0;
	w->n_redeclared = 0;
	w->ns.n = 0;
	w->mark = UINT32_MAX;
}

/* The item is not complete: its state outlives the call. */
static enum scan_result work_keep(struct scan *s, const struct scan_work *w)
{
	if (s->kept)
		return SCAN_MORE;
	s->kept = mem_try_alloc(sizeof(*w));
	if (!s->kept) {
		s->error = SCAN_E_NO_MEMORY;
		s->reason = "out of memory";
		return SCAN_ERROR;
	}
	memcpy(s->kept, w, sizeof(*w));
	return SCAN_MORE;
}

static void work_drop(struct scan *s)
{
	if (!s->kept)
		return; /* most items are seen whole: not a call per stanza */
	mem_free(s->kept);
	s->kept = NULL;
}

static enum scan_result too_big(struct scan *s)
{
	s->error = s->root ? SCAN_E_TOO_BIG : SCAN_E_LIMIT;
	s->reason = s->root ? "element too big" : "stream header too big";
	work_drop(s);
	return SCAN_ERROR;
}

static enum scan_result space(const char *p, size_t n, struct frame *f)
{
	size_t most = n < UINT32_MAX ? n : UINT32_MAX;

	memset(f, 0, sizeof(*f));
	f->p = p;
	f->len = (uint32_t)(skip_space(p, p + most) - p);
	return SCAN_SPACE;
}

static enum scan_result finish(struct scan_run *r, enum step step)
{
	struct frame *f = r->f;

	if (step == STEP_FRAME) {
		scan_frame_fill(r);
	} else if (step != STEP_ERROR) {
		memset(f, 0, sizeof(*f));
		f->p = r->p;
		f->len = r->w->pos;
	}
	work_drop(r->s);
	switch (step) {
	case STEP_HEADER:
		return SCAN_HEADER;
	case STEP_FRAME:
		return SCAN_FRAME;
	case STEP_CLOSE:
		r->s->closed = true;
		return SCAN_CLOSE;
	default:
		return SCAN_ERROR;
	}
}

enum scan_result scan(struct scan *s, const char *p, size_t n, struct frame *f)
{
	uint32_t max = s->root ? s->max : LIMIT_HEADER;
	struct scan_work fresh;
	struct scan_run r = { s, s->kept, p, n < max ? (uint32_t)n : max, f };
	enum step step;

	if (s->error != SCAN_E_NONE)
		return SCAN_ERROR;
	if (n == 0)
		return SCAN_MORE;
	if (!r.w) {
		if (s->root && chars_is((unsigned char)p[0], CHARS_SPACE))
			return space(p, n, f);
		r.w = &fresh;
		work_begin(&fresh, s);
	}
	do
		step = advance(&r);
	while (step == STEP_GO);
	if (step != STEP_MORE)
		return finish(&r, step);
	return n > max ? too_big(s) : work_keep(s, r.w);
}

/* -- life and queries -- */

struct scan *scan_new(uint32_t max)
{
	struct scan *s = mem_try_zalloc(sizeof(*s));

	if (s)
		s->max = max;
	return s;
}

void scan_free(struct scan *s)
{
	if (!s)
		return;
	work_drop(s);
	ns_root_free(s->root);
	mem_free(s);
}

void scan_set_max(struct scan *s, uint32_t max)
{
	s->max = max;
}

enum scan_error scan_error(const struct scan *s)
{
	return (enum scan_error)s->error;
}

const char *scan_reason(const struct scan *s)
{
	return s->reason ? s->reason : "";
}

struct span scan_root_name(const struct scan *s)
{
	return ns_root_name(s->root);
}

struct span scan_root_content_ns(const struct scan *s)
{
	return ns_root_content(s->root);
}

struct span scan_root_decls(const struct scan *s)
{
	return span_of(s->root->text, s->root->decls_len);
}

unsigned scan_root_prefix_count(const struct scan *s)
{
	return s->root->n;
}

struct span scan_root_prefix_decl(const struct scan *s, unsigned i)
{
	BUG_ON(i >= s->root->n);
	return span_of(s->root->text + s->root->decl[i].off, s->root->decl[i].len);
}
