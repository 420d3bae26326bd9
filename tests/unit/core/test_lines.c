/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/lines.h"

static char path[] = "/tmp/sluice-lines-XXXXXX";
static char why[LINES_WHY];

static void file(const char *bytes, size_t n)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

static void gone(void)
{
	unlink(path);
}

Test(lines, comments_and_white_space, .fini = gone)
{
	static const char text[] = "# all of it\n\n  one two \t# behind\r\nnot#one\nlast";
	static const char *const want[] = { "one two", "not#one", "last" };
	struct lines l;
	struct span s;

	file(text, sizeof(text) - 1);
	cr_assert(lines_open(&l, path, why));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		cr_assert(lines_next(&l, &s), "%zu", i);
		cr_expect(span_is(s, want[i]), "'%.*s'", (int)s.n, s.p);
	}
	cr_expect_not(lines_next(&l, &s));
	cr_expect_not(l.failed);
	cr_expect_eq(l.line, 5, "the number of the last line, for messages");
	lines_close(&l);
}

Test(lines, words)
{
	struct span rest = SPAN_LIT("one  two\tthree");

	cr_expect(span_is(lines_word(&rest), "one"));
	cr_expect(span_is(lines_word(&rest), "two"));
	cr_expect(span_is(lines_word(&rest), "three"));
	cr_expect_eq(lines_word(&rest).n, 0);
}

Test(lines, nul_is_an_error_with_its_line, .fini = gone)
{
	struct lines l;
	struct span s;

	file("good\nb\0d\n", 9);
	cr_assert(lines_open(&l, path, why));
	while (lines_next(&l, &s))
		;
	cr_expect(l.failed);
	cr_expect_not_null(strstr(why, ":2: "), "%s", why);
	lines_close(&l);
}

Test(lines, long_line_is_an_error, .fini = gone)
{
	static char text[LIMIT_CONFIG_LINE + 2];
	struct lines l;
	struct span s;

	memset(text, 'x', sizeof(text));
	file(text, sizeof(text));
	cr_assert(lines_open(&l, path, why));
	cr_expect_not(lines_next(&l, &s));
	cr_expect(l.failed);
	cr_expect_not_null(strstr(why, ":1: "), "%s", why);
	lines_close(&l);
}

Test(lines, secret_that_others_may_read_is_refused, .fini = gone)
{
	size_t n;
	char *secret;

	file("s3cret\n", 7);
	cr_assert_eq(chmod(path, 0640), 0);
	cr_expect_null(lines_secret(path, &n, why));
	cr_expect_not_null(strstr(why, "chmod 600"), "%s", why);
	cr_assert_eq(chmod(path, 0600), 0);
	secret = lines_secret(path, &n, why);
	cr_assert_not_null(secret, "%s", why);
	cr_expect(span_is(span_of(secret, n), "s3cret\n"));
	mem_free(secret);
}
