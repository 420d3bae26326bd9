/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for Criterion where that cannot run: under ThreadSanitizer (README.md
 * says why). The unit tests are the same files, compiled with this folder in front
 * of the system's headers. What is here is what they use, and no more: a test that
 * needs another macro does not compile for `tsan` until it is added.
 *
 * Each test runs in a process of its own, forked before any thread exists, one
 * after the other: .init, the test, .fini. A failed cr_assert ends the process at
 * once, without .fini; a failed cr_expect lets the test go on and fail at its end.
 * Messages go to standard output. Their text is a literal format, as with Criterion.
 */
#ifndef SLUICE_RUNNER_CRITERION_H
#define SLUICE_RUNNER_CRITERION_H

#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct runner_options {
	void (*init)(void), (*fini)(void);
	int signal; /* the test ends by this signal, or with this status */
	int exit_code;
	unsigned timeout; /* unused: ctest has one for the program, and says how far it came */
};

/* A test, or (without `run`) what its suite says of all its tests. Never freed. */
struct runner_entry {
	const char *suite, *name;
	void (*run)(void);
	struct runner_options options;
	struct runner_entry *next;
};

void runner_add(struct runner_entry *entry);
__attribute__((noreturn, format(printf, 4, 5))) void runner_die(const char *file, int line,
	const char *what, const char *format, ...);
__attribute__((format(printf, 4, 5))) void runner_fail(const char *file, int line, const char *what,
	const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void runner_skip(const char *format, ...);

#define RUNNER_ENTRY(id, suite_, name_, run_, ...)                                                 \
	static struct runner_entry id = { suite_, name_, run_, { __VA_ARGS__ }, NULL };            \
	__attribute__((constructor)) static void id##_add(void)                                    \
	{                                                                                          \
		runner_add(&id);                                                                   \
	}

#define Test(suite, name, ...)                                                                     \
	static void suite##_##name##_test(void);                                                   \
	RUNNER_ENTRY(suite##_##name##_entry, #suite, #name, suite##_##name##_test, __VA_ARGS__)    \
	static void suite##_##name##_test(void)
#define TestSuite(suite, ...) RUNNER_ENTRY(suite##_suite, #suite, NULL, NULL, __VA_ARGS__)

/* `how` is runner_die or runner_fail. The blank: an empty format is a warning. */
#define RUNNER_CHECK(how, ok, what, ...)                                                           \
	do {                                                                                       \
		if (!(ok))                                                                         \
			how(__FILE__, __LINE__, what, " " __VA_ARGS__);                            \
	} while (0)
#define RUNNER_TWO(how, a, op, b, ...) RUNNER_CHECK(how, (a)op(b), #a " " #op " " #b, __VA_ARGS__)
#define RUNNER_STR(how, a, op, b, ...)                                                             \
	RUNNER_CHECK(how, strcmp(a, b) op 0, #a " " #op " " #b " (text)", __VA_ARGS__)

#define cr_assert(ok, ...) RUNNER_CHECK(runner_die, ok, #ok, __VA_ARGS__)
#define cr_assert_not(ok, ...) RUNNER_CHECK(runner_die, !(ok), "not " #ok, __VA_ARGS__)
#define cr_assert_null(p, ...) RUNNER_TWO(runner_die, p, ==, NULL, __VA_ARGS__)
#define cr_assert_not_null(p, ...) RUNNER_TWO(runner_die, p, !=, NULL, __VA_ARGS__)
#define cr_assert_eq(a, b, ...) RUNNER_TWO(runner_die, a, ==, b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) RUNNER_TWO(runner_die, a, !=, b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) RUNNER_TWO(runner_die, a, <, b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) RUNNER_TWO(runner_die, a, <=, b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) RUNNER_TWO(runner_die, a, >, b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) RUNNER_TWO(runner_die, a, >=, b, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) RUNNER_STR(runner_die, a, ==, b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...) RUNNER_STR(runner_die, a, !=, b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, size, ...)                                                          \
	RUNNER_CHECK(runner_die, memcmp(a, b, size) == 0, #a " == " #b " (bytes)", __VA_ARGS__)
#define cr_assert_fail(...) runner_die(__FILE__, __LINE__, "failed", " " __VA_ARGS__)

#define cr_expect(ok, ...) RUNNER_CHECK(runner_fail, ok, #ok, __VA_ARGS__)
#define cr_expect_not(ok, ...) RUNNER_CHECK(runner_fail, !(ok), "not " #ok, __VA_ARGS__)
#define cr_expect_null(p, ...) RUNNER_TWO(runner_fail, p, ==, NULL, __VA_ARGS__)
#define cr_expect_not_null(p, ...) RUNNER_TWO(runner_fail, p, !=, NULL, __VA_ARGS__)
#define cr_expect_eq(a, b, ...) RUNNER_TWO(runner_fail, a, ==, b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) RUNNER_TWO(runner_fail, a, !=, b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...) RUNNER_TWO(runner_fail, a, <, b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...) RUNNER_TWO(runner_fail, a, <=, b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...) RUNNER_TWO(runner_fail, a, >, b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...) RUNNER_TWO(runner_fail, a, >=, b, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) RUNNER_STR(runner_fail, a, ==, b, __VA_ARGS__)
#define cr_expect_str_neq(a, b, ...) RUNNER_STR(runner_fail, a, !=, b, __VA_ARGS__)
#define cr_expect_float_eq(a, b, within, ...)                                                      \
	RUNNER_CHECK(runner_fail, fabs((a) - (b)) <= (within), #a " == " #b, __VA_ARGS__)

#define cr_skip_test(...) runner_skip(" " __VA_ARGS__)
#define cr_log_info(...) printf(" " __VA_ARGS__), putchar('\n')

#endif
