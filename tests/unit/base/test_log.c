/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is written of an event, and how: noise in test_log_noise.c, how often in test_log_rate.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "log_rig.h"

Test(log, text)
{
	logged_start(LOG_INFO, LOG_TEXT);
	LOG(LOG_WARN, "pair-refused", "the key is not its own", LF_STR("from", "evil.test"),
		LF_SPAN("to", span_of("shop.testXX", 9)), LF_INT("pairs", 10000),
		LF_INT("low", INT64_MIN));
	cr_assert_str_eq(logged_text(),
		"warn pair-refused: the key is not its own from=evil.test "
		"to=shop.test pairs=10000 low=-9223372036854775808");
	cr_assert_null(logged_line());
}

Test(log, json)
{
	logged_start(LOG_INFO, LOG_JSON);
	LOG(LOG_ERROR, "pair-refused", "it said \"no\"", LF_STR("from", "evil.test"),
		LF_INT("pairs", -3));
	cr_assert_str_eq(logged_json(),
		"\"level\":\"error\",\"event\":\"pair-refused\","
		"\"text\":\"it said \\\"no\\\"\",\"from\":\"evil.test\","
		"\"pairs\":-3}");
}

Test(log, no_fields)
{
	logged_start(LOG_INFO, LOG_TEXT);
	LOG(LOG_INFO, "started", "ready");
	cr_assert_str_eq(logged_text(), "info started: ready");
	LOG(LOG_INFO, "started", "ready", LF_NONE);
	cr_assert_str_eq(logged_text(), "info started: ready");
	log_setup(LOG_INFO, LOG_JSON);
	LOG(LOG_INFO, "started", "ready");
	cr_assert_str_eq(logged_json(),
		"\"level\":\"info\",\"event\":\"started\",\"text\":\"ready\"}");
}

Test(log, absent_is_left_out_and_empty_is_not)
{
	logged_start(LOG_INFO, LOG_TEXT);
	LOG(LOG_INFO, "e", "t", LF_STR("a", NULL), LF_STR("b", ""), LF_NONE, LF_INT("c", 0));
	cr_assert_str_eq(logged_text(), "info e: t b=\"\" c=0");
	log_setup(LOG_INFO, LOG_JSON);
	LOG(LOG_INFO, "e", "t", LF_SPAN("a", SPAN_NONE), LF_STR("b", ""));
	cr_assert_str_eq(logged_json(),
		"\"level\":\"info\",\"event\":\"e\",\"text\":\"t\",\"b\":\"\"}");
}

Test(log, levels)
{
	static const char *const name[] = { "error", "warn", "info", "debug" };
	int evaluated = 0;

	logged_start(LOG_DEBUG, LOG_TEXT);
	for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		log_setup((enum log_level)level, LOG_TEXT);
		for (int l = LOG_ERROR; l <= LOG_DEBUG; l++) {
			cr_assert_eq(log_enabled((enum log_level)l), l <= level);
			LOG((enum log_level)l, "e", "t", LF_INT("n", ++evaluated));
			if (l <= level)
				cr_assert_eq(strncmp(logged_text(), name[l], strlen(name[l])), 0);
			else
				cr_assert_null(logged_line());
		}
	}
	/* What is not written is not computed. */
	cr_assert_eq(evaluated, 1 + 2 + 3 + 4);
}

Test(log, names_of_levels_and_formats)
{
	enum log_level level = LOG_ERROR;
	enum log_format format = LOG_TEXT;

	cr_assert(log_level_parse(SPAN_LIT("debug"), &level) && level == LOG_DEBUG);
	cr_assert(log_level_parse(SPAN_LIT("error"), &level) && level == LOG_ERROR);
	cr_assert_not(log_level_parse(SPAN_LIT("warning"), &level));
	cr_assert_not(log_level_parse(SPAN_LIT(""), &level));
	cr_assert_not(log_level_parse(SPAN_LIT("INFO"), &level));
	cr_assert_eq(level, LOG_ERROR);
	cr_assert(log_format_parse(SPAN_LIT("json"), &format) && format == LOG_JSON);
	cr_assert(log_format_parse(SPAN_LIT("text"), &format) && format == LOG_TEXT);
	cr_assert_not(log_format_parse(SPAN_LIT("xml"), &format));
}

/* -- escapes -- */

static const struct {
	struct span in;
	const char *text, *json;
} escape[] = {
	{ { "plain", 5 }, "plain", "plain" },
	{ { "a b", 3 }, "\"a b\"", "a b" },
	{ { "a\"b", 3 }, "\"a\\\"b\"", "a\\\"b" },
	{ { "a=b", 3 }, "\"a=b\"", "a=b" },
	{ { "a\\b", 3 }, "a\\\\b", "a\\\\b" },
	{ { "\\x41", 4 }, "\\\\x41", "\\\\x41" },
	{ { "a\nb", 3 }, "a\\x0Ab", "a\\u000ab" },
	{ { "a\r\n2026 error", 13 }, "\"a\\x0D\\x0A2026 error\"", "a\\u000d\\u000a2026 error" },
	{ { "a\0b", 3 }, "a\\x00b", "a\\u0000b" },
	{ { "\t", 1 }, "\\x09", "\\u0009" },
	{ { "\x1b[31m", 5 }, "\\x1B[31m", "\\u001b[31m" },
	{ { "\x7f", 1 }, "\\x7F", "\\u007f" },
	{ { "b\xc3\xbc"
	    "cher",
		  7 },
		"b\xc3\xbc"
		"cher",
		"b\xc3\xbc"
		"cher" },
	{ { "\xf0\x9f\x92\xa9", 4 }, "\xf0\x9f\x92\xa9", "\xf0\x9f\x92\xa9" },
	/* C1: 0x9b alone is the start of an escape sequence on some terminals */
	{ { "\xc2\x9b", 2 }, "\\xC2\\x9B", "\\u009b" },
	{ { "\xc2\x85", 2 }, "\\xC2\\x85", "\\u0085" },
	{ { "\x9b", 1 }, "\\x9B", "\\u009b" },
	/* line and paragraph separator, override, isolate, mark, byte order mark */
	{ { "\xe2\x80\xa8", 3 }, "\\xE2\\x80\\xA8", "\\u2028" },
	{ { "\xe2\x80\xa9", 3 }, "\\xE2\\x80\\xA9", "\\u2029" },
	{ { "\xe2\x80\xae", 3 }, "\\xE2\\x80\\xAE", "\\u202e" },
	{ { "\xe2\x80\xaa", 3 }, "\\xE2\\x80\\xAA", "\\u202a" },
	{ { "\xe2\x81\xa6", 3 }, "\\xE2\\x81\\xA6", "\\u2066" },
	{ { "\xe2\x81\xa9", 3 }, "\\xE2\\x81\\xA9", "\\u2069" },
	{ { "\xe2\x80\x8f", 3 }, "\\xE2\\x80\\x8F", "\\u200f" },
	{ { "\xd8\x9c", 2 }, "\\xD8\\x9C", "\\u061c" },
	{ { "\xef\xbb\xbf", 3 }, "\\xEF\\xBB\\xBF", "\\ufeff" },
	/* no UTF-8: lone, overlong, surrogate, beyond, cut, followed by a letter */
	{ { "\xff", 1 }, "\\xFF", "\\u00ff" },
	{ { "\x80", 1 }, "\\x80", "\\u0080" },
	{ { "\xc0\xaf", 2 }, "\\xC0\\xAF", "\\u00c0\\u00af" },
	{ { "\xc1\xbf", 2 }, "\\xC1\\xBF", "\\u00c1\\u00bf" },
	{ { "\xe0\x80\xaf", 3 }, "\\xE0\\x80\\xAF", "\\u00e0\\u0080\\u00af" },
	{ { "\xed\xa0\x80", 3 }, "\\xED\\xA0\\x80", "\\u00ed\\u00a0\\u0080" },
	{ { "\xf4\x90\x80\x80", 4 }, "\\xF4\\x90\\x80\\x80", "\\u00f4\\u0090\\u0080\\u0080" },
	{ { "\xf0\x8f\xbf\xbf", 4 }, "\\xF0\\x8F\\xBF\\xBF", "\\u00f0\\u008f\\u00bf\\u00bf" },
	{ { "\xf8\x88\x80\x80\x80", 1 }, "\\xF8", "\\u00f8" },
	{ { "\xe2\x82", 2 }, "\\xE2\\x82", "\\u00e2\\u0082" },
	{ { "\xc3"
	    "A",
		  2 },
		"\\xC3A", "\\u00c3A" },
};

Test(log, escapes)
{
	for (size_t i = 0; i < ARRAY_LEN(escape); i++) {
		char want[256];

		logged_start(LOG_INFO, LOG_TEXT);
		log_one(escape[i].in);
		snprintf(want, sizeof(want), "warn e: t v=%s", escape[i].text);
		cr_expect_str_eq(logged_text(), want);
		log_setup(LOG_INFO, LOG_JSON);
		log_one(escape[i].in);
		snprintf(want, sizeof(want),
			"\"level\":\"warn\",\"event\":\"e\",\"text\":\"t\",\"v\":\"%s\"}",
			escape[i].json);
		cr_expect_str_eq(logged_json(), want);
	}
}

Test(log, text_of_an_event_is_escaped_too)
{
	struct log_site site = { 0 };

	logged_start(LOG_INFO, LOG_TEXT);
	log_event(&site, LOG_INFO, "e", "say \"a\nb\xff\"", NULL, 0);
	cr_assert_str_eq(logged_text(), "info e: say \"a\\x0Ab\\xFF\"");
	log_setup(LOG_INFO, LOG_JSON);
	log_event(&site, LOG_INFO, "e", "a\nb\xff", NULL, 0);
	cr_assert_str_eq(logged_json(),
		"\"level\":\"info\",\"event\":\"e\",\"text\":\"a\\u000ab\\u00ff\"}");
}

/* -- limits of length -- */

Test(log, fields_are_cut)
{
	static const char four[4] = { '\xf0', '\x9f', '\x92', '\xa9' };
	char value[LOG_FIELD_MAX + 10];
	const char *v;

	logged_start(LOG_INFO, LOG_TEXT);
	memset(value, 'a', sizeof(value));
	log_one(span_of(value, LOG_FIELD_MAX));
	cr_assert_eq(strlen(strchr(logged_text(), '=') + 1), LOG_FIELD_MAX);
	log_one(span_of(value, LOG_FIELD_MAX + 1));
	cr_assert_eq(strlen(strchr(logged_text(), '=') + 1), LOG_FIELD_MAX);
	/* A sequence of four bytes that begins 0..4 bytes before the limit. */
	for (size_t before = 0; before <= 4; before++) {
		memset(value, 'a', sizeof(value));
		memcpy(value + LOG_FIELD_MAX - before, four, sizeof(four));
		log_one(span_of(value, sizeof(value)));
		v = strchr(logged_text(), '=') + 1;
		cr_assert_eq(strlen(v), before == 4 ? LOG_FIELD_MAX : LOG_FIELD_MAX - before);
		cr_assert_null(strchr(v, '\\'));
	}
	/* Continuation bytes without an end are no sequence. */
	memset(value, 0x80, sizeof(value));
	log_one(span_of(value, sizeof(value)));
	cr_assert_eq(strlen(strchr(logged_text(), '=') + 1), 4 * LOG_FIELD_MAX);
}

Test(log, what_does_not_fit_is_counted)
{
	char value[LOG_FIELD_MAX];
	struct log_field f[20];
	struct log_site site = { 0 };

	memset(value, 0xff, sizeof(value));
	for (size_t i = 0; i < ARRAY_LEN(f); i++)
		f[i] = LF_SPAN("v", span_of(value, sizeof(value)));
	/* The small one behind the large ones still arrives. */
	f[19] = LF_INT("last", 1);
	logged_start(LOG_INFO, LOG_TEXT);
	log_event(&site, LOG_INFO, "e", "t", f, ARRAY_LEN(f));
	cr_assert_not_null(strstr(logged_text(), " last=1 missing=16"));
	log_setup(LOG_INFO, LOG_JSON);
	atomic_store(&site.suppressed, 4294967295u);
	log_event(&site, LOG_INFO, "e", "t", f, ARRAY_LEN(f));
	cr_assert_not_null(
		strstr(logged_json(), ",\"last\":1,\"missing\":17,\"suppressed\":4294967295}"));
}

Test(log, longest_text)
{
	struct log_site site = { 0 };
	char text[2000];

	memset(text, 1, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	logged_start(LOG_INFO, LOG_JSON);
	log_event(&site, LOG_INFO, "some-event-with-a-long-name", text, NULL, 0);
	cr_assert_not_null(strstr(logged_json(), "\\u0001\"}"));
}

/* -- the world outside -- */

Test(log, errno_survives)
{
	struct log_site site = { 0 };

	log_setup(LOG_INFO, LOG_TEXT);
	log_redirect(-1);
	errno = EINPROGRESS;
	log_event(&site, LOG_INFO, "e", "t", NULL, 0);
	cr_assert_eq(errno, EINPROGRESS);
}

Test(log, goes_to_standard_error)
{
	char text[200];
	int fd[2];
	ssize_t n;

	cr_assert_eq(pipe(fd), 0);
	cr_assert_eq(dup2(fd[1], 2), 2);
	LOG(LOG_INFO, "e", "t");
	n = read(fd[0], text, sizeof(text) - 1);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_assert_str_eq(text + 25, "info e: t\n");
}
