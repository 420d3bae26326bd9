/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/scan_impl.h"

/*
 * What a complete start tag means: which namespaces it declares and uses, whether
 * it begins an extension element, and for a depth-1 element the frame's fields.
 */

static enum step refuse_ns(struct scan_run *r, enum ns_result result)
{
	if (result == NS_TOO_MANY)
		return scan_fail(r, SCAN_E_LIMIT, "too many namespace declarations in scope");
	return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "illegal namespace declaration");
}

static enum step declare(struct scan_run *r, const struct scan_attr *a)
{
	struct scan_work *w = r->w;
	uint32_t prefix = a->prefix_len ? a->prefix_len + 1u : a->name_len;
	struct ns_binding b = {
		.prefix = a->name + prefix,
		.prefix_len = (uint16_t)(a->name_len - prefix),
		.uri = a->value,
		.uri_len = a->value_len,
		.dirty = a->dirty,
	};
	enum ns_result result = ns_declare(&w->ns, r->s->root, r->p, &b);

	if (result != NS_OK)
		return refuse_ns(r, result);
	if (b.prefix_len == 0)
		w->open[w->depth - 1].default_ns = b.id;
	return STEP_GO;
}

static enum step declare_all(struct scan_run *r)
{
	struct scan_work *w = r->w;
	enum step step = STEP_GO;

	for (unsigned i = 0; i < w->n_attrs && step == STEP_GO; i++)
		if (w->attrs[i].decl)
			step = declare(r, &w->attrs[i]);
	return step;
}

/* Number of a prefix's binding, noted if it is the root's; or NS_UNBOUND. */
static int use_prefix(struct scan_run *r, struct span prefix)
{
	int number = ns_find(&r->w->ns, r->s->root, r->p, prefix);

	if (number >= 0 && number < NS_FIRST && CHECKED(ROOT_PREFIX))
		r->w->root_prefixes |= UINT32_C(1) << number;
	return number;
}

static bool attr_same_local(const struct scan_run *r, const struct scan_attr *a,
	const struct scan_attr *b)
{
	unsigned n = a->name_len - a->prefix_len;

	return n == (unsigned)(b->name_len - b->prefix_len) &&
		memcmp(r->p + a->name + a->prefix_len, r->p + b->name + b->prefix_len, n) == 0;
}

/* Whether attribute number i has the local name and the namespace of an earlier one. */
static bool attr_same_name(struct scan_run *r, unsigned i, const int *number)
{
	struct scan_work *w = r->w;

	for (unsigned j = 0; j < i; j++) {
		/* The same binding twice would be the same qualified name: refused already. */
		if (number[j] == NS_UNBOUND || number[j] == number[i] ||
			!attr_same_local(r, &w->attrs[i], &w->attrs[j]))
			continue;
		if (ns_class(&w->ns, r->s->root, r->p, number[i]) ==
			ns_class(&w->ns, r->s->root, r->p, number[j]))
			return true;
	}
	return false;
}

static enum step resolve_attrs(struct scan_run *r)
{
	struct scan_work *w = r->w;
	int number[LIMIT_ATTRS];

	for (unsigned i = 0; i < w->n_attrs; i++) {
		const struct scan_attr *a = &w->attrs[i];

		number[i] = NS_UNBOUND;
		if (a->prefix_len == 0 || a->decl)
			continue;
		number[i] = use_prefix(r, span_of(r->p + a->name, a->prefix_len));
		if (number[i] == NS_UNBOUND && CHECKED(PREFIX_ATTR))
			return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "prefix not declared");
		if (CHECKED(ATTR_TWICE_NS) && attr_same_name(r, i, number))
			return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "attribute given twice");
	}
	return STEP_GO;
}

/*
 * The element stands outside every extension element and is in the content
 * namespace itself: note by what. A default declaration can be cut out; a prefix
 * that is bound to the content namespace cannot.
 */
static void note_content(struct scan_work *w, enum ns_id content)
{
	if (w->prefix_len)
		w->flags |= FRAME_NS_OVERFLOW;
	if (!w->has_decl || w->open[w->depth - 1].default_ns != content || !CHECKED(REDECLARED))
		return;
	for (unsigned i = 0; i < w->n_attrs; i++) {
		const struct scan_attr *a = &w->attrs[i];

		if (!a->decl || a->prefix_len)
			continue;
		if (w->n_redeclared == FRAME_REDECLARED) {
			w->flags |= FRAME_NS_OVERFLOW;
			return;
		}
		w->redeclared[w->n_redeclared++] = (struct frame_ref){
			.off = a->space,
			.len = a->value + a->value_len + 1 - a->space,
		};
	}
}

static bool is_name(struct span s, const char *name, size_t n)
{
	return s.n == n && memcmp(s.p, name, n) == 0;
}

static enum frame_kind content_kind(struct span local)
{
	if (is_name(local, "message", 7))
		return FRAME_MESSAGE;
	if (is_name(local, "presence", 8))
		return FRAME_PRESENCE;
	return is_name(local, "iq", 2) ? FRAME_IQ : FRAME_CONTENT;
}

static enum step note_kind(struct scan_run *r, enum ns_id id)
{
	struct scan_work *w = r->w;
	struct span local = span_of(r->p + w->open[0].name, w->open[0].name_len);

	if (w->prefix_len) {
		w->flags |= FRAME_PREFIXED;
		local = span_skip(local, w->prefix_len + 1u);
	}
	/* Everything up to its end would be one element; its sender takes it for a new stream. */
	if (id == NS_STREAMS && is_name(local, "stream", 6) && CHECKED(STREAM_TWICE))
		return scan_fail(r, SCAN_E_BAD_FORMAT, "a second stream header");
	if (id == NS_STREAMS)
		w->kind = FRAME_STREAM;
	else if (id == NS_DIALBACK)
		w->kind = FRAME_DIALBACK;
	else if (id == r->s->root->content_id)
		w->kind = (uint8_t)content_kind(local);
	else if (ns_is_content(id))
		w->flags |= FRAME_CONTENT_NS;
	return STEP_GO;
}

/* scan_name_key() of the names that a frame tells of; only with their length are they certain. */
#define KEY_TO (UINT64_C(0x6f74) << 48)
#define KEY_ID (UINT64_C(0x6469) << 48)
#define KEY_FROM (UINT64_C(0x6d6f7266) << 32)
#define KEY_TYPE (UINT64_C(0x65707974) << 32)

static void note_address(struct scan_work *w, struct frame_ref *ref, const struct scan_attr *a)
{
	*ref = (struct frame_ref){ a->value, a->value_len };
	w->flags |= a->dirty && CHECKED(ADDR_DECODED) ? FRAME_ADDR_DECODED : 0;
}

static void note_attrs(struct scan_run *r)
{
	struct scan_work *w = r->w;

	w->from = w->to = w->id = w->type = (struct frame_ref){ 0, 0 };
	w->first_attrs = w->n_attrs;
	for (unsigned i = 0; i < w->n_attrs; i++) {
		const struct scan_attr *a = &w->attrs[i];
		struct frame_ref value = { a->value, a->value_len };
		uint64_t key = w->attr_key[i];

		if (a->name_len == 2 && key == KEY_TO)
			note_address(w, &w->to, a);
		else if (a->name_len == 2 && key == KEY_ID)
			w->id = value;
		else if (a->name_len == 4 && key == KEY_FROM)
			note_address(w, &w->from, a);
		else if (a->name_len == 4 && key == KEY_TYPE)
			w->type = value;
		else if (is_name(span_of(r->p + a->name, a->name_len), "xml:lang", 8) &&
			CHECKED(LANG))
			w->flags |= FRAME_HAS_LANG;
	}
}

/* The root's start tag is complete. */
static enum step open_root(struct scan_run *r)
{
	struct scan_work *w = r->w;
	unsigned prefixes = 0;

	for (unsigned i = 0; i < w->ns.n; i++)
		prefixes += w->ns.b[i].prefix_len != 0;
	if (prefixes > LIMIT_ROOT_PREFIXES && CHECKED(NS_ROOT_COUNT))
		return scan_fail(r, SCAN_E_LIMIT, "too many prefixes on the stream header");
	r->s->root = ns_root_new(span_of(r->p + w->open[0].name, w->open[0].name_len), &w->ns,
		r->p);
	if (!r->s->root)
		return scan_fail(r, SCAN_E_NO_MEMORY, "out of memory");
	return STEP_HEADER;
}

enum step scan_scope_open(struct scan_run *r)
{
	struct scan_work *w = r->w;
	enum step step = w->has_decl ? declare_all(r) : STEP_GO;
	const struct scan_open *open = &w->open[w->depth - 1];
	enum ns_id id = (enum ns_id)open->default_ns;

	if (step != STEP_GO)
		return step;
	if (w->prefix_len) {
		int number = use_prefix(r, span_of(r->p + open->name, w->prefix_len));

		if (number == NS_UNBOUND && CHECKED(PREFIX_ELEMENT))
			return scan_fail(r, SCAN_E_NOT_WELL_FORMED, "prefix not declared");
		id = number == NS_UNBOUND ? NS_OTHER : ns_id_of(&w->ns, r->s->root, number);
	}
	if (w->has_prefixed) {
		step = resolve_attrs(r);
		if (step != STEP_GO)
			return step;
	}
	if (w->depth == 1 && w->odd_name && CHECKED(NAME_4E_TOP))
		return scan_fail(r, SCAN_E_NOT_WELL_FORMED,
			"name that not every XML 1.0 parser allows");
	if (!r->s->root)
		return open_root(r);
	if (w->depth == 1) {
		if (note_kind(r, id) == STEP_ERROR)
			return STEP_ERROR;
		note_attrs(r);
	}
	if (w->ext_depth == 0) {
		if (id == r->s->root->content_id)
			note_content(w, id);
		else
			w->ext_depth = w->depth;
	}
	return STEP_GO;
}

static struct span ref_span(const char *p, struct frame_ref ref)
{
	return ref.off ? span_of(p + ref.off, ref.len) : SPAN_NONE;
}

void scan_frame_fill(const struct scan_run *r)
{
	const struct scan_work *w = r->w;
	struct frame *f = r->f;

	f->p = r->p;
	f->len = w->pos;
	f->name_end = w->open[0].name + w->open[0].name_len;
	f->kind = w->kind;
	f->flags = (uint8_t)(w->flags | (w->odd_name ? FRAME_NAME_5E : 0));
	f->attrs = w->first_attrs;
	f->root_prefixes = w->root_prefixes;
	f->name = span_of(r->p + w->open[0].name, w->open[0].name_len);
	f->from = ref_span(r->p, w->from);
	f->to = ref_span(r->p, w->to);
	f->id = ref_span(r->p, w->id);
	f->type = ref_span(r->p, w->type);
	f->n_redeclared = w->n_redeclared;
	memcpy(f->redeclared, w->redeclared, w->n_redeclared * sizeof(f->redeclared[0]));
}
