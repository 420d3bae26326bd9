/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>

#include "xml/ns.h"

Test(ns, identify)
{
	static const struct {
		const char *uri;
		bool dirty;
		enum ns_id id;
	} rows[] = {
		{ "", false, NS_NONE },
		{ "jabber:server", false, NS_SERVER },
		{ "jabber:client", false, NS_CLIENT },
		{ "jabber:component:accept", false, NS_COMPONENT },
		{ "jabber:server:dialback", false, NS_DIALBACK },
		{ "http://etherx.jabber.org/streams", false, NS_STREAMS },
		{ "http://www.w3.org/XML/1998/namespace", false, NS_XML },
		{ "http://www.w3.org/2000/xmlns/", false, NS_XMLNS },
		{ "jabber:serveR", false, NS_OTHER },
		{ "jabber:server ", false, NS_OTHER },
		{ "jabber:serve", false, NS_OTHER },
		{ "urn:x", false, NS_OTHER },
		{ "jabber&#58;server", false, NS_OTHER },
		{ "jabber&#58;server", true, NS_SERVER },
		{ "&#106;abber:client", true, NS_CLIENT },
		{ "http&#x3a;//www.w3.org/XML/1998/namespace", true, NS_XML },
		{ "jabber:server&amp;", true, NS_OTHER },
		{ "jabber:\tserver", true, NS_OTHER },
		/* decoded, longer than any that is known */
		{ "&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;"
		  "&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;"
		  "&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;"
		  "&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;"
		  "&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;&#65;",
			true, NS_OTHER },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_eq(ns_identify(span_str(rows[i].uri), rows[i].dirty), rows[i].id, "%s",
			rows[i].uri);
}

/* The "input": declarations are appended to it as " xmlns:p='uri'" and point into it. */
static char input[16384];
static uint32_t used;

static uint32_t append(const char *s)
{
	uint32_t at = used;

	cr_assert(used + strlen(s) < sizeof(input));
	memcpy(input + used, s, strlen(s));
	used += (uint32_t)strlen(s);
	return at;
}

static enum ns_result declare(struct ns_scope *scope, const struct ns_root *root,
	const char *prefix, const char *uri)
{
	struct ns_binding b = {
		.prefix_len = (uint16_t)strlen(prefix),
		.uri_len = (uint16_t)strlen(uri),
		.dirty = strpbrk(uri, "&\t\r\n") != NULL,
	};

	append(" xmlns:");
	b.prefix = append(prefix);
	append("='");
	b.uri = append(uri);
	append("'");
	return ns_declare(scope, root, input, &b);
}

static int find(const struct ns_scope *scope, const struct ns_root *root, const char *prefix)
{
	return ns_find(scope, root, input, span_str(prefix));
}

Test(ns, declare)
{
	static const struct {
		const char *prefix, *uri;
		enum ns_result result;
	} rows[] = {
		{ "p", "urn:x", NS_OK },
		{ "", "urn:x", NS_OK },
		{ "", "", NS_OK },
		{ "p", "", NS_ILLEGAL },
		{ "xmlns", "urn:x", NS_ILLEGAL },
		{ "xmlns", "http://www.w3.org/2000/xmlns/", NS_ILLEGAL },
		{ "p", "http://www.w3.org/2000/xmlns/", NS_ILLEGAL },
		{ "", "http://www.w3.org/2000/xmlns/", NS_ILLEGAL },
		{ "xml", "http://www.w3.org/XML/1998/namespace", NS_OK },
		{ "xml", "urn:x", NS_ILLEGAL },
		{ "xml", "", NS_ILLEGAL },
		{ "p", "http://www.w3.org/XML/1998/namespace", NS_ILLEGAL },
		{ "", "http://www.w3.org/XML/1998/namespace", NS_ILLEGAL },
		{ "p", "http&#58;//www.w3.org/XML/1998/namespace", NS_ILLEGAL },
		{ "XML", "urn:x", NS_OK },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ns_scope scope = { .n = 0 };

		cr_expect_eq(declare(&scope, NULL, rows[i].prefix, rows[i].uri), rows[i].result,
			"%s=%s", rows[i].prefix, rows[i].uri);
	}
}

Test(ns, innermost_binding_wins)
{
	struct ns_scope outer = { .n = 0 }, scope = { .n = 0 };
	struct ns_root *root;

	cr_assert_eq(declare(&outer, NULL, "a", "urn:1"), NS_OK);
	cr_assert_eq(declare(&outer, NULL, "", "jabber:server"), NS_OK);
	cr_assert_eq(declare(&outer, NULL, "b", "jabber:server:dialback"), NS_OK);
	root = ns_root_new(SPAN_LIT("a:root"), &outer, input);
	cr_assert(root);
	cr_expect_eq(find(&scope, root, "a"), 0);
	cr_expect_eq(find(&scope, root, "b"), 1);
	cr_expect_eq(ns_id_of(&scope, root, 1), NS_DIALBACK);
	cr_expect_eq(find(&scope, root, "c"), NS_UNBOUND);
	cr_expect_eq(find(&scope, root, ""), NS_UNBOUND);
	cr_expect_eq(find(&scope, root, "xml"), NS_XML_PREFIX);
	cr_expect_eq(ns_id_of(&scope, root, NS_XML_PREFIX), NS_XML);
	cr_assert_eq(declare(&scope, root, "b", "urn:2"), NS_OK);
	cr_assert_eq(declare(&scope, root, "b", "jabber:client"), NS_OK);
	cr_expect_eq(find(&scope, root, "b"), NS_FIRST + 1);
	cr_expect_eq(ns_id_of(&scope, root, NS_FIRST + 1), NS_CLIENT);
	scope.n = 1;
	cr_expect_eq(ns_id_of(&scope, root, find(&scope, root, "b")), NS_OTHER);
	scope.n = 0;
	cr_expect_eq(find(&scope, root, "b"), 1);
	ns_root_free(root);
}

Test(ns, root_text)
{
	struct ns_scope outer = { .n = 0 };
	struct ns_root *root;

	used = 0;
	cr_assert_eq(declare(&outer, NULL, "p", "u&amp;v"), NS_OK);
	cr_assert_eq(declare(&outer, NULL, "", "a\r\nb"), NS_OK);
	cr_assert_eq(declare(&outer, NULL, "q", "w"), NS_OK);
	root = ns_root_new(SPAN_LIT("p:root"), &outer, input);
	memset(input, '?', sizeof(input)); /* it must have a copy of its own */
	cr_assert(root);
	cr_expect_eq(root->n, 2);
	cr_expect_eq(root->n_decls, 3);
	cr_expect(span_is(ns_root_name(root), "p:root"));
	cr_expect(span_is(ns_root_content(root), "a b"));
	cr_expect_eq(root->content_id, NS_NEVER);
	cr_expect(span_is(span_of(root->text, root->decls_len),
		" xmlns:p='u&amp;v' xmlns='a\r\nb' xmlns:q='w'"));
	cr_expect(span_is(span_of(root->text + root->decl[1].off, root->decl[1].len),
		" xmlns:q='w'"));
	cr_expect(
		span_is(span_of(root->text + root->decl[0].b.uri, root->decl[0].b.uri_len), "u&v"));
	ns_root_free(root);
}

Test(ns, same_uri)
{
	static const struct {
		const char *prefix, *uri;
		int same; /* index of the first one with this URI */
	} rows[] = {
		{ "a", "urn:1", 0 },
		{ "b", "urn:2", 1 },
		{ "c", "urn:1", 0 },
		/* up to here the root's */
		{ "d", "urn:&#49;", 0 },
		{ "e", "urn:3", 4 },
		{ "", "urn:3", -1 },
		{ "f", "&#117;rn:3", 4 },
		{ "g", "urn:3 ", 7 },
		{ "h", "urn:3\t", 7 },
		{ "i", "urn:3\r\n", 7 },
		{ "j", "urn:3\r\r", 10 },
		{ "k", "urn:&amp;#49;", 11 },
		{ "l", "&#x20AC;", 12 },
		{ "m", "\xe2\x82\xac", 12 },
	};
	struct ns_scope outer = { .n = 0 }, scope = { .n = 0 };
	struct ns_root *root;
	int number[ARRAY_LEN(rows)];
	size_t n_rows = ARRAY_LEN(rows);

	used = 0;
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(declare(&outer, NULL, rows[i].prefix, rows[i].uri), NS_OK);
	root = ns_root_new(SPAN_LIT("r"), &outer, input);
	for (size_t i = 0; i < n_rows; i++) {
		if (i >= 3)
			cr_assert_eq(declare(&scope, root, rows[i].prefix, rows[i].uri), NS_OK);
		number[i] = rows[i].same < 0 ? NS_UNBOUND : find(&scope, root, rows[i].prefix);
	}
	/* From the last to the first, so that nothing is worked out in the convenient order. */
	for (size_t i = n_rows; i-- > 0;)
		for (size_t j = n_rows; j-- > 0;) {
			if (number[i] < 0 || number[j] < 0)
				continue;
			cr_expect_eq(ns_class(&scope, root, input, number[i]) ==
					ns_class(&scope, root, input, number[j]),
				rows[i].same == rows[j].same, "%s and %s", rows[i].prefix,
				rows[j].prefix);
		}
	cr_expect_neq(ns_class(&scope, root, input, NS_XML_PREFIX),
		ns_class(&scope, root, input, number[0]));
	ns_root_free(root);
}

Test(ns, too_many)
{
	struct ns_scope outer = { .n = 0 }, scope = { .n = 0 };
	struct ns_root *root;
	char prefix[16];

	used = 0;
	for (int i = 0; i < 10; i++) {
		snprintf(prefix, sizeof(prefix), "r%d", i);
		cr_assert_eq(declare(&outer, NULL, prefix, "u"), NS_OK);
	}
	root = ns_root_new(SPAN_LIT("r"), &outer, input);
	for (int i = 0; i < LIMIT_PREFIXES - 10; i++) {
		snprintf(prefix, sizeof(prefix), "p%d", i);
		cr_assert_eq(declare(&scope, root, prefix, "u"), NS_OK);
	}
	cr_expect_eq(declare(&scope, root, "more", "u"), NS_TOO_MANY);
	cr_expect_eq(scope.n, LIMIT_PREFIXES - 10);
	ns_root_free(root);
}
