/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is remembered of the attempts to send for a pair, and that it is bounded. */
#include "core/explain.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/log.h"

#define TO SPAN_LIT("r.test")

static struct explain *x;
static char *told;

static void init(void)
{
	log_setup(LOG_INFO, LOG_TEXT);
	x = explain_new();
}

static void fini(void)
{
	explain_free(x);
	free(told);
	log_redirect(-1);
}

TestSuite(explain, .init = init, .fini = fini);

/* All that explain_all() writes. */
static const char *tell(uint64_t now)
{
	int fd = memfd_create("log", 0);
	off_t n;

	cr_assert(fd >= 0);
	log_redirect(fd);
	explain_all(x, now);
	log_redirect(-1);
	n = lseek(fd, 0, SEEK_END);
	free(told);
	told = calloc(1, (size_t)n + 1);
	cr_assert(told);
	cr_assert_eq(pread(fd, told, (size_t)n, 0), n);
	close(fd);
	return told;
}

static unsigned times(const char *text, const char *word)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
		n++;
	return n;
}

static struct span sender(unsigned i)
{
	static char name[32];

	(void)snprintf(name, sizeof(name), "d%u.test", i);
	return span_str(name);
}

/* An attempt that begins at `when` and comes to nothing 5 ms later; without a word in the log. */
static void fails(unsigned i, uint64_t when)
{
	explain_pair(x, sender(i), TO, EXPLAIN_BEGUN, NULL, NULL, when);
	log_setup(LOG_ERROR, LOG_TEXT);
	explain_failed(x, sender(i), TO, "refused", "forbidden", when + 5);
	log_setup(LOG_INFO, LOG_TEXT);
}

static void succeeds(unsigned i, uint64_t when)
{
	explain_pair(x, sender(i), TO, EXPLAIN_BEGUN, NULL, NULL, when);
	explain_pair(x, sender(i), TO, EXPLAIN_CLAIMED, NULL, NULL, when);
	explain_pair(x, sender(i), TO, EXPLAIN_RESULT, NULL, "valid", when + 5);
}

Test(explain, the_last_three_attempts_of_a_pair_the_oldest_first)
{
	const char *text;

	for (unsigned i = 1; i <= 5; i++)
		fails(0, i * 1000);
	text = tell(10000);
	cr_expect_eq(times(text, "pair-explained"), 3);
	cr_assert(strstr(text, "began=\"7.0 s ago\""));
	cr_expect_lt(strstr(text, "began=\"7.0 s ago\""), strstr(text, "began=\"6.0 s ago\""));
	cr_expect_lt(strstr(text, "began=\"6.0 s ago\""), strstr(text, "began=\"5.0 s ago\""));
	cr_expect_eq(times(text, "result=\"5 ms refused\" condition=forbidden"), 3);
}

Test(explain, those_noted_longest_ago_make_room)
{
	const char *text;

	for (unsigned i = 0; i <= LIMIT_EXPLAINED; i++) {
		fails(i, 1000);
		explain_stream(x, sender(i), EXPLAIN_NAMES, NULL, NULL, 1000);
		if (i == 10) /* is noted again */
			explain_pair(x, sender(0), TO, EXPLAIN_VERIFIED, NULL, "valid", 1000);
		explain_verified(x, sender(1), TO, "valid", 1000); /* which keeps nobody */
	}
	text = tell(2000);
	cr_expect_eq(times(text, "pair-explained"), LIMIT_EXPLAINED_AT_ONCE);
	cr_expect_eq(times(text, "pairs-not-explained"), 1);
	cr_expect(strstr(text, " pairs=3896\n"), "%u known, %u told", LIMIT_EXPLAINED,
		LIMIT_EXPLAINED_AT_ONCE);
	/* What is left: 0, which was noted again, and not 1, the oldest. */
	explain_verified(x, sender(1), TO, "asked again", 2000);
	explain_verified(x, sender(0), TO, "asked again", 2000);
	explain_pair(x, sender(0), TO, EXPLAIN_CLAIMED, NULL, NULL, 2000);
	explain_pair(x, sender(1), TO, EXPLAIN_CLAIMED, NULL, NULL, 2000);
	text = tell(2000);
	cr_expect(strstr(text, "from=d0.test"));
	cr_expect_null(strstr(text, "from=d1.test"), "of an earlier attempt nothing is known");
}

Test(explain, pairs_in_trouble_go_before_those_that_are_well)
{
	const char *text;

	fails(1000, 1000);
	for (unsigned i = 0; i < 100; i++)
		succeeds(i, 2000);
	text = tell(3000);
	cr_expect_eq(times(text, "valid"), 20 + 1 /* in the words of pairs-not-explained */);
	cr_expect(strstr(text, "from=d1000.test"));
	cr_expect(strstr(text, " pairs=80\n"));
}

Test(explain, an_attempt_after_a_good_one_is_told_apart)
{
	const char *text;

	succeeds(0, 1000);
	fails(0, 2000);
	text = tell(3000);
	cr_expect_eq(times(text, "pair-explained"), 2);
	cr_expect_eq(times(text, "condition="), 1);
}

Test(explain, a_pair_has_the_stages_of_its_stream_and_of_no_other)
{
	const struct place at = { .addr = { .port = 5269 } }, other = { .addr = { .port = 5270 } };
	const char *text;

	explain_stream(x, TO, EXPLAIN_NAMES, &at, NULL, 1001);
	explain_stream(x, TO, EXPLAIN_BEGUN, &at, NULL, 1001);
	explain_stream(x, TO, EXPLAIN_CONNECTED, &at, NULL, 1003);
	explain_stream(x, TO, EXPLAIN_STREAM, &at, NULL, 1010);
	explain_pair(x, sender(0), TO, EXPLAIN_BEGUN, NULL, NULL, 1000);
	explain_pair(x, sender(0), TO, EXPLAIN_CLAIMED, &at, NULL, 1010);
	explain_pair(x, sender(1), TO, EXPLAIN_BEGUN, NULL, NULL, 1000);
	explain_pair(x, sender(1), TO, EXPLAIN_CLAIMED, &other, NULL, 1020);
	text = tell(2000);
	cr_expect(strstr(text,
		"from=d0.test to=r.test began=\"1.0 s ago\" names=\"1 ms\" connected=\"2 ms "));
	cr_expect(strstr(text, " stream=\"7 ms\" claimed=\"0 ms\"\n"));
	cr_expect(strstr(text, "from=d1.test to=r.test began=\"1.0 s ago\" claimed=\"20 ms\"\n"));
}

/* A new attempt to open it: what came of the one before is of the past. */
Test(explain, the_stream_begins_anew)
{
	const struct place at = { .addr = { .port = 5269 } };
	const char *text;

	explain_pair(x, sender(0), TO, EXPLAIN_BEGUN, NULL, NULL, 1000);
	explain_stream(x, TO, EXPLAIN_NAMES, NULL, NULL, 1000);
	explain_stream(x, TO, EXPLAIN_BEGUN, NULL, NULL, 1000);
	explain_stream(x, TO, EXPLAIN_TRIED, &at, "refused", 1001);
	text = tell(2000);
	cr_expect(strstr(text, " tried=\"1 ms ") && strstr(text, ":5269 refused\"\n"));
	explain_stream(x, TO, EXPLAIN_BEGUN, NULL, NULL, 1500);
	text = tell(2000);
	cr_expect(strstr(text, "began=\"1.0 s ago\" names=\"0 ms\"\n"));
}
