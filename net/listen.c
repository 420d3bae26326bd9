/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/mem.h"

#define BACKLOG 4096
#define PAUSE_MS 100
#define BATCH 32 /* connections taken in one go when many wait */
#define GEN 1 /* listeners are not reused */

struct listener {
	struct listeners *ls;
	int fd; /* -1: stopped */
	uint32_t index;
	bool armed; /* an accept is in flight */
	bool failing; /* the last one failed, and was reported */
	struct timer pause;
	struct addr addr;
	listen_fn *fn;
	void *ctx;
};

struct listeners {
	struct uring *uring;
	struct timer_wheel *wheel;
	struct listener **all;
	uint32_t count;
	uint64_t failed;
};

void listener_rearm(struct listener *l)
{
	if (l->fd < 0 || l->armed || timer_armed(&l->pause))
		return;
	l->armed = true;
	uring_accept(l->ls->uring, (struct uring_tag){ l->index, GEN }, l->fd);
}

static void on_pause_end(struct timer *t, uint64_t now)
{
	(void)now;
	listener_rearm(container_of(t, struct listener, pause));
}

/* A connection that died in the queue is nobody's fault; all else would only fail again at once. */
static void accept_failed(struct listener *l, int err)
{
	char at[ADDR_TEXT];

	if (err == ECONNABORTED || err == EINTR || err == EAGAIN || err == ECANCELED) {
		listener_rearm(l);
		return;
	}
	addr_format(&l->addr, at);
	l->failing = true;
	l->ls->failed++;
	LOG(LOG_ERROR, "accept-failed",
		err == EMFILE || err == ENFILE
			? "out of file descriptors: accepting pauses; raise the limit of open "
			  "files (ulimit -Hn, systemd: LimitNOFILE=) or lower --max-conns"
			: "accepting pauses",
		LF_STR("listener", at), LF_STR("error", strerror(err)),
		LF_INT("pause-ms", PAUSE_MS));
	timer_set(l->ls->wheel, &l->pause, timer_wheel_now(l->ls->wheel) + PAUSE_MS);
}

static void accept_recovered(struct listener *l)
{
	char at[ADDR_TEXT];

	l->failing = false;
	addr_format(&l->addr, at);
	LOG(LOG_INFO, "accept-resumed", "connections are accepted again", LF_STR("listener", at));
}

/* False: the callee has had enough, or has stopped us. */
static bool accept_hand(struct listener *l, int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct addr peer;

	if (l->failing)
		accept_recovered(l);
	if (getpeername(fd, (struct sockaddr *)&sa, &len) < 0 ||
		!addr_from_sockaddr((struct sockaddr *)&sa, &peer)) {
		close(fd);
		return true;
	}
	return l->fn(l->ctx, fd, &peer) && l->fd >= 0;
}

/*
 * More connections that wait already: one accept per turn would be slow when a backend opens
 * thousands. Nobody else accepts on this socket, so what poll(2) has seen cannot go away.
 */
static void accept_more(struct listener *l)
{
	for (unsigned i = 0; i < BATCH; i++) {
		struct pollfd p = { .fd = l->fd, .events = POLLIN };
		int fd;

		if (poll(&p, 1, 0) != 1)
			break;
		fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) {
			accept_failed(l, errno);
			return;
		}
		if (!accept_hand(l, fd))
			return;
	}
	listener_rearm(l);
}

static void on_accept(void *ctx, struct uring_tag tag, int res, uint32_t flags)
{
	struct listeners *ls = ctx;
	struct listener *l;

	(void)flags;
	BUG_ON(tag.index >= ls->count || tag.gen != GEN);
	l = ls->all[tag.index];
	l->armed = false;
	if (l->fd < 0) {
		if (res >= 0)
			close(res);
	} else if (res < 0) {
		accept_failed(l, -res);
	} else if (accept_hand(l, res)) {
		accept_more(l);
	}
}

struct listeners *listeners_new(struct uring *u, struct timer_wheel *wheel)
{
	struct listeners *ls = mem_zalloc(sizeof(*ls));

	ls->uring = u;
	ls->wheel = wheel;
	uring_handle(u, URING_ACCEPT, on_accept, ls);
	return ls;
}

void listeners_free(struct listeners *ls)
{
	if (!ls)
		return;
	listeners_stop(ls);
	uring_handle(ls->uring, URING_ACCEPT, NULL, NULL);
	for (uint32_t i = 0; i < ls->count; i++)
		mem_free(ls->all[i]);
	mem_free(ls->all);
	mem_free(ls);
}

/* The socket, bound and listening, or -errno. */
static int socket_open(const struct addr *at)
{
	static const int on = 1, off = 0;
	struct sockaddr_storage sa;
	unsigned len = addr_to_sockaddr(at, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		goto fail;
	/* [::] is for both families, whatever net.ipv6.bindv6only says. */
	if (sa.ss_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		goto fail;
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, BACKLOG) < 0)
		goto fail;
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
}

static struct addr socket_addr(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct addr out = { 0 };

	if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
		(void)!addr_from_sockaddr((struct sockaddr *)&sa, &out);
	return out;
}

struct listener *listener_open(struct listeners *ls, const struct addr *at, listen_fn *fn,
	void *ctx, int *err)
{
	static const struct addr any4 = { .ip = { [10] = 0xff, 0xff } };
	struct listener *l;
	int fd = socket_open(at);

	/* The default is [::]: on a host without IPv6 that means all it has. */
	if (fd == -EAFNOSUPPORT && addr_is_any(at) && !addr_is_v4(at)) {
		struct addr all = any4;

		all.port = at->port;
		fd = socket_open(&all);
	}
	if (fd < 0) {
		*err = fd;
		return NULL;
	}
	l = mem_zalloc(sizeof(*l));
	l->ls = ls;
	l->fd = fd;
	l->index = ls->count;
	l->addr = socket_addr(fd);
	l->fn = fn;
	l->ctx = ctx;
	timer_init(&l->pause, on_pause_end);
	ls->all = mem_realloc(ls->all, (ls->count + 1) * sizeof(struct listener *));
	ls->all[ls->count++] = l;
	listener_rearm(l);
	return l;
}

struct addr listener_addr(const struct listener *l)
{
	return l->addr;
}

uint64_t listeners_failed(const struct listeners *ls)
{
	return ls->failed;
}

void listeners_stop(struct listeners *ls)
{
	for (uint32_t i = 0; i < ls->count; i++) {
		struct listener *l = ls->all[i];

		if (l->fd < 0)
			continue;
		timer_stop(&l->pause);
		/* The accept in flight holds the socket: without its end the port stays taken. */
		if (l->armed)
			uring_cancel(ls->uring, URING_ACCEPT, (struct uring_tag){ l->index, GEN });
		close(l->fd);
		l->fd = -1;
	}
}
