/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever is in a field, a line can be read back: anything at all, seeded. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "log_rig.h"
#include "seeded.h"

/* -- anything at all, seeded -- */

static size_t noise(uint64_t *state, char *out, size_t max)
{
	static const char *const bits[] = { "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x92\xa9",
		"\xe2\x80\xae", " ", "\"", "\\", "=", "\n", "abc" };
	size_t n = 0, want = seeded(state) % max;

	while (n < want) {
		uint64_t r = seeded(state);

		if (r % 3 == 0) {
			out[n++] = (char)(r >> 8);
		} else {
			const char *s = bits[(r >> 8) % ARRAY_LEN(bits)];

			for (; *s && n < want; s++)
				out[n++] = *s;
		}
	}
	return n;
}

/* Undoes the escapes of the text format. */
static size_t unescape(const char *s, char *out)
{
	size_t n = 0;
	bool quoted = *s == '"';

	for (s += quoted; *s && !(quoted && *s == '"'); s++) {
		unsigned byte;

		if (*s != '\\') {
			cr_assert_geq((unsigned char)*s, 0x20);
			out[n++] = *s;
		} else if (s[1] == 'x') {
			cr_assert_eq(sscanf(s + 2, "%2x", &byte), 1);
			out[n++] = (char)byte;
			s += 3;
		} else {
			cr_assert(s[1] == '\\' || s[1] == '"');
			out[n++] = *++s;
		}
	}
	cr_assert(!quoted || (s[0] == '"' && s[1] == '\0'));
	return n;
}

Test(log_noise, text_of_noise_can_be_read_back)
{
	char in[LOG_FIELD_MAX], out[4 * LOG_FIELD_MAX];
	uint64_t state = 1;

	logged_start(LOG_INFO, LOG_TEXT);
	for (int i = 0; i < 20000; i++) {
		size_t n = noise(&state, in, sizeof(in)), back;

		log_one(span_of(in, n));
		back = unescape(strstr(logged_text(), " v=") + 3, out);
		cr_assert_eq(back, n);
		cr_assert_eq(memcmp(in, out, n), 0);
	}
}

/* Strict, RFC 8259 and 3629: one string of a JSON text, at its opening quote. */
static const char *skip_string(const char *s)
{
	cr_assert_eq(*s, '"');
	for (s++; *s != '"';) {
		unsigned char c = (unsigned char)*s, d = (unsigned char)s[1];

		cr_assert_geq(c, 0x20);
		if (c == '\\' && strchr("\"\\/bfnrt", s[1]) && s[1]) {
			s += 2;
		} else if (c == '\\') {
			cr_assert(s[1] == 'u' && strspn(s + 2, "0123456789abcdefABCDEF") >= 4);
			s += 6;
		} else if (c < 0x80) {
			s++;
		} else if (c >= 0xc2 && c < 0xe0) {
			cr_assert_eq(d >> 6, 2);
			s += 2;
		} else if (c >= 0xe0 && c < 0xf0) {
			cr_assert(d >> 6 == 2 && (unsigned char)s[2] >> 6 == 2);
			cr_assert(!(c == 0xe0 && d < 0xa0) && !(c == 0xed && d > 0x9f));
			s += 3;
		} else {
			cr_assert(c >= 0xf0 && c < 0xf5 && d >> 6 == 2);
			cr_assert((unsigned char)s[2] >> 6 == 2 && (unsigned char)s[3] >> 6 == 2);
			cr_assert(!(c == 0xf0 && d < 0x90) && !(c == 0xf4 && d > 0x8f));
			s += 4;
		}
	}
	return s + 1;
}

static void check_object(const char *s)
{
	cr_assert_not_null(s);
	cr_assert_eq(*s++, '{');
	for (;;) {
		s = skip_string(s);
		cr_assert_eq(*s++, ':');
		if (*s == '"')
			s = skip_string(s);
		else
			s += strspn(s, "-0123456789");
		if (*s != ',')
			break;
		s++;
	}
	cr_assert_str_eq(s, "}");
}

Test(log_noise, json_of_noise_is_valid)
{
	char a[600], b[600];
	uint64_t state = 2;

	logged_start(LOG_INFO, LOG_JSON);
	for (int i = 0; i < 20000; i++) {
		struct log_site site = { 0 };
		struct log_field f[] = {
			LF_SPAN("a", span_of(a, noise(&state, a, sizeof(a)))),
			LF_INT("n", seeded(&state)),
			LF_SPAN("b", span_of(b, noise(&state, b, sizeof(b)))),
		};

		log_event(&site, LOG_INFO, "e", "t", f, 3);
		check_object(logged_line());
	}
}
