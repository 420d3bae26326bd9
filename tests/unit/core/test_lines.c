/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
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

/* What the first line that is wrong, or the file, gives as its reason. */
static const char *refused(void)
{
	static char text[LINES_WHY];
	struct lines l;
	struct span s;

	why[0] = '\0';
	if (lines_open(&l, path, why))
		while (lines_next(&l, &s))
			;
	cr_expect(l.failed, "it was taken");
	cr_expect(strncmp(why, path, strlen(path)) == 0, "%s", why);
	snprintf(text, sizeof(text), "%s", why + strlen(path));
	lines_close(&l);
	return text;
}

static void expect_refused(const char *bytes, size_t n, const char *text)
{
	file(bytes, n);
	cr_expect_str_eq(refused(), text);
	gone();
	strcpy(path + strlen(path) - 6, "XXXXXX");
}

#define BYTES(s) s, sizeof(s) - 1

Test(lines, bytes_that_are_no_text)
{
	static const char utf8[] = ":2: the line is not UTF-8: save the file as UTF-8";

	expect_refused(BYTES("a\nb\xfc"
			     "cher.test gw\n"),
		utf8); /* Latin-1 */
	expect_refused(BYTES("a\n\xc0\xaf\n"), utf8); /* overlong */
	expect_refused(BYTES("a\n\xed\xa0\x80\n"), utf8); /* a surrogate */
	expect_refused(BYTES("a\nb\xc3"), utf8); /* cut off at the end */
	expect_refused(BYTES("a\nb\xc3\n"), utf8);
	expect_refused(BYTES("a\nb \x1b[31m\n"), ":2: the line holds a control character (0x1b)");
	expect_refused(BYTES("a\rb\rc\r"), ":1: the line holds a control character (0x0d)");
	expect_refused(BYTES("a\x7f\n"), ":1: the line holds a control character (0x7f)");
	expect_refused(BYTES("\xff\xfe"
			     "a\0\n\0"),
		":1: the line holds a NUL byte: is this a text file?"); /* UTF-16 */
}

/* Nobody reads those. */
Test(lines, comments_may_hold_anything_but_nul, .fini = gone)
{
	struct lines l;
	struct span s;

	file(BYTES("# f\xfcr \x1b\nword # f\xfcr\n"));
	cr_assert(lines_open(&l, path, why));
	cr_assert(lines_next(&l, &s));
	cr_expect(span_is(s, "word"));
	cr_expect_not(lines_next(&l, &s));
	cr_expect_not(l.failed, "%s", why);
	lines_close(&l);
}

Test(lines, byte_order_mark_is_skipped, .fini = gone)
{
	struct lines l;
	struct span s;

	file(BYTES("\xef\xbb\xbf"
		   "first\n\xef\xbb\xbf"
		   "second\n"));
	cr_assert(lines_open(&l, path, why));
	cr_assert(lines_next(&l, &s));
	cr_expect(span_is(s, "first"));
	cr_assert(lines_next(&l, &s), "in the middle it is a character as any other");
	cr_expect(span_is(s, "\xef\xbb\xbfsecond"));
	lines_close(&l);
}

/* The kernel checks as it would for a service that is not root. */
static void as_nobody(void)
{
	if (geteuid() == 0)
		(void)setfsuid(65534);
}

Test(lines, what_is_no_readable_file, .fini = gone)
{
	file("", 0);
	cr_assert_eq(truncate(path, 1 << 28), 0);
	cr_expect_str_eq(refused(), ": File too large: is it the right one?");
	gone();
	cr_expect_str_eq(refused(), ": No such file or directory");
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_str_eq(refused(), ": Is a directory");
	cr_assert_eq(rmdir(path), 0);
	/* A FIFO that nobody writes to: we must not wait for ever. */
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_str_eq(refused(), ": is no regular file");
	gone();
	cr_assert_eq(symlink(path, path), 0);
	cr_expect_str_eq(refused(), ": Too many levels of symbolic links");
	gone();
	cr_assert_eq(close(open(path, O_CREAT | O_WRONLY, 0000)), 0);
	as_nobody();
	cr_expect_str_eq(refused(),
		": Permission denied: the user that sluice runs as must be able to read it");
}

/* -- secrets -- */

static void secret_refused(const char *cause)
{
	size_t n;

	why[0] = '\0';
	cr_expect_null(lines_secret(path, &n, why));
	cr_assert(strncmp(why, path, strlen(path)) == 0, "%s", why);
	cr_expect_str_eq(why + strlen(path), cause);
}

Test(lines, what_is_no_secret_file, .fini = gone)
{
	file(BYTES("\xef\xbb\xbfs3cret\n"));
	secret_refused(": begins with a byte order mark: save it without one");
	cr_assert_eq(truncate(path, 65536), 0);
	secret_refused(": File too large: is it the right one?");
	gone();
	secret_refused(": No such file or directory");
	cr_assert_eq(mkdir(path, 0700), 0);
	secret_refused(": is no regular file");
	cr_assert_eq(rmdir(path), 0);
	cr_assert_eq(symlink("/nonexistent/secret", path), 0);
	secret_refused(": No such file or directory");
	gone();
	cr_assert_eq(close(open(path, O_CREAT | O_WRONLY, 0000)), 0);
	as_nobody();
	secret_refused(": Permission denied: the user that sluice runs as must be able to read it");
}

/* Secret stores hand out symlinks: what counts is the file behind. */
Test(lines, secret_behind_a_symlink, .fini = gone)
{
	char link[sizeof(path) + 2];
	char *secret;
	size_t n;

	file(BYTES("s3cret\n"));
	snprintf(link, sizeof(link), "%s.l", path);
	cr_assert_eq(symlink(path, link), 0);
	secret = lines_secret(link, &n, why);
	cr_expect_not_null(secret, "%s", why);
	mem_free(secret);
	cr_assert_eq(chmod(path, 0644), 0);
	cr_expect_null(lines_secret(link, &n, why));
	cr_expect_not_null(strstr(why, "(mode 0644): chmod 600 it"), "%s", why);
	unlink(link);
}
