/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection out of several places, on real sockets under a clock that moves only
 * when a test moves it. Places are written as words: what is there, and the group.
 *   f a listener of the rig, p a plain one that says nothing, r nobody listens,
 *   d and e black holes, v one that is IPv6 where this machine has it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conn_rig.h"
#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "net/dial.h"

#define SERVERS 8

enum when { NEVER, AT_PLACE_FAILED, AT_CONNECTED, AT_FAILED };

struct race {
	struct rig r;
	struct deaf deaf, other, deaf6;
	int plain, refusing;
	struct addr plain_at, refusing_at;
	struct dial *dial;
	struct place places[LIMIT_CANDIDATES];
	unsigned n;
	bool starting;
	unsigned connects, which, fails;
	int err; /* of `failed` */
	const char *why;
	unsigned n_place_fails;
	int place_err[LIMIT_CANDIDATES]; /* 0: has not failed */
	struct place rest[LIMIT_CANDIDATES]; /* at the end */
	unsigned n_rest;
	struct end winner, servers[SERVERS];
	enum when cancel; /* from inside that call */
	unsigned reject; /* so many winners are of no use: go on with the rest */
};

static const struct dial_ops dial_ops;

static void rest_note(struct race *x)
{
	x->n_rest = dial_rest(x->dial, x->rest);
}

static void rest_dial(struct race *x)
{
	int err = 0;

	memcpy(x->places, x->rest, sizeof(x->rest));
	x->n = x->n_rest;
	memset(x->place_err, 0, sizeof(x->place_err));
	x->starting = true;
	x->dial = dial_start(x->r.conns, x->r.wheel, x->places, x->n, &dial_ops, x, rig_now(&x->r),
		&err);
	x->starting = false;
	cr_assert(x->dial, "%d", err);
}

static void on_connected(void *user, struct conn *c, unsigned which)
{
	struct race *x = user;

	cr_assert(!x->starting, "from inside dial_start");
	cr_assert_eq(x->connects + x->fails, 0, "over twice");
	cr_assert_lt(which, x->n);
	cr_assert_eq(x->place_err[which], 0, "it had failed");
	cr_assert(addr_eq(conn_peer(c), &x->places[which].addr));
	cr_assert_not(conn_dialling(c));
	rest_note(x);
	if (x->cancel == AT_CONNECTED)
		dial_cancel(x->dial);
	if (x->reject > 0) {
		x->reject--;
		conn_abort(c, -EPROTO, "no use");
		rest_dial(x);
		return;
	}
	x->dial = NULL;
	x->connects++;
	x->which = which;
	x->winner.rig = &x->r;
	x->winner.conn = c;
	conn_set_ops(c, &rig_ops);
	conn_set_user(c, &x->winner);
}

static void on_failed(void *user, int err, const char *why)
{
	struct race *x = user;

	cr_assert(!x->starting, "from inside dial_start");
	cr_assert_eq(x->connects + x->fails, 0, "over twice");
	cr_assert_lt(err, 0);
	cr_assert_not_null(why);
	rest_note(x);
	if (x->cancel == AT_FAILED)
		dial_cancel(x->dial);
	x->dial = NULL;
	x->fails++;
	x->err = err;
	x->why = why;
}

static void on_place_failed(void *user, unsigned which, int err, const char *why)
{
	struct race *x = user;

	cr_assert(!x->starting, "from inside dial_start");
	cr_assert_eq(x->connects + x->fails, 0, "after its end");
	cr_assert_lt(which, x->n);
	cr_assert_eq(x->place_err[which], 0, "failed twice");
	cr_assert_lt(err, 0);
	cr_assert_not_null(why);
	x->place_err[which] = err;
	x->n_place_fails++;
	if (x->cancel == AT_PLACE_FAILED) {
		dial_cancel(x->dial);
		x->dial = NULL;
	}
}

static const struct dial_ops dial_ops = {
	.connected = on_connected,
	.failed = on_failed,
	.place_failed = on_place_failed,
};

/* -- the world -- */

static bool has_ipv6(void)
{
	struct addr at;
	struct sockaddr_storage sa;
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	socklen_t len;
	bool has;

	cr_assert(addr_parse_ip(SPAN_LIT("::1"), &at));
	len = addr_to_sockaddr(&at, &sa);
	has = fd >= 0 && bind(fd, (struct sockaddr *)&sa, len) == 0;
	if (fd >= 0)
		close(fd);
	return has;
}

static int socket_bound(struct addr *at)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	cr_assert(addr_from_sockaddr((struct sockaddr *)&sin, at));
	return fd;
}

/* So that its backlog does not fill up. */
static void plain_drain(struct race *x)
{
	int fd;

	while ((fd = accept(x->plain, NULL, NULL)) >= 0)
		close(fd);
}

static void race_open(struct race *x, unsigned max)
{
	const struct conns_opts opts = { .max = max,
		.bufs = 16,
		.buf_size = 4096,
		.big_bufs = 4,
		.big_size = 32768,
		.mem_budget = 16u << 20 };

	*x = (struct race){ 0 };
	rig_start(&x->r, &opts);
	x->r.accepted = x->servers;
	deaf_start(&x->deaf, "127.0.0.1");
	deaf_start(&x->other, "127.0.0.2");
	deaf_start(&x->deaf6, has_ipv6() ? "::1" : "127.0.0.3");
	x->plain = socket_bound(&x->plain_at);
	cr_assert_eq(listen(x->plain, 64), 0);
	x->refusing = socket_bound(&x->refusing_at);
	rig_settle(&x->r);
	x->r.frozen = clock_ms();
}

/* Everything must end without the clock's help. */
static void race_close(struct race *x)
{
	if (x->winner.conn)
		conn_abort(x->winner.conn, -ECANCELED, "done");
	for (unsigned i = 0; i < x->r.n_accepted; i++)
		if (x->servers[i].conn)
			conn_abort(x->servers[i].conn, -ECANCELED, "done");
	rig_stop(&x->r);
	deaf_stop(&x->deaf);
	deaf_stop(&x->other);
	deaf_stop(&x->deaf6);
	close(x->plain);
	close(x->refusing);
}

static struct addr addr_of(const struct race *x, char what)
{
	switch (what) {
	case 'f':
		return x->r.at;
	case 'p':
		return x->plain_at;
	case 'r':
		return x->refusing_at;
	case 'd':
		return x->deaf.at;
	case 'e':
		return x->other.at;
	default:
		return x->deaf6.at;
	}
}

/* False: it could not even begin; *err tells why. */
static bool race_try(struct race *x, const char *words, int *err)
{
	x->n = 0;
	for (const char *p = words; *p; p += p[2] ? 3 : 2)
		x->places[x->n++] = (struct place){ .addr = addr_of(x, p[0]),
			.group = (uint8_t)(p[1] - '0') };
	*err = 0;
	x->starting = true;
	x->dial = dial_start(x->r.conns, x->r.wheel, x->places, x->n, &dial_ops, x, rig_now(&x->r),
		err);
	x->starting = false;
	return x->dial != NULL;
}

/* The dial has begun; nothing has happened yet. */
static void race_begin(struct race *x, const char *words)
{
	int err;

	cr_assert(race_try(x, words, &err), "%d", err);
	cr_assert_eq(err, 0);
}

static void pass(struct race *x, unsigned ms)
{
	x->r.frozen += ms;
	rig_settle(&x->r);
}

/* Attempts that were begun so far. */
static unsigned dialled(const struct race *x)
{
	return (unsigned)conns_stats(x->r.conns)->opened - x->r.n_accepted;
}

static bool is_over(void *ctx)
{
	struct race *x = ctx;

	return x->connects + x->fails > 0;
}

static void won_by(struct race *x, unsigned which)
{
	cr_assert(rig_until(&x->r, is_over, x));
	cr_assert_eq(x->connects, 1, "%s", x->why);
	cr_assert_eq(x->which, which, "%u", x->which);
}

static bool was_echoed(void *ctx)
{
	const struct end *e = ctx;

	return e->received == e->written;
}

/* Of the winner both ends have all bytes, and nobody else has a connection. */
static void winner_works(struct race *x)
{
	for (unsigned i = 0; i < SERVERS; i++)
		x->servers[i].on_input = end_echo;
	cr_assert(end_write(&x->winner, 30000, false));
	cr_assert(rig_until(&x->r, was_echoed, &x->winner));
	cr_assert_eq(x->winner.received, 30000);
	cr_assert_eq(x->winner.closes, 0);
	rig_settle(&x->r);
	cr_assert_eq(conns_count(x->r.conns), 2);
}

static void rest_is(const struct race *x, const char *words)
{
	unsigned n = 0;

	for (const char *p = words; *p; p += p[2] ? 3 : 2, n++) {
		struct addr want = addr_of(x, p[0]);

		cr_assert_lt(n, x->n_rest);
		cr_assert(addr_eq(&x->rest[n].addr, &want), "%s: %u", words, n);
		cr_assert_eq(x->rest[n].group, p[1] - '0');
	}
	cr_assert_eq(x->n_rest, n);
}

/* -- within a group -- */

Test(dial, one_place)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "f0");
	won_by(&x, 0);
	winner_works(&x);
	rest_is(&x, "");
	cr_assert_eq(x.n_place_fails, 0);
	race_close(&x);
}

Test(dial, t_q11_ipv6_in_a_black_hole)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "v0 f0");
	pass(&x, DIAL_DELAY_MS - 1);
	cr_assert_eq(dialled(&x), 1, "the first has its time");
	cr_assert_eq(x.connects, 0);
	pass(&x, 1);
	won_by(&x, 1);
	cr_assert_eq(dialled(&x), 2);
	winner_works(&x);
	cr_assert_eq(x.n_place_fails, 0, "who is too late has not failed");
	rest_is(&x, "v0");
	race_close(&x);
}

Test(dial, who_answers_in_time_has_no_rival)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "f0 p0 f0 p1");
	won_by(&x, 0);
	pass(&x, TIMEOUT_CONNECT_MS);
	cr_assert_eq(dialled(&x), 1);
	winner_works(&x);
	rest_is(&x, "p0 f0 p1");
	race_close(&x);
}

Test(dial, after_a_failure_the_next_begins_at_once)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "r0 r0 f0");
	won_by(&x, 2);
	winner_works(&x);
	cr_assert_eq(x.n_place_fails, 2);
	cr_assert_eq(x.place_err[0], -ECONNREFUSED);
	cr_assert_eq(x.place_err[1], -ECONNREFUSED);
	rest_is(&x, "");
	race_close(&x);
}

Test(dial, the_delay_is_from_one_beginning_to_the_next)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "d0 e0 r0 d0 e0");
	pass(&x, DIAL_DELAY_MS - 1);
	cr_assert_eq(dialled(&x), 1);
	pass(&x, 1);
	cr_assert_eq(dialled(&x), 2);
	pass(&x, DIAL_DELAY_MS);
	cr_assert_eq(dialled(&x), 4, "the third was refused: the fourth need not wait");
	pass(&x, DIAL_DELAY_MS - 1);
	cr_assert_eq(dialled(&x), 4);
	dial_cancel(x.dial);
	race_close(&x);
}

Test(dial, few_are_open_at_once)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "d0 e0 d0 e0 d0 e0 f0");
	for (unsigned i = 1; i <= LIMIT_DIAL_RACE; i++) {
		cr_assert_eq(dialled(&x), i);
		cr_assert_eq(conns_count(x.r.conns), i);
		pass(&x, DIAL_DELAY_MS);
	}
	cr_assert_eq(dialled(&x), LIMIT_DIAL_RACE);
	pass(&x, TIMEOUT_CONNECT_MS - LIMIT_DIAL_RACE * DIAL_DELAY_MS - 1);
	cr_assert_eq(dialled(&x), LIMIT_DIAL_RACE);
	cr_assert_eq(x.n_place_fails, 0);
	/* One fails each time, and makes room for another. */
	for (unsigned i = 1; i <= 2; i++) {
		pass(&x, i == 1 ? 1 : DIAL_DELAY_MS);
		cr_assert_eq(x.n_place_fails, i);
		cr_assert_eq(x.place_err[i - 1], -ETIMEDOUT);
		cr_assert_eq(dialled(&x), LIMIT_DIAL_RACE + i);
		cr_assert_eq(conns_count(x.r.conns), LIMIT_DIAL_RACE);
	}
	pass(&x, DIAL_DELAY_MS);
	won_by(&x, 6);
	winner_works(&x);
	rest_is(&x, "e0 d0 e0");
	race_close(&x);
}

static bool is_over_once_heard(void *ctx)
{
	struct race *x = ctx;

	deaf_hear(&x->deaf);
	return is_over(x);
}

/* The kernel repeats its SYN after a second. */
Test(dial, an_older_attempt_may_still_win)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "d0 e0");
	pass(&x, DIAL_DELAY_MS);
	cr_assert_eq(conns_count(x.r.conns), 2);
	cr_assert(rig_until(&x.r, is_over_once_heard, &x));
	cr_assert_eq(x.connects, 1);
	cr_assert_eq(x.which, 0);
	rest_is(&x, "e0");
	rig_settle(&x.r);
	cr_assert_leq(conns_count(x.r.conns), 1);
	race_close(&x);
}

Test(dial, of_two_in_one_turn_one_wins)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "f0 f0");
	/* Both begin before either is handed to the kernel. */
	x.r.frozen += DIAL_DELAY_MS;
	timer_wheel_run(x.r.wheel, rig_now(&x.r));
	cr_assert_eq(dialled(&x), 2);
	cr_assert(rig_until(&x.r, is_over, &x));
	cr_assert_eq(x.connects, 1);
	winner_works(&x);
	cr_assert_eq(x.n_rest, 1);
	race_close(&x);
}

static void speak_first(struct end *e)
{
	cr_assert(end_write(e, 5000, false));
}

static bool all_heard(void *ctx)
{
	return ((struct end *)ctx)->received == 5000;
}

Test(dial, what_the_server_says_first_is_heard)
{
	struct race x;

	race_open(&x, 100);
	for (unsigned i = 0; i < SERVERS; i++)
		x.servers[i].on_accepted = speak_first;
	race_begin(&x, "r0 f0");
	won_by(&x, 1);
	cr_assert(rig_until(&x.r, all_heard, &x.winner));
	cr_assert_eq(x.winner.connects, 0, "it is not said again");
	race_close(&x);
}

/* -- groups -- */

Test(dial, t_q12_priorities_are_not_raced)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "d0 e0 f1");
	pass(&x, DIAL_DELAY_MS);
	cr_assert_eq(dialled(&x), 2);
	pass(&x, DIAL_DELAY_MS);
	pass(&x, TIMEOUT_CONNECT_MS - 2 * DIAL_DELAY_MS - 1);
	cr_assert_eq(x.n_place_fails, 0);
	pass(&x, 1);
	cr_assert_eq(x.n_place_fails, 1);
	cr_assert_eq(x.place_err[0], -ETIMEDOUT);
	pass(&x, DIAL_DELAY_MS - 1);
	cr_assert_eq(dialled(&x), 2, "one of the first priority is still under way");
	cr_assert_eq(x.connects, 0);
	pass(&x, 1);
	won_by(&x, 2);
	cr_assert_eq(x.n_place_fails, 2);
	cr_assert_eq(x.place_err[1], -ETIMEDOUT);
	winner_works(&x);
	rest_is(&x, "");
	race_close(&x);
}

Test(dial, each_group_races_for_itself)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "r1 r1 d3 f3 f4");
	rig_settle(&x.r);
	cr_assert_eq(dialled(&x), 3);
	cr_assert_eq(x.n_place_fails, 2);
	pass(&x, DIAL_DELAY_MS);
	won_by(&x, 3);
	winner_works(&x);
	rest_is(&x, "d3 f4");
	race_close(&x);
}

/* A list that puts last what failed a moment ago is not ascending any more. */
Test(dial, only_neighbours_are_a_group)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "d1 f0");
	pass(&x, TIMEOUT_CONNECT_MS - 1);
	cr_assert_eq(dialled(&x), 1);
	pass(&x, 1);
	won_by(&x, 1);
	winner_works(&x);
	race_close(&x);
}

/* -- failure -- */

Test(dial, all_have_failed)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "r0 r0 r1 d2");
	rig_settle(&x.r);
	cr_assert_eq(x.n_place_fails, 3);
	cr_assert_eq(x.fails, 0);
	pass(&x, TIMEOUT_CONNECT_MS);
	cr_assert_eq(x.fails, 1);
	cr_assert_eq(x.err, -ETIMEDOUT);
	cr_assert_eq(x.n_place_fails, 4);
	rest_is(&x, "");
	cr_assert_eq(conns_count(x.r.conns), 0);
	race_close(&x);
}

Test(dial, the_only_one_has_failed)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "r0");
	rig_settle(&x.r);
	cr_assert_eq(x.fails, 1);
	cr_assert_eq(x.err, -ECONNREFUSED);
	cr_assert_str_eq(x.why, "the connection was refused");
	race_close(&x);
}

Test(dial, the_rest_is_for_the_next_dial)
{
	struct race x;

	race_open(&x, 100);
	x.reject = 2;
	race_begin(&x, "r0 p0 p1 f1 p2");
	won_by(&x, 0);
	winner_works(&x);
	cr_assert_eq(dialled(&x), 4);
	rest_is(&x, "p2");
	race_close(&x);
}

/* -- want of room -- */

struct held {
	struct end end;
	int peer;
};

/* A connection that is somebody else's. */
static void slot_take(struct race *x, struct held *h)
{
	int fds[2];

	*h = (struct held){ 0 };
	tcp_pair(fds, 0, 0);
	end_adopt(&x->r, &h->end, fds[0]);
	h->peer = fds[1];
}

static void slot_give_back(struct race *x, struct held *h)
{
	conn_abort(h->end.conn, -ECANCELED, "done");
	cr_assert(rig_until(&x->r, end_closed, &h->end));
	close(h->peer);
}

Test(dial, at_the_limit_it_does_not_begin)
{
	struct race x;
	struct held h;
	int err;

	race_open(&x, 1);
	slot_take(&x, &h);
	cr_assert_not(race_try(&x, "p0 p0", &err));
	cr_assert_eq(err, -EUSERS);
	pass(&x, DIAL_DELAY_MS);
	cr_assert_eq(x.connects + x.fails + x.n_place_fails, 0, "there is no dial");
	slot_give_back(&x, &h);
	race_begin(&x, "p0");
	won_by(&x, 0);
	race_close(&x);
}

/* Its own attempt's slot is free again by the time that the next one begins. */
Test(dial, at_the_limit_those_under_way_go_on)
{
	struct race x;
	struct held h;

	race_open(&x, 2);
	slot_take(&x, &h);
	race_begin(&x, "d0 p0");
	for (unsigned i = 0; i < 3; i++)
		pass(&x, DIAL_DELAY_MS);
	cr_assert_eq(dialled(&x), 1 + 1);
	cr_assert_eq(x.connects + x.fails + x.n_place_fails, 0);
	pass(&x, TIMEOUT_CONNECT_MS - 3 * DIAL_DELAY_MS);
	won_by(&x, 1);
	cr_assert_eq(x.place_err[0], -ETIMEDOUT);
	slot_give_back(&x, &h);
	race_close(&x);
}

Test(dial, at_the_limit_it_is_tried_again)
{
	struct race x;
	struct held h;

	race_open(&x, 2);
	slot_take(&x, &h);
	race_begin(&x, "d0 p0");
	pass(&x, DIAL_DELAY_MS);
	slot_give_back(&x, &h);
	cr_assert_eq(x.connects, 0);
	pass(&x, DIAL_DELAY_MS);
	won_by(&x, 1);
	cr_assert_eq(x.n_place_fails, 0);
	race_close(&x);
}

static bool place_has_failed(void *ctx)
{
	struct race *x = ctx;

	return x->n_place_fails > 0;
}

Test(dial, at_the_limit_with_nothing_under_way_it_fails)
{
	struct race x;
	struct held h;

	race_open(&x, 1);
	race_begin(&x, "r0 p0 p1");
	cr_assert(rig_until(&x.r, place_has_failed, &x));
	slot_take(&x, &h); /* somebody is faster than the next attempt */
	rig_settle(&x.r);
	cr_assert_eq(x.fails, 1);
	cr_assert_eq(x.err, -EUSERS);
	cr_assert_str_eq(x.why, "the limit of connections is reached");
	cr_assert_eq(x.n_place_fails, 1, "that says nothing about the others");
	rest_is(&x, "p0 p1");
	slot_give_back(&x, &h);
	race_close(&x);
}

Test(dial, without_descriptors_it_does_not_begin)
{
	struct race x;
	struct rlimit was, none;
	int err;

	race_open(&x, 100);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	cr_assert_not(race_try(&x, "p0", &err));
	cr_assert_eq(err, -EMFILE);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	race_begin(&x, "p0");
	won_by(&x, 0);
	race_close(&x);
}

/* From now on this process has no IPv6, as with a kernel that was built so. */
static void ipv6_forbid(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(filter) / sizeof(filter[0]), filter };

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

Test(dial, without_ipv6_its_places_fail)
{
	struct race x;

	race_open(&x, 100);
	cr_assert(addr_parse(SPAN_LIT("[::1]:5269"), 0, &x.deaf6.at));
	ipv6_forbid();
	race_begin(&x, "v0 v0 f0 v1");
	won_by(&x, 2);
	cr_assert_eq(x.place_err[0], -EAFNOSUPPORT);
	cr_assert_eq(x.place_err[1], -EAFNOSUPPORT);
	winner_works(&x);
	x.connects = x.n_place_fails = 0;
	memset(x.place_err, 0, sizeof(x.place_err));
	race_begin(&x, "v0 v1");
	cr_assert(rig_until(&x.r, is_over, &x));
	cr_assert_eq(x.fails, 1);
	cr_assert_eq(x.err, -EAFNOSUPPORT);
	cr_assert_eq(x.n_place_fails, 2);
	race_close(&x);
}

/* -- cancelled -- */

static void is_silent(struct race *x)
{
	pass(x, DIAL_DELAY_MS);
	pass(x, TIMEOUT_CONNECT_MS);
	cr_assert_eq(x->connects + x->fails, 0);
	cr_assert_eq(conns_count(x->r.conns), 0);
}

Test(dial, cancelled_at_any_time)
{
	static const unsigned waits[] = { 0, 1, DIAL_DELAY_MS, DIAL_DELAY_MS, TIMEOUT_CONNECT_MS };
	struct race x;

	race_open(&x, 100);
	dial_cancel(NULL);
	for (unsigned i = 0; i <= sizeof(waits) / sizeof(waits[0]); i++) {
		memset(x.place_err, 0, sizeof(x.place_err));
		race_begin(&x, "d0 e0 d0 e0 d0 d1");
		for (unsigned k = 0; k < i; k++)
			pass(&x, waits[k]);
		cr_assert_eq(conns_count(x.r.conns) > 0, true);
		dial_cancel(x.dial);
		is_silent(&x);
	}
	race_close(&x);
}

static bool at_once_full(void *ctx)
{
	(void)ctx;
	return true;
}

/* The kernel has connected it already, and nobody was told. */
Test(dial, cancelled_when_it_is_too_late)
{
	struct race x;

	race_open(&x, 100);
	race_begin(&x, "f0 f0");
	x.r.frozen += DIAL_DELAY_MS;
	timer_wheel_run(x.r.wheel, rig_now(&x.r));
	conns_flush(x.r.conns, rig_now(&x.r));
	uring_turn(x.r.uring, 100, 512, at_once_full, NULL);
	dial_cancel(x.dial);
	is_silent(&x);
	race_close(&x);
}

Test(dial, cancelled_from_its_own_calls)
{
	struct race x;

	race_open(&x, 100);
	x.cancel = AT_PLACE_FAILED;
	race_begin(&x, "d0 r0 f0");
	pass(&x, DIAL_DELAY_MS);
	cr_assert_eq(x.n_place_fails, 1);
	is_silent(&x);

	x.cancel = AT_CONNECTED;
	memset(x.place_err, 0, sizeof(x.place_err));
	race_begin(&x, "d0 r0 f0");
	pass(&x, DIAL_DELAY_MS);
	won_by(&x, 2);
	winner_works(&x);

	x.cancel = AT_FAILED;
	x.connects = 0;
	memset(x.place_err, 0, sizeof(x.place_err));
	race_begin(&x, "r0");
	rig_settle(&x.r);
	cr_assert_eq(x.fails, 1);
	race_close(&x);
}

/* All kinds of lists, ended at any moment: one outcome each, and no descriptor or slot is lost. */
Test(dial, hundreds_come_and_go)
{
	unsigned won = 0, failed = 0, cancelled = 0, open;
	struct race x;

	race_open(&x, 20);
	open = fds_open();
	for (unsigned round = 0; round < 120; round++) {
		static const char kinds[] = "prde";
		char words[3 * LIMIT_CANDIDATES + 1];
		unsigned n = 1 + rng() % LIMIT_CANDIDATES, turns = rng() % 40;

		for (unsigned i = 0; i < n; i++)
			sprintf(words + 3 * i, "%c%u%s", kinds[rng() % 4], i / 3,
				i + 1 < n ? " " : "");
		x.connects = x.fails = 0;
		memset(x.place_err, 0, sizeof(x.place_err));
		race_begin(&x, words);
		for (unsigned i = 0; i < turns && !is_over(&x); i++) {
			x.r.frozen += rng() % 4 ? DIAL_DELAY_MS : TIMEOUT_CONNECT_MS;
			rig_turn(&x.r, 0);
		}
		won += x.connects;
		failed += x.fails;
		cancelled += x.dial != NULL;
		cr_assert_eq(x.connects + x.fails + (x.dial != NULL), 1);
		dial_cancel(x.dial);
		x.dial = NULL;
		if (x.winner.conn)
			conn_abort(x.winner.conn, -ECANCELED, "done");
		rig_settle(&x.r);
		cr_assert_eq(conns_count(x.r.conns), 0, "%s", words);
		x.winner = (struct end){ 0 };
		plain_drain(&x);
	}
	cr_assert_eq(fds_open(), open);
	cr_assert_gt(won, 0);
	cr_assert_gt(failed, 0);
	cr_assert_gt(cancelled, 0);
	race_close(&x);
}

#ifdef SLUICE_FAULT_INJECTION
/* Each allocation in turn fails: the dial does not begin, or goes on with the next place. */
Test(dial, without_memory)
{
	bool failed = true;
	unsigned refused = 0, lost = 0;

	for (uint64_t k = 1; failed; k++) {
		struct race x;
		int err;

		race_open(&x, 100);
		(void)mem_fail_nth(k);
		if (race_try(&x, "p0 r1 p1", &err)) {
			cr_assert(rig_until(&x.r, is_over, &x));
			cr_assert_eq(x.connects, 1);
			lost += x.which > 0;
		} else {
			cr_assert_eq(err, -ENOMEM);
			refused++;
		}
		failed = mem_fail_nth(0) == 0;
		cr_assert_eq(x.place_err[0], 0, "it is not to blame");
		race_close(&x);
	}
	cr_assert_gt(refused, 0);
	cr_assert_gt(lost, 0);
}
#endif
