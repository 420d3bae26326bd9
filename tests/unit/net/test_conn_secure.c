/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When TLS begins on a connection, and that many who begin at once all get there. */
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn_rig.h"
#include "tls_pair.h"

#define MANY 48 /* far more than have their turn at once */
#define TEXT "what a stream begins with"

TestSuite(conn_secure, .timeout = 60);

static struct rig rig;
static struct tls_world world;
static unsigned opened, received, broken;

static void set_up(void)
{
	rig_start(&rig, NULL);
	tls_world_make(&world);
	opened = received = broken = 0;
}

static void tear_down(void)
{
	tls_world_free(&world);
	rig_stop(&rig);
}

/* -- the peers -- */

static void say(struct conn *c, const char *text)
{
	struct span s = span_str(text);

	cr_assert(conn_write(c, &s, 1, 0));
}

static void accepting_secured(struct conn *c)
{
	(void)c;
	opened++;
}

static void accepting_input(struct conn *c, char *p, size_t n)
{
	(void)c;
	cr_assert_eq(n, strlen(TEXT));
	cr_assert_arr_eq(p, TEXT, n);
	received++;
}

static void opening_connected(struct conn *c)
{
	conn_secure(c, tls_open(world.opening, SPAN_LIT("server.test"), false, SPAN_NONE));
}

static void opening_secured(struct conn *c)
{
	say(c, TEXT);
}

static void opening_input(struct conn *c, char *p, size_t n)
{
	(void)c;
	(void)p;
	cr_assert_fail("%zu bytes that nobody has sent", n);
}

static void on_broken(struct conn *c)
{
	struct end *e = conn_user(c);

	cr_assert_eq(e->closes, 0);
	cr_assert(conn_closing(c));
	broken++;
}

static void on_closed(struct conn *c, int err, const char *why)
{
	struct end *e = conn_user(c);

	(void)err;
	e->closes++;
	e->why = why;
}

static const struct conn_ops accepting_ops = { .input = accepting_input,
	.secured = accepting_secured,
	.broken = on_broken,
	.closed = on_closed };
static const struct conn_ops opening_ops = { .connected = opening_connected,
	.input = opening_input,
	.secured = opening_secured,
	.closed = on_closed };

static bool all_received(void *ctx)
{
	(void)ctx;
	return received == MANY;
}

static bool is_broken(void *ctx)
{
	(void)ctx;
	return broken > 0;
}

static bool is_closed(void *ctx)
{
	return ((struct end *)ctx)->closes > 0;
}

/* An accepted connection, its peer a plain socket. */
static struct conn *adopt(struct end *e, int fd)
{
	struct addr peer = { 0 };
	struct conn *c = conn_adopt(rig.conns, fd, &peer, &accepting_ops, e);

	cr_assert_not_null(c);
	rig_settle(&rig);
	return c;
}

/* -- tests -- */

/* The last flight of those who show a certificate is one that we say nothing to: who had to wait
 * for a turn with it must be read again all the same. */
Test(conn_secure, handshakes_that_had_to_wait_are_read_on, .init = set_up, .fini = tear_down)
{
	struct end ends[2 * MANY] = { 0 };

	for (unsigned i = 0; i < MANY; i++) {
		struct addr peer = { 0 };
		struct conn *c;
		int fds[2];

		tcp_pair(fds, 0, 0);
		c = conn_adopt(rig.conns, fds[0], &peer, &accepting_ops, &ends[2 * i]);
		cr_assert_not_null(c);
		ends[2 * i].conn = c;
		conn_secure(c, tls_accept(world.accepting));
		c = conn_adopt(rig.conns, fds[1], &peer, &opening_ops, &ends[2 * i + 1]);
		cr_assert_not_null(c);
		ends[2 * i + 1].conn = c;
		opening_connected(c);
	}
	cr_assert(rig_until(&rig, all_received, NULL), "%u of %d are open, %u were read", opened,
		MANY, received);
	for (unsigned i = 0; i < 2 * MANY; i++)
		conn_abort(ends[i].conn, 0, "the end");
	for (unsigned i = 0; i < 2 * MANY; i++)
		cr_assert(rig_until(&rig, is_closed, &ends[i]));
}

/* A peer on a fast network answers our last words before we know that they are out. */
Test(conn_secure, a_handshake_may_come_before_the_completion_of_the_last_words, .init = set_up,
	.fini = tear_down)
{
	struct tls *t = tls_open(world.opening, SPAN_LIT("server.test"), false, SPAN_NONE);
	char hello[TLS_RECORD_ROOM], got[8];
	struct tls_io io = { .out = hello, .out_room = sizeof(hello) };
	struct end e = { 0 };
	struct conn *c;
	int fds[2];

	cr_assert_eq(tls_handshake(t, &io), TLS_NEED_INPUT);
	tcp_pair(fds, 0, 0);
	c = adopt(&e, fds[0]);
	say(c, "go");
	conn_secure(c, tls_accept(world.accepting));
	conns_flush(rig.conns, rig_now(&rig));
	cr_assert_eq(send(fds[1], hello, io.out_n, 0), (ssize_t)io.out_n);
	rig_settle(&rig);
	cr_assert_eq(e.closes, 0, "%s", e.why);
	cr_assert_eq(recv(fds[1], got, 3, MSG_WAITALL), 3);
	cr_assert_arr_eq(got, "go\x16", 3, "the answer is not a record of a handshake");
	tls_free(t);
	close(fds[1]);
	cr_assert(rig_until(&rig, is_closed, &e));
}

Test(conn_secure, bytes_before_the_last_words_are_sent_end_the_connection, .init = set_up,
	.fini = tear_down)
{
	struct end e = { 0 };
	struct conn *c;
	int fds[2];

	tcp_pair(fds, 0, 0);
	c = adopt(&e, fds[0]);
	say(c, "go");
	conn_secure(c, tls_accept(world.accepting));
	cr_assert_eq(send(fds[1], "<a/>", 4, 0), 4);
	uring_turn(rig.uring, 1000, 100, NULL, NULL);
	cr_assert(rig_until(&rig, is_closed, &e));
	cr_assert_str_eq(e.why, "the peer spoke in the clear after TLS was agreed upon");
	close(fds[1]);
}

/* Who opens TLS speaks first. */
Test(conn_secure, bytes_before_our_own_handshake_end_the_connection, .init = set_up,
	.fini = tear_down)
{
	struct end e = { 0 };
	struct conn *c;
	int fds[2];

	tcp_pair(fds, 0, 0);
	c = adopt(&e, fds[0]);
	conn_secure(c, tls_open(world.opening, SPAN_LIT("server.test"), false, SPAN_NONE));
	cr_assert_eq(send(fds[1], "<a/>", 4, 0), 4);
	uring_turn(rig.uring, 1000, 100, NULL, NULL);
	cr_assert(rig_until(&rig, is_closed, &e));
	cr_assert_str_eq(e.why, "the peer spoke in the clear after TLS was agreed upon");
	close(fds[1]);
}

/* Text in the clear that came too late to be told apart is no handshake. */
Test(conn_secure, text_among_the_last_words_fails_as_a_handshake, .init = set_up, .fini = tear_down)
{
	struct end e = { 0 };
	struct conn *c;
	int fds[2];

	tcp_pair(fds, 0, 0);
	c = adopt(&e, fds[0]);
	say(c, "go");
	conn_secure(c, tls_accept(world.accepting));
	conns_flush(rig.conns, rig_now(&rig));
	cr_assert_eq(send(fds[1], "<a/>and more than a record's head", 33, 0), 33);
	cr_assert_eq(shutdown(fds[1], SHUT_WR), 0);
	cr_assert(rig_until(&rig, is_closed, &e));
	cr_assert_eq(received + opened, 0);
	close(fds[1]);
}

/* Its peer holds the connection open: nobody has to wait for the end of that. */
Test(conn_secure, a_failure_of_tls_is_told_at_once, .init = set_up, .fini = tear_down)
{
	struct end e = { 0 };
	struct conn *c;
	int fds[2];

	tcp_pair(fds, 0, 0);
	c = adopt(&e, fds[0]);
	conn_secure(c, tls_open(world.opening, SPAN_LIT("server.test"), false, SPAN_NONE));
	conns_flush(rig.conns, rig_now(&rig));
	cr_assert_eq(send(fds[1], "HTTP/1.1 400 Bad Request\r\n\r\n", 28, 0), 28);
	cr_assert(rig_until(&rig, is_broken, NULL));
	cr_assert_eq(e.closes, 0);
	cr_assert_eq(shutdown(fds[1], SHUT_WR), 0);
	cr_assert(rig_until(&rig, is_closed, &e));
	cr_assert_eq(broken, 1);
	cr_assert_eq(received + opened, 0);
	close(fds[1]);
}

/* Who has ended it itself knows. */
Test(conn_secure, a_failure_after_our_own_end_is_not_told, .init = set_up, .fini = tear_down)
{
	struct end e = { 0 };
	struct conn *c;
	int fds[2];

	tcp_pair(fds, 0, 0);
	c = adopt(&e, fds[0]);
	conn_secure(c, tls_open(world.opening, SPAN_LIT("server.test"), false, SPAN_NONE));
	conns_flush(rig.conns, rig_now(&rig));
	conn_close(c, "we have had enough");
	cr_assert_eq(send(fds[1], "HTTP/1.1 400 Bad Request\r\n\r\n", 28, 0), 28);
	cr_assert_eq(shutdown(fds[1], SHUT_WR), 0);
	cr_assert(rig_until(&rig, is_closed, &e));
	cr_assert_str_eq(e.why, "we have had enough");
	cr_assert_eq(broken, 0);
	close(fds[1]);
}
