/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data through connections: order, loss, pauses, bounds. How they end: test_conn_end.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#include "conn_rig.h"

#define MEGABYTE (1u << 20)

static bool both_closed(void *ends)
{
	struct end *e = ends;

	return e[0].closes > 0 && e[1].closes > 0;
}

static void pour_until_back(struct end *e, char *p, size_t n)
{
	(void)p;
	(void)n;
	if (e->received == *(uint64_t *)e->mine)
		conn_close(e->conn, "test over");
}

Test(conn, echo_keeps_order, .timeout = 60)
{
	static uint64_t total = 16 * MEGABYTE;
	struct rig r;
	struct end e[2] = { { .on_connected = end_pour,
				    .on_writable = end_pour,
				    .mine = &total,
				    .on_input = pour_until_back },
		{ .on_input = end_echo } };

	rig_start(&r, NULL);
	r.accepted = &e[1];
	end_dial(&r, &e[0]);
	conn_set_queue_max(e[0].conn, 300000);
	cr_assert(rig_until(&r, both_closed, e));
	cr_assert_eq(e[0].received, total);
	cr_assert_eq(e[0].err, 0);
	cr_assert_eq(e[1].err, 0);
	cr_assert_eq(strcmp(e[0].why, "test over"), 0);
	cr_assert_gt(e[0].writables, 10);
	cr_assert_gt(e[1].largest, 4096, "big buffers are never used");
	cr_assert_eq(conns_stats(r.conns)->bytes_in, 2 * total);
	cr_assert_eq(conns_stats(r.conns)->bytes_out, 2 * total);
	cr_assert_lt(conns_stats(r.conns)->sends, e[0].written / 1000, "writes are not coalesced");
	rig_stop(&r);
}

Test(conn, addresses_are_told, .timeout = 60)
{
	struct rig r;
	struct end e[2] = { 0 };
	struct addr near, far;

	rig_start(&r, NULL);
	r.accepted = &e[1];
	end_dial(&r, &e[0]);
	cr_assert(addr_eq(conn_peer(e[0].conn), &r.at));
	rig_settle(&r);
	cr_assert_eq(e[0].connects, 1);
	cr_assert_eq(r.n_accepted, 1);
	near = conn_local(e[0].conn);
	far = *conn_peer(e[1].conn);
	cr_assert(addr_eq(&near, &far));
	conn_close(e[0].conn, "done");
	cr_assert(rig_until(&r, both_closed, e));
	rig_stop(&r);
}

/* Input and further output while a send is in flight must not start another one. */
Test(conn, one_send_at_a_time, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	struct reader p = { .want = 320000 };
	char bytes[20];

	rig_single(&r, &e, &p.fd, 4096, 4096);
	cr_assert(end_write(&e, 300000, true));
	rig_settle(&r);
	for (unsigned i = 0; i < 20; i++) {
		bytes_fill(bytes, sizeof(bytes), i * sizeof(bytes));
		cr_assert(end_write(&e, 1000, true));
		cr_assert_eq(write(p.fd, bytes, sizeof(bytes)), sizeof(bytes));
		rig_settle(&r);
	}
	cr_assert_eq(e.received, 20 * sizeof(bytes));
	cr_assert_eq(conns_stats(r.conns)->sends, 1);
	cr_assert(rig_until(&r, reader_has, &p));
	rig_settle(&r);
	cr_assert_eq(conns_stats(r.conns)->sends, 2);
	end_by_peer(&e, p.fd);
	rig_stop(&r);
}

Test(conn, tiny_socket_buffers_lose_nothing, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	struct reader p = { .want = MEGABYTE };

	rig_single(&r, &e, &p.fd, 4096, 4096);
	for (unsigned i = 0; i < MEGABYTE / 1024; i++)
		cr_assert(end_write(&e, 1024, true));
	cr_assert_eq(conn_queued(e.conn), MEGABYTE);
	cr_assert(rig_until(&r, reader_has, &p));
	cr_assert_eq(p.got, MEGABYTE);
	rig_settle(&r);
	cr_assert_eq(conn_queued(e.conn), 0);
	end_by_peer(&e, p.fd);
	rig_stop(&r);
}

Test(conn, pause_with_a_receive_in_flight_keeps_input, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	char bytes[50000];
	int peer;

	bytes_fill(bytes, sizeof(bytes), 0);
	rig_single(&r, &e, &peer, 0, 0);
	rig_settle(&r); /* the receive is in flight now */
	conn_pause(e.conn);
	cr_assert_eq(write(peer, bytes, sizeof(bytes)), sizeof(bytes));
	rig_settle(&r);
	cr_assert_eq(e.inputs, 1, "a receive was in flight");
	cr_assert_leq(e.received, 4096, "more than a buffer while paused");
	cr_assert_not(conns_dirty(r.conns), "a paused connection keeps the worker awake");
	conn_resume(e.conn);
	cr_assert_eq(e.inputs, 1, "input from inside a call");
	cr_assert(conns_dirty(r.conns));
	rig_settle(&r);
	cr_assert_eq(e.received, sizeof(bytes));
	conn_pause(e.conn);
	conn_resume(e.conn);
	conn_pause(e.conn);
	rig_settle(&r);
	conn_resume(e.conn);
	end_by_peer(&e, peer);
	cr_assert_eq(e.err, 0);
	rig_stop(&r);
}

static void pause_self(struct end *e, char *p, size_t n)
{
	(void)p;
	(void)n;
	conn_pause(e->conn);
}

struct pausing {
	struct end *sender, *receiver;
	uint64_t total;
};

static bool all_through(void *ctx)
{
	struct pausing *p = ctx;

	if (conn_paused(p->receiver->conn) && rng() % 3)
		conn_resume(p->receiver->conn);
	else if (rng() % 5 == 0)
		conn_pause(p->receiver->conn);
	return p->receiver->received == p->total;
}

Test(conn, random_pauses_lose_nothing, .timeout = 60)
{
	static uint64_t total = 2 * MEGABYTE;
	struct rig r;
	struct end e[2] = { { .on_connected = end_pour, .on_writable = end_pour, .mine = &total },
		{ .on_input = pause_self } };
	struct pausing p = { &e[0], &e[1], total };

	rig_start(&r, NULL);
	r.accepted = &e[1];
	end_dial(&r, &e[0]);
	conn_set_queue_max(e[0].conn, 200000);
	rig_settle(&r);
	cr_assert(rig_until(&r, all_through, &p));
	conn_resume(e[1].conn);
	conn_close(e[0].conn, "done");
	cr_assert(rig_until(&r, both_closed, e));
	rig_stop(&r);
}

Test(conn, queue_max_refuses_and_writable_follows, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	struct reader p = { .want = UINT64_MAX };

	rig_single(&r, &e, &p.fd, 4096, 4096);
	conn_set_queue_max(e.conn, 1200000);
	while (end_write(&e, 1000, true))
		;
	cr_assert_eq(e.written, 1200000);
	rig_settle(&r);
	cr_assert_not(end_write(&e, 700000, true));
	cr_assert(conn_say(e.conn, SPAN_LIT("")));
	/* A send takes about half a megabyte: after the first more than a quarter is left. */
	p.want = 600000;
	cr_assert(rig_until(&r, reader_has, &p));
	rig_settle(&r);
	cr_assert_lt(conn_queued(e.conn), 1200000);
	cr_assert_gt(conn_queued(e.conn), 300000);
	cr_assert_eq(e.writables, 0);
	p.want = 1200000;
	cr_assert(rig_until(&r, reader_has, &p));
	rig_settle(&r);
	cr_assert_eq(e.writables, 1);
	cr_assert(end_write(&e, 1000, true));
	end_by_abort(&e, p.fd);
	rig_stop(&r);
}

Test(conn, saying_is_above_the_bound, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	char got[64];
	int peer;

	rig_single(&r, &e, &peer, 0, 0);
	conn_set_queue_max(e.conn, 10);
	cr_assert_not(end_write(&e, 11, true));
	cr_assert(conn_say(e.conn, SPAN_LIT("</stream:stream>")));
	conn_close(e.conn, "done");
	cr_assert_not(conn_say(e.conn, SPAN_LIT("more")));
	cr_assert_not(end_write(&e, 1, true));
	rig_settle(&r);
	cr_assert_eq(read(peer, got, sizeof(got)), 16);
	end_by_peer(&e, peer);
	rig_stop(&r);
}

static void fill_budget(struct end *e)
{
	while (e->written < *(uint64_t *)e->mine && end_write(e, 1000, true))
		;
}

/* Who is refused for want of budget hears of it when there is some, even with an empty queue. */
Test(conn, budget_is_shared_and_comes_back, .timeout = 60)
{
	static uint64_t total = 1000 * 1000;
	static const struct conns_opts opts = { .max = 10,
		.bufs = 8,
		.buf_size = 4096,
		.big_bufs = 4,
		.big_size = 8192,
		.mem_budget = 20 * 32768 };
	struct rig r;
	struct end greedy = { .mine = &total, .on_writable = fill_budget };
	struct end modest = { 0 };
	struct reader p = { .want = 1000 * 1000 };
	int other;

	rig_start(&r, &opts);
	end_plain(&r, &greedy, &p.fd, 4096, 4096);
	end_plain(&r, &modest, &other, 0, 0);
	fill_budget(&greedy);
	cr_assert_gt(greedy.written, 600000);
	cr_assert_lt(greedy.written, total);
	cr_assert_not(end_write(&modest, 5000, true));
	rig_settle(&r);
	cr_assert_eq(modest.writables, 0);
	cr_assert(rig_until(&r, reader_has, &p));
	cr_assert_eq(p.got, total);
	cr_assert_eq(modest.writables, 1);
	cr_assert(end_write(&modest, 5000, true));
	end_by_peer(&greedy, p.fd);
	end_by_peer(&modest, other);
	rig_stop(&r);
}

#define MANY 50

struct crowd {
	struct end ends[2 * MANY];
	unsigned n;
	uint64_t each;
};

static bool crowd_fed(void *ctx)
{
	struct crowd *c = ctx;

	for (unsigned i = 0; i < MANY; i++)
		if (c->ends[MANY + i].received != c->each)
			return false;
	return true;
}

Test(conn, two_buffers_are_enough, .timeout = 60)
{
	static const struct conns_opts opts = { .max = 2 * MANY,
		.bufs = 2,
		.buf_size = 1024,
		.big_bufs = 2,
		.big_size = 2048,
		.mem_budget = 64u << 20 };
	static struct crowd c = { .each = 20000 };
	struct rig r;

	rig_start(&r, &opts);
	r.accepted = &c.ends[MANY];
	for (unsigned i = 0; i < MANY; i++)
		end_dial(&r, &c.ends[i]);
	rig_settle(&r);
	cr_assert_eq(r.n_accepted, MANY);
	for (unsigned i = 0; i < MANY; i++)
		cr_assert(end_write(&c.ends[i], 20000, true));
	cr_assert(rig_until(&r, crowd_fed, &c));
	cr_assert_gt(conns_stats(r.conns)->no_buffers, 0, "the ring never ran dry");
	for (unsigned i = 0; i < MANY; i++)
		conn_close(c.ends[i].conn, "done");
	rig_stop(&r);
}

Test(conn, limit_is_kept, .timeout = 60)
{
	static const struct conns_opts opts = { .max = 2,
		.bufs = 4,
		.buf_size = 1024,
		.big_bufs = 2,
		.big_size = 2048,
		.mem_budget = MEGABYTE };
	struct rig r;
	struct end e[2] = { 0 };
	unsigned before;
	int fds[2], err = 0;

	rig_start(&r, &opts);
	cr_assert_eq(conns_max(r.conns), 2);
	r.accepted = &e[1];
	end_dial(&r, &e[0]);
	rig_settle(&r);
	cr_assert_eq(conns_count(r.conns), 2);
	before = fds_open();
	tcp_pair(fds, 0, 0);
	cr_assert_null(conn_adopt(r.conns, fds[0], &r.at, &rig_ops, NULL));
	close(fds[1]);
	cr_assert_null(conn_dial(r.conns, &r.at, &rig_ops, NULL, rig_now(&r), &err));
	cr_assert_eq(err, -EUSERS);
	cr_assert_eq(fds_open(), before);
	conn_close(e[0].conn, "done");
	rig_stop(&r);
}

Test(conn, turn_bytes_are_those_of_the_turn, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	char bytes[100];
	int peer;

	bytes_fill(bytes, sizeof(bytes), 0);
	rig_single(&r, &e, &peer, 0, 0);
	rig_settle(&r);
	cr_assert_eq(write(peer, bytes, sizeof(bytes)), sizeof(bytes));
	while (e.received == 0)
		uring_turn(r.uring, 1000, 10, NULL, NULL);
	cr_assert_eq(conns_turn_bytes(r.conns), sizeof(bytes));
	conns_flush(r.conns, rig_now(&r));
	cr_assert_eq(conns_turn_bytes(r.conns), 0);
	end_by_peer(&e, peer);
	rig_stop(&r);
}
