/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the tests of net/conn.c: one ring with connections on both ends, plain
 * sockets as peers that misbehave, and a clock that can be put forward. The bytes
 * of a stream are those of noise.h.
 */
#ifndef SLUICE_TEST_CONN_RIG_H
#define SLUICE_TEST_CONN_RIG_H

#include "fds.h"
#include "net/conn.h"
#include "net/listen.h"
#include "noise.h"

struct rig {
	struct uring *uring;
	struct timer_wheel *wheel;
	struct conns *conns;
	struct listeners *listeners;
	struct listener *listener;
	struct addr at; /* of the listener */
	uint64_t skew; /* ms by which the clock is ahead of the real one */
	uint64_t frozen; /* not 0: the clock stands here, until the test moves it */
	struct end *accepted; /* where the next accepted connections go to, one after another */
	unsigned n_accepted;
};

/* One end of a connection. */
struct end {
	struct rig *rig;
	struct conn *conn; /* NULL once closed */
	uint64_t received; /* bytes, all as expected */
	uint64_t written;
	unsigned inputs, connects, secured, closes, writables, stalls;
	unsigned broken; /* TLS has failed */
	size_t largest; /* input */
	int err;
	const char *why;
	bool keep_unsent;
	char *unsent; /* what conn_unsent told in `closed` */
	size_t unsent_len, handed;
	bool any_unsent;
	void (*on_connected)(struct end *e);
	void (*on_accepted)(struct end *e);
	void (*on_secured)(struct end *e);
	void (*on_input)(struct end *e, char *p, size_t n); /* after the check */
	void (*on_writable)(struct end *e);
	void (*on_closed)(struct end *e);
	void *mine; /* the test's */
};

extern const struct conn_ops rig_ops;

void rig_start(struct rig *r, const struct conns_opts *opts); /* NULL: small defaults */
void rig_stop(struct rig *r);
uint64_t rig_now(const struct rig *r);
void rig_turn(struct rig *r, uint32_t wait_ms);
/* Of tiny socket buffers, whose reader the kernel's timers wake: they take some seconds by themselves. */
#define PATIENCE_MS 50000
/* Turns until done(ctx), PATIENCE_MS at most; false when it took longer. */
bool rig_until(struct rig *r, bool (*done)(void *ctx), void *ctx);
void rig_settle(struct rig *r); /* turns until nothing happens for a moment */
void rig_pass(struct rig *r, uint32_t ms); /* puts the clock forward, and settles */

void end_dial(struct rig *r, struct end *e); /* to the rig's own listener */
void end_adopt(struct rig *r, struct end *e, int fd);
/* Writes the next n bytes of the stream; false when refused. */
bool end_write(struct end *e, size_t n, bool stanza);
bool end_closed(void *end);
/* For on_input and on_connected, on_writable: back what came; the stream up to *(uint64_t *)mine bytes,
 * in random sizes, until refused. */
void end_echo(struct end *e, char *p, size_t n);
void end_pour(struct end *e);

/* A plain socket on the other end of a connection, and what it has read: the stream from its
 * beginning. */
struct reader {
	int fd;
	uint64_t got, want;
};

/* For rig_until. Reads a little at a time; true: it has all that it wants, or there is no more. */
bool reader_has(void *reader);
/* Reads much at a time; true: the other end has said that there is no more. */
bool reader_at_end(void *reader);

/* A connection whose other end is the plain socket *peer; buffers as for tcp_pair. */
void end_plain(struct rig *r, struct end *e, int *peer, int sndbuf, int rcvbuf);
/* A rig with one such connection. */
void rig_single(struct rig *r, struct end *e, int *peer, int sndbuf, int rcvbuf);
/* How it ends: the peer closes, which e must notice; or e is aborted. Neither is open then. */
void end_by_peer(struct end *e, int peer);
void end_by_abort(struct end *e, int peer);

/* A connected pair of TCP sockets; sndbuf and rcvbuf of [0] and [1], 0: as they are. */
void tcp_pair(int fds[2], int sndbuf, int rcvbuf);
void tcp_reset(int fd); /* closes with a reset */

/* A listener whose backlog is full: the kernel drops all that comes, as a black hole does. */
struct deaf {
	int listener;
	int fill[8];
	struct addr at;
};

void deaf_start(struct deaf *d, const char *ip); /* of a loopback address */
void deaf_hear(struct deaf *d); /* takes what is in the backlog, so that more may come */
void deaf_stop(struct deaf *d);

#endif
