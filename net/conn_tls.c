/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "net/conn_impl.h"

/*
 * TLS on a connection. What users write waits as plaintext in c->out, as ever, and
 * stays there until its send has completed; it becomes ciphertext when a send starts,
 * a batch of full records at a time, which goes out from c->wire. What comes in is
 * decrypted into the worker's scratch, a record at a time.
 */

#define BATCH 3 /* records that one send takes */
#define BATCH_ROOM (BATCH * TLS_RECORD_ROOM)

/* Every connection's, for the length of one call. */
struct conns_tls {
	char wire[BATCH_ROOM];
	char plain[TLS_RECORD + BUFRING_PAD];
};

bool conns_tls_setup(struct conns *cs)
{
	cs->tls = mem_try_alloc(sizeof(*cs->tls));
	return cs->tls != NULL;
}

void conns_tls_teardown(struct conns *cs)
{
	mem_free(cs->tls);
}

/* -- output -- */

/* Room only as far as the budget has it: TLS keeps what it cannot say, and asks again. */
static struct tls_io io_begin(struct conn *c, struct span in)
{
	bool fits = outq_fits(&c->wire, BATCH_ROOM);

	return (struct tls_io){
		.in = in,
		.out = c->cs->tls->wire,
		.out_room = fits ? BATCH_ROOM : 0,
	};
}

static void io_end(struct conn *c, const struct tls_io *io)
{
	if (io->out_n == 0)
		return;
	if (!outq_append(&c->wire, span_of(io->out, io->out_n))) {
		conn_end(c, -ENOMEM, "no memory for sending");
		return;
	}
	if (!c->sending)
		conn_touch(c);
}

/* Looked at again when the budget has room. */
static void starve(struct conn *c)
{
	list_del(&c->starved);
	list_add_tail(&c->cs->starved, &c->starved);
}

/* No more than the room is for: what TLS writes without room waits in it. */
static unsigned batch_pieces(struct span *piece, const struct iovec *iov, unsigned n)
{
	size_t left = BATCH * TLS_RECORD;
	unsigned i;

	for (i = 0; i < n && left > 0; i++) {
		piece[i] = span_of(iov[i].iov_base, iov[i].iov_len < left ? iov[i].iov_len : left);
		left -= piece[i].n;
	}
	return i;
}

/* A batch of what the user wrote, as records. */
static void batch_encrypt(struct conn *c)
{
	struct tls_io io = io_begin(c, SPAN_NONE);
	struct iovec iov[OUTQ_IOV];
	struct span piece[OUTQ_IOV];
	unsigned n;

	if (io.out_room == 0) {
		starve(c);
		return;
	}
	n = batch_pieces(piece, iov, outq_start(&c->out, iov));
	outq_hold(&c->out, tls_write(c->tls, &io, piece, n));
	c->batch_sent = false;
	io_end(c, &io);
}

bool conn_tls_prepare(struct conn *c)
{
	if (c->wire.bytes == 0 && c->out.in_flight == 0 && c->out.bytes > 0 && tls_writable(c->tls))
		batch_encrypt(c);
	return c->wire.bytes > 0;
}

bool conn_tls_pending(const struct conn *c)
{
	return c->out.bytes > 0 && tls_writable(c->tls);
}

void conn_tls_sent(struct conn *c, size_t n)
{
	c->batch_sent |= n > 0;
	outq_complete(&c->wire, n);
	if (c->wire.bytes == 0)
		outq_complete(&c->out, c->out.in_flight);
}

bool conn_tls_goodbye(struct conn *c)
{
	struct tls_io io;

	if (!tls_writable(c->tls))
		return c->wire.bytes > 0;
	io = io_begin(c, SPAN_NONE);
	tls_close(c->tls, &io);
	(void)tls_flush(c->tls, &io);
	io_end(c, &io);
	return c->wire.bytes > 0;
}

/* The alert goes out, and with it ends the connection. */
static void tls_failed(struct conn *c)
{
	bool over = conn_closing(c);

	c->err = -EPROTO;
	conn_close(c, tls_why(c->tls));
	if (!over && c->ops->broken)
		c->ops->broken(c);
}

/* -- input -- */

static void tls_over(struct conn *c, struct tls_io *io)
{
	(void)tls_flush(c->tls, io);
	io_end(c, io);
	io->out_n = 0;
	if (tls_state(c->tls) != TLS_CLOSED) {
		tls_failed(c);
	} else if (c->state == CONN_OPEN && c->out.bytes > 0) {
		conn_end(c, 0, "the peer closed the connection");
	} else {
		/* Nothing, or nothing but our last words, is to go out before our own end of TLS. */
		c->eof = true;
		conn_close(c, "the peer closed the connection");
	}
}

/* What cannot be read now is kept; the bytes themselves go back to the ring of buffers. */
static void input_keep(struct conn *c, struct span rest)
{
	if (rest.n > 0 && !tls_keep(c->tls, rest))
		conn_end(c, -ENOMEM, "no memory for what the peer has sent");
}

/* One round. False: no more for now. */
static bool input_step(struct conn *c, struct tls_io *io)
{
	bool secured = tls_state(c->tls) != TLS_HANDSHAKE;
	char *plain = c->cs->tls->plain;
	enum tls_next next;
	size_t n = 0;

	next = secured ? tls_read(c->tls, io, plain, TLS_RECORD, &n) : tls_handshake(c->tls, io);
	io_end(c, io);
	io->out_n = 0;
	if (c->state == CONN_OPEN && !secured && tls_state(c->tls) == TLS_OPEN)
		c->ops->secured(c);
	if (c->state == CONN_OPEN && n > 0)
		c->ops->input(c, plain, n);
	if (next == TLS_OVER && c->state != CONN_DYING)
		tls_over(c, io);
	return next == TLS_AGAIN && c->state == CONN_OPEN && !c->paused;
}

/* Those that are shaking hands cost a thousand times what a stanza costs: so many a turn. */
static bool turn_take(struct conn *c)
{
	struct conns *cs = c->cs;

	if (tls_state(c->tls) != TLS_HANDSHAKE)
		return true;
	list_del(&c->handshake);
	if (cs->handshakes_left == 0) {
		list_add_tail(&cs->handshakes, &c->handshake);
		return false;
	}
	cs->handshakes_left--;
	return true;
}

void conn_tls_input(struct conn *c, struct span in)
{
	struct tls_io io;

	if (c->paused || !turn_take(c)) {
		input_keep(c, in);
		return;
	}
	io = io_begin(c, in);
	while (input_step(c, &io))
		io.out_room = outq_fits(&c->wire, BATCH_ROOM) ? BATCH_ROOM : 0;
	if (c->state > CONN_OPEN)
		return;
	input_keep(c, io.in);
	if (io.out_room == 0)
		starve(c);
}

bool conn_tls_waiting(const struct conn *c)
{
	return c->state == CONN_OPEN && !c->paused && list_empty(&c->handshake) &&
		tls_readable(c->tls);
}

void conns_tls_turn(struct conns *cs)
{
	struct list waiting;

	cs->handshakes_left = LIMIT_TLS_TURN;
	list_init(&waiting);
	list_splice_tail(&waiting, &cs->handshakes);
	while (!list_empty(&waiting)) {
		struct conn *c = list_first(&waiting, struct conn, handshake);

		list_del(&c->handshake);
		conn_tls_input(c, SPAN_NONE);
		/* All that was kept is read: nothing else may arm the next receive. */
		conn_touch(c);
	}
}

void conn_tls_eof(struct conn *c)
{
	tls_eof(c->tls);
	conn_end(c, 0, tls_why(c->tls));
}

/* -- life -- */

void conn_secure(struct conn *c, struct tls *t)
{
	BUG_ON(c->tls || c->tls_next || c->state != CONN_OPEN);
	c->tls_next = t;
	/* What was written so far goes out as it is, and nothing that is written from here on. */
	c->wire = c->out;
	outq_init(&c->out, c->cs->pool);
	c->out.share = c->wire.share;
	conn_touch(c);
}

bool conn_securing(const struct conn *c)
{
	return c->tls_next || (c->tls && !tls_shaken(c->tls));
}

struct tls *conn_tls(const struct conn *c)
{
	return c->tls;
}

/* All that was said in the clear is out. */
void conn_tls_begin(struct conn *c)
{
	c->tls = c->tls_next;
	c->tls_next = NULL;
	conn_tls_input(c, SPAN_NONE);
}

/*
 * As long as our last words in the clear are not with the kernel the peer cannot know them, and who
 * opens TLS has none, since it speaks first there. Once they are, the peer's handshake may come
 * before the completion of our send; what is not one fails as such.
 */
void conn_tls_early(struct conn *c, struct span in)
{
	if (!c->last_words)
		conn_abort(c, -EPROTO, "the peer spoke in the clear after TLS was agreed upon");
	else if (!tls_keep(c->tls_next, in))
		conn_end(c, -ENOMEM, "no memory for what the peer has sent");
}

/* The connection is over; what the user may still ask for is what was not sent. */
void conn_tls_end(struct conn *c)
{
	if (c->tls && !c->batch_sent && c->out.in_flight > 0)
		outq_complete(&c->out, 0);
}

void conn_tls_free(struct conn *c)
{
	if (c->tls || c->tls_next)
		outq_clear(&c->wire);
	tls_free(c->tls);
	tls_free(c->tls_next);
	c->tls = c->tls_next = NULL;
}
