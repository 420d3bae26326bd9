/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of net/conn.h, for net/conn.c (slab, life, calls of the user's) and
 * net/conn_io.c (operations on the ring and their completions) only.
 */
#ifndef SLUICE_NET_CONN_IMPL_H
#define SLUICE_NET_CONN_IMPL_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "net/conn.h"
#include "net/tls.h"

#define CONN_BIG (1u << 31) /* in a tag's index: the receive was from the big buffers */
#define CONN_GROUP_SMALL 1
#define CONN_GROUP_BIG 2

enum conn_state {
	CONN_FREE,
	CONN_DIALLING,
	CONN_OPEN,
	CONN_FLUSHING, /* conn_close: the rest goes out */
	CONN_SHUT, /* all is out and so is our FIN; waits for the peer's */
	CONN_DYING, /* waits for the last completion, then for `closed` */
	CONN_STATE_COUNT,
};

/* Memory that an operation in flight names. Not in struct conn, since most have none in flight. */
union op_memory {
	union op_memory *next_free;
	struct sockaddr_storage sa;
	struct {
		struct msghdr msg;
		struct iovec iov[OUTQ_IOV];
	};
};

struct conn {
	struct conns *cs;
	const struct conn_ops *ops;
	void *user;
	struct list work; /* in cs->free, cs->dirty or cs->ended, or nothing is to be done */
	struct list starved; /* in cs->starved: a write failed for want of budget */
	struct list handshake; /* in cs->handshakes: its turn comes */
	struct tls *tls, *tls_next; /* NULL: in the clear; to begin once `wire` is empty */
	struct outq
		wire; /* with either: what goes out as it is; with TLS, ciphertext of a batch of `out` */
	struct outq out;
	struct timer timer;
	union op_memory *memory;
	size_t queue_max, queue_low;
	uint64_t progress; /* when the send in flight began, or was last seen to progress */
	uint64_t acked; /* bytes that the peer had acknowledged then */
	const char *why;
	uint32_t index, gen;
	uint32_t stall_ms; /* 0: the user does not want to know */
	int fd, err;
	struct addr peer;
	enum conn_state state : 8;
	bool connecting, receiving, sending; /* operations in flight */
	bool paused, blocked, stalled, eof, sampled, aborted;
	bool big; /* the last receive filled its buffer */
	bool more; /* the last receive left something in the socket */
	bool last_words; /* before TLS: the last that is said in the clear is with the kernel */
	bool batch_sent; /* with TLS: some of the batch has gone out */
};

struct conns_tls;

struct conns {
	struct uring *uring;
	struct timer_wheel *wheel;
	struct bufring *small, *large;
	struct outq_pool *pool;
	union op_memory *memory_free;
	struct conn **chunks;
	unsigned n_chunks, count, max;
	size_t budget, turn_bytes;
	struct list free, dirty, ended, starved, handshakes;
	struct conns_tls *tls; /* scratch */
	unsigned handshakes_left; /* in this turn */
	struct conns_stats stats;
	uint64_t no_buffers_seen, buffers_due;
};

/* -- net/conn.c -- */

/* NULL: the completion is of a connection that is no more. */
struct conn *conn_find(struct conns *cs, struct uring_tag tag);
void conn_state_set(struct conn *c, enum conn_state to);
/* There is something for conns_flush to do. */
void conn_touch(struct conn *c);
/* The one way out: err 0 or -errno; the first reason stays. */
void conn_end(struct conn *c, int err, const char *why);
/* All of a closing connection's output is out. */
void conn_shut(struct conn *c, uint64_t now);

/* What the kernel is given. */
static inline struct outq *conn_wire(struct conn *c)
{
	return c->tls || c->tls_next ? &c->wire : &c->out;
}

/* -- net/conn_io.c -- */

void conn_io_setup(struct conns *cs);
void conn_io_teardown(struct conns *cs);
bool conn_in_flight(const struct conn *c);
/* Makes what is in flight end soon. */
void conn_io_stop(struct conn *c);
bool conn_connect(struct conn *c) MUST_CHECK; /* false: no memory */
/* Arms a receive and starts a send, as the state of the connection asks for. */
void conn_work(struct conn *c, uint64_t now);
/* Time to see whether the send in flight progresses. */
void conn_send_check(struct conn *c, uint64_t now);

/* -- net/conn_tls.c -- */

bool conns_tls_setup(struct conns *cs) MUST_CHECK;
void conns_tls_teardown(struct conns *cs);
/* At the beginning of a turn: handshakes for which the last one had no time left. */
void conns_tls_turn(struct conns *cs);

void conn_tls_begin(struct conn *c);
void conn_tls_end(struct conn *c); /* before `closed` */
void conn_tls_free(struct conn *c);
/* Bytes that came between conn_secure and the beginning of TLS. */
void conn_tls_early(struct conn *c, struct span in);
/* Ciphertext that came, and what was kept before; calls the user. */
void conn_tls_input(struct conn *c, struct span in);
void conn_tls_eof(struct conn *c); /* the peer's input has ended: so does the connection */
bool conn_tls_waiting(const struct conn *c); /* there is kept input that can be read */
/* Encrypts the next batch if there is none in flight. True: c->wire is to be sent. */
bool conn_tls_prepare(struct conn *c);
/* There is no room yet for what was written. */
bool conn_tls_pending(const struct conn *c);
void conn_tls_sent(struct conn *c, size_t n);
/* Says goodbye once everything is out. True: that has to be sent. */
bool conn_tls_goodbye(struct conn *c);

#endif
