/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/redirect.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUNNER_FAILED = 1, RUNNER_SKIPPED = 77 };

static struct runner_entry *first, **last = &first;
static _Atomic unsigned failures; /* of cr_expect in this process; any thread */

void runner_add(struct runner_entry *entry)
{
	*last = entry;
	last = &entry->next;
}

/* -- in the test's process -- */

static void tell(const char *file, int line, const char *what, const char *format, va_list args)
{
	flockfile(stdout);
	printf("%s:%d: %s:", file, line, what);
	vprintf(format, args);
	putchar('\n');
	fflush(stdout);
	funlockfile(stdout);
}

void runner_die(const char *file, int line, const char *what, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(file, line, what, format, args);
	va_end(args);
	_exit(RUNNER_FAILED);
}

void runner_fail(const char *file, int line, const char *what, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(file, line, what, format, args);
	va_end(args);
	failures++;
}

void runner_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	exit(RUNNER_SKIPPED);
}

void cr_redirect_stderr(void)
{
	FILE *kept = tmpfile();

	if (!kept || dup2(fileno(kept), STDERR_FILENO) < 0)
		runner_die(__FILE__, __LINE__, "tmpfile", " %m");
}

bool runner_stderr_is(const char *text)
{
	size_t len = strlen(text);
	char *got = calloc(1, len + 2); /* one more than wanted shows that there is more */
	ssize_t n;
	bool same;

	fflush(stderr);
	n = pread(STDERR_FILENO, got, len + 1, 0);
	same = n == (ssize_t)len && memcmp(got, text, len) == 0;
	free(got);
	return same;
}

static const struct runner_options *suite_options(const char *suite)
{
	static const struct runner_options none;

	for (struct runner_entry *e = first; e; e = e->next)
		if (!e->run && strcmp(e->suite, suite) == 0)
			return &e->options;
	return &none;
}

static void call(void (*f)(void))
{
	if (f)
		f();
}

/* By exit, not _exit: the sanitizer has the last word. */
static void test_run(const struct runner_entry *test)
{
	const struct runner_options *suite = suite_options(test->suite);

	call(suite->init);
	call(test->options.init);
	test->run();
	call(test->options.fini);
	call(suite->fini);
	exit(failures ? RUNNER_FAILED : 0);
}

/* -- in the program's own -- */

static bool ended_as_it_should(const struct runner_entry *test, int status)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == test->options.signal;
	return !test->options.signal && WEXITSTATUS(status) == test->options.exit_code;
}

static int test_wait(const struct runner_entry *test)
{
	pid_t child;
	int status;

	fflush(NULL);
	child = fork();
	if (child == 0)
		test_run(test);
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("runner");
		exit(2);
	}
	return status;
}

static bool chosen(const struct runner_entry *e, int argc, char **argv)
{
	if (!e->run)
		return false;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], e->name) == 0)
			return true;
	return argc == 1;
}

/* program [NAME...]: all tests, or those with these names. */
int main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0, skipped = 0;

	for (struct runner_entry *e = first; e; e = e->next) {
		int status;

		if (!chosen(e, argc, argv))
			continue;
		printf("%s.%s\n", e->suite, e->name);
		status = test_wait(e);
		if (WIFEXITED(status) && WEXITSTATUS(status) == RUNNER_SKIPPED) {
			skipped++;
		} else if (ended_as_it_should(e, status)) {
			passed++;
		} else {
			printf("%s.%s failed: %s %d\n", e->suite, e->name,
				WIFSIGNALED(status) ? "signal" : "status",
				WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
			failed++;
		}
	}
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed || passed + skipped == 0;
}
