/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/base.h"

Test(base, bug_aborts, .signal = SIGABRT)
{
	dup2(open("/dev/null", O_WRONLY), 2);
	BUG_ON(1 + 1 == 2);
}

Test(base, bug_on_false_goes_on)
{
	int evaluated = 0;

	BUG_ON(evaluated++ != 0);
	cr_assert_eq(evaluated, 1);
}

Test(base, bug_says_where)
{
	char text[256];
	int fd[2];
	pid_t child;
	ssize_t n;

	cr_assert_eq(pipe(fd), 0);
	child = fork();
	if (child == 0) {
		dup2(fd[1], 2);
		bug("some/file.c", 42, "the_condition > 1");
	}
	close(fd[1]);
	waitpid(child, NULL, 0);
	n = read(fd[0], text, sizeof(text) - 1);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_assert_str_eq(text, "sluice: BUG at some/file.c:42: the_condition > 1\n");
}

Test(base, macros)
{
	struct {
		int a;
		char b[7];
	} s;
	char *b = s.b;

	cr_assert_eq(ARRAY_LEN(s.b), 7);
	cr_assert_eq((void *)container_of(b, __typeof__(s), b), (void *)&s);
}
