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

#define FILE_BYTES (1u << 28) /* a registry of some million lines */
#define SECRET_BYTES 65536

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

bool lines_open(struct lines *l, const char *path, char *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*l = (struct lines){ .path = path, .why = why };
	if (fd >= 0)
		l->text = read_all(fd, LIMIT_CONFIG_LINE, FILE_BYTES, &l->len);
	if (!l->text)
		lines_fail(l, 0, "%s", strerror(errno));
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
				return true;
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
		return secret_refused(why, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return secret_refused(why, path, "is no regular file");
	if (st.st_mode & 0077) {
		snprintf(why, LINES_WHY,
			"%s: others than its owner have access (mode %04o): chmod 600 it", path,
			st.st_mode & 07777);
		return NULL;
	}
	text = read_all(fd, SECRET_BYTES, SECRET_BYTES, len);
	return text ? text : secret_refused(why, path, strerror(errno));
}

char *lines_secret(const char *path, size_t *len, char *why)
{
	/* Without O_NONBLOCK a FIFO would hang us before we could see that it is one. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text;

	if (fd < 0)
		return secret_refused(why, path, strerror(errno));
	text = secret_read(fd, path, len, why);
	close(fd);
	return text;
}
