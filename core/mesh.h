/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What workers tell each other. Between each two of them run two rings
 * (core/base/spsc.h): one carries parcels, pieces of the sender's memory that are
 * full of records; the other brings them back empty, so that memory is freed by the
 * thread that allocated it. Records of one sender arrive in their order. A worker
 * may write to itself: it reads that in its next turn, like the others' records.
 *
 * All that a turn wrote is published at its end (mesh_publish); a receiver that
 * sleeps is woken with the sender's next system call, one that is awake is not
 * disturbed (core/base/doorbell.h).
 *
 * Bound: at most MESH_WINDOW parcels are under way to one receiver. What is written
 * beyond that is gathered by the sender; when that fills a parcel it is told
 * (mesh_starved) and takes no more input until the receiver has caught up. Both go
 * on reading their records meanwhile, so that two who wait for each other come free.
 *
 * The mesh is made before the workers start and freed after all of them have ended.
 * A port belongs to its worker's thread.
 */
#ifndef SLUICE_CORE_MESH_H
#define SLUICE_CORE_MESH_H

#include "core/base/span.h"

#define MESH_WINDOW 16 /* parcels under way from one worker to another; a power of two */
#define MESH_PARCEL 65536 /* bytes of records in one; a larger record has one of its own */

struct mesh;
struct mesh_port;
struct uring;

/* A record has come. p is aligned for any type, gone when this returns, and SCAN_PAD bytes behind
 * it can be read. */
typedef void mesh_fn(void *ctx, unsigned from, unsigned kind, const char *p, size_t n);

/* A record that nobody will read: the router has ended. p as above; on whatever thread finds it. */
typedef void mesh_lost_fn(unsigned kind, const char *p, size_t n);

struct mesh *mesh_new(unsigned workers, mesh_lost_fn *lost); /* dies without memory */
void mesh_free(struct mesh *m); /* all ports must be closed */

/* ring: by which its owner is woken; it must stay until mesh_free. */
struct mesh_port *mesh_open(struct mesh *m, unsigned number, struct uring *ring, mesh_fn *fn,
	void *ctx);
/* What has not gone yet is lost. */
void mesh_close(struct mesh_port *p);

/* Room for a record of n bytes, to be filled at once; NULL without memory. */
void *mesh_write(struct mesh_port *p, unsigned to, unsigned kind, size_t n);
/* The same for a small record without which the two would disagree for good. Without memory for a
 * parcel it has one of its own; when not even that can be had, the process is at its end. */
void *mesh_must_write(struct mesh_port *p, unsigned to, unsigned kind, size_t n);
/* The record that was written last, if it has not gone yet and is of this kind; else NULL. */
void *mesh_last(struct mesh_port *p, unsigned to, unsigned kind);
/* Room for n more bytes at the end of that record; NULL: it has none. */
void *mesh_extend(struct mesh_port *p, unsigned to, size_t n);

/* Once per turn: reads records, at most about `budget` bytes of them. */
void mesh_turn(struct mesh_port *p, size_t budget);
/* At the end of a turn. */
void mesh_publish(struct mesh_port *p);

/* There are records to be read: do not sleep. */
bool mesh_busy(const struct mesh_port *p);
/* Since the last mesh_publish: a receiver is far behind, take no more input. */
bool mesh_starved(const struct mesh_port *p);

/* The owner will sleep. False: something has come, so it must not. mesh_awake follows either way, and
 * tells whether somebody has set out to wake it. */
bool mesh_sleep(struct mesh_port *p) MUST_CHECK;
bool mesh_awake(struct mesh_port *p);

#endif
