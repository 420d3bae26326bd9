/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "net/conn_impl.h"

#define STATE_CLOSE 7 /* TCP_CLOSE; <netinet/tcp.h>, which has the name, has not all of tcp_info */
#define LOOKS 4 /* at a send in flight, before it is taken for stalled or dead */

static struct uring_tag conn_tag(const struct conn *c)
{
	return (struct uring_tag){ c->index, c->gen };
}

bool conn_in_flight(const struct conn *c)
{
	return c->connecting || c->receiving || c->sending;
}

void conn_io_stop(struct conn *c)
{
	/* Closing a descriptor does not end operations on it; shutdown(2) does. */
	if (c->connecting)
		uring_cancel(c->cs->uring, URING_CONNECT, conn_tag(c));
	else if (conn_in_flight(c))
		(void)shutdown(c->fd, SHUT_RDWR);
}

static const char *error_text(int err, const char *otherwise)
{
	switch (-err) {
	case ECONNREFUSED:
		return "the connection was refused";
	case ECONNRESET:
		return "the peer reset the connection";
	case EPIPE:
		return "the peer no longer reads";
	case ETIMEDOUT:
		return "the peer does not answer";
	case EHOSTUNREACH:
	case ENETUNREACH:
		return "there is no route to the peer";
	default:
		return otherwise;
	}
}

/* All zero where the socket cannot tell. */
static struct tcp_info tcp_info(const struct conn *c)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		memset(&info, 0, sizeof(info));
	return info;
}

static bool is_passing(int err)
{
	return err == -EAGAIN || err == -EINTR || err == -ECANCELED;
}

/* -- memory of operations -- */

static bool memory_get(struct conn *c)
{
	struct conns *cs = c->cs;

	BUG_ON(c->memory);
	c->memory = cs->memory_free;
	if (c->memory)
		cs->memory_free = c->memory->next_free;
	else
		c->memory = mem_try_alloc(sizeof(*c->memory));
	return c->memory != NULL;
}

static void memory_put(struct conn *c)
{
	c->memory->next_free = c->cs->memory_free;
	c->cs->memory_free = c->memory;
	c->memory = NULL;
}

/* -- receiving -- */

static bool wants_input(const struct conn *c)
{
	if (c->receiving || c->eof)
		return false;
	if (c->state == CONN_OPEN)
		return !c->paused && !(c->tls && tls_readable(c->tls));
	return c->state == CONN_FLUSHING || c->state == CONN_SHUT;
}

static void recv_start(struct conn *c)
{
	struct uring_tag tag = conn_tag(c);

	if (c->big)
		tag.index |= CONN_BIG;
	c->receiving = true;
	c->cs->stats.receives++;
	uring_recv(c->cs->uring, tag, c->fd, c->big ? CONN_GROUP_BIG : CONN_GROUP_SMALL, !c->more);
}

static void input_came(struct conn *c, struct span in, uint32_t flags, unsigned size)
{
	struct conns *cs = c->cs;
	bool full = in.n >= size;

	c->more = full || (flags & URING_F_NONEMPTY);
	/* Back to small buffers once a receive would have fitted into one. */
	c->big = full || (c->big && in.n > bufring_size(cs->small));
	cs->stats.bytes_in += in.n;
	if (c->state != CONN_OPEN)
		return;
	cs->turn_bytes += in.n;
	if (c->tls_next)
		conn_tls_early(c, in);
	else if (c->tls)
		conn_tls_input(c, in);
	else
		c->ops->input(c, (char *)(uintptr_t)in.p, in.n);
}

static void input_ended(struct conn *c, int res)
{
	if (res == -ENOBUFS) {
		c->cs->stats.no_buffers++;
		c->big = false;
		c->more = true;
	} else if (is_passing(res) || c->state == CONN_DYING) {
		c->more = false;
	} else if (c->state == CONN_SHUT) {
		conn_end(c, 0, NULL);
	} else if (res < 0) {
		conn_end(c, res, error_text(res, "receiving failed"));
	} else if (c->state == CONN_FLUSHING) {
		c->eof = true;
	} else if (tcp_info(c).tcpi_state == STATE_CLOSE) {
		/* A reset, whose error a send has consumed; after a FIN it would be CLOSE_WAIT. */
		conn_end(c, -ECONNRESET, error_text(-ECONNRESET, NULL));
	} else if (c->tls) {
		conn_tls_eof(c);
	} else {
		conn_end(c, 0, "the peer closed the connection");
	}
}

static void on_recv(void *ctx, struct uring_tag tag, int res, uint32_t flags)
{
	struct conns *cs = ctx;
	struct bufring *ring = tag.index & CONN_BIG ? cs->large : cs->small;
	struct span in = bufring_take(ring, res, flags);
	struct conn *c = conn_find(cs, tag);

	if (c) {
		c->receiving = false;
		BUG_ON(res > 0 && !in.p);
		if (res > 0)
			input_came(c, in, flags, bufring_size(ring));
		else
			input_ended(c, res);
		conn_touch(c);
	}
	if (in.p)
		bufring_put(ring, in);
}

/* -- sending -- */

/* When to look at the send in flight again; on the minute it has to be known. */
static void send_look_later(struct conn *c, uint64_t now)
{
	uint64_t step = (c->stall_ms && !c->stalled ? c->stall_ms : TIMEOUT_SEND_MS) / LOOKS + 1;
	uint64_t last = c->progress + TIMEOUT_SEND_MS;

	timer_set(c->cs->wheel, &c->timer, now + step < last || last <= now ? now + step : last);
}

static void send_start(struct conn *c, uint64_t now)
{
	struct msghdr *msg;

	if (!memory_get(c)) {
		conn_end(c, -ENOMEM, "no memory for sending");
		return;
	}
	msg = &c->memory->msg;
	*msg = (struct msghdr){ .msg_iov = c->memory->iov };
	msg->msg_iovlen = outq_start(conn_wire(c), c->memory->iov);
	c->sending = true;
	c->last_words = c->tls_next && c->wire.in_flight == c->wire.bytes;
	c->progress = now;
	c->sampled = false;
	c->cs->stats.sends++;
	uring_sendmsg(c->cs->uring, conn_tag(c), c->fd, msg);
	if (c->state == CONN_OPEN)
		send_look_later(c, now);
}

static void send_stalled(struct conn *c)
{
	c->stalled = c->blocked = true;
	c->ops->stalled(c);
}

/*
 * A send of half a megabyte completes as a whole, so a slow peer is told from a dead one by what
 * it has acknowledged meanwhile.
 */
void conn_send_check(struct conn *c, uint64_t now)
{
	uint64_t acked = tcp_info(c).tcpi_bytes_acked;

	if (c->sampled && acked == c->acked) {
		if (now - c->progress >= TIMEOUT_SEND_MS) {
			conn_end(c, -ETIMEDOUT, "the peer takes no more bytes");
			return;
		}
		if (c->stall_ms && !c->stalled && now - c->progress >= c->stall_ms)
			send_stalled(c);
	} else if (c->sampled) {
		c->progress = now;
	}
	c->sampled = true;
	c->acked = acked;
	send_look_later(c, now);
}

static void on_send(void *ctx, struct uring_tag tag, int res, uint32_t flags)
{
	struct conns *cs = ctx;
	struct conn *c = conn_find(cs, tag);
	size_t n = res > 0 ? (size_t)res : 0;

	(void)flags;
	if (!c)
		return;
	c->sending = false;
	memory_put(c);
	if (c->tls)
		conn_tls_sent(c, n);
	else
		outq_complete(conn_wire(c), n);
	cs->stats.bytes_out += n;
	if (c->state == CONN_OPEN)
		timer_stop(&c->timer);
	if (res < 0 && !is_passing(res))
		conn_end(c, res, error_text(res, "sending failed"));
	conn_touch(c);
	if (c->state == CONN_OPEN && c->blocked && c->out.bytes <= c->queue_low) {
		c->blocked = c->stalled = false;
		if (c->ops->writable)
			c->ops->writable(c);
	}
}

/* -- connecting -- */

bool conn_connect(struct conn *c)
{
	unsigned len;

	if (!memory_get(c))
		return false;
	len = addr_to_sockaddr(&c->peer, &c->memory->sa);
	c->connecting = true;
	uring_connect(c->cs->uring, conn_tag(c), c->fd, (struct sockaddr *)&c->memory->sa, len);
	return true;
}

static void on_connect(void *ctx, struct uring_tag tag, int res, uint32_t flags)
{
	struct conn *c = conn_find(ctx, tag);

	(void)flags;
	if (!c)
		return;
	c->connecting = false;
	memory_put(c);
	if (c->state == CONN_DIALLING && res == 0) {
		timer_stop(&c->timer);
		conn_state_set(c, CONN_OPEN);
		c->ops->connected(c);
	} else if (c->state == CONN_DIALLING) {
		conn_end(c, res, error_text(res, "connecting failed"));
	}
	conn_touch(c);
}

/* -- all of them -- */

void conn_work(struct conn *c, uint64_t now)
{
	if (c->state == CONN_DIALLING)
		return;
	if (c->tls_next && !c->sending && c->wire.bytes == 0)
		conn_tls_begin(c);
	else if (c->tls && conn_tls_waiting(c))
		conn_tls_input(c, SPAN_NONE);
	if (c->state == CONN_DYING)
		return;
	if (wants_input(c))
		recv_start(c);
	if (c->state == CONN_FLUSHING && !timer_armed(&c->timer))
		timer_set(c->cs->wheel, &c->timer, now + TIMEOUT_SEND_MS);
	if (c->sending)
		return;
	if (c->tls ? conn_tls_prepare(c) : conn_wire(c)->bytes > 0)
		send_start(c, now);
	else if (c->state != CONN_FLUSHING || (c->tls && conn_tls_pending(c)))
		return;
	else if (c->tls && conn_tls_goodbye(c))
		send_start(c, now);
	else
		conn_shut(c, now);
}

void conn_io_setup(struct conns *cs)
{
	uring_handle(cs->uring, URING_CONNECT, on_connect, cs);
	uring_handle(cs->uring, URING_RECV, on_recv, cs);
	uring_handle(cs->uring, URING_SEND, on_send, cs);
}

void conn_io_teardown(struct conns *cs)
{
	uring_handle(cs->uring, URING_CONNECT, NULL, NULL);
	uring_handle(cs->uring, URING_RECV, NULL, NULL);
	uring_handle(cs->uring, URING_SEND, NULL, NULL);
	while (cs->memory_free) {
		union op_memory *m = cs->memory_free;

		cs->memory_free = m->next_free;
		mem_free(m);
	}
}
