/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/child.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_NS (CHILD_STOP_S * NS_PER_S)

bool child_prepare(struct child *c)
{
	const char *tmp = getenv("TMPDIR");

	memset(c, 0, sizeof(*c));
	snprintf(c->dir, sizeof(c->dir), "%.80s/sluice-bench.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (mkdtemp(c->dir))
		return true;
	c->dir[0] = '\0';
	return false;
}

const char *child_path(const struct child *c, const char *name, char *text)
{
	snprintf(text, 256, "%s/%s", c->dir, name);
	return text;
}

bool child_write(struct child *c, const char *name, const char *fmt, ...)
{
	char path[256];
	int fd = open(child_path(c, name, path), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	va_list ap;
	bool ok;

	if (fd < 0)
		return false;
	va_start(ap, fmt);
	ok = vdprintf(fd, fmt, ap) >= 0;
	va_end(ap);
	return close(fd) == 0 && ok;
}

bool child_start(struct child *c, char *const *argv)
{
	char path[256];
	pid_t parent = getpid();

	child_path(c, "log", path);
	c->pid = fork();
	if (c->pid < 0) {
		c->pid = 0;
		return false;
	}
	if (c->pid)
		return true;
	/* The child. A bench that is killed must not leave a router behind. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	if (fd >= 0) {
		dup2(fd, 1);
		dup2(fd, 2);
		close(fd);
	}
	fd = open("/dev/null", O_RDONLY);
	if (fd >= 0) {
		dup2(fd, 0);
		close(fd);
	}
	execv(argv[0], argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

bool child_is_running(struct child *c)
{
	if (!c->pid)
		return false;
	if (waitpid(c->pid, &c->status, WNOHANG) != c->pid)
		return true;
	c->pid = 0;
	return false;
}

static bool address_answers(const struct address *a)
{
	int fd = address_connect(a), error = 0;
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(error);
	bool ok;

	if (fd < 0)
		return false;
	ok = poll(&pfd, 1, 1000) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
		!error;
	close(fd);
	return ok;
}

bool child_wait_listening(struct child *c, const struct address *a, unsigned timeout_s)
{
	uint64_t end = bench_now() + timeout_s * NS_PER_S;

	while (!address_answers(a)) {
		if (!child_is_running(c) || bench_now() > end)
			return false;
		/* Refused at once on loopback: do not spin while it starts. */
		poll(NULL, 0, 2);
	}
	return true;
}

bool child_stop(struct child *c)
{
	uint64_t end = bench_now() + STOP_NS;
	bool polite = true;

	if (!c->pid)
		return true;
	kill(c->pid, SIGTERM);
	while (child_is_running(c)) {
		if (bench_now() > end && polite) {
			polite = false;
			kill(c->pid, SIGKILL);
		}
		poll(NULL, 0, 5);
	}
	return polite;
}

const char *child_log(const struct child *c, char *text, size_t cap)
{
	char path[256];
	int fd = open(child_path(c, "log", path), O_RDONLY | O_CLOEXEC);
	const char *next;
	off_t size;
	ssize_t n = 0;

	text[0] = '\0';
	if (fd < 0)
		return text;
	size = lseek(fd, 0, SEEK_END);
	n = pread(fd, text, cap - 1, size > (off_t)cap - 1 ? size - (off_t)cap + 1 : 0);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	/* Not from the middle of a line on, unless there is no other. */
	next = size > n ? strchr(text, '\n') : NULL;
	if (next && next[1])
		memmove(text, next + 1, strlen(next));
	return text;
}

const char *child_end(const struct child *c, char *text)
{
	if (WIFSIGNALED(c->status))
		snprintf(text, 32, "signal %d", WTERMSIG(c->status));
	else
		snprintf(text, 32, "exit status %d", WEXITSTATUS(c->status));
	return text;
}

void child_reload(const struct child *c)
{
	if (c->pid)
		kill(c->pid, SIGHUP);
}

static int entry_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	(void)remove(path);
	return 0;
}

void child_remove(struct child *c)
{
	if (c->dir[0])
		nftw(c->dir, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
	c->dir[0] = '\0';
}
