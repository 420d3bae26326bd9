/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/authlink.h"

#include <errno.h>

#include "core/authcall.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/claims.h"
#include "core/opening.h"
#include "core/verdicts.h"
#include "core/worker.h"
#include "dialback/table.h"
#include "net/tls.h"

struct authlinks {
	struct worker *w;
	struct hash_key key; /* of places */
	struct table shared; /* struct authlink, by place; those that take calls */
	struct table callers; /* by worker and call */
};

/* A call of a worker's. */
struct caller {
	struct table_node node;
	struct list link; /* in authlink->callers */
	struct authlink *a;
	unsigned worker;
	uint64_t call;
	uint32_t sent; /* questions written */
};

struct authlink {
	struct stream s;
	struct table_node node;
	bool listed; /* in authlinks->shared */
	bool connected;
	struct list callers; /* of each worker one, or of one apart */
	struct opening opening;
	bool heard; /* the peer's header, within TLS if there is TLS */
	bool up;
	unsigned foreign; /* elements that are no dialback, so far */
};

/* -- callers -- */

/* Keyed by what we have made: a plain mix will do. */
static uint64_t caller_hash(unsigned worker, uint64_t call)
{
	return hash_fast(worker, span_of((const char *)&call, sizeof(call)));
}

static struct caller *caller_find(const struct authlinks *as, unsigned worker, uint64_t call)
{
	struct table_node *n = table_first(&as->callers, caller_hash(worker, call));

	for (; n; n = table_next(n)) {
		struct caller *c = container_of(n, struct caller, node);

		if (c->worker == worker && c->call == call)
			return c;
	}
	return NULL;
}

static void caller_tell(struct worker *w, unsigned worker, const struct post_link *what)
{
	struct post_link *post;

	if (worker == w->number) {
		authcalls_link(w->authcalls, what);
		return;
	}
	post = mesh_must_write(w->port, worker, POST_LINK, sizeof(*post));
	*post = *what;
}

static void caller_told(const struct caller *c, enum link_event what)
{
	const struct post_link post = { .call = c->call, .what = what };

	caller_tell(c->a->s.w, c->worker, &post);
}

static void caller_end(struct caller *c)
{
	table_del(&c->a->s.w->authlinks->callers, &c->node);
	list_del(&c->link);
	mem_free(c);
}

static bool caller_add(struct authlink *a, unsigned worker, uint64_t call)
{
	struct caller *c = mem_try_zalloc(sizeof(*c));

	if (!c)
		return false;
	c->a = a;
	c->worker = worker;
	c->call = call;
	list_add_tail(&a->callers, &c->link);
	table_add(&a->s.w->authlinks->callers, &c->node, caller_hash(worker, call));
	return true;
}

/* -- what becomes of the stream -- */

static void authlink_up(struct authlink *a)
{
	a->up = true;
	stream_stop_timer(&a->s);
	list_each(l, &a->callers) caller_told(container_of(l, struct caller, link), LINK_UP);
}

/* Takes no more calls. */
static void authlink_unlist(struct authlink *a)
{
	if (a->listed)
		table_del(&a->s.w->authlinks->shared, &a->node);
	a->listed = false;
}

/* The verifiers are told as soon as no question can be asked any more, and none will be: their claims do
 * not wait for the connection to end. */
static void authlink_lost(struct authlink *a, enum verify_loss loss)
{
	authlink_unlist(a);
	while (!list_empty(&a->callers)) {
		struct caller *c = list_first(&a->callers, struct caller, link);
		const struct post_link post = { c->call, LINK_DOWN, loss, c->sent };
		unsigned worker = c->worker;

		caller_end(c);
		caller_tell(a->s.w, worker, &post);
	}
}

/* It is dialled again, and shown none. Nobody needs to know who asks about keys. */
static bool authlink_goes_bare(const struct authlink *a, int err)
{
	return !a->heard && !a->s.w->draining && !list_empty(&a->callers) &&
		(opening_refused(&a->opening, &a->s) ||
			opening_left_at_sight(&a->opening, &a->s, err));
}

static void authlink_ended(struct stream *s)
{
	struct authlink *a = container_of(s, struct authlink, s);

	if (!authlink_goes_bare(a, 0))
		authlink_lost(a, a->up ? LOSS_CLOSED : LOSS_UNREACHABLE);
}

static void authlink_connected(struct stream *s)
{
	struct authlink *a = container_of(s, struct authlink, s);

	if (!a->connected)
		list_each(l, &a->callers)
			caller_told(container_of(l, struct caller, link), LINK_CONNECTED);
	a->connected = true;
	opening_start(&a->opening, s);
}

static void authlink_open(struct stream *s)
{
	opening_say_header(&container_of(s, struct authlink, s)->opening, s);
}

static void authlink_no_tls(struct authlink *a, const char *why)
{
	authlink_lost(a, LOSS_TLS_REQUIRED);
	stream_end(&a->s, why);
}

/* It stays in the clear, or within TLS, as it is. */
static void authlink_settle(struct authlink *a)
{
	if (conn_tls(a->s.conn) || a->s.w->config->verify_tls != VERIFY_TLS_REQUIRE)
		authlink_up(a);
	else
		authlink_no_tls(a,
			"the authoritative server has no TLS, which --verify-tls requires");
}

static void authlink_header(struct stream *s, const struct element *e)
{
	struct authlink *a = container_of(s, struct authlink, s);
	const char *why = NULL;
	struct header h;
	const char *fault = header_read(&h, e, s->scan, HEADER_RESPONSE, &why);

	a->heard = true;
	if (fault)
		stream_fail(s, fault, NULL, why);
	else if (!h.versioned)
		authlink_settle(a); /* no features will follow */
}

/* TLS is used whenever it is offered: unverified it keeps keys from those who only listen. Within it
 * nobody is asked for more (rule 6.4). */
static void authlink_features(struct authlink *a, const struct element *e)
{
	const struct element *tls = element_child(e, NS_TLS, "starttls");
	struct worker *w = a->s.w;

	if (a->up || a->opening.asked)
		return; /* features are sent once */
	if (conn_tls(a->s.conn)) {
		authlink_up(a);
	} else if (tls && w->keyring) {
		opening_ask(&a->opening, &a->s);
	} else if (tls && element_child(tls, NULL, "required")) {
		authlink_no_tls(a,
			"the authoritative server insists on TLS, for which --cert-dir is missing");
	} else {
		authlink_settle(a);
	}
}

/* The answer to <starttls/>. */
static void authlink_tls(struct authlink *a, const struct element *e)
{
	if (opening_answer(&a->opening, &a->s, e))
		a->heard = false;
	else
		authlink_no_tls(a, "the authoritative server refused STARTTLS after offering it");
}

static void authlink_secured(struct stream *s)
{
	struct authlink *a = container_of(s, struct authlink, s);
	struct tls *t = conn_tls(s->conn);
	char peer[ADDR_TEXT];

	addr_format(conn_peer(s->conn), peer);
	LOG(LOG_DEBUG, "authority-secured", "a stream to an authoritative server is encrypted",
		LF_STR("peer", peer), LF_STR("how", a->opening.at.direct ? "direct" : "starttls"),
		LF_STR("version", tls_version(t)), LF_STR("cipher", tls_cipher(t)));
	tls_peer_forget(t);
	opening_again(&a->opening, s);
}

static void authlink_error(struct authlink *a, const struct element *e)
{
	struct span condition = stream_error_condition(e);
	char peer[ADDR_TEXT];

	STATS_INC(&a->s.w->stats, stream_errors_received);
	addr_format(conn_peer(a->s.conn), peer);
	LOG(LOG_WARN, "stream-error-received",
		"the authoritative server ended its stream with an error", LF_STR("peer", peer),
		LF_SPAN("condition", condition), LF_STR("asked-about", a->opening.to));
	if (span_is(condition, "host-unknown") || span_is(condition, "host-gone"))
		authlink_lost(a, LOSS_HOST_UNKNOWN);
	stream_end(&a->s, "the peer sent a stream error");
}

/* The one of the worker that made the stream id, if it is on this very stream: only there may the
 * answer count (CVE-2012-3525). */
static const struct caller *answer_caller(const struct authlink *a, struct span id)
{
	unsigned worker;

	if (!crew_maker(a->s.w->crew, id, &worker))
		return NULL;
	list_each(l, &a->callers)
	{
		const struct caller *c = container_of(l, struct caller, link);

		if (c->worker == worker)
			return c;
	}
	return NULL;
}

static void answer_forward(const struct caller *c, struct span from, struct span to, struct span id,
	enum answer answer)
{
	struct post_answer *post = mesh_write(c->a->s.w->port, c->worker, POST_ANSWER,
		sizeof(*post) + from.n + to.n + id.n);

	if (!post)
		return; /* the claim ends by its time */
	post->call = c->call;
	post->answer = answer;
	post->from_n = (uint16_t)from.n;
	post->to_n = (uint16_t)to.n;
	post->id_n = (uint16_t)id.n;
	(void)text_put(text_put(text_put(post->text, from), to), id);
}

static void authlink_strayed(struct authlink *a)
{
	if (!claims_patience(&a->s))
		stream_fail(&a->s, "policy-violation", NULL,
			"too many dialback elements that nobody asked for");
}

static void authlink_answer(struct authlink *a, const struct element *e)
{
	struct span id = element_attr(e, "id");
	const struct caller *c = answer_caller(a, id);
	struct worker *w = a->s.w;
	struct domain from, to;
	enum answer answer;

	if (!c || !element_is(e, NS_DIALBACK, "verify") ||
		!answer_parse(element_attr(e, "type"), &answer) ||
		!domain_parse(element_attr(e, "from"), &from) ||
		!domain_parse(element_attr(e, "to"), &to)) {
		claims_ignored(&a->s, e, "answers no question that was asked on this stream");
		authlink_strayed(a);
	} else if (c->worker != w->number) {
		answer_forward(c, domain_span(&from), domain_span(&to), id, answer);
	} else if (!authcalls_answer(w->authcalls, c->call, domain_span(&from), domain_span(&to),
			   id, answer)) {
		authlink_strayed(a);
	}
}

static void authlink_frame(struct stream *s, const struct frame *f)
{
	struct authlink *a = container_of(s, struct authlink, s);
	const struct element *e;

	if (s->state != STREAM_OPEN)
		return;
	if (a->opening.asked && f->kind == FRAME_FOREIGN) {
		e = stream_element(s, f);
		if (e)
			authlink_tls(a, e);
		return;
	}
	if (f->kind != FRAME_DIALBACK && f->kind != FRAME_STREAM) {
		STATS_INC(&s->w->stats, ignored_elements);
		if (++a->foreign > LIMIT_UNKNOWN_ELEMENTS)
			stream_fail(s, "policy-violation", NULL,
				"too many elements that nobody asked for");
		return;
	}
	e = stream_element(s, f);
	if (!e)
		return;
	if (f->kind == FRAME_DIALBACK)
		authlink_answer(a, e);
	else if (element_is(e, NS_STREAMS, "features"))
		authlink_features(a, e);
	else if (element_is(e, NS_STREAMS, "error"))
		authlink_error(a, e);
}

static void authlink_timeout(struct stream *s)
{
	stream_fail(s, "connection-timeout", NULL,
		conn_securing(s->conn)
			? "the authoritative server did not finish the TLS handshake in time"
			: "the authoritative server did not open the stream in time");
}

/* Did the network say that nothing takes connections there? */
static bool is_nobody(int err)
{
	return err == -ECONNREFUSED || err == -EHOSTUNREACH || err == -ENETUNREACH ||
		err == -ETIMEDOUT;
}

static const struct stream_ops authlink_ops;

/* What the claim is told says nothing about us: the operator has to hear it from here. */
static void authlink_undialled(struct worker *w, const struct addr *to, int err)
{
	char peer[ADDR_TEXT];

	STATS_INC(&w->stats, dials_failed);
	addr_format(to, peer);
	LOG(LOG_WARN, "dial-failed", "an authoritative server could not be dialled",
		LF_STR("peer", peer),
		LF_STR("error", err == -EUSERS ? "--max-conns is reached" : strerror(-err)));
}

/* With a stream upon it. */
static bool authlink_connect(struct authlink *a, struct worker *w)
{
	int err = -ENOMEM;
	struct conn *c = conn_dial(w->conns, &a->opening.at.addr, &stream_conn_ops, NULL, w->now,
		&err);

	if (c && stream_init(&a->s, w, c, &authlink_ops, LIMIT_STANZA_UNAUTH))
		return true;
	authlink_undialled(w, &a->opening.at.addr, c ? -ENOMEM : err);
	if (c)
		conn_abort(c, -ENOMEM, "no memory");
	return false;
}

static void authlink_free(struct authlink *a)
{
	opening_free(&a->opening);
	mem_free(a);
}

/* Without a certificate: whoever calls goes on waiting. */
static void authlink_again(struct authlink *a)
{
	a->opening.bare = true;
	a->opening.asked = false;
	a->foreign = 0;
	if (authlink_connect(a, a->s.w))
		return;
	authlink_lost(a, LOSS_OVERLOAD);
	authlink_free(a);
}

static void authlink_closed(struct stream *s, int err, const char *why)
{
	struct authlink *a = container_of(s, struct authlink, s);
	bool again = authlink_goes_bare(a, err);
	char peer[ADDR_TEXT];

	addr_format(conn_peer(s->conn), peer);
	LOG(LOG_DEBUG, "authority-closed", why, LF_STR("peer", peer), LF_INT("errno", -err));
	if (!a->connected && is_nobody(err))
		verdicts_unreachable(s->w->verdicts, &a->opening.at.addr, s->w->now);
	if (!again)
		authlink_lost(a, a->up ? LOSS_CLOSED : LOSS_UNREACHABLE);
	stream_release(s);
	if (again)
		authlink_again(a);
	else
		authlink_free(a);
}

static const struct stream_ops authlink_ops = {
	.kind = "authority",
	.header = authlink_header,
	.frame = authlink_frame,
	.open = authlink_open,
	.connected = authlink_connected,
	.secured = authlink_secured,
	.ended = authlink_ended,
	.closed = authlink_closed,
	.timeout = authlink_timeout,
};

static struct authlink *authlink_dial(struct worker *w, const struct place *to,
	struct span header_from, struct span header_to)
{
	struct authlink *a = mem_try_zalloc(sizeof(*a));

	if (!a || w->draining) {
		mem_free(a);
		return NULL;
	}
	list_init(&a->callers);
	if (!opening_init(&a->opening, header_from, header_to, HEADER_SPEAKING)) {
		authlink_undialled(w, &to->addr, -ENOMEM);
		mem_free(a);
		return NULL;
	}
	a->opening.at = *to;
	if (authlink_connect(a, w))
		return a;
	authlink_free(a);
	return NULL;
}

/* -- records of other workers, and of our own -- */

struct authlinks *authlinks_new(struct worker *w)
{
	struct authlinks *as = mem_zalloc(sizeof(*as));

	as->w = w;
	hash_key_random(&as->key);
	table_init(&as->shared);
	table_init(&as->callers);
	return as;
}

void authlinks_free(struct authlinks *as)
{
	if (!as)
		return;
	table_free(&as->shared, NULL);
	table_free(&as->callers, NULL);
	mem_free(as);
}

static struct authlink *authlink_shared(const struct authlinks *as, const struct place *at)
{
	struct table_node *n = table_first(&as->shared, place_hash(&as->key, at));

	for (; n; n = table_next(n)) {
		struct authlink *a = container_of(n, struct authlink, node);

		if (place_eq(&a->opening.at, at))
			return a;
	}
	return NULL;
}

static struct authlink *authlink_begin(struct authlinks *as, const struct post_dial *post)
{
	const char *at = post->text;
	struct span from = text_take(&at, post->from_n), to = text_take(&at, post->to_n);
	struct authlink *a = authlink_dial(as->w, &post->at, from, to);

	if (a && !post->apart) {
		table_add(&as->shared, &a->node, place_hash(&as->key, &a->opening.at));
		a->listed = true;
	}
	return a;
}

static void call_came(struct authlinks *as, unsigned from, const struct post_dial *post)
{
	struct authlink *a = post->apart ? NULL : authlink_shared(as, &post->at);
	const struct caller *c;

	if (!a && verdicts_is_unreachable(as->w->verdicts, &post->at.addr, as->w->now)) {
		const struct post_link nobody = { post->call, LINK_DOWN, LOSS_UNREACHABLE, 0 };

		STATS_INC(&as->w->stats, dials_spared);
		caller_tell(as->w, from, &nobody);
		return;
	}
	if (!a)
		a = authlink_begin(as, post);
	if (!a || !caller_add(a, from, post->call)) {
		const struct post_link none = { post->call, LINK_DOWN, LOSS_OVERLOAD, 0 };

		caller_tell(as->w, from, &none);
		if (a && list_empty(&a->callers))
			stream_end(&a->s, "no memory for those who wanted it");
		return;
	}
	c = container_of(a->callers.prev, struct caller, link);
	if (a->connected)
		caller_told(c, LINK_CONNECTED);
	if (a->up)
		caller_told(c, LINK_UP);
}

static void question_came(struct caller *c, const struct post_ask *post)
{
	char buf[2 * LIMIT_DOMAIN * 6 + LIMIT_STREAM_ID * 6 + LIMIT_KEY * 6 + 128];
	struct writer w = WRITER(buf);
	const char *at = post->text;

	writer_lit(&w, "<db:verify");
	writer_attr(&w, "from", text_take(&at, post->from_n));
	writer_attr(&w, "to", text_take(&at, post->to_n));
	writer_attr(&w, "id", text_take(&at, post->id_n));
	writer_lit(&w, ">");
	writer_text(&w, text_take(&at, post->key_n));
	writer_lit(&w, "</db:verify>");
	c->sent++;
	stream_say(&c->a->s, writer_span(&w));
}

static void caller_hung_up(struct caller *c)
{
	struct authlink *a = c->a;

	caller_end(c);
	if (list_empty(&a->callers))
		stream_end(&a->s, "no question is open");
}

void authlinks_record(struct authlinks *as, unsigned from, enum post kind, const char *p)
{
	const void *record = p;
	const struct post_call *call = record; /* all of them begin with it */
	struct caller *c = kind == POST_DIAL ? NULL : caller_find(as, from, call->call);

	if (kind == POST_DIAL)
		call_came(as, from, record);
	else if (!c)
		return; /* it is being told that the stream is gone */
	else if (kind == POST_ASK)
		question_came(c, record);
	else if (kind == POST_HANG_UP)
		caller_hung_up(c);
	else
		authlink_strayed(c->a);
}
