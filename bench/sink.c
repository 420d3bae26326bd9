/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/sink.h"

#include "bench/keys.h"
#include "bench/reader.h"
#include "bench/wire.h"

#include <strings.h>
#include <unistd.h>

#define BUFFER (256u << 10)
/* How much may lie between two markers before it is thrown away unread. */
#define STRAY (BUFFER / 2)
#define READS_PER_TURN 4
#define ADDRESS_CHECK_MASK 15

enum link_state {
	LINK_LOGIN, /* a reader reads header and handshake */
	LINK_READY,
	LINK_CLOSED,
};

struct sink_link {
	struct wire wire; /* first: its source is what the loop hands us */
	struct sink *sink;
	enum link_state state;
	struct reader *reader;
	char *buf;
	size_t len;
	char error[64]; /* condition of a stream error */
};

void sink_init(struct sink *k, struct loop *l, const struct names *names,
	const struct shapes *shapes, struct ledger *ledger)
{
	memset(k, 0, sizeof(*k));
	k->loop = l;
	k->names = names;
	k->shapes = shapes;
	k->ledger = ledger;
	k->listener.fd = -1;
}

static void link_close(struct sink_link *link, const char *why)
{
	struct sink *k = link->sink;

	if (link->state == LINK_CLOSED)
		return;
	link->state = LINK_CLOSED;
	k->n_closed++;
	if (!k->reason[0])
		snprintf(k->reason, sizeof(k->reason), "%s%s",
			link->error[0] ? "stream error " : "", link->error[0] ? link->error : why);
	wire_close(&link->wire);
}

void sink_free(struct sink *k)
{
	if (k->listener.fd >= 0) {
		loop_remove(k->loop, &k->listener);
		close(k->listener.fd);
		k->listener.fd = -1;
	}
	for (uint32_t i = 0; i < k->n_links; i++) {
		wire_close(&k->links[i].wire);
		reader_free(k->links[i].reader);
		free(k->links[i].buf);
	}
	free(k->links);
	k->links = NULL;
	k->n_links = 0;
}

static void link_header(void *owner, const struct reader_element *e)
{
	struct sink_link *link = owner;
	char digest[KEYS_DIGEST_HEX + 1];

	keys_handshake(e->id, link->sink->secret, digest);
	wire_printf(&link->wire, "<handshake>%s</handshake>", digest);
}

static void link_element(void *owner, const struct reader_element *e)
{
	struct sink_link *link = owner;

	if (e->ns == READER_NS_STREAM && strcmp(e->name, "error") == 0) {
		snprintf(link->error, sizeof(link->error), "%s", reader_condition(e));
	} else if (link->state == LINK_LOGIN && strcmp(e->name, "handshake") == 0) {
		link->state = LINK_READY;
		link->sink->n_ready++;
	}
}

static void link_end(void *owner)
{
	(void)owner;
}

static const struct reader_calls link_calls = { link_header, link_element, link_end };

/* Whether an attribute in a start tag holds an address at this domain. */
static bool address_matches(struct text tag, const char *attr, struct text domain)
{
	const char *p = memmem(tag.p, tag.len, attr, strlen(attr));
	const char *end, *at, *slash;

	if (!p)
		return false;
	p += strlen(attr);
	end = memchr(p + 1, *p, (size_t)(tag.p + tag.len - p - 1));
	if (!end)
		return false;
	p++;
	slash = memchr(p, '/', (size_t)(end - p));
	if (slash)
		end = slash;
	at = memchr(p, '@', (size_t)(end - p));
	if (at)
		p = at + 1;
	return (size_t)(end - p) == domain.len && strncasecmp(p, domain.p, domain.len) == 0;
}

/* Books one stanza: tag is what lies before its marker. */
static void stanza_book(struct sink *k, const struct marker *m, struct text tag, bool whole,
	uint64_t now)
{
	enum arrival arrival = ledger_arrive(k->ledger, m->pair, m->number);

	k->damaged += !whole;
	if (arrival == ARRIVAL_ALIEN || arrival == ARRIVAL_DUPLICATE)
		return;
	latency_add(&k->latency, now > m->time ? now - m->time : 0);
	if ((m->number & ADDRESS_CHECK_MASK) == (m->pair & ADDRESS_CHECK_MASK) &&
		(!address_matches(tag, " from=", k->names->pairs[m->pair]) ||
			!address_matches(tag, " to=", names_target(k->names, m->pair))))
		k->misaddressed++;
}

/* Books all whole stanzas in the buffer and keeps the rest. */
static void link_scan(struct sink_link *link, uint64_t now)
{
	struct sink *k = link->sink;
	char *done = link->buf, *p = done, *end = link->buf + link->len;

	while ((p = memchr(p, '~', (size_t)(end - p)))) {
		const struct text *tail;
		struct marker m;
		bool whole;

		if (end - p < SHAPES_MARKER)
			break;
		if (!shapes_read(p, &m)) {
			p++;
			continue;
		}
		tail = &k->shapes->shape[m.shape].tail;
		if ((size_t)(end - p) < SHAPES_MARKER + tail->len)
			break;
		whole = memcmp(p + SHAPES_MARKER, tail->p, tail->len) == 0;
		stanza_book(k, &m, (struct text){ done, (size_t)(p - done) }, whole, now);
		p += SHAPES_MARKER;
		if (whole)
			p += tail->len;
		done = p;
		k->last = now;
	}
	if ((size_t)(end - done) > STRAY)
		done = end - 4096;
	link->len = (size_t)(end - done);
	memmove(link->buf, done, link->len);
}

static void link_read_flood(struct sink_link *link)
{
	for (int i = 0; i < READS_PER_TURN; i++) {
		size_t room = BUFFER - link->len;
		ssize_t n = wire_read(&link->wire, link->buf + link->len, room);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			const char *error = memmem(link->buf, link->len, "<stream:error", 13);

			if (error)
				snprintf(link->error, sizeof(link->error), "%.*s",
					(int)(link->buf + link->len - error), error);
			link_close(link, n ? strerror((int)-n) : "closed by the server");
			return;
		}
		link->len += (size_t)n;
		link->sink->bytes += (uint64_t)n;
		link_scan(link, bench_now());
		/* A short read has emptied the socket. */
		if ((size_t)n < room / 2)
			return;
	}
}

static void link_read_login(struct sink_link *link)
{
	char buf[4096];
	ssize_t n = wire_read(&link->wire, buf, sizeof(buf));

	if (n == -EAGAIN)
		return;
	if (n > 0 && reader_feed(link->reader, buf, (size_t)n) && wire_flush(&link->wire))
		return;
	link_close(link, n < 0 ? strerror((int)-n) : "closed during the handshake");
}

static void link_ready(struct source *source, uint32_t events)
{
	struct sink_link *link = (struct sink_link *)source;

	if (events & EPOLLOUT && !wire_flush(&link->wire)) {
		link_close(link, strerror(errno));
		return;
	}
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	if (link->state == LINK_LOGIN)
		link_read_login(link);
	else
		link_read_flood(link);
}

static void links_make(struct sink *k, uint32_t count)
{
	k->links = bench_alloc(count, sizeof(*k->links));
	k->n_links = count;
	for (uint32_t i = 0; i < count; i++) {
		k->links[i].wire.source.fd = -1;
		k->links[i].sink = k;
		k->links[i].buf = bench_alloc(1, BUFFER);
	}
}

bool sink_login(struct sink *k, const struct address *server, const char *const *names,
	uint32_t count, const char *secret)
{
	k->secret = secret;
	links_make(k, count);
	for (uint32_t i = 0; i < count; i++) {
		struct sink_link *link = &k->links[i];
		int fd = address_connect(server);

		if (fd < 0 || !wire_open(&link->wire, k->loop, fd, link_ready))
			return false;
		link->reader = reader_new(&link_calls, link);
		wire_printf(&link->wire,
			"<?xml version='1.0'?><stream:stream"
			" xmlns='jabber:component:accept'"
			" xmlns:stream='http://etherx.jabber.org/streams' to='%s'>",
			names[i]);
		wire_set_hungry(&link->wire, false);
	}
	return true;
}

static void sink_accept(struct source *source, uint32_t events)
{
	struct sink *k = (struct sink *)((char *)source - offsetof(struct sink, listener));
	int fd = address_accept(source->fd);

	(void)events;
	if (fd < 0)
		return;
	if (k->n_ready == k->n_links) {
		close(fd);
		return;
	}
	if (wire_open(&k->links[k->n_ready].wire, k->loop, fd, link_ready))
		k->links[k->n_ready++].state = LINK_READY;
}

bool sink_listen(struct sink *k, struct address *a, uint32_t count)
{
	links_make(k, count);
	k->listener.events = EPOLLIN;
	k->listener.ready = sink_accept;
	k->listener.fd = address_listen(a, 0);
	return k->listener.fd >= 0 && loop_add(k->loop, &k->listener);
}
