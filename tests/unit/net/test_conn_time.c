/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers that do not answer, take or close in time: who has stalled, and when a connection is given
 * up. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn_rig.h"
#include "core/base/limits.h"

Test(conn_time, close_does_not_wait_for_ever, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	int peer;

	rig_single(&r, &e, &peer, 0, 0);
	cr_assert(end_write(&e, 1000, true));
	conn_close(e.conn, "good bye");
	rig_settle(&r);
	rig_pass(&r, TIMEOUT_CLOSE_MS - 2000);
	cr_assert_eq(e.closes, 0);
	rig_pass(&r, 2500);
	cr_assert_eq(e.closes, 1);
	cr_assert_eq(e.err, 0);
	close(peer);
	rig_stop(&r);
}

Test(conn_time, flush_at_close_is_bounded, .timeout = 60)
{
	struct rig r;
	struct end e = { .keep_unsent = true };
	int peer;

	rig_single(&r, &e, &peer, 4096, 4096);
	cr_assert(end_write(&e, 300000, true));
	conn_close(e.conn, "good bye");
	rig_settle(&r);
	rig_pass(&r, TIMEOUT_SEND_MS - 2000);
	cr_assert_eq(e.closes, 0);
	rig_pass(&r, 3000);
	cr_assert_eq(e.closes, 1);
	cr_assert_eq(e.err, -ETIMEDOUT);
	cr_assert(e.any_unsent);
	free(e.unsent);
	close(peer);
	rig_stop(&r);
}

Test(conn_time, connect_times_out, .timeout = 60)
{
	struct rig r;
	struct end e[2] = { 0 };
	struct deaf deaf;

	rig_start(&r, NULL);
	deaf_start(&deaf, "127.0.0.1");
	r.at = deaf.at;
	rig_settle(&r);
	end_dial(&r, &e[0]);
	end_dial(&r, &e[1]);
	rig_settle(&r);
	cr_assert_eq(e[0].connects, 0);
	conn_close(e[1].conn, "no longer wanted");
	cr_assert_eq(e[1].closes, 0);
	cr_assert(rig_until(&r, end_closed, &e[1]));
	cr_assert_eq(e[1].err, 0);
	rig_pass(&r, TIMEOUT_CONNECT_MS - 3000);
	cr_assert_eq(e[0].closes, 0);
	rig_pass(&r, 3500);
	cr_assert_eq(e[0].closes, 1);
	cr_assert_eq(e[0].err, -ETIMEDOUT);
	cr_assert_eq(e[0].connects, 0);
	deaf_stop(&deaf);
	rig_stop(&r);
}

Test(conn_time, stalled_peer_is_given_up, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	int peer;

	rig_single(&r, &e, &peer, 4096, 4096);
	cr_assert(end_write(&e, 300000, true));
	rig_settle(&r);
	for (unsigned t = 0; t < TIMEOUT_SEND_MS - 5000; t += 5000) {
		rig_pass(&r, 5000);
		cr_assert_eq(e.closes, 0, "after %u ms", t + 5000);
	}
	rig_pass(&r, TIMEOUT_SEND_MS / 2);
	cr_assert_eq(e.closes, 1);
	cr_assert_eq(e.err, -ETIMEDOUT);
	close(peer);
	rig_stop(&r);
}

/* A send of half a megabyte to a slow reader lasts longer than the time-out. */
Test(conn_time, slow_peer_is_not_given_up, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	char bytes[6000];
	int peer;

	rig_single(&r, &e, &peer, 4096, 4096);
	cr_assert(end_write(&e, 300000, true));
	rig_settle(&r);
	for (unsigned i = 0; i < 20; i++) {
		r.skew += TIMEOUT_SEND_MS / 3;
		cr_assert_gt(read(peer, bytes, sizeof(bytes)), 0);
		rig_settle(&r);
		cr_assert_eq(e.closes, 0);
	}
	end_by_abort(&e, peer);
	rig_stop(&r);
}

/* The peer reads all that there is. */
static bool is_writable(void *ctx)
{
	struct end *e = ctx;
	char bytes[65536];

	while (recv(*(int *)e->mine, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	return e->writables > 0;
}

/* Told once, and again only after the low mark. */
Test(conn_time, who_takes_nothing_has_stalled, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	int peer;

	rig_single(&r, &e, &peer, 4096, 4096);
	e.mine = &peer;
	conn_set_queue_marks(e.conn, 1000000, 1000);
	conn_set_stall(e.conn, 40000);
	for (unsigned round = 1; round <= 2; round++) {
		cr_assert(end_write(&e, 300000, true));
		rig_settle(&r);
		rig_pass(&r, 30000);
		cr_assert_eq(e.stalls, round - 1);
		cr_assert_not(conn_stalled(e.conn));
		/* Acknowledgements that the kernel delays may still come, and count. */
		for (unsigned i = 0; i < 10; i++) {
			rig_pass(&r, 12000);
			if (e.stalls == round)
				break;
		}
		cr_assert_eq(e.stalls, round, "%u in round %u", e.stalls, round);
		cr_assert(conn_stalled(e.conn));
		cr_assert_eq(e.writables, 0, "the queue is not at its low mark");
		cr_assert(end_write(&e, 1000, true), "it is far below the high one");
		rig_pass(&r, 1000);
		cr_assert_eq(e.stalls, round, "it is told once");
		cr_assert(rig_until(&r, is_writable, &e));
		cr_assert_not(conn_stalled(e.conn));
		cr_assert_eq(e.writables, 1);
		rig_settle(&r);
		e.writables = 0;
	}
	end_by_abort(&e, peer);
	rig_stop(&r);
}

/* A few bytes now and then are little, and are not nothing. */
Test(conn_time, who_takes_little_has_not_stalled, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	char bytes[6000];
	int peer;

	rig_single(&r, &e, &peer, 4096, 4096);
	conn_set_stall(e.conn, 40000);
	cr_assert(end_write(&e, 300000, true));
	rig_settle(&r);
	for (unsigned i = 0; i < 20; i++) {
		r.skew += 20000;
		cr_assert_gt(read(peer, bytes, sizeof(bytes)), 0);
		rig_settle(&r);
		cr_assert_eq(e.stalls, 0);
	}
	end_by_abort(&e, peer);
	rig_stop(&r);
}

/* Nothing waits: nothing can stall, however long it is silent. */
Test(conn_time, who_is_owed_nothing_has_not_stalled, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	char bytes[1000];
	int peer;

	rig_single(&r, &e, &peer, 0, 0);
	conn_set_stall(e.conn, 1000);
	cr_assert(end_write(&e, 1000, true));
	rig_settle(&r);
	cr_assert_eq(read(peer, bytes, sizeof(bytes)), sizeof(bytes));
	for (unsigned i = 0; i < 20; i++)
		rig_pass(&r, 20000);
	cr_assert_eq(e.stalls, 0);
	cr_assert_eq(e.closes, 0);
	end_by_abort(&e, peer);
	rig_stop(&r);
}
