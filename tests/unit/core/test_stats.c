/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/stats.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/log.h"

/* The one line that stats_log() writes, without its time. */
static const char *logged(const struct stats *s, enum log_level level)
{
	static char line[8192];
	int ends[2];
	ssize_t n;

	cr_assert_eq(pipe(ends), 0);
	log_setup(level, LOG_TEXT);
	log_redirect(ends[1]);
	stats_log(s);
	close(ends[1]);
	n = read(ends[0], line, sizeof(line) - 1);
	cr_assert(n >= 0);
	close(ends[0]);
	line[n] = '\0';
	return strchr(line, ' ') ? strchr(line, ' ') + 1 : line;
}

Test(stats, counts)
{
	static struct stats s;

	STATS_INC(&s, streams_in);
	STATS_INC(&s, streams_in);
	STATS_ADD(&s, bytes_routed, UINT64_C(5000000000));
	cr_expect_eq(s.streams_in, 2);
	cr_expect_eq(s.bytes_routed, 5000000000);
	cr_expect_str_eq(logged(&s, LOG_INFO),
		"info stats: counters since the start streams_in=2 bytes_routed=5000000000\n");
}

Test(stats, nothing_happened_yet)
{
	static const struct stats s;

	cr_expect_str_eq(logged(&s, LOG_INFO), "info stats: counters since the start\n");
	cr_expect_str_eq(logged(&s, LOG_WARN), "", "below the level");
}

/* All of them fit in one line, in the order of the table. */
Test(stats, every_counter)
{
	static struct stats s;
	static const char *const names[] = {
#define STATS_NAME(name, text) #name,
		STATS_TABLE(STATS_NAME)
	};
	const char *line, *at;

#define STATS_MAX(name, text) STATS_ADD(&s, name, INT64_MAX);
	STATS_TABLE(STATS_MAX)
	at = line = logged(&s, LOG_INFO);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char want[80];

		snprintf(want, sizeof(want), " %s=9223372036854775807", names[i]);
		at = strstr(at, want);
		cr_assert(at, "%s is missing in %s", names[i], line);
	}
	cr_expect_null(strstr(line, "missing="));
	cr_expect_eq(line[strlen(line) - 1], '\n');
}
