/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "net/conn_impl.h"

#define CHUNK 256 /* connections that the slab grows by */
#define GEN_MAX 0xffffffu
#define NOTSENT_LOWAT (128 * 1024)
#define BUFFERS_CHECK_MS 10000

static const uint8_t edges[CONN_STATE_COUNT] = {
	[CONN_FREE] = 1 << CONN_DIALLING | 1 << CONN_OPEN,
	[CONN_DIALLING] = 1 << CONN_OPEN | 1 << CONN_DYING,
	[CONN_OPEN] = 1 << CONN_FLUSHING | 1 << CONN_DYING,
	[CONN_FLUSHING] = 1 << CONN_SHUT | 1 << CONN_DYING,
	[CONN_SHUT] = 1 << CONN_DYING,
	[CONN_DYING] = 1 << CONN_FREE,
};

void conn_state_set(struct conn *c, enum conn_state to)
{
	BUG_ON(!(edges[c->state] & 1 << to));
	c->state = to;
}

struct conn *conn_find(struct conns *cs, struct uring_tag tag)
{
	uint32_t index = tag.index & ~CONN_BIG;
	struct conn *c = NULL;

	if (index / CHUNK < cs->n_chunks)
		c = &cs->chunks[index / CHUNK][index % CHUNK];
	if (c && c->gen == tag.gen && c->state != CONN_FREE)
		return c;
	cs->stats.stale++;
	return NULL;
}

void conn_touch(struct conn *c)
{
	if (c->state != CONN_DYING) {
		if (list_empty(&c->work))
			list_add_tail(&c->cs->dirty, &c->work);
	} else if (!conn_in_flight(c)) {
		list_del(&c->work);
		list_add_tail(&c->cs->ended, &c->work);
	}
}

void conn_end(struct conn *c, int err, const char *why)
{
	if (c->state == CONN_DYING)
		return;
	if (c->err == 0)
		c->err = err;
	if (err != 0 || !conn_closing(c))
		c->why = why;
	conn_state_set(c, CONN_DYING);
	timer_stop(&c->timer);
	list_del(&c->starved);
	list_del(&c->handshake);
	conn_io_stop(c);
	conn_touch(c);
}

/* -- the end of a connection -- */

static void on_timer(struct timer *t, uint64_t now)
{
	struct conn *c = container_of(t, struct conn, timer);

	if (c->state == CONN_DIALLING)
		conn_end(c, -ETIMEDOUT, "no answer to the attempt to connect");
	else if (c->state == CONN_OPEN)
		conn_send_check(c, now);
	else if (c->state == CONN_FLUSHING)
		conn_end(c, -ETIMEDOUT, "the peer did not take the last bytes in time");
	else
		conn_end(c, 0, NULL);
}

/* All is out. The peer has to read it before we close: closing a socket with unread input makes
 * the kernel send a reset, upon which the peer's kernel throws away what it has not read. */
void conn_shut(struct conn *c, uint64_t now)
{
	if (c->eof || shutdown(c->fd, SHUT_WR) < 0) {
		conn_end(c, 0, NULL);
		return;
	}
	conn_state_set(c, CONN_SHUT);
	timer_set(c->cs->wheel, &c->timer, now + TIMEOUT_CLOSE_MS);
}

/* The last of a connection; nothing of it is in flight. */
static void conn_finish(struct conn *c)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	struct conns *cs = c->cs;

	BUG_ON(conn_in_flight(c) || c->memory || c->state != CONN_DYING);
	conn_tls_end(c);
	c->ops->closed(c, c->err, c->why);
	/* The kernel must not hold on to bytes for a peer that does not take them. */
	if (c->fd >= 0 && (c->err != 0 || c->aborted))
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (c->fd >= 0)
		close(c->fd);
	outq_clear(&c->out);
	conn_tls_free(c);
	conn_state_set(c, CONN_FREE);
	c->gen = c->gen == GEN_MAX ? 1 : c->gen + 1;
	list_add(&cs->free, &c->work);
	cs->count--;
	cs->stats.closed++;
}

/* -- the slab -- */

static bool slab_grow(struct conns *cs)
{
	struct conn *chunk = mem_try_zalloc(CHUNK * sizeof(*chunk));

	if (!chunk)
		return false;
	for (unsigned i = 0; i < CHUNK; i++) {
		struct conn *c = &chunk[i];

		c->cs = cs;
		c->index = cs->n_chunks * CHUNK + i;
		c->gen = 1;
		list_init(&c->starved);
		list_init(&c->handshake);
		timer_init(&c->timer, on_timer);
		list_add_tail(&cs->free, &c->work);
	}
	cs->chunks[cs->n_chunks++] = chunk;
	return true;
}

static struct conn *conn_new(struct conns *cs, int fd, const struct addr *peer,
	const struct conn_ops *ops, void *user)
{
	struct conn *c;

	if (cs->count == cs->max || (list_empty(&cs->free) && !slab_grow(cs)))
		return NULL;
	c = list_first(&cs->free, struct conn, work);
	list_del(&c->work);
	outq_init(&c->out, cs->pool);
	c->ops = ops;
	c->user = user;
	c->fd = fd;
	c->peer = *peer;
	conn_set_queue_max(c, SIZE_MAX);
	c->stall_ms = 0;
	c->why = NULL;
	c->err = 0;
	c->paused = c->blocked = c->stalled = c->eof = c->aborted = c->big = c->more = false;
	c->batch_sent = false;
	cs->count++;
	cs->stats.opened++;
	return c;
}

/* None of them is worth failing for. */
static void socket_tune(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 }, /* coalescing is ours */
		{ IPPROTO_TCP, TCP_NOTSENT_LOWAT,
			NOTSENT_LOWAT }, /* so that we know what is unsent */
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 300 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 30 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 4 },
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			sizeof(options[i].value));
}

struct conns *conns_new(struct uring *u, struct timer_wheel *wheel, const struct conns_opts *opts,
	int *err)
{
	struct conns *cs = mem_zalloc(sizeof(*cs));

	cs->uring = u;
	cs->wheel = wheel;
	cs->max = opts->max;
	cs->budget = opts->mem_budget;
	cs->small = bufring_new(u, CONN_GROUP_SMALL, opts->bufs ? opts->bufs : 256,
		opts->buf_size ? opts->buf_size : 16384, err);
	if (cs->small)
		cs->large = bufring_new(u, CONN_GROUP_BIG, opts->big_bufs ? opts->big_bufs : 16,
			opts->big_size ? opts->big_size : 65536, err);
	if (!cs->large || !conns_tls_setup(cs)) {
		bufring_free(cs->large);
		bufring_free(cs->small);
		mem_free(cs);
		return NULL;
	}
	BUG_ON(cs->max >= CONN_BIG || bufring_size(cs->large) < bufring_size(cs->small));
	cs->pool = outq_pool_new(opts->mem_budget);
	cs->chunks = mem_array(cs->max / CHUNK + 1, sizeof(struct conn *));
	list_init(&cs->free);
	list_init(&cs->dirty);
	list_init(&cs->ended);
	list_init(&cs->starved);
	list_init(&cs->handshakes);
	conn_io_setup(cs);
	return cs;
}

void conns_free(struct conns *cs)
{
	if (!cs)
		return;
	BUG_ON(cs->count != 0);
	conn_io_teardown(cs);
	conns_tls_teardown(cs);
	for (unsigned i = 0; i < cs->n_chunks; i++)
		mem_free(cs->chunks[i]);
	mem_free(cs->chunks);
	bufring_free(cs->small);
	bufring_free(cs->large);
	outq_pool_free(cs->pool);
	mem_free(cs);
}

unsigned conns_count(const struct conns *cs)
{
	return cs->count;
}

unsigned conns_max(const struct conns *cs)
{
	return cs->max;
}

const struct conns_stats *conns_stats(const struct conns *cs)
{
	return &cs->stats;
}

/* -- a turn -- */

/* Those whose write failed for want of budget have no completion of their own to wait for. */
static void starved_wake(struct conns *cs)
{
	struct list waiting;

	if (list_empty(&cs->starved) || outq_pool_used(cs->pool) > cs->budget / 4 * 3)
		return;
	list_init(&waiting);
	list_splice_tail(&waiting, &cs->starved);
	while (!list_empty(&waiting)) {
		struct conn *c = list_first(&waiting, struct conn, starved);

		list_del(&c->starved);
		if (c->tls)
			conn_touch(c);
		if (c->state == CONN_OPEN && c->ops->writable)
			c->ops->writable(c);
	}
}

/* Now and then a batch empties the ring of buffers; all the time is another matter. */
static void buffers_check(struct conns *cs, uint64_t now)
{
	uint64_t missed = cs->stats.no_buffers - cs->no_buffers_seen;

	if (now < cs->buffers_due)
		return;
	if (missed > BUFFERS_CHECK_MS / 1000)
		LOG(LOG_WARN, "receive-buffers", "receives waited for a free buffer",
			LF_INT("times", missed), LF_INT("seconds", BUFFERS_CHECK_MS / 1000));
	cs->no_buffers_seen = cs->stats.no_buffers;
	cs->buffers_due = now + BUFFERS_CHECK_MS;
}

/* Callbacks come first, so that what they write goes out with this very turn; each list shrinks,
 * since what callbacks add needs a completion or goes to another list. */
void conns_flush(struct conns *cs, uint64_t now)
{
	cs->turn_bytes = 0;
	buffers_check(cs, now);
	while (!list_empty(&cs->ended)) {
		struct conn *c = list_first(&cs->ended, struct conn, work);

		list_del(&c->work);
		conn_finish(c);
	}
	starved_wake(cs);
	conns_tls_turn(cs);
	while (!list_empty(&cs->dirty)) {
		struct conn *c = list_first(&cs->dirty, struct conn, work);

		list_del(&c->work);
		conn_work(c, now);
	}
}

size_t conns_room(const struct conns *cs)
{
	size_t used = outq_pool_used(cs->pool);

	return used < cs->budget ? cs->budget - used : 0;
}

size_t conns_turn_bytes(const struct conns *cs)
{
	return cs->turn_bytes;
}

bool conns_dirty(const struct conns *cs)
{
	return !list_empty(&cs->dirty) || !list_empty(&cs->ended) || !list_empty(&cs->handshakes);
}

/* -- one connection -- */

struct conn *conn_adopt(struct conns *cs, int fd, const struct addr *peer,
	const struct conn_ops *ops, void *user)
{
	struct conn *c = conn_new(cs, fd, peer, ops, user);

	if (!c) {
		close(fd);
		return NULL;
	}
	socket_tune(fd);
	conn_state_set(c, CONN_OPEN);
	conn_touch(c);
	return c;
}

struct conn *conn_dial(struct conns *cs, const struct addr *peer, const struct conn_ops *ops,
	void *user, uint64_t now, int *err)
{
	int fd = socket(addr_is_v4(peer) ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct conn *c;

	if (fd < 0) {
		*err = -errno;
		return NULL;
	}
	c = conn_new(cs, fd, peer, ops, user);
	if (!c) {
		*err = cs->count == cs->max ? -EUSERS : -ENOMEM;
		close(fd);
		return NULL;
	}
	socket_tune(fd);
	conn_state_set(c, CONN_DIALLING);
	/* Too late for NULL: the slot is taken, so it ends as any other. */
	if (!conn_connect(c)) {
		conn_end(c, -ENOMEM, "no memory");
		return c;
	}
	timer_set(cs->wheel, &c->timer, now + TIMEOUT_CONNECT_MS);
	return c;
}

void *conn_user(const struct conn *c)
{
	return c->user;
}

void conn_set_user(struct conn *c, void *user)
{
	c->user = user;
}

void conn_set_ops(struct conn *c, const struct conn_ops *ops)
{
	c->ops = ops;
}

const struct addr *conn_peer(const struct conn *c)
{
	return &c->peer;
}

struct addr conn_local(const struct conn *c)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct addr out = { 0 };

	if (getsockname(c->fd, (struct sockaddr *)&sa, &len) == 0)
		(void)!addr_from_sockaddr((struct sockaddr *)&sa, &out);
	return out;
}

size_t conn_queued(const struct conn *c)
{
	return c->out.bytes;
}

void conn_set_queue_marks(struct conn *c, size_t high, size_t low)
{
	c->queue_max = high;
	c->queue_low = low;
}

void conn_set_queue_max(struct conn *c, size_t bytes)
{
	conn_set_queue_marks(c, bytes, bytes / 4);
}

void conn_set_stall(struct conn *c, uint32_t ms)
{
	c->stall_ms = ms;
}

bool conn_stalled(const struct conn *c)
{
	return c->stalled;
}

void conn_set_stranger(struct conn *c, bool stranger)
{
	c->out.share = c->wire.share = stranger ? c->cs->budget / 2 : c->cs->budget;
}

static bool append(struct conn *c, const struct span *pieces, unsigned n)
{
	if (!outq_append_all(&c->out, pieces, n)) {
		list_del(&c->starved);
		list_add_tail(&c->cs->starved, &c->starved);
		return false;
	}
	/* With a send in flight its completion will see to it. */
	if (!c->sending)
		conn_touch(c);
	return true;
}

bool conn_write(struct conn *c, const struct span *pieces, unsigned n, unsigned flags)
{
	size_t total = pieces_len(pieces, n);

	if (conn_closing(c))
		return false;
	if (c->out.bytes > c->queue_max || total > c->queue_max - c->out.bytes) {
		c->blocked = true;
		if (!(flags & CONN_FORCE))
			return false;
	}
	if (flags & CONN_STANZA)
		outq_mark(&c->out);
	return append(c, pieces, n);
}

void conn_await_room(struct conn *c)
{
	c->blocked = true;
}

bool conn_say(struct conn *c, struct span s)
{
	if (conn_closing(c) || !append(c, &s, 1))
		return false;
	if (c->out.bytes > c->queue_max)
		c->blocked = true;
	return true;
}

void conn_pause(struct conn *c)
{
	c->paused = true;
}

void conn_resume(struct conn *c)
{
	if (!c->paused)
		return;
	c->paused = false;
	if (!conn_closing(c))
		conn_touch(c);
}

bool conn_paused(const struct conn *c)
{
	return c->paused;
}

int conn_give(struct conn *c)
{
	int fd = c->fd;

	if (c->state != CONN_OPEN)
		return -1;
	BUG_ON(conn_in_flight(c) || c->out.bytes > 0 || c->tls || c->tls_next);
	c->fd = -1;
	conn_end(c, 0, "the connection went to another worker");
	return fd;
}

void conn_close(struct conn *c, const char *why)
{
	if (conn_closing(c))
		return;
	if (c->state == CONN_DIALLING) {
		conn_end(c, 0, why);
		return;
	}
	c->why = why;
	conn_state_set(c, CONN_FLUSHING);
	timer_stop(&c->timer);
	list_del(&c->starved);
	conn_touch(c);
}

void conn_abort(struct conn *c, int err, const char *why)
{
	if (c->state == CONN_DYING)
		return;
	c->aborted = true;
	c->why = why;
	conn_end(c, err, why);
}

bool conn_dialling(const struct conn *c)
{
	return c->state == CONN_DIALLING;
}

bool conn_closing(const struct conn *c)
{
	return c->state > CONN_OPEN;
}

bool conn_unsent(const struct conn *c, size_t *handed, void (*fn)(void *ctx, struct span s),
	void *ctx)
{
	return outq_unsent(&c->out, handed, fn, ctx);
}
