/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/login.h"

#include "bench/keys.h"

void login_begin(struct wire *w, const char *name)
{
	wire_printf(w,
		"<?xml version='1.0'?><stream:stream"
		" xmlns='jabber:component:accept'"
		" xmlns:stream='http://etherx.jabber.org/streams' to='%s'>",
		name);
}

void login_header(struct wire *w, const struct reader_element *e, const char *secret)
{
	char digest[KEYS_DIGEST_HEX + 1];

	keys_handshake(e->id, secret, digest);
	wire_printf(w, "<handshake>%s</handshake>", digest);
}
