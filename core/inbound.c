/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/inbound.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/claims.h"
#include "core/keyring.h"
#include "core/negotiate.h"
#include "core/router.h"
#include "core/worker.h"
#include "net/tls.h"

static const struct stream_ops inbound_ops;

struct inbound *inbound_of(struct stream *s)
{
	return s->ops == &inbound_ops ? container_of(s, struct inbound, s) : NULL;
}

/* Out of the count of strangers: it has proven a domain, or it ends. */
static void inbound_uncount(struct inbound *in)
{
	if (in->counted)
		ipcount_give(in->s.w->unauthenticated, conn_peer(in->s.conn));
	in->counted = false;
}

/* Until it has been idle for too long, or its certificate is over. */
static void inbound_wait(struct inbound *in, uint64_t idle_left)
{
	uint64_t now = in->s.w->now, ends = in->certificate_ends;

	if (ends && ends < now + idle_left)
		idle_left = ends > now ? ends - now : 0;
	stream_set_timer(&in->s, idle_left);
}

void inbound_proven(struct inbound *in)
{
	inbound_uncount(in);
	in->strict_close = false;
	conn_set_stranger(in->s.conn, false);
	conn_set_queue_max(in->s.conn, LIMIT_ANSWERS);
	stream_prove(&in->s);
	inbound_wait(in, TIMEOUT_IDLE_IN_MS);
}

void inbound_pause(struct inbound *in, enum inbound_pause why)
{
	in->pausing |= why;
	stream_pause(&in->s);
}

void inbound_resume(struct inbound *in, enum inbound_pause why)
{
	in->pausing &= (uint8_t)~why;
	if (!in->pausing)
		stream_resume(&in->s);
}

void inbound_said(struct inbound *in)
{
	if (conn_queued(in->s.conn) > (in->counted ? LIMIT_ANSWERS_UNPROVEN : LIMIT_ANSWERS))
		inbound_pause(in, PAUSE_ANSWERS);
}

static void inbound_writable(struct stream *s)
{
	struct inbound *in = container_of(s, struct inbound, s);

	inbound_resume(in, PAUSE_ANSWERS);
	backlog_wake(in);
}

static void inbound_room(struct route_waiter *waiter)
{
	inbound_resume(container_of(waiter, struct inbound, waiter), PAUSE_ROUTE);
}

/* -- header -- */

static void inbound_say_header(struct inbound *in, struct span from, struct span to, bool versioned)
{
	char buf[2 * LIMIT_DOMAIN * 6 + 512];
	struct writer w = WRITER(buf);

	header_write(&w, from, to, span_str(in->asker.id),
		versioned ? HEADER_SPEAKING : HEADER_LEGACY);
	in->s.header_sent = true;
	stream_say(&in->s, writer_span(&w));
}

/* A peer without a version knows no features (rule 1.8). */
static void inbound_say_features(struct inbound *in, bool versioned)
{
	char buf[512];
	struct writer w = WRITER(buf);

	if (!versioned)
		return;
	writer_lit(&w, "<stream:features>");
	if (inbound_offer_proof(in, &w)) {
		writer_lit(&w,
			"<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
			"<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>");
		writer_u64(&w, in->s.w->config->max_stanza);
		writer_lit(&w, "</max-bytes><idle-seconds>");
		writer_u64(&w, TIMEOUT_IDLE_IN_MS / 1000);
		writer_lit(&w, "</idle-seconds></limits>");
	}
	writer_lit(&w, "</stream:features>");
	stream_say(&in->s, writer_span(&w));
}

/* Our header in front of an error: the peer's may not have been understood (O-23). */
static void inbound_open(struct stream *s)
{
	struct inbound *in = container_of(s, struct inbound, s);

	if (!s->header_sent)
		inbound_say_header(in, span_str(s->w->config->name), SPAN_NONE, true);
}

/* Whom the header is addressed to decides whether there is a stream at all (rules 1.2, 1.8). */
static const char *inbound_target_fault(struct inbound *in, const struct header *h,
	const char **why)
{
	const struct host *host;

	if (h->to.len == 0) {
		*why = "the header has no `to`";
		return h->versioned ? "improper-addressing" : NULL;
	}
	host = registry_find(in->s.w->hosting->registry, domain_span(&h->to));
	*why = host ? "the header is addressed to a domain that is no longer hosted here"
		    : "the header is addressed to no domain that is hosted here";
	if (!host)
		return "host-unknown";
	return host->kind == HOST_GONE ? "host-gone" : NULL;
}

/* False: no memory. */
static bool text_keep(char **to, const struct domain *d)
{
	mem_free(*to);
	*to = d->len ? mem_try_text(d->text, d->len) : NULL;
	return *to || d->len == 0;
}

/* Who has authenticated remains who it is (rule 1.6). */
static const char *inbound_names_fault(struct inbound *in, const struct header *h, const char **why)
{
	if (in->sasl.state == SASL_DONE && !span_is(domain_span(&h->from), in->from)) {
		*why = "the header names another sender than the one that has authenticated";
		return "invalid-from";
	}
	if (text_keep(&in->from, &h->from) && text_keep(&in->to, &h->to))
		return NULL;
	*why = "no memory for the header's names";
	return "resource-constraint";
}

static void inbound_header(struct stream *s, const struct element *e)
{
	struct inbound *in = container_of(s, struct inbound, s);
	struct header h;
	const char *why = NULL;
	const char *fault = header_read(&h, e, s->scan, HEADER_INITIAL, &why);

	if (!fault)
		fault = inbound_target_fault(in, &h, &why);
	if (!fault)
		fault = inbound_names_fault(in, &h, &why);
	if (fault) {
		inbound_say_header(in, span_str(s->w->config->name), domain_span(&h.from),
			h.versioned);
		stream_fail_about(s, fault, why, element_attr(e, "from"), element_attr(e, "to"));
		return;
	}
	lang_keep(&in->lang, h.lang);
	inbound_say_header(in, h.to.len ? domain_span(&h.to) : span_str(s->w->config->name),
		domain_span(&h.from), h.versioned);
	inbound_say_features(in, h.versioned);
	stream_set_timer(s, TIMEOUT_UNAUTH_MS);
}

/* -- elements -- */

/* Foreign elements are ignored for the sake of the other pairs, up to a bound (rule 1.9). */
static void inbound_foreign(struct inbound *in, const struct frame *f)
{
	const struct element *e = stream_element(&in->s, f);

	if (!e)
		return;
	if (++in->foreign > LIMIT_UNKNOWN_ELEMENTS)
		stream_fail(&in->s, "unsupported-stanza-type", NULL,
			"too many elements that are no stanzas");
	else if (element_is(e, NS_TLS, "starttls"))
		inbound_starttls(in);
	else if (!inbound_sasl(in, e))
		STATS_INC(&in->s.w->stats, ignored_elements);
}

static void inbound_stream_element(struct inbound *in, const struct frame *f)
{
	const struct element *e = stream_element(&in->s, f);
	char peer[ADDR_TEXT];

	if (!e)
		return;
	if (!element_is(e, NS_STREAMS, "error")) {
		inbound_foreign(in, f);
		return;
	}
	STATS_INC(&in->s.w->stats, stream_errors_received);
	addr_format(conn_peer(in->s.conn), peer);
	LOG(LOG_WARN, "stream-error-received", "the peer ended its stream with an error",
		LF_STR("peer", peer), LF_SPAN("condition", stream_error_condition(e)));
	stream_end(&in->s, "the peer sent a stream error");
}

static void inbound_stanza(struct inbound *in, const struct frame *f)
{
	if (unlikely(!backlog_is_empty(&in->backlog)) && backlog_takes_stanza(in, f))
		return;
	if (unlikely(canary_due(&in->s.w->canary)) && canary_refuses(&in->s, f))
		router_refuse_outside(in, f);
	else
		router_from_outside(in, f);
}

void inbound_element(struct inbound *in, const struct frame *f)
{
	switch (f->kind) {
	case FRAME_MESSAGE:
	case FRAME_PRESENCE:
	case FRAME_IQ:
		inbound_stanza(in, f);
		break;
	case FRAME_DIALBACK:
		claims_element(in, f);
		break;
	case FRAME_STREAM:
		inbound_stream_element(in, f);
		break;
	case FRAME_CONTENT:
		stream_fail(&in->s, "unsupported-stanza-type", NULL,
			"an element of jabber:server that is no stanza");
		break;
	default:
		inbound_foreign(in, f);
	}
}

static void inbound_frame(struct stream *s, const struct frame *f)
{
	if (stream_admits(s, f))
		inbound_element(container_of(s, struct inbound, s), f);
}

/* -- life -- */

/* Strangers have a minute, prolonged by each db:verify, but not for ever (7.5, T-R29). */
static void inbound_unauthenticated(struct inbound *in)
{
	uint64_t now = in->s.w->now;
	uint64_t latest = in->asked > in->opened ? in->asked : in->opened;
	bool waiting = pairs_count(in->pairs, PAIR_VERIFYING) > 0;

	if (in->strict_close) {
		stream_end(&in->s, "no pair became valid after an invalid key");
	} else if (now - in->opened >= TIMEOUT_UNAUTH_MAX_MS) {
		stream_fail(&in->s, "connection-timeout", NULL, "never authenticated");
	} else if (waiting || now - latest < TIMEOUT_UNAUTH_MS) {
		stream_set_timer(&in->s,
			waiting ? TIMEOUT_UNAUTH_MS : latest + TIMEOUT_UNAUTH_MS - now);
	} else {
		stream_fail(&in->s, "connection-timeout", NULL, "not authenticated in time");
	}
}

static void inbound_timeout(struct stream *s)
{
	struct inbound *in = container_of(s, struct inbound, s);
	uint64_t idle = s->w->now - s->last_input;

	if (s->state == STREAM_OPENING)
		stream_fail(s, "connection-timeout", NULL, "no stream header in time");
	else if (pairs_count(in->pairs, PAIR_VALID) == 0)
		inbound_unauthenticated(in);
	else if (in->certificate_ends && s->w->now >= in->certificate_ends)
		stream_fail(s, "reset", NULL,
			"the certificate that proved the peer's domain is over");
	else if (idle < TIMEOUT_IDLE_IN_MS)
		inbound_wait(in, TIMEOUT_IDLE_IN_MS - idle);
	else
		stream_end(s, "idle");
}

/* Nobody is there to be answered any more: no look-ups and dials for it (rule 2.4). */
static void inbound_ended(struct stream *s)
{
	struct inbound *in = container_of(s, struct inbound, s);

	verifier_cancel_all(s->w->verifier, &in->asker);
	backlog_wake(in);
	/* No claim is left that would resume it, and the peer's own end must be read. */
	if (in->pausing & PAUSE_CLAIMS && list_empty(&in->resume))
		list_add_tail(&s->w->resumable, &in->resume);
}

static void inbound_closed(struct stream *s, int err, const char *why)
{
	struct inbound *in = container_of(s, struct inbound, s);
	char peer[ADDR_TEXT];

	addr_format(conn_peer(s->conn), peer);
	if (err == -EPROTO || conn_securing(s->conn))
		STATS_INC(&s->w->stats, tls_failed);
	STATS_INC(&s->w->stats, streams_ended);
	LOG(LOG_INFO, "inbound-closed", why, LF_STR("peer", peer), LF_INT("errno", -err),
		LF_INT("pairs", pairs_count(in->pairs, PAIR_VALID)));
	verifier_cancel_all(s->w->verifier, &in->asker);
	inbound_uncount(in);
	list_del(&in->waiter.link);
	list_del(&in->resume);
	backlog_free(&in->backlog);
	pairs_free(in->pairs);
	identity_free(in->identity);
	mem_free(in->from);
	mem_free(in->to);
	mem_free(in->alarm);
	stream_release(s);
	mem_free(in);
}

static const struct stream_ops inbound_ops = {
	.kind = "inbound",
	.header = inbound_header,
	.frame = inbound_frame,
	.open = inbound_open,
	.secured = inbound_secured,
	.writable = inbound_writable,
	.ended = inbound_ended,
	.closed = inbound_closed,
	.timeout = inbound_timeout,
};

/* Refused before a byte is read: no stream exists that could carry an error. */
static void inbound_refuse(struct worker *w, const struct addr *peer, const char *why)
{
	char text[ADDR_TEXT];

	STATS_INC(&w->stats, refused_limit);
	addr_format(peer, text);
	LOG(LOG_WARN, "connection-refused", why, LF_STR("peer", text));
}

static bool inbound_start(struct inbound *in, struct worker *w, struct conn *c)
{
	in->pairs = pairs_new((uint32_t)w->config->max_pairs_per_stream);
	if (!in->pairs)
		return false;
	if (!stream_init(&in->s, w, c, &inbound_ops, LIMIT_STANZA_UNAUTH)) {
		pairs_free(in->pairs);
		return false;
	}
	crew_stream_id(w->number, in->asker.id);
	in->asker.source = *conn_peer(c);
	asker_init(&in->asker, in);
	conn_set_queue_max(c, LIMIT_ANSWERS_UNPROVEN);
	conn_set_stranger(c, true);
	in->opened = w->now;
	in->counted = true;
	list_init(&in->resume);
	backlog_init(&in->backlog, &w->backlogs);
	list_init(&in->waiter.link);
	in->waiter.fn = inbound_room;
	stream_set_timer(&in->s, TIMEOUT_HEADER_MS);
	STATS_INC(&w->stats, streams_in);
	return true;
}

static bool accept_any(struct worker *w, int fd, const struct addr *peer, struct tls *t)
{
	struct inbound *in;
	struct conn *c;

	/* The connection's user is set by stream_init: until then no callback can come. */
	c = conn_adopt(w->conns, fd, peer, &stream_conn_ops, NULL);
	if (!c || conns_count(w->conns) > conns_max(w->conns) - worker_reserve(w)) {
		if (c)
			conn_abort(c, 0, "refused");
		inbound_refuse(w, peer, "the limit of connections is reached (--max-conns)");
		return false;
	}
	if (!ipcount_take(w->unauthenticated, peer, w->config->max_unauth_per_ip)) {
		inbound_refuse(w, peer,
			"too many unauthenticated streams from one address (--max-unauth-per-ip)");
		conn_abort(c, 0, "refused");
		return false;
	}
	in = mem_try_zalloc(sizeof(*in));
	if (!in || !inbound_start(in, w, c)) {
		inbound_refuse(w, peer, "no memory for another stream");
		ipcount_give(w->unauthenticated, peer);
		mem_free(in);
		conn_set_user(c, NULL);
		conn_abort(c, -ENOMEM, "no memory");
		return false;
	}
	if (t)
		conn_secure(c, t);
	return true;
}

bool inbound_accept(void *ctx, int fd, const struct addr *peer)
{
	struct worker *w = ctx;

	if (w->draining) { /* it was accepted while the listeners closed */
		close(fd);
		return false;
	}
	(void)accept_any(w, fd, peer, NULL);
	return true;
}

bool inbound_accept_tls(void *ctx, int fd, const struct addr *peer)
{
	struct worker *w = ctx;
	struct tls *t = w->draining ? NULL : keyring_accept(w->keyring, SPAN_NONE);

	if (!t) {
		close(fd);
		if (!w->draining)
			inbound_refuse(w, peer, "no memory for TLS");
		return !w->draining;
	}
	if (!accept_any(w, fd, peer, t))
		tls_free(t);
	return true;
}
