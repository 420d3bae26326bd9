/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/authlink.h"

#include <errno.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/claims.h"
#include "core/keyring.h"
#include "core/negotiate.h"
#include "core/stream.h"
#include "core/worker.h"
#include "net/tls.h"

struct authlink {
	struct stream s;
	struct verify_link *link; /* NULL: the verifier has let go of it, or has been told */
	struct place at;
	bool up;
	bool asked_tls; /* <starttls/> was sent */
	unsigned foreign; /* elements that are no dialback, so far */
	char *from, *to; /* of our header */
};

static void authlink_up(struct authlink *a)
{
	a->up = true;
	stream_stop_timer(&a->s);
	if (a->link)
		verifier_link_up(a->s.w->verifier, a->link, a->s.w->now);
}

/* The verifier is told as soon as no question can be asked any more: its claims do not wait for
 * the connection to end. */
static void authlink_lost(struct authlink *a, enum verify_loss loss)
{
	struct verify_link *link = a->link;

	a->link = NULL;
	if (link)
		verifier_link_down(a->s.w->verifier, link, loss, a->s.w->now);
}

static void authlink_ended(struct stream *s)
{
	struct authlink *a = container_of(s, struct authlink, s);

	authlink_lost(a, a->up ? LOSS_CLOSED : LOSS_UNREACHABLE);
}

/* Our end of a handshake; it has ten seconds from now on. NULL: no memory. */
static struct tls *authlink_opening(struct authlink *a)
{
	stream_set_timer(&a->s, TIMEOUT_TLS_MS);
	return keyring_open(a->s.w->keyring, span_str(a->from), span_str(a->to), &a->at);
}

/* TLS from the first byte: nothing is ever said in the clear (rule 6.4). */
static void authlink_shake(struct authlink *a)
{
	struct tls *t = authlink_opening(a);

	if (t)
		conn_secure(a->s.conn, t);
	else
		conn_abort(a->s.conn, -ENOMEM, "no memory for TLS");
}

static void authlink_connected(struct stream *s)
{
	struct authlink *a = container_of(s, struct authlink, s);

	if (a->link)
		verifier_link_connected(a->link);
	if (a->at.direct) {
		authlink_shake(a);
		return;
	}
	s->ops->open(s);
	stream_set_timer(s, TIMEOUT_HEADER_MS);
}

static void authlink_open(struct stream *s)
{
	struct authlink *a = container_of(s, struct authlink, s);
	char buf[2 * LIMIT_DOMAIN * 6 + 512];
	struct writer w = WRITER(buf);

	if (s->header_sent)
		return;
	header_write(&w, span_str(a->from), span_str(a->to), SPAN_NONE, true);
	s->header_sent = true;
	stream_say(s, writer_span(&w));
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

	if (a->up || a->asked_tls)
		return; /* features are sent once */
	if (conn_tls(a->s.conn)) {
		authlink_up(a);
	} else if (tls && w->keyring) {
		a->asked_tls = true;
		stream_say(&a->s, SPAN_LIT("<starttls xmlns='" NS_TLS "'/>"));
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
	struct tls *t;

	if (!a->asked_tls)
		return;
	a->asked_tls = false;
	if (!element_is(e, NS_TLS, "proceed")) {
		authlink_no_tls(a, "the authoritative server refused STARTTLS after offering it");
		return;
	}
	t = authlink_opening(a);
	if (t)
		stream_secure(&a->s, SPAN_NONE, t);
	else
		stream_end(&a->s, "no memory for TLS");
}

static void authlink_secured(struct stream *s)
{
	struct authlink *a = container_of(s, struct authlink, s);
	struct tls *t = conn_tls(s->conn);
	char peer[ADDR_TEXT];

	addr_format(conn_peer(s->conn), peer);
	LOG(LOG_DEBUG, "authority-secured", "a stream to an authoritative server is encrypted",
		LF_STR("peer", peer), LF_STR("how", a->at.direct ? "direct" : "starttls"),
		LF_STR("version", tls_version(t)), LF_STR("cipher", tls_cipher(t)));
	tls_peer_forget(t);
	s->ops->open(s);
	stream_set_timer(s, TIMEOUT_HEADER_MS);
}

static void authlink_error(struct authlink *a, const struct element *e)
{
	struct span condition = stream_error_condition(e);
	char peer[ADDR_TEXT];

	STATS_INC(&a->s.w->stats, stream_errors_received);
	addr_format(conn_peer(a->s.conn), peer);
	LOG(LOG_WARN, "stream-error-received",
		"the authoritative server ended its stream with an error", LF_STR("peer", peer),
		LF_SPAN("condition", condition), LF_STR("asked-about", a->to));
	if (span_is(condition, "host-unknown") || span_is(condition, "host-gone"))
		authlink_lost(a, LOSS_HOST_UNKNOWN);
	stream_end(&a->s, "the peer sent a stream error");
}

static bool answer_type(struct span type, enum verify_answer *out)
{
	if (span_is(type, "valid"))
		*out = ANSWER_VALID;
	else if (span_is(type, "invalid"))
		*out = ANSWER_INVALID;
	else if (span_is(type, "error"))
		*out = ANSWER_ERROR;
	else
		return false;
	return true;
}

/* Counts only if it answers a question that was sent on this very stream (CVE-2012-3525). */
static void authlink_answer(struct authlink *a, const struct element *e)
{
	struct domain from, to;
	enum verify_answer answer;

	if (a->link && element_is(e, NS_DIALBACK, "verify") &&
		answer_type(element_attr(e, "type"), &answer) &&
		domain_parse(element_attr(e, "from"), &from) &&
		domain_parse(element_attr(e, "to"), &to) &&
		verifier_answer(a->s.w->verifier, a->link, domain_span(&from), domain_span(&to),
			element_attr(e, "id"), answer, a->s.w->now))
		return;
	if (!claims_unsolicited(&a->s, e, "answers no question that was asked on this stream"))
		stream_fail(&a->s, "policy-violation", NULL,
			"too many dialback elements that nobody asked for");
}

static void authlink_frame(struct stream *s, const struct frame *f)
{
	struct authlink *a = container_of(s, struct authlink, s);
	const struct element *e;

	if (s->state != STREAM_OPEN)
		return;
	if (a->asked_tls && f->kind == FRAME_FOREIGN) {
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

static void authlink_closed(struct stream *s, int err, const char *why)
{
	struct authlink *a = container_of(s, struct authlink, s);
	char peer[ADDR_TEXT];

	addr_format(conn_peer(s->conn), peer);
	LOG(LOG_DEBUG, "authority-closed", why, LF_STR("peer", peer), LF_INT("errno", -err));
	authlink_ended(s);
	stream_release(s);
	mem_free(a->from);
	mem_free(a->to);
	mem_free(a);
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

bool authlink_dial(void *ctx, struct verify_link *link, const struct place *to,
	struct span header_from, struct span header_to)
{
	struct worker *w = ctx;
	struct authlink *a = mem_try_zalloc(sizeof(*a));
	struct conn *c = NULL;
	int err = -ENOMEM;

	if (!a || w->draining) {
		mem_free(a);
		return false;
	}
	a->link = link;
	a->at = *to;
	a->from = mem_try_text(header_from.p, header_from.n);
	a->to = mem_try_text(header_to.p, header_to.n);
	if (a->from && a->to)
		c = conn_dial(w->conns, &to->addr, &stream_conn_ops, NULL, w->now, &err);
	if (c && stream_init(&a->s, w, c, &authlink_ops, LIMIT_STANZA_UNAUTH)) {
		verify_link_set_user(link, a);
		return true;
	}
	authlink_undialled(w, &to->addr, c ? -ENOMEM : err);
	if (c)
		conn_abort(c, -ENOMEM, "no memory");
	mem_free(a->from);
	mem_free(a->to);
	mem_free(a);
	return false;
}

bool authlink_ask(void *ctx, struct verify_link *link, struct span from, struct span to,
	struct span id, struct span key)
{
	struct authlink *a = verify_link_user(link);
	char buf[2 * LIMIT_DOMAIN * 6 + LIMIT_STREAM_ID * 6 + LIMIT_KEY * 6 + 128];
	struct writer w = WRITER(buf);

	(void)ctx;
	if (a->s.state >= STREAM_ENDING)
		return false;
	writer_lit(&w, "<db:verify");
	writer_attr(&w, "from", from);
	writer_attr(&w, "to", to);
	writer_attr(&w, "id", id);
	writer_lit(&w, ">");
	writer_text(&w, key);
	writer_lit(&w, "</db:verify>");
	stream_say(&a->s, writer_span(&w));
	return true;
}

void authlink_hang_up(void *ctx, struct verify_link *link)
{
	struct authlink *a = verify_link_user(link);

	(void)ctx;
	a->link = NULL;
	stream_end(&a->s, "no question is open");
}
