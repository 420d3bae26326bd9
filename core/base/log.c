/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/clock.h"

/* What a pipe takes in one piece, so that lines of several threads do not mix. */
#define LINE_MAX_BYTES PIPE_BUF
/* Kept for what ends a line: two counts and a brace. */
#define LINE_TAIL 96
/* A sentence of ours may be longer than a field, and fits in a line when all is escaped. */
#define TEXT_MAX 512

struct line {
	char buf[LINE_MAX_BYTES];
	size_t n;
	size_t cap;
	bool full; /* something did not fit; nothing is added after that */
	enum log_format format;
};

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const char *const format_names[] = { "text", "json" };

/* Set at start-up; atomic because a reload may set them again beside the workers. */
static _Atomic int current_level = LOG_INFO;
static _Atomic int current_format = LOG_TEXT;
static _Atomic int current_fd = STDERR_FILENO;

/* -- settings -- */

void log_setup(enum log_level level, enum log_format format)
{
	atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
	atomic_store_explicit(&current_format, (int)format, memory_order_relaxed);
}

void log_redirect(int fd)
{
	atomic_store_explicit(&current_fd, fd, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

static int find_name(struct span s, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (span_is(s, names[i]))
			return (int)i;
	}
	return -1;
}

bool log_level_parse(struct span s, enum log_level *out)
{
	int i = find_name(s, level_names, ARRAY_LEN(level_names));

	if (i >= 0)
		*out = (enum log_level)i;
	return i >= 0;
}

bool log_format_parse(struct span s, enum log_format *out)
{
	int i = find_name(s, format_names, ARRAY_LEN(format_names));

	if (i >= 0)
		*out = (enum log_format)i;
	return i >= 0;
}

/* -- rate limit -- */

/* Relaxed, as all of this: counters that guard nothing but themselves. */
static bool swap_i32(_Atomic int32_t *v, int32_t *was, int32_t to)
{
	return atomic_compare_exchange_weak_explicit(v, was, to, memory_order_relaxed,
		memory_order_relaxed);
}

static void site_give_back(struct log_site *site, uint64_t tokens)
{
	int32_t used = atomic_load_explicit(&site->tokens_used, memory_order_relaxed);
	int32_t left;

	do {
		left = tokens < (uint64_t)used ? used - (int32_t)tokens : 0;
	} while (!swap_i32(&site->tokens_used, &used, left));
}

static bool site_take(struct log_site *site)
{
	const uint64_t step = 1000 / LOG_PER_S;
	uint64_t now = clock_ms();
	uint64_t last = atomic_load_explicit(&site->refill_ms, memory_order_relaxed);
	uint64_t tokens = now > last ? (now - last) / step : 0;
	int32_t used;

	/* Whoever moves the mark gives the tokens back, and nobody else. */
	if (tokens > 0 &&
		atomic_compare_exchange_strong_explicit(&site->refill_ms, &last,
			last + tokens * step, memory_order_relaxed, memory_order_relaxed))
		site_give_back(site, tokens);
	used = atomic_load_explicit(&site->tokens_used, memory_order_relaxed);
	do {
		if (used >= LOG_BURST) {
			atomic_fetch_add_explicit(&site->suppressed, 1, memory_order_relaxed);
			return false;
		}
	} while (!swap_i32(&site->tokens_used, &used, used + 1));
	return true;
}

/* -- characters -- */

/* Length of the UTF-8 sequence at the start of s, and its code point; 0 when it is none. */
static unsigned decode(struct span s, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)s.p[0];
	unsigned len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
	uint32_t v = len == 1 ? c : c & (0x7fu >> len);

	if (len == 0 || len > s.n)
		return 0;
	for (unsigned i = 1; i < len; i++) {
		c = (unsigned char)s.p[i];
		if ((c & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (c & 0x3f);
	}
	if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*code = v;
	return len;
}

/* Controls, line separators and what reorders or hides text: lies to whoever reads the log. */
static bool is_hidden(uint32_t c)
{
	if (c < 0x7f)
		return c < 0x20;
	return c < 0xa0 || c == 0xad || c == 0x61c || c == 0x200b || c == 0x200e || c == 0x200f ||
		(c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
		(c >= 0xfff9 && c <= 0xfffb);
}

/* At most max bytes, not ending within a sequence. */
static struct span cut(struct span s, size_t max)
{
	size_t n = max;

	if (s.n <= max)
		return s;
	while (n > max - 3 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	/* Continuation bytes all the way: that is no text, cut anywhere. */
	if (((unsigned char)s.p[n] & 0xc0) == 0x80)
		n = max;
	return span_of(s.p, n);
}

/* -- the line -- */

static void put(struct line *l, const char *p, size_t n)
{
	if (l->full || n > l->cap - l->n) {
		l->full = true;
		return;
	}
	memcpy(l->buf + l->n, p, n);
	l->n += n;
}

static void put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

static void put_int(struct line *l, int64_t v)
{
	char text[24];

	put(l, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, v));
}

/* JSON has no way to write a byte that is no character; it appears as U+00NN. */
static void put_escape(struct line *l, struct span bytes, uint32_t code)
{
	char text[8];

	if (l->format == LOG_JSON) {
		put(l, text, (size_t)snprintf(text, sizeof(text), "\\u%04x", code & 0xffff));
		return;
	}
	for (size_t i = 0; i < bytes.n; i++)
		put(l, text,
			(size_t)snprintf(text, sizeof(text), "\\x%02X", (unsigned char)bytes.p[i]));
}

static void put_escaped(struct line *l, struct span s, bool quoted)
{
	while (s.n > 0) {
		uint32_t code = (unsigned char)s.p[0];
		unsigned len = decode(s, &code);
		struct span bytes = span_of(s.p, len ? len : 1);

		if (len == 0 || is_hidden(code))
			put_escape(l, bytes, code);
		else if (code == '\\' || (code == '"' && quoted))
			put(l, (const char[]){ '\\', (char)code }, 2);
		else
			put(l, bytes.p, bytes.n);
		s = span_skip(s, bytes.n);
	}
}

static void put_quoted(struct line *l, struct span s)
{
	put_str(l, "\"");
	put_escaped(l, s, true);
	put_str(l, "\"");
}

/* What would be mistaken for the end of the value, or for another field. */
static bool needs_quotes(struct span s)
{
	return s.n == 0 || span_find(s, ' ') < s.n || span_find(s, '"') < s.n ||
		span_find(s, '=') < s.n;
}

static void put_name(struct line *l, const char *name)
{
	if (l->format == LOG_JSON) {
		put_str(l, ",\"");
		put_str(l, name);
		put_str(l, "\":");
	} else {
		put_str(l, " ");
		put_str(l, name);
		put_str(l, "=");
	}
}

static void put_field(struct line *l, const struct log_field *f)
{
	struct span value = cut(f->s, LOG_FIELD_MAX);

	put_name(l, f->name);
	if (f->kind == LOG_F_INT)
		put_int(l, f->i);
	else if (l->format == LOG_JSON || needs_quotes(value))
		put_quoted(l, value);
	else
		put_escaped(l, value, false);
}

static void put_start(struct line *l, enum log_level level, const char *event, struct span text)
{
	char stamp[25];

	clock_stamp(stamp);
	if (l->format == LOG_TEXT) {
		put_str(l, stamp);
		put_str(l, " ");
		put_str(l, level_names[level]);
		put_str(l, " ");
		put_str(l, event);
		put_str(l, ": ");
		put_escaped(l, text, false);
		return;
	}
	put_str(l, "{\"time\":\"");
	put_str(l, stamp);
	put_str(l, "\",\"level\":\"");
	put_str(l, level_names[level]);
	put_str(l, "\",\"event\":\"");
	put_str(l, event);
	put_str(l, "\",\"text\":");
	put_quoted(l, text);
}

/* Returns how many did not fit. An absent value is left out, as a nameless field is. */
static unsigned put_fields(struct line *l, const struct log_field *fields, size_t n)
{
	unsigned missing = 0;

	for (size_t i = 0; i < n; i++) {
		const struct log_field *f = &fields[i];
		size_t before = l->n;

		if (!f->name || (f->kind == LOG_F_SPAN && !f->s.p))
			continue;
		put_field(l, f);
		if (l->full) {
			l->n = before;
			l->full = false;
			missing++;
		}
	}
	return missing;
}

static void put_end(struct line *l, unsigned missing, uint32_t suppressed)
{
	l->cap = sizeof(l->buf);
	if (missing) {
		put_name(l, "missing");
		put_int(l, missing);
	}
	if (suppressed) {
		put_name(l, "suppressed");
		put_int(l, suppressed);
	}
	put_str(l, l->format == LOG_JSON ? "}\n" : "\n");
	BUG_ON(l->full);
}

void log_event(struct log_site *site, enum log_level level, const char *event, const char *text,
	const struct log_field *fields, size_t n)
{
	struct line l;
	int saved_errno = errno;
	unsigned missing;

	BUG_ON((unsigned)level >= ARRAY_LEN(level_names));
	if (!log_enabled(level) || !site_take(site))
		return;
	l.n = 0;
	l.cap = sizeof(l.buf) - LINE_TAIL;
	l.full = false;
	l.format = (enum log_format)atomic_load_explicit(&current_format, memory_order_relaxed);
	put_start(&l, level, event, cut(span_str(text), TEXT_MAX));
	BUG_ON(l.full);
	missing = put_fields(&l, fields, n);
	put_end(&l, missing, atomic_exchange_explicit(&site->suppressed, 0, memory_order_relaxed));
	/* A line that cannot be written is lost: there is nowhere to report it. */
	while (write(atomic_load_explicit(&current_fd, memory_order_relaxed), l.buf, l.n) < 0 &&
		errno == EINTR)
		;
	errno = saved_errno;
}
