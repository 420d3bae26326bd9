/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_dns.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* -- messages -- */

static void fake_16(struct fake_out *o, unsigned v)
{
	cr_assert(o->n + 2 <= sizeof(o->p));
	o->p[o->n++] = (uint8_t)(v >> 8);
	o->p[o->n++] = (uint8_t)v;
}

void fake_bytes(struct fake_out *o, const void *p, size_t n)
{
	cr_assert(o->n + n <= sizeof(o->p));
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

void fake_name(struct fake_out *o, const char *name)
{
	while (*name && strcmp(name, ".") != 0) {
		size_t n = strcspn(name, ".");
		uint8_t len = (uint8_t)n;

		fake_bytes(o, &len, 1);
		fake_bytes(o, name, n);
		name += n + (name[n] == '.');
	}
	fake_bytes(o, "", 1);
}

static void fake_data(struct fake_out *o, const struct fake_row *row)
{
	unsigned prio, weight, port;
	uint8_t ip[16];
	char target[256];

	if (row->text[0] == '=') {
		fake_name(o, row->text + 1);
	} else if (row->type == T_SRV) {
		cr_assert_eq(sscanf(row->text, "%u %u %u %255s", &prio, &weight, &port, target), 4);
		fake_16(o, prio);
		fake_16(o, weight);
		fake_16(o, port);
		if (row->how == FAKE_LOOP)
			fake_16(o, 0xc000 | (unsigned)o->n);
		else
			fake_name(o, target);
	} else {
		cr_assert_eq(inet_pton(row->type == T_A ? AF_INET : AF_INET6, row->text, ip), 1);
		fake_bytes(o, ip, row->type == T_A ? 4 : 16);
	}
}

void fake_record(struct fake_out *o, const struct fake_row *row)
{
	size_t at;

	fake_16(o, 0xc00c); /* the question's name */
	fake_16(o, row->text[0] == '=' ? T_CNAME : row->type);
	fake_16(o, 1);
	fake_16(o, row->ttl >> 16);
	fake_16(o, row->ttl & 0xffff);
	at = o->n;
	fake_16(o, 0);
	fake_data(o, row);
	o->p[at] = (uint8_t)((o->n - at - 2) >> 8);
	o->p[at + 1] = (uint8_t)(o->n - at - 2);
}

void fake_soa(struct fake_out *o, uint32_t ttl)
{
	fake_16(o, 0xc00c);
	fake_16(o, 6);
	fake_16(o, 1);
	fake_16(o, 0x7fff); /* the SOA's own TTL is large: its last field counts */
	fake_16(o, 0);
	fake_16(o, 2 + 20);
	fake_bytes(o, "\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4", 18);
	fake_16(o, ttl >> 16);
	fake_16(o, ttl & 0xffff);
}

static bool fake_matches(const struct fake_row *row, const struct fake_question *q)
{
	size_t n = strlen(q->name), suffix;

	if (row->type != q->type)
		return false;
	if (row->name[0] != '*')
		return strcasecmp(row->name, q->name) == 0;
	suffix = strlen(row->name) - 1;
	return n > suffix && strcasecmp(q->name + n - suffix, row->name + 1) == 0;
}

/* Reads the question; its end, 0 when it is none. */
static size_t fake_parse(const uint8_t *p, size_t n, struct fake_question *q)
{
	size_t at = 12, len = 0;

	while (at < n && p[at] != 0) {
		if (at + 1 + p[at] >= n || len + p[at] + 2 > sizeof(q->name))
			return 0;
		if (len)
			q->name[len++] = '.';
		memcpy(q->name + len, p + at + 1, p[at]);
		len += p[at];
		at += 1u + p[at];
	}
	q->name[len] = '\0';
	if (at + 5 > n)
		return 0;
	q->type = (uint16_t)(p[at + 1] << 8 | p[at + 2]);
	return at + 5;
}

static void fake_note(struct fake_dns *f, const struct fake_question *q, bool tcp)
{
	pthread_mutex_lock(&f->lock);
	if (f->n_asked % 1024 == 0)
		f->asked = realloc(f->asked, (f->n_asked + 1024) * sizeof(*f->asked));
	f->asked[f->n_asked++] = *q;
	f->n_tcp += tcp;
	pthread_mutex_unlock(&f->lock);
}

static bool fake_header(struct fake_out *o, const struct fake_row *row, bool tcp, bool edns)
{
	unsigned rcode = 0;

	o->p[2] = 0x81;
	o->p[3] = 0x80;
	memset(o->p + 6, 0, 6);
	if (!row || row->how == FAKE_NXDOMAIN)
		rcode = 3;
	else if (row->how == FAKE_SERVFAIL)
		rcode = 2;
	else if (row->how == FAKE_NO_EDNS && edns)
		rcode = 1;
	else if (row->how == FAKE_TRUNCATE && !tcp)
		o->p[2] |= 0x02;
	else if (row->how != FAKE_NODATA && row->how != FAKE_NODATA_BARE)
		return true;
	o->p[3] |= (uint8_t)rcode;
	return false;
}

/* Builds the answer to the message of n bytes in o; false: stays silent. */
static bool fake_answer(struct fake_dns *f, struct fake_out *o, size_t n, bool tcp)
{
	const struct fake_row *first = NULL;
	struct fake_question q;
	size_t end = fake_parse(o->p, n, &q);
	bool edns = n >= 12 && o->p[11] > 0;

	if (end == 0)
		return false;
	fake_note(f, &q, tcp);
	for (unsigned i = 0; i < f->n_rows && !first; i++)
		if (fake_matches(&f->rows[i], &q))
			first = &f->rows[i];
	if (first && first->how == FAKE_DROP)
		return false;
	o->n = end;
	if (!fake_header(o, first, tcp, edns)) {
		if (!first || first->how == FAKE_NODATA || first->how == FAKE_NXDOMAIN) {
			fake_soa(o, first ? first->ttl : 60);
			o->p[9] = 1;
		}
		return true;
	}
	for (unsigned i = 0; i < f->n_rows; i++) {
		if (fake_matches(&f->rows[i], &q)) {
			fake_record(o, &f->rows[i]);
			o->p[7]++;
		}
	}
	if (first->how == FAKE_GARBAGE)
		o->p[7]++;
	return true;
}

/* -- the thread -- */

static bool fake_is_forged(struct fake_dns *f, const struct fake_out *o, size_t n)
{
	struct fake_question q;

	if (!fake_parse(o->p, n, &q))
		return false;
	for (unsigned i = 0; i < f->n_rows; i++)
		if (fake_matches(&f->rows[i], &q))
			return f->rows[i].how == FAKE_FORGED;
	return false;
}

static void fake_udp(struct fake_dns *f)
{
	static _Thread_local struct fake_out o;
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(f->udp, o.p, 4096, MSG_DONTWAIT, (void *)&from, &len);
	bool forged;

	if (n == 1) /* fake_catch_up */
		sendto(f->udp, o.p, 1, 0, (void *)&from, len);
	if (n < 12)
		return;
	forged = fake_is_forged(f, &o, (size_t)n);
	if (!fake_answer(f, &o, (size_t)n, false))
		return;
	if (forged) { /* the right name under a wrong id, then a wrong name under the right one */
		o.p[0] ^= 0xff;
		sendto(f->udp, o.p, o.n, 0, (void *)&from, len);
		o.p[0] ^= 0xff;
		o.p[13] ^= 1;
		sendto(f->udp, o.p, o.n, 0, (void *)&from, len);
		o.p[13] ^= 1;
	}
	sendto(f->udp, o.p, o.n, 0, (void *)&from, len);
}

static bool fake_read_all(int fd, uint8_t *p, size_t n)
{
	return recv(fd, p, n, MSG_WAITALL) == (ssize_t)n;
}

static void fake_tcp(struct fake_dns *f)
{
	static _Thread_local struct fake_out o;
	struct timeval limit = { .tv_sec = 5 };
	uint8_t len[2];
	int fd = accept(f->tcp, NULL, NULL);

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	while (fake_read_all(fd, len, 2)) {
		size_t n = (size_t)len[0] << 8 | len[1];

		if (n < 12 || n > 4096 || !fake_read_all(fd, o.p, n) ||
			!fake_answer(f, &o, n, true))
			break;
		len[0] = (uint8_t)(o.n >> 8);
		len[1] = (uint8_t)o.n;
		/* In two pieces, so that a length and its message come apart. */
		send(fd, len, 2, MSG_NOSIGNAL);
		send(fd, o.p, o.n, MSG_NOSIGNAL);
	}
	close(fd);
}

static void *fake_run(void *arg)
{
	struct fake_dns *f = arg;
	struct pollfd p[] = { { f->udp, POLLIN, 0 }, { f->tcp, POLLIN, 0 },
		{ f->stop, POLLIN, 0 } };

	for (;;) {
		poll(p, 3, -1);
		if (p[2].revents)
			return NULL;
		if (p[0].revents)
			fake_udp(f);
		if (p[1].revents)
			fake_tcp(f);
	}
}

/* One port for UDP and TCP: the kernel picks a free UDP port, TCP may have to try again. */
static bool fake_bind(struct fake_dns *f)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sa);
	int big = 1 << 20;

	f->udp = socket(AF_INET, SOCK_DGRAM, 0);
	f->tcp = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert(f->udp >= 0 && f->tcp >= 0);
	setsockopt(f->udp, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big));
	cr_assert_eq(bind(f->udp, (void *)&sa, sizeof(sa)), 0);
	cr_assert_eq(getsockname(f->udp, (void *)&sa, &len), 0);
	if (bind(f->tcp, (void *)&sa, sizeof(sa)) == 0 && listen(f->tcp, 16) == 0)
		return addr_from_sockaddr((void *)&sa, &f->addr);
	close(f->udp);
	close(f->tcp);
	return false;
}

void fake_start(struct fake_dns *f, const struct fake_row *rows, unsigned n)
{
	bool bound = false;

	*f = (struct fake_dns){ .rows = rows, .n_rows = n };
	for (unsigned i = 0; i < 16 && !bound; i++)
		bound = fake_bind(f);
	cr_assert(bound);
	f->stop = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&f->lock, NULL);
	cr_assert_eq(pthread_create(&f->thread, NULL, fake_run, f), 0);
}

void fake_stop(struct fake_dns *f)
{
	uint64_t one = 1;

	cr_assert_eq(write(f->stop, &one, sizeof(one)), (ssize_t)sizeof(one));
	pthread_join(f->thread, NULL);
	close(f->udp);
	close(f->tcp);
	close(f->stop);
	free(f->asked);
}

/* Until it has read all that was sent to it before, which what is asked last may still be. */
static void fake_catch_up(const struct fake_dns *f)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&f->addr, &sa);
	struct pollfd p = { .fd = socket(AF_INET, SOCK_DGRAM, 0), .events = POLLIN };
	bool answered = false;

	cr_assert(p.fd >= 0);
	for (unsigned i = 0; i < 30 && !answered; i++) {
		cr_assert_eq(sendto(p.fd, "?", 1, 0, (void *)&sa, len), 1);
		answered = poll(&p, 1, 1000) == 1;
	}
	cr_assert(answered, "the server does not read");
	close(p.fd);
}

unsigned fake_count(struct fake_dns *f, uint16_t type, const char *name)
{
	unsigned n = 0;

	fake_catch_up(f);
	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; i < f->n_asked; i++)
		n += (!type || f->asked[i].type == type) &&
			(!name || strcmp(f->asked[i].name, name) == 0);
	pthread_mutex_unlock(&f->lock);
	return n;
}

unsigned fake_tcp_count(struct fake_dns *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->n_tcp;
	pthread_mutex_unlock(&f->lock);
	return n;
}

struct addr fake_addr(const char *text)
{
	struct addr a;

	cr_assert(addr_parse(span_str(text), 0, &a) || addr_parse_ip(span_str(text), &a), "%s",
		text);
	return a;
}
