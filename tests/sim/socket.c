/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "core/base/mem.h"
#include "tests/sim/kernel_impl.h"

struct host {
	struct list all;
	struct addr at;
	enum host_mode mode;
	struct list waiting; /* wires */
	unsigned n_waiting, dialled;
};

#define FDS 65536

static struct list sockets, wires, hosts;
static struct socket *by_fd[FDS];
static uint64_t sends;
static uint16_t next_port; /* of the router's own ends */

/* -- bytes -- */

void flow_append(struct flow *f, const char *p, size_t n)
{
	if (f->n + n > f->cap) {
		f->cap = (f->n + n) * 2;
		f->p = mem_realloc(f->p, f->cap);
	}
	if (n)
		memcpy(f->p + f->n, p, n);
	f->n += n;
}

void flow_take(struct flow *f, size_t n)
{
	BUG_ON(n > f->n);
	if (n)
		memmove(f->p, f->p + n, f->n - n);
	f->n -= n;
}

/* -- wires -- */

struct wire *wire_new(const struct addr *near, const struct addr *far)
{
	struct wire *w = mem_zalloc(sizeof(*w));

	w->near = *near;
	w->far = *far;
	w->window = w->mss = SIZE_MAX;
	list_init(&w->waiting);
	list_add_tail(&wires, &w->all);
	return w;
}

struct wire *wire_dial(const struct addr *from, uint16_t port)
{
	list_each(l, &sockets)
	{
		struct socket *s = container_of(l, struct socket, all);
		struct wire *w;

		if (!s->listening || s->local.port != port)
			continue;
		w = wire_new(&s->local, from);
		list_add_tail(&s->waiting, &w->waiting);
		/* The next one comes to the next worker that listens there. */
		list_del(&s->all);
		list_add_tail(&sockets, &s->all);
		return w;
	}
	return NULL;
}

void wire_send(struct wire *w, struct span s)
{
	BUG_ON(w->fin);
	/* As with real TCP: who writes to a connection that was reset learns it later. */
	if (w->rst || w->ended == WIRE_RESET)
		return;
	if (w->to_router.n == 0)
		w->arrived = ++sends;
	flow_append(&w->to_router, s.p, s.n);
}

void wire_fin(struct wire *w)
{
	w->fin = true;
}

void wire_rst(struct wire *w)
{
	w->rst = true;
}

void wire_window(struct wire *w, size_t bytes)
{
	w->window = bytes;
}

void wire_mss(struct wire *w, size_t bytes)
{
	w->mss = bytes;
}

struct span wire_in(const struct wire *w)
{
	return span_of(w->from_router.p ? w->from_router.p : "", w->from_router.n);
}

void wire_take(struct wire *w, size_t n)
{
	flow_take(&w->from_router, n);
}

enum wire_end wire_ended(const struct wire *w)
{
	return w->ended;
}

bool wire_mute(const struct wire *w)
{
	return w->fin || w->rst;
}

/* -- hosts -- */

struct host *host_open(const struct addr *at, enum host_mode mode)
{
	struct host *h = mem_zalloc(sizeof(*h));

	h->at = *at;
	h->mode = mode;
	list_init(&h->waiting);
	list_add_tail(&hosts, &h->all);
	return h;
}

void host_mode_set(struct host *h, enum host_mode mode)
{
	h->mode = mode;
}

struct wire *host_accept(struct host *h)
{
	struct wire *w;

	if (list_empty(&h->waiting))
		return NULL;
	w = list_first(&h->waiting, struct wire, waiting);
	list_del(&w->waiting);
	h->n_waiting--;
	return w;
}

unsigned host_waiting(const struct host *h)
{
	return h->n_waiting;
}

unsigned host_dialled(const struct host *h)
{
	return h->dialled;
}

struct host *host_find(const struct addr *at)
{
	list_each(l, &hosts)
	{
		struct host *h = container_of(l, struct host, all);

		if (addr_eq(&h->at, at))
			return h;
	}
	return NULL;
}

/* -- the router's sockets -- */

struct socket *socket_find(int fd)
{
	BUG_ON(fd < 0 || fd >= FDS || !by_fd[fd]);
	return by_fd[fd];
}

/* A real descriptor, so that numbers and the limit of them are real, too. */
static struct socket *socket_new(void)
{
	struct socket *s = mem_zalloc(sizeof(*s));

	s->fd = eventfd(0, EFD_CLOEXEC);
	BUG_ON(s->fd < 0 || s->fd >= FDS);
	by_fd[s->fd] = s;
	list_init(&s->waiting);
	list_add_tail(&sockets, &s->all);
	return s;
}

int socket_connect(struct socket *s, const struct addr *to)
{
	struct host *h = host_find(to);

	if (!h || h->mode == HOST_REFUSES) {
		if (h)
			h->dialled++;
		return -ECONNREFUSED;
	}
	h->dialled++;
	if (h->mode == HOST_SILENT)
		return 1;
	s->local = (struct addr){ .ip = { [10] = 0xff, 0xff, 192, 0, 2, 1 }, .port = ++next_port };
	s->wire = wire_new(&s->local, to);
	list_add_tail(&h->waiting, &s->wire->waiting);
	h->n_waiting++;
	return 0;
}

int socket_accept(struct socket *listener)
{
	struct socket *s;

	if (list_empty(&listener->waiting))
		return -EAGAIN;
	s = socket_new();
	s->local = listener->local;
	s->wire = list_first(&listener->waiting, struct wire, waiting);
	list_del(&s->wire->waiting);
	return s->fd;
}

static void socket_free(struct socket *s)
{
	list_each(l, &s->waiting) container_of(l, struct wire, waiting)->ended = WIRE_RESET;
	while (!list_empty(&s->waiting))
		list_del(s->waiting.next);
	by_fd[s->fd] = NULL;
	list_del(&s->all);
	mem_free(s);
}

void sockets_reset(void)
{
	list_init(&sockets);
	list_init(&wires);
	list_init(&hosts);
	next_port = 40000;
}

int __real_close(int fd);

unsigned sockets_end(void)
{
	unsigned left = 0;

	while (!list_empty(&sockets)) {
		struct socket *s = list_first(&sockets, struct socket, all);

		__real_close(s->fd);
		socket_free(s);
		left++;
	}
	while (!list_empty(&wires)) {
		struct wire *w = list_first(&wires, struct wire, all);

		list_del(&w->all);
		mem_free(w->to_router.p);
		mem_free(w->from_router.p);
		mem_free(w);
	}
	while (!list_empty(&hosts)) {
		struct host *h = list_first(&hosts, struct host, all);

		list_del(&h->all);
		mem_free(h);
	}
	return left;
}

/* -- the system calls (--wrap) -- */

int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len);
int __wrap_listen(int fd, int backlog);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockname(int fd, struct sockaddr *sa, socklen_t *len);
int __wrap_getpeername(int fd, struct sockaddr *sa, socklen_t *len);
int __wrap_shutdown(int fd, int how);
int __wrap_close(int fd);

int __wrap_socket(int domain, int type, int protocol)
{
	(void)domain;
	(void)type;
	(void)protocol;
	if (fault_now(FITS(FAULT_EMFILE)) != FAULT_NONE) {
		errno = EMFILE;
		return -1;
	}
	return socket_new()->fd;
}

int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	(void)len;
	return addr_from_sockaddr(sa, &socket_find(fd)->local) ? 0 : -1;
}

int __wrap_listen(int fd, int backlog)
{
	(void)backlog;
	socket_find(fd)->listening = true;
	return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)value;
	(void)len;
	if (level == SOL_SOCKET && name == SO_LINGER)
		socket_find(fd)->linger0 = true;
	return 0;
}

/* TCP_INFO is the only option that the router reads. */
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	const struct wire *w = socket_find(fd)->wire;
	struct tcp_info info = { .tcpi_state = 1 };

	BUG_ON(level != IPPROTO_TCP || name != TCP_INFO || *len != sizeof(info));
	if (w && w->rst)
		info.tcpi_state = 7;
	if (w)
		info.tcpi_bytes_acked = w->acked;
	memcpy(value, &info, sizeof(info));
	return 0;
}

static int address_give(const struct addr *a, struct sockaddr *sa, socklen_t *len)
{
	struct sockaddr_storage out;
	socklen_t n = addr_to_sockaddr(a, &out);

	memcpy(sa, &out, n < *len ? n : *len);
	*len = n;
	return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return address_give(&socket_find(fd)->local, sa, len);
}

int __wrap_getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	const struct wire *w = socket_find(fd)->wire;

	if (!w || w->rst) {
		errno = ENOTCONN;
		return -1;
	}
	return address_give(&w->far, sa, len);
}

int __wrap_shutdown(int fd, int how)
{
	struct socket *s = socket_find(fd);

	if (!s->wire || s->wire->rst) {
		errno = ENOTCONN;
		return -1;
	}
	s->shut_rd = s->shut_rd || how != SHUT_WR;
	s->shut_wr = s->shut_wr || how != SHUT_RD;
	if (s->shut_wr && s->wire->ended == WIRE_OPEN)
		s->wire->ended = WIRE_FIN;
	return 0;
}

/* Closing with input that was not read makes a reset of it, as with real TCP. */
int __wrap_close(int fd)
{
	struct socket *s = fd >= 0 && fd < FDS ? by_fd[fd] : NULL;

	if (s && s->wire && (s->linger0 || s->wire->to_router.n > 0))
		s->wire->ended = WIRE_RESET;
	else if (s && s->wire && s->wire->ended == WIRE_OPEN)
		s->wire->ended = WIRE_FIN;
	if (s)
		socket_free(s);
	return __real_close(fd);
}
