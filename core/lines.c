/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "xml/chars.h"

#define FILE_BYTES (1u << 28) /* a registry of some million lines */
#define SECRET_BYTES 65536
#define BOM SPAN_LIT("\xef\xbb\xbf") /* what some editors put in front of UTF-8 */

/* What the system says, and for the usual mistakes what to do. */
static const char *read_error(int err)
{
	if (err == EACCES)
		return "Permission denied: the user that sluice runs as must be able to read it";
	if (err == EFBIG)
		return "File too large: is it the right one?";
	return strerror(err);
}

/*
 * All of fd, NUL-terminated; at most max bytes. room: bytes to begin with; enough of them, and
 * no copy is left behind by growing. NULL with errno.
 */
static char *read_all(int fd, size_t room, size_t max, size_t *len)
{
	char *text = mem_alloc(room + 1);
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, text + n, room - n)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		n += (size_t)got;
		if (n == room && room < max) {
			room = room < max / 2 ? 2 * room : max;
			text = mem_realloc(text, room + 1);
		}
	}
	if (got < 0 || n == max) {
		if (got == 0)
			errno = EFBIG;
		mem_wipe(text, n);
		mem_free(text);
		return NULL;
	}
	text[n] = '\0';
	*len = n;
	return text;
}

/* Fails with errno for what is no file, or one that is too long, before a byte is read. */
static bool file_check(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	if (S_ISDIR(st.st_mode))
		errno = EISDIR;
	else if (!S_ISREG(st.st_mode))
		errno = EINVAL;
	else if (st.st_size >= FILE_BYTES)
		errno = EFBIG;
	else
		return true;
	return false;
}

bool lines_open(struct lines *l, const char *path, char *why)
{
	/* Without O_NONBLOCK a FIFO would hang us, deaf to every signal. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*l = (struct lines){ .path = path, .why = why };
	if (fd >= 0 && file_check(fd))
		l->text = read_all(fd, LIMIT_CONFIG_LINE, FILE_BYTES, &l->len);
	if (!l->text)
		lines_fail(l, 0, "%s",
			fd >= 0 && errno == EINVAL ? "is no regular file" : read_error(errno));
	else if (span_starts(span_of(l->text, l->len), BOM))
		l->at = BOM.n;
	if (fd >= 0)
		close(fd);
	return !l->failed;
}

/* Without a comment. */
static struct span line_content(struct span line)
{
	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] == '#' && (i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
			line.n = i;
	}
	return span_trim(line);
}

/* What no message could repeat and no comparison would find: false, and said so. */
static bool line_readable(struct lines *l, struct span line)
{
	while (line.n) {
		uint32_t code;
		int n = chars_decode(line.p, line.n, &code);

		if (n <= 0) {
			lines_fail(l, l->line, "the line is not UTF-8: save the file as UTF-8");
			return false;
		}
		if ((code < 0x20 && code != '\t') || code == 0x7f) {
			lines_fail(l, l->line, "the line holds a control character (0x%02x)",
				(unsigned)code);
			return false;
		}
		line = span_skip(line, (size_t)n);
	}
	return true;
}

bool lines_next(struct lines *l, struct span *line)
{
	while (l->at < l->len && !l->failed) {
		struct span rest = span_of(l->text + l->at, l->len - l->at);

		rest.n = span_find(rest, '\n');
		l->at += rest.n + 1;
		l->line++;
		if (rest.n > LIMIT_CONFIG_LINE) {
			lines_fail(l, l->line, "the line is longer than %d bytes",
				LIMIT_CONFIG_LINE);
		} else if (span_find(rest, '\0') < rest.n) {
			lines_fail(l, l->line, "the line holds a NUL byte: is this a text file?");
		} else {
			*line = line_content(rest);
			if (line->n)
				return line_readable(l, *line);
		}
	}
	return false;
}

void lines_fail(struct lines *l, unsigned line, const char *fmt, ...)
{
	int n;
	va_list ap;

	if (l->failed)
		return;
	l->failed = true;
	if (line)
		n = snprintf(l->why, LINES_WHY, "%s:%u: ", l->path, line);
	else
		n = snprintf(l->why, LINES_WHY, "%s: ", l->path);
	/* With an absurd path there is no room for more. */
	if (n < 0 || n >= LINES_WHY)
		return;
	va_start(ap, fmt);
	vsnprintf(l->why + n, LINES_WHY - (size_t)n, fmt, ap);
	va_end(ap);
}

void lines_close(struct lines *l)
{
	mem_free(l->text);
	l->text = NULL;
}

struct span lines_word(struct span *rest)
{
	struct span word = *rest;
	size_t n = 0;

	while (n < word.n && word.p[n] != ' ' && word.p[n] != '\t')
		n++;
	word.n = n;
	*rest = n < rest->n ? span_trim(span_skip(*rest, n)) : span_of(rest->p, 0);
	return word;
}

/* -- secrets -- */

/* Always NULL. */
static char *secret_refused(char *why, const char *path, const char *cause)
{
	snprintf(why, LINES_WHY, "%s: %s", path, cause);
	return NULL;
}

static char *secret_read(int fd, const char *path, size_t *len, char *why)
{
	struct stat st;
	char *text;

	if (fstat(fd, &st) < 0)
		return secret_refused(why, path, read_error(errno));
	if (!S_ISREG(st.st_mode))
		return secret_refused(why, path, "is no regular file");
	if (st.st_mode & 0077) {
		snprintf(why, LINES_WHY,
			"%s: others than its owner have access (mode %04o): chmod 600 it", path,
			st.st_mode & 07777);
		return NULL;
	}
	text = read_all(fd, SECRET_BYTES, SECRET_BYTES, len);
	if (!text)
		return secret_refused(why, path, read_error(errno));
	/* It would be part of the first secret, and nobody would see it. */
	if (!span_starts(span_of(text, *len), BOM))
		return text;
	mem_wipe(text, *len);
	mem_free(text);
	return secret_refused(why, path, "begins with a byte order mark: save it without one");
}

char *lines_secret(const char *path, size_t *len, char *why)
{
	/* Without O_NONBLOCK a FIFO would hang us before we could see that it is one. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text;

	if (fd < 0)
		return secret_refused(why, path, read_error(errno));
	text = secret_read(fd, path, len, why);
	close(fd);
	return text;
}
