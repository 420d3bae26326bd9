/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "net/uring.h"

/* Set-up flags that this "kernel" does not know: stands in for an old one. */
static unsigned unknown_flags;

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
	static int (*real)(unsigned, struct io_uring *, struct io_uring_params *);

	if (p->flags & unknown_flags)
		return -EINVAL;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "io_uring_queue_init_params");
	return real(entries, ring, p);
}

struct seen {
	unsigned count;
	struct uring_tag tag;
	int res;
	struct uring *again; /* the handler polls again there */
	int fd;
};

static void on_event(void *ctx, struct uring_tag tag, int res, uint32_t flags)
{
	struct seen *s = ctx;

	(void)flags;
	s->count++;
	s->tag = tag;
	s->res = res;
	if (s->again)
		uring_poll(s->again, tag, s->fd, POLLIN);
}

static struct uring *ring_new(const struct uring_opts *opts)
{
	struct uring_failure why;
	struct uring *u = uring_open(opts, &why);

	cr_assert(u, "%s / %s", why.cause, why.remedy);
	return u;
}

static void turns_until(struct uring *u, const unsigned *count, unsigned want)
{
	uint64_t end = clock_ms() + 10000;

	while (*count < want && clock_ms() < end)
		uring_turn(u, 100, 64, NULL, NULL);
	cr_assert_geq(*count, want);
}

static void works(struct uring *u)
{
	struct seen s = { 0 };
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	uring_handle(u, URING_POLL, on_event, &s);
	uring_poll(u, (struct uring_tag){ 0xfedcba98u, 0xabcdefu }, fds[0], POLLIN);
	uring_turn(u, 0, 64, NULL, NULL);
	cr_assert_eq(s.count, 0);
	cr_assert_eq(write(fds[1], "x", 1), 1);
	turns_until(u, &s.count, 1);
	cr_assert_eq(s.tag.index, 0xfedcba98u);
	cr_assert_eq(s.tag.gen, 0xabcdefu);
	cr_assert(s.res & POLLIN);
	close(fds[0]);
	close(fds[1]);
}

Test(uring, takes_the_best_rung, .timeout = 60)
{
	static const struct {
		unsigned unknown;
		enum uring_level level;
	} kernels[] = {
		{ 0, URING_DEFER },
		{ IORING_SETUP_DEFER_TASKRUN, URING_SINGLE },
		{ IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER, URING_COOP },
	};

	for (unsigned i = 0; i < ARRAY_LEN(kernels); i++) {
		struct uring *u;

		unknown_flags = kernels[i].unknown;
		u = ring_new(NULL);
		cr_assert_eq(uring_level(u), kernels[i].level);
		cr_assert_gt(strlen(uring_level_name(uring_level(u))), 0);
		works(u);
		uring_close(u);
	}
}

Test(uring, old_kernel_is_refused_in_words, .timeout = 60)
{
	struct uring_failure why;

	unknown_flags = IORING_SETUP_SUBMIT_ALL;
	cr_assert_null(uring_open(NULL, &why));
	cr_assert_eq(why.err, EINVAL);
	cr_assert(strstr(why.cause, "too old"), "%s", why.cause);
	cr_assert(strstr(why.remedy, "6.1"), "%s", why.remedy);
}

/* All system calls pass but io_uring_setup, as with Docker's profile. */
static bool forbid_setup(int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)err & SECCOMP_RET_DATA)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_LEN(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

/* What a forked child is told under the filter. */
static struct uring_failure refused_with(int err)
{
	struct uring_failure why = { 0 };
	int fds[2], status;
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		if (!forbid_setup(err))
			_exit(1);
		if (uring_open(NULL, &why) != NULL)
			_exit(2);
		_exit(write(fds[1], &why, sizeof(why)) == sizeof(why) ? 0 : 3);
	}
	close(fds[1]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child: %x", (unsigned)status);
	cr_assert_eq(read(fds[0], &why, sizeof(why)), sizeof(why));
	close(fds[0]);
	return why;
}

Test(uring, refusal_by_seccomp_is_explained, .timeout = 60)
{
	struct uring_failure why = refused_with(EPERM);

	cr_assert_eq(why.err, EPERM);
	cr_assert(strstr(why.cause, "Operation not permitted"), "%s", why.cause);
	cr_assert(strstr(why.cause, "kernel.io_uring_disabled="), "%s", why.cause);
	cr_assert(strstr(why.cause, "seccomp mode 2"), "%s", why.cause);
	cr_assert(strstr(why.cause, "Linux "), "%s", why.cause);
	if (strstr(why.cause, "kernel.io_uring_disabled=0"))
		cr_assert(strstr(why.remedy, "--security-opt seccomp="), "%s", why.remedy);
	else
		cr_assert(strstr(why.remedy, "sysctl"), "%s", why.remedy);
}

Test(uring, absence_is_explained, .timeout = 60)
{
	struct uring_failure why = refused_with(ENOSYS);

	cr_assert_eq(why.err, ENOSYS);
	cr_assert(strstr(why.cause, "no io_uring"), "%s", why.cause);
	cr_assert(strstr(why.remedy, "gVisor"), "%s", why.remedy);
}

/* How often this thread has gone to sleep; that others were given its processor does not count. */
static long sleeps(void)
{
	struct rusage use;

	cr_assert_eq(getrusage(RUSAGE_THREAD, &use), 0);
	return use.ru_nvcsw;
}

Test(uring, waits_as_long_as_it_is_told, .timeout = 60)
{
	struct uring *u = ring_new(NULL);
	uint64_t before = clock_ms();
	long slept = sleeps(), least = LONG_MAX;

	cr_assert_eq(uring_turn(u, 60, 64, NULL, NULL), 0);
	cr_assert_geq(clock_ms() - before, 59);
	cr_assert_gt(sleeps(), slept);
	/* One that waits sleeps each time; for memory a thread may have to now and then. */
	for (unsigned i = 0; i < 10; i++) {
		slept = sleeps();
		cr_assert_eq(uring_turn(u, 0, 64, NULL, NULL), 0);
		slept = sleeps() - slept;
		least = slept < least ? slept : least;
	}
	cr_assert_eq(least, 0, "told not to wait, it slept");
	cr_assert_eq(uring_stats(u)->enters, 11);
	uring_close(u);
}

/* Deferred task work runs in every turn, also in those that do not wait and submit nothing. */
Test(uring, turns_without_waiting_make_progress, .timeout = 60)
{
	struct uring *u = ring_new(NULL);
	struct seen s = { 0 };
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	uring_handle(u, URING_POLL, on_event, &s);
	uring_poll(u, (struct uring_tag){ 0, 1 }, fds[0], POLLIN);
	uring_turn(u, 0, 64, NULL, NULL);
	cr_assert_eq(write(fds[1], "x", 1), 1);
	for (unsigned i = 0; i < 100 && s.count == 0; i++)
		uring_turn(u, 0, 64, NULL, NULL);
	cr_assert_eq(s.count, 1);
	close(fds[0]);
	close(fds[1]);
	uring_close(u);
}

struct waker {
	struct uring *uring;
	_Atomic unsigned rung, heard;
};

/* Rings once for every time that the owner has woken up: a lost ring would stop both. */
static void *ring_often(void *arg)
{
	struct waker *w = arg;

	for (unsigned i = 1; i <= 5000; i++) {
		atomic_store(&w->rung, i);
		uring_wake(w->uring);
		while (atomic_load(&w->heard) != i)
			sched_yield();
	}
	return NULL;
}

/* Rings without a pause: its rings must not swallow the other one's. */
static void *ring_always(void *arg)
{
	struct waker *w = arg;

	while (atomic_load(&w->heard) < 5000)
		uring_wake(w->uring);
	return NULL;
}

Test(uring, no_wake_up_is_lost, .timeout = 60)
{
	struct waker w = { .uring = ring_new(NULL) };
	pthread_t thread, noise;

	cr_assert_eq(pthread_create(&thread, NULL, ring_often, &w), 0);
	cr_assert_eq(pthread_create(&noise, NULL, ring_always, &w), 0);
	while (atomic_load(&w.heard) < 5000) {
		unsigned rung;

		uring_turn(w.uring, 20000, 64, NULL, NULL);
		rung = atomic_load(&w.rung);
		if (rung != atomic_load(&w.heard))
			atomic_store(&w.heard, rung);
	}
	pthread_join(thread, NULL);
	pthread_join(noise, NULL);
	uring_close(w.uring);
}

Test(uring, full_submission_queue_loses_nothing, .timeout = 60)
{
	struct uring_opts opts = { .entries = 8, .completions = 16 };
	struct uring *u = ring_new(&opts);
	struct seen s = { 0 };
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	uring_handle(u, URING_POLL, on_event, &s);
	for (unsigned i = 0; i < 1000; i++)
		uring_poll(u, (struct uring_tag){ i, 1 }, fds[0], POLLOUT);
	cr_assert_gt(uring_stats(u)->sq_full, 0);
	turns_until(u, &s.count, 1000);
	uring_turn(u, 0, 64, NULL, NULL);
	cr_assert_eq(s.count, 1000);
	close(fds[0]);
	close(fds[1]);
	uring_close(u);
}

static bool always(void *ctx)
{
	(void)ctx;
	return true;
}

Test(uring, bounds_of_a_turn_hold, .timeout = 60)
{
	struct uring *u = ring_new(NULL);
	struct seen s = { 0 };
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	uring_handle(u, URING_POLL, on_event, &s);
	for (unsigned i = 0; i < 20; i++)
		uring_poll(u, (struct uring_tag){ i, 1 }, fds[0], POLLOUT);
	cr_assert_not(uring_pending(u));
	cr_assert_eq(uring_turn(u, 1000, 7, NULL, NULL), 7);
	cr_assert(uring_pending(u));
	cr_assert_eq(uring_turn(u, 1000, 7, always, NULL), 0, "asked before each");
	cr_assert_eq(s.count, 7);
	cr_assert_eq(uring_turn(u, 1000, 64, NULL, NULL), 13);
	cr_assert_not(uring_pending(u));
	close(fds[0]);
	close(fds[1]);
	uring_close(u);
}

Test(uring, handlers_may_queue_more, .timeout = 60)
{
	struct uring_opts opts = { .entries = 4, .completions = 8 };
	struct uring *u = ring_new(&opts);
	struct seen s = { .again = u };
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	s.fd = fds[0];
	cr_assert_eq(write(fds[1], "x", 1), 1);
	uring_handle(u, URING_POLL, on_event, &s);
	for (unsigned i = 0; i < 20; i++)
		uring_poll(u, (struct uring_tag){ i, 1 }, fds[0], POLLIN);
	turns_until(u, &s.count, 2000);
	close(fds[0]);
	close(fds[1]);
	uring_close(u);
}

Test(uring, cancelled_operation_completes, .timeout = 60)
{
	struct uring *u = ring_new(NULL);
	struct seen s = { 0 };
	struct uring_tag tag = { 5, 6 };
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	uring_handle(u, URING_POLL, on_event, &s);
	uring_poll(u, tag, fds[0], POLLIN);
	uring_turn(u, 0, 64, NULL, NULL);
	uring_cancel(u, URING_POLL, (struct uring_tag){ 5, 7 });
	uring_turn(u, 0, 64, NULL, NULL);
	cr_assert_eq(s.count, 0, "another generation was meant");
	uring_cancel(u, URING_POLL, tag);
	turns_until(u, &s.count, 1);
	cr_assert_eq(s.res, -ECANCELED);
	close(fds[0]);
	close(fds[1]);
	uring_close(u);
}

Test(uring, completion_without_a_handler_is_counted, .timeout = 60)
{
	struct uring *u = ring_new(NULL);

	uring_poll(u, (struct uring_tag){ 1, 1 }, -1, POLLIN);
	uring_turn(u, 1000, 64, NULL, NULL);
	cr_assert_geq(uring_stats(u)->unknown, 1);
	uring_close(u);
}
