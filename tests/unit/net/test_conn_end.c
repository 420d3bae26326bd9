/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How connections end: orderly, by the peer, by time, in each other's callbacks. */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn_rig.h"
#include "core/base/limits.h"

#define MEGABYTE (1u << 20)

struct reader {
	int fd;
	uint64_t got;
	bool eof;
};

static bool read_to_eof(void *ctx)
{
	struct reader *r = ctx;
	char bytes[20000];
	ssize_t n = read(r->fd, bytes, sizeof(bytes));

	if (n > 0) {
		cr_assert(bytes_good(bytes, (size_t)n, r->got));
		r->got += (size_t)n;
	}
	cr_assert(n >= 0 || errno == EAGAIN, "the peer was reset after %llu bytes",
		(unsigned long long)r->got);
	r->eof = n == 0;
	return r->eof;
}

/* One connection to a plain socket. */
static void single(struct rig *r, struct end *e, int *peer, int sndbuf, int rcvbuf)
{
	int fds[2];

	rig_start(r, NULL);
	tcp_pair(fds, sndbuf, rcvbuf);
	end_adopt(r, e, fds[0]);
	*peer = fds[1];
}

Test(conn_end, close_sends_all_that_is_queued, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	struct reader p = { 0 };
	char noise[30000];

	single(&r, &e, &p.fd, 8192, 8192);
	bytes_fill(noise, sizeof(noise), 0);
	rig_settle(&r);
	for (unsigned i = 0; i < 300; i++)
		cr_assert(end_write(&e, 10000, true));
	conn_close(e.conn, "good bye");
	cr_assert(conn_closing(e.conn));
	/* Unread input at the time of close(2) would make the kernel reset the connection. */
	cr_assert_gt(write(p.fd, noise, sizeof(noise)), 0);
	cr_assert(rig_until(&r, read_to_eof, &p));
	cr_assert_eq(p.got, 3000000);
	cr_assert_eq(e.inputs, 0);
	rig_settle(&r);
	cr_assert_eq(e.closes, 0, "the peer has not closed yet");
	close(p.fd);
	cr_assert(rig_until(&r, end_closed, &e));
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

	single(&r, &e, &p.fd, 0, 0);
	bytes_fill(noise, sizeof(noise), 0);
	rig_settle(&r);
	conn_pause(e.conn);
	cr_assert_eq(write(p.fd, noise, sizeof(noise)), sizeof(noise));
	rig_settle(&r);
	conn_resume(e.conn);
	conn_pause(e.conn);
	conn_resume(e.conn);
	conn_close(e.conn, "good bye");
	cr_assert(rig_until(&r, read_to_eof, &p));
	close(p.fd);
	cr_assert(rig_until(&r, end_closed, &e));
	cr_assert_leq(e.inputs, 1, "more than was in flight");
	cr_assert_eq(e.err, 0);
	rig_stop(&r);
}

Test(conn_end, close_does_not_wait_for_ever, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	int peer;

	single(&r, &e, &peer, 0, 0);
	cr_assert(end_write(&e, 1000, true));
	conn_close(e.conn, "good bye");
	rig_settle(&r);
	r.skew += TIMEOUT_CLOSE_MS - 2000;
	rig_settle(&r);
	cr_assert_eq(e.closes, 0);
	r.skew += 2500;
	rig_settle(&r);
	cr_assert_eq(e.closes, 1);
	cr_assert_eq(e.err, 0);
	close(peer);
	rig_stop(&r);
}

Test(conn_end, flush_at_close_is_bounded, .timeout = 60)
{
	struct rig r;
	struct end e = { .keep_unsent = true };
	int peer;

	single(&r, &e, &peer, 4096, 4096);
	cr_assert(end_write(&e, 300000, true));
	conn_close(e.conn, "good bye");
	rig_settle(&r);
	r.skew += TIMEOUT_SEND_MS - 2000;
	rig_settle(&r);
	cr_assert_eq(e.closes, 0);
	r.skew += 3000;
	rig_settle(&r);
	cr_assert_eq(e.closes, 1);
	cr_assert_eq(e.err, -ETIMEDOUT);
	cr_assert(e.any_unsent);
	free(e.unsent);
	close(peer);
	rig_stop(&r);
}

Test(conn_end, peer_closes, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	int peer;

	single(&r, &e, &peer, 0, 0);
	rig_settle(&r);
	close(peer);
	cr_assert(rig_until(&r, end_closed, &e));
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

	single(&r, &e, &p.fd, 8192, 8192);
	cr_assert(end_write(&e, 500000, true));
	conn_close(e.conn, "good bye");
	rig_settle(&r);
	cr_assert_eq(shutdown(p.fd, SHUT_WR), 0);
	rig_settle(&r);
	cr_assert_eq(e.closes, 0);
	cr_assert(rig_until(&r, read_to_eof, &p));
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

	single(&r, &e, &peer, 4096, 4096);
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

	single(&r, &e, &peer, 0, 0);
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

Test(conn_end, connect_times_out, .timeout = 60)
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
	r.skew += TIMEOUT_CONNECT_MS - 3000;
	rig_settle(&r);
	cr_assert_eq(e[0].closes, 0);
	r.skew += 3500;
	rig_settle(&r);
	cr_assert_eq(e[0].closes, 1);
	cr_assert_eq(e[0].err, -ETIMEDOUT);
	cr_assert_eq(e[0].connects, 0);
	deaf_stop(&deaf);
	rig_stop(&r);
}

Test(conn_end, stalled_peer_is_given_up, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	int peer;

	single(&r, &e, &peer, 4096, 4096);
	cr_assert(end_write(&e, 300000, true));
	rig_settle(&r);
	for (unsigned t = 0; t < TIMEOUT_SEND_MS - 5000; t += 5000) {
		r.skew += 5000;
		rig_settle(&r);
		cr_assert_eq(e.closes, 0, "after %u ms", t + 5000);
	}
	r.skew += TIMEOUT_SEND_MS / 2;
	rig_settle(&r);
	cr_assert_eq(e.closes, 1);
	cr_assert_eq(e.err, -ETIMEDOUT);
	close(peer);
	rig_stop(&r);
}

/* A send of half a megabyte to a slow reader lasts longer than the time-out. */
Test(conn_end, slow_peer_is_not_given_up, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	char bytes[6000];
	int peer;

	single(&r, &e, &peer, 4096, 4096);
	cr_assert(end_write(&e, 300000, true));
	rig_settle(&r);
	for (unsigned i = 0; i < 20; i++) {
		r.skew += TIMEOUT_SEND_MS / 3;
		cr_assert_gt(read(peer, bytes, sizeof(bytes)), 0);
		rig_settle(&r);
		cr_assert_eq(e.closes, 0);
	}
	conn_abort(e.conn, -ECANCELED, "done");
	cr_assert(rig_until(&r, end_closed, &e));
	close(peer);
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
Test(conn_end, who_takes_nothing_has_stalled, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	int peer;

	single(&r, &e, &peer, 4096, 4096);
	e.mine = &peer;
	conn_set_queue_marks(e.conn, 1000000, 1000);
	conn_set_stall(e.conn, 40000);
	for (unsigned round = 1; round <= 2; round++) {
		cr_assert(end_write(&e, 300000, true));
		rig_settle(&r);
		r.skew += 30000;
		rig_settle(&r);
		cr_assert_eq(e.stalls, round - 1);
		cr_assert_not(conn_stalled(e.conn));
		/* Acknowledgements that the kernel delays may still come, and count. */
		for (unsigned i = 0; i < 10; i++) {
			r.skew += 12000;
			rig_settle(&r);
			if (e.stalls == round)
				break;
		}
		cr_assert_eq(e.stalls, round, "%u in round %u", e.stalls, round);
		cr_assert(conn_stalled(e.conn));
		cr_assert_eq(e.writables, 0, "the queue is not at its low mark");
		cr_assert(end_write(&e, 1000, true), "it is far below the high one");
		r.skew += 1000;
		rig_settle(&r);
		cr_assert_eq(e.stalls, round, "it is told once");
		cr_assert(rig_until(&r, is_writable, &e));
		cr_assert_not(conn_stalled(e.conn));
		cr_assert_eq(e.writables, 1);
		rig_settle(&r);
		e.writables = 0;
	}
	conn_abort(e.conn, -ECANCELED, "done");
	cr_assert(rig_until(&r, end_closed, &e));
	close(peer);
	rig_stop(&r);
}

/* A few bytes now and then are little, and are not nothing. */
Test(conn_end, who_takes_little_has_not_stalled, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	char bytes[6000];
	int peer;

	single(&r, &e, &peer, 4096, 4096);
	conn_set_stall(e.conn, 40000);
	cr_assert(end_write(&e, 300000, true));
	rig_settle(&r);
	for (unsigned i = 0; i < 20; i++) {
		r.skew += 20000;
		cr_assert_gt(read(peer, bytes, sizeof(bytes)), 0);
		rig_settle(&r);
		cr_assert_eq(e.stalls, 0);
	}
	conn_abort(e.conn, -ECANCELED, "done");
	cr_assert(rig_until(&r, end_closed, &e));
	close(peer);
	rig_stop(&r);
}

/* Nothing waits: nothing can stall, however long it is silent. */
Test(conn_end, who_is_owed_nothing_has_not_stalled, .timeout = 60)
{
	struct rig r;
	struct end e = { 0 };
	char bytes[1000];
	int peer;

	single(&r, &e, &peer, 0, 0);
	conn_set_stall(e.conn, 1000);
	cr_assert(end_write(&e, 1000, true));
	rig_settle(&r);
	cr_assert_eq(read(peer, bytes, sizeof(bytes)), sizeof(bytes));
	for (unsigned i = 0; i < 20; i++) {
		r.skew += 20000;
		rig_settle(&r);
	}
	cr_assert_eq(e.stalls, 0);
	cr_assert_eq(e.closes, 0);
	conn_abort(e.conn, -ECANCELED, "done");
	cr_assert(rig_until(&r, end_closed, &e));
	close(peer);
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
		.mem_budget = MEGABYTE };
	struct rig r;
	struct end e = { 0 };
	char bytes[500];
	int old[2], fds[2];

	rig_start(&r, &opts);
	tcp_pair(fds, 0, 0);
	end_adopt(&r, &e, fds[0]);
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
	cr_assert_eq(write(fds[1], bytes, sizeof(bytes)), sizeof(bytes));
	rig_settle(&r);
	cr_assert_eq(e.received, sizeof(bytes), "the buffers are lost");
	close(old[0]);
	close(old[1]);
	close(fds[1]);
	cr_assert(rig_until(&r, end_closed, &e));
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

/* -- callbacks that end connections -- */

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

Test(conn_end, callback_aborts_its_own_connection, .timeout = 60)
{
	struct rig r;
	struct end e = { .on_input = abort_self };
	char bytes[100];
	int peer;

	single(&r, &e, &peer, 0, 0);
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

Test(conn_end, callback_aborts_another, .timeout = 60)
{
	struct rig r;
	struct end e[2] = { { .on_input = abort_other, .mine = &e[1] },
		{ .on_input = abort_other, .mine = &e[0] } };
	char bytes[100];
	int peer[2];

	single(&r, &e[0], &peer[0], 0, 0);
	{
		int fds[2];

		tcp_pair(fds, 0, 0);
		end_adopt(&r, &e[1], fds[0]);
		peer[1] = fds[1];
	}
	rig_settle(&r);
	bytes_fill(bytes, sizeof(bytes), 0);
	/* Both have input in the same turn: the first kills the second. */
	cr_assert_eq(write(peer[0], bytes, sizeof(bytes)), sizeof(bytes));
	cr_assert_eq(write(peer[1], bytes, sizeof(bytes)), sizeof(bytes));
	rig_settle(&r);
	cr_assert_eq(e[0].inputs + e[1].inputs, 1);
	cr_assert_eq(e[0].closes + e[1].closes, 1);
	for (unsigned i = 0; i < 2; i++) {
		close(peer[i]);
		cr_assert(rig_until(&r, end_closed, &e[i]));
	}
	rig_stop(&r);
}

Test(conn_end, closed_may_dial_again, .timeout = 60)
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

Test(conn_end, input_may_answer_and_close, .timeout = 60)
{
	struct rig r;
	struct end e = { .on_input = answer_and_close };
	struct reader p = { 0 };
	char bytes[100];

	single(&r, &e, &p.fd, 0, 0);
	bytes_fill(bytes, sizeof(bytes), 0);
	cr_assert_eq(write(p.fd, bytes, sizeof(bytes)), sizeof(bytes));
	cr_assert(rig_until(&r, read_to_eof, &p));
	cr_assert_eq(p.got, sizeof(bytes));
	close(p.fd);
	cr_assert(rig_until(&r, end_closed, &e));
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
Test(conn_end, give_takes_the_socket_away, .timeout = 60)
{
	struct rig r;
	struct end first = { .on_input = give_away }, second = { 0 };
	struct reader p = { 0 };
	char bytes[3000];
	int given = -1;
	unsigned open;

	single(&r, &first, &p.fd, 0, 0);
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
	cr_assert(rig_until(&r, read_to_eof, &p));
	cr_assert_eq(p.got, 5000);
	close(p.fd);
	cr_assert(rig_until(&r, end_closed, &second));
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

Test(conn_end, one_that_ends_is_not_given, .timeout = 60)
{
	struct rig r;
	struct end e = { .on_input = close_and_give };
	int peer, given = 0;

	single(&r, &e, &peer, 0, 0);
	e.mine = &given;
	rig_settle(&r);
	cr_assert_eq(write(peer, "\0", 1), 1);
	cr_assert(rig_until(&r, end_closed, &e));
	cr_assert_eq(given, -1);
	close(peer);
	rig_stop(&r);
}
