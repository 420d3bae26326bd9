/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log_rig.h"

#include <criterion/criterion.h>
#include <sys/socket.h>

static int reader;

/* Each datagram is one write(2). */
void logged_start(enum log_level level, enum log_format format)
{
	int fd[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd), 0);
	reader = fd[0];
	log_redirect(fd[1]);
	log_setup(level, format);
}

const char *logged_line(void)
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
	return buf;
}

const char *logged_text(void)
{
	const char *l = logged_line();

	cr_assert_not_null(l);
	cr_assert(strlen(l) > 25 && l[23] == 'Z' && l[24] == ' ', "%s", l);
	return l + 25;
}

const char *logged_json(void)
{
	const char *l = logged_line();

	cr_assert_not_null(l);
	cr_assert_eq(strncmp(l, "{\"time\":\"20", 11), 0, "%s", l);
	cr_assert_eq(strncmp(l + 32, "Z\",", 3), 0, "%s", l);
	return l + 35;
}

void log_one(struct span v)
{
	struct log_site site = { 0 };
	struct log_field f = LF_SPAN("v", v);

	log_event(&site, LOG_WARN, "e", "t", &f, 1);
}
