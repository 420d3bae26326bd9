/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event log: one event a line on standard error, as text or as JSON.
 *
 *   LOG(LOG_WARN, "pair-refused", "the authoritative server says that the key is not its own",
 *       LF_SPAN("from", from), LF_SPAN("to", to), LF_INT("pairs", n));
 *
 * text:  2026-11-22T16:30:00.123Z warn pair-refused: the authoritative ... from=evil.test to=...
 * json:  {"time":"...","level":"warn","event":"pair-refused","text":"...","from":"evil.test",...}
 *
 * Each place in the source may write LOG_BURST events at once and LOG_PER_S a
 * second; what it holds back is counted and reported with its next event
 * ("suppressed=N"). Bytes from peers are escaped, so that an event is always one
 * line of printable ASCII or valid UTF-8; a field is cut after LOG_FIELD_MAX
 * bytes, a field whose value is absent (p == NULL) is left out, and fields that
 * do not fit in the 4 KiB of a line are counted ("missing=N"). Secrets and
 * dialback keys are never passed to it. Any thread: a line is one write(2).
 */
#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

#include <stdatomic.h>

#include "core/base/span.h"

#define LOG_BURST 20
#define LOG_PER_S 5
#define LOG_FIELD_MAX 256

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
	const char *name; /* NULL: leave the field out */
	enum { LOG_F_SPAN, LOG_F_INT } kind;
	struct span s;
	int64_t i;
};

#define LF_SPAN(name, v) ((struct log_field){ name, LOG_F_SPAN, v, 0 })
#define LF_STR(name, v) ((struct log_field){ name, LOG_F_SPAN, span_str(v), 0 })
#define LF_INT(name, v) ((struct log_field){ name, LOG_F_INT, SPAN_NONE, (int64_t)(v) })
#define LF_NONE ((struct log_field){ NULL, LOG_F_INT, SPAN_NONE, 0 })

/* State of one place in the source; zero-initialised, shared by all threads. */
struct log_site {
	_Atomic uint64_t refill_ms;
	_Atomic int32_t tokens_used;
	_Atomic uint32_t suppressed;
};

void log_setup(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);
bool log_level_parse(struct span s, enum log_level *out);
bool log_format_parse(struct span s, enum log_format *out);

/* Tests: lines go to fd instead of standard error. */
void log_redirect(int fd);

void log_event(struct log_site *site, enum log_level level, const char *event, const char *text,
	const struct log_field *fields, size_t n);

#define LOG(level, event, text, ...)                                                               \
	do {                                                                                       \
		static struct log_site log_site_;                                                  \
		if (log_enabled(level)) {                                                          \
			const struct log_field log_fields_[] = { LF_NONE, ##__VA_ARGS__ };         \
			log_event(&log_site_, level, event, text, log_fields_ + 1,                 \
				ARRAY_LEN(log_fields_) - 1);                                       \
		}                                                                                  \
	} while (0)

#endif
