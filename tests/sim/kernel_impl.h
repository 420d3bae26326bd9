/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ring.c and socket.c share: the sockets of the router and the wires behind them. */
#ifndef TESTS_SIM_KERNEL_IMPL_H
#define TESTS_SIM_KERNEL_IMPL_H

#include "core/base/list.h"
#include "tests/sim/kernel.h"

struct flow { /* bytes on their way */
	char *p;
	size_t n, cap;
};

struct wire {
	struct list all, waiting; /* waiting: of the listener or host that has not taken it yet */
	struct addr near, far; /* the router's side, the scenario's */
	struct flow to_router, from_router;
	size_t window, mss;
	uint64_t acked;
	uint64_t arrived; /* when the oldest of to_router was sent, in sends; 0: nothing is there */
	bool fin, rst; /* the scenario's side */
	enum wire_end ended; /* the router's side */
};

struct socket {
	struct list all;
	int fd;
	struct addr local;
	struct wire *wire; /* NULL: not connected */
	struct list waiting; /* of a listener: wires to be accepted */
	bool listening, linger0, shut_rd, shut_wr;
};

struct socket *socket_find(int fd);
struct wire *wire_new(const struct addr *near, const struct addr *far);
struct host *host_find(const struct addr *at);
/* The outcome of a connect: 0, -errno, or 1: not yet. */
int socket_connect(struct socket *s, const struct addr *to);
int socket_accept(struct socket *listener); /* a descriptor, -errno, or -EAGAIN */
void flow_append(struct flow *f, const char *p, size_t n);
void flow_take(struct flow *f, size_t n);

/* Is this the operation that shall fail? `fits` says for which faults it could. */
enum kernel_fault fault_now(unsigned fits);
#define FITS(fault) (1u << (fault))

void sockets_reset(void);
unsigned sockets_end(void);

#endif
