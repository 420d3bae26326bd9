/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

bool address_parse(struct address *a, const char *text)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *ai = NULL;
	const char *colon = strrchr(text, ':');
	char host[64];
	size_t len;

	if (!colon || !colon[1])
		return false;
	len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (!len || len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	hints.ai_socktype = SOCK_STREAM;
	if (getaddrinfo(host, colon + 1, &hints, &ai) != 0)
		return false;
	memset(a, 0, sizeof(*a));
	memcpy(&a->sa, ai->ai_addr, ai->ai_addrlen);
	a->len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return true;
}

const char *address_print(const struct address *a, char *text)
{
	char host[ADDRESS_TEXT - 16], port[8];

	if (getnameinfo((const struct sockaddr *)&a->sa, a->len, host, sizeof(host), port,
		    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(text, ADDRESS_TEXT, "?");
	else
		snprintf(text, ADDRESS_TEXT, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
	return text;
}

unsigned address_port(const struct address *a)
{
	/* The port is at the same place in both families. */
	return ntohs(((const struct sockaddr_in *)&a->sa)->sin_port);
}

static void port_set(struct address *a, unsigned port)
{
	((struct sockaddr_in *)&a->sa)->sin_port = htons((uint16_t)port);
}

static int socket_bound(struct address *a, int type)
{
	int fd = socket(a->sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a->sa, a->len) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	getsockname(fd, (struct sockaddr *)&a->sa, &a->len);
	return fd;
}

/* Binds; when the port was 0, until the kernel has chosen one above min_port. */
static int socket_bound_above(struct address *a, unsigned min_port)
{
	struct address wanted = *a;

	for (int tries = 0; tries < 100; tries++) {
		int fd;

		*a = wanted;
		fd = socket_bound(a, SOCK_STREAM);
		if (fd < 0 || address_port(&wanted) || address_port(a) > min_port)
			return fd;
		close(fd);
	}
	errno = EADDRNOTAVAIL;
	return -1;
}

int address_listen(struct address *a, unsigned min_port)
{
	int fd = socket_bound_above(a, min_port);

	if (fd >= 0 && listen(fd, 4096) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int address_bind_udp(struct address *a)
{
	int fd = socket_bound(a, SOCK_DGRAM);
	int size = 8 << 20;

	/*
	 * A burst of 20,000 questions may arrive before they are read; one that is
	 * dropped costs its asker a time-out of seconds.
	 */
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

int address_reserve(struct address *a, unsigned min_port)
{
	port_set(a, 0);
	return socket_bound_above(a, min_port);
}

int address_connect(const struct address *a)
{
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) < 0 && errno != EINPROGRESS) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int address_accept(int fd)
{
	int on = 1;
	int got = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (got >= 0)
		setsockopt(got, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return got;
}
