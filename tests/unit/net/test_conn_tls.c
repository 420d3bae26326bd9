/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections that become TLS: data, pauses, bounds, and what may stand before it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn_rig.h"
#include "tls_pair.h"
#include "zoo.h"

#define MEGABYTE (1u << 20)
#define STORM 40

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

static void secure_client(struct end *e)
{
	struct tls *t = tls_open(w.opening, SPAN_LIT("server.test"), true, SPAN_NONE);

	cr_assert_not_null(t);
	conn_secure(e->conn, t);
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

/* The words before TLS go out in the clear, and nothing behind them until the peer speaks. */
Test(conn_tls, the_last_words_in_the_clear)
{
	struct end e = { 0 };
	struct span proceed = SPAN_LIT("proceed"), secret = SPAN_LIT("secret");
	char got[64];
	int fds[2];

	tcp_pair(fds, 0, 0);
	end_adopt(&r, &e, fds[0]);
	cr_assert(conn_say(e.conn, proceed));
	conn_secure(e.conn, accepting());
	cr_assert(conn_say(e.conn, secret));
	rig_settle(&r);
	cr_assert_eq(recv(fds[1], got, sizeof(got), MSG_DONTWAIT), 7);
	cr_assert_eq(memcmp(got, "proceed", 7), 0);
	/* No ClientHello: an alert, and the end. */
	cr_assert_eq(send(fds[1], "<stream:stream>  ", 17, 0), 17);
	cr_assert(rig_until(&r, end_closed, &e));
	cr_assert_eq(e.err, -EPROTO);
	cr_assert_eq(e.received, 0);
	cr_assert_null(
		memmem(got, (size_t)recv(fds[1], got, sizeof(got), MSG_DONTWAIT), "secret", 6));
	close(fds[1]);
}

Test(conn_tls, T_S5_input_before_it_begins)
{
	static char much[4 * MEGABYTE];
	struct end e = { 0 };
	struct span s = span_of(much, sizeof(much));
	int fds[2];

	tcp_pair(fds, 4096, 4096);
	end_adopt(&r, &e, fds[0]);
	cr_assert(conn_write(e.conn, &s, 1, 0)); /* which nobody reads: it is not all out */
	conn_secure(e.conn, accepting());
	rig_settle(&r);
	cr_assert_eq(send(fds[1], "x", 1, 0), 1);
	cr_assert(rig_until(&r, end_closed, &e));
	cr_assert_eq(e.err, -EPROTO);
	cr_assert_eq(e.received, 0);
	close(fds[1]);
}

/* More at once than one turn shakes hands with. */
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
