/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "xml/jid.h"

static void expect_part(const char *row, struct span got, const char *want)
{
	if (!want)
		cr_expect_null(got.p, "%s: %.*s", row, (int)got.n, got.p);
	else
		cr_expect(got.p && span_is(got, want), "%s: %.*s", row, (int)got.n, got.p);
}

Test(jid, split)
{
	static const struct {
		const char *text, *local, *domain, *resource;
	} rows[] = {
		{ "a.test", NULL, "a.test", NULL },
		{ "u@a.test", "u", "a.test", NULL },
		{ "u@a.test/r", "u", "a.test", "r" },
		{ "a.test/r", NULL, "a.test", "r" },
		{ "a.test/r@s/t", NULL, "a.test", "r@s/t" },
		{ "a.test/u@b.test", NULL, "a.test", "u@b.test" },
		{ "u@v@a.test", "u", "v@a.test", NULL }, /* the domain is refused later */
		{ "u@a.test//", "u", "a.test", "/" },
		{ "u@\xc3\xa9.test/\xe2\x82\xac", "u", "\xc3\xa9.test", "\xe2\x82\xac" },
		/* code points that map to '@' and '/' are not cut at (7.6: split before mapping) */
		{ "u\xef\xbc\xa0\x61.test", NULL, "u\xef\xbc\xa0\x61.test", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct jid j;

		cr_assert(jid_split(span_str(rows[i].text), &j), "%s", rows[i].text);
		expect_part(rows[i].text, j.local, rows[i].local);
		expect_part(rows[i].text, j.domain, rows[i].domain);
		expect_part(rows[i].text, j.resource, rows[i].resource);
		expect_part(rows[i].text, jid_domain(span_str(rows[i].text)), rows[i].domain);
	}
}

Test(jid, malformed)
{
	static const char *const rows[] = {
		"",
		"a@",
		"@b",
		"b/",
		"/",
		"@",
		"@/",
		"a@/b",
		"/r",
		"a@b/",
		"@b/r",
		"a@b@/",
	};
	struct jid j;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cr_expect(!jid_split(span_str(rows[i]), &j), "%s", rows[i]);
		cr_expect_eq(jid_domain(span_str(rows[i])).n, 0, "%s", rows[i]);
	}
	cr_expect(!jid_split(SPAN_NONE, &j));
}

/* u@d/r with parts of these lengths; wide: the last character of each has three bytes. */
static bool split_of(size_t local, size_t domain, size_t resource)
{
	static char text[4 * 1024];
	struct jid j;
	size_t n = 0;

	memset(text, 'x', sizeof(text));
	if (local) {
		n = local;
		text[n++] = '@';
	}
	n += domain;
	if (resource) {
		text[n++] = '/';
		n += resource;
	}
	return jid_split(span_of(text, n), &j);
}

Test(jid, lengths)
{
	cr_expect(split_of(0, 1023, 0));
	cr_expect(!split_of(0, 1024, 0));
	cr_expect(split_of(1023, 1, 0));
	cr_expect(!split_of(1024, 1, 0));
	cr_expect(split_of(0, 1, 1023));
	cr_expect(!split_of(0, 1, 1024));
	cr_expect(split_of(1023, 1023, 1023));
	cr_expect(!split_of(1023, 1023, 1024));
}

Test(jid, parts)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{ "a.test", true },
		{ "u@a.test/r", true },
		{ "u@a.test/r s \" & ' : < > @ /", true },
		{ "u.v-w_x!#$%*+=?^`{|}~()[],;\\@a.test", true },
		{ "\xc3\xa9@a.test", true },
		{ "u v@a.test", false },
		{ "u\"@a.test", false },
		{ "u&@a.test", false },
		{ "u'@a.test", false },
		{ "u:@a.test", false },
		{ "u<@a.test", false },
		{ "u>@a.test", false },
		{ "u\t@a.test", false },
		{ "u\x7f@a.test", false },
		{ "u\xc2\x85@a.test", false },
		{ "u@a.test/\t", false },
		{ "u@a.test/\x7f", false },
		{ "u@a.test/\xc2\x9f", false },
		{ "u@a.test/\xc2\xa0", true },
		{ "u\xc3@a.test", false },
		{ "u@a.test/\xff", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct jid j;

		cr_assert(jid_split(span_str(rows[i].text), &j), "%s", rows[i].text);
		cr_expect_eq(jid_parts_valid(&j), rows[i].valid, "%s", rows[i].text);
	}
}

Test(jid, decode)
{
	static const struct {
		const char *raw, *text;
	} rows[] = {
		{ "a.test", "a.test" },
		{ "", "" },
		{ "a&amp;b&lt;c&gt;d&apos;e&quot;", "a&b<c>d'e\"" },
		{ "&#x41;&#66;&#x20ac;&#x1F600;", "AB\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "a\tb\nc\rd\r\ne", "a b c d e" },
		{ "a\r\r\n\nb", "a   b" },
		{ "a&#9;b&#10;c&#13;d&#13;\ne", "a\tb\nc\rd\r e" },
		{ "&amp;lt;", "&lt;" },
		{ "&#38;#60;", "&#60;" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char buf[64];
		size_t n;

		cr_assert(jid_decode(span_str(rows[i].raw), buf, sizeof(buf), &n), "%s",
			rows[i].raw);
		cr_expect(span_is(span_of(buf, n), rows[i].text), "%s: %.*s", rows[i].raw, (int)n,
			buf);
		cr_expect(jid_decode(span_str(rows[i].raw), buf, strlen(rows[i].text), &n), "%s",
			rows[i].raw);
		if (n)
			cr_expect(!jid_decode(span_str(rows[i].raw), buf, n - 1, &n), "%s",
				rows[i].raw);
	}
}

/* T-G32: decode the whole, then split; each of these is at victim.test. */
Test(jid, t_g32)
{
	static const char *const rows[] = {
		"victim.test&#47;x@evil.test",
		"victim.test&#x2f;x@evil.test",
		"victim.test&#x2F;x&#64;evil.test",
		"x&#64;victim.test/y@evil.test",
		"x&#64;victim.test&#47;y@evil.test",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char buf[64];
		size_t n;

		cr_assert(jid_decode(span_str(rows[i]), buf, sizeof(buf), &n));
		cr_expect(span_is(jid_domain(span_of(buf, n)), "victim.test"), "%s", rows[i]);
	}
}
