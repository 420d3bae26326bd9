/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/opening.h"

static void header_append(struct opening *op)
{
	op->state = OPENING_HEADER;
	wire_printf(op->wire,
		"<?xml version='1.0'?><stream:stream xmlns='jabber:server'"
		" xmlns:stream='http://etherx.jabber.org/streams'"
		" xmlns:db='jabber:server:dialback' from='%s' to='%s' version='1.0'>",
		op->from, op->to);
}

static bool secure_begin(struct opening *op)
{
	return wire_secure(op->wire, secure_connection(op->secure, op->to, op->session));
}

bool opening_begin(struct opening *op, struct wire *w, struct secure *secure,
	struct ssl_session_st *session, const char *from, const char *to)
{
	*op = (struct opening){ .wire = w,
		.secure = secure,
		.session = session,
		.from = from,
		.to = to };
	if (secure && secure_is_direct(secure) && !secure_begin(op))
		return false;
	header_append(op);
	return true;
}

void opening_header(struct opening *op, const struct reader_element *e)
{
	snprintf(op->id, sizeof(op->id), "%s", e->id);
	/* Without a version there are no features, and no TLS. */
	op->state = e->version[0] ? OPENING_FEATURES : OPENING_DONE;
}

bool opening_element(struct opening *op, const struct reader_element *e)
{
	if (op->state == OPENING_FEATURES && e->ns == READER_NS_STREAM &&
		strcmp(e->name, "features") == 0) {
		if (op->secure && !op->wire->tls && reader_has(e, "starttls")) {
			wire_printf(op->wire,
				"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
			op->state = OPENING_PROCEED;
		} else {
			op->state = OPENING_DONE;
		}
		return true;
	}
	if (op->state == OPENING_PROCEED && strcmp(e->name, "proceed") == 0) {
		op->state = OPENING_SECURE;
		return true;
	}
	return false;
}

bool opening_turn(struct opening *op)
{
	if (op->state != OPENING_SECURE)
		return false;
	/* Should OpenSSL refuse, the handshake that follows says so. */
	(void)secure_begin(op);
	header_append(op);
	return true;
}
