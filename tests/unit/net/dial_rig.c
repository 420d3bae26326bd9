/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dial_rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"

struct race race;

/* -- what the dial tells -- */

static bool dial_places(int *err);

static void rest_note(void)
{
	race.n_rest = dial_rest(race.dial, race.rest);
}

static void rest_dial(void)
{
	int err;

	memcpy(race.places, race.rest, sizeof(race.rest));
	race.n = race.n_rest;
	cr_assert(dial_places(&err), "%d", err);
}

static void is_not_over(const void *user)
{
	cr_assert_eq(user, &race);
	cr_assert(!race.starting, "from inside dial_start");
	cr_assert_eq(race.connects + race.fails, 0, "over already");
}

static void on_connected(void *user, struct conn *c, unsigned which)
{
	is_not_over(user);
	cr_assert_lt(which, race.n);
	cr_assert_eq(race.place_err[which], 0, "it had failed");
	cr_assert(addr_eq(conn_peer(c), &race.places[which].addr));
	cr_assert_not(conn_dialling(c));
	rest_note();
	if (race.cancel == RACE_AT_CONNECTED)
		dial_cancel(race.dial);
	if (race.reject > 0) {
		race.reject--;
		conn_abort(c, -EPROTO, "no use");
		rest_dial();
		return;
	}
	race.dial = NULL;
	race.connects++;
	race.which = which;
	race.winner.rig = &race.r;
	race.winner.conn = c;
	conn_set_ops(c, &rig_ops);
	conn_set_user(c, &race.winner);
}

static void on_failed(void *user, int err, const char *why)
{
	is_not_over(user);
	cr_assert_lt(err, 0);
	cr_assert_not_null(why);
	rest_note();
	if (race.cancel == RACE_AT_FAILED)
		dial_cancel(race.dial);
	race.dial = NULL;
	race.fails++;
	race.err = err;
	race.why = why;
}

static void on_place_failed(void *user, unsigned which, int err, const char *why)
{
	is_not_over(user);
	cr_assert_lt(which, race.n);
	cr_assert_eq(race.place_err[which], 0, "failed twice");
	cr_assert_lt(err, 0);
	cr_assert_not_null(why);
	race.place_err[which] = err;
	race.n_place_fails++;
	if (race.cancel == RACE_AT_PLACE_FAILED) {
		dial_cancel(race.dial);
		race.dial = NULL;
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

static void open_with(unsigned max)
{
	const struct conns_opts opts = { .max = max,
		.bufs = 16,
		.buf_size = 4096,
		.big_bufs = 4,
		.big_size = 32768,
		.mem_budget = 16u << 20 };

	race = (struct race){ 0 };
	rig_start(&race.r, &opts);
	race.r.accepted = race.servers;
	deaf_start(&race.deaf, "127.0.0.1");
	deaf_start(&race.other, "127.0.0.2");
	deaf_start(&race.deaf6, has_ipv6() ? "::1" : "127.0.0.3");
	race.plain = socket_bound(&race.plain_at);
	cr_assert_eq(listen(race.plain, 64), 0);
	race.refusing = socket_bound(&race.refusing_at);
	rig_settle(&race.r);
	race.r.frozen = clock_ms();
}

void race_open(void)
{
	open_with(100);
}

void race_close(void)
{
	if (race.winner.conn)
		conn_abort(race.winner.conn, -ECANCELED, "done");
	for (unsigned i = 0; i < race.r.n_accepted; i++)
		if (race.servers[i].conn)
			conn_abort(race.servers[i].conn, -ECANCELED, "done");
	rig_stop(&race.r);
	deaf_stop(&race.deaf);
	deaf_stop(&race.other);
	deaf_stop(&race.deaf6);
	close(race.plain);
	close(race.refusing);
}

void race_renew(unsigned max)
{
	race_close();
	open_with(max);
}

/* -- places -- */

static struct addr addr_of(char what)
{
	switch (what) {
	case 'f':
		return race.r.at;
	case 'p':
		return race.plain_at;
	case 'r':
		return race.refusing_at;
	case 'd':
		return race.deaf.at;
	case 'e':
		return race.other.at;
	default:
		return race.deaf6.at;
	}
}

static unsigned places_read(const char *words, struct place *out)
{
	unsigned n = 0;

	for (const char *p = words; *p; p += p[2] ? 3 : 2)
		out[n++] = (struct place){ .addr = addr_of(p[0]), .group = (uint8_t)(p[1] - '0') };
	return n;
}

/* -- the dial -- */

static bool dial_places(int *err)
{
	memset(race.place_err, 0, sizeof(race.place_err));
	*err = 0;
	race.starting = true;
	race.dial = dial_start(race.r.conns, race.r.wheel, race.places, race.n, &dial_ops, &race,
		rig_now(&race.r), err);
	race.starting = false;
	return race.dial != NULL;
}

bool race_try(const char *places, int *err)
{
	race.n = places_read(places, race.places);
	race.connects = race.fails = race.n_place_fails = 0;
	return dial_places(err);
}

void race_begin(const char *places)
{
	int err;

	cr_assert(race_try(places, &err), "%d", err);
	cr_assert_eq(err, 0);
}

void race_begin_two(const char *places)
{
	race_begin(places);
	race.r.frozen += DIAL_DELAY_MS;
	timer_wheel_run(race.r.wheel, rig_now(&race.r));
	cr_assert_eq(race_dialled(), 2);
}

void race_pass(unsigned ms)
{
	race.r.frozen += ms;
	rig_settle(&race.r);
}

/* -- what came of it -- */

unsigned race_dialled(void)
{
	return (unsigned)conns_stats(race.r.conns)->opened - race.r.n_accepted;
}

unsigned race_open_now(void)
{
	return conns_count(race.r.conns);
}

bool race_is_over(void *unused)
{
	(void)unused;
	return race.connects + race.fails > 0;
}

void race_won_by(unsigned which)
{
	cr_assert(rig_until(&race.r, race_is_over, NULL));
	cr_assert_eq(race.connects, 1, "%s", race.why);
	cr_assert_eq(race.which, which, "%u", race.which);
}

void race_failed(int err)
{
	cr_assert_eq(race.fails, 1);
	cr_assert_eq(race.err, err, "%d", race.err);
}

void race_place_failed(unsigned which, int err)
{
	cr_assert_eq(race.place_err[which], err, "%u: %d", which, race.place_err[which]);
}

static bool was_echoed(void *ctx)
{
	const struct end *e = ctx;

	return e->received == e->written;
}

void race_winner_works(void)
{
	for (unsigned i = 0; i < RACE_SERVERS; i++)
		race.servers[i].on_input = end_echo;
	cr_assert(end_write(&race.winner, 30000, false));
	cr_assert(rig_until(&race.r, was_echoed, &race.winner));
	cr_assert_eq(race.winner.received, 30000);
	cr_assert_eq(race.winner.closes, 0);
	rig_settle(&race.r);
	cr_assert_eq(race_open_now(), 2);
}

void race_rest_is(const char *places)
{
	struct place want[LIMIT_CANDIDATES];
	unsigned n = places_read(places, want);

	cr_assert_eq(race.n_rest, n, "%u left instead of %s", race.n_rest, places);
	for (unsigned i = 0; i < n; i++) {
		cr_assert(addr_eq(&race.rest[i].addr, &want[i].addr), "%s: %u", places, i);
		cr_assert_eq(race.rest[i].group, want[i].group);
	}
}
