/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One TCP connection on the loop, with a buffer for what is to be written; in the
 * clear, or with TLS from wire_secure on.
 *
 * The wire is embedded in its owner. It owns its descriptor and its buffer until
 * wire_close. What is appended leaves with the next wire_flush and, when the socket
 * is full, by itself as soon as the loop finds it writable: the owner's ready
 * handler calls wire_flush for EPOLLOUT. The buffer grows as asked: who must not
 * buffer more than so much looks at wire_pending first.
 */
#ifndef SLUICE_BENCH_WIRE_H
#define SLUICE_BENCH_WIRE_H

#include "bench/loop.h"

struct ssl_st;

struct wire {
	struct source source; /* fd -1: closed */
	struct loop *loop;
	char *out;
	size_t start, end, cap; /* out[start..end) is still to be written */
	struct ssl_st *tls; /* NULL: in the clear */
	bool hungry; /* the owner wants EPOLLOUT although the buffer is empty */
	bool waits; /* TLS writes nothing until it has read something */
};

/* fd: a connected or connecting socket, owned by the wire from here on, even on failure. */
bool wire_open(struct wire *w, struct loop *l, int fd,
	void (*ready)(struct source *s, uint32_t events));

/* Closes and frees the buffer. Harmless when it is closed. */
void wire_close(struct wire *w);

static inline bool wire_is_open(const struct wire *w)
{
	return w->source.fd >= 0;
}

static inline size_t wire_pending(const struct wire *w)
{
	return w->end - w->start;
}

/* At least `need` bytes to write into, valid until the next call; then wire_commit. */
char *wire_reserve(struct wire *w, size_t need);

static inline void wire_commit(struct wire *w, size_t len)
{
	w->end += len;
}

/*
 * Everything from here on is encrypted; nothing may be pending. The wire owns tls. The handshake
 * begins with the next wire_flush or wire_read.
 */
bool wire_secure(struct wire *w, struct ssl_st *tls);

void wire_append(struct wire *w, const char *p, size_t len);
void wire_printf(struct wire *w, const char *fmt, ...) BENCH_PRINTF(2, 3);

/* Writes what the socket takes. false when the connection is broken (errno; EPROTO: TLS). */
bool wire_flush(struct wire *w);

/* Asks for EPOLLOUT even without pending bytes (hungry), or no longer. */
void wire_set_hungry(struct wire *w, bool hungry);

#define WIRE_READ 16384 /* a record: what is left of one in OpenSSL wakes no loop */

/* cap: at least WIRE_READ. > 0 bytes read; 0 end of stream; -EAGAIN nothing now; another -errno: broken. */
ssize_t wire_read(struct wire *w, char *buf, size_t cap);

#endif
