/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel as the router sees it, in memory: net/uring.h (linked instead of
 * net/uring.c) and the socket calls that net/ makes (taken over by the linker's
 * --wrap). On the other side of every connection is a wire, which the scenario
 * holds. Nothing is late and nothing is random: what one side writes is there for
 * the other at once. All of it belongs to the workers' threads, of which one runs at
 * a time, until it would sleep; when all would, one of them runs the scenario, from
 * inside uring_turn.
 */
#ifndef TESTS_SIM_KERNEL_H
#define TESTS_SIM_KERNEL_H

#include "core/base/addr.h"
#include "net/uring.h"

struct wire; /* one TCP connection, seen from the scenario */
struct host; /* an address where the router finds somebody */

/*
 * Called when the router is idle and would sleep for wait_ms. True: time has passed, the router
 * runs its timers; false: something may have come for it.
 */
typedef bool kernel_idle_fn(void *ctx, uint32_t wait_ms);

/* So many rings will be opened, each on a thread of its own: the scenario begins when all are there.
 * After kernel_reset; without it there is one. */
void kernel_workers(unsigned n);

/* An empty network. Every descriptor of the run before must have been closed. */
void kernel_reset(kernel_idle_fn *idle, void *ctx);
/* Frees all wires and hosts; returns how many descriptors the router has not closed. */
unsigned kernel_end(void);
/* Of all that the router has sent since kernel_reset: a number that tells two runs apart. */
uint64_t kernel_said(void);

/* -- connections -- */

enum wire_end {
	WIRE_OPEN,
	WIRE_FIN, /* the router has said that this was all */
	WIRE_RESET, /* the router has reset it */
};

/* Connects to the router's listener on `port`; NULL: nobody listens there (any more). */
struct wire *wire_dial(const struct addr *from, uint16_t port);
void wire_send(struct wire *w, struct span s);
void wire_fin(struct wire *w); /* we have said all; still reads */
void wire_rst(struct wire *w);
void wire_window(struct wire *w, size_t bytes); /* so much more is read; SIZE_MAX: all */
void wire_mss(struct wire *w, size_t bytes); /* of what we send, per receive of the router */
struct span wire_in(const struct wire *w); /* what the router sent and nobody has taken */
void wire_take(struct wire *w, size_t n);
enum wire_end wire_ended(const struct wire *w);
bool wire_mute(const struct wire *w); /* we can send nothing any more */

/* -- those whom the router dials -- */

enum host_mode {
	HOST_ACCEPTS,
	HOST_REFUSES,
	HOST_SILENT, /* no answer to a SYN */
};

struct host *host_open(const struct addr *at, enum host_mode mode);
void host_mode_set(struct host *h, enum host_mode mode);
struct wire *host_accept(struct host *h); /* the oldest connection; NULL: none waits */
unsigned host_waiting(const struct host *h);
unsigned host_dialled(const struct host *h); /* attempts so far, whatever became of them */

/* -- faults -- */

enum kernel_fault {
	FAULT_NONE,
	FAULT_SHORT, /* a send takes half of what it was given */
	FAULT_ENOBUFS, /* a receive finds no buffer */
	FAULT_ECANCELED, /* any operation */
	FAULT_EAGAIN, /* any operation */
	FAULT_ECONNRESET, /* of a connection, which is then gone */
	FAULT_EMFILE, /* an accept, or a socket(2) */
};

/* The nth operation from now on that this fault is possible for has it. */
void kernel_fail(enum kernel_fault fault, uint64_t nth);
bool kernel_failed(void); /* it has come to pass */

#endif
