/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/secure.h"

#include <stdio.h>

#include "core/base/list.h"
#include "core/base/mem.h"
#include "net/tls.h"
#include "tests/sim/zoo.h"

struct setup {
	struct list link;
	bool serves;
	char *cert; /* "": none */
	struct tls_setup *tls;
};

struct secures {
	struct list setups, all;
};

struct secure {
	struct list link;
	struct wire *wire;
	struct tls *tls;
	struct buf waiting, plain; /* to be said once it is open; decrypted, from `taken` on */
	size_t taken;
	bool opened, notify;
};

/* -- no fault strikes here -- */

static uint64_t faults_off(void)
{
#ifdef SLUICE_FAULT_INJECTION
	return mem_fail_nth(0);
#else
	return 0;
#endif
}

static void faults_on(uint64_t left)
{
#ifdef SLUICE_FAULT_INJECTION
	(void)mem_fail_nth(left);
#else
	(void)left;
#endif
}

/* -- setups -- */

static struct tls_cert *cert_make(struct span name, char why[TEXT_WHY])
{
	struct buf chain = { 0 }, key = { 0 };
	struct tls_cert *cert = NULL;
	const char *fault = NULL;

	if (zoo_read(name, "pem", &chain, why) && zoo_read(name, "key", &key, why)) {
		cert = tls_cert_new(span_of(chain.p, chain.n), span_of(key.p, key.n), &fault);
		if (!cert)
			(void)snprintf(why, TEXT_WHY, "%.*s: %s", (int)name.n, name.p, fault);
	}
	buf_free(&chain);
	buf_free(&key);
	return cert;
}

static struct tls_setup *setup_tls(const struct secure_opts *o, char why[TEXT_WHY])
{
	struct tls_setup_opts opts = {
		.role = o->serves ? TLS_ACCEPTING : TLS_OPENING,
		.sessions = o->serves ? 0 : 16,
	};
	const char *fault = NULL;
	struct tls_setup *tls;

	if (o->cert.n > 0) {
		opts.cert = cert_make(o->cert, why);
		if (!opts.cert)
			return NULL;
	}
	tls = tls_setup_new(&opts, &fault);
	if (!tls)
		(void)snprintf(why, TEXT_WHY, "%s", fault);
	if (opts.cert)
		tls_cert_unref(opts.cert);
	return tls;
}

static struct setup *setup_get(struct secures *all, const struct secure_opts *o, char why[TEXT_WHY])
{
	struct tls_setup *tls;
	struct setup *s;

	list_each(l, &all->setups)
	{
		s = container_of(l, struct setup, link);
		if (s->serves == o->serves && span_is(o->cert, s->cert))
			return s;
	}
	tls = setup_tls(o, why);
	if (!tls)
		return NULL;
	s = mem_zalloc(sizeof(*s));
	s->serves = o->serves;
	s->cert = mem_dup_span(o->cert);
	s->tls = tls;
	list_add_tail(&all->setups, &s->link);
	return s;
}

struct secures *secures_new(void)
{
	struct secures *all = mem_zalloc(sizeof(*all));

	list_init(&all->setups);
	list_init(&all->all);
	return all;
}

static void secure_free(struct secure *s)
{
	list_del(&s->link);
	tls_free(s->tls);
	buf_free(&s->waiting);
	buf_free(&s->plain);
	mem_free(s);
}

void secures_free(struct secures *all)
{
	while (!list_empty(&all->all))
		secure_free(list_first(&all->all, struct secure, link));
	while (!list_empty(&all->setups)) {
		struct setup *s = list_first(&all->setups, struct setup, link);

		list_del(&s->link);
		tls_setup_unref(s->tls);
		mem_free(s->cert);
		mem_free(s);
	}
	mem_free(all);
}

/* -- bytes -- */

static bool wire_say(struct secure *s, const struct tls_io *io)
{
	if (io->out_n == 0 || wire_mute(s->wire))
		return false;
	wire_send(s->wire, span_of(io->out, io->out_n));
	return true;
}

static bool text_encrypt(struct secure *s, struct span text)
{
	char out[2 * TLS_RECORD_ROOM];
	bool sent = false;
	size_t n;

	do {
		struct tls_io io = { .out = out, .out_room = sizeof(out) };

		n = tls_write(s->tls, &io, &text, 1);
		sent |= wire_say(s, &io);
		text = span_skip(text, n);
	} while (n > 0 && text.n > 0);
	return sent;
}

static bool notify_now(struct secure *s)
{
	char out[TLS_RECORD_ROOM];
	struct tls_io io = { .out = out, .out_room = sizeof(out) };

	s->notify = false;
	tls_close(s->tls, &io);
	return wire_say(s, &io);
}

/* What waited for the end of the handshake. */
static bool opened(struct secure *s)
{
	bool sent = false;

	s->opened = true;
	if (s->waiting.n > 0)
		sent = text_encrypt(s, span_of(s->waiting.p, s->waiting.n));
	buf_free(&s->waiting);
	return (s->notify && notify_now(s)) || sent;
}

/* One round; *more: another is worth while. True: something was sent. */
static bool round_run(struct secure *s, bool *more)
{
	static char out[2 * TLS_RECORD_ROOM], plain[TLS_RECORD];
	bool shaking = tls_state(s->tls) == TLS_HANDSHAKE, sent;
	struct span in = wire_in(s->wire);
	struct tls_io io = { .in = in, .out = out, .out_room = sizeof(out) };
	enum tls_next next;
	size_t n = 0;

	if (shaking)
		next = tls_handshake(s->tls, &io);
	else
		next = tls_read(s->tls, &io, plain, sizeof(plain), &n);
	wire_take(s->wire, in.n - io.in.n);
	if (n > 0)
		buf_add(&s->plain, span_of(plain, n));
	if (next == TLS_OVER)
		(void)tls_flush(s->tls, &io);
	sent = wire_say(s, &io);
	if (shaking && tls_state(s->tls) == TLS_OPEN)
		sent |= opened(s);
	*more = next == TLS_AGAIN || next == TLS_NEED_ROOM;
	return sent;
}

static bool secure_run(struct secure *s)
{
	bool sent = false, more;

	do
		sent |= round_run(s, &more);
	while (more);
	if (wire_ended(s->wire) != WIRE_OPEN && tls_state(s->tls) < TLS_CLOSED)
		tls_eof(s->tls);
	return sent;
}

bool secures_run(struct secures *all)
{
	uint64_t left = faults_off();
	bool sent = false;

	list_each(l, &all->all) sent |= secure_run(container_of(l, struct secure, link));
	faults_on(left);
	return sent;
}

/* -- one wire -- */

struct secure *secure_begin(struct secures *all, struct wire *w, const struct secure_opts *o,
	char why[TEXT_WHY])
{
	uint64_t left = faults_off();
	struct setup *setup = setup_get(all, o, why);
	struct secure *s = NULL;

	if (setup) {
		s = mem_zalloc(sizeof(*s));
		s->wire = w;
		s->tls = o->serves ? tls_accept(setup->tls)
				   : tls_open(setup->tls, o->sni, o->alpn,
					     o->resumes ? SPAN_LIT("the router") : SPAN_NONE);
		BUG_ON(!s->tls);
		list_add_tail(&all->all, &s->link);
		(void)secure_run(s);
	}
	faults_on(left);
	return s;
}

void secure_say(struct secure *s, struct span text)
{
	uint64_t left = faults_off();

	if (tls_state(s->tls) == TLS_HANDSHAKE)
		buf_add(&s->waiting, text);
	else
		(void)text_encrypt(s, text);
	faults_on(left);
}

void secure_notify(struct secure *s)
{
	uint64_t left = faults_off();

	if (tls_state(s->tls) == TLS_HANDSHAKE)
		s->notify = true;
	else
		(void)notify_now(s);
	faults_on(left);
}

struct span secure_in(const struct secure *s)
{
	return span_skip(span_of(s->plain.p ? s->plain.p : "", s->plain.n), s->taken);
}

void secure_take(struct secure *s, size_t n)
{
	s->taken += n;
	if (s->taken < s->plain.n)
		return;
	buf_free(&s->plain);
	s->taken = 0;
}

bool secure_opened(const struct secure *s)
{
	return s->opened;
}

bool secure_broken(const struct secure *s)
{
	return tls_state(s->tls) == TLS_FAILED;
}

bool secure_notified(const struct secure *s)
{
	return tls_state(s->tls) == TLS_CLOSED;
}

bool secure_resumed(const struct secure *s)
{
	return s->opened && tls_resumed(s->tls);
}

bool secure_alpn(const struct secure *s)
{
	return s->opened && tls_alpn(s->tls);
}

struct span secure_sni(const struct secure *s)
{
	return tls_server_name(s->tls);
}

struct span secure_peer(const struct secure *s)
{
	const struct span *chain;

	return s->opened && tls_peer_chain(s->tls, &chain) > 0 ? chain[0] : SPAN_NONE;
}
