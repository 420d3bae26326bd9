/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/core/stanzas.h"

#include <stdio.h>

#define STREAMS "http://etherx.jabber.org/streams"
#define DIALBACK "jabber:server:dialback"
#define XML_NS "http://www.w3.org/XML/1998/namespace"
#define MAX_DEPTH 7
#define MAX_BOUND 32
#define MAX_ITEMS 8 /* attributes of an element, declarations included */
#define FULL_ATTRS 60 /* of a stanza that has nearly as many as it may */

/* -- chance -- */

unsigned stanzas_below(struct stanza *s, unsigned n)
{
	s->state ^= s->state << 13;
	s->state ^= s->state >> 7;
	s->state ^= s->state << 17;
	return (unsigned)(s->state >> 20) % n;
}

bool stanzas_once_in(struct stanza *s, unsigned n)
{
	return stanzas_below(s, n) == 0;
}

#define PICK(s, list) ((list)[stanzas_below(s, ARRAY_LEN(list))])

/* -- characters -- */

static void put(struct stanza *s, const char *text)
{
	writer_lit(&s->xml, text);
}

static void put_reference(struct stanza *s, char c)
{
	static const char *const named[] = { ['&'] = "&amp;",
		['<'] = "&lt;",
		['>'] = "&gt;",
		['\''] = "&apos;",
		['"'] = "&quot;" };
	char text[16];

	if ((size_t)c < ARRAY_LEN(named) && named[(size_t)c] && !stanzas_once_in(s, 4)) {
		put(s, named[(size_t)c]);
		return;
	}
	snprintf(text, sizeof(text), stanzas_once_in(s, 2) ? "&#%d;" : "&#x%X;", c);
	put(s, text);
}

static void put_char(struct stanza *s, const char *c)
{
	writer_raw(&s->xml, span_of(c, 1));
}

/* The value with its quotes. refs: one in so many characters is a reference, 0: none that need not
 * be. White space that stands there as something else than a space is read as one. */
static void put_value(struct stanza *s, const char *value, unsigned refs)
{
	const char *quote = stanzas_once_in(s, 2) ? "'" : "\"";

	put(s, quote);
	for (const char *c = value; *c; c++) {
		bool must = *c == '<' || *c == '&' || *c == *quote || (*c > 0 && *c < ' ');

		if (must || (refs && *c > 0 && stanzas_once_in(s, refs)))
			put_reference(s, *c);
		else if (refs && *c == ' ')
			put(s, stanzas_once_in(s, 2) ? "\r\n" : "\t");
		else
			put_char(s, c);
	}
	put(s, quote);
}

static unsigned some_refs(struct stanza *s)
{
	return stanzas_once_in(s, 5) ? 1 + stanzas_below(s, 6) : 0;
}

static void put_text(struct stanza *s, const char *text)
{
	static const char *const line_end[] = { "\n", "\r\n", "\r" };

	if (stanzas_once_in(s, 4) && !strstr(text, "]]>") && !strchr(text, '\r')) {
		put(s, "<![CDATA[");
		put(s, text);
		put(s, "]]>");
	} else {
		for (const char *c = text; *c; c++) {
			if (*c == '<' || *c == '&' || *c == '\r' || *c == '>' ||
				(*c > 0 && stanzas_once_in(s, 30)))
				put_reference(s, *c);
			else if (*c == '\n')
				put(s, PICK(s, line_end));
			else
				put_char(s, c);
		}
	}
	events_text(&s->came, span_str(text));
	events_text(&s->arrives, span_str(text));
}

static void put_space(struct stanza *s)
{
	static const char *const space[] = { " ", "  ", "\n", "\t\r\n ", "\r" };

	put(s, stanzas_once_in(s, 5) ? PICK(s, space) : " ");
}

static void put_name(struct stanza *s, const char *prefix, const char *local)
{
	put(s, prefix);
	if (*prefix)
		put(s, ":");
	put(s, local);
}

/* -- namespaces -- */

struct scope {
	const char *standard; /* the default namespace; NULL: the content namespace, as inherited */
	bool extension; /* inside of one */
	unsigned depth, n;
	struct {
		const char *prefix, *uri;
		int root; /* number among the root's, or -1 */
	} bound[MAX_BOUND];
};

static const char *scope_find(struct stanza *s, const struct scope *in, const char *prefix)
{
	for (unsigned i = in->n; i-- > 0;) {
		if (strcmp(in->bound[i].prefix, prefix) != 0)
			continue;
		if (in->bound[i].root >= 0)
			s->borrowed |= UINT32_C(1) << in->bound[i].root;
		return in->bound[i].uri;
	}
	return NULL;
}

static void scope_bind(struct scope *in, const char *prefix, const char *uri, int root)
{
	BUG_ON(in->n == MAX_BOUND);
	in->bound[in->n].prefix = prefix;
	in->bound[in->n].uri = uri;
	in->bound[in->n++].root = root;
}

/* -- elements -- */

enum item_kind { ITEM_ATTR, ITEM_DECL, ITEM_DEFAULT, ITEM_FROM, ITEM_TO };

struct item {
	enum item_kind kind;
	const char *prefix, *local, *ns; /* DECL: local is the prefix */
	const char *value;
};

struct tag {
	const char *prefix, *local;
	unsigned n;
	struct item item[MAX_ITEMS + FULL_ATTRS];
};

static struct item *tag_add(struct tag *t, enum item_kind kind, const char *local,
	const char *value)
{
	struct item *i = &t->item[t->n++];

	BUG_ON(t->n > ARRAY_LEN(t->item));
	*i = (struct item){ kind, "", local, "", value };
	return i;
}

static void tag_shuffle(struct stanza *s, struct tag *t)
{
	for (unsigned i = t->n; i > 1; i--) {
		unsigned j = stanzas_below(s, i);
		struct item item = t->item[i - 1];

		t->item[i - 1] = t->item[j];
		t->item[j] = item;
	}
}

static const char *const uris[] = { "urn:x", "urn:p", "urn:a b", "urn:x'\"<&>", "jabber:client",
	"jabber:server", "jabber:component:accept", DIALBACK, STREAMS };

static void add_prefixes(struct stanza *s, struct tag *t, struct scope *in)
{
	static const char *const prefixes[] = { "p", "q", "r", "s", "stream", "db" };
	unsigned first = stanzas_below(s, ARRAY_LEN(prefixes));

	for (unsigned i = stanzas_below(s, 8) / 3; i > 0 && in->n < MAX_BOUND; i--) {
		const char *prefix = prefixes[(first + i) % ARRAY_LEN(prefixes)];
		const char *uri = PICK(s, uris);

		tag_add(t, ITEM_DECL, prefix, uri);
		scope_bind(in, prefix, uri, -1);
	}
}

static void add_attrs(struct stanza *s, struct tag *t, const struct scope *in)
{
	static const char *const names[] = { "a", "b", "from", "xmlnsx" };
	static const char *const values[] = { "", "x", "a'b", "\"", "<>&", "]]>", " a  b ",
		"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\t\n\r", "xmlns='jabber:server'",
		"'/></message><message to='x'>", "&amp;", "</stream:stream>" };
	unsigned n = stanzas_below(s, 9) / 2;

	for (unsigned i = 0; i < n; i++) {
		struct item *item = tag_add(t, ITEM_ATTR, names[i], PICK(s, values));

		if (in->depth == 1 && strcmp(item->local, "from") == 0)
			item->local = "c";
		if (in->n && stanzas_once_in(s, 3)) {
			item->prefix = in->bound[stanzas_below(s, in->n)].prefix;
			item->ns = scope_find(s, in, item->prefix);
		}
	}
	if (stanzas_once_in(s, 6)) {
		struct item *item = tag_add(t, ITEM_ATTR, "lang",
			stanzas_once_in(s, 3) ? "" : "nl");

		item->prefix = "xml";
		item->ns = XML_NS;
	}
}

/* What the start tag says of the default namespace; NULL: nothing. */
static const char *choose_default(struct stanza *s)
{
	if (!stanzas_once_in(s, 3))
		return NULL;
	if (stanzas_once_in(s, 3))
		return s->root->content;
	return stanzas_once_in(s, 4) ? "" : PICK(s, uris);
}

/* The namespace of the name as it came. Notes in `in` what the element leaves to its children. */
static const char *resolve(struct stanza *s, struct tag *t, struct scope *in, const char *said)
{
	const char *content = s->root->content, *ns;

	if (said) {
		tag_add(t, ITEM_DEFAULT, "", said);
		in->standard = said;
	}
	ns = *t->prefix ? scope_find(s, in, t->prefix) : in->standard ? in->standard : content;
	if (in->extension)
		return ns;
	if (strcmp(ns, content) != 0) {
		in->extension = true;
		return ns;
	}
	s->odd_prefix |= *t->prefix != '\0';
	if (in->standard && strcmp(in->standard, content) == 0) {
		s->redeclared++;
		in->standard = NULL;
	}
	return ns;
}

static void put_item(struct stanza *s, const struct item *i)
{
	struct span name[] = { span_str(i->ns), span_str(i->local), span_str(i->prefix) };
	const char *arrives = i->kind == ITEM_FROM ? s->from.canonical
		: i->kind == ITEM_TO		   ? s->to.canonical
						   : i->value;

	put_space(s);
	if (i->kind == ITEM_DECL)
		put_name(s, "xmlns", i->local);
	else if (i->kind == ITEM_DEFAULT)
		put(s, "xmlns");
	else
		put_name(s, i->prefix, i->local);
	put(s, stanzas_once_in(s, 8) ? "\n= " : "=");
	put_value(s, i->value, some_refs(s));
	if (i->kind == ITEM_DECL || i->kind == ITEM_DEFAULT)
		return;
	events_attr(&s->came, name[0], name[1], name[2], span_str(i->value));
	events_attr(&s->arrives, name[0], name[1], name[2], span_str(arrives));
}

static void put_tag(struct stanza *s, struct tag *t, const struct scope *in, const char *ns,
	const char *lang)
{
	bool inherits = !*t->prefix && !in->standard;

	tag_shuffle(s, t);
	put(s, "<");
	put_name(s, t->prefix, t->local);
	events_start(&s->came, span_str(ns), span_str(t->local), span_str(t->prefix));
	events_start(&s->arrives, span_str(inherits ? s->content : ns), span_str(t->local),
		span_str(t->prefix));
	if (lang)
		events_attr(&s->arrives, SPAN_LIT(XML_NS), SPAN_LIT("lang"), SPAN_LIT("xml"),
			span_str(lang));
	for (unsigned i = 0; i < t->n; i++)
		put_item(s, &t->item[i]);
	if (stanzas_once_in(s, 6))
		put_space(s);
}

static void put_element(struct stanza *s, struct scope in);

static void put_content(struct stanza *s, const struct tag *t, const struct scope *in)
{
	static const char *const texts[] = { "hi", "a<b>&\"'c", "]]>", "\n\r\t ",
		"\xc3\xa9\xf0\x9f\x98\x80", "</message></stream:stream>", "xmlns" };
	unsigned n = in->depth < MAX_DEPTH ? stanzas_below(s, in->depth < 3 ? 5 : 3) : 0;

	if (n == 0 && stanzas_once_in(s, 2)) {
		put(s, "/>");
	} else {
		put(s, ">");
		for (unsigned i = 0; i < n; i++) {
			if (stanzas_once_in(s, 3))
				put_text(s, PICK(s, texts));
			else
				put_element(s, *in);
		}
		put(s, "</");
		put_name(s, t->prefix, t->local);
		put(s, stanzas_once_in(s, 8) ? "\n>" : ">");
	}
	events_end(&s->came);
	events_end(&s->arrives);
}

/* in: what its parent leaves in scope; a copy, which this element changes for its children. */
static void put_element(struct stanza *s, struct scope in)
{
	static const char *const names[] = { "body", "x", "message", "stream", "\xc3\xa9t",
		"a-b.c" };
	struct tag t = { "", PICK(s, names), 0, { { 0 } } };
	const char *ns;

	in.depth++;
	add_prefixes(s, &t, &in);
	if (in.n && stanzas_once_in(s, 4))
		t.prefix = in.bound[stanzas_below(s, in.n)].prefix;
	ns = resolve(s, &t, &in, choose_default(s));
	add_attrs(s, &t, &in);
	put_tag(s, &t, &in, ns, NULL);
	put_content(s, &t, &in);
}

/* -- the stanza itself -- */

static void choose_head(struct stanza *s)
{
	static const char *const kinds[] = { "message", "presence", "iq" };
	static const char *const types[][6] = {
		{ NULL, "chat", "error", "headline", NULL, "groupchat" },
		{ NULL, "unavailable", "unsubscribed", "probe", "error", "subscribe" },
		{ "get", "set", "result", "error", "bogus", NULL },
	};
	static const char *const ids[] = { NULL, "1", "a'/><message to='x'/>", "\"&amp;\t\n\r",
		"\xf0\x9f\x98\x80", "" };
	unsigned kind = stanzas_below(s, ARRAY_LEN(kinds));

	s->kind = kinds[kind];
	s->type = types[kind][stanzas_below(s, ARRAY_LEN(types[kind]))];
	s->id = PICK(s, ids);
	stanzas_address(s, &s->from);
	stanzas_address(s, &s->to);
}

/* One in a hundred has about as many attributes as a scanner takes. */
static void add_crowd(struct stanza *s, struct tag *t)
{
	static char names[FULL_ATTRS + MAX_ITEMS][4];

	if (!stanzas_once_in(s, 100))
		return;
	for (unsigned i = 0; t->n < FULL_ATTRS + stanzas_below(s, 5); i++) {
		snprintf(names[i], sizeof(names[i]), "x%02u", i % 100);
		tag_add(t, ITEM_ATTR, names[i], "");
	}
}

static bool says_lang(const struct tag *t)
{
	for (unsigned i = 0; i < t->n; i++)
		if (strcmp(t->item[i].prefix, "xml") == 0)
			return true;
	return false;
}

static void put_stanza(struct stanza *s, struct scope *in)
{
	struct tag t = { "", s->kind, 0, { { 0 } } };
	const char *said = s->root->bare || stanzas_once_in(s, 5) ? s->root->content : NULL;
	const char *lang, *ns;

	in->depth = 1;
	if (stanzas_once_in(s, 3))
		add_prefixes(s, &t, in);
	ns = resolve(s, &t, in, said);
	tag_add(&t, ITEM_FROM, "from", s->from.came);
	tag_add(&t, ITEM_TO, "to", s->to.came);
	if (s->type)
		tag_add(&t, ITEM_ATTR, "type", s->type);
	if (s->id)
		tag_add(&t, ITEM_ATTR, "id", s->id);
	if (stanzas_once_in(s, 3))
		add_attrs(s, &t, in);
	add_crowd(s, &t);
	lang = says_lang(&t) ? NULL : s->root->lang;
	s->attrs = t.n + (lang != NULL);
	put_tag(s, &t, in, ns, lang);
	put_content(s, &t, in);
	s->attrs += (unsigned)__builtin_popcount(s->borrowed);
}

void stanzas_make(struct stanza *s, uint64_t seed, const struct stanzas_root *root,
	const char *content)
{
	struct scope in = { .standard = root->bare ? STREAMS : NULL };

	s->state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	s->root = root;
	s->content = content;
	s->xml = WRITER(s->text);
	events_clear(&s->came);
	events_clear(&s->arrives);
	s->odd_prefix = false;
	s->redeclared = 0;
	s->borrowed = 0;
	for (int i = 0; i < STANZAS_ROOT_PREFIXES && root->bound[i].prefix; i++)
		scope_bind(&in, root->bound[i].prefix, root->bound[i].uri, i);
	choose_head(s);
	put_stanza(s, &in);
	BUG_ON(s->xml.overflow);
}

void stanzas_free(struct stanza *s)
{
	events_free(&s->came);
	events_free(&s->arrives);
}
