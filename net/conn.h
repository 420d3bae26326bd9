/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP connections of one worker on its ring. A connection belongs to the worker
 * that accepted or dialled it, for life; all calls and callbacks are on that
 * thread. It lives in a slab: completions name it by index and generation, and a
 * slot is reused only when no operation on it is outstanding.
 *
 * Sending: at most one send in flight; what is written meanwhile is coalesced and
 * goes out in one sendmsg at the end of the turn (conns_flush). Receiving:
 * one oneshot receive into a provided buffer, a larger one when the last was full;
 * a paused connection is simply not re-armed: what was in flight then, at most one
 * buffer, still comes. The peer's end of input ends the connection at once with err 0,
 * without a further attempt to send: it has most likely gone, and what the kernel
 * never took can be told exactly (conn_unsent). Failure: `closed` is the last
 * callback, comes exactly once per connection, never from inside a call of the
 * user's, and always with the reason in words.
 */
#ifndef SLUICE_NET_CONN_H
#define SLUICE_NET_CONN_H

#include "core/base/addr.h"
#include "net/bufring.h"
#include "net/outq.h"
#include "net/timer.h"
#include "net/uring.h"

struct conn;
struct conns;
struct tls;

struct conn_ops {
	/* A dialled connection is up. */
	void (*connected)(struct conn *c);
	/* The handshake of conn_secure is done. NULL when conn_secure is never called. */
	void (*secured)(struct conn *c);
	/* TLS has failed: nothing can be said or heard any more. An alert goes out, and `closed` comes
	 * once the peer has closed too, or in time. May be NULL. */
	void (*broken)(struct conn *c);
	/* Bytes came; p[n .. n + BUFRING_PAD) is readable; gone when the call returns. */
	void (*input)(struct conn *c, char *p, size_t n);
	/* conn_write had failed, or the queue exceeded its high mark, or `stalled` was called; now the queue has fallen to its
	 * low mark, or the worker's budget has room again. May be NULL. */
	void (*writable)(struct conn *c);
	/* Output waits, and the peer has taken no byte of it for as long as conn_set_stall says. Once,
	 * until the queue has fallen to its low mark. May be NULL where conn_set_stall is not called. */
	void (*stalled)(struct conn *c);
	/* The connection is no more: err is 0 after an orderly end, else -errno; why is static
	 * text. conn_unsent() may be called from here. The user's memory is its own to free. */
	void (*closed)(struct conn *c, int err, const char *why);
};

struct conns_opts {
	unsigned max; /* connections */
	unsigned bufs, buf_size; /* small receive buffers; 0: 256 of 16 KiB */
	unsigned big_bufs, big_size; /* for sockets that filled their last; 0: 16 of 64 KiB */
	size_t mem_budget; /* bytes of all output queues */
};

struct conns_stats {
	uint64_t opened, closed, bytes_in, bytes_out, sends, receives, no_buffers, stale;
};

struct conns *conns_new(struct uring *u, struct timer_wheel *wheel, const struct conns_opts *opts,
	int *err);
void conns_free(struct conns *cs); /* every connection must have closed */
unsigned conns_count(const struct conns *cs);
unsigned conns_max(const struct conns *cs);
const struct conns_stats *conns_stats(const struct conns *cs);

/* Once per turn, after all input was handled: receives and one send for each connection that has
 * output are queued on the ring, and `closed` is called for those that are done. Nothing moves without it, not even a new connection. */
void conns_flush(struct conns *cs, uint64_t now);
/* Bytes that output queues may still take before the budget is used up. */
size_t conns_room(const struct conns *cs);
/* Input bytes since the last call of conns_flush: the budget of a turn. */
size_t conns_turn_bytes(const struct conns *cs);
/* True when conns_flush would find work. */
bool conns_dirty(const struct conns *cs);

/* An accepted socket; takes fd over, closes it on failure. NULL: at the limit or no memory. */
struct conn *conn_adopt(struct conns *cs, int fd, const struct addr *peer,
	const struct conn_ops *ops, void *user);
/* Dials; ends in `connected` or in `closed` (-ETIMEDOUT after TIMEOUT_CONNECT_MS). NULL with
 * *err when it cannot even begin (-EUSERS: at the limit). What is written before `connected` is
 * queued. */
struct conn *conn_dial(struct conns *cs, const struct addr *peer, const struct conn_ops *ops,
	void *user, uint64_t now, int *err);

void *conn_user(const struct conn *c);
void conn_set_user(struct conn *c, void *user);
/* All further calls go to these, also when it is done from inside one of the old ones. What came
 * before is not said again. The user usually changes with them. */
void conn_set_ops(struct conn *c, const struct conn_ops *ops);
bool conn_dialling(const struct conn *c); /* not connected yet */
const struct addr *conn_peer(const struct conn *c);
struct addr conn_local(const struct conn *c);
size_t conn_queued(const struct conn *c); /* bytes not yet acknowledged by a completion */

/* Marks of the output queue in bytes: beyond `high` conn_write refuses, until `writable` at `low`.
 * Default: no bound but the worker's budget. */
void conn_set_queue_marks(struct conn *c, size_t high, size_t low);
/* The same, with a quarter of it as the low mark. */
void conn_set_queue_max(struct conn *c, size_t bytes);
/* From the next send on: milliseconds without a byte taken after which `stalled` is called, give or
 * take a quarter. 0: never, which is the default. */
void conn_set_stall(struct conn *c, uint32_t ms);
/* `stalled` was called, and the low mark is not reached yet. */
bool conn_stalled(const struct conn *c);
/* Of a stranger: what it leaves unread may take no more than half of the worker's budget, all
 * strangers' together with all else, so that the other half is left to those who are known. */
void conn_set_stranger(struct conn *c, bool stranger);

enum conn_write_flag {
	CONN_STANZA = 1, /* a stanza begins here (see conn_unsent) */
	CONN_FORCE = 2, /* also beyond the high mark: the caller has a bound of its own */
};

/* Appends all pieces or none. False: over the bound, out of memory, or closing. */
bool conn_write(struct conn *c, const struct span *pieces, unsigned n, unsigned flags) MUST_CHECK;
/* `writable` will come once the queue, which is not empty, has fallen to its low mark. */
void conn_await_room(struct conn *c);
/* What a stream says of itself (headers, results, errors): not refused by the high mark, but beyond it
 * `writable` will come. False only without memory or after conn_close. */
bool conn_say(struct conn *c, struct span s);

/*
 * TLS from here on (RFC 6120 section 5): t, which the connection takes over, begins once all that was
 * written so far is out in the clear. Input that comes before that was handed to the kernel ends the
 * connection: nothing may be said between asking for TLS and beginning it. Then come `secured` or
 * `closed`; until then conn_securing() is true, and what is written waits: none of it goes out in the
 * clear. conn_unsent() counts a batch whose records were partly sent as handed over.
 */
void conn_secure(struct conn *c, struct tls *t);
bool conn_securing(const struct conn *c);
struct tls *conn_tls(const struct conn *c); /* NULL: in the clear */

/* No more is received until conn_resume; the receive that is in flight may still bring input. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);
bool conn_paused(const struct conn *c);

/*
 * From `input` of a connection in the clear on which nothing was ever written: takes the socket away,
 * for another worker's conn_adopt. The connection then ends with err 0. -1: it is ending already.
 */
int conn_give(struct conn *c);

/* Sends what is queued (within TIMEOUT_SEND_MS), says that this was all, waits for the peer to do
 * the same (TIMEOUT_CLOSE_MS), and ends; further writes are refused, further input is dropped.
 * On a connection that is still dialled it ends the attempt. */
void conn_close(struct conn *c, const char *why);
/* Ends it now, with a reset; unsent bytes are lost to the peer. */
void conn_abort(struct conn *c, int err, const char *why);
bool conn_closing(const struct conn *c);

/* From `closed`: see outq_unsent(). */
bool conn_unsent(const struct conn *c, size_t *handed, void (*fn)(void *ctx, struct span s),
	void *ctx);

#endif
