/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/greeting.h"

#include "bench/keys.h"

void greeting_attr(struct wire *w, const char *name, const char *value)
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

static bool secure_begin(struct greeting *g)
{
	return wire_secure(g->wire, secure_connection(g->secure, NULL, NULL));
}

bool greeting_begin(struct greeting *g, struct wire *w, struct secure *secure)
{
	*g = (struct greeting){ .wire = w, .secure = secure };
	return !secure || !secure_is_direct(secure) || secure_begin(g);
}

void greeting_header(struct greeting *g, const struct reader_element *e)
{
	struct wire *w = g->wire;

	g->id[0] = 'a';
	keys_random(g->id + 1, 16);
	wire_printf(w,
		"<?xml version='1.0'?><stream:stream xmlns='jabber:server'"
		" xmlns:stream='http://etherx.jabber.org/streams'"
		" xmlns:db='jabber:server:dialback' id='%s'",
		g->id);
	greeting_attr(w, "from", e->to);
	if (e->from[0])
		greeting_attr(w, "to", e->from);
	if (!e->version[0]) {
		wire_append(w, ">", 1);
		return;
	}
	wire_printf(w, " version='1.0'><stream:features>");
	if (g->secure && !w->tls)
		wire_printf(w, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	wire_printf(w,
		"<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
		"</stream:features>");
}

bool greeting_element(struct greeting *g, const struct reader_element *e)
{
	if (strcmp(e->name, "starttls") != 0 || !g->secure || g->wire->tls)
		return false;
	wire_printf(g->wire, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	g->proceeds = true;
	return true;
}

bool greeting_turn(struct greeting *g, bool *ok)
{
	if (!g->proceeds || wire_pending(g->wire))
		return false;
	g->proceeds = false;
	g->id[0] = '\0';
	*ok = secure_begin(g);
	return true;
}

void greeting_answer(struct wire *w, const struct reader_element *e, const char *type,
	const char *condition)
{
	wire_append(w, "<db:", 4);
	wire_append(w, e->name, strlen(e->name));
	greeting_attr(w, "from", e->to);
	greeting_attr(w, "to", e->from);
	if (e->id[0])
		greeting_attr(w, "id", e->id);
	greeting_attr(w, "type", type);
	if (condition)
		wire_printf(w,
			"><error type='cancel'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
			"</error></db:%s>",
			condition, e->name);
	else
		wire_append(w, "/>", 2);
}
