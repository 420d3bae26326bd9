/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/wire.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

bool wire_open(struct wire *w, struct loop *l, int fd,
	void (*ready)(struct source *s, uint32_t events))
{
	memset(w, 0, sizeof(*w));
	w->loop = l;
	w->source.fd = fd;
	w->source.events = EPOLLIN;
	w->source.ready = ready;
	if (loop_add(l, &w->source))
		return true;
	close(fd);
	w->source.fd = -1;
	return false;
}

void wire_close(struct wire *w)
{
	if (!wire_is_open(w))
		return;
	loop_remove(w->loop, &w->source);
	/* Else OpenSSL holds the session to be broken; with a quiet shutdown nothing is sent. */
	if (w->tls && SSL_is_init_finished(w->tls))
		(void)SSL_shutdown(w->tls);
	SSL_free(w->tls);
	w->tls = NULL;
	close(w->source.fd);
	w->source.fd = -1;
	free(w->out);
	w->out = NULL;
	w->start = w->end = w->cap = 0;
}

char *wire_reserve(struct wire *w, size_t need)
{
	if (w->start == w->end)
		w->start = w->end = 0;
	if (w->cap - w->end < need && w->start) {
		memmove(w->out, w->out + w->start, w->end - w->start);
		w->end -= w->start;
		w->start = 0;
	}
	if (w->cap - w->end < need) {
		size_t cap = w->cap ? w->cap * 2 : 512;

		while (cap - w->end < need)
			cap *= 2;
		w->out = bench_grow(w->out, cap);
		w->cap = cap;
	}
	return w->out + w->end;
}

void wire_append(struct wire *w, const char *p, size_t len)
{
	if (!wire_is_open(w) || !len)
		return;
	memcpy(wire_reserve(w, len), p, len);
	wire_commit(w, len);
}

void wire_printf(struct wire *w, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(text))
		wire_append(w, text, (size_t)n);
}

static void wire_ask(struct wire *w)
{
	uint32_t events = EPOLLIN;

	if (!w->waits && (w->hungry || wire_pending(w)))
		events |= EPOLLOUT;
	loop_ask(w->loop, &w->source, events);
}

/* What a call of OpenSSL's that did not succeed comes to: 0 end of stream, or -errno. */
static ssize_t tls_stopped(struct wire *w, int result)
{
	int error = errno;

	switch (SSL_get_error(w->tls, result)) {
	case SSL_ERROR_WANT_READ:
		w->waits = true;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		return error ? -error : 0;
	default:
		ERR_clear_error();
		return -EPROTO;
	}
}

static ssize_t wire_send(struct wire *w)
{
	ssize_t n;
	int r;

	if (w->tls) {
		errno = 0;
		r = SSL_write(w->tls, w->out + w->start, (int)wire_pending(w));
		return r > 0 ? r : tls_stopped(w, r);
	}
	do
		n = send(w->source.fd, w->out + w->start, wire_pending(w), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

bool wire_flush(struct wire *w)
{
	while (wire_is_open(w) && !w->waits && wire_pending(w)) {
		ssize_t n = wire_send(w);

		/* ENOTCONN: still connecting, the loop will say when it is over. */
		if (n == -EAGAIN || n == -ENOTCONN)
			break;
		if (n <= 0) {
			errno = n ? (int)-n : EPIPE;
			return false;
		}
		w->start += (size_t)n;
	}
	if (wire_is_open(w))
		wire_ask(w);
	return true;
}

bool wire_secure(struct wire *w, struct ssl_st *tls)
{
	w->tls = tls;
	return SSL_set_fd(tls, w->source.fd) == 1;
}

void wire_set_hungry(struct wire *w, bool hungry)
{
	w->hungry = hungry;
	if (wire_is_open(w))
		wire_ask(w);
}

ssize_t wire_read(struct wire *w, char *buf, size_t cap)
{
	ssize_t n;
	int r;

	if (w->tls) {
		errno = 0;
		w->waits = false;
		r = SSL_read(w->tls, buf, (int)cap);
		n = r > 0 ? r : tls_stopped(w, r);
		/* That a read wants to read is no reason for others not to write. */
		w->waits = w->waits && !SSL_is_init_finished(w->tls);
		return n;
	}
	do
		n = recv(w->source.fd, buf, cap, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
