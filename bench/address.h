/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Socket addresses: "127.0.0.1:5269", "[::1]:5269", and the sockets on them.
 *
 * Every socket that comes from here is non-blocking, close-on-exec and belongs to
 * the caller. Functions that return a descriptor return -1 with errno set.
 */
#ifndef SLUICE_BENCH_ADDRESS_H
#define SLUICE_BENCH_ADDRESS_H

#include "bench/bench.h"

#include <sys/socket.h>

#define ADDRESS_TEXT 80

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

/* false when it is not a numeric address with a port. */
bool address_parse(struct address *a, const char *text);

/* "127.0.0.1:5269". text holds ADDRESS_TEXT bytes; returned. */
const char *address_print(const struct address *a, char *text);

unsigned address_port(const struct address *a);

/*
 * Listens on TCP, or binds UDP. Port 0 lets the kernel choose one above min_port;
 * *a is set to what was bound.
 */
int address_listen(struct address *a, unsigned min_port);
int address_bind_udp(struct address *a);

/*
 * Binds a TCP port above min_port and does not listen on it; *a is set to it. As long as the socket
 * is open nobody gets that port but who asks for it by number and sets SO_REUSEADDR. -1: none.
 */
int address_reserve(struct address *a, unsigned min_port);

/* Starts to connect; the socket becomes writable when that is over. */
int address_connect(const struct address *a);

/* Accepts one connection, or -1 with errno EAGAIN. */
int address_accept(int fd);

#endif
