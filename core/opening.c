/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/opening.h"

#include <errno.h>

#include "core/base/mem.h"
#include "core/keyring.h"
#include "core/worker.h"
#include "net/tls.h"

bool opening_init(struct opening *o, struct span from, struct span to, enum header_form form)
{
	*o = (struct opening){ .form = form };
	o->from = mem_try_text(from.p, from.n);
	o->to = mem_try_text(to.p, to.n);
	if (o->from && o->to)
		return true;
	opening_free(o);
	return false;
}

void opening_free(struct opening *o)
{
	mem_free(o->from);
	mem_free(o->to);
	o->from = o->to = NULL;
}

void opening_say_header(struct opening *o, struct stream *s)
{
	char buf[2 * LIMIT_DOMAIN * 6 + 512];
	struct writer w = WRITER(buf);

	if (s->header_sent)
		return;
	header_write(&w, span_str(o->from), span_str(o->to), SPAN_NONE, o->form);
	s->header_sent = true;
	stream_say(s, writer_span(&w));
}

void opening_again(struct opening *o, struct stream *s)
{
	opening_say_header(o, s);
	stream_set_timer(s, TIMEOUT_HEADER_MS);
}

/* Our end of a handshake; it has ten seconds from now on. NULL: no memory. */
static struct tls *opening_tls(struct opening *o, struct stream *s)
{
	stream_set_timer(s, TIMEOUT_TLS_MS);
	return keyring_open(s->w->keyring, o->bare ? SPAN_NONE : span_str(o->from), span_str(o->to),
		&o->at);
}

bool opening_shows(const struct opening *o, const struct stream *s)
{
	return conn_tls(s->conn) && !o->bare && s->w->keyring &&
		keyring_has(s->w->keyring, span_str(o->from));
}

bool opening_refused(const struct opening *o, const struct stream *s)
{
	return opening_shows(o, s) && !s->ended && tls_refused(conn_tls(s->conn));
}

bool opening_left_at_sight(const struct opening *o, const struct stream *s, int err)
{
	const struct tls *t = conn_tls(s->conn);

	return opening_shows(o, s) && !s->ended && err != -ENOMEM && tls_shaken(t) &&
		strcmp(tls_version(t), "TLSv1.3") == 0;
}

void opening_start(struct opening *o, struct stream *s)
{
	struct tls *t;

	if (!o->at.direct) {
		opening_again(o, s);
		return;
	}
	t = opening_tls(o, s);
	if (t)
		conn_secure(s->conn, t);
	else
		conn_abort(s->conn, -ENOMEM, "no memory for TLS");
}

void opening_ask(struct opening *o, struct stream *s)
{
	o->asked = true;
	stream_say(s, SPAN_LIT("<starttls xmlns='" NS_TLS "'/>"));
}

bool opening_answer(struct opening *o, struct stream *s, const struct element *e)
{
	struct tls *t;

	o->asked = false;
	if (!element_is(e, NS_TLS, "proceed"))
		return false;
	t = opening_tls(o, s);
	if (t)
		stream_secure(s, SPAN_NONE, t);
	else
		stream_end(s, "no memory for TLS");
	return true;
}
