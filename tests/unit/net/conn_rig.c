/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conn_rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"

static void on_connected(struct conn *c)
{
	struct end *e = conn_user(c);

	cr_assert_eq(e->closes, 0);
	e->connects++;
	if (e->on_connected)
		e->on_connected(e);
}

static void on_secured(struct conn *c)
{
	struct end *e = conn_user(c);

	cr_assert_eq(e->closes, 0);
	e->secured++;
	if (e->on_secured)
		e->on_secured(e);
}

static void on_input(struct conn *c, char *p, size_t n)
{
	struct end *e = conn_user(c);

	cr_assert_eq(e->closes, 0, "input after `closed`");
	cr_assert_not(conn_closing(c), "input after conn_close");
	cr_assert_gt(n, 0);
	cr_assert(bytes_good(p, n, e->received), "bytes lost or out of order at %llu",
		(unsigned long long)e->received);
	memset(p + n, 0x55, BUFRING_PAD);
	e->received += n;
	e->inputs++;
	e->largest = n > e->largest ? n : e->largest;
	if (e->on_input)
		e->on_input(e, p, n);
}

static void on_writable(struct conn *c)
{
	struct end *e = conn_user(c);

	cr_assert_eq(e->closes, 0);
	e->writables++;
	if (e->on_writable)
		e->on_writable(e);
}

static void on_stalled(struct conn *c)
{
	struct end *e = conn_user(c);

	cr_assert_eq(e->closes, 0);
	cr_assert(conn_stalled(c));
	e->stalls++;
}

static void unsent_add(void *ctx, struct span s)
{
	struct end *e = ctx;

	e->unsent = realloc(e->unsent, e->unsent_len + s.n);
	memcpy(e->unsent + e->unsent_len, s.p, s.n);
	e->unsent_len += s.n;
}

static void on_broken(struct conn *c)
{
	struct end *e = conn_user(c);

	cr_assert_eq(e->closes, 0);
	cr_assert(conn_closing(c));
	e->broken++;
}

static void on_closed(struct conn *c, int err, const char *why)
{
	struct end *e = conn_user(c);

	cr_assert_eq(e->closes, 0, "closed twice");
	cr_assert_not_null(why);
	cr_assert_leq(err, 0);
	e->closes++;
	e->err = err;
	e->why = why;
	if (e->keep_unsent)
		e->any_unsent = conn_unsent(c, &e->handed, unsent_add, e);
	e->conn = NULL;
	if (e->on_closed)
		e->on_closed(e);
}

const struct conn_ops rig_ops = {
	.connected = on_connected,
	.secured = on_secured,
	.input = on_input,
	.writable = on_writable,
	.stalled = on_stalled,
	.broken = on_broken,
	.closed = on_closed,
};

static bool on_accepted(void *ctx, int fd, const struct addr *peer)
{
	struct rig *r = ctx;
	struct end *e;

	cr_assert_not_null(r->accepted);
	e = &r->accepted[r->n_accepted++];
	e->rig = r;
	e->conn = conn_adopt(r->conns, fd, peer, &rig_ops, e);
	cr_assert_not_null(e->conn);
	if (e->on_accepted)
		e->on_accepted(e);
	return true;
}

void rig_start(struct rig *r, const struct conns_opts *opts)
{
	static const struct conns_opts usual = { .max = 1000,
		.bufs = 64,
		.buf_size = 4096,
		.big_bufs = 16,
		.big_size = 32768,
		.mem_budget = 64u << 20 };
	struct uring_failure why;
	struct addr any;
	int err = 0;

	*r = (struct rig){ .uring = uring_open(NULL, &why) };
	cr_assert(r->uring, "%s", why.cause);
	r->wheel = timer_wheel_new(rig_now(r));
	r->conns = conns_new(r->uring, r->wheel, opts ? opts : &usual, &err);
	cr_assert(r->conns, "%d", err);
	cr_assert(addr_parse(SPAN_LIT("127.0.0.1:0"), 0, &any));
	r->listeners = listeners_new(r->uring, r->wheel);
	r->listener = listener_open(r->listeners, &any, on_accepted, r, &err);
	cr_assert(r->listener, "%d", err);
	r->at = listener_addr(r->listener);
}

static bool all_closed(void *ctx)
{
	struct rig *r = ctx;

	return conns_count(r->conns) == 0;
}

void rig_stop(struct rig *r)
{
	cr_assert(rig_until(r, all_closed, r), "%u connections never end", conns_count(r->conns));
	cr_assert_not(conns_dirty(r->conns));
	cr_assert_eq(conns_stats(r->conns)->opened, conns_stats(r->conns)->closed);
	listeners_free(r->listeners);
	conns_free(r->conns);
	timer_wheel_free(r->wheel);
	uring_close(r->uring);
}

uint64_t rig_now(const struct rig *r)
{
	return r->frozen ? r->frozen : clock_ms() + r->skew;
}

/* A worker's loop turn. */
void rig_turn(struct rig *r, uint32_t wait_ms)
{
	uint32_t wait = conns_dirty(r->conns) || uring_pending(r->uring)
		? 0
		: timer_wheel_next(r->wheel, rig_now(r), wait_ms);

	uring_turn(r->uring, wait, 512, NULL, NULL);
	timer_wheel_run(r->wheel, rig_now(r));
	conns_flush(r->conns, rig_now(r));
}

bool rig_until(struct rig *r, bool (*done)(void *ctx), void *ctx)
{
	uint64_t end = clock_ms() + PATIENCE_MS;

	while (!done(ctx)) {
		if (clock_ms() > end)
			return false;
		rig_turn(r, 10);
	}
	return true;
}

void rig_settle(struct rig *r)
{
	unsigned quiet = 0;

	while (quiet < 5) {
		uint64_t before = uring_stats(r->uring)->completions;

		rig_turn(r, 5);
		quiet = uring_stats(r->uring)->completions == before ? quiet + 1 : 0;
	}
}

void rig_pass(struct rig *r, uint32_t ms)
{
	r->skew += ms;
	rig_settle(r);
}

void end_dial(struct rig *r, struct end *e)
{
	int err = 0;

	e->rig = r;
	e->conn = conn_dial(r->conns, &r->at, &rig_ops, e, rig_now(r), &err);
	cr_assert(e->conn, "%d", err);
}

void end_adopt(struct rig *r, struct end *e, int fd)
{
	struct addr peer = r->at;

	e->rig = r;
	e->conn = conn_adopt(r->conns, fd, &peer, &rig_ops, e);
	cr_assert_not_null(e->conn);
}

bool end_write(struct end *e, size_t n, bool stanza)
{
	char *bytes = malloc(n);
	size_t cut = n / 3;
	struct span pieces[2] = { span_of(bytes, cut), span_of(bytes + cut, n - cut) };
	bool done;

	bytes_fill(bytes, n, e->written);
	done = conn_write(e->conn, pieces, 2, stanza);
	free(bytes);
	if (done)
		e->written += n;
	return done;
}

bool end_closed(void *end)
{
	return ((struct end *)end)->closes > 0;
}

static ssize_t reader_reads(struct reader *r, size_t most)
{
	char bytes[20000];
	ssize_t n = read(r->fd, bytes, most < sizeof(bytes) ? most : sizeof(bytes));

	cr_assert(n >= 0 || errno == EAGAIN, "the peer was reset after %llu bytes",
		(unsigned long long)r->got);
	if (n > 0) {
		cr_assert(bytes_good(bytes, (size_t)n, r->got));
		r->got += (size_t)n;
	}
	return n;
}

bool reader_has(void *reader)
{
	struct reader *r = reader;

	return r->got >= r->want || reader_reads(r, 3000) == 0 || r->got >= r->want;
}

bool reader_at_end(void *reader)
{
	return reader_reads(reader, 20000) == 0;
}

void end_plain(struct rig *r, struct end *e, int *peer, int sndbuf, int rcvbuf)
{
	int fds[2];

	tcp_pair(fds, sndbuf, rcvbuf);
	end_adopt(r, e, fds[0]);
	*peer = fds[1];
}

void rig_single(struct rig *r, struct end *e, int *peer, int sndbuf, int rcvbuf)
{
	rig_start(r, NULL);
	end_plain(r, e, peer, sndbuf, rcvbuf);
}

void end_by_peer(struct end *e, int peer)
{
	close(peer);
	cr_assert(rig_until(e->rig, end_closed, e));
}

void end_by_abort(struct end *e, int peer)
{
	conn_abort(e->conn, -ECANCELED, "done");
	cr_assert(rig_until(e->rig, end_closed, e));
	close(peer);
}

void tcp_pair(int fds[2], int sndbuf, int rcvbuf)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (rcvbuf)
		cr_assert_eq(setsockopt(l, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf)), 0);
	cr_assert_eq(bind(l, (struct sockaddr *)&sin, sizeof(sin)), 0);
	cr_assert_eq(listen(l, 1), 0);
	cr_assert_eq(getsockname(l, (struct sockaddr *)&sin, &len), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (sndbuf)
		cr_assert_eq(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)), 0);
	cr_assert_eq(connect(fds[0], (struct sockaddr *)&sin, sizeof(sin)), 0);
	fds[1] = accept4(l, NULL, NULL, SOCK_NONBLOCK);
	cr_assert_geq(fds[1], 0);
	close(l);
}

void tcp_reset(int fd)
{
	struct linger reset = { 1, 0 };

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(fd);
}

void deaf_start(struct deaf *d, const char *ip)
{
	struct sockaddr_storage sa;
	socklen_t len;

	cr_assert(addr_parse_ip(span_str(ip), &d->at), "%s", ip);
	len = addr_to_sockaddr(&d->at, &sa);
	d->listener = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(d->listener, (struct sockaddr *)&sa, len), 0, "%s", ip);
	cr_assert_eq(listen(d->listener, 0), 0);
	cr_assert_eq(getsockname(d->listener, (struct sockaddr *)&sa, &len), 0);
	cr_assert(addr_from_sockaddr((struct sockaddr *)&sa, &d->at));
	for (unsigned i = 0; i < 8; i++) {
		d->fill[i] = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(d->fill[i], (struct sockaddr *)&sa, len);
	}
}

void deaf_hear(struct deaf *d)
{
	int fd;

	while ((fd = accept(d->listener, NULL, NULL)) >= 0)
		close(fd);
}

void deaf_stop(struct deaf *d)
{
	close(d->listener);
	for (unsigned i = 0; i < 8; i++)
		close(d->fill[i]);
}

void end_echo(struct end *e, char *p, size_t n)
{
	struct span s = span_of(p, n);

	cr_assert(conn_write(e->conn, &s, 1, 0));
}

void end_pour(struct end *e)
{
	uint64_t total = *(uint64_t *)e->mine;

	while (e->written < total) {
		size_t n = 1 + rng() % (rng() % 8 ? 1000 : 100000);

		if (n > total - e->written)
			n = total - e->written;
		if (!end_write(e, n, true))
			return;
	}
}
