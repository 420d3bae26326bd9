/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls_pair.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "zoo.h"

#define READ_SIZE 5000 /* not a divisor of a record */

static void wire_add(struct wire *w, const char *p, size_t n)
{
	cr_assert_leq(w->n + n, WIRE);
	if (!w->p)
		w->p = malloc(WIRE);
	if (n)
		memcpy(w->p + w->n, p, n);
	w->n += n;
}

static void wire_drop(struct wire *w, size_t n)
{
	w->n -= n;
	if (n)
		memmove(w->p, w->p + n, w->n);
}

void pair_init(struct pair *p, struct tls *accepting, struct tls *opening)
{
	cr_assert(accepting && opening);
	*p = (struct pair){ 0 };
	p->a.tls = accepting;
	p->o.tls = opening;
}

void pair_free(struct pair *p)
{
	struct side *sides[] = { &p->a, &p->o };

	for (unsigned i = 0; i < 2; i++) {
		tls_free(sides[i]->tls);
		free(sides[i]->in.p);
		free(sides[i]->got.p);
	}
}

static struct side *other(struct pair *p, struct side *s)
{
	return s == &p->a ? &p->o : &p->a;
}

void side_step(struct pair *p, struct side *s)
{
	char out[65536], plain[READ_SIZE];
	size_t piece = p->piece && p->piece < s->in.n ? p->piece : s->in.n, n = 0;
	struct tls_io io = {
		.in = span_of(s->in.p, piece),
		.out = out,
		.out_room = p->room ? p->room : sizeof(out),
	};

	if (tls_state(s->tls) == TLS_HANDSHAKE)
		s->next = tls_handshake(s->tls, &io);
	else
		s->next = tls_read(s->tls, &io, plain, sizeof(plain), &n);
	wire_add(&s->got, plain, n);
	wire_drop(&s->in, piece - io.in.n);
	if (s->next == TLS_OVER)
		(void)tls_flush(s->tls, &io);
	wire_add(&other(p, s)->in, out, io.out_n);
}

static bool side_waits(const struct side *s)
{
	return s->next == TLS_OVER || (s->next == TLS_NEED_INPUT && s->in.n == 0);
}

void pair_run(struct pair *p)
{
	p->a.next = p->o.next = TLS_AGAIN;
	do {
		side_step(p, &p->o);
		side_step(p, &p->a);
	} while (!side_waits(&p->a) || !side_waits(&p->o) || (p->o.in.n && p->o.next != TLS_OVER));
}

void pair_open(struct pair *p)
{
	pair_run(p);
	cr_assert_eq(tls_state(p->o.tls), TLS_OPEN, "opening: %s", tls_why(p->o.tls));
	cr_assert_eq(tls_state(p->a.tls), TLS_OPEN, "accepting: %s", tls_why(p->a.tls));
}

void pair_write(struct pair *p, struct side *s, struct span text)
{
	while (text.n) {
		char out[65536];
		struct tls_io io = { .out = out, .out_room = p->room ? p->room : sizeof(out) };
		size_t n = tls_write(s->tls, &io, &text, 1);

		text = span_skip(text, n);
		wire_add(&other(p, s)->in, out, io.out_n);
		if (n == 0)
			pair_run(p);
	}
	pair_run(p);
}

struct tls_setup *setup_accept(struct tls_cert *cert, struct tls_trust *trust)
{
	struct tls_setup_opts o = { .role = TLS_ACCEPTING, .cert = cert, .trust = trust };
	const char *why;
	struct tls_setup *s = tls_setup_new(&o, &why);

	cr_assert(s != NULL, "%s", why);
	return s;
}

struct tls_setup *setup_open(struct tls_cert *cert, struct tls_trust *trust)
{
	struct tls_setup_opts o = { .role = TLS_OPENING, .cert = cert, .trust = trust };
	const char *why;
	struct tls_setup *s = tls_setup_new(&o, &why);

	cr_assert(s != NULL, "%s", why);
	return s;
}

struct tls_trust *trust_of(const char *ca)
{
	const char *why = "";
	unsigned skipped;
	struct tls_trust *t = tls_trust_new(zoo_file(ca, "pem"), SPAN_NONE, &skipped, &why);

	cr_assert(t != NULL, "%s", why);
	return t;
}

void tls_world_make(struct tls_world *w)
{
	zoo_make("ca", &(struct zoo_opts){ .extensions = ZOO_CA });
	zoo_make("server", &(struct zoo_opts){ .issuer = "ca" });
	zoo_make("client", &(struct zoo_opts){ .issuer = "ca" });
	w->trust = trust_of("ca");
	w->server = zoo_cert("server", SPAN_NONE);
	w->client = zoo_cert("client", SPAN_NONE);
	w->accepting = setup_accept(w->server, w->trust);
	w->opening = setup_open(w->client, w->trust);
	pair_init(&w->p, tls_accept(w->accepting),
		tls_open(w->opening, SPAN_LIT("server.test"), true, SPAN_NONE));
}

void tls_world_free(struct tls_world *w)
{
	pair_free(&w->p);
	tls_setup_unref(w->accepting);
	tls_setup_unref(w->opening);
	tls_cert_unref(w->server);
	tls_cert_unref(w->client);
	tls_trust_unref(w->trust);
}
