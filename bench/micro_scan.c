/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers over the same stanzas in the same run: the router's scanner, libxml2 the
 * way the router uses it (xml/element: one whole element at a time, a tree), scanner and
 * libxml2 compared stanza by stanza (core/canary, --xml-check all), libxml2 as a stream
 * parser (SAX2, push), and expat, which other servers use. The last two have
 * handlers that do no more than count stanzas.
 *
 * Each gets the stream's header and then the corpus again and again, as one stream
 * without end: at once, as the router does with what a receive buffer holds; in pieces
 * of 1460 bytes; byte by byte. For the scanner the beginning of a stanza that has not
 * come whole is kept and given again, as core/stream does; the others keep their own.
 */
#include <libxml/parser.h>

#include "bench/corpus.h"
#include "bench/trial.h"
#include "core/base/limits.h"
#include "core/canary.h"
#include "xml/element.h"
#include "xml/scan.h"

#if SLUICE_EXPAT
#include <expat.h>
#endif

static _Noreturn void die(const struct trial *t, const char *why)
{
	fprintf(stderr, "micro-scan: %s %s: %s\n", t->group, t->name, why);
	exit(1);
}

/* Stanzas that lie in what was fed: all but perhaps the last, which may wait for what follows. */
static void count_check(const struct trial *t, uint64_t stanzas, uint64_t passes)
{
	if (passes * t->units - stanzas > 1)
		die(t, "not the stanzas of the corpus");
}

static size_t piece_of(const struct trial *t, size_t at)
{
	return t->bytes - at < t->param ? t->bytes - at : t->param;
}

/* -- the scanner -- */

struct scanning {
	const struct trial *trial;
	struct scan *scan;
	uint64_t stanzas;
	size_t kept; /* of a stanza that has not come whole */
	char carry[LIMIT_STANZA + SCAN_PAD];
};

/* Stanzas that lie whole in p[0..n). Returns the bytes done with. */
static size_t scanning_items(struct scanning *g, const char *p, size_t n)
{
	enum scan_result r = SCAN_FRAME;
	size_t done = 0;
	struct frame f;

	while (done < n && (r = scan(g->scan, p + done, n - done, &f)) == SCAN_FRAME) {
		done += f.len;
		g->stanzas++;
	}
	if (r != SCAN_FRAME && r != SCAN_MORE)
		die(g->trial, scan_reason(g->scan));
	return done;
}

/* Completes the kept stanza from p[0..n), in steps that double. Returns how much was used. */
static size_t scanning_complete(struct scanning *g, const char *p, size_t n)
{
	size_t used = 0;

	for (size_t step = 1024; g->kept && used < n; step *= 2) {
		size_t take = n - used < step ? n - used : step, done;

		memcpy(g->carry + g->kept, p + used, take);
		g->kept += take;
		used += take;
		done = scanning_items(g, g->carry, g->kept);
		if (done) {
			used -= g->kept - done;
			g->kept = 0;
		}
	}
	return used;
}

static void scanning_feed(struct scanning *g, const char *p, size_t n)
{
	size_t used = g->kept ? scanning_complete(g, p, n) : 0;

	if (g->kept)
		return;
	used += scanning_items(g, p + used, n - used);
	g->kept = n - used;
	memcpy(g->carry, p + used, g->kept);
}

static void *scan_begin(const struct trial *t)
{
	static const char header[sizeof(CORPUS_HEADER) + SCAN_PAD] = CORPUS_HEADER;
	struct scanning *g = bench_alloc(1, sizeof(*g));
	struct frame f;

	g->trial = t;
	g->scan = scan_new(LIMIT_STANZA);
	if (!g->scan || scan(g->scan, header, sizeof(CORPUS_HEADER) - 1, &f) != SCAN_HEADER)
		die(t, "header refused");
	return g;
}

static void scan_pass(const struct trial *t, void *state)
{
	const struct corpus *c = t->input;

	for (size_t at = 0, n; at < c->len; at += n) {
		n = piece_of(t, at);
		scanning_feed(state, c->bytes + at, n);
	}
}

static void scan_end(const struct trial *t, void *state, uint64_t passes)
{
	struct scanning *g = state;

	count_check(t, g->stanzas, passes);
	scan_free(g->scan);
	free(g);
}

/* -- libxml2, an element at a time -- */

static void *element_begin(const struct trial *t)
{
	(void)t;
	return element_parser_new();
}

static void element_pass(const struct trial *t, void *state)
{
	static const struct span decls = SPAN_LIT(
		" xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
		"xmlns:db='jabber:server:dialback'");
	const struct corpus *c = t->input;

	for (size_t i = 0; i < c->count; i++) {
		struct text s = corpus_stanza(c, i);
		const char *why;

		if (!element_parse(state, decls, span_of(s.p, s.len), &why))
			die(t, why);
	}
}

static void element_end(const struct trial *t, void *state, uint64_t passes)
{
	(void)t;
	(void)passes;
	element_parser_free(state);
}

/* -- both, as --xml-check has it -- */

struct checking {
	struct scanning *scanning;
	struct element_parser *elements;
};

static void *canary_begin(const struct trial *t)
{
	struct checking *k = bench_alloc(1, sizeof(*k));

	k->scanning = scan_begin(t);
	k->elements = element_parser_new();
	return k;
}

static void canary_pass(const struct trial *t, void *state)
{
	const struct corpus *c = t->input;
	struct checking *k = state;
	struct canary_finding found;

	for (size_t at = 0; at < c->len;) {
		struct frame f;

		if (scan(k->scanning->scan, c->bytes + at, c->len - at, &f) != SCAN_FRAME)
			die(t, scan_reason(k->scanning->scan));
		if (canary_compare(k->elements, k->scanning->scan, &f, &found) != CANARY_AGREES)
			die(t, "the two parsers differ");
		at += f.len;
	}
}

static void canary_end(const struct trial *t, void *state, uint64_t passes)
{
	struct checking *k = state;

	(void)t;
	(void)passes;
	element_parser_free(k->elements);
	scan_free(k->scanning->scan);
	free(k->scanning);
	free(k);
}

/* -- libxml2, a stream -- */

struct streaming {
	void *parser;
	unsigned depth;
	uint64_t stanzas;
};

static void streaming_open(struct streaming *g)
{
	g->depth++;
}

static void streaming_close(struct streaming *g)
{
	g->stanzas += --g->depth == 1;
}

static void on_xml_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
	int n_ns, const xmlChar **ns, int n_attrs, int n_defaulted, const xmlChar **attrs)
{
	(void)name, (void)prefix, (void)uri, (void)n_ns, (void)ns;
	(void)n_attrs, (void)n_defaulted, (void)attrs;
	streaming_open(ctx);
}

static void on_xml_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	(void)name, (void)prefix, (void)uri;
	streaming_close(ctx);
}

static void on_xml_text(void *ctx, const xmlChar *text, int n)
{
	(void)ctx, (void)text, (void)n;
}

static void *libxml_begin(const struct trial *t)
{
	struct streaming *g = bench_alloc(1, sizeof(*g));
	xmlSAXHandler sax = { .initialized = XML_SAX2_MAGIC,
		.startElementNs = on_xml_start,
		.endElementNs = on_xml_end,
		.characters = on_xml_text,
		.ignorableWhitespace = on_xml_text,
		.cdataBlock = on_xml_text };

	g->parser = xmlCreatePushParserCtxt(&sax, g, NULL, 0, NULL);
	if (!g->parser || xmlParseChunk(g->parser, CORPUS_HEADER, sizeof(CORPUS_HEADER) - 1, 0))
		die(t, "header refused");
	return g;
}

static void libxml_pass(const struct trial *t, void *state)
{
	const struct corpus *c = t->input;
	struct streaming *g = state;

	for (size_t at = 0, n; at < c->len; at += n) {
		n = piece_of(t, at);
		if (xmlParseChunk(g->parser, c->bytes + at, (int)n, 0))
			die(t, "refused");
	}
}

static void libxml_end(const struct trial *t, void *state, uint64_t passes)
{
	struct streaming *g = state;

	count_check(t, g->stanzas, passes);
	xmlFreeParserCtxt(g->parser);
	free(g);
}

/* -- expat -- */

#if SLUICE_EXPAT

static void on_expat_start(void *ctx, const char *name, const char **attrs)
{
	(void)name, (void)attrs;
	streaming_open(ctx);
}

static void on_expat_end(void *ctx, const char *name)
{
	(void)name;
	streaming_close(ctx);
}

static void on_expat_text(void *ctx, const char *text, int n)
{
	(void)ctx, (void)text, (void)n;
}

static void *expat_begin(const struct trial *t)
{
	struct streaming *g = bench_alloc(1, sizeof(*g));

	g->parser = XML_ParserCreateNS(NULL, '|');
	if (!g->parser)
		die(t, "no memory");
	XML_SetUserData(g->parser, g);
	XML_SetElementHandler(g->parser, on_expat_start, on_expat_end);
	XML_SetCharacterDataHandler(g->parser, on_expat_text);
	if (XML_Parse(g->parser, CORPUS_HEADER, sizeof(CORPUS_HEADER) - 1, 0) != XML_STATUS_OK)
		die(t, "header refused");
	return g;
}

static void expat_pass(const struct trial *t, void *state)
{
	const struct corpus *c = t->input;
	struct streaming *g = state;

	for (size_t at = 0, n; at < c->len; at += n) {
		n = piece_of(t, at);
		if (XML_Parse(g->parser, c->bytes + at, (int)n, 0) != XML_STATUS_OK)
			die(t, XML_ErrorString(XML_GetErrorCode(g->parser)));
	}
}

static void expat_end(const struct trial *t, void *state, uint64_t passes)
{
	struct streaming *g = state;

	count_check(t, g->stanzas, passes);
	XML_ParserFree(g->parser);
	free(g);
}

#endif

/* -- the table -- */

static const struct trial parsers[] = {
	{ .name = "scan", .begin = scan_begin, .pass = scan_pass, .end = scan_end },
#if SLUICE_EXPAT
	{ .name = "expat", .begin = expat_begin, .pass = expat_pass, .end = expat_end },
#endif
	{ .name = "libxml2", .begin = libxml_begin, .pass = libxml_pass, .end = libxml_end },
	/* The last ones take no pieces. */
	{ .name = "element_parse",
		.begin = element_begin,
		.pass = element_pass,
		.end = element_end },
	{ .name = "canary", .begin = canary_begin, .pass = canary_pass, .end = canary_end },
};

#define WHOLE_ONLY 2
#define PARSERS (sizeof(parsers) / sizeof(parsers[0]))
#define WHOLE SIZE_MAX

/* Byte by byte takes long, and what a predictor remembers does not count then. */
static const struct {
	const char *suffix;
	size_t piece, corpus;
} feeds[] = { { "", WHOLE, CORPUS_SIZE }, { "/1460", 1460, CORPUS_SIZE }, { "/1", 1, 128u << 10 } };

#define FEEDS (sizeof(feeds) / sizeof(feeds[0]))
#define GROUPS (FEEDS * CORPORA)

/* One trial; its corpus is made when the first of its group is wanted. */
static void table_add(struct trials *ts, const struct trial *parser, unsigned group,
	struct corpus *c, const char *name)
{
	struct trial *t = &ts->all[ts->n];

	*t = *parser;
	t->group = name;
	if (!trials_want(ts, t))
		return;
	if (!c->bytes)
		corpus_init(c, group % CORPORA, feeds[group / CORPORA].corpus, 1);
	t->input = c;
	t->param = feeds[group / CORPORA].piece;
	t->units = c->count;
	t->bytes = c->len;
	ts->n++;
}

int main(int argc, char **argv)
{
	static struct trial all[GROUPS * PARSERS];
	static struct corpus corpora[GROUPS];
	static char names[GROUPS][32];
	struct trials ts = { .all = all, .unit = "stanza", .rivals = { "expat", "libxml2" } };
	int exit_code = trials_options(&ts, argc, argv,
		"XML parsers over corpora of stanzas (bench/corpus.h), which are fed at once or in\n"
		"pieces of as many bytes as stand behind the slash.");

	if (exit_code >= 0)
		return exit_code;
#if !SLUICE_EXPAT
	puts("expat was missing when this was built: not compared");
#endif
	for (unsigned i = 0; i < GROUPS; i++) {
		snprintf(names[i], sizeof(names[i]), "%s%s", corpus_name(i % CORPORA),
			feeds[i / CORPORA].suffix);
		for (unsigned k = 0;
			k < PARSERS - (feeds[i / CORPORA].piece != WHOLE ? WHOLE_ONLY : 0); k++)
			table_add(&ts, &parsers[k], i, &corpora[i], names[i]);
	}
	trials_run(&ts);
	trials_report(&ts);
	trials_free(&ts);
	for (unsigned i = 0; i < GROUPS; i++)
		corpus_free(&corpora[i]);
	return 0;
}
