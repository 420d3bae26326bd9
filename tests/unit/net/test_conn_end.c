/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How connections end: orderly, by the peer, by both at all moments. By time: test_conn_time.c; in
 * callbacks: test_conn_callback.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn_rig.h"

Test(conn_end, close_sends_all_that_is_queued, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	struct reader p = { 0 };
	char noise[30000];

	rig_single(&r, &e, &p.fd, 8192, 8192);
	bytes_fill(noise, sizeof(noise), 0);
	rig_settle(&r);
	for (unsigned i = 0; i < 300; i++)
		cr_assert(end_write(&e, 10000, true));
	conn_close(e.conn, "good bye");
	cr_assert(conn_closing(e.conn));
	/* Unread input at the time of close(2) would make the kernel reset the connection. */
	cr_assert_gt(write(p.fd, noise, sizeof(noise)), 0);
	cr_assert(rig_until(&r, reader_at_end, &p));
	cr_assert_eq(p.got, 3000000);
	cr_assert_eq(e.inputs, 0);
	rig_settle(&r);
	cr_assert_eq(e.closes, 0, "the peer has not closed yet");
	end_by_peer(&e, p.fd);
	cr_assert_eq(e.err, 0);
	cr_assert_eq(strcmp(e.why, "good bye"), 0);
	rig_stop(&r);
}

Test(conn_end, close_while_paused, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	struct reader p = { 0 };
	char noise[3000];

	rig_single(&r, &e, &p.fd, 0, 0);
	bytes_fill(noise, sizeof(noise), 0);
	rig_settle(&r);
	conn_pause(e.conn);
	cr_assert_eq(write(p.fd, noise, sizeof(noise)), sizeof(noise));
	rig_settle(&r);
	conn_resume(e.conn);
	conn_pause(e.conn);
	conn_resume(e.conn);
	conn_close(e.conn, "good bye");
	cr_assert(rig_until(&r, reader_at_end, &p));
	end_by_peer(&e, p.fd);
	cr_assert_leq(e.inputs, 1, "more than was in flight");
	cr_assert_eq(e.err, 0);
	rig_stop(&r);
}

Test(conn_end, peer_closes, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	int peer;

	rig_single(&r, &e, &peer, 0, 0);
	rig_settle(&r);
	end_by_peer(&e, peer);
	cr_assert_eq(e.err, 0);
	cr_assert_eq(strcmp(e.why, "the peer closed the connection"), 0);
	rig_stop(&r);
}

/* Both have said good bye: the peer's FIN came before our last bytes were out. */
Test(conn_end, end_of_input_does_not_stop_the_flush, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	struct reader p = { 0 };

	rig_single(&r, &e, &p.fd, 8192, 8192);
	cr_assert(end_write(&e, 500000, true));
	conn_close(e.conn, "good bye");
	rig_settle(&r);
	cr_assert_eq(shutdown(p.fd, SHUT_WR), 0);
	rig_settle(&r);
	cr_assert_eq(e.closes, 0);
	cr_assert(rig_until(&r, reader_at_end, &p));
	cr_assert_eq(p.got, 500000);
	cr_assert(rig_until(&r, end_closed, &e));
	cr_assert_eq(e.err, 0);
	close(p.fd);
	rig_stop(&r);
}

Test(conn_end, reset_returns_what_was_not_sent, .timeout = 60)
{
	static const char *const header = "<stream:stream>";
	struct rig r;
	struct end e = { .keep_unsent = true };
	char got[5000];
	int peer;
	uint64_t before, marks[300], out;
	unsigned first = 0;

	rig_single(&r, &e, &peer, 4096, 4096);
	cr_assert(conn_say(e.conn, span_str(header)));
	for (unsigned i = 0; i < ARRAY_LEN(marks); i++) {
		marks[i] = e.written;
		cr_assert(end_write(&e, 1000 + i, true));
	}
	rig_settle(&r);
	cr_assert_gt(read(peer, got, sizeof(got)), 0);
	cr_assert_eq(memcmp(got, header, strlen(header)), 0);
	rig_settle(&r);
	tcp_reset(peer);
	cr_assert(rig_until(&r, end_closed, &e));
	cr_assert(e.err == -ECONNRESET || e.err == -EPIPE, "%d: %s", e.err, e.why);
	cr_assert(e.any_unsent);
	/* A suffix of the stream that begins with a stanza, the first unsent one or earlier. */
	before = e.written - e.unsent_len;
	cr_assert(bytes_good(e.unsent, e.unsent_len, before));
	while (first < ARRAY_LEN(marks) && marks[first] != before)
		first++;
	cr_assert_lt(first, ARRAY_LEN(marks), "begins in the middle of a stanza");
	out = conns_stats(r.conns)->bytes_out - strlen(header);
	cr_assert_geq(before + e.handed, out);
	cr_assert_leq(before, out);
	cr_assert_eq(before + e.handed, out, "what the kernel took is known to the byte");
	free(e.unsent);
	rig_stop(&r);
}

Test(conn_end, nothing_sent_returns_all_stanzas, .timeout = 60)
{
	struct rig r;
	struct end e = { .keep_unsent = true };
	int peer;

	rig_single(&r, &e, &peer, 0, 0);
	cr_assert(conn_say(e.conn, SPAN_LIT("<header>")));
	cr_assert(end_write(&e, 100, true));
	cr_assert(end_write(&e, 100000, true));
	conn_abort(e.conn, -ECANCELED, "changed my mind");
	cr_assert_eq(e.closes, 0, "from inside a call");
	conn_abort(e.conn, -EIO, "again");
	cr_assert(rig_until(&r, end_closed, &e));
	cr_assert_eq(e.err, -ECANCELED);
	cr_assert_eq(strcmp(e.why, "changed my mind"), 0);
	cr_assert(e.any_unsent);
	cr_assert_eq(e.handed, 0);
	cr_assert_eq(e.unsent_len, 100100);
	cr_assert(bytes_good(e.unsent, e.unsent_len, 0));
	free(e.unsent);
	close(peer);
	rig_stop(&r);
}

Test(conn_end, refused, .timeout = 60)
{
	struct rig r;
	struct end e = { .keep_unsent = true };

	rig_start(&r, NULL);
	rig_turn(&r, 0);
	listeners_stop(r.listeners);
	rig_settle(&r);
	end_dial(&r, &e);
	cr_assert(end_write(&e, 10, true));
	cr_assert(rig_until(&r, end_closed, &e));
	cr_assert_eq(e.connects, 0);
	cr_assert_eq(e.err, -ECONNREFUSED);
	cr_assert(e.any_unsent);
	free(e.unsent);
	rig_stop(&r);
}

/* A completion of a former life of the slot; its buffer must come back. */
Test(conn_end, stale_completion_is_counted, .timeout = 60)
{
	static const struct conns_opts opts = { .max = 4,
		.bufs = 2,
		.buf_size = 1024,
		.big_bufs = 2,
		.big_size = 2048,
		.mem_budget = 1u << 20 };
	struct rig r;
	struct end e = { 0 };
	char bytes[500];
	int old[2], peer;

	rig_start(&r, &opts);
	end_plain(&r, &e, &peer, 0, 0);
	rig_settle(&r);
	tcp_pair(old, 0, 0);
	for (unsigned i = 1; i <= 10; i++) {
		/* No connection has generation 0. Slot 0 is in use, slot 200 not, 5000 is none. */
		static const uint32_t slots[] = { 0, 200, 5000 };

		cr_assert_eq(write(old[1], "late", 4), 4);
		uring_recv(r.uring, (struct uring_tag){ slots[i % 3], 0 }, old[0], 1, false);
		rig_settle(&r);
		cr_assert_eq(conns_stats(r.conns)->stale, i);
	}
	cr_assert_eq(e.inputs, 0);
	bytes_fill(bytes, sizeof(bytes), 0);
	cr_assert_eq(write(peer, bytes, sizeof(bytes)), sizeof(bytes));
	rig_settle(&r);
	cr_assert_eq(e.received, sizeof(bytes), "the buffers are lost");
	close(old[0]);
	close(old[1]);
	end_by_peer(&e, peer);
	rig_stop(&r);
}

static void write_much(struct end *e)
{
	cr_assert(end_write(e, 1 + rng() % 60000, true));
}

static bool many_closed(void *ctx)
{
	struct end *e = ctx;
	unsigned open = 0;

	for (unsigned i = 0; i < 40; i++)
		open += e[i].conn != NULL;
	return open == 0;
}

/* All ways to end it at all moments, slots used again and again: no descriptor, slot or byte of
 * memory is lost, and nobody gets another one's bytes (the position of each byte is checked). */
Test(conn_end, thousands_come_and_go, .timeout = 60)
{
	struct rig r;
	unsigned before, closed = 0, total = 0;

	rig_start(&r, NULL);
	rig_turn(&r, 0);
	before = fds_open();
	for (unsigned round = 0; round < 150; round++) {
		struct end e[40] = { { 0 } };

		r.accepted = &e[20];
		r.n_accepted = 0;
		for (unsigned i = 0; i < 40; i++)
			e[i].on_connected = write_much;
		for (unsigned i = 0; i < 20; i++)
			end_dial(&r, &e[i]);
		for (unsigned turns = rng() % 8; turns > 0; turns--)
			rig_turn(&r, 1);
		for (unsigned i = 0; i < 40; i++) {
			if (e[i].conn && rng() % 4 == 0)
				conn_abort(e[i].conn, -ECANCELED, "at random");
			else if (e[i].conn && rng() % 3 == 0)
				conn_close(e[i].conn, "at random");
		}
		rig_turn(&r, 0);
		/* Some may still be in the listener's backlog: they come, and end with their peers. */
		while (r.n_accepted < 20)
			rig_turn(&r, 1);
		for (unsigned i = 0; i < 20; i++)
			if (e[i].conn)
				conn_close(e[i].conn, "rest");
		cr_assert(rig_until(&r, many_closed, e));
		for (unsigned i = 0; i < 40; i++) {
			closed += e[i].closes;
			total++;
		}
	}
	cr_assert_eq(closed, total);
	cr_assert_eq(conns_count(r.conns), 0);
	cr_assert_eq(fds_open(), before);
	cr_assert_eq(conns_stats(r.conns)->stale, 0);
	rig_stop(&r);
}
