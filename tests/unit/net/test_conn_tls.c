/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections that become TLS: what may stand before it, many at once, data, pauses, the end. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn_rig.h"
#include "tls_pair.h"
#include "zoo.h"

#define MEGABYTE (1u << 20)
#define STORM 48 /* far more than have their turn at once */

static struct tls_world w;
static struct rig r;

static void init(void)
{
	tls_world_make(&w);
	rig_start(&r, NULL);
}

static void fini(void)
{
	rig_stop(&r);
	tls_world_free(&w);
}

TestSuite(conn_tls, .init = init, .fini = fini, .timeout = 60);

static struct tls *accepting(void)
{
	struct tls *t = tls_accept(w.accepting);

	cr_assert_not_null(t);
	return t;
}

static struct tls *opening(void)
{
	struct tls *t = tls_open(w.opening, SPAN_LIT("server.test"), true, SPAN_NONE);

	cr_assert_not_null(t);
	return t;
}

static void secure_client(struct end *e)
{
	conn_secure(e->conn, opening());
}

static void secure_server(struct end *e)
{
	conn_secure(e->conn, accepting());
}

static bool both_secured(void *ends)
{
	struct end *e = ends;

	return e[0].secured && e[1].secured;
}

static bool both_closed(void *ends)
{
	struct end *e = ends;

	return e[0].closes && e[1].closes;
}

static bool is_secured(void *end)
{
	return ((struct end *)end)->secured > 0;
}

/* e[0] dials, e[1] accepts, both in TLS. */
static void secure_both(struct end *e)
{
	e[0].on_connected = secure_client;
	e[1].on_accepted = secure_server;
	r.accepted = &e[1];
	end_dial(&r, &e[0]);
	cr_assert(rig_until(&r, both_secured, e));
}

static void pour_until_back(struct end *e, char *p, size_t n)
{
	(void)p;
	(void)n;
	if (e->received == *(uint64_t *)e->mine)
		conn_close(e->conn, "test over");
}

Test(conn_tls, echo_keeps_order)
{
	static uint64_t total = 8 * MEGABYTE;
	struct end e[2] = {
		{ .on_writable = end_pour, .mine = &total, .on_input = pour_until_back },
		{ .on_input = end_echo }
	};
	uint64_t sends;

	secure_both(e);
	cr_assert_str_eq(tls_version(conn_tls(e[0].conn)), "TLSv1.3");
	conn_set_queue_max(e[0].conn, 300000);
	sends = conns_stats(r.conns)->sends;
	end_pour(&e[0]);
	cr_assert(rig_until(&r, both_closed, e));
	cr_assert_eq(e[0].received, total);
	cr_assert_eq(e[0].err, 0);
	cr_assert_eq(e[1].err, 0, "%s", e[1].why);
	cr_assert_str_eq(e[1].why, "the peer closed the connection");
	cr_assert_gt(e[0].writables, 10);
	cr_assert_lt(conns_stats(r.conns)->sends - sends, total / 1000,
		"records are not coalesced");
}

static void pause_once(struct end *e, char *p, size_t n)
{
	(void)p;
	(void)n;
	if (e->inputs == 1)
		conn_pause(e->conn);
}

static bool all_there(void *end)
{
	struct end *e = end;

	return e->received == *(uint64_t *)e->mine;
}

/* What has come as ciphertext and could not be read is neither lost nor more than a buffer or two. */
Test(conn_tls, a_pause_in_the_middle_of_input)
{
	static uint64_t total = 2 * MEGABYTE;
	struct end e[2] = { { .on_writable = end_pour, .mine = &total },
		{ .on_input = pause_once, .mine = &total } };

	secure_both(e);
	conn_set_queue_max(e[0].conn, 300000);
	end_pour(&e[0]);
	rig_settle(&r);
	cr_assert_eq(e[1].inputs, 1, "%u", e[1].inputs);
	cr_assert_lt(e[1].received, 100000);
	conn_resume(e[1].conn);
	cr_assert(rig_until(&r, all_there, &e[1]));
	conn_close(e[0].conn, "test over");
	cr_assert(rig_until(&r, both_closed, e));
}

/* The peer is gone, and what it has not said is missing. */
Test(conn_tls, an_end_without_an_end_of_tls)
{
	struct end e[2] = { { 0 } };
	struct tls *peer = opening();
	char out[TLS_RECORD_ROOM], in[TLS_RECORD_ROOM];
	struct tls_io io = { .out = out, .out_room = sizeof(out) };
	int peers[2];

	for (unsigned i = 0; i < 2; i++) {
		end_plain(&r, &e[i], &peers[i], 0, 0);
		secure_server(&e[i]);
	}
	cr_assert_eq(tls_handshake(peer, &io), TLS_NEED_INPUT);
	cr_assert_eq(send(peers[0], out, io.out_n, 0), (ssize_t)io.out_n);
	cr_assert_eq(send(peers[1], out, 5, 0), 5);
	while (tls_state(peer) == TLS_HANDSHAKE) {
		ssize_t n;

		rig_settle(&r);
		n = recv(peers[0], in, sizeof(in), MSG_DONTWAIT);
		cr_assert_gt(n, 0);
		io = (struct tls_io){ .in = span_of(in, (size_t)n),
			.out = out,
			.out_room = sizeof(out) };
		while (tls_handshake(peer, &io) == TLS_AGAIN && tls_state(peer) == TLS_HANDSHAKE)
			;
		cr_assert_eq(send(peers[0], out, io.out_n, 0), (ssize_t)io.out_n);
	}
	cr_assert(rig_until(&r, is_secured, &e[0]));
	for (unsigned i = 0; i < 2; i++) {
		cr_assert_eq(shutdown(peers[i], SHUT_WR), 0);
		cr_assert(rig_until(&r, end_closed, &e[i]));
		close(peers[i]);
	}
	cr_assert_eq(e[0].err + e[1].err, 0);
	cr_assert_str_eq(e[0].why,
		"the connection ended without a close_notify: something may be cut off");
	cr_assert_str_eq(e[1].why, "the connection ended in the middle of the handshake");
	tls_free(peer);
}

/* -- many at once: more than one turn shakes hands with -- */

Test(conn_tls, many_at_once)
{
	static struct end e[2 * STORM];

	r.accepted = &e[STORM];
	for (unsigned i = 0; i < STORM; i++) {
		e[i].on_connected = secure_client;
		e[STORM + i].on_accepted = secure_server;
		end_dial(&r, &e[i]);
	}
	for (unsigned i = 0; i < 2 * STORM; i++)
		cr_assert(rig_until(&r, is_secured, &e[i]), "%u", i);
	for (unsigned i = 0; i < STORM; i++)
		conn_close(e[i].conn, "test over");
}

static void say_some(struct end *e)
{
	cr_assert(end_write(e, 25, false));
}

static bool some_came(void *end)
{
	return ((struct end *)end)->received == 25;
}

/* The last flight of those who show a certificate is one that we say nothing to: who had to wait
 * for a turn with it must be read again all the same. */
Test(conn_tls, handshakes_that_had_to_wait_are_read_on)
{
	static struct end accepted[STORM], opened[STORM];

	for (unsigned i = 0; i < STORM; i++) {
		int fds[2];

		opened[i].on_secured = say_some;
		tcp_pair(fds, 0, 0);
		end_adopt(&r, &accepted[i], fds[0]);
		secure_server(&accepted[i]);
		end_adopt(&r, &opened[i], fds[1]);
		secure_client(&opened[i]);
	}
	for (unsigned i = 0; i < STORM; i++)
		cr_assert(rig_until(&r, some_came, &accepted[i]), "%u", i);
	for (unsigned i = 0; i < STORM; i++) {
		cr_assert_eq(accepted[i].inputs, 1);
		cr_assert_eq(opened[i].received, 0);
		conn_abort(accepted[i].conn, 0, "the end");
		conn_abort(opened[i].conn, 0, "the end");
	}
}

/* -- what may stand before it -- */

/* An accepted connection in which "go" is the last word in the clear; the peer's socket. */
static int last_words(struct end *e)
{
	struct span go = SPAN_LIT("go");
	int peer;

	end_plain(&r, e, &peer, 0, 0);
	rig_settle(&r);
	cr_assert(conn_write(e->conn, &go, 1, 0));
	conn_secure(e->conn, accepting());
	return peer;
}

static void expect_closed(struct end *e)
{
	cr_assert(rig_until(&r, end_closed, e));
	cr_assert_eq(e->err, -EPROTO);
	cr_assert_eq(e->received + e->secured, 0);
}

/* The words before TLS go out in the clear, and nothing behind them until the peer speaks. */
Test(conn_tls, the_last_words_in_the_clear)
{
	struct end e = { 0 };
	struct span secret = SPAN_LIT("secret");
	int peer = last_words(&e);
	char got[64];

	cr_assert(conn_say(e.conn, secret));
	rig_settle(&r);
	cr_assert_eq(recv(peer, got, sizeof(got), MSG_DONTWAIT), 2);
	cr_assert_arr_eq(got, "go", 2);
	/* No ClientHello: the end, and not a word more. */
	cr_assert_eq(send(peer, "<stream:stream>  ", 17, 0), 17);
	cr_assert_eq(shutdown(peer, SHUT_WR), 0);
	expect_closed(&e);
	cr_assert_eq(recv(peer, got, sizeof(got), MSG_DONTWAIT), 0);
	close(peer);
}

Test(conn_tls, T_S5_input_before_it_begins)
{
	static char much[4 * MEGABYTE];
	struct end e = { 0 };
	struct span s = span_of(much, sizeof(much));
	int peer;

	end_plain(&r, &e, &peer, 4096, 4096);
	cr_assert(conn_write(e.conn, &s, 1, 0)); /* which nobody reads: it is not all out */
	conn_secure(e.conn, accepting());
	rig_settle(&r);
	cr_assert_eq(send(peer, "x", 1, 0), 1);
	expect_closed(&e);
	close(peer);
}

/* A peer on a fast network answers our last words before we know that they are out. */
Test(conn_tls, a_handshake_may_come_before_the_completion_of_the_last_words)
{
	struct tls *t = opening();
	char hello[TLS_RECORD_ROOM], got[8];
	struct tls_io io = { .out = hello, .out_room = sizeof(hello) };
	struct end e = { 0 };
	int peer;

	cr_assert_eq(tls_handshake(t, &io), TLS_NEED_INPUT);
	peer = last_words(&e);
	conns_flush(r.conns, rig_now(&r));
	cr_assert_eq(send(peer, hello, io.out_n, 0), (ssize_t)io.out_n);
	rig_settle(&r);
	cr_assert_eq(e.closes, 0, "%s", e.why);
	cr_assert_eq(recv(peer, got, 3, MSG_WAITALL), 3);
	cr_assert_arr_eq(got, "go\x16", 3, "the answer is not a record of a handshake");
	tls_free(t);
	end_by_peer(&e, peer);
}

Test(conn_tls, bytes_before_the_last_words_are_sent_end_the_connection)
{
	struct end e = { 0 };
	int peer = last_words(&e);

	cr_assert_eq(send(peer, "<a/>", 4, 0), 4);
	uring_turn(r.uring, 1000, 100, NULL, NULL);
	expect_closed(&e);
	cr_assert_str_eq(e.why, "the peer spoke in the clear after TLS was agreed upon");
	close(peer);
}

/* Who opens TLS speaks first. */
Test(conn_tls, bytes_before_our_own_handshake_end_the_connection)
{
	struct end e = { 0 };
	int peer;

	end_plain(&r, &e, &peer, 0, 0);
	rig_settle(&r);
	secure_client(&e);
	cr_assert_eq(send(peer, "<a/>", 4, 0), 4);
	uring_turn(r.uring, 1000, 100, NULL, NULL);
	expect_closed(&e);
	cr_assert_str_eq(e.why, "the peer spoke in the clear after TLS was agreed upon");
	close(peer);
}

/* Text in the clear that came too late to be told apart is no handshake. */
Test(conn_tls, text_among_the_last_words_fails_as_a_handshake)
{
	struct end e = { 0 };
	int peer = last_words(&e);

	conns_flush(r.conns, rig_now(&r));
	cr_assert_eq(send(peer, "<a/>and more than a record's head", 33, 0), 33);
	cr_assert_eq(shutdown(peer, SHUT_WR), 0);
	expect_closed(&e);
	close(peer);
}

static bool is_broken(void *end)
{
	return ((struct end *)end)->broken > 0;
}

/* Our end of a handshake, and a peer that answers it with something else. */
static int misunderstood(struct end *e)
{
	int peer;

	end_plain(&r, e, &peer, 0, 0);
	rig_settle(&r);
	secure_client(e);
	conns_flush(r.conns, rig_now(&r));
	return peer;
}

/* Its peer holds the connection open: nobody has to wait for the end of that. */
Test(conn_tls, a_failure_of_tls_is_told_at_once)
{
	struct end e = { 0 };
	int peer = misunderstood(&e);

	cr_assert_eq(send(peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, 0), 28);
	cr_assert(rig_until(&r, is_broken, &e));
	cr_assert_eq(e.closes, 0);
	cr_assert_eq(shutdown(peer, SHUT_WR), 0);
	cr_assert(rig_until(&r, end_closed, &e));
	cr_assert_eq(e.broken, 1);
	cr_assert_eq(e.received + e.secured, 0);
	close(peer);
}

/* Who has ended it itself knows. */
Test(conn_tls, a_failure_after_our_own_end_is_not_told)
{
	struct end e = { 0 };
	int peer = misunderstood(&e);

	conn_close(e.conn, "we have had enough");
	cr_assert_eq(send(peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, 0), 28);
	cr_assert_eq(shutdown(peer, SHUT_WR), 0);
	cr_assert(rig_until(&r, end_closed, &e));
	cr_assert_str_eq(e.why, "we have had enough");
	cr_assert_eq(e.broken, 0);
	close(peer);
}
