/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tls.h"

#include <limits.h>

#include "core/base/mem.h"
#include "net/tls_hello.h"
#include "net/tls_impl.h"

#define WAITING_MAX (4u << 20) /* output of one call: a guard against a fault of the library's */

/* -- bytes -- */

bool tls_bytes_add(struct tls_bytes *b, struct span s, size_t max)
{
	size_t have = b->end - b->start;

	if (s.n > max || have > max - s.n)
		return false;
	if (b->size - b->end < s.n) {
		/* Doubled: what comes byte by byte is not copied for each. */
		size_t size = have + s.n > 2 * have ? have + s.n : 2 * have;
		char *p = mem_try_alloc(size);

		if (!p)
			return false;
		if (have)
			memcpy(p, b->p + b->start, have);
		mem_free(b->p);
		*b = (struct tls_bytes){ .p = p, .end = have, .size = size };
	}
	if (s.n)
		memcpy(b->p + b->end, s.p, s.n);
	b->end += s.n;
	return true;
}

void tls_bytes_free(struct tls_bytes *b)
{
	mem_free(b->p);
	*b = (struct tls_bytes){ 0 };
}

/* Takes up to n bytes from the front; an empty buffer gives its memory back. */
static size_t bytes_take(struct tls_bytes *b, char *to, size_t n)
{
	size_t have = b->end - b->start;

	if (n > have)
		n = have;
	if (n)
		memcpy(to, b->p + b->start, n);
	b->start += n;
	if (b->p && b->start == b->end)
		tls_bytes_free(b);
	return n;
}

static bool bytes_any(const struct tls_bytes *b)
{
	return b->start != b->end;
}

/* -- what the library reads from and writes to -- */

int tls_on_recv(WOLFSSL *ssl, char *p, int n, void *ctx)
{
	struct tls *t = ctx;
	size_t max = (size_t)n, got;

	(void)ssl;
	/* Nothing is read while answers wait: that is the bound of what may wait. */
	if (!t->io || bytes_any(&t->waiting))
		return WOLFSSL_CBIO_ERR_WANT_READ;
	if (max > t->step)
		max = t->step;
	got = bytes_take(&t->keep, p, max);
	if (got == 0) {
		got = max < t->io->in.n ? max : t->io->in.n;
		if (got)
			memcpy(p, t->io->in.p, got);
		t->io->in = span_skip(t->io->in, got);
	}
	t->step -= t->step == SIZE_MAX ? 0 : got;
	if (t->state == TLS_HANDSHAKE && got == sizeof(t->header))
		memcpy(t->header, p, sizeof(t->header));
	return got ? (int)got : WOLFSSL_CBIO_ERR_WANT_READ;
}

static size_t out_put(struct tls_io *io, struct span s)
{
	size_t n = io->out_room - io->out_n;

	if (n > s.n)
		n = s.n;
	if (n)
		memcpy(io->out + io->out_n, s.p, n);
	io->out_n += n;
	return n;
}

/* Takes everything always: a library that cannot finish a message would have to be called again in
 * just the same way, for each kind of message differently. */
int tls_on_send(WOLFSSL *ssl, char *p, int n, void *ctx)
{
	struct tls *t = ctx;
	struct span s = span_of(p, (size_t)n);

	(void)ssl;
	if (t->io && !bytes_any(&t->waiting))
		s = span_skip(s, out_put(t->io, s));
	if (s.n && !tls_bytes_add(&t->waiting, s, WAITING_MAX)) {
		t->no_memory = true;
		return WOLFSSL_CBIO_ERR_GENERAL;
	}
	return n;
}

bool tls_flush(struct tls *t, struct tls_io *io)
{
	io->out_n += bytes_take(&t->waiting, io->out + io->out_n, io->out_room - io->out_n);
	return !bytes_any(&t->waiting);
}

/* -- states -- */

static void fail(struct tls *t, const char *why)
{
	if (t->state == TLS_FAILED || t->state == TLS_CLOSED)
		return;
	t->state = TLS_FAILED;
	t->why = why;
	tls_bytes_free(&t->keep);
}

static enum tls_next closed(struct tls *t)
{
	t->state = TLS_CLOSED;
	t->why = "closed by the peer";
	tls_bytes_free(&t->keep);
	return TLS_OVER;
}

/*
 * In TLS 1.3 a peer that refuses our certificate may say so before it encrypts anything itself:
 * OpenSSL does. The library takes such a record for a fault after its first five bytes; what the
 * peer had to say is behind them. Anybody could have put it there: it is for the log, and for another
 * attempt that asks no less of the peer. Its code; -1: it is something else.
 */
static int alert_in_the_clear(const struct tls *t)
{
	static const char alert[] = "\x15\x03\x03\0\2";
	struct span left = bytes_any(&t->keep)
		? span_of(t->keep.p + t->keep.start, t->keep.end - t->keep.start)
		: t->io->in;

	_Static_assert(sizeof(alert) == sizeof(t->header) + 1, "a record's header");
	if (t->state != TLS_HANDSHAKE || memcmp(t->header, alert, sizeof(t->header)) != 0 ||
		left.n < 2 || left.p[0] != alert_fatal)
		return -1;
	return (unsigned char)left.p[1];
}

static const char *failed_why(struct tls *t, int error)
{
	int alert = alert_in_the_clear(t);

	if (alert < 0)
		alert = tls_alerted(t->ssl);
	t->refused = tls_alert_is_of_certificate(alert);
	if (t->no_memory)
		return "no memory";
	return alert < 0 ? tls_error_words(error) : tls_alert_words(alert);
}

/* The library said no, with that return value. */
static enum tls_next stopped(struct tls *t, int r)
{
	int error = wolfSSL_get_error(t->ssl, r);

	if (bytes_any(&t->waiting) && error == WOLFSSL_ERROR_WANT_READ)
		return TLS_NEED_ROOM;
	if (error == WOLFSSL_ERROR_WANT_READ)
		return tls_readable(t) || t->io->in.n ? TLS_AGAIN : TLS_NEED_INPUT;
	if (error == WOLFSSL_ERROR_ZERO_RETURN && t->state != TLS_HANDSHAKE)
		return closed(t);
	if (error == WOLFSSL_ERROR_ZERO_RETURN)
		fail(t, "the peer closed in the middle of the handshake");
	else
		fail(t, failed_why(t, error));
	return TLS_OVER;
}

static bool is_over(const struct tls *t)
{
	return t->state == TLS_CLOSED || t->state == TLS_FAILED;
}

/* -- the handshake -- */

static void opened(struct tls *t)
{
	t->state = TLS_OPEN;
	t->proven = true;
	t->step = SIZE_MAX;
	tls_cert_unref(t->cert);
	t->cert = NULL;
	if (!t->shown && !tls_resumed(t)) {
		tls_peer_unref(t->peer);
		t->peer = NULL;
	}
}

static bool cert_choose(struct tls *t, struct span name)
{
	const struct tls_setup_opts *o = &t->setup->opts;
	struct tls_cert *cert = o->by_name ? o->by_name(o->ctx, name) : NULL;

	return !cert || cert == o->cert || tls_show(t, cert);
}

/* Gathers the ClientHello and chooses the certificate by the name in it. False: more is needed, or
 * it failed. The library gets the bytes afterwards, whatever they are. */
static bool hello_look(struct tls *t, struct tls_io *io)
{
	char name[TLS_NAME_MAX];
	size_t n;
	bool all = tls_bytes_add(&t->keep, io->in, LIMIT_TLS_KEEP);

	if (all)
		io->in = span_skip(io->in, io->in.n);
	t->part = t->keep.end - t->keep.start;
	if (all &&
		tls_hello_read(span_of(t->keep.p + t->keep.start, t->part), name, &n) ==
			TLS_HELLO_PART)
		return false;
	t->named = true;
	t->part = 0;
	if (all && n &&
		(!tls_copy(span_of(name, n), &t->name, &t->name_n) ||
			!cert_choose(t, span_of(t->name, n))))
		fail(t, "the certificate for that name cannot be used, or there is no memory");
	return t->state == TLS_HANDSHAKE;
}

enum tls_next tls_handshake(struct tls *t, struct tls_io *io)
{
	enum tls_next next;
	int r;

	if (!tls_flush(t, io))
		return TLS_NEED_ROOM;
	if (is_over(t))
		return TLS_OVER;
	if (t->state != TLS_HANDSHAKE)
		return TLS_AGAIN;
	if (!t->named && t->setup->opts.role == TLS_ACCEPTING && !hello_look(t, io))
		return is_over(t) ? TLS_OVER : TLS_NEED_INPUT;
	t->io = io;
	t->step = LIMIT_TLS_STEP;
	r = wolfSSL_negotiate(t->ssl);
	t->handshake += LIMIT_TLS_STEP - t->step;
	if (r == WOLFSSL_SUCCESS) {
		opened(t);
		next = bytes_any(&t->waiting) ? TLS_NEED_ROOM : TLS_AGAIN;
	} else {
		next = stopped(t, r);
	}
	if (t->state == TLS_HANDSHAKE && t->handshake > LIMIT_TLS_HANDSHAKE) {
		fail(t, "the handshake has more than 128 KiB");
		next = TLS_OVER;
	}
	_Static_assert(LIMIT_TLS_HANDSHAKE == 131072, "the bound in the text");
	t->io = NULL;
	return next;
}

/* -- data -- */

enum tls_next tls_read(struct tls *t, struct tls_io *io, char *p, size_t room, size_t *n)
{
	enum tls_next next = TLS_AGAIN;
	int r;

	*n = 0;
	if (!tls_flush(t, io))
		return TLS_NEED_ROOM;
	if (is_over(t))
		return TLS_OVER;
	BUG_ON(t->state == TLS_HANDSHAKE);
	t->io = io;
	while (*n < room && next == TLS_AGAIN) {
		size_t max = room - *n;

		r = wolfSSL_read(t->ssl, p + *n, max > INT_MAX ? INT_MAX : (int)max);
		if (r > 0)
			*n += (size_t)r;
		else
			next = stopped(t, r);
	}
	t->io = NULL;
	return next;
}

/* One record's worth; small pieces are gathered first. */
static struct span record_gather(const struct span *pieces, unsigned n, size_t at, char *buf)
{
	struct span first = span_skip(pieces[0], at);
	size_t got = 0;

	if (first.n >= TLS_RECORD || n == 1)
		return span_of(first.p, first.n < TLS_RECORD ? first.n : TLS_RECORD);
	for (unsigned i = 0; i < n && got < TLS_RECORD; i++) {
		struct span s = i == 0 ? first : pieces[i];

		if (s.n > TLS_RECORD - got)
			s.n = TLS_RECORD - got;
		if (s.n)
			memcpy(buf + got, s.p, s.n);
		got += s.n;
	}
	return span_of(buf, got);
}

bool tls_writable(const struct tls *t)
{
	return t->state == TLS_OPEN || t->state == TLS_CLOSED;
}

size_t tls_write(struct tls *t, struct tls_io *io, const struct span *pieces, unsigned n)
{
	char buf[TLS_RECORD];
	size_t taken = 0, at = 0; /* at: bytes of pieces[0] that are taken */

	if (!tls_flush(t, io) || !tls_writable(t))
		return 0;
	t->io = io;
	while (n > 0 && io->out_n < io->out_room && !bytes_any(&t->waiting)) {
		struct span s = record_gather(pieces, n, at, buf);
		int r = s.n ? wolfSSL_write(t->ssl, s.p, (int)s.n) : 0;

		if (s.n && r != (int)s.n) {
			(void)stopped(t, r);
			fail(t, "a record could not be written");
			break;
		}
		taken += s.n;
		at += s.n;
		while (n > 0 && at >= pieces[0].n) {
			at -= pieces[0].n;
			pieces++;
			n--;
		}
	}
	t->io = NULL;
	return taken;
}

void tls_close(struct tls *t, struct tls_io *io)
{
	(void)tls_flush(t, io);
	if (!tls_writable(t))
		return;
	t->io = io;
	/* Once, by the library's own book; its answer tells of the peer only. */
	(void)wolfSSL_shutdown(t->ssl);
	t->io = NULL;
	if (t->state == TLS_OPEN)
		t->state = TLS_CLOSING;
}

void tls_eof(struct tls *t)
{
	if (t->state == TLS_HANDSHAKE)
		fail(t, "the connection ended in the middle of the handshake");
	else
		fail(t, "the connection ended without a close_notify: something may be cut off");
}

bool tls_keep(struct tls *t, struct span in)
{
	return is_over(t) || tls_bytes_add(&t->keep, in, LIMIT_TLS_KEEP);
}

bool tls_readable(const struct tls *t)
{
	/* Part of a ClientHello is no reason to read: only more of it is. */
	return !is_over(t) &&
		(t->keep.end - t->keep.start > t->part || wolfSSL_pending(t->ssl) > 0);
}

enum tls_state tls_state(const struct tls *t)
{
	return t->state;
}

bool tls_shaken(const struct tls *t)
{
	return t->proven;
}

const char *tls_why(const struct tls *t)
{
	return t->why;
}

bool tls_refused(const struct tls *t)
{
	return t->refused;
}
