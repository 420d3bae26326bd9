/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/ns.h"

#include "core/base/mem.h"
#include "xml/chars.h"
#include "xml/check.h"

#define NS_NAME_PAD 8 /* the scanner compares names eight bytes at a time */
#define KNOWN_MAX 48 /* longer than every URI that ns_identify knows */

enum ns_id ns_identify(struct span uri, bool dirty)
{
	char buf[KNOWN_MAX];
	const char *text;
	enum ns_id id;
	size_t n;

	if (dirty && CHECKED(NS_DECODE)) {
		if (!chars_decode_value(uri, buf, sizeof(buf), &n))
			return NS_OTHER;
		uri = span_of(buf, n);
	}
	switch (uri.n) {
	case 0:
		return NS_NONE;
	case 13:
		if (memcmp(uri.p, "jabber:client", 13) == 0)
			return NS_CLIENT;
		text = "jabber:server";
		id = NS_SERVER;
		break;
	case 22:
		text = "jabber:server:dialback";
		id = NS_DIALBACK;
		break;
	case 23:
		text = "jabber:component:accept";
		id = NS_COMPONENT;
		break;
	case 29:
		text = "http://www.w3.org/2000/xmlns/";
		id = NS_XMLNS;
		break;
	case 32:
		text = "http://etherx.jabber.org/streams";
		id = NS_STREAMS;
		break;
	case 36:
		text = "http://www.w3.org/XML/1998/namespace";
		id = NS_XML;
		break;
	default:
		return NS_OTHER;
	}
	return memcmp(uri.p, text, uri.n) == 0 ? id : NS_OTHER;
}

enum ns_result ns_declare(struct ns_scope *scope, const struct ns_root *root, const char *p,
	struct ns_binding *b)
{
	struct span prefix = span_of(p + b->prefix, b->prefix_len);
	unsigned outer = root ? root->n_decls : 0;

	b->id = (uint8_t)ns_identify(span_of(p + b->uri, b->uri_len), b->dirty);
	b->same = 0;
	b->hash = 0;
	if (prefix.n == 3 && memcmp(prefix.p, "xml", 3) == 0 && CHECKED(NS_XML))
		return b->id == NS_XML ? NS_OK : NS_ILLEGAL;
	if (b->id == NS_XML && CHECKED(NS_XML))
		return NS_ILLEGAL;
	if ((b->id == NS_XMLNS || span_is(prefix, "xmlns")) && CHECKED(NS_XMLNS))
		return NS_ILLEGAL;
	if (prefix.n && b->uri_len == 0 && CHECKED(NS_UNDECLARED))
		return NS_ILLEGAL;
	if (scope->n + outer >= LIMIT_PREFIXES && (CHECKED(NS_COUNT) || scope->n == LIMIT_PREFIXES))
		return NS_TOO_MANY;
	scope->b[scope->n++] = *b;
	return NS_OK;
}

int ns_find(const struct ns_scope *scope, const struct ns_root *root, const char *p,
	struct span prefix)
{
	for (unsigned i = scope->n; i-- > 0;) {
		const struct ns_binding *b = &scope->b[i];

		if (b->prefix_len == prefix.n && memcmp(p + b->prefix, prefix.p, prefix.n) == 0)
			return NS_FIRST + (int)i;
	}
	for (unsigned i = 0; root && i < root->n; i++) {
		const struct ns_binding *b = &root->decl[i].b;

		if (b->prefix_len == prefix.n &&
			memcmp(root->text + b->prefix, prefix.p, prefix.n) == 0)
			return (int)i;
	}
	return span_is(prefix, "xml") ? NS_XML_PREFIX : NS_UNBOUND;
}

enum ns_id ns_id_of(const struct ns_scope *scope, const struct ns_root *root, int number)
{
	if (number == NS_XML_PREFIX)
		return NS_XML;
	if (number >= NS_FIRST)
		return scope->b[number - NS_FIRST].id;
	return root->decl[number].b.id;
}

/* -- equality of URIs, which are compared as decoded -- */

struct uri_reader {
	struct span rest;
	bool dirty;
	char piece[4];
	size_t at, n;
};

/* The next byte of the decoded URI, or -1. */
static int uri_next(struct uri_reader *u)
{
	size_t used = 1;
	uint32_t cp;
	char c;

	if (u->at < u->n)
		return (unsigned char)u->piece[u->at++];
	if (u->rest.n == 0)
		return -1;
	c = u->rest.p[0];
	if (u->dirty && c == '&') {
		used = chars_reference(u->rest, &cp);
		BUG_ON(used == 0);
		u->n = (size_t)chars_encode(cp, u->piece);
		u->at = 1;
		c = u->piece[0];
	} else if (u->dirty && chars_is((unsigned char)c, CHARS_SPACE)) {
		if (c == '\r' && u->rest.n > 1 && u->rest.p[1] == '\n')
			used = 2;
		c = ' ';
	}
	u->rest = span_skip(u->rest, used);
	return (unsigned char)c;
}

static struct uri_reader uri_open(const struct ns_binding *b, const char *base)
{
	return (struct uri_reader){ .rest = span_of(base + b->uri, b->uri_len),
		.dirty = b->dirty && CHECKED(NS_DECODE) };
}

static uint32_t uri_hash(const struct ns_binding *b, const char *base)
{
	struct uri_reader u = uri_open(b, base);
	uint32_t h = 2166136261u;

	for (int c; (c = uri_next(&u)) >= 0;)
		h = (h ^ (uint32_t)c) * 16777619u;
	return h;
}

static bool uri_same(const struct ns_binding *a, const char *a_base, const struct ns_binding *b,
	const char *b_base)
{
	struct uri_reader ua = uri_open(a, a_base), ub = uri_open(b, b_base);
	int c;

	if (a->id != b->id || a->hash != b->hash)
		return false;
	do {
		c = uri_next(&ua);
		if (c != uri_next(&ub))
			return false;
	} while (c >= 0);
	return true;
}

/*
 * Worked out when it is first asked for and kept for the binding's life, so that
 * a long URI is not compared again by each element that uses it. The binding
 * that `same` refers to lives at least as long: scopes end in reverse order.
 */
unsigned ns_class(struct ns_scope *scope, struct ns_root *root, const char *p, int number)
{
	struct ns_binding *b;
	unsigned n_root = root ? root->n : 0;

	if (number < NS_FIRST || number == NS_XML_PREFIX)
		return number < NS_FIRST ? root->decl[number].b.same : (unsigned)number + 1;
	b = &scope->b[number - NS_FIRST];
	if (b->same)
		return b->same;
	b->hash = uri_hash(b, p);
	for (unsigned i = 0; i < n_root && !b->same; i++)
		if (uri_same(b, p, &root->decl[i].b, root->text))
			b->same = root->decl[i].b.same;
	for (int i = NS_FIRST; i < number && !b->same; i++) {
		struct ns_binding *other = &scope->b[i - NS_FIRST];

		if (other->prefix_len == 0)
			continue;
		ns_class(scope, root, p, i);
		if (uri_same(b, p, other, p))
			b->same = other->same;
	}
	if (!b->same)
		b->same = (uint8_t)(number + 1);
	return b->same;
}

/* -- the root -- */

static char *put(char *to, struct span s)
{
	memcpy(to, s.p, s.n);
	return to + s.n;
}

/* " xmlns:p='uri'" as it stood, but for white space around '='. */
static char *put_decl(char *to, const struct ns_binding *b, const char *p)
{
	struct span quote = span_of(p + b->uri - 1, 1);

	to = put(to, SPAN_LIT(" xmlns"));
	if (b->prefix_len) {
		to = put(to, SPAN_LIT(":"));
		to = put(to, span_of(p + b->prefix, b->prefix_len));
	}
	to = put(to, SPAN_LIT("="));
	to = put(to, quote);
	to = put(to, span_of(p + b->uri, b->uri_len));
	return put(to, quote);
}

static char *put_uri(char *to, const struct ns_binding *b, const char *p)
{
	size_t n;

	/* Decoding never makes longer what a '&' or white space stands in. */
	BUG_ON(!chars_decode_value(span_of(p + b->uri, b->uri_len), to, b->uri_len, &n));
	return to + n;
}

static void root_add_prefix(struct ns_root *root, const struct ns_binding *b, size_t decl_off,
	size_t decl_end, size_t uri_off, size_t uri_end)
{
	struct ns_decl *d = &root->decl[root->n];

	d->off = (uint16_t)decl_off;
	d->len = (uint16_t)(decl_end - decl_off);
	d->b = *b;
	d->b.prefix = (uint32_t)(decl_off + sizeof(" xmlns:") - 1);
	d->b.uri = (uint32_t)uri_off;
	d->b.uri_len = (uint16_t)(uri_end - uri_off);
	d->b.dirty = 0;
	d->b.hash = uri_hash(&d->b, root->text);
	for (unsigned i = 0; i < root->n && !d->b.same; i++)
		if (uri_same(&d->b, root->text, &root->decl[i].b, root->text))
			d->b.same = root->decl[i].b.same;
	root->n++;
	if (!d->b.same)
		d->b.same = root->n;
}

static void root_set_default(struct ns_root *root, enum ns_id id)
{
	root->default_id = (uint8_t)id;
	if (ns_is_content(id))
		root->content_id = (uint8_t)id;
	else
		root->content_id = id == NS_STREAMS ? NS_SERVER : NS_NEVER;
}

static void root_fill(struct ns_root *root, struct span name, const struct ns_scope *scope,
	const char *p)
{
	size_t ends[LIMIT_PREFIXES];
	char *to = root->text, *from;
	size_t start = 0;

	for (unsigned i = 0; i < scope->n; i++) {
		to = put_decl(to, &scope->b[i], p);
		ends[i] = (size_t)(to - root->text);
	}
	root->decls_len = (uint16_t)(to - root->text);
	to = put(to, name);
	for (unsigned i = 0; i < scope->n; i++)
		if (!scope->b[i].prefix_len) {
			from = to;
			to = put_uri(to, &scope->b[i], p);
			root->default_len = (uint16_t)(to - from);
			root_set_default(root, scope->b[i].id);
		}
	for (unsigned i = 0; i < scope->n; i++) {
		const struct ns_binding *b = &scope->b[i];

		from = to;
		if (b->prefix_len) {
			to = put_uri(to, b, p);
			root_add_prefix(root, b, start, ends[i], (size_t)(from - root->text),
				(size_t)(to - root->text));
		}
		start = ends[i];
	}
}

struct ns_root *ns_root_new(struct span name, const struct ns_scope *scope, const char *p)
{
	size_t text = name.n, head = sizeof(struct ns_root) + scope->n * sizeof(struct ns_decl);
	struct ns_root *root;

	for (unsigned i = 0; i < scope->n; i++)
		text += sizeof(" xmlns:=''") + scope->b[i].prefix_len + 2u * scope->b[i].uri_len;
	text += NS_NAME_PAD;
	BUG_ON(text > UINT16_MAX); /* at most twice LIMIT_HEADER and a little */
	root = mem_try_zalloc(head + text);
	if (!root)
		return NULL;
	root->text = (char *)root + head;
	root->name_len = (uint16_t)name.n;
	root->n_decls = (uint8_t)scope->n;
	root_set_default(root, NS_NONE);
	root_fill(root, name, scope, p);
	return root;
}

void ns_root_free(struct ns_root *root)
{
	mem_free(root);
}

struct span ns_root_name(const struct ns_root *root)
{
	return span_of(root->text + root->decls_len, root->name_len);
}

struct span ns_root_content(const struct ns_root *root)
{
	if (root->default_id == NS_STREAMS)
		return SPAN_LIT("jabber:server");
	return span_of(root->text + root->decls_len + root->name_len, root->default_len);
}
