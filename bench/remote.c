/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/remote.h"

#include "bench/greeting.h"
#include "bench/intake.h"
#include "bench/ration.h"

#include <unistd.h>

#define READS_PER_TURN 4
/* A peer that does not read its answers is not read either beyond this. */
#define PENDING_MAX (4u << 20)
#define ACCEPTS_PER_TURN 64

struct remote_conn {
	struct wire wire; /* first: its source is what the loop hands us */
	struct remote *remote;
	struct intake *intake;
	struct greeting greeting;
	struct ration ration;
	struct remote_conn *prev, *next;
	uint8_t *valid; /* a bit per pair; NULL until the first */
	uint64_t n_valid;
	bool over; /* the server has closed its stream */
};

static struct text text_of(const char *s)
{
	return (struct text){ s, strlen(s) };
}

/* --- pairs --- */

static bool conn_has(const struct remote_conn *c, uint32_t pair)
{
	return c->valid && c->valid[pair / 8] >> pair % 8 & 1;
}

static void pair_prove(struct remote_conn *c, uint32_t pair)
{
	struct remote *r = c->remote;

	r->counts.valid++;
	if (!r->proven[pair]) {
		r->proven[pair] = 1;
		r->counts.proven++;
	}
	if (conn_has(c, pair))
		return;
	if (!c->valid)
		c->valid = bench_alloc(r->o.names->n_pairs / 8 + 1, 1);
	c->valid[pair / 8] |= (uint8_t)(1u << pair % 8);
	r->counts.carried += !c->n_valid++;
	if (c->n_valid > r->counts.most)
		r->counts.most = c->n_valid;
}

/* A db:result of ours that is answered with its pair alone, long after it came. */
static void pair_answer(struct remote_conn *c, uint32_t pair, const char *type,
	const char *condition)
{
	const struct names *n = c->remote->o.names;
	struct reader_element e = { .name = "result" };
	char text[NAMES_TEXT];

	snprintf(e.from, sizeof(e.from), "%s", names_from(n, NAMES_OUT, pair, text).p);
	snprintf(e.to, sizeof(e.to), "%s", names_to(n, NAMES_OUT, pair, text).p);
	greeting_answer(&c->wire, &e, type, condition);
}

static void key_answered(void *owner, uint32_t pair, enum verdict v)
{
	struct remote_conn *c = owner;
	struct remote_counts *counts = &c->remote->counts;

	if (v == VERDICT_VALID) {
		counts->key_valid++;
		pair_prove(c, pair);
		pair_answer(c, pair, "valid", NULL);
	} else if (v == VERDICT_INVALID) {
		counts->key_invalid++;
		counts->invalid++;
		pair_answer(c, pair, "invalid", NULL);
	} else {
		counts->key_error++;
		counts->failed++;
		pair_answer(c, pair, "error", "remote-server-not-found");
	}
	/* The loop writes: many answers come at once. */
	wire_set_hungry(&c->wire, false);
}

static bool at_home(const struct remote *r, uint32_t outside)
{
	return outside % r->o.names->n_endpoints == r->o.index;
}

static void result_refuse(struct remote_conn *c, const struct reader_element *e,
	const char *condition)
{
	c->remote->counts.failed++;
	greeting_answer(&c->wire, e, "error", condition);
}

static void conn_result(struct remote_conn *c, const struct reader_element *e)
{
	struct remote *r = c->remote;
	const struct names *n = r->o.names;
	uint32_t hosted, outside, pair;

	r->counts.asserted++;
	if (names_find(n, text_of(e->to), &outside) != NAME_PAIR || !at_home(r, outside)) {
		result_refuse(c, e, "item-not-found");
	} else if (!names_find_hosted(n, text_of(e->from), &hosted)) {
		result_refuse(c, e, "remote-server-not-found");
	} else if (hosted >= n->n_targets) {
		/* One of those whose keys are to be called invalid. */
		r->counts.invalid++;
		greeting_answer(&c->wire, e, "invalid", NULL);
	} else if (!names_pair_of(n, hosted, outside, &pair)) {
		result_refuse(c, e, "not-allowed");
	} else if (r->o.believe) {
		pair_prove(c, pair);
		greeting_answer(&c->wire, e, "valid", NULL);
	} else if (!e->text[0] || strpbrk(e->text, "<>&")) {
		result_refuse(c, e, "not-acceptable");
	} else {
		inquirer_ask(&r->inquirer, e->from, e->to, c->greeting.id, e->text, c, pair);
	}
}

/* As Authoritative Server. */
static void conn_verify(struct remote_conn *c, const struct reader_element *e)
{
	struct remote *r = c->remote;
	char key[KEYS_HEX + 1];
	bool valid;

	if (!r->o.keys) {
		greeting_answer(&c->wire, e, "error", "item-not-found");
		return;
	}
	keys_make(r->o.keys, text_of(e->from), text_of(e->to), text_of(e->id), key);
	valid = strcmp(key, e->text) == 0;
	r->counts.verified += valid;
	r->counts.refused += !valid;
	greeting_answer(&c->wire, e, valid ? "valid" : "invalid", NULL);
}

/* --- what arrives --- */

static void conn_header(void *owner, const struct reader_element *e)
{
	greeting_header(&((struct remote_conn *)owner)->greeting, e);
}

/* A stanza without a marker: a bounce, or of a pair whose key is called invalid. */
static void conn_foreign(struct remote_conn *c, const struct reader_element *e)
{
	struct remote *r = c->remote;
	uint32_t hosted;

	if (names_find_hosted(r->o.names, names_domain(e->from), &hosted) &&
		hosted >= r->o.names->n_targets) {
		r->counts.forbidden++;
		return;
	}
	r->counts.foreign++;
	if (strcmp(e->type, "error") == 0)
		tally_add(&r->counts.bounces, reader_condition(e));
}

static void conn_element(void *owner, const struct reader_element *e)
{
	struct remote_conn *c = owner;

	if (greeting_element(&c->greeting, e))
		return;
	if (e->ns == READER_NS_STREAM && strcmp(e->name, "error") == 0)
		tally_add(&c->remote->counts.errors, reader_condition(e));
	else if (e->ns == READER_NS_OTHER)
		conn_foreign(c, e);
	else if (e->ns != READER_NS_DIALBACK || e->type[0])
		return;
	else if (strcmp(e->name, "verify") == 0)
		conn_verify(c, e);
	else if (strcmp(e->name, "result") == 0)
		conn_result(c, e);
}

static void conn_end(void *owner)
{
	struct remote_conn *c = owner;

	c->over = true;
	wire_printf(&c->wire, "</stream:stream>");
}

static void conn_stanza(void *owner, const struct marker *m, struct text tag, bool whole)
{
	struct remote_conn *c = owner;
	struct remote *r = c->remote;
	uint64_t now = bench_now();

	if (!r->o.naked && (m->pair >= r->o.names->n_pairs || !conn_has(c, m->pair)))
		r->counts.unproven++;
	if (r->back && !r->heard)
		r->heard = now;
	flood_book(r->o.flood, m, tag, whole, now);
}

static const struct intake_calls conn_calls = { { conn_header, conn_element, conn_end },
	conn_stanza };

/* --- connections --- */

static void conn_free(struct remote_conn *c)
{
	struct remote *r = c->remote;

	inquirer_forget(&r->inquirer, c);
	if (c->prev)
		c->prev->next = c->next;
	else
		r->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	wire_close(&c->wire);
	intake_free(c->intake);
	free(c->valid);
	free(c);
}

static void intake_anew(struct remote_conn *c)
{
	intake_free(c->intake);
	c->intake = intake_new(c->remote->o.flood->shapes, &conn_calls, c);
}

static bool conn_may_read(struct remote_conn *c)
{
	if (wire_pending(&c->wire) >= PENDING_MAX)
		return false;
	if (ration_allows(&c->ration, bench_now()))
		return true;
	loop_ask(c->remote->loop, &c->wire.source, 0);
	return false;
}

/* False: the connection is over. */
static bool conn_read(struct remote_conn *c)
{
	for (int i = 0; i < READS_PER_TURN && !c->greeting.proceeds && conn_may_read(c); i++) {
		ssize_t n = intake_read(c->intake, &c->wire);

		if (n == -EAGAIN)
			return true;
		if (n <= 0 || c->over)
			return false;
		c->remote->bytes += (size_t)n;
		ration_pay(&c->ration, (size_t)n, bench_now());
		/* A short read has emptied the socket. */
		if ((size_t)n < INTAKE_BUFFER / 4)
			return true;
	}
	return true;
}

static bool conn_turn(struct remote_conn *c)
{
	bool ok = true;

	if (!greeting_turn(&c->greeting, &ok))
		return true;
	c->remote->counts.secured++;
	intake_anew(c);
	return ok;
}

static void conn_ready(struct source *source, uint32_t events)
{
	struct remote_conn *c = (struct remote_conn *)source;
	bool alive = true;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		alive = conn_read(c);
	/* Not when there is nothing: to flush is to ask for input, which may have to wait. */
	if (wire_pending(&c->wire))
		alive = wire_flush(&c->wire) && alive;
	if (alive && conn_turn(c))
		return;
	c->remote->counts.ended++;
	conn_free(c);
}

static void conn_accept(struct remote *r, int fd)
{
	struct remote_conn *c = bench_alloc(1, sizeof(*c));

	c->remote = r;
	c->ration.rate = r->o.throttle;
	if (!wire_open(&c->wire, r->loop, fd, conn_ready)) {
		free(c);
		return;
	}
	intake_anew(c);
	c->next = r->conns;
	if (c->next)
		c->next->prev = c;
	r->conns = c;
	r->counts.connections++;
	if (!greeting_begin(&c->greeting, &c->wire, r->o.secure))
		conn_free(c);
	else
		r->counts.secured += c->wire.tls != NULL;
}

static void remote_ready(struct source *source, uint32_t events)
{
	struct remote *r = (struct remote *)source;

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = address_accept(r->source.fd);

		if (fd < 0)
			return;
		conn_accept(r, fd);
	}
}

/* --- life --- */

static bool remote_listen(struct remote *r)
{
	int bytes = RATION_BUFFER;

	r->source.events = EPOLLIN;
	r->source.ready = remote_ready;
	r->source.fd = address_listen(&r->listen, 20000);
	if (r->source.fd < 0)
		return false;
	/* Those that are accepted have it from here. */
	if (r->o.throttle)
		setsockopt(r->source.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (loop_add(r->loop, &r->source))
		return true;
	close(r->source.fd);
	r->source.fd = -1;
	return false;
}

bool remote_open(struct remote *r, struct loop *l, const struct remote_opts *o,
	struct address *listen)
{
	memset(r, 0, sizeof(*r));
	r->loop = l;
	r->o = *o;
	r->listen = *listen;
	inquirer_init(&r->inquirer, l, &o->server, o->opens, key_answered);
	if (!remote_listen(r))
		return false;
	*listen = r->listen;
	r->proven = bench_alloc(o->names->n_pairs, 1);
	return true;
}

static void listener_close(struct remote *r)
{
	if (r->source.fd < 0)
		return;
	loop_remove(r->loop, &r->source);
	close(r->source.fd);
	r->source.fd = -1;
}

void remote_close(struct remote *r)
{
	if (!r->loop)
		return;
	listener_close(r);
	while (r->conns)
		conn_free(r->conns);
	inquirer_free(&r->inquirer);
	free(r->proven);
	memset(r, 0, sizeof(*r));
	r->source.fd = -1;
}

void remote_turn(struct remote *r)
{
	uint64_t now = r->o.throttle ? bench_now() : 0;

	if (!r->o.throttle)
		return;
	for (struct remote_conn *c = r->conns; c; c = c->next) {
		if (!c->wire.source.events && ration_allows(&c->ration, now))
			wire_set_hungry(&c->wire, false);
	}
}

void remote_vanish(struct remote *r)
{
	static const struct linger now = { .l_onoff = 1 };

	listener_close(r);
	while (r->conns) {
		struct remote_conn *c = r->conns;

		/* What is here already has arrived. */
		(void)conn_read(c);
		setsockopt(c->wire.source.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		conn_free(c);
	}
	inquirer_reset(&r->inquirer);
}

bool remote_return(struct remote *r)
{
	r->back = bench_now();
	return r->source.fd >= 0 || remote_listen(r);
}
