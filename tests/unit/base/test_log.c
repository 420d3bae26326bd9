/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"

static int reader;

/* Each datagram is one write(2). */
static void start(enum log_level level, enum log_format format)
{
	int fd[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd), 0);
	reader = fd[0];
	log_redirect(fd[1]);
	log_setup(level, format);
}

/* The next line without its end, or NULL; *len when NUL may be within. */
static const char *line(size_t *len)
{
	static char buf[8192];
	ssize_t n = recv(reader, buf, sizeof(buf) - 1, 0);

	if (n <= 0)
		return NULL;
	cr_assert_leq(n, 4096);
	cr_assert_eq(buf[n - 1], '\n');
	cr_assert_eq(memchr(buf, '\n', (size_t)n), buf + n - 1, "more than one line: %s", buf);
	cr_assert_null(memchr(buf, '\0', (size_t)n));
	buf[n - 1] = '\0';
	if (len)
		*len = (size_t)n - 1;
	return buf;
}

/* Behind "2026-11-22T16:30:00.123Z ". */
static const char *text_line(void)
{
	const char *l = line(NULL);

	cr_assert_not_null(l);
	cr_assert(strlen(l) > 25 && l[23] == 'Z' && l[24] == ' ', "%s", l);
	return l + 25;
}

/* Behind {"time":"2026-11-22T16:30:00.123Z", */
static const char *json_line(void)
{
	const char *l = line(NULL);

	cr_assert_not_null(l);
	cr_assert_eq(strncmp(l, "{\"time\":\"20", 11), 0, "%s", l);
	cr_assert_eq(strncmp(l + 32, "Z\",", 3), 0, "%s", l);
	return l + 35;
}

/* An event with a single field, from a place of its own. */
static void one(struct span v)
{
	struct log_site site = { 0 };
	struct log_field f = LF_SPAN("v", v);

	log_event(&site, LOG_WARN, "e", "t", &f, 1);
}

Test(log, text)
{
	start(LOG_INFO, LOG_TEXT);
	LOG(LOG_WARN, "pair-refused", "the key is not its own", LF_STR("from", "evil.test"),
		LF_SPAN("to", span_of("shop.testXX", 9)), LF_INT("pairs", 10000),
		LF_INT("low", INT64_MIN));
	cr_assert_str_eq(text_line(),
		"warn pair-refused: the key is not its own from=evil.test "
		"to=shop.test pairs=10000 low=-9223372036854775808");
	cr_assert_null(line(NULL));
}

Test(log, json)
{
	start(LOG_INFO, LOG_JSON);
	LOG(LOG_ERROR, "pair-refused", "it said \"no\"", LF_STR("from", "evil.test"),
		LF_INT("pairs", -3));
	cr_assert_str_eq(json_line(),
		"\"level\":\"error\",\"event\":\"pair-refused\","
		"\"text\":\"it said \\\"no\\\"\",\"from\":\"evil.test\","
		"\"pairs\":-3}");
}

Test(log, no_fields)
{
	start(LOG_INFO, LOG_TEXT);
	LOG(LOG_INFO, "started", "ready");
	cr_assert_str_eq(text_line(), "info started: ready");
	LOG(LOG_INFO, "started", "ready", LF_NONE);
	cr_assert_str_eq(text_line(), "info started: ready");
	log_setup(LOG_INFO, LOG_JSON);
	LOG(LOG_INFO, "started", "ready");
	cr_assert_str_eq(json_line(),
		"\"level\":\"info\",\"event\":\"started\",\"text\":\"ready\"}");
}

Test(log, absent_is_left_out_and_empty_is_not)
{
	start(LOG_INFO, LOG_TEXT);
	LOG(LOG_INFO, "e", "t", LF_STR("a", NULL), LF_STR("b", ""), LF_NONE, LF_INT("c", 0));
	cr_assert_str_eq(text_line(), "info e: t b=\"\" c=0");
	log_setup(LOG_INFO, LOG_JSON);
	LOG(LOG_INFO, "e", "t", LF_SPAN("a", SPAN_NONE), LF_STR("b", ""));
	cr_assert_str_eq(json_line(),
		"\"level\":\"info\",\"event\":\"e\",\"text\":\"t\",\"b\":\"\"}");
}

Test(log, levels)
{
	static const char *const name[] = { "error", "warn", "info", "debug" };
	int evaluated = 0;

	start(LOG_DEBUG, LOG_TEXT);
	for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		log_setup((enum log_level)level, LOG_TEXT);
		for (int l = LOG_ERROR; l <= LOG_DEBUG; l++) {
			cr_assert_eq(log_enabled((enum log_level)l), l <= level);
			LOG((enum log_level)l, "e", "t", LF_INT("n", ++evaluated));
			if (l <= level)
				cr_assert_eq(strncmp(text_line(), name[l], strlen(name[l])), 0);
			else
				cr_assert_null(line(NULL));
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

		start(LOG_INFO, LOG_TEXT);
		one(escape[i].in);
		snprintf(want, sizeof(want), "warn e: t v=%s", escape[i].text);
		cr_expect_str_eq(text_line(), want);
		log_setup(LOG_INFO, LOG_JSON);
		one(escape[i].in);
		snprintf(want, sizeof(want),
			"\"level\":\"warn\",\"event\":\"e\",\"text\":\"t\",\"v\":\"%s\"}",
			escape[i].json);
		cr_expect_str_eq(json_line(), want);
	}
}

Test(log, text_of_an_event_is_escaped_too)
{
	struct log_site site = { 0 };

	start(LOG_INFO, LOG_TEXT);
	log_event(&site, LOG_INFO, "e", "say \"a\nb\xff\"", NULL, 0);
	cr_assert_str_eq(text_line(), "info e: say \"a\\x0Ab\\xFF\"");
	log_setup(LOG_INFO, LOG_JSON);
	log_event(&site, LOG_INFO, "e", "a\nb\xff", NULL, 0);
	cr_assert_str_eq(json_line(),
		"\"level\":\"info\",\"event\":\"e\",\"text\":\"a\\u000ab\\u00ff\"}");
}

/* -- limits of length -- */

Test(log, fields_are_cut)
{
	static const char four[4] = { '\xf0', '\x9f', '\x92', '\xa9' };
	char value[LOG_FIELD_MAX + 10];
	const char *v;

	start(LOG_INFO, LOG_TEXT);
	memset(value, 'a', sizeof(value));
	one(span_of(value, LOG_FIELD_MAX));
	cr_assert_eq(strlen(strchr(text_line(), '=') + 1), LOG_FIELD_MAX);
	one(span_of(value, LOG_FIELD_MAX + 1));
	cr_assert_eq(strlen(strchr(text_line(), '=') + 1), LOG_FIELD_MAX);
	/* A sequence of four bytes that begins 0..4 bytes before the limit. */
	for (size_t before = 0; before <= 4; before++) {
		memset(value, 'a', sizeof(value));
		memcpy(value + LOG_FIELD_MAX - before, four, sizeof(four));
		one(span_of(value, sizeof(value)));
		v = strchr(text_line(), '=') + 1;
		cr_assert_eq(strlen(v), before == 4 ? LOG_FIELD_MAX : LOG_FIELD_MAX - before);
		cr_assert_null(strchr(v, '\\'));
	}
	/* Continuation bytes without an end are no sequence. */
	memset(value, 0x80, sizeof(value));
	one(span_of(value, sizeof(value)));
	cr_assert_eq(strlen(strchr(text_line(), '=') + 1), 4 * LOG_FIELD_MAX);
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
	start(LOG_INFO, LOG_TEXT);
	log_event(&site, LOG_INFO, "e", "t", f, ARRAY_LEN(f));
	cr_assert_not_null(strstr(text_line(), " last=1 missing=16"));
	log_setup(LOG_INFO, LOG_JSON);
	atomic_store(&site.suppressed, 4294967295u);
	log_event(&site, LOG_INFO, "e", "t", f, ARRAY_LEN(f));
	cr_assert_not_null(
		strstr(json_line(), ",\"last\":1,\"missing\":17,\"suppressed\":4294967295}"));
}

Test(log, longest_text)
{
	struct log_site site = { 0 };
	char text[2000];

	memset(text, 1, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	start(LOG_INFO, LOG_JSON);
	log_event(&site, LOG_INFO, "some-event-with-a-long-name", text, NULL, 0);
	cr_assert_not_null(strstr(json_line(), "\\u0001\"}"));
}

/* -- anything at all, seeded -- */

static uint64_t next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static size_t noise(uint64_t *state, char *out, size_t max)
{
	static const char *const bits[] = { "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x92\xa9",
		"\xe2\x80\xae", " ", "\"", "\\", "=", "\n", "abc" };
	size_t n = 0, want = next(state) % max;

	while (n < want) {
		uint64_t r = next(state);

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

Test(log, text_of_noise_can_be_read_back)
{
	char in[LOG_FIELD_MAX], out[4 * LOG_FIELD_MAX];
	uint64_t state = 1;

	start(LOG_INFO, LOG_TEXT);
	for (int i = 0; i < 20000; i++) {
		size_t n = noise(&state, in, sizeof(in)), back;

		one(span_of(in, n));
		back = unescape(strstr(text_line(), " v=") + 3, out);
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

Test(log, json_of_noise_is_valid)
{
	char a[600], b[600];
	uint64_t state = 2;

	start(LOG_INFO, LOG_JSON);
	for (int i = 0; i < 20000; i++) {
		struct log_site site = { 0 };
		struct log_field f[] = {
			LF_SPAN("a", span_of(a, noise(&state, a, sizeof(a)))),
			LF_INT("n", next(&state)),
			LF_SPAN("b", span_of(b, noise(&state, b, sizeof(b)))),
		};

		log_event(&site, LOG_INFO, "e", "t", f, 3);
		check_object(line(NULL));
	}
}

/* -- rate limit -- */

static void repeat(struct log_site *site, int times)
{
	while (times-- > 0)
		log_event(site, LOG_INFO, "e", "t", NULL, 0);
}

static int lines(void)
{
	int n = 0;

	while (line(NULL))
		n++;
	return n;
}

Test(log, burst_then_silence)
{
	struct log_site site = { 0 }, other = { 0 };

	start(LOG_INFO, LOG_TEXT);
	/* As if it had been busy until now: no token accrues during the test. */
	atomic_store(&site.refill_ms, clock_ms() + 60000);
	repeat(&site, 1000);
	cr_assert_eq(lines(), LOG_BURST);
	cr_assert_eq(atomic_load(&site.suppressed), 1000 - LOG_BURST);
	/* Other places are not affected. */
	repeat(&other, 1);
	cr_assert_eq(lines(), 1);
}

Test(log, first_use_has_the_whole_burst)
{
	struct log_site site = { 0 };
	int n;

	start(LOG_INFO, LOG_TEXT);
	repeat(&site, 100);
	n = lines();
	cr_assert(n >= LOG_BURST && n <= LOG_BURST + LOG_PER_S, "%d", n);
}

Test(log, suppressed_is_reported_once)
{
	struct log_site site = { 0 };

	start(LOG_INFO, LOG_TEXT);
	atomic_store(&site.refill_ms, clock_ms() + 60000);
	repeat(&site, LOG_BURST + 7);
	cr_assert_eq(lines(), LOG_BURST);
	/* A second later. */
	atomic_store(&site.refill_ms, clock_ms() - 1000);
	repeat(&site, 1);
	cr_assert_str_eq(text_line(), "info e: t suppressed=7");
	repeat(&site, 1);
	cr_assert_str_eq(text_line(), "info e: t");
}

Test(log, refill)
{
	struct log_site site = { 0 };

	start(LOG_INFO, LOG_TEXT);
	for (int second = 0; second < 3; second++) {
		atomic_store(&site.refill_ms, clock_ms() + 60000);
		repeat(&site, 100);
		cr_assert_eq(lines(), second ? 0 : LOG_BURST);
		atomic_store(&site.refill_ms, clock_ms() - 1000);
		repeat(&site, 1);
		atomic_store(&site.refill_ms, clock_ms() + 60000);
		repeat(&site, 100);
		cr_assert_eq(lines(), LOG_PER_S);
	}
	/* A long rest does not save up more than the burst. */
	atomic_store(&site.refill_ms, 0);
	repeat(&site, 1);
	atomic_store(&site.refill_ms, clock_ms() + 60000);
	repeat(&site, 100);
	cr_assert_eq(lines(), LOG_BURST);
}

Test(log, refill_in_real_time)
{
	struct log_site site = { 0 };

	start(LOG_INFO, LOG_TEXT);
	repeat(&site, 100);
	lines();
	usleep(1000 * 1000 / LOG_PER_S + 50000);
	repeat(&site, 1);
	cr_assert_eq(lines(), 1);
}

/* The part of a second that has not become a token yet is not lost. */
Test(log, refill_keeps_the_remainder)
{
	struct log_site site = { 0 };
	uint64_t mark = clock_ms() - 350;

	start(LOG_INFO, LOG_TEXT);
	atomic_store(&site.tokens_used, LOG_BURST);
	atomic_store(&site.refill_ms, mark);
	repeat(&site, 1);
	cr_assert_eq((atomic_load(&site.refill_ms) - mark) % 200, 0);
	cr_assert_gt(atomic_load(&site.refill_ms), mark);
}

static struct log_site shared_site;

static void *shout(void *arg)
{
	(void)arg;
	repeat(&shared_site, 20000);
	return NULL;
}

/* A slow thread with one of the tokens may report what others were refused meanwhile. */
Test(log, threads_share_a_limit)
{
	unsigned written = 0, reported = 0;
	pthread_t t[4];
	const char *l;

	start(LOG_INFO, LOG_TEXT);
	atomic_store(&shared_site.refill_ms, clock_ms() + 60000);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&t[i], NULL, shout, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (; (l = line(NULL)); written++) {
		const char *count = strstr(l, " suppressed=");
		uint64_t n = 0;

		cr_assert(!count || span_u64(span_str(count + 12), UINT32_MAX, &n));
		reported += (unsigned)n;
	}
	cr_assert_eq(written, LOG_BURST);
	cr_assert_eq(written + reported + atomic_load(&shared_site.suppressed), 80000);
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
