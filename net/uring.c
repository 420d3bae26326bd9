/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/uring.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "net/uring_compat.h"

#define ENTRIES 4096
#define COMPLETIONS 32768
#define GEN_MASK 0xffffffu
#define SQ_TRIES 1000 /* of 1 ms, for the kernel to find memory for an operation */

_Static_assert(URING_F_BUFFER == IORING_CQE_F_BUFFER, "kernel ABI");
_Static_assert(URING_F_NONEMPTY == IORING_CQE_F_SOCK_NONEMPTY, "kernel ABI");
_Static_assert((int)URING_F_BUFFER_SHIFT == (int)IORING_CQE_BUFFER_SHIFT, "kernel ABI");

struct handler {
	uring_fn *fn;
	void *ctx;
};

struct uring {
	struct io_uring ring;
	struct handler handlers[URING_OP_COUNT];
	struct uring_stats stats;
	enum uring_level level;
	bool knocks; /* IORING_OP_MSG_RING can be relied upon */
	int wake_fd;
	/* Set by whoever rings first; the others need not write to wake_fd again. */
	_Atomic bool rung;
};

/* -- why it was refused -- */

/* The first line of a small file from /proc, or of it the value behind `key`; "" when absent. */
static void proc_read(const char *path, const char *key, char *out, size_t size)
{
	char line[256];
	FILE *f = fopen(path, "re");

	out[0] = '\0';
	while (f && fgets(line, sizeof(line), f)) {
		const char *value = line + strlen(key);

		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		value += strspn(value, " \t");
		snprintf(out, size, "%.*s", (int)strcspn(value, "\r\n"), value);
		break;
	}
	if (f)
		fclose(f);
}

static const char *remedy_eperm(const char *disabled, const char *seccomp)
{
	if (strcmp(disabled, "2") == 0)
		return "sysctl -w kernel.io_uring_disabled=0, "
		       "and the same in /etc/sysctl.d/ to keep it";
	if (strcmp(disabled, "1") == 0)
		return "put the service's group into sysctl kernel.io_uring_group, "
		       "or sysctl -w kernel.io_uring_disabled=0";
	if (strcmp(seccomp, "0") != 0)
		return "allow io_uring_setup, io_uring_enter and io_uring_register: "
		       "docker run --security-opt seccomp=FILE, with the default profile and these three in it; "
		       "systemd: SystemCallFilter=@system-service @io-event";
	return "look for a denial by SELinux or AppArmor in the kernel's log "
	       "(ausearch -m avc, dmesg)";
}

static const char *remedy_of(int err, const char *disabled, const char *seccomp)
{
	switch (err) {
	case EPERM:
	case EACCES:
		return remedy_eperm(disabled, seccomp);
	case ENOSYS:
		return "run on Linux 5.19 or later with CONFIG_IO_URING, not under gVisor or an "
		       "emulator; in a container allow the io_uring system calls";
	case ENOMEM:
		return "raise the limit of locked memory (ulimit -l, systemd: "
		       "LimitMEMLOCK=infinity) or of the container's memory";
	case EMFILE:
	case ENFILE:
		return "raise the limit of open files (ulimit -n, systemd: LimitNOFILE=)";
	default:
		return "run on Linux 6.1 or later (5.19 is the oldest that can do)";
	}
}

static const char *reason_of(int err, const char *disabled, const char *seccomp)
{
	if (err == EINVAL || err == EOPNOTSUPP)
		return "this kernel is too old";
	if (err == ENOSYS)
		return "this kernel has no io_uring, or hides it";
	if (err == ENOMEM)
		return "no memory, or the limit of locked memory is too low";
	if (err == EMFILE || err == ENFILE)
		return "no descriptor is left";
	if (err != EPERM && err != EACCES)
		return "see the error number";
	if (strcmp(disabled, "2") == 0)
		return "the sysctl switches io_uring off for all";
	if (strcmp(disabled, "1") == 0)
		return "the sysctl allows io_uring to privileged processes only";
	if (strcmp(seccomp, "0") != 0)
		return "a seccomp filter, such as a container's default profile, forbids it";
	return "a security module forbids it";
}

static void failure_fill(struct uring_failure *why, int err, const char *what)
{
	char disabled[16], seccomp[16];
	struct utsname kernel;

	proc_read("/proc/sys/kernel/io_uring_disabled", "", disabled, sizeof(disabled));
	proc_read("/proc/self/status", "Seccomp:", seccomp, sizeof(seccomp));
	if (uname(&kernel) < 0)
		strcpy(kernel.release, "?");
	why->err = err;
	snprintf(why->cause, sizeof(why->cause),
		"%s: %s (errno %d): %s; kernel.io_uring_disabled=%s, seccomp mode %s, Linux %.64s",
		what, strerror(err), err, reason_of(err, disabled, seccomp),
		*disabled ? disabled : "absent", *seccomp ? seccomp : "unknown", kernel.release);
	snprintf(why->remedy, sizeof(why->remedy), "%s", remedy_of(err, disabled, seccomp));
}

/* -- operations -- */

/* Errors of an enter that only mean "come again": a signal, the time-out, no memory just now. */
static void enter_check(struct uring *u, int err)
{
	u->stats.enters++;
	BUG_ON(err < 0 && err != -EINTR && err != -ETIME && err != -EBUSY && err != -EAGAIN);
}

static struct io_uring_sqe *sqe_get(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	for (unsigned tries = 0; unlikely(!sqe); tries++) {
		BUG_ON(tries == SQ_TRIES);
		if (tries > 0)
			(void)poll(NULL, 0, 1);
		u->stats.sq_full++;
		enter_check(u, io_uring_submit(&u->ring));
		sqe = io_uring_get_sqe(&u->ring);
	}
	return sqe;
}

static uint64_t tag_pack(enum uring_op op, struct uring_tag tag)
{
	BUG_ON(tag.gen > GEN_MASK);
	return (uint64_t)op << 56 | (uint64_t)tag.gen << 32 | tag.index;
}

void uring_accept(struct uring *u, struct uring_tag tag, int fd)
{
	struct io_uring_sqe *sqe = sqe_get(u);

	/* Not SOCK_NONBLOCK: on such a socket a send may complete with -EAGAIN. */
	io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	io_uring_sqe_set_data64(sqe, tag_pack(URING_ACCEPT, tag));
}

void uring_connect(struct uring *u, struct uring_tag tag, int fd, const struct sockaddr *sa,
	unsigned len)
{
	struct io_uring_sqe *sqe = sqe_get(u);

	io_uring_prep_connect(sqe, fd, sa, len);
	io_uring_sqe_set_data64(sqe, tag_pack(URING_CONNECT, tag));
}

void uring_recv(struct uring *u, struct uring_tag tag, int fd, uint16_t group, bool poll_first)
{
	struct io_uring_sqe *sqe = sqe_get(u);

	io_uring_prep_recv(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = group;
	if (poll_first)
		sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	io_uring_sqe_set_data64(sqe, tag_pack(URING_RECV, tag));
}

void uring_sendmsg(struct uring *u, struct uring_tag tag, int fd, const struct msghdr *msg)
{
	struct io_uring_sqe *sqe = sqe_get(u);

	io_uring_prep_sendmsg(sqe, fd, msg, MSG_NOSIGNAL | MSG_WAITALL);
	io_uring_sqe_set_data64(sqe, tag_pack(URING_SEND, tag));
}

static void poll_add(struct uring *u, enum uring_op op, struct uring_tag tag, int fd,
	uint32_t events)
{
	struct io_uring_sqe *sqe = sqe_get(u);

	io_uring_prep_poll_add(sqe, fd, events);
	io_uring_sqe_set_data64(sqe, tag_pack(op, tag));
}

void uring_poll(struct uring *u, struct uring_tag tag, int fd, uint32_t events)
{
	poll_add(u, URING_POLL, tag, fd, events);
}

void uring_cancel(struct uring *u, enum uring_op op, struct uring_tag tag)
{
	struct io_uring_sqe *sqe = sqe_get(u);

	io_uring_prep_cancel64(sqe, tag_pack(op, tag), 0);
	io_uring_sqe_set_data64(sqe, tag_pack(URING_IGNORE, tag));
}

/* Nothing but a failure is heard of it; then its other way in is at hand. */
void uring_knock(struct uring *u, struct uring *other)
{
	struct uring_tag door = { .index = (uint32_t)other->wake_fd };
	struct io_uring_sqe *sqe;

	if (!u->knocks) {
		uring_wake(other);
		return;
	}
	sqe = sqe_get(u);
	io_uring_prep_msg_ring(sqe, other->ring.ring_fd, 0,
		tag_pack(URING_IGNORE, (struct uring_tag){ 0 }), 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data64(sqe, tag_pack(URING_KNOCK, door));
}

/* -- opening -- */

/* 0 or -errno of the last rung that was tried. */
static int ring_init(struct uring *u, const struct uring_opts *opts)
{
	static const unsigned ladder[] = {
		[URING_COOP] = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		[URING_SINGLE] = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN |
			IORING_SETUP_TASKRUN_FLAG,
		[URING_DEFER] = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	unsigned entries = opts && opts->entries ? opts->entries : ENTRIES;
	unsigned completions = opts && opts->completions ? opts->completions : COMPLETIONS;
	int err = -EINVAL;

	for (int level = URING_DEFER; level >= URING_COOP; level--) {
		struct io_uring_params p = { .cq_entries = completions };

		p.flags = ladder[level] | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP |
			IORING_SETUP_CQSIZE;
		u->level = (enum uring_level)level;
		err = io_uring_queue_init_params(entries, &u->ring, &p);
		if (err != -EINVAL)
			return err;
	}
	return err;
}

static bool opcodes_present(struct uring *u)
{
	static const int needed[] = { IORING_OP_ACCEPT, IORING_OP_CONNECT, IORING_OP_RECV,
		IORING_OP_SENDMSG, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL };
	struct io_uring_probe *probe = io_uring_get_probe_ring(&u->ring);
	bool all = probe != NULL;

	for (size_t i = 0; all && i < ARRAY_LEN(needed); i++)
		all = io_uring_opcode_supported(probe, needed[i]);
	/* Before 6.1 some of its wake-ups are said to have been lost. */
	u->knocks = all && u->level == URING_DEFER &&
		io_uring_opcode_supported(probe, IORING_OP_MSG_RING);
	io_uring_free_probe(probe);
	return all;
}

static void wake_arm(struct uring *u)
{
	poll_add(u, URING_WAKE, (struct uring_tag){ 0, 0 }, u->wake_fd, POLLIN);
}

static struct uring *open_failed(struct uring *u, struct uring_failure *why, int err,
	const char *what)
{
	failure_fill(why, err, what);
	if (u->wake_fd >= 0)
		close(u->wake_fd);
	mem_free(u);
	return NULL;
}

struct uring *uring_open(const struct uring_opts *opts, struct uring_failure *why)
{
	struct uring *u = mem_zalloc(sizeof(*u));
	int err;

	u->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (u->wake_fd < 0)
		return open_failed(u, why, errno, "eventfd");
	err = ring_init(u, opts);
	if (err < 0)
		return open_failed(u, why, -err, "io_uring_setup");
	if (!opcodes_present(u)) {
		io_uring_queue_exit(&u->ring);
		return open_failed(u, why, EOPNOTSUPP, "io_uring operations");
	}
	/* Saves a look-up of the ring's descriptor per enter; without it all works the same. */
	(void)io_uring_register_ring_fd(&u->ring);
	wake_arm(u);
	return u;
}

void uring_close(struct uring *u)
{
	if (!u)
		return;
	io_uring_queue_exit(&u->ring);
	close(u->wake_fd);
	mem_free(u);
}

enum uring_level uring_level(const struct uring *u)
{
	return u->level;
}

const char *uring_level_name(enum uring_level level)
{
	static const char *const names[] = {
		[URING_COOP] = "cooperative",
		[URING_SINGLE] = "single issuer",
		[URING_DEFER] = "single issuer, deferred task work",
	};

	return names[level];
}

const struct uring_stats *uring_stats(const struct uring *u)
{
	return &u->stats;
}

void uring_handle(struct uring *u, enum uring_op op, uring_fn *fn, void *ctx)
{
	BUG_ON(op <= URING_KNOCK || op >= URING_OP_COUNT);
	u->handlers[op] = (struct handler){ fn, ctx };
}

/* -- a turn -- */

static void wake_heard(struct uring *u)
{
	uint64_t n;

	/* First empty the descriptor, then let others ring again: the other way round a ring
	 * between the two would be swallowed. The exchange makes what the ringer wrote before
	 * visible. */
	(void)!read(u->wake_fd, &n, sizeof(n));
	atomic_exchange(&u->rung, false);
	wake_arm(u);
}

/* Mostly the other's completion queue is full, and it is wide awake. */
static void knock_failed(int wake_fd)
{
	uint64_t one = 1;

	(void)!write(wake_fd, &one, sizeof(one));
}

static void completion_dispatch(struct uring *u, const struct io_uring_cqe *cqe)
{
	struct uring_tag tag = { (uint32_t)cqe->user_data,
		(uint32_t)(cqe->user_data >> 32) & GEN_MASK };
	unsigned op = (unsigned)(cqe->user_data >> 56);

	BUG_ON(op == 0 || op >= URING_OP_COUNT);
	u->stats.completions++;
	if (op == URING_WAKE)
		wake_heard(u);
	else if (op == URING_KNOCK)
		knock_failed((int)tag.index);
	else if (u->handlers[op].fn)
		u->handlers[op].fn(u->handlers[op].ctx, tag, cqe->res, cqe->flags);
	else if (op != URING_IGNORE)
		u->stats.unknown++;
}

/* The slot is given back before the handler runs, so that the kernel has room for what the
 * handler may submit. */
static bool completion_take(struct uring *u, struct io_uring_cqe *out)
{
	struct io_uring_cqe *cqe;

	if (io_uring_cq_ready(&u->ring) == 0 || io_uring_peek_cqe(&u->ring, &cqe) != 0)
		return false;
	*out = *cqe;
	io_uring_cq_advance(&u->ring, 1);
	return true;
}

/*
 * Not io_uring_submit() and not a wait for what is there already: both may skip the enter or
 * make it without GETEVENTS, and deferred task work runs only in an enter with GETEVENTS.
 */
static int turn_enter(struct uring *u, uint32_t wait_ms)
{
	struct __kernel_timespec ts = { wait_ms / 1000, (long long)(wait_ms % 1000) * 1000000 };
	struct io_uring_cqe *cqe;

	if (wait_ms == 0 || uring_pending(u))
		return io_uring_submit_and_get_events(&u->ring);
	return io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &ts, NULL);
}

unsigned uring_turn(struct uring *u, uint32_t wait_ms, unsigned max_completions,
	bool (*full)(void *ctx), void *ctx)
{
	struct io_uring_cqe cqe;
	unsigned done = 0;

	enter_check(u, turn_enter(u, wait_ms));
	u->stats.overflows = *u->ring.cq.koverflow;
	while (done < max_completions && !(full && full(ctx)) && completion_take(u, &cqe)) {
		completion_dispatch(u, &cqe);
		done++;
	}
	return done;
}

bool uring_pending(const struct uring *u)
{
	return io_uring_cq_ready(&u->ring) > 0 || io_uring_cq_has_overflow(&u->ring);
}

void uring_wake(struct uring *u)
{
	uint64_t one = 1;

	if (!atomic_exchange(&u->rung, true))
		(void)!write(u->wake_fd, &one, sizeof(one));
}

int uring_register_buffers(struct uring *u, void *ring, unsigned entries, uint16_t group)
{
	struct io_uring_buf_reg reg = {
		.ring_addr = (uint64_t)(uintptr_t)ring,
		.ring_entries = entries,
		.bgid = group,
	};

	return io_uring_register_buf_ring(&u->ring, &reg, 0);
}

void uring_unregister_buffers(struct uring *u, uint16_t group)
{
	(void)io_uring_unregister_buf_ring(&u->ring, group);
}
