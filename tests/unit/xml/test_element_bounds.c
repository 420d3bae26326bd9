/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What elements can make libxml2 remember, expand or fetch: nothing. */
#include <criterion/criterion.h>
#include <libxml/parser.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/limits.h"
#include "xml/element.h"

#define DECLS " xmlns='jabber:server'"

TestSuite(element_bounds, .timeout = 200);

/* -- what libxml2 asks for -- */

static struct watched {
	long now, peak; /* bytes */
	unsigned long calls;
	unsigned fetched; /* external entities */
} watched;

static void note(void *p, long sign)
{
	watched.now += p ? sign * (long)malloc_usable_size(p) : 0;
	if (watched.now > watched.peak)
		watched.peak = watched.now;
}

static void *watched_alloc(size_t n)
{
	void *p = malloc(n);

	watched.calls++;
	note(p, 1);
	return p;
}

static void *watched_realloc(void *old, size_t n)
{
	void *p;

	watched.calls++;
	note(old, -1);
	p = realloc(old, n);
	note(p, 1);
	return p;
}

static void watched_free(void *p)
{
	note(p, -1);
	free(p);
}

static char *watched_strdup(const char *s)
{
	char *copy = strdup(s);

	watched.calls++;
	note(copy, 1);
	return copy;
}

static xmlParserInputPtr watched_fetch(const char *url, const char *id, xmlParserCtxtPtr ctxt)
{
	(void)url;
	(void)id;
	(void)ctxt;
	watched.fetched++;
	return NULL;
}

/* A parser whose libxml2 is watched. It has been used: what it keeps for good is there. */
static struct element_parser *watched_parser(void)
{
	struct element_parser *ep = element_parser_new();
	const char *why;

	cr_assert_eq(xmlMemSetup(watched_free, watched_alloc, watched_realloc, watched_strdup), 0);
	xmlSetExternalEntityLoader(watched_fetch);
	cr_assert(element_parse(ep, SPAN_LIT(DECLS), SPAN_LIT("<a b='&lt;'>c</a>"), &why));
	cr_assert(element_parse_header(ep, SPAN_LIT("<?xml version='1.0'?><s>"), &why));
	memset(&watched, 0, sizeof(watched));
	return ep;
}

/* -- names -- */

/*
 * libxml2 remembers every name; a parser that lives as long as a worker must not. 400,000 names, four
 * times what it can hold before it refuses for good, and never more in memory than a little more
 * than DICT_MAX.
 */
Test(element_bounds, unique_names)
{
	struct element_parser *ep = watched_parser();
	long early = 0;
	char text[128];

	for (unsigned i = 0; i < 400000; i++) {
		const char *why;
		const struct element *e;

		snprintf(text, sizeof(text), "<n%u a%u='' xmlns='urn:%u'><c%u/></n%u>", i, i, i, i,
			i);
		e = element_parse(ep, SPAN_LIT(DECLS), span_str(text), &why);
		cr_assert(e, "%u: %s", i, why);
		cr_assert(e->n_attrs == 1 && e->n_decls == 1 && e->child);
		if (i == 20000)
			early = watched.peak;
	}
	cr_expect_leq(watched.peak, early, "%ld bytes and then %ld", early, watched.peak);
	cr_expect_lt(early, 2 << 20);
	element_parser_free(ep);
}

/* -- what is refused costs nothing -- */

/* `%s` is the part that grows. */
static const char *const elements[] = {
	"<!--%s--><a/>",
	"<a><!--%s--></a>",
	"<a><?p %s?></a>",
	"<?xml version='1.0'?><a>%s</a>",
	"<a/><?p %s?>",
	"<!DOCTYPE a [<!--%s-->]><a/>",
	"<!DOCTYPE a [<!ENTITY e '%s'>]><a>&e;&e;&e;&e;</a>",
	"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a>%s</a>",
	"<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://127.0.0.1/%s'>%p;]><a/>",
	"<a><!DOCTYPE a [<!ENTITY e '%s'>]></a>",
	"<a><![CDATA[x]]><![INCLUDE[%s]]></a>",
	"<!ELEMENT a (%s)><a/>",
	"<!ATTLIST a b CDATA '%s'><a/>",
};

static const char *const headers[] = {
	"<!--%s--><s>",
	"<?xml version='1.0'?><!--%s--><s>",
	"<?p %s?><s>",
	"<?xml version='1.0'?><?p %s?><s>",
	"<!DOCTYPE s [<!ENTITY e '%s'>]><s a='&e;&e;&e;'>",
	"<?xml version='1.0'?><!DOCTYPE s SYSTEM 'file:///etc/passwd' [%s]><s>",
	"<s a='%s'><!-- -->",
};

/* The pattern with n bytes in the place of %s. */
static char *grown(const char *pattern, size_t n)
{
	const char *at = strstr(pattern, "%s");
	char *text = malloc(strlen(pattern) + n + 1), *to = text + (at - pattern);

	memcpy(text, pattern, (size_t)(at - pattern));
	memset(to, 'x', n);
	strcpy(to + n, at + 2);
	return text;
}

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void); /* its header is not everywhere */
#endif

/* Of the whole process. */
static size_t heap_bytes(void)
{
#ifdef __SANITIZE_ADDRESS__
	return __sanitizer_get_current_allocated_bytes();
#else
	return mallinfo2().uordblks + mallinfo2().hblkhd;
#endif
}

static void refused_for_nothing(const char *pattern, bool header)
{
	struct element_parser *ep = watched_parser();
	size_t heap = heap_bytes();

	for (size_t n = 1 << 10; n <= 1 << 20; n *= 4) {
		char *text = grown(pattern, n);
		const char *why = NULL;
		const struct element *e = header
			? element_parse_header(ep, span_str(text), &why)
			: element_parse(ep, SPAN_LIT(DECLS), span_str(text), &why);

		cr_expect_null(e, "%s", pattern);
		cr_expect(why && *why && !element_parser_starved(ep), "%s", pattern);
		free(text);
	}
	cr_expect_eq(watched.calls, 0, "%s: libxml2 was asked", pattern);
	cr_expect_eq(heap_bytes(), heap, "%s", pattern);
	element_parser_free(ep);
}

Test(element_bounds, refused_before_anything_is_copied)
{
	for (size_t i = 0; i < ARRAY_LEN(elements); i++)
		refused_for_nothing(elements[i], false);
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		refused_for_nothing(headers[i], true);
}

/* The part before it is looked at, by whoever needs it for the report. */
Test(element_bounds, refused_at)
{
	struct element_parser *ep = element_parser_new();
	const char *why;

	cr_expect_null(element_parse(ep, SPAN_LIT(DECLS),
		SPAN_LIT("<a><![CDATA[<!--<?x?>]]><b/><!-- c --></a>"), &why));
	cr_expect_eq(element_parser_refusal(ep).at, 28);
	cr_expect_eq(element_parser_refusal(ep).code, 0);
	cr_expect_null(element_parse(ep, SPAN_LIT(DECLS), SPAN_LIT("<a><b></c></a>"), &why));
	cr_expect_eq(element_parser_refusal(ep).code, XML_ERR_TAG_NAME_MISMATCH);
	cr_expect(element_parse(ep, SPAN_LIT(DECLS), SPAN_LIT("<a><![CDATA[<!--]]></a>"), &why));
	cr_expect_null(element_parse(ep, SPAN_LIT(DECLS), SPAN_LIT("<a><![CDATA[<!--</a>"), &why));
	element_parser_free(ep);
}

/* -- entities -- */

#define LAUGH(to, from) "<!ENTITY " to " '&" from ";&" from ";&" from ";&" from ";&" from ";'>"
#define LAUGHS                                                                                     \
	"<!DOCTYPE s [<!ENTITY a 'ha'>" LAUGH("b", "a") LAUGH("c", "b") LAUGH("d", "c") LAUGH("e", \
		"d") LAUGH("f", "e") LAUGH("g", "f") LAUGH("h", "g") LAUGH("i", "h") "]>"

static const char *const bombs[] = {
	LAUGHS "<s b='&i;'>&i;</s>",
	"<!DOCTYPE s [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><s>&e;</s>",
	"<!DOCTYPE s [<!ENTITY e PUBLIC 'x' 'http://127.0.0.1:1/'>]><s b='&e;'/>",
	"<!DOCTYPE s PUBLIC 'x' 'http://127.0.0.1:1/'><s/>",
	"<!DOCTYPE s [<!ENTITY % p '<!ENTITY e \"x\">'>%p;]><s>&e;</s>",
	"<!DOCTYPE s [<!ENTITY % p SYSTEM 'file:///etc/passwd'>%p;]><s/>",
	"<!DOCTYPE s [<!ATTLIST s b CDATA 'x'>]><s/>",
	"<s>&e;</s>",
	"<s b='&e;'/>",
	"<s>%e;&#37;e;</s>&e;",
};

static void harmless(const char *encoding, struct span xml, const char *what)
{
	struct element_parser *ep = watched_parser();
	char *text = malloc(xml.n + 128);
	int head = encoding ? sprintf(text, "<?xml version='1.0' encoding='%s'?>", encoding) : 0;
	const char *why;
	struct span all = span_of(text, (size_t)head + xml.n);

	memcpy(text + head, xml.p, xml.n);
	cr_expect_null(element_parse(ep, SPAN_LIT(DECLS), all, &why), "%s", what);
	cr_expect_null(element_parse_header(ep, all, &why), "%s", what);
	cr_expect_eq(watched.fetched, 0, "%s", what);
	cr_expect_lt(watched.peak, 128 << 10, "%s: %ld bytes", what, watched.peak);
	cr_expect_lt(watched.now, 128 << 10, "%s: %ld bytes kept", what, watched.now);
	free(text);
	element_parser_free(ep);
}

Test(element_bounds, entities)
{
	for (size_t i = 0; i < ARRAY_LEN(bombs); i++)
		harmless(NULL, span_str(bombs[i]), bombs[i]);
}

/* One long entity, often: quadratic where entities are expanded. */
Test(element_bounds, quadratic)
{
	char *text = malloc(300000), *to = stpcpy(text, "<!DOCTYPE s [<!ENTITY e '");

	memset(to, 'x', 60000);
	to = stpcpy(to + 60000, "'>]><s>");
	for (unsigned i = 0; i < 60000; i++)
		to = stpcpy(to, "&e;");
	stpcpy(to, "</s>");
	harmless(NULL, span_str(text), "quadratic");
	free(text);
}

/* A '<' that bytes do not show: libxml2 decodes what a header declares, or what it guesses. */
Test(element_bounds, entities_in_another_encoding)
{
	static const char utf7[] =
		"+ADwAIQ-DOCTYPE s +AFsAPAAh-ENTITY e SYSTEM 'file:///etc/passwd'"
		"+AD4AXQA+ADw-s+AD4-";
	char wide[2 * sizeof(LAUGHS "<s a='&i;'>")];
	const char *bomb = LAUGHS "<s a='&i;'>";
	size_t n = strlen(bomb);

	harmless("UTF-7", span_str(utf7), "UTF-7");
	for (size_t i = 0; i < n; i++) {
		wide[2 * i] = bomb[i];
		wide[2 * i + 1] = '\0';
	}
	harmless(NULL, span_of(wide, 2 * n), "UTF-16LE");
	for (size_t i = 0; i < n; i++) {
		wide[2 * i] = '\0';
		wide[2 * i + 1] = bomb[i];
	}
	harmless(NULL, span_of(wide, 2 * n), "UTF-16BE");
	harmless("UTF-16", span_str(bomb), "declared UTF-16");
	harmless("EBCDIC-CP-US", span_str(bomb), "declared EBCDIC");
}

/* -- what the scanner lets pass at most -- */

Test(element_bounds, long_values)
{
	struct element_parser *ep = element_parser_new();
	char *text = malloc(LIMIT_ATTR_VALUE + 128), *to = stpcpy(text, "<a id='");
	const struct element *e;
	const char *why;

	memset(to, 'v', LIMIT_ATTR_VALUE);
	stpcpy(to + LIMIT_ATTR_VALUE, "'/>");
	e = element_parse(ep, SPAN_LIT(DECLS), span_str(text), &why);
	cr_assert(e, "%s", why);
	cr_expect_eq(element_attr(e, "id").n, LIMIT_ATTR_VALUE);
	strcpy(to + LIMIT_ATTR_VALUE, "'>");
	e = element_parse_header(ep, span_str(text), &why);
	cr_assert(e, "%s", why);
	cr_expect_eq(element_attr(e, "id").n, LIMIT_ATTR_VALUE);
	free(text);
	element_parser_free(ep);
}

/* An element at this depth is parsed, and one below it is refused, wherever it stands. */
Test(element_bounds, depth)
{
	static const struct {
		const char *inner; /* inside of LIMIT_DEPTH - 1 others */
		bool fits;
	} rows[] = {
		{ "<b/><c/>", true },
		{ "<b>text</b>", true },
		{ "<b><c/></b>", false },
		{ "<b/><b><c>text</c></b>", false },
	};
	struct element_parser *ep = element_parser_new();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[1024], *to = text;
		const char *why = "fits";

		for (unsigned depth = 1; depth < LIMIT_DEPTH; depth++)
			to = stpcpy(to, "<a>");
		to = stpcpy(to, rows[i].inner);
		for (unsigned depth = 1; depth < LIMIT_DEPTH; depth++)
			to = stpcpy(to, "</a>");
		cr_expect_eq(element_parse(ep, SPAN_LIT(DECLS), span_str(text), &why) != NULL,
			rows[i].fits, "%s: %s", rows[i].inner, why);
		cr_expect(rows[i].fits || strcmp(why, "elements nested too deeply") == 0, "%s",
			why);
	}
	element_parser_free(ep);
}
