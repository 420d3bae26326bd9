/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The corpora are what bench/corpus.h says, or the micro benchmarks measure something else. */
#include "bench/corpus.h"

#include <criterion/criterion.h>
#include <expat.h>

#include "core/base/limits.h"
#include "xml/element.h"
#include "xml/scan.h"

TestSuite(corpus, .timeout = 60);

#define SOME (256u << 10) /* bytes, where looking takes long */
#define MANY 4096 /* stanzas */

/* What is seen of one stanza by a parser that is not ours. */
struct look {
	XML_Parser parser;
	unsigned depth, deepest, most_attrs;
	size_t body;
	bool in_body;
	char shape[8192]; /* names of elements and attributes in their order */
	size_t n;
};

static void look_name(struct look *l, char before, const char *name)
{
	l->n += (size_t)snprintf(l->shape + l->n, sizeof(l->shape) - l->n, "%c%s", before, name);
	cr_assert_lt(l->n, sizeof(l->shape));
}

static void on_start(void *ctx, const char *name, const char **attrs)
{
	struct look *l = ctx;
	unsigned n = 0;

	look_name(l, '<', name);
	for (; attrs[2 * n]; n++)
		look_name(l, ' ', attrs[2 * n]);
	if (++l->depth > l->deepest)
		l->deepest = l->depth;
	if (n > l->most_attrs)
		l->most_attrs = n;
	l->in_body = strcmp(name, "body") == 0;
}

static void on_end(void *ctx, const char *name)
{
	struct look *l = ctx;

	(void)name;
	look_name(l, '/', "");
	l->depth--;
	l->in_body = false;
}

static void on_text(void *ctx, const char *text, int n)
{
	struct look *l = ctx;

	(void)text;
	if (l->in_body)
		l->body += (size_t)n;
}

static void look_at(struct look *l, struct text s)
{
	memset(l, 0, sizeof(*l));
	l->parser = XML_ParserCreate(NULL);
	XML_SetUserData(l->parser, l);
	XML_SetElementHandler(l->parser, on_start, on_end);
	XML_SetCharacterDataHandler(l->parser, on_text);
	cr_assert_eq(XML_Parse(l->parser, s.p, (int)s.len, 1), XML_STATUS_OK, "%.*s", (int)s.len,
		s.p);
	XML_ParserFree(l->parser);
}

static void each(size_t size, void (*check)(const struct corpus *c))
{
	for (unsigned i = 0; i < CORPORA; i++) {
		struct corpus c;

		corpus_init(&c, i, size, 1);
		check(&c);
		corpus_free(&c);
	}
}

static void check_frames(const struct corpus *c)
{
	static const char header[sizeof(CORPUS_HEADER) + SCAN_PAD] = CORPUS_HEADER;
	struct scan *s = scan_new(LIMIT_STANZA_FLOOR);
	struct frame f;

	cr_assert_eq(scan(s, header, sizeof(CORPUS_HEADER) - 1, &f), SCAN_HEADER);
	for (size_t i = 0; i < c->count; i++) {
		struct text t = corpus_stanza(c, i);

		cr_assert_eq(scan(s, t.p, c->len - c->start[i], &f), SCAN_FRAME, "%s: %s: %.*s",
			c->name, scan_reason(s), (int)t.len, t.p);
		cr_assert_eq(f.len, t.len);
		cr_assert_leq(f.kind, FRAME_IQ);
		cr_assert(f.from.p && f.to.p && !(f.flags & FRAME_ADDR_DECODED));
	}
	scan_free(s);
}

Test(corpus, each_stanza_is_one_frame)
{
	_Static_assert(CORPUS_PAD >= SCAN_PAD, "the scanner may read that far");
	each(CORPUS_SIZE, check_frames);
}

static void check_elements(const struct corpus *c)
{
	struct element_parser *ep = element_parser_new();
	const char *why = NULL;

	for (size_t i = 0; i < c->count; i++) {
		struct text t = corpus_stanza(c, i);

		cr_assert(element_parse(ep, SPAN_LIT(" xmlns='jabber:server'"), span_of(t.p, t.len),
				  &why),
			"%s: %s: %.*s", c->name, why, (int)t.len, t.p);
	}
	element_parser_free(ep);
}

Test(corpus, libxml2_takes_each_stanza)
{
	each(SOME, check_elements);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_shapes(const struct corpus *c)
{
	static char *shapes[MANY];
	static struct look l;
	size_t different = 0;

	cr_assert_leq(c->count, MANY);
	for (size_t i = 0; i < c->count; i++) {
		look_at(&l, corpus_stanza(c, i));
		shapes[i] = strdup(l.shape);
	}
	qsort(shapes, c->count, sizeof(*shapes), compare);
	for (size_t i = 0; i < c->count; i++)
		different += i == 0 || strcmp(shapes[i - 1], shapes[i]) != 0;
	cr_assert_geq(different, 64, "%s: %zu shapes", c->name, different);
	for (size_t i = 0; i < c->count; i++)
		free(shapes[i]);
}

Test(corpus, at_least_64_shapes)
{
	each(SOME, check_shapes);
}

/* Per stanza: average and longest; of all bytes, how many in a hundred are not ASCII. */
static const struct expected {
	const char *name;
	size_t average_min, average_max, longest, wide_min, wide_max;
} expected[CORPORA] = {
	{ "chat", 345, 365, 900, 0, 0 },
	{ "presence", 160, 200, 500, 0, 0 },
	{ "iq", 190, 230, 500, 0, 0 },
	{ "message4k", 4300, 4450, 4800, 0, 0 },
	{ "cyrillic", 700, 770, 1300, 50, 70 },
	{ "chinese", 700, 770, 1300, 60, 80 },
	{ "emoji", 700, 770, 1300, 45, 65 },
	{ "escaped", 700, 770, 1300, 0, 0 },
	{ "deep", 1900, 2200, 3000, 0, 0 },
	{ "attrs", 1900, 2100, 3000, 0, 0 },
};

static void check_sizes(const struct corpus *c)
{
	const struct expected *e = expected;
	size_t wide = 0;

	while (strcmp(e->name, c->name) != 0)
		cr_assert_lt(++e, expected + CORPORA, "%s", c->name);
	cr_assert_geq(c->len, CORPUS_SIZE);
	cr_assert_leq(c->len, CORPUS_SIZE + e->longest);
	cr_assert(c->len / c->count >= e->average_min && c->len / c->count <= e->average_max,
		"%s: %zu", c->name, c->len / c->count);
	for (size_t i = 0; i < c->count; i++)
		cr_assert_leq(corpus_stanza(c, i).len, e->longest, "%s", c->name);
	for (size_t i = 0; i < c->len; i++)
		wide += (unsigned char)c->bytes[i] >= 0x80;
	cr_assert(wide * 100 >= e->wide_min * c->len && wide * 100 <= e->wide_max * c->len,
		"%s: %zu of %zu", c->name, wide, c->len);
}

Test(corpus, sizes_are_as_named)
{
	each(CORPUS_SIZE, check_sizes);
}

static void check_limits(const struct corpus *c)
{
	bool deep = strcmp(c->name, "deep") == 0, attrs = strcmp(c->name, "attrs") == 0;
	size_t references = 0;
	static struct look l;

	for (size_t i = 0; i < c->count; i++) {
		look_at(&l, corpus_stanza(c, i));
		cr_assert(deep ? l.deepest == 64 : l.deepest < 8, "%s: %u", c->name, l.deepest);
		cr_assert(attrs ? l.most_attrs == 64 : l.most_attrs < 8, "%s: %u", c->name,
			l.most_attrs);
		if (strcmp(c->name, "message4k") == 0)
			cr_assert_geq(l.body, 4096);
	}
	for (size_t i = 0; i < c->len; i++)
		references += c->bytes[i] == '&';
	if (strcmp(c->name, "escaped") == 0)
		cr_assert_geq(references, c->len / 20);
	else
		cr_assert_eq(references, 0, "%s", c->name);
}

Test(corpus, depth_attributes_and_references_are_as_named)
{
	each(SOME, check_limits);
}

static bool begins(const struct corpus *longer, const struct corpus *c)
{
	return c->len <= longer->len && memcmp(longer->bytes, c->bytes, c->len) == 0 &&
		c->count <= longer->count &&
		memcmp(longer->start, c->start, (c->count + 1) * sizeof(*c->start)) == 0;
}

Test(corpus, the_seed_decides)
{
	for (unsigned i = 0; i < CORPORA; i++) {
		struct corpus one, longer, other;

		corpus_init(&one, i, 1, 1);
		corpus_init(&longer, i, SOME, 1);
		corpus_init(&other, i, SOME, 2);
		cr_assert_eq(one.count, CORPUS_STANZAS_MIN);
		cr_assert(begins(&longer, &one), "%s", one.name);
		cr_assert(!begins(&other, &one), "%s", one.name);
		corpus_free(&one);
		corpus_free(&longer);
		corpus_free(&other);
	}
}
