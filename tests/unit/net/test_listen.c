/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "fds.h"
#include "net/listen.h"

#define CLIENTS 200

struct rig {
	struct uring *uring;
	struct timer_wheel *wheel;
	struct listeners *listeners;
	struct listener *listener;
	unsigned accepted;
	unsigned stop_at; /* the callback asks for a stop at this many; 0: never */
	struct addr last;
};

static bool on_connection(void *ctx, int fd, const struct addr *peer)
{
	struct rig *r = ctx;

	cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	r->last = *peer;
	r->accepted++;
	return r->accepted != r->stop_at;
}

static struct addr loopback(const char *text)
{
	struct addr a;

	cr_assert(addr_parse(span_str(text), 0, &a));
	return a;
}

static void rig_start(struct rig *r, const char *at)
{
	struct uring_failure why;
	struct addr a = loopback(at);
	int err = 0;

	*r = (struct rig){ .uring = uring_open(NULL, &why) };
	cr_assert(r->uring, "%s", why.cause);
	r->wheel = timer_wheel_new(clock_ms());
	r->listeners = listeners_new(r->uring, r->wheel);
	r->listener = listener_open(r->listeners, &a, on_connection, r, &err);
	cr_assert(r->listener, "%d", err);
	cr_assert_neq(listener_addr(r->listener).port, 0);
}

static void rig_stop(struct rig *r)
{
	listeners_free(r->listeners);
	timer_wheel_free(r->wheel);
	uring_close(r->uring);
}

static void rig_turn(struct rig *r, uint32_t wait_ms)
{
	uint64_t now = clock_ms();

	uring_turn(r->uring, timer_wheel_next(r->wheel, now, wait_ms), 64, NULL, NULL);
	timer_wheel_run(r->wheel, clock_ms());
}

static void rig_until(struct rig *r, unsigned accepted)
{
	uint64_t end = clock_ms() + 10000;

	while (r->accepted < accepted && clock_ms() < end)
		rig_turn(r, 100);
	cr_assert_eq(r->accepted, accepted);
}

/* A blocking connect: the kernel's backlog takes it without our help. */
static int client(const struct addr *to)
{
	struct sockaddr_storage sa;
	unsigned len = addr_to_sockaddr(to, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	if (connect(fd, (struct sockaddr *)&sa, len) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

Test(listen, accepts_all_that_wait, .timeout = 60)
{
	struct rig r;
	int fds[CLIENTS];
	struct addr at, local;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	rig_start(&r, "127.0.0.1:0");
	at = listener_addr(r.listener);
	for (unsigned i = 0; i < CLIENTS; i++)
		cr_assert_geq(fds[i] = client(&at), 0);
	rig_until(&r, CLIENTS);
	cr_assert_eq(getsockname(fds[CLIENTS - 1], (struct sockaddr *)&sa, &len), 0);
	cr_assert(addr_from_sockaddr((struct sockaddr *)&sa, &local));
	cr_assert(addr_same_ip(&r.last, &local));
	rig_turn(&r, 10);
	cr_assert_eq(r.accepted, CLIENTS);
	for (unsigned i = 0; i < CLIENTS; i++)
		close(fds[i]);
	rig_stop(&r);
}

Test(listen, stops_when_told_and_goes_on, .timeout = 60)
{
	struct rig r;
	struct addr at;
	int fds[3];

	rig_start(&r, "127.0.0.1:0");
	r.stop_at = 1;
	at = listener_addr(r.listener);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_geq(fds[i] = client(&at), 0);
	rig_until(&r, 1);
	for (unsigned i = 0; i < 5; i++)
		rig_turn(&r, 10);
	cr_assert_eq(r.accepted, 1, "at the limit nothing is accepted");
	listener_rearm(r.listener);
	listener_rearm(r.listener);
	rig_until(&r, 3);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
	rig_stop(&r);
}

Test(listen, workers_share_a_port, .timeout = 60)
{
	struct rig r;
	struct listener *second;
	struct addr at;
	int err, fds[CLIENTS];

	rig_start(&r, "127.0.0.1:0");
	at = listener_addr(r.listener);
	second = listener_open(r.listeners, &at, on_connection, &r, &err);
	cr_assert_not_null(second);
	for (unsigned i = 0; i < CLIENTS; i++)
		cr_assert_geq(fds[i] = client(&at), 0);
	rig_until(&r, CLIENTS);
	for (unsigned i = 0; i < CLIENTS; i++)
		close(fds[i]);
	rig_stop(&r);
}

Test(listen, failure_has_its_errno, .timeout = 60)
{
	struct rig r;
	struct addr at = loopback("192.0.2.1:1");
	struct sockaddr_storage sa;
	int err = 0, fd;

	rig_start(&r, "127.0.0.1:0");
	cr_assert_null(listener_open(r.listeners, &at, on_connection, &r, &err));
	cr_assert_eq(err, -EADDRNOTAVAIL);
	/* A listener of a stranger's, who does not share. */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	at = loopback("127.0.0.1:0");
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, addr_to_sockaddr(&at, &sa)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &(socklen_t){ sizeof(sa) }), 0);
	cr_assert(addr_from_sockaddr((struct sockaddr *)&sa, &at));
	cr_assert_null(listener_open(r.listeners, &at, on_connection, &r, &err));
	cr_assert_eq(err, -EADDRINUSE);
	close(fd);
	rig_stop(&r);
}

Test(listen, any_address_is_for_both_families, .timeout = 60)
{
	struct rig r;
	struct addr at;
	int fd;

	rig_start(&r, "[::]:0");
	at = loopback("127.0.0.1:0");
	at.port = listener_addr(r.listener).port;
	cr_assert_geq(fd = client(&at), 0);
	rig_until(&r, 1);
	cr_assert(addr_is_v4(&r.last));
	close(fd);
	rig_stop(&r);
}

Test(listen, stopping_frees_the_port, .timeout = 60)
{
	struct rig r;
	struct addr at;
	unsigned before = fds_open();
	char own[32];
	int fd;

	/* An address that nobody else on this machine is given a port of, when ours is free again. */
	(void)snprintf(own, sizeof(own), "127.%u.%u.77:0", 1 + (unsigned)getpid() / 256 % 254,
		(unsigned)getpid() % 256);
	rig_start(&r, own);
	at = listener_addr(r.listener);
	rig_turn(&r, 0);
	listeners_stop(r.listeners);
	for (unsigned i = 0; i < 3; i++)
		rig_turn(&r, 10);
	fd = client(&at);
	cr_assert_lt(fd, 0);
	cr_assert_eq(errno, ECONNREFUSED);
	listener_rearm(r.listener);
	rig_stop(&r);
	cr_assert_eq(fds_open(), before);
}

/* All descriptors in use: it pauses, says so, does not spin, and goes on when there are some. */
Test(listen, survives_without_descriptors, .timeout = 60)
{
	struct rig r;
	struct rlimit limit, low;
	struct addr at;
	char said[4096] = "";
	int fds[2], log[2];
	uint64_t until, enters;

	rig_start(&r, "127.0.0.1:0");
	at = listener_addr(r.listener);
	rig_turn(&r, 0);
	cr_assert_geq(fds[0] = client(&at), 0);
	cr_assert_geq(fds[1] = client(&at), 0);
	cr_assert_eq(pipe2(log, O_NONBLOCK), 0);
	log_redirect(log[1]);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 3;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (until = clock_ms() + 10000; !listeners_failed(r.listeners) && clock_ms() < until;)
		rig_turn(&r, 50);
	enters = uring_stats(r.uring)->enters;
	for (until = clock_ms() + 350; clock_ms() < until;)
		rig_turn(&r, 50);
	cr_assert_leq(r.accepted, 1, "the accept in flight may have had its descriptor");
	cr_assert_lt(uring_stats(r.uring)->enters - enters, 40, "spins");
	cr_assert_gt(listeners_failed(r.listeners), 0);
	cr_assert_gt(read(log[0], said, sizeof(said) - 1), 0);
	cr_assert(strstr(said,
			  "error accept-failed: out of file descriptors: accepting pauses; "
			  "raise the limit of open files"),
		"%s", said);
	cr_assert(strstr(said, " listener=127.0.0.1:"), "%s", said);
	cr_assert(strstr(said, " error=\"Too many open files\""), "%s", said);
	cr_assert_null(strstr(said, "accept-resumed"), "%s", said);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	rig_until(&r, 2);
	memset(said, 0, sizeof(said));
	cr_assert_gt(read(log[0], said, sizeof(said) - 1), 0);
	cr_assert(strstr(said, "info accept-resumed: connections are accepted again listener="),
		"%s", said);
	close(fds[0]);
	close(fds[1]);
	rig_stop(&r);
}
