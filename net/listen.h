/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A listening TCP socket of one worker: SO_REUSEPORT, so that every worker has
 * its own, and oneshot accepts, so that at the limit it is simply not re-armed.
 * Out of descriptors (EMFILE, ENFILE): pauses 100 ms and says so. Owner thread.
 */
#ifndef SLUICE_NET_LISTEN_H
#define SLUICE_NET_LISTEN_H

#include "core/base/addr.h"
#include "net/timer.h"
#include "net/uring.h"

struct listener;
struct listeners;

/* A connection came: fd is the callee's. Return false to stop accepting until listener_rearm
 * (the descriptor has been dealt with all the same). */
typedef bool listen_fn(void *ctx, int fd, const struct addr *peer);

struct listeners *listeners_new(struct uring *u, struct timer_wheel *wheel);
void listeners_free(struct listeners *ls); /* closes them all */

/* NULL and *err = -errno when the address cannot be bound (EADDRINUSE, EACCES, ...). port 0
 * takes a free one: listener_addr tells which. */
struct listener *listener_open(struct listeners *ls, const struct addr *at, listen_fn *fn,
	void *ctx, int *err);
struct addr listener_addr(const struct listener *l);
void listener_rearm(struct listener *l);
void listeners_stop(struct listeners *ls); /* accepts no more; sockets closed */
uint64_t listeners_failed(const struct listeners *ls); /* accepts that failed, of all of them */

#endif
