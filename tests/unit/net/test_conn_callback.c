/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What callbacks may do with connections: end them, dial others, give the socket away. */
#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#include "conn_rig.h"

/* -- ended -- */

static void abort_self(struct end *e, char *p, size_t n)
{
	(void)p;
	(void)n;
	conn_abort(e->conn, -EPROTO, "did not like it");
	cr_assert_eq(e->closes, 0);
}

static void abort_other(struct end *e, char *p, size_t n)
{
	struct end *other = e->mine;

	(void)p;
	(void)n;
	if (other->conn)
		conn_abort(other->conn, -EPROTO, "the other one's fault");
}

static void dial_again(struct end *e)
{
	struct end *next = e->mine;

	if (next)
		end_dial(e->rig, next);
}

static void answer_and_close(struct end *e, char *p, size_t n)
{
	struct span s = span_of(p, n);

	cr_assert(conn_write(e->conn, &s, 1, true));
	conn_close(e->conn, "answered");
}

Test(conn_callback, callback_aborts_its_own_connection, .timeout = 60)
{
	struct rig r;
	struct end e = { .on_input = abort_self };
	char bytes[100];
	int peer;

	rig_single(&r, &e, &peer, 0, 0);
	bytes_fill(bytes, sizeof(bytes), 0);
	cr_assert_eq(write(peer, bytes, sizeof(bytes)), sizeof(bytes));
	cr_assert(rig_until(&r, end_closed, &e));
	cr_assert_eq(e.inputs, 1);
	cr_assert_eq(e.err, -EPROTO);
	cr_assert_eq(read(peer, bytes, sizeof(bytes)), -1);
	cr_assert_eq(errno, ECONNRESET);
	close(peer);
	rig_stop(&r);
}

Test(conn_callback, callback_aborts_another, .timeout = 60)
{
	struct rig r;
	struct end e[2] = { { .on_input = abort_other, .mine = &e[1] },
		{ .on_input = abort_other, .mine = &e[0] } };
	char bytes[100];
	int peer[2];

	rig_single(&r, &e[0], &peer[0], 0, 0);
	end_plain(&r, &e[1], &peer[1], 0, 0);
	rig_settle(&r);
	bytes_fill(bytes, sizeof(bytes), 0);
	/* Both have input in the same turn: the first kills the second. */
	cr_assert_eq(write(peer[0], bytes, sizeof(bytes)), sizeof(bytes));
	cr_assert_eq(write(peer[1], bytes, sizeof(bytes)), sizeof(bytes));
	rig_settle(&r);
	cr_assert_eq(e[0].inputs + e[1].inputs, 1);
	cr_assert_eq(e[0].closes + e[1].closes, 1);
	for (unsigned i = 0; i < 2; i++) {
		end_by_peer(&e[i], peer[i]);
	}
	rig_stop(&r);
}

Test(conn_callback, closed_may_dial_again, .timeout = 60)
{
	struct rig r;
	struct end second = { 0 };
	struct end first = { .on_closed = dial_again, .mine = &second };
	struct end servers[2] = { 0 };

	rig_start(&r, NULL);
	r.accepted = servers;
	end_dial(&r, &first);
	rig_settle(&r);
	conn_abort(first.conn, -ECANCELED, "try again");
	cr_assert(rig_until(&r, end_closed, &first));
	rig_settle(&r);
	cr_assert_eq(second.connects, 1);
	cr_assert_eq(first.closes, 1);
	conn_close(second.conn, "done");
	cr_assert(rig_until(&r, end_closed, &second));
	rig_stop(&r);
}

Test(conn_callback, input_may_answer_and_close, .timeout = 60)
{
	struct rig r;
	struct end e = { .on_input = answer_and_close };
	struct reader p = { 0 };
	char bytes[100];

	rig_single(&r, &e, &p.fd, 0, 0);
	bytes_fill(bytes, sizeof(bytes), 0);
	cr_assert_eq(write(p.fd, bytes, sizeof(bytes)), sizeof(bytes));
	cr_assert(rig_until(&r, reader_at_end, &p));
	cr_assert_eq(p.got, sizeof(bytes));
	end_by_peer(&e, p.fd);
	cr_assert_eq(e.err, 0);
	rig_stop(&r);
}

/* -- given away -- */

static void give_away(struct end *e, char *p, size_t n)
{
	int *fd = e->mine;

	(void)p;
	(void)n;
	*fd = conn_give(e->conn);
	cr_assert(conn_closing(e->conn));
	cr_assert_eq(conn_give(e->conn), -1, "only once");
}

/* The socket goes on elsewhere; of the connection nothing is left but its end, in order. */
Test(conn_callback, give_takes_the_socket_away, .timeout = 60)
{
	struct rig r;
	struct end first = { .on_input = give_away }, second = { 0 };
	struct reader p = { 0 };
	char bytes[3000];
	int given = -1;
	unsigned open;

	rig_single(&r, &first, &p.fd, 0, 0);
	first.mine = &given;
	rig_settle(&r);
	open = fds_open();
	bytes_fill(bytes, sizeof(bytes), 0);
	cr_assert_eq(write(p.fd, bytes, 1000), 1000);
	cr_assert(rig_until(&r, end_closed, &first));
	cr_assert_eq(first.err, 0);
	cr_assert_eq(first.inputs, 1);
	cr_assert_geq(given, 0);
	cr_assert_eq(fds_open(), open, "it is still open");
	cr_assert_eq(conns_count(r.conns), 0);

	end_adopt(&r, &second, given);
	second.received = first.received; /* and goes on where it was */
	cr_assert_eq(write(p.fd, bytes + 1000, 2000), 2000);
	cr_assert(end_write(&second, 5000, true));
	rig_settle(&r);
	cr_assert_eq(second.received, 3000);
	conn_close(second.conn, "good bye");
	cr_assert(rig_until(&r, reader_at_end, &p));
	cr_assert_eq(p.got, 5000);
	end_by_peer(&second, p.fd);
	cr_assert_eq(fds_open(), open - 2);
	rig_stop(&r);
}

static void close_and_give(struct end *e, char *p, size_t n)
{
	int *fd = e->mine;

	(void)p;
	(void)n;
	conn_abort(e->conn, 0, "it was its time");
	*fd = conn_give(e->conn);
}

Test(conn_callback, one_that_ends_is_not_given, .timeout = 60)
{
	struct rig r;
	struct end e = { .on_input = close_and_give };
	int peer, given = 0;

	rig_single(&r, &e, &peer, 0, 0);
	e.mine = &given;
	rig_settle(&r);
	cr_assert_eq(write(peer, "\0", 1), 1);
	cr_assert(rig_until(&r, end_closed, &e));
	cr_assert_eq(given, -1);
	close(peer);
	rig_stop(&r);
}
