/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/bufring.h"

#define GROUP 7

struct rig {
	struct uring *uring;
	struct bufring *ring;
	int fds[2];
	unsigned completions;
	int res;
	uint32_t flags;
};

static void on_recv(void *ctx, struct uring_tag tag, int res, uint32_t flags)
{
	struct rig *r = ctx;

	(void)tag;
	r->completions++;
	r->res = res;
	r->flags = flags;
}

static void rig_start(struct rig *r, unsigned count, unsigned size)
{
	struct uring_failure why;
	int err = 0;

	*r = (struct rig){ .uring = uring_open(NULL, &why) };
	cr_assert(r->uring, "%s", why.cause);
	r->ring = bufring_new(r->uring, GROUP, count, size, &err);
	cr_assert(r->ring, "%d", err);
	cr_assert_eq(bufring_size(r->ring), size);
	cr_assert_eq(bufring_group(r->ring), GROUP);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, r->fds), 0);
	uring_handle(r->uring, URING_RECV, on_recv, r);
}

static void rig_stop(struct rig *r)
{
	bufring_free(r->ring);
	uring_close(r->uring);
	close(r->fds[0]);
	close(r->fds[1]);
}

/* One receive; its buffer is taken. */
static struct span receive(struct rig *r)
{
	unsigned before = r->completions;

	uring_recv(r->uring, (struct uring_tag){ 0, 1 }, r->fds[0], GROUP, false);
	for (unsigned i = 0; i < 100 && r->completions == before; i++)
		uring_turn(r->uring, 100, 1, NULL, NULL);
	cr_assert_eq(r->completions, before + 1);
	return bufring_take(r->ring, r->res, r->flags);
}

Test(bufring, runs_dry_and_recovers, .timeout = 60)
{
	struct rig r;
	struct span a, b;

	rig_start(&r, 2, 100);
	cr_assert_eq(write(r.fds[1], "0123456789", 10), 10);
	a = receive(&r);
	cr_assert(span_is(a, "0123456789"));
	cr_assert_eq(write(r.fds[1], "abc", 3), 3);
	b = receive(&r);
	cr_assert(span_is(b, "abc"));
	cr_assert_neq(a.p, b.p);
	cr_assert_eq(write(r.fds[1], "xyz", 3), 3);
	cr_assert_null(receive(&r).p);
	cr_assert_eq(r.res, -ENOBUFS);
	bufring_put(r.ring, a);
	a = receive(&r);
	cr_assert(span_is(a, "xyz"));
	bufring_put(r.ring, a);
	bufring_put(r.ring, b);
	rig_stop(&r);
}

Test(bufring, pad_is_readable_and_nobodys, .timeout = 60)
{
	struct rig r;
	struct span held[4];
	char fill[100];

	rig_start(&r, 4, sizeof(fill));
	for (unsigned i = 0; i < 4; i++) {
		memset(fill, 'a' + (int)i, sizeof(fill));
		cr_assert_eq(write(r.fds[1], fill, sizeof(fill)), sizeof(fill));
		held[i] = receive(&r);
		cr_assert_eq(held[i].n, sizeof(fill));
	}
	for (unsigned i = 0; i < 4; i++) {
		memset((char *)(uintptr_t)held[i].p + held[i].n, 0xff, BUFRING_PAD);
		for (unsigned k = 0; k < sizeof(fill); k++)
			for (unsigned j = 0; j < 4; j++)
				cr_assert_eq(held[j].p[k], 'a' + (int)j);
	}
	for (unsigned i = 0; i < 4; i++)
		bufring_put(r.ring, held[i]);
	rig_stop(&r);
}

Test(bufring, index_wraps, .timeout = 60)
{
	struct rig r;

	rig_start(&r, 4, 64);
	for (uint32_t i = 0; i < 70000; i++) {
		struct span in;
		uint32_t got;

		cr_assert_eq(write(r.fds[1], &i, sizeof(i)), sizeof(i));
		in = receive(&r);
		cr_assert_eq(in.n, sizeof(i));
		memcpy(&got, in.p, sizeof(got));
		cr_assert_eq(got, i);
		bufring_put(r.ring, in);
	}
	rig_stop(&r);
}

/* Some kernels say that a buffer came although nothing was received: it must go back. */
Test(bufring, buffer_with_a_failure_is_taken, .timeout = 60)
{
	struct rig r;
	struct span in;

	rig_start(&r, 2, 64);
	in = bufring_take(r.ring, -ECONNRESET, URING_F_BUFFER | 1u << URING_F_BUFFER_SHIFT);
	cr_assert_not_null(in.p);
	cr_assert_eq(in.n, 0);
	bufring_put(r.ring, in);
	cr_assert_null(bufring_take(r.ring, 0, 0).p);
	rig_stop(&r);
}

Test(bufring, unknown_buffer_is_fatal, .timeout = 60, .signal = SIGABRT)
{
	struct rig r;

	rig_start(&r, 2, 64);
	bufring_take(r.ring, 1, URING_F_BUFFER | 2u << URING_F_BUFFER_SHIFT);
}

Test(bufring, giving_back_twice_is_fatal, .timeout = 60, .signal = SIGABRT)
{
	struct rig r;
	struct span in;

	rig_start(&r, 2, 64);
	in = bufring_take(r.ring, 1, URING_F_BUFFER);
	bufring_put(r.ring, in);
	bufring_put(r.ring, in);
}
