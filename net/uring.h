/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One io_uring of one worker: set-up ladder, probes, tagged operations, and the
 * single enter of a loop turn. The only file that knows liburing (with .c).
 *
 * Owner: the thread that opened it (SINGLE_ISSUER); only uring_wake() may be
 * called from others. Every operation carries a tag {op, generation, index};
 * completions go to the handler of the op, which compares the generation before
 * it touches anything, so that a late completion is a counter and not a crash.
 * Memory that an operation names (sockaddr, msghdr, buffers) must stay until its
 * completion. Sources: io_uring_setup(2), io_uring_enter(2).
 */
#ifndef SLUICE_NET_URING_H
#define SLUICE_NET_URING_H

#include "core/base/addr.h"
#include "core/base/span.h"

struct uring;
struct msghdr;

enum uring_op {
	URING_WAKE = 1, /* internal: another thread rang */
	URING_IGNORE, /* internal: nobody waits for it */
	URING_KNOCK, /* internal: another ring was not woken */
	URING_ACCEPT,
	URING_CONNECT,
	URING_RECV,
	URING_SEND,
	URING_POLL,
	URING_OP_COUNT,
};

/* How much the kernel can do; the first that works is taken (worst is 5.19). */
enum uring_level { URING_COOP, URING_SINGLE, URING_DEFER };

struct uring_opts {
	unsigned entries; /* submission queue; 0: 4096 */
	unsigned completions; /* completion queue; 0: 32768 */
};

struct uring_failure {
	int err; /* errno of the refusal */
	char cause[256]; /* in words: what the kernel said and why, as far as /proc tells */
	char remedy[256]; /* what an operator can do about it */
};

struct uring_stats {
	uint64_t enters, completions, overflows, sq_full, unknown;
};

/* 24 bits of generation, 32 of index. */
struct uring_tag {
	uint32_t index;
	uint32_t gen;
};

/* Bits of a completion's flags: a provided buffer came with it, its number in the upper half;
 * the socket had more to read. */
#define URING_F_BUFFER 1u
#define URING_F_NONEMPTY 4u
#define URING_F_BUFFER_SHIFT 16

/* res: as the system call, 0.. or -errno. flags: see above, and net/bufring.h for URING_RECV. */
typedef void uring_fn(void *ctx, struct uring_tag tag, int res, uint32_t flags);

/* NULL on refusal, with *why filled in. Must be called on the thread that will use it. */
struct uring *uring_open(const struct uring_opts *opts, struct uring_failure *why);
void uring_close(struct uring *u);

enum uring_level uring_level(const struct uring *u);
const char *uring_level_name(enum uring_level level);
const struct uring_stats *uring_stats(const struct uring *u);

void uring_handle(struct uring *u, enum uring_op op, uring_fn *fn, void *ctx);

void uring_accept(struct uring *u, struct uring_tag tag, int fd);
void uring_connect(struct uring *u, struct uring_tag tag, int fd, const struct sockaddr *sa,
	unsigned len);
/* Receives into a buffer that the kernel takes from group `group` when data is there. */
void uring_recv(struct uring *u, struct uring_tag tag, int fd, uint16_t group, bool poll_first);
void uring_sendmsg(struct uring *u, struct uring_tag tag, int fd, const struct msghdr *msg);
void uring_poll(struct uring *u, struct uring_tag tag, int fd, uint32_t events); /* oneshot */
/* Asks for the end of the operation {op, tag}; it still completes, with -ECANCELED or otherwise. */
void uring_cancel(struct uring *u, enum uring_op op, struct uring_tag tag);

/*
 * The one enter of a turn: submits, waits for a completion at most wait_ms (0: does not wait),
 * then hands at most max_completions to their handlers. `full` is asked before each of them: true
 * stops early (a turn's budget of bytes is used up); may be NULL. Returns the number handled.
 */
unsigned uring_turn(struct uring *u, uint32_t wait_ms, unsigned max_completions,
	bool (*full)(void *ctx), void *ctx);

/* True when completions are left that the last turn did not handle: do not sleep. */
bool uring_pending(const struct uring *u);

/* Any thread: makes a sleeping uring_turn return soon. */
void uring_wake(struct uring *u);
/* Owner of u: the same for another ring, with u's next turn and without a system call of its own where
 * the kernel can (IORING_OP_MSG_RING, from Linux 6.1 on). Both rings must stay until that turn is over. */
void uring_knock(struct uring *u, struct uring *other);

/* Provided buffers, for net/bufring.c only. 0 or -errno. */
int uring_register_buffers(struct uring *u, void *ring, unsigned entries, uint16_t group);
void uring_unregister_buffers(struct uring *u, uint16_t group);

#endif
