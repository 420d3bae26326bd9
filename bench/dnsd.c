/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/dnsd.h"

#include <netinet/in.h>
#include <strings.h>
#include <unistd.h>

#define BATCH 32
#define TTL 3600

enum { TYPE_A = 1, TYPE_SOA = 6, TYPE_AAAA = 28, TYPE_SRV = 33, TYPE_OPT = 41, CLASS_IN = 1 };
enum { RCODE_FORMERR = 1, RCODE_NXDOMAIN = 3, RCODE_NOTIMP = 4 };

struct question {
	char name[256]; /* text, no trailing dot */
	size_t name_len;
	size_t end; /* offset behind it in the query */
	unsigned type, class;
	bool edns;
};

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint8_t *put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

static uint8_t *name_put(uint8_t *p, const char *name)
{
	while (*name) {
		size_t len = strcspn(name, ".");

		*p++ = (uint8_t)len;
		memcpy(p, name, len);
		p += len;
		name += len;
		name += *name == '.';
	}
	*p++ = 0;
	return p;
}

/* One question without compression, as queries have it. */
static bool question_read(struct question *q, const uint8_t *m, size_t len)
{
	size_t at = 12;

	q->name_len = 0;
	while (at < len && m[at]) {
		size_t label = m[at];

		if (label > 63 || at + 1 + label > len || q->name_len + label + 1 > 255)
			return false;
		if (q->name_len)
			q->name[q->name_len++] = '.';
		memcpy(q->name + q->name_len, m + at + 1, label);
		q->name_len += label;
		at += 1 + label;
	}
	if (at + 5 > len)
		return false;
	q->name[q->name_len] = '\0';
	q->type = get16(m + at + 1);
	q->class = get16(m + at + 3);
	q->end = at + 5;
	/* An OPT record, when there is one, is all that follows in the queries of resolvers. */
	q->edns = get16(m + 10) && q->end + 11 <= len && !m[q->end] &&
		get16(m + q->end + 1) == TYPE_OPT;
	return true;
}

/* Name (a pointer to the question's), type, class, TTL; the length of the data follows. */
static uint8_t *record_begin(uint8_t *p, unsigned type)
{
	p = put16(p, 0xc00c);
	p = put16(p, type);
	p = put16(p, CLASS_IN);
	return put32(p, TTL);
}

static uint8_t *srv_put(const struct dnsd_zone *z, unsigned port, uint8_t *p)
{
	char host[NAMES_MAX + 8];
	uint8_t *length;

	snprintf(host, sizeof(host), "xmpp.%.*s", NAMES_MAX, z->suffix);
	length = p = record_begin(p, TYPE_SRV);
	p = put16(put16(p + 2, 0), 0);
	p = put16(p, port);
	p = name_put(p, host);
	put16(length, (unsigned)(p - length - 2));
	return p;
}

static uint8_t *address_put(const struct dnsd_zone *z, uint8_t *p)
{
	const struct sockaddr_storage *sa = &z->host.sa;

	if (sa->ss_family == AF_INET6) {
		p = put16(record_begin(p, TYPE_AAAA), 16);
		memcpy(p, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
		return p + 16;
	}
	p = put16(record_begin(p, TYPE_A), 4);
	memcpy(p, &((const struct sockaddr_in *)sa)->sin_addr, 4);
	return p + 4;
}

/* The root's SOA: what a resolver needs to remember that there is nothing. */
static uint8_t *soa_put(uint8_t *p)
{
	*p++ = 0;
	p = put16(p, TYPE_SOA);
	p = put16(p, CLASS_IN);
	p = put32(p, TTL);
	p = put16(p, 22);
	*p++ = 0;
	*p++ = 0;
	for (int i = 0; i < 5; i++)
		p = put32(p, i ? TTL : 1);
	return p;
}

static bool prefix_cut(struct text *name, const char *prefix)
{
	size_t len = strlen(prefix);

	if (name->len <= len || strncasecmp(name->p, prefix, len) != 0)
		return false;
	name->p += len;
	name->len -= len;
	return true;
}

/* That of the longest suffix, or NULL. */
static const struct dnsd_zone *zone_find(const struct dnsd *d, struct text name)
{
	const struct dnsd_zone *found = NULL;

	for (unsigned i = 0; i < d->n_zones; i++) {
		const struct dnsd_zone *z = &d->zones[i];

		if (names_below(z->suffix, name) &&
			(!found || strlen(z->suffix) > strlen(found->suffix)))
			found = z;
	}
	return found;
}

static void sender_note(struct dnsd *d, uint32_t number)
{
	d->counts.senders += !d->asked[number];
	d->asked[number] = 1;
}

/* ports: of the service that was asked for; other: it is only counted once, there. */
static uint8_t *service_put(struct dnsd *d, const struct dnsd_zone *z, struct text domain,
	const unsigned *ports, const unsigned *other, uint8_t *p)
{
	uint32_t number = 0;
	bool outside = names_find(d->names, domain, &number) == NAME_PAIR;

	if (!ports)
		return p;
	if (outside && (ports == z->plain || !other))
		sender_note(d, number);
	return srv_put(z, ports[outside ? number % z->n_ports : 0], p);
}

static bool is_host(const struct dnsd_zone *z, struct text name)
{
	return prefix_cut(&name, "xmpp.") && names_below(z->suffix, name) &&
		name.len <= strlen(z->suffix) + 1;
}

/* Writes the answer record if there is one; *rcode says what else is to be said. */
static uint8_t *data_put(struct dnsd *d, const struct question *q, uint8_t *p, unsigned *rcode)
{
	struct text name = { q->name, q->name_len };
	const struct dnsd_zone *z = zone_find(d, name);

	if (q->type == TYPE_A || q->type == TYPE_AAAA)
		d->counts.address++;
	else if (q->type != TYPE_SRV)
		d->counts.other++;
	if (!z) {
		*rcode = RCODE_NXDOMAIN;
		return p;
	}
	if (q->type == TYPE_SRV && prefix_cut(&name, "_xmpp-server._tcp.") &&
		names_below(z->suffix, name)) {
		d->counts.srv++;
		return service_put(d, z, name, z->plain, z->direct, p);
	}
	if (q->type == TYPE_SRV && prefix_cut(&name, "_xmpps-server._tcp.")) {
		d->counts.srvs++;
		return service_put(d, z, name, z->direct, z->plain, p);
	}
	if (q->type == (z->host.sa.ss_family == AF_INET6 ? TYPE_AAAA : TYPE_A) && is_host(z, name))
		return address_put(z, p);
	return p;
}

static uint8_t *opt_put(uint8_t *p)
{
	*p++ = 0;
	p = put16(p, TYPE_OPT);
	p = put16(p, 1232);
	p = put32(p, 0);
	return put16(p, 0);
}

size_t dnsd_answer(struct dnsd *d, const uint8_t *query, size_t len, uint8_t out[DNSD_MESSAGE])
{
	struct question q;
	unsigned rcode = 0;
	uint8_t *p, *before;

	if (len < 12 || len > DNSD_MESSAGE || query[2] & 0x80)
		return 0;
	memcpy(out, query, 12);
	memset(out + 4, 0, 8);
	/* A response, authoritative; opcode and RD as asked. */
	out[2] = (uint8_t)(0x84 | (query[2] & 0x79));
	out[3] = 0x80;
	if (query[2] & 0x78 || get16(query + 4) != 1 || !question_read(&q, query, len)) {
		out[3] |= query[2] & 0x78 ? RCODE_NOTIMP : RCODE_FORMERR;
		return 12;
	}
	memcpy(out + 12, query + 12, q.end - 12);
	put16(out + 4, 1);
	before = p = out + q.end;
	p = data_put(d, &q, p, &rcode);
	if (p > before) {
		put16(out + 6, 1);
	} else {
		p = soa_put(p);
		put16(out + 8, 1);
	}
	if (q.edns) {
		p = opt_put(p);
		put16(out + 10, 1);
	}
	out[3] |= (uint8_t)rcode;
	return (size_t)(p - out);
}

static void dnsd_ready(struct source *source, uint32_t events)
{
	struct dnsd *d = (struct dnsd *)source;
	static uint8_t in[BATCH][DNSD_MESSAGE + 1], out[BATCH][DNSD_MESSAGE];
	struct mmsghdr got[BATCH], give[BATCH];
	struct sockaddr_storage from[BATCH];
	struct iovec in_iov[BATCH], out_iov[BATCH];
	int n, n_give = 0;

	(void)events;
	memset(got, 0, sizeof(got));
	memset(give, 0, sizeof(give));
	for (int i = 0; i < BATCH; i++) {
		in_iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
		got[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
			.msg_iov = &in_iov[i],
			.msg_namelen = sizeof(from[i]),
			.msg_iovlen = 1 };
	}
	n = recvmmsg(d->source.fd, got, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		size_t len = dnsd_answer(d, in[i], got[i].msg_len, out[n_give]);

		if (!len)
			continue;
		out_iov[n_give] = (struct iovec){ out[n_give], len };
		give[n_give].msg_hdr = (struct msghdr){ .msg_name = &from[i],
			.msg_namelen = got[i].msg_hdr.msg_namelen,
			.msg_iov = &out_iov[n_give],
			.msg_iovlen = 1 };
		n_give++;
	}
	if (n_give)
		sendmmsg(d->source.fd, give, (unsigned)n_give, 0);
}

bool dnsd_open(struct dnsd *d, struct loop *l, const struct names *names, struct address *listen,
	const struct dnsd_zone *zones, unsigned n_zones)
{
	memset(d, 0, sizeof(*d));
	d->loop = l;
	d->names = names;
	memcpy(d->zones, zones, n_zones * sizeof(*zones));
	d->n_zones = n_zones;
	d->source.events = EPOLLIN;
	d->source.ready = dnsd_ready;
	d->source.fd = address_bind_udp(listen);
	if (d->source.fd < 0)
		return false;
	if (!loop_add(l, &d->source)) {
		int error = errno;

		close(d->source.fd);
		d->source.fd = -1;
		errno = error;
		return false;
	}
	d->asked = bench_alloc(names->n_outside, 1);
	return true;
}

void dnsd_close(struct dnsd *d)
{
	if (d->source.fd < 0)
		return;
	loop_remove(d->loop, &d->source);
	close(d->source.fd);
	d->source.fd = -1;
	free(d->asked);
	d->asked = NULL;
}
