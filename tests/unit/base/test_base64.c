/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/base/base64.h"

TestSuite(base64, .timeout = 120);

/* Both in memory of exactly their size: the sanitizer sees what is read or written beyond. */
static bool decodes(struct span text, char *out, size_t *n)
{
	size_t cap = BASE64_ROOM(text.n);
	char *in = malloc(text.n ? text.n : 1), *room = malloc(cap ? cap : 1);
	bool ok;

	memcpy(in, text.p, text.n);
	ok = base64_decode(span_of(in, text.n), room, cap, n);
	if (ok) {
		cr_assert_leq(*n, cap);
		memcpy(out, room, *n);
	}
	free(in);
	free(room);
	return ok;
}

static void expect_encoded(struct span octets, const char *text)
{
	char *in = malloc(octets.n ? octets.n : 1), *room = malloc(strlen(text) ? strlen(text) : 1);

	memcpy(in, octets.p, octets.n);
	cr_assert_eq(BASE64_LETTERS(octets.n), strlen(text), "%s", text);
	cr_assert(span_is(base64_encode(span_of(in, octets.n), room), text), "%s", text);
	free(in);
	free(room);
}

/* The one text of these octets. */
static void expect(const char *text, struct span octets)
{
	char out[256];
	size_t n;

	cr_assert(decodes(span_str(text), out, &n), "%s", text);
	cr_assert(span_eq(span_of(out, n), octets), "%s", text);
	expect_encoded(octets, text);
}

/* RFC 4648 section 10. */
Test(base64, vectors)
{
	expect("", SPAN_LIT(""));
	expect("Zg==", SPAN_LIT("f"));
	expect("Zm8=", SPAN_LIT("fo"));
	expect("Zm9v", SPAN_LIT("foo"));
	expect("Zm9vYg==", SPAN_LIT("foob"));
	expect("Zm9vYmE=", SPAN_LIT("fooba"));
	expect("Zm9vYmFy", SPAN_LIT("foobar"));
}

Test(base64, all_octets)
{
	expect("AAAA", SPAN_LIT("\0\0\0"));
	expect("AA==", SPAN_LIT("\0"));
	expect("////", SPAN_LIT("\xff\xff\xff"));
	expect("+/+/", SPAN_LIT("\xfb\xff\xbf"));
	expect("/w==", SPAN_LIT("\xff"));
}

static const char *const faults[] = {
	/* padding: missing, in excess, alone, not at the end */
	"Z",
	"Zg",
	"Zg=",
	"Zm8",
	"Zm9vYg",
	"Zg===",
	"Zg====",
	"Zm9v=",
	"Zm9v====",
	"Z===",
	"=",
	"==",
	"===",
	"====",
	"=Zg=",
	"Z=g=",
	"Zg=v",
	"Zg==Zg==",
	"Zm8=Zm9v",
	"cng=ucGVl",
	/* bits that belong to no octet */
	"Zh==",
	"Zv==",
	"Z/==",
	"Zm9=",
	"Zm+=",
	"Zm9vYh==",
	"Zm9vYmF=",
	/* letters of no alphabet, or of another */
	"Zm9-",
	"Zm9_",
	"Zm9,",
	"Zm9@",
	"Zm9[",
	"Zm9`",
	"Zm9{",
	"Zm9:",
	"Zm9.",
	"Zm9*",
	"Zm\xc3\xb6",
	"Zm9\xff",
	/* white space */
	" Zm9v",
	"Zm9v ",
	"Zm9v\n",
	"Zm9v\r\n",
	"Zm\n9",
	"Zm9v    ",
	"    ",
	"Zm9vYmFy\nZm9v",
	"cngucGVlci50ZXN0\n!",
};

Test(base64, refused)
{
	char out[256];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		cr_expect_not(decodes(span_str(faults[i]), out, &n), "%s", faults[i]);
	cr_expect_not(decodes(SPAN_LIT("Zm9\0"), out, &n), "NUL is no letter");
	cr_expect_not(decodes(SPAN_LIT("Zg=\0"), out, &n), "NUL is no padding");
}

/* The plain, slow way to the one text that stands for some octets. */
static size_t encode(const unsigned char *p, size_t n, char *out)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t at = 0;

	for (size_t bit = 0; bit < 8 * n; bit += 6) {
		unsigned value = 0;

		for (size_t b = bit; b < bit + 6; b++)
			value = value << 1 | (b < 8 * n ? p[b / 8] >> (7 - b % 8) & 1u : 0);
		out[at++] = letters[value];
	}
	while (at % 4)
		out[at++] = '=';
	return at;
}

Test(base64, every_length)
{
	unsigned char octets[300];
	char text[BASE64_LETTERS(sizeof(octets))], out[sizeof(octets)];

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (unsigned char)(i * 167 + 13);
	for (size_t n = 0; n <= sizeof(octets); n++) {
		size_t letters = encode(octets, n, text), got;

		cr_assert_eq(letters, BASE64_LETTERS(n));
		cr_assert(decodes(span_of(text, letters), out, &got));
		cr_assert(got == n && memcmp(out, octets, n) == 0, "%zu octets", n);
	}
}

/* Four octets in each of the places that can decide: a text is accepted exactly when encoding what
 * it says gives that text again. */
Test(base64, one_text_for_one_value)
{
	static const char probe[] = "Ag=/+z9\n";
	size_t accepted = 0, all = 0;

	for (unsigned i = 0; i < 8u * 8 * 8 * 8; i++, all++) {
		char text[4], out[8], again[8];
		size_t n;

		for (unsigned j = 0; j < 4; j++)
			text[j] = probe[i >> 3 * j & 7];
		if (!decodes(span_of(text, 4), out, &n))
			continue;
		accepted++;
		cr_assert_eq(encode((unsigned char *)out, n, again), 4);
		cr_assert_eq(memcmp(text, again, 4), 0, "%.4s", text);
	}
	/* Of the 6 letters A (000000) and g (100000) may stand before padding. */
	cr_assert_eq(accepted, 6 * 6 * 6 * 6 + 6 * 6 * 2 + 6 * 2);
}
