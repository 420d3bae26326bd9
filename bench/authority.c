/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/authority.h"

#include "bench/reader.h"
#include "bench/secure.h"
#include "bench/wire.h"

#include <unistd.h>

#define CHUNK 65536
/* A peer that does not read its answers is not read either beyond this. */
#define PENDING_MAX (4u << 20)

struct authority_conn {
	struct wire wire; /* first: its source is what the loop hands us */
	struct authority *authority;
	struct reader *reader;
	struct authority_conn *prev, *next;
	bool over; /* the peer has closed its stream */
	bool proceeds; /* TLS begins once this is read */
};

static struct text text_of(const char *s)
{
	return (struct text){ s, strlen(s) };
}

/* Appends ` name='value'`; the value comes from the peer, so it is escaped again. */
static void attr_append(struct wire *w, const char *name, const char *value)
{
	wire_append(w, " ", 1);
	wire_append(w, name, strlen(name));
	wire_append(w, "='", 2);
	for (; *value; value++) {
		size_t plain = strcspn(value, "&<>'\"");

		wire_append(w, value, plain);
		value += plain;
		if (!*value)
			break;
		wire_printf(w, "&#%d;", *value);
	}
	wire_append(w, "'", 1);
}

static void conn_header(void *owner, const struct reader_element *e)
{
	struct authority_conn *c = owner;
	struct wire *w = &c->wire;
	char id[33];

	keys_random(id, 16);
	wire_printf(w,
		"<?xml version='1.0'?><stream:stream xmlns='jabber:server'"
		" xmlns:stream='http://etherx.jabber.org/streams'"
		" xmlns:db='jabber:server:dialback' id='a%s'",
		id);
	attr_append(w, "from", e->to);
	if (e->from[0])
		attr_append(w, "to", e->from);
	if (!e->version[0]) {
		wire_append(w, ">", 1);
		return;
	}
	wire_printf(w, " version='1.0'><stream:features>");
	if (c->authority->secure && !w->tls)
		wire_printf(w, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	wire_printf(w,
		"<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
		"</stream:features>");
}

static void answer_append(struct wire *w, const struct reader_element *e, bool valid)
{
	wire_append(w, "<db:", 4);
	wire_append(w, e->name, strlen(e->name));
	attr_append(w, "from", e->to);
	attr_append(w, "to", e->from);
	if (e->id[0])
		attr_append(w, "id", e->id);
	attr_append(w, "type", valid ? "valid" : "invalid");
	wire_append(w, "/>", 2);
}

static void conn_element(void *owner, const struct reader_element *e)
{
	struct authority_conn *c = owner;
	struct authority_counts *counts = &c->authority->counts;

	if (strcmp(e->name, "starttls") == 0 && c->authority->secure && !c->wire.tls) {
		wire_printf(&c->wire, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
		c->proceeds = true;
	} else if (e->ns == READER_NS_DIALBACK && !e->type[0]) {
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
		answer_append(&c->wire, e, valid);
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

static bool peer_secure(struct authority_conn *c)
{
	c->proceeds = false;
	c->authority->counts.secured++;
	reader_free(c->reader);
	c->reader = reader_new(&conn_calls, c);
	return wire_secure(&c->wire, secure_connection(c->authority->secure, NULL, NULL));
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
	if (alive && c->proceeds && !wire_pending(&c->wire))
		alive = peer_secure(c);
	if (!alive)
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
