/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inner loops of each machine against what xml/skip.h says of them, one code
 * point at a time. Where a test can be exhaustive it is. What stands behind the
 * end is varied and never matters, and behind SKIP_PAD bytes of it nothing can be
 * read.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/unit/xml/guard.h"
#include "tests/unit/xml/skip_set.h"
#include "xml/skip.h"

#define BLOCK 64
#define LONGEST 130

static const struct skip_set *const sets[] = {
	&skip_set_scalar,
#if defined(__x86_64__)
	&skip_set_sse2, &skip_set_avx2, /* the last one, so that it can be left out */
#endif
};

static size_t usable_sets(void)
{
#if defined(__x86_64__)
	return ARRAY_LEN(sets) - !__builtin_cpu_supports("avx2");
#else
	return ARRAY_LEN(sets);
#endif
}

Test(skip, avx2_is_tested)
{
#if defined(__x86_64__)
	if (usable_sets() < ARRAY_LEN(sets))
		cr_skip_test("this processor has no AVX2: its loops are not tested here");
#else
	cr_skip_test("no x86-64: there is one set of loops");
#endif
}

/* -- the specification -- */

struct kind {
	const char *name;
	unsigned classes; /* of the ASCII characters that it passes */
	bool wide; /* and it passes legal characters from U+0080 on */
	bool early; /* may stop before one, or before a control character */
	size_t function; /* offset in struct skip_set */
};

#define FUNCTION(name) #name, .function = offsetof(struct skip_set, name)

static const struct kind kinds[] = {
	{ FUNCTION(text), .classes = CHARS_TEXT, .wide = true, .early = true },
	{ FUNCTION(value), .classes = CHARS_VALUE, .wide = true, .early = true },
	{ FUNCTION(mixed_text), .classes = CHARS_TEXT, .wide = true },
	{ FUNCTION(mixed_value), .classes = CHARS_VALUE, .wide = true },
	{ FUNCTION(wide), .wide = true },
	{ FUNCTION(ascii_name), .classes = CHARS_NAME },
	{ FUNCTION(space), .classes = CHARS_SPACE },
};
#define KINDS_WIDE 5 /* the first ones, which look at more than ASCII */

static skip_function *function_of(const struct skip_set *set, const struct kind *k)
{
	return *(skip_function *const *)((const char *)set + k->function);
}

/* Bytes of the character at p if it may be passed, or 0. */
static size_t passes(const struct kind *k, const char *p, const char *end)
{
	uint32_t cp;
	int n = chars_decode(p, (size_t)(end - p), &cp);

	if (n <= 0)
		return 0;
	if (cp < 0x80)
		return chars_is((unsigned char)cp, k->classes);
	return k->wide && chars_is_char(cp) ? (size_t)n : 0;
}

/* What is wrong with `got`, or NULL. The bytes before `known` are characters that it passes. */
static const char *judge(const struct kind *k, const char *known, const char *end, const char *got)
{
	const char *at = known;
	size_t n;

	if (got > end)
		return "beyond the end";
	while (at < got) {
		n = passes(k, at, end);
		if (n == 0)
			return "passed too much";
		at += n;
	}
	if (at > got)
		return "not between two characters";
	if (got == end || passes(k, got, end) == 0)
		return NULL;
	if (k->early && ((unsigned char)*got < 0x20 || (unsigned char)*got >= 0x80))
		return NULL;
	return "stopped too early";
}

static void complain(const struct skip_set *set, const struct kind *k, const char *p,
	const char *end, const char *got, const char *why)
{
	char hex[3 * (LONGEST + SKIP_PAD) + 1] = "";

	for (const char *at = p; at < end + 4; at++)
		snprintf(hex + 3 * (at - p), 4, " %02x", (unsigned char)*at);
	cr_assert_fail("%s %s: %td of %td bytes: %s:%s", set->name, k->name, got - p, end - p, why,
		hex);
}

static void check_kinds(const char *p, const char *known, const char *end, size_t n_kinds)
{
	for (size_t s = 0, n_sets = usable_sets(); s < n_sets; s++)
		for (size_t i = 0; i < n_kinds; i++) {
			skip_function *skip = function_of(sets[s], &kinds[i]);
			const char *got = skip ? skip(p, end) : NULL;
			const char *why = skip ? judge(&kinds[i], known, end, got) : NULL;

			if (why)
				complain(sets[s], &kinds[i], p, end, got, why);
		}
}

/* -- each byte at each place -- */

/* Characters of every length, so that the odd byte comes into the middle of each. */
static const char *const backgrounds[] = { "a", " ", "\t", "\xc3\xa9", "\xe2\x82\xac",
	"\xf0\x9f\x98\x80", "a\xc3\xa9-\xe2\x82\xac\n\xf0\x9f\x98\x80" };

static void fill(char *to, size_t n, const char *with)
{
	size_t len = strlen(with);

	for (size_t i = 0; i < n; i++)
		to[i] = with[i % len];
}

/* With the end behind the byte at `at`, on it and before it: then it must not matter. */
static void check_ends(char *p, size_t at, size_t n)
{
	for (size_t len = at < 4 ? 0 : at - 4; len <= at + 4 && len <= n; len++)
		check_kinds(p, p, p + len, ARRAY_LEN(kinds));
	check_kinds(p, p, p + n, ARRAY_LEN(kinds));
}

Test(skip, each_byte_at_each_offset, .timeout = 240)
{
	char *p = guard_place("", 0, LONGEST + SKIP_PAD, 'a');

	for (size_t b = 0; b < ARRAY_LEN(backgrounds); b++) {
		fill(p, LONGEST + SKIP_PAD, backgrounds[b]);
		for (size_t at = 0; at < BLOCK; at++) {
			char was = p[at];

			for (unsigned c = 0; c < 256; c++) {
				p[at] = (char)c;
				check_ends(p, at, LONGEST);
			}
			p[at] = was;
		}
	}
}

/* Each length, up to the guard page, with each byte behind the end. */
Test(skip, each_length, .timeout = 240)
{
	for (size_t b = 0; b < ARRAY_LEN(backgrounds); b++)
		for (size_t n = 0; n <= LONGEST; n++) {
			char *p = guard_place("", 0, n + SKIP_PAD, 'a');

			fill(p, n, backgrounds[b]);
			for (unsigned c = 0; c < 256; c++) {
				memset(p + n, (int)c, SKIP_PAD);
				check_kinds(p, p, p + n, ARRAY_LEN(kinds));
			}
		}
}

/* -- sequences -- */

/* `seq` at p + at with ASCII before and behind it, and with its end cut off at each place. */
static void check_sequence(char *p, size_t at, const char *seq, size_t n)
{
	memcpy(p + at, seq, n);
	for (size_t len = at + 1; len <= at + n; len++)
		check_kinds(p, p + at, p + len, 2);
	check_kinds(p, p + at, p + BLOCK + 8, 2);
	check_kinds(p + at, p + at, p + BLOCK + 8, KINDS_WIDE);
	memset(p + at, 'a', n);
}

/* Any two bytes that no ASCII is among, over the borders of blocks, within whatever. */
Test(skip, pairs_over_borders, .timeout = 240)
{
	static const char *const before[] = { "", "\xc3", "\xe2", "\xf0\x9f", "\xf0\x9f\x98" };
	static const char behind[] = { 'a', '<', '\x80', '\xbf', '\xc3' };
	static const size_t borders[] = { 16, 32, 64 };
	char *p = guard_place("", 0, BLOCK + 8 + SKIP_PAD, 'a');

	for (unsigned pair = 0; pair < 0x4000; pair++)
		for (size_t b = 0; b < ARRAY_LEN(before); b++)
			for (size_t i = 0; i < ARRAY_LEN(behind) * ARRAY_LEN(borders); i++) {
				size_t n = strlen(before[b]), border = borders[i % 3];
				char seq[8] = "";

				memcpy(seq, before[b], n);
				seq[n] = (char)(0x80 | pair >> 7);
				seq[n + 1] = (char)(0x80 | (pair & 0x7f));
				seq[n + 2] = behind[i / 3];
				check_sequence(p, border - 1 - n, seq, n + 3);
			}
}

/*
 * The edges of each row of Unicode's table 3-7 and their neighbours: what may follow
 * each lead byte, and what is the least and the most that each form can express.
 */
Test(skip, edges_of_table_3_7, .timeout = 240)
{
	static const unsigned char next[] = { 0x00, 0x3c, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbd,
		0xbe, 0xbf, 0xc0, 0xff };
	const size_t n = sizeof(next);
	char *p = guard_place("", 0, BLOCK + 8 + SKIP_PAD, 'a');

	for (unsigned lead = 0x80; lead < 0x100; lead++)
		for (size_t i = 0; i < n * n * n; i++) {
			const char seq[] = { (char)lead, (char)next[i / n / n],
				(char)next[i / n % n], (char)next[i % n] };

			/* each of the four bytes is the first of a block once */
			check_sequence(p, 28 + i % 5, seq, sizeof(seq));
		}
}

/* The forms of five and six bytes that UTF-8 once had. */
Test(skip, old_long_forms)
{
	static const char *const forms[] = { "\xf8\x88\x80\x80\x80", "\xfb\xbf\xbf\xbf\xbf",
		"\xfc\x84\x80\x80\x80\x80", "\xfd\xbf\xbf\xbf\xbf\xbf", "\xfe\xbf\xbf\xbf\xbf\xbf",
		"\xff\x80\x80\x80\x80\x80" };
	char *p = guard_place("", 0, BLOCK + 8 + SKIP_PAD, 'a');

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		for (size_t at = 0; at <= BLOCK; at++)
			check_sequence(p, at, forms[i], strlen(forms[i]));
}

/*
 * Whatever bytes stand where, quickly: text is asked for once, with the sequence over
 * the border of a block, and the rule is written down once more instead of chars_decode.
 */
static bool is_legal(const unsigned char *c, size_t n)
{
	uint32_t v;

	if (n == 2)
		return c[0] >= 0xc2 && c[0] <= 0xdf && c[1] >> 6 == 2;
	if (c[1] >> 6 != 2 || c[2] >> 6 != 2)
		return false;
	if (n == 3) {
		v = (c[0] & 0xfu) << 12 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
		return c[0] >> 4 == 14 && v >= 0x800 && (v < 0xd800 || v > 0xdfff) && v < 0xfffe;
	}
	v = (c[0] & 7u) << 18 | (c[1] & 0x3fu) << 12 | (c[2] & 0x3fu) << 6 | (c[3] & 0x3fu);
	return c[0] >> 3 == 30 && c[3] >> 6 == 2 && v >= 0x10000 && v <= 0x10ffff;
}

static void check_quickly(char *p, const unsigned char *seq, size_t n)
{
	const char *at = p + 30, *want = is_legal(seq, n) ? at + n : at, *end = p + 36;

	memcpy(p + 30, seq, n);
	memcpy(p + 30 + n, "a<", 3);
	if (want > at)
		want++; /* over the 'a' to the '<' */
	for (size_t s = 0, n_sets = usable_sets(); s < n_sets; s++)
		for (size_t i = 0; i < 2; i++) {
			const char *got = function_of(sets[s], &kinds[i])(p, end);

			if (got != want && !(got == at && want > at))
				complain(sets[s], &kinds[i], p, end, got, "exhaustive");
		}
	if (usable_sets() == 3 && skip_set_avx2.mixed_text(p, end) != want)
		complain(&skip_set_avx2, &kinds[2], p, end, want, "exhaustive");
}

Test(skip, all_of_two_and_three_bytes, .timeout = 240)
{
	char *p = guard_place("", 0, BLOCK + SKIP_PAD, 'a');

	for (unsigned v = 0; v < 0x800000; v++) {
		unsigned char seq[] = { (unsigned char)(0x80 | v >> 16), (unsigned char)(v >> 8),
			(unsigned char)v };
		bool two = seq[0] < 0xe0;

		if (two && seq[2])
			continue;
		check_quickly(p, seq, two ? 2 : 3);
		if (seq[0] >= 0xf0)
			break;
	}
}

Test(skip, all_of_four_bytes_that_go_on, .timeout = 240)
{
	char *p = guard_place("", 0, BLOCK + SKIP_PAD, 'a');

	for (unsigned v = 0; v < 1u << 21; v++) {
		const unsigned char seq[] = { (unsigned char)(0xf0 | v >> 18),
			(unsigned char)(0x80 | (v >> 12 & 0x3f)),
			(unsigned char)(0x80 | (v >> 6 & 0x3f)),
			(unsigned char)(0x80 | (v & 0x3f)) };

		check_quickly(p, seq, sizeof(seq));
	}
}
