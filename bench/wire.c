/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/wire.h"

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

	if (w->hungry || wire_pending(w))
		events |= EPOLLOUT;
	loop_ask(w->loop, &w->source, events);
}

bool wire_flush(struct wire *w)
{
	while (wire_is_open(w) && wire_pending(w)) {
		ssize_t n = send(w->source.fd, w->out + w->start, wire_pending(w), MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		/* ENOTCONN: still connecting, the loop will say when it is over. */
		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN))
			break;
		if (n < 0)
			return false;
		w->start += (size_t)n;
	}
	if (wire_is_open(w))
		wire_ask(w);
	return true;
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

	do
		n = recv(w->source.fd, buf, cap, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
