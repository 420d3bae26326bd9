/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/base64.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/keyring.h"
#include "core/outbound_impl.h"
#include "core/worker.h"
#include "net/tls.h"

/*
 * How a stream that carries stanzas comes about: the peer's header and features, TLS
 * (protocol rules 1.4, 1.5, 6.4), what its certificate proves, and SASL EXTERNAL, the
 * initiating side (4.2).
 */

#define NS_DIALBACK_FEATURE "urn:xmpp:features:dialback"
#define NS_LIMITS "urn:xmpp:stream-limits:0"

/* -- what the two domains ask for -- */

static struct policy_rule rule_of(const struct outbound *o, struct span from, struct span to)
{
	return policy_pair(o->w->hosting->policy, to, from);
}

bool outbound_is_secure(const struct outbound *o)
{
	return conn_tls(o->s.conn) != NULL;
}

bool outbound_strong(const struct outbound *o, struct span from, struct span to)
{
	return o->w->config->out_auth == OUT_AUTH_SECURE || rule_of(o, from, to).require_strong;
}

bool outbound_proves(const struct outbound *o, struct span domain, const char **why)
{
	struct identity_proof proof;

	*why = o->unproven ? o->unproven : "the stream is not encrypted";
	return o->identity && identity_covers(o->identity, domain, &proof, why);
}

static bool header_strong(const struct outbound *o)
{
	return outbound_strong(o, span_str(o->opening.from), span_str(o->opening.to));
}

static bool header_proven(const struct outbound *o)
{
	const char *why;

	return outbound_proves(o, span_str(o->opening.to), &why);
}

/* Of a stream whose header is from that domain. A certificate can be asked for within TLS alone. */
static enum tls_policy tls_wanted_by(const struct outbound *o, struct span from)
{
	enum tls_policy tls = rule_of(o, from, span_str(o->opening.to)).tls;

	return tls == TLS_OPTIONAL && outbound_strong(o, from, span_str(o->opening.to))
		? TLS_REQUIRED
		: tls;
}

static enum tls_policy tls_wanted(const struct outbound *o)
{
	return tls_wanted_by(o, span_str(o->opening.from));
}

enum out_loss outbound_demand(const struct outbound *o)
{
	bool all = tls_wanted(o) == tls_wanted_by(o, SPAN_NONE) &&
		header_strong(o) == outbound_strong(o, SPAN_NONE, span_str(o->opening.to));

	return all ? OUT_LOSS_TLS : OUT_LOSS_RULE;
}

/* Of an endless wait for it, too. */
static void no_tls(struct outbound *o, const char *why)
{
	outbound_lose(o, outbound_demand(o));
	stream_end(&o->s, why);
}

/* In the clear. True: it may not stay so, and is ended. */
static bool too_open(struct outbound *o)
{
	if (tls_wanted(o) != TLS_REQUIRED && !header_strong(o))
		return false;
	no_tls(o, "the server has no TLS, which policy requires");
	return true;
}

/* -- the peer's header -- */

static void header_compare(const struct outbound *o, const struct header *h)
{
	char peer[ADDR_TEXT];

	if (h->from.len == 0 || span_is(domain_span(&h->from), o->opening.to))
		return;
	addr_format(conn_peer(o->s.conn), peer);
	LOG(LOG_INFO, "outbound-other-name", "the server calls itself otherwise than it was called",
		LF_STR("peer", peer), LF_STR("to", o->opening.to),
		LF_SPAN("says", domain_span(&h->from)));
}

static void id_forget(struct outbound *o)
{
	mem_free((char *)(uintptr_t)o->id.p);
	o->id = SPAN_NONE;
}

/* Keys are made with it: without one there can be none (rule 1.3). False: the stream has ended. */
static bool id_keep(struct outbound *o, struct span id)
{
	id_forget(o);
	if (id.n == 0) {
		stream_fail(&o->s, "bad-format", NULL, "the server's header has no id");
		return false;
	}
	if (id.n > LIMIT_STREAM_ID) {
		stream_fail(&o->s, "policy-violation", NULL,
			"the id of the server's header is too long");
		return false;
	}
	o->id = span_of(mem_try_text(id.p, id.n), id.n);
	if (o->id.p)
		return true;
	outbound_lose(o, OUT_LOSS_OVERLOAD);
	stream_end(&o->s, "no memory for the id of the stream");
	return false;
}

void outbound_header(struct stream *s, const struct element *e)
{
	struct outbound *o = container_of(s, struct outbound, s);
	const char *why = NULL;
	struct header h;
	const char *fault = header_read(&h, e, s->scan, HEADER_RESPONSE, &why);

	if (fault) {
		stream_fail(s, fault, NULL, why);
		return;
	}
	header_compare(o, &h);
	if (!id_keep(o, element_attr(e, "id")))
		return;
	o->dialback = h.dialback;
	/* Without a version no features follow, nor is there TLS to be asked for (rule 1.8). */
	if (!h.versioned && (outbound_is_secure(o) || !too_open(o)))
		outbound_up(o);
}

/* -- features -- */

struct offer {
	bool tls, tls_required;
	bool external;
	bool dialback, errors;
	bool stuck; /* something that we do not know is required */
};

static bool is_known(const struct element *feature)
{
	return span_is(feature->ns, NS_TLS) || span_is(feature->ns, NS_SASL) ||
		span_is(feature->ns, NS_DIALBACK_FEATURE) || span_is(feature->ns, NS_LIMITS);
}

static bool has_external(const struct element *mechanisms)
{
	for (const struct element *m = mechanisms ? mechanisms->child : NULL; m; m = m->next)
		if (element_is(m, NS_SASL, "mechanism") && span_is(span_trim(m->text), "EXTERNAL"))
			return true;
	return false;
}

static struct offer offer_read(const struct element *features)
{
	const struct element *tls = element_child(features, NS_TLS, "starttls");
	const struct element *dialback = element_child(features, NS_DIALBACK_FEATURE, "dialback");
	struct offer offer = {
		.tls = tls,
		.tls_required = tls && element_child(tls, NULL, "required"),
		.external = has_external(element_child(features, NS_SASL, "mechanisms")),
		.dialback = dialback,
		.errors = dialback && element_child(dialback, NS_DIALBACK_FEATURE, "errors"),
	};

	for (const struct element *f = features->child; f; f = f->next)
		if (!is_known(f) && element_child(f, NULL, "required"))
			offer.stuck = true;
	return offer;
}

/* XEP-0478; what is no number is as if it were not there. */
static uint64_t limit_read(const struct element *limits, const char *name, uint64_t max)
{
	const struct element *e = limits ? element_child(limits, NS_LIMITS, name) : NULL;
	uint64_t n;

	return e && span_u64(span_trim(e->text), max, &n) ? n : 0;
}

static void limits_read(struct outbound *o, const struct element *features)
{
	const struct element *limits = element_child(features, NS_LIMITS, "limits");

	o->max_bytes = limit_read(limits, "max-bytes", UINT32_MAX);
	/* A fifth early (rule 1.7). */
	o->idle_ms = limit_read(limits, "idle-seconds", UINT32_MAX) * 800;
	if (o->idle_ms > 0 && o->idle_ms < TIMEOUT_SPACE_MIN_MS)
		o->idle_ms = TIMEOUT_SPACE_MIN_MS;
}

/* Within TLS servers offer what suits the certificate that they were shown: another sender's may be
 * worth more to them. So it may be where the sender's own rule has kept us out of TLS. */
static void unsupported(struct outbound *o, const char *why)
{
	bool others_may = outbound_is_secure(o) || (o->tls_offered && o->w->keyring);

	outbound_lose(o, others_may ? OUT_LOSS_UNPROVEN : OUT_LOSS_UNSUPPORTED);
	stream_fail(&o->s, "unsupported-feature", NULL, why);
}

/*
 * In the clear. TLS is used wherever it is offered; where it must be it is asked for even
 * unoffered, since the offer may have been taken out on the way (CVE-2016-10027). True: it goes on
 * without.
 */
static bool go_on_open(struct outbound *o, const struct offer *offer)
{
	enum tls_policy wanted = tls_wanted(o);

	if (o->w->keyring && wanted != TLS_OFF && (offer->tls || wanted == TLS_REQUIRED)) {
		o->phase = OUTBOUND_TLS;
		opening_ask(&o->opening, &o->s);
		stream_set_timer(&o->s, TIMEOUT_TLS_MS);
		return false;
	}
	if (offer->tls_required) {
		no_tls(o, "the server insists on TLS, which is off here");
		return false;
	}
	return !too_open(o);
}

/* Where there is nothing else it is tried whatever became of it before: that may have been another
 * sender's certificate. */
static bool may_try_external(const struct outbound *o, const struct offer *offer)
{
	return offer->external && (o->proof == OUT_PROOF_EXTERNAL || !o->dialback) && !o->refused &&
		opening_shows(&o->opening, &o->s);
}

static void external_try(struct outbound *o)
{
	char letters[BASE64_LETTERS(LIMIT_DOMAIN)], buf[sizeof(letters) + 128];
	struct writer w = WRITER(buf);

	writer_lit(&w, "<auth xmlns='" NS_SASL "' mechanism='EXTERNAL'>");
	writer_raw(&w, base64_encode(span_str(o->opening.from), letters));
	writer_lit(&w, "</auth>");
	o->phase = OUTBOUND_AUTH;
	stream_say(&o->s, writer_span(&w));
	stream_set_timer(&o->s, TIMEOUT_HEADER_MS);
}

static void go_on_by_dialback(struct outbound *o, const char *why_not)
{
	if (o->dialback)
		outbound_up(o);
	else
		unsupported(o, why_not);
}

/* To a server that has not proven itself we need not prove ourselves, where dialback is to be had
 * (rule 4.2). */
static void authenticate(struct outbound *o, const struct offer *offer)
{
	if (may_try_external(o, offer) && (header_proven(o) || !o->dialback))
		external_try(o);
	else
		go_on_by_dialback(o,
			"the server has neither dialback nor a mechanism that can be used");
}

void outbound_features(struct outbound *o, const struct element *e)
{
	struct offer offer;

	if (o->phase != OUTBOUND_HEADER) {
		outbound_foreign(o); /* they are sent once */
		return;
	}
	offer = offer_read(e);
	limits_read(o, e);
	o->tls_offered = offer.tls;
	o->errors = offer.errors;
	o->dialback |= offer.dialback;
	if (o->authenticated)
		outbound_up(o);
	else if (offer.stuck && !offer.dialback && !may_try_external(o, &offer) &&
		(!offer.tls || outbound_is_secure(o)))
		unsupported(o, "the server requires a feature that is not known here");
	else if (outbound_is_secure(o) || go_on_open(o, &offer))
		authenticate(o, &offer);
}

/* -- TLS -- */

static void tls_answered(struct outbound *o, const struct element *e)
{
	if (opening_answer(&o->opening, &o->s, e)) {
		id_forget(o); /* within TLS the peer has yet to speak */
	} else {
		/* Offered and refused all the same, it may be a fault that passes. */
		if (!o->tls_offered || tls_wanted(o) == TLS_REQUIRED)
			outbound_lose(o, outbound_demand(o));
		stream_end(&o->s, "the server refused STARTTLS");
	}
	o->phase = OUTBOUND_HEADER;
}

/* The certificate, once its chain has been judged. */
static void identify(struct outbound *o, struct tls *t)
{
	enum tls_verdict verdict = tls_peer_verdict(t);
	const struct span *chain;

	o->unproven = tls_verdict_words(verdict);
	if (verdict == TLS_CERT_TRUSTED && tls_peer_chain(t, &chain) > 0) {
		o->identity = identity_new(chain[0]);
		o->unproven = o->identity ? identity_fault(o->identity) : "no memory";
	}
	tls_peer_forget(t);
}

static void outbound_explain(const struct outbound *o, enum explain_stage stage, const char *detail)
{
	explain_stream(o->w->explain, span_str(o->opening.to), stage, out_link_place(o->link),
		detail, o->w->now);
}

/* The header's `to` has to be proven before anything else is said (rule 4.2). True: it is ended. */
static bool too_weak(struct outbound *o)
{
	const char *why;
	char peer[ADDR_TEXT];

	if (!header_strong(o) || outbound_proves(o, span_str(o->opening.to), &why))
		return false;
	STATS_INC(&o->w->stats, certs_out_refused);
	outbound_explain(o, EXPLAIN_TLS, why);
	addr_format(conn_peer(o->s.conn), peer);
	LOG(LOG_WARN, "outbound-certificate",
		"the server's certificate does not prove the domain, which policy requires",
		LF_STR("peer", peer), LF_STR("from", o->opening.from), LF_STR("to", o->opening.to),
		LF_STR("why", why));
	outbound_lose(o, outbound_demand(o));
	stream_hang_up(&o->s, "the server's certificate does not prove the domain");
	return true;
}

void outbound_secured(struct stream *s)
{
	struct outbound *o = container_of(s, struct outbound, s);

	STATS_INC(&o->w->stats, streams_out_secure);
	outbound_explain(o, EXPLAIN_TLS, tls_version(conn_tls(s->conn)));
	identify(o, conn_tls(s->conn));
	/* What was learnt in the clear counts for nothing (rule 1.5.6). */
	o->dialback = o->errors = false;
	o->max_bytes = o->idle_ms = 0;
	o->foreign = 0;
	if (!too_weak(o))
		opening_again(&o->opening, s);
}

/* -- SASL -- */

static void external_succeeded(struct outbound *o)
{
	STATS_INC(&o->w->stats, streams_out_proven);
	outbound_explain(o, EXPLAIN_AUTH, "SASL EXTERNAL");
	o->authenticated = true;
	o->phase = OUTBOUND_HEADER;
	stream_restart(&o->s);
	if (o->s.state == STREAM_OPENING)
		opening_again(&o->opening, &o->s);
}

static void external_failed(struct outbound *o, const struct element *e)
{
	const struct element *condition = e->child;
	char peer[ADDR_TEXT];

	STATS_INC(&o->w->stats, sasl_out_refused);
	outbound_explain(o, EXPLAIN_AUTH, "SASL EXTERNAL was refused");
	addr_format(conn_peer(o->s.conn), peer);
	LOG(LOG_INFO, "sasl-out-refused", "the server does not take our certificate as a proof",
		LF_STR("peer", peer), LF_STR("from", o->opening.from), LF_STR("to", o->opening.to),
		LF_SPAN("condition", condition ? condition->name : SPAN_NONE));
	o->refused = true;
	o->phase = OUTBOUND_HEADER;
	if (!o->redirect) /* else it was not the place that is remembered */
		initiator_external_refused(o->w->initiator, o->link, o->w->now);
	go_on_by_dialback(o, "the server refused SASL EXTERNAL and has no dialback");
}

/* All was said with <auth/>. What comes next is a failure. */
static void external_abort(struct outbound *o)
{
	o->aborted = true;
	stream_say(&o->s, SPAN_LIT("<abort xmlns='" NS_SASL "'/>"));
}

bool outbound_negotiates(struct outbound *o, const struct element *e)
{
	if (o->phase == OUTBOUND_TLS && span_is(e->ns, NS_TLS))
		tls_answered(o, e);
	else if (o->phase != OUTBOUND_AUTH)
		return false;
	else if (element_is(e, NS_SASL, "success"))
		external_succeeded(o);
	else if (element_is(e, NS_SASL, "failure"))
		external_failed(o, e);
	else if (element_is(e, NS_SASL, "challenge") && !o->aborted)
		external_abort(o);
	else
		return false;
	return true;
}

/* -- time -- */

void outbound_timeout(struct stream *s)
{
	struct outbound *o = container_of(s, struct outbound, s);

	stream_fail(s, "connection-timeout", NULL,
		conn_securing(s->conn) ? "the server did not finish the TLS handshake in time"
			: o->phase == OUTBOUND_TLS ? "the server did not answer STARTTLS in time"
			: o->phase == OUTBOUND_AUTH
			? "the server did not answer SASL EXTERNAL in time"
			: "the server did not open the stream in time");
}
