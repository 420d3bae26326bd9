/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/authority.h"

#include "bench/greeting.h"

#include <unistd.h>

/* Questions that are answered at once; meanwhile the other parts of the bench wait. */
#define CHUNK WIRE_READ
/* A peer that does not read its answers is not read either beyond this. */
#define PENDING_MAX (4u << 20)

struct authority_conn {
	struct wire wire; /* first: its source is what the loop hands us */
	struct authority *authority;
	struct reader *reader;
	struct greeting greeting;
	struct authority_conn *prev, *next;
	bool over; /* the peer has closed its stream */
};

static struct text text_of(const char *s)
{
	return (struct text){ s, strlen(s) };
}

static void conn_header(void *owner, const struct reader_element *e)
{
	greeting_header(&((struct authority_conn *)owner)->greeting, e);
}

static void conn_element(void *owner, const struct reader_element *e)
{
	struct authority_conn *c = owner;
	struct authority_counts *counts = &c->authority->counts;

	if (greeting_element(&c->greeting, e))
		return;
	if (e->ns == READER_NS_DIALBACK && !e->type[0]) {
		bool valid = true;

		if (strcmp(e->name, "verify") == 0) {
			char key[KEYS_HEX + 1];

			keys_make(c->authority->keys, text_of(e->from), text_of(e->to),
				text_of(e->id), key);
			valid = strcmp(key, e->text) == 0;
			counts->verified += valid;
			counts->refused += !valid;
		} else {
			counts->asserted++;
		}
		greeting_answer(&c->wire, e, valid ? "valid" : "invalid", NULL);
	} else if (e->ns == READER_NS_OTHER) {
		counts->stanzas++;
		if (strcmp(e->type, "error") == 0)
			tally_add(&counts->bounces, reader_condition(e));
	}
}

static void conn_end(void *owner)
{
	struct authority_conn *c = owner;

	c->over = true;
	wire_printf(&c->wire, "</stream:stream>");
}

static const struct reader_calls conn_calls = { conn_header, conn_element, conn_end };

static void conn_free(struct authority_conn *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		c->authority->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	wire_close(&c->wire);
	reader_free(c->reader);
	free(c);
}

/* Whether TLS, if it begins now, does so. */
static bool conn_turn(struct authority_conn *c)
{
	bool ok = true;

	if (!greeting_turn(&c->greeting, &ok))
		return true;
	c->authority->counts.secured++;
	reader_free(c->reader);
	c->reader = reader_new(&conn_calls, c);
	return ok;
}

static void conn_ready(struct source *source, uint32_t events)
{
	struct authority_conn *c = (struct authority_conn *)source;
	static char buf[CHUNK];
	bool alive = true;

	/* Served at most one buffer a turn: others share the thread. */
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && wire_pending(&c->wire) < PENDING_MAX) {
		ssize_t n = wire_read(&c->wire, buf, sizeof(buf));

		if (n > 0)
			alive = reader_feed(c->reader, buf, (size_t)n) && !c->over;
		else if (n != -EAGAIN)
			alive = false;
	}
	alive = wire_flush(&c->wire) && alive;
	if (!alive || !conn_turn(c))
		conn_free(c);
}

static void authority_ready(struct source *source, uint32_t events)
{
	struct authority *a = (struct authority *)source;

	(void)events;
	for (int i = 0; i < 64; i++) {
		int fd = address_accept(a->source.fd);
		struct authority_conn *c;

		if (fd < 0)
			return;
		c = bench_alloc(1, sizeof(*c));
		c->authority = a;
		if (!wire_open(&c->wire, a->loop, fd, conn_ready)) {
			free(c);
			return;
		}
		c->reader = reader_new(&conn_calls, c);
		greeting_begin(&c->greeting, &c->wire, a->secure);
		c->next = a->conns;
		if (c->next)
			c->next->prev = c;
		a->conns = c;
		a->counts.connections++;
	}
}

bool authority_open(struct authority *a, struct loop *l, struct keys *keys, struct address *listen)
{
	memset(a, 0, sizeof(*a));
	a->loop = l;
	a->keys = keys;
	a->source.events = EPOLLIN;
	a->source.ready = authority_ready;
	a->source.fd = address_listen(listen, 20000);
	if (a->source.fd < 0)
		return false;
	if (loop_add(l, &a->source))
		return true;
	close(a->source.fd);
	a->source.fd = -1;
	return false;
}

void authority_close(struct authority *a)
{
	if (a->source.fd < 0)
		return;
	while (a->conns)
		conn_free(a->conns);
	loop_remove(a->loop, &a->source);
	close(a->source.fd);
	a->source.fd = -1;
}
