/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/inbound.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/rand.h"
#include "core/claims.h"
#include "core/keyring.h"
#include "core/worker.h"
#include "net/tls.h"

/*
 * How a stream that a peer opened to us becomes confidential, and the peer proves who
 * it is: STARTTLS and TLS from the first byte (protocol rules 1.4 to 1.6, 6.4), its
 * certificate (4.3, 4.4), SASL EXTERNAL (4.1).
 */

/* -- what the two domains ask for -- */

/* By the header, whose names may be absent: what is said of everybody holds for them. */
static enum tls_policy tls_wanted(const struct inbound *in)
{
	const struct policy *p = in->s.w->hosting->policy;

	return policy_pair(p, span_str(in->from), span_str(in->to)).tls;
}

bool inbound_is_secure(const struct inbound *in)
{
	return conn_tls(in->s.conn) != NULL;
}

bool inbound_proves(const struct inbound *in, struct span domain, const char **why)
{
	struct identity_proof proof;

	*why = in->unproven;
	return in->identity && identity_covers(in->identity, domain, &proof, why);
}

/* -- what is remembered of the domain (rule 9.5) -- */

static enum pin_auth pin_auth_of(const struct inbound *in, struct span domain)
{
	return policy_peer(in->s.w->hosting->policy, domain).pin_auth;
}

void inbound_judge(const struct inbound *in, struct span domain, struct inbound_proof *out)
{
	enum pin_auth pin_auth = pin_auth_of(in, domain);
	struct worker *w = in->s.w;

	*out = (struct inbound_proof){ .pin = PIN_NEW };
	out->proven = inbound_proves(in, domain, &out->why);
	if (pin_auth == PIN_AUTH_OFF)
		return;
	out->pin = pins_look(w->pins, domain, out->proven ? identity_key(in->identity) : SPAN_NONE,
		w->now);
	if (pin_auth != PIN_AUTH_ENFORCE || (out->pin != PIN_CHANGED && out->pin != PIN_WEAKER))
		return;
	out->refused = true;
	if (out->proven)
		out->why = "its key is not the one that the domain had before (--pin-auth enforce)";
	out->proven = false;
}

/* As `sha256sum` prints it. */
static void key_format(struct span key, char out[2 * IDENTITY_KEY + 1])
{
	for (size_t i = 0; i < key.n; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", (unsigned char)key.p[i]);
}

/* Features, SASL and a claim for each target ask about the same domain in turn. */
static bool alarm_is_news(struct inbound *in, struct span domain, const struct inbound_proof *proof)
{
	if (in->alarm && span_is(domain, in->alarm) && in->alarm_pin == proof->pin &&
		in->alarm_refused == proof->refused)
		return false;
	mem_free(in->alarm);
	in->alarm = mem_try_text(domain.p, domain.n);
	in->alarm_pin = (uint8_t)proof->pin;
	in->alarm_refused = proof->refused;
	return true;
}

void inbound_alarm(struct inbound *in, struct span domain, const struct inbound_proof *proof)
{
	const char *outcome = proof->refused ? "refused" : "accepted";
	struct stats *stats = &in->s.w->stats;
	char peer[ADDR_TEXT], key[2 * IDENTITY_KEY + 1];

	if (proof->pin != PIN_CHANGED && proof->pin != PIN_WEAKER)
		return;
	if (!alarm_is_news(in, domain, proof))
		return;
	if (proof->refused)
		STATS_INC(stats, pin_refused);
	addr_format(conn_peer(in->s.conn), peer);
	if (proof->pin == PIN_WEAKER) {
		STATS_INC(stats, pin_weaker);
		LOG(LOG_WARN, "pin-weaker",
			"a domain that a certificate has proven comes with dialback alone",
			LF_STR("peer", peer), LF_SPAN("domain", domain), LF_STR("why", proof->why),
			LF_STR("outcome", outcome));
		return;
	}
	STATS_INC(stats, pin_changed);
	key_format(identity_key(in->identity), key);
	LOG(LOG_WARN, "pin-changed", "a domain is proven by another key than before",
		LF_STR("peer", peer), LF_SPAN("domain", domain), LF_STR("key", key),
		LF_STR("outcome", outcome));
}

void inbound_remember(const struct inbound *in, struct span domain)
{
	struct worker *w = in->s.w;

	if (pin_auth_of(in, domain) == PIN_AUTH_OFF)
		pins_forget(w->pins, domain, w->now);
	else
		pins_keep(w->pins, domain, identity_key(in->identity), w->now);
}

/* -- features (rule 1.4) -- */

static bool sasl_hosted(void *ctx, struct span domain)
{
	struct inbound *in = ctx;

	return hosting_serves(in->s.w->hosting, domain);
}

static enum sasl_proof sasl_proves(void *ctx, struct span domain, const char **why)
{
	struct inbound *in = ctx;
	struct inbound_proof proof;

	if (policy_peer(in->s.w->hosting->policy, domain).block) {
		*why = "the policy blocks this domain";
		return SASL_UNPROVEN;
	}
	inbound_judge(in, domain, &proof);
	*why = proof.why;
	if (proof.refused && proof.pin == PIN_CHANGED)
		inbound_alarm(in, domain, &proof);
	return proof.proven ? SASL_PROVEN : SASL_UNPROVEN;
}

static struct sasl_facts sasl_facts(struct inbound *in)
{
	const char *unavailable = in->identity ? NULL : in->unproven;

	if (pairs_count(in->pairs, PAIR_VERIFYING) > 0 || !backlog_is_empty(&in->backlog))
		unavailable = "a key is being verified, whose stream would begin anew";
	return (struct sasl_facts){
		.tls = inbound_is_secure(in),
		.unavailable = unavailable,
		.from = span_str(in->from),
		.hosted = sasl_hosted,
		.proves = sasl_proves,
		.ctx = in,
	};
}

bool inbound_offer_proof(struct inbound *in, struct writer *w)
{
	enum tls_policy wanted = tls_wanted(in);
	const char *why = "";

	if (inbound_is_secure(in)) {
		struct sasl_facts facts = sasl_facts(in);

		(void)sasl_offer(&in->sasl, &facts, w, &why);
		return true;
	}
	if (wanted == TLS_OFF || !in->s.w->keyring)
		return true;
	writer_lit(w, "<starttls xmlns='" NS_TLS "'");
	writer_lit(w, wanted == TLS_REQUIRED ? "><required/></starttls>" : "/>");
	return wanted != TLS_REQUIRED;
}

/* -- STARTTLS -- */

static void refuse_tls(struct inbound *in, const char *why)
{
	stream_say(&in->s, SPAN_LIT("<failure xmlns='" NS_TLS "'/>"));
	stream_end(&in->s, why);
	/* Nothing behind <starttls/> may be looked at, and the connection ends (rule 1.5). */
	in->s.state = STREAM_GONE;
	conn_close(in->s.conn, why);
}

static const char *tls_fault(const struct inbound *in)
{
	if (inbound_is_secure(in))
		return "the peer asked for STARTTLS within TLS";
	if (!in->s.w->keyring || tls_wanted(in) == TLS_OFF)
		return "the peer asked for STARTTLS, which is off";
	if (pairs_count(in->pairs, PAIR_VALID) > 0)
		return "the peer asked for STARTTLS after it had proven a domain";
	return NULL;
}

/* What was learnt in the clear counts for nothing (rule 1.5.6). False: no memory. */
static bool forget(struct inbound *in)
{
	struct pairs *fresh = pairs_new((uint32_t)in->s.w->config->max_pairs_per_stream);

	if (!fresh)
		return false;
	verifier_cancel_all(in->s.w->verifier, &in->asker);
	pairs_free(in->pairs);
	in->pairs = fresh;
	in->sasl = (struct sasl){ .state = SASL_IDLE };
	in->strict_close = false;
	crew_stream_id(in->s.w->number, in->asker.id);
	return true;
}

void inbound_starttls(struct inbound *in)
{
	const char *why = tls_fault(in);
	struct tls *t = why ? NULL : keyring_accept(in->s.w->keyring, span_str(in->to));

	if (!why && !t)
		why = "no certificate can be shown for the domain, or no memory";
	else if (!why && !forget(in))
		why = "no memory for TLS";
	if (why) {
		tls_free(t);
		refuse_tls(in, why);
		return;
	}
	stream_secure(&in->s, SPAN_LIT("<proceed xmlns='" NS_TLS "'/>"), t);
	stream_set_timer(&in->s, TIMEOUT_HEADER_MS);
}

/* Is it the peer's own key that its certificate shows, whoever vouches for that? Not if it is said
 * to be another's by now, or if anything else is wrong with the certificate. */
static bool is_own_key(enum tls_verdict v)
{
	return v == TLS_CERT_TRUSTED || v == TLS_CERT_UNKNOWN_CA || v == TLS_CERT_SELF_SIGNED;
}

/* The certificate, once its chain has been judged; what it is worth is asked for each domain. */
static void identify(struct inbound *in, struct tls *t)
{
	enum tls_verdict verdict = tls_peer_verdict(t);
	const struct span *chain;
	struct span spki;
	int64_t ends;

	in->unproven = tls_verdict_words(verdict);
	if (verdict == TLS_CERT_TRUSTED && tls_peer_chain(t, &chain) > 0) {
		in->identity = identity_new(chain[0]);
		in->unproven = in->identity ? identity_fault(in->identity) : "no memory";
	}
	if (is_own_key(verdict) && tls_peer_key(t, &spki, &ends))
		peer_key_set(&in->key, spki, ends);
	tls_peer_forget(t);
}

void inbound_secured(struct stream *s)
{
	struct inbound *in = container_of(s, struct inbound, s);
	struct tls *t = conn_tls(s->conn);
	char peer[ADDR_TEXT];

	identify(in, t);
	stream_set_timer(s, TIMEOUT_HEADER_MS);
	STATS_INC(&s->w->stats, tls_accepted);
	addr_format(conn_peer(s->conn), peer);
	LOG(LOG_DEBUG, "tls-started", "a stream is encrypted", LF_STR("peer", peer),
		LF_STR("version", tls_version(t)), LF_STR("cipher", tls_cipher(t)),
		LF_SPAN("server-name", tls_server_name(t)),
		LF_STR("certificate", in->unproven ? in->unproven : "trusted"));
}

/* Spread over a minute: many streams may hang on one certificate (rule 4.4). */
static uint64_t certificate_left(const struct inbound *in)
{
	int64_t ends = in->identity ? identity_not_after(in->identity) : in->key.ends;
	int64_t left = ends - clock_unix();

	return (left > 0 ? (uint64_t)left * 1000 : 0) + rand_below(60000);
}

void inbound_by_certificate(struct inbound *in)
{
	uint64_t left;

	if (in->certificate_ends)
		return;
	left = certificate_left(in);
	in->certificate_ends = in->s.w->now + left;
	/* Another pair has let it wait for longer. */
	if (pairs_count(in->pairs, PAIR_VALID) > 0 && left < TIMEOUT_IDLE_IN_MS)
		stream_set_timer(&in->s, left);
}

/* -- SASL EXTERNAL -- */

static void sasl_failed(struct inbound *in, const struct sasl_verdict *v)
{
	char peer[ADDR_TEXT];

	STATS_INC(&in->s.w->stats, sasl_refused);
	addr_format(conn_peer(in->s.conn), peer);
	LOG(LOG_INFO, "sasl-refused", v->why, LF_STR("peer", peer),
		LF_SPAN("domain", domain_span(&v->domain)), LF_STR("condition", v->condition));
}

/* The pair of the two domains of the headers, and no other (rule 4.1). */
static void sasl_succeeded(struct inbound *in, const struct sasl_verdict *v)
{
	if (!in->from)
		in->from = mem_try_text(v->domain.text, v->domain.len);
	STATS_INC(&in->s.w->stats, sasl_accepted);
	claims_proven(in, domain_span(&v->domain), span_str(in->to));
	crew_stream_id(in->s.w->number, in->asker.id);
	stream_restart(&in->s);
	stream_set_timer(&in->s, TIMEOUT_HEADER_MS);
}

bool inbound_sasl(struct inbound *in, const struct element *e)
{
	struct sasl_facts facts = sasl_facts(in);
	char buf[SASL_ANSWER];
	struct writer w = WRITER(buf);
	struct sasl_verdict v;
	enum sasl_next next = sasl_take(&in->sasl, &facts, e, &w, &v);

	if (next == SASL_FOREIGN)
		return false;
	stream_say(&in->s, writer_span(&w));
	if (v.condition)
		sasl_failed(in, &v);
	if (next == SASL_AUTHENTICATED)
		sasl_succeeded(in, &v);
	else if (next == SASL_EXHAUSTED)
		stream_fail(&in->s, "policy-violation", NULL, "too many attempts to authenticate");
	return true;
}
