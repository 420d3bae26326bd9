/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/sink.h"

#include "bench/login.h"
#include "bench/ration.h"

#include <unistd.h>

#define READS_PER_TURN 4

enum link_state {
	LINK_LOGIN, /* a reader reads header and handshake */
	LINK_READY,
	LINK_GONE, /* by our own doing */
	LINK_CLOSED,
};

struct sink_link {
	struct wire wire; /* first: its source is what the loop hands us */
	struct sink *sink;
	enum link_state state;
	struct reader *reader;
	char *buf;
	size_t len;
	struct ration ration;
	bool stalled, excused; /* excused: it was stalled once, so the server may end it */
	char error[64]; /* condition of a stream error */
};

void sink_init(struct sink *k, struct loop *l, struct flood *flood)
{
	memset(k, 0, sizeof(*k));
	k->loop = l;
	k->flood = flood;
	k->listener.fd = -1;
	k->narrow = UINT32_MAX;
}

static void link_close(struct sink_link *link, const char *why)
{
	struct sink *k = link->sink;

	if (link->state == LINK_CLOSED)
		return;
	if (link->excused) {
		k->n_ready -= link->state == LINK_READY;
		wire_close(&link->wire);
		link->state = LINK_GONE;
		link->excused = false;
		if (sink_return(k, (uint32_t)(link - k->links)))
			return;
		why = strerror(errno);
	}
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

	login_header(&link->wire, e, link->sink->secret);
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

/* Books all whole stanzas in the buffer and keeps the rest. */
static void link_scan(struct sink_link *link)
{
	link->len = flood_scan(link->sink->flood, link->buf, link->len, bench_now());
}

/* Whether the link reads now; if not, it does not wait for input either. */
static bool link_may_read(struct sink_link *link)
{
	bool may = !link->stalled;

	if (!ration_allows(&link->ration, bench_now()))
		may = false;
	if (!may)
		loop_ask(link->sink->loop, &link->wire.source, 0);
	return may;
}

static void link_read_flood(struct sink_link *link)
{
	for (int i = 0; i < READS_PER_TURN && link_may_read(link); i++) {
		size_t room = FLOOD_BUFFER - link->len;
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
		ration_pay(&link->ration, (size_t)n, bench_now());
		link_scan(link);
		/* A short read has emptied the socket. */
		if ((size_t)n < room / 2)
			return;
	}
}

/* What was kept for us may follow the handshake at once: that is not the reader's. */
static bool link_feed_login(struct sink_link *link, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!reader_feed(link->reader, p + i, 1))
			return false;
		if (link->state != LINK_LOGIN) {
			link->len = n - i - 1;
			memcpy(link->buf, p + i + 1, link->len);
			link_scan(link);
			return true;
		}
	}
	return true;
}

static void link_read_login(struct sink_link *link)
{
	char buf[4096];
	ssize_t n = wire_read(&link->wire, buf, sizeof(buf));

	if (n == -EAGAIN)
		return;
	if (n > 0 && link_feed_login(link, buf, (size_t)n) && wire_flush(&link->wire))
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
	/* That it is over is told even to who asks for nothing. */
	if (link->stalled && link->state == LINK_READY)
		link_close(link, "closed by the server");
	else if (link->state == LINK_LOGIN)
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
		k->links[i].buf = bench_alloc(1, FLOOD_BUFFER);
	}
}

static bool link_login(struct sink_link *link)
{
	struct sink *k = link->sink;
	int fd = address_connect(&k->server), bytes = RATION_BUFFER;

	if (fd >= 0 && link - k->links >= k->narrow)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (fd < 0 || !wire_open(&link->wire, k->loop, fd, link_ready))
		return false;
	link->state = LINK_LOGIN;
	link->ration.rate = k->rate;
	link->len = 0;
	reader_free(link->reader);
	link->reader = reader_new(&link_calls, link);
	login_begin(&link->wire, k->logins[link - k->links]);
	wire_set_hungry(&link->wire, false);
	return true;
}

bool sink_login(struct sink *k, const struct address *server, const char *const *names,
	uint32_t count, const char *secret)
{
	k->server = *server;
	k->logins = names;
	k->secret = secret;
	links_make(k, count);
	for (uint32_t i = 0; i < count; i++) {
		if (!link_login(&k->links[i]))
			return false;
	}
	return true;
}

void sink_turn(struct sink *k)
{
	uint64_t now = k->rate ? bench_now() : 0;

	for (uint32_t i = 0; k->rate && i < k->n_links; i++) {
		struct sink_link *link = &k->links[i];

		if (link->state == LINK_READY && !link->stalled &&
			ration_allows(&link->ration, now))
			loop_ask(k->loop, &link->wire.source, EPOLLIN);
	}
}

void sink_stall(struct sink *k, uint32_t link, bool on)
{
	struct sink_link *l = &k->links[link];

	l->stalled = on;
	l->excused = true;
	if (l->state == LINK_READY)
		loop_ask(k->loop, &l->wire.source, on ? 0 : EPOLLIN);
}

void sink_vanish(struct sink *k, uint32_t link)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };
	struct sink_link *l = &k->links[link];

	if (l->state == LINK_READY)
		link_read_flood(l);
	if (l->state != LINK_READY)
		return;
	setsockopt(l->wire.source.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	wire_close(&l->wire);
	l->state = LINK_GONE;
	k->n_ready--;
}

bool sink_return(struct sink *k, uint32_t link)
{
	struct sink_link *l = &k->links[link];

	if (l->state != LINK_GONE)
		return true;
	k->n_returned++;
	return link_login(l);
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
