/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/claims.h"

#include "core/base/log.h"
#include "core/negotiate.h"
#include "core/outward.h"
#include "core/worker.h"
#include "dialback/answer.h"
#include "dialback/receive.h"

#define NS_STANZA_ERRORS "urn:ietf:params:xml:ns:xmpp-stanzas"
/* Addresses are echoed as they were spelled: a little longer than canonical ones at most. */
#define HOUR_MS 3600000
#define SPELLING_MAX (LIMIT_DOMAIN + 1)
#define ANSWER_MAX (2 * SPELLING_MAX * 6 + LIMIT_STREAM_ID * 6 + 512)

/* A db:result or db:verify as it was sent, and its two domains in canonical form. */
struct request {
	const struct element *e;
	struct span raw_from, raw_to; /* decoded, as the peer spelled them */
	struct domain from, to; /* len 0: not a domain */
};

/* -- answers -- */

static void answer_error(struct writer *w, enum db_condition c)
{
	writer_lit(w, " type='error'><error type='");
	writer_lit(w, db_condition_type(c));
	writer_lit(w, "'><");
	writer_lit(w, db_condition_name(c));
	writer_lit(w, " xmlns='" NS_STANZA_ERRORS "'/></error>");
}

/* name: "db:result" or "db:verify"; from and to already swapped; type NULL: an error. */
static void answer_write(struct inbound *in, const char *name, struct span from, struct span to,
	struct span id, const char *type, enum db_condition c)
{
	char buf[ANSWER_MAX];
	struct writer w = WRITER(buf);

	writer_lit(&w, "<");
	writer_lit(&w, name);
	writer_attr(&w, "from", from);
	writer_attr(&w, "to", to);
	writer_attr_opt(&w, "id", id);
	if (type) {
		writer_attr(&w, "type", span_str(type));
		writer_lit(&w, "/>");
	} else {
		answer_error(&w, c);
		writer_lit(&w, "</");
		writer_lit(&w, name);
		writer_lit(&w, ">");
	}
	BUG_ON(w.overflow); /* request_read and verify_element bound what is echoed */
	stream_say(&in->s, writer_span(&w));
	inbound_said(in);
}

static void result_answer(struct inbound *in, struct span raw_from, struct span raw_to,
	const char *type, enum db_condition c)
{
	answer_write(in, "db:result", raw_to, raw_from, SPAN_NONE, type, c);
}

void claims_ignored(struct stream *s, const struct element *e, const char *why)
{
	char peer[ADDR_TEXT];

	STATS_INC(&s->w->stats, ignored_dialback);
	addr_format(conn_peer(s->conn), peer);
	LOG(LOG_WARN, "dialback-ignored", why, LF_STR("peer", peer), LF_SPAN("element", e->name),
		LF_SPAN("from", element_attr(e, "from")), LF_SPAN("to", element_attr(e, "to")),
		LF_SPAN("type", element_attr(e, "type")));
}

bool claims_patience(struct stream *s)
{
	if (s->w->now - s->ignored_since >= HOUR_MS) {
		s->ignored_since = s->w->now;
		s->ignored = 0;
	}
	return ++s->ignored <= LIMIT_IGNORED_HOURLY;
}

void claims_stray(struct worker *w, const struct addr *peer, struct span from, struct span to,
	const char *type)
{
	char text[ADDR_TEXT];

	STATS_INC(&w->stats, ignored_dialback);
	addr_format(peer, text);
	LOG(LOG_WARN, "dialback-ignored", "answers no question that was asked on this stream",
		LF_STR("peer", text), LF_STR("element", "verify"), LF_SPAN("from", from),
		LF_SPAN("to", to), LF_STR("type", type));
}

/* Unsolicited or malformed: changes nothing; many of them end a stream that has proven nothing
 * (rule 2.11). */
static void claims_ignore(struct inbound *in, const struct element *e, const char *why)
{
	claims_ignored(&in->s, e, why);
	if (!claims_patience(&in->s) && pairs_count(in->pairs, PAIR_VALID) == 0)
		stream_fail(&in->s, "policy-violation", NULL,
			"too many dialback elements that nobody asked for");
}

/* -- db:result: the Receiving Server -- */

static struct receive_facts facts_of(const struct inbound *in, struct span from, struct span to,
	struct inbound_proof *proof)
{
	const struct hosting *h = in->s.w->hosting;
	struct policy_rule rule = policy_pair(h->policy, from, to);

	inbound_judge(in, from, proof);
	return (struct receive_facts){
		.tls_missing = rule.tls == TLS_REQUIRED && !inbound_is_secure(in),
		.from_hosted = hosting_serves(h, from),
		.to_hosted = hosting_serves(h, to),
		.blocked = rule.block,
		.proven = proof->proven,
		.need_strong = rule.require_strong || proof->refused,
	};
}

/* A stream without a proven pair may have only so many claims open: it is not read further until
 * one has ended (rule 2.5, T-R40). */
static void claims_throttle(struct inbound *in)
{
	if (pairs_count(in->pairs, PAIR_VALID) == 0 &&
		pairs_count(in->pairs, PAIR_VERIFYING) >= LIMIT_UNPROVEN_CLAIMS)
		inbound_pause(in, PAUSE_CLAIMS);
}

static void claim_count(struct stats *st, enum verify_outcome outcome)
{
	if (outcome == VERIFY_VALID)
		STATS_INC(st, pairs_valid);
	else if (outcome == VERIFY_INVALID)
		STATS_INC(st, pairs_invalid);
	else
		STATS_INC(st, pairs_error);
}

/* A claim has ended. First the table, then the word: the peer may send a stanza in the very next
 * packet. */
static void claim_answer(struct inbound *in, struct pair *p, struct span raw_from,
	struct span raw_to, enum verify_outcome outcome)
{
	static const char *const type[] = {
		[REPLY_VALID] = "valid",
		[REPLY_INVALID] = "invalid",
		[REPLY_ERROR] = NULL,
	};
	struct worker *w = in->s.w;
	enum invalid_policy policy = w->config->invalid_policy;
	struct receive_reply reply = receive_outcome(in->pairs, p, outcome, policy, w->now);

	claim_count(&w->stats, outcome);
	if (reply.type == REPLY_VALID && pairs_count(in->pairs, PAIR_VALID) == 1)
		inbound_proven(in);
	result_answer(in, raw_from, raw_to, type[reply.type], reply.condition);
	if (reply.close)
		stream_end(&in->s,
			policy == INVALID_RFC3920
				? "a key was invalid, which ends a stream by --invalid-policy"
				: "a key was invalid and no other pair is alive");
	if (reply.grace && !in->strict_close) {
		in->strict_close = true;
		stream_set_timer(&in->s, GRACE_FORBID_MS);
	}
}

/* -- what is known already (core/verdicts.h) -- */

static void known_log(const struct inbound *in, const struct request *rq, bool proven)
{
	char peer[ADDR_TEXT];

	addr_format(conn_peer(in->s.conn), peer);
	if (proven)
		LOG(LOG_DEBUG, "pair-valid",
			"dialback has proven it on another stream with the same TLS key",
			LF_STR("peer", peer), LF_SPAN("from", rq->raw_from),
			LF_SPAN("to", rq->raw_to));
	else
		LOG(LOG_WARN, "pair-refused",
			"the sender domain had no XMPP server a moment ago, for another claim",
			LF_STR("peer", peer), LF_SPAN("from", rq->raw_from),
			LF_SPAN("to", rq->raw_to),
			LF_STR("condition", db_condition_name(DB_REMOTE_SERVER_NOT_FOUND)));
}

/* Registry, policy and pins permit the pair to be verified. True: it need not be, and was answered.
 * What rests on the peer's key ends with its certificate. */
static bool claim_known(struct inbound *in, const struct request *rq, struct pair *p,
	const struct inbound_proof *proof)
{
	struct worker *w = in->s.w;
	struct span from = domain_span(&rq->from);
	enum verdict_known known = verdicts_ask(w->verdicts, &in->key, from, domain_span(&rq->to),
		w->now);

	if (known == KNOWN_NOTHING)
		return false;
	known_log(in, rq, known == KNOWN_PROVEN);
	if (known == KNOWN_ABSENT) {
		STATS_INC(&w->stats, claims_absent);
		claim_answer(in, p, rq->raw_from, rq->raw_to, VERIFY_NOT_FOUND);
		return true;
	}
	STATS_INC(&w->stats, pairs_by_verdict);
	if (!pairs_sender_valid(in->pairs, from))
		inbound_alarm(in, from, proof);
	inbound_by_certificate(in);
	claim_answer(in, p, rq->raw_from, rq->raw_to, VERIFY_VALID);
	return true;
}

static void verdict_log(const struct inbound *in, const struct claim *c, uint32_t seconds)
{
	char peer[ADDR_TEXT];

	addr_format(conn_peer(in->s.conn), peer);
	LOG(LOG_DEBUG, "verdict-kept", "other streams with the same TLS key may use it",
		LF_STR("peer", peer), LF_SPAN("from", claim_from(c)), LF_SPAN("to", claim_to(c)),
		LF_INT("seconds", seconds));
}

/* What other streams may know from now on. Without an authority the DNS has said that there is
 * none: what an authority says of one claim is not for another. */
static void claim_learnt(struct inbound *in, const struct claim *c, enum verify_outcome outcome,
	bool tried)
{
	struct worker *w = in->s.w;
	struct span from = claim_from(c), to = claim_to(c);
	uint32_t seconds;

	if (outcome == VERIFY_INVALID)
		verdicts_disproven(w->verdicts, &in->key, from, to);
	if (outcome == VERIFY_NOT_FOUND && !tried)
		verdicts_absent(w->verdicts, from, w->now);
	if (outcome != VERIFY_VALID)
		return;
	seconds = verdicts_proven(w->verdicts, &in->key, from, to, w->now);
	if (seconds == 0)
		return;
	STATS_INC(&w->stats, verdicts_kept);
	verdict_log(in, c, seconds);
}

static void claim_start(struct inbound *in, const struct request *rq, struct pair *p,
	struct span key, const struct inbound_proof *proof)
{
	if (claim_known(in, rq, p, proof))
		return;
	if (verifier_claim(in->s.w->verifier, &in->asker, p, domain_span(&rq->from),
		    domain_span(&rq->to), rq->raw_from, rq->raw_to, key, in->s.w->now))
		claims_throttle(in);
	else
		claim_answer(in, p, rq->raw_from, rq->raw_to, VERIFY_OVERLOAD);
}

/* For the log: why a request was refused at once. */
static const char *refusal_text(const struct receive_step *step, const struct receive_facts *facts,
	const struct inbound_proof *proof)
{
	if (step->pair && step->pair->state == PAIR_REFUSED)
		return "refused a while ago; the refusal still holds";
	if (step->pair && step->pair->state == PAIR_VERIFYING)
		return "another key again, while the second is being verified";
	switch (step->condition) {
	case DB_BAD_REQUEST:
		return "the key is empty or too long";
	case DB_POLICY_VIOLATION:
		if (facts->tls_missing)
			return "the stream is in clear text, and TLS is required";
		return "the policy forbids one of the two domains";
	case DB_NOT_ACCEPTABLE:
		return "the sender domain is hosted here, or is the target";
	case DB_ITEM_NOT_FOUND:
		return "the target domain is not hosted here";
	case DB_NOT_AUTHORIZED:
		if (proof->refused)
			return "the proof is not what it was before (--pin-auth enforce)";
		return "the policy demands a proof that dialback is not";
	default:
		return "the stream has too many pairs (--max-pairs-per-stream), or no memory";
	}
}

static void refusal_log(const struct inbound *in, const struct request *rq,
	const struct receive_step *step, const struct receive_facts *facts,
	const struct inbound_proof *proof)
{
	char peer[ADDR_TEXT];

	addr_format(conn_peer(in->s.conn), peer);
	LOG(LOG_WARN, "pair-refused", refusal_text(step, facts, proof), LF_STR("peer", peer),
		LF_SPAN("from", rq->raw_from), LF_SPAN("to", rq->raw_to),
		LF_STR("condition", db_condition_name(step->condition)));
}

/* By the peer's certificate, without a question to anybody (rules 2.12 and 4.1). */
static void pair_proven(struct inbound *in, struct span from, struct span to,
	const struct inbound_proof *proof)
{
	char peer[ADDR_TEXT];

	inbound_alarm(in, from, proof);
	inbound_remember(in, from);
	STATS_INC(&in->s.w->stats, pairs_valid);
	STATS_INC(&in->s.w->stats, pairs_by_certificate);
	inbound_by_certificate(in);
	if (pairs_count(in->pairs, PAIR_VALID) == 1)
		inbound_proven(in);
	if (!log_enabled(LOG_DEBUG))
		return;
	addr_format(conn_peer(in->s.conn), peer);
	LOG(LOG_DEBUG, "pair-valid", "the peer's certificate proves the sender domain",
		LF_STR("peer", peer), LF_SPAN("from", from), LF_SPAN("to", to));
}

void claims_proven(struct inbound *in, struct span from, struct span to)
{
	struct inbound_proof proof;
	struct receive_facts facts = facts_of(in, from, to, &proof);
	enum db_condition refusal = DB_ITEM_NOT_FOUND;
	struct pair *p = NULL;
	char peer[ADDR_TEXT];

	if (to.n > 0 && !receive_forbidden(&facts, &refusal))
		p = pairs_add(in->pairs, from, to, in->s.w->now);
	if (p && p->state == PAIR_VERIFYING)
		verifier_cancel(in->s.w->verifier, p->claim);
	if (p && p->state != PAIR_VALID) {
		pairs_set_state(in->pairs, p, PAIR_VALID);
		pair_proven(in, from, to, &proof);
	}
	if (p)
		return;
	addr_format(conn_peer(in->s.conn), peer);
	LOG(LOG_WARN, "pair-refused", "registry or policy does not permit it", LF_STR("peer", peer),
		LF_SPAN("from", from), LF_SPAN("to", to),
		LF_STR("condition", db_condition_name(refusal)));
}

static void result_request(struct inbound *in, const struct request *rq)
{
	struct span key = span_trim(rq->e->text);
	struct inbound_proof proof;
	struct receive_facts facts = facts_of(in, domain_span(&rq->from), domain_span(&rq->to),
		&proof);
	struct pair *known = pairs_get(in->pairs, domain_span(&rq->from), domain_span(&rq->to));
	struct span pending = known && known->claim ? claim_key(known->claim) : SPAN_NONE;
	bool was_valid = known && known->state == PAIR_VALID;
	struct receive_step step = receive_request(in->pairs, domain_span(&rq->from),
		domain_span(&rq->to), key, pending, &facts, in->s.w->now);

	STATS_INC(&in->s.w->stats, claims);
	switch (step.action) {
	case RECEIVE_VALID:
		if (!was_valid)
			pair_proven(in, domain_span(&rq->from), domain_span(&rq->to), &proof);
		result_answer(in, rq->raw_from, rq->raw_to, "valid", 0);
		break;
	case RECEIVE_INVALID:
		result_answer(in, rq->raw_from, rq->raw_to, "invalid", 0);
		break;
	case RECEIVE_ERROR:
		STATS_INC(&in->s.w->stats, pairs_error);
		if (step.condition == DB_NOT_AUTHORIZED && proof.refused)
			inbound_alarm(in, domain_span(&rq->from), &proof);
		refusal_log(in, rq, &step, &facts, &proof);
		result_answer(in, rq->raw_from, rq->raw_to, NULL, step.condition);
		break;
	case RECEIVE_IGNORE:
		break;
	case RECEIVE_REVERIFY:
		verifier_cancel(in->s.w->verifier, step.pair->claim);
		claim_start(in, rq, step.pair, key, &proof);
		break;
	case RECEIVE_VERIFY:
		claim_start(in, rq, step.pair, key, &proof);
		break;
	}
}

/* For the log: what happened, in an operator's words. */
static const char *outcome_text(enum verify_outcome o)
{
	static const char *const text[VERIFY_OUTCOMES] = {
		[VERIFY_VALID] = "the sender domain may speak on this stream",
		[VERIFY_INVALID] = "the authoritative server of the sender says that it did not "
				   "make this key",
		[VERIFY_NOT_FOUND] = "the sender domain has no XMPP server, or its server does "
				     "not know it",
		[VERIFY_UNREACHABLE] = "no authoritative server of the sender could be reached",
		[VERIFY_TIMEOUT] = "the authoritative server of the sender did not answer",
		[VERIFY_NOT_ACCEPTABLE] = "the authoritative server of the sender insists on TLS",
		[VERIFY_OVERLOAD] = "too many verifications are waiting",
		[VERIFY_INTERNAL] = "internal error",
	};

	return text[o];
}

static void claim_log(const struct inbound *in, const struct claim *c, enum verify_outcome outcome,
	const struct addr *authority)
{
	char peer[ADDR_TEXT], as[ADDR_TEXT] = "none";
	enum log_level level = outcome == VERIFY_VALID ? LOG_DEBUG : LOG_WARN;
	const char *event = outcome == VERIFY_VALID ? "pair-valid"
		: outcome == VERIFY_INVALID	    ? "pair-invalid"
						    : "pair-refused";

	if (!log_enabled(level))
		return;
	addr_format(conn_peer(in->s.conn), peer);
	if (authority)
		addr_format(authority, as);
	LOG(level, event, outcome_text(outcome), LF_STR("peer", peer),
		LF_SPAN("from", claim_from(c)), LF_SPAN("to", claim_to(c)),
		LF_STR("authority", as));
}

/* The facts once more: a reload, or a proof on another stream, may have come between the question
 * and its answer. */
static bool claim_forbidden(struct inbound *in, const struct claim *c)
{
	struct worker *w = in->s.w;
	struct inbound_proof proof;
	struct receive_facts facts = facts_of(in, claim_from(c), claim_to(c), &proof);
	enum db_condition refusal;
	char peer[ADDR_TEXT];

	if (facts.need_strong && !facts.proven)
		refusal = DB_NOT_AUTHORIZED;
	else if (!receive_forbidden(&facts, &refusal)) {
		/* Once for each sender on a stream, however many pairs it has. */
		if (!pairs_sender_valid(in->pairs, claim_from(c)))
			inbound_alarm(in, claim_from(c), &proof);
		return false;
	}
	if (proof.refused)
		inbound_alarm(in, claim_from(c), &proof);
	receive_revoke(in->pairs, claim_pair(c), refusal, w->now);
	STATS_INC(&w->stats, pairs_error);
	addr_format(conn_peer(in->s.conn), peer);
	LOG(LOG_WARN, "pair-refused", "registry or policy no longer permits it",
		LF_STR("peer", peer), LF_SPAN("from", claim_from(c)), LF_SPAN("to", claim_to(c)),
		LF_STR("condition", db_condition_name(refusal)));
	result_answer(in, claim_raw_from(c), claim_raw_to(c), NULL, refusal);
	return true;
}

void claims_done(void *ctx, struct claim *c, enum verify_outcome outcome,
	const struct addr *authority)
{
	struct worker *w = ctx;
	struct inbound *in = claim_asker(c)->user;

	if (outcome != VERIFY_VALID || !claim_forbidden(in, c)) {
		claim_learnt(in, c, outcome, authority != NULL);
		claim_log(in, c, outcome, authority);
		claim_answer(in, claim_pair(c), claim_raw_from(c), claim_raw_to(c), outcome);
	}
	/* Not resumed from here: the verifier is in the middle of its work. */
	if (in->pausing & PAUSE_CLAIMS && list_empty(&in->resume))
		list_add_tail(&w->resumable, &in->resume);
}

void claims_resume(struct worker *w)
{
	struct list ready;

	list_init(&ready);
	list_splice_tail(&ready, &w->resumable);
	while (!list_empty(&ready)) {
		struct inbound *in = list_first(&ready, struct inbound, resume);

		list_del(&in->resume);
		inbound_resume(in, PAUSE_CLAIMS);
		backlog_wake(in);
	}
}

/* -- db:verify: the Authoritative Server -- */

/* Mostly two nodes with different secrets, or a domain of somebody else whose DNS leads here. */
static void verify_log(const struct inbound *in, const struct request *rq, enum authority_answer a)
{
	struct log_field from = LF_SPAN("from", rq->raw_from), to = LF_SPAN("to", rq->raw_to);
	char peer[ADDR_TEXT];

	if (a == AUTHORITY_VALID)
		return;
	addr_format(conn_peer(in->s.conn), peer);
	/* Each with a rate of its own. */
	if (a == AUTHORITY_INVALID)
		LOG(LOG_WARN, "verify-invalid",
			"a server asked about a key that none of our secrets has made",
			LF_STR("peer", peer), from, to);
	else if (a == AUTHORITY_NOT_HOSTED)
		LOG(LOG_WARN, "verify-not-hosted",
			"a server asked about a key of a domain that is not hosted here",
			LF_STR("peer", peer), from, to);
	else if (a == AUTHORITY_WITHHELD)
		LOG(LOG_WARN, "verify-withheld", "too many wrong keys from this address: no answer",
			LF_STR("peer", peer), from, to);
}

static void verify_request(struct inbound *in, const struct request *rq, struct span id)
{
	struct worker *w = in->s.w;
	struct span receiving = rq->from.len ? domain_span(&rq->from) : SPAN_NONE;
	struct span originating = rq->to.len ? domain_span(&rq->to) : SPAN_NONE;
	bool hosted = rq->to.len && hosting_serves(w->hosting, originating);
	enum authority_answer a = authority_check(w->authority, w->secrets, receiving, originating,
		id, span_trim(rq->e->text), hosted, conn_peer(in->s.conn), w->now);

	in->asked = w->now;
	verify_log(in, rq, a);
	if (a == AUTHORITY_WITHHELD) {
		STATS_INC(&w->stats, verify_withheld);
		return;
	}
	STATS_INC(&w->stats, verify_answered);
	if (a == AUTHORITY_INVALID)
		STATS_INC(&w->stats, verify_invalid);
	else if (a == AUTHORITY_NOT_HOSTED)
		STATS_INC(&w->stats, verify_not_hosted);
	answer_write(in, "db:verify", rq->raw_to, rq->raw_from, id,
		a == AUTHORITY_VALID		 ? "valid"
			: a == AUTHORITY_INVALID ? "invalid"
						 : NULL,
		DB_ITEM_NOT_FOUND);
	if (a != AUTHORITY_NOT_HOSTED)
		outward_verified(w, originating, receiving,
			a == AUTHORITY_VALID ? "we said valid" : "we said invalid");
}

static void verify_element(struct inbound *in, const struct request *rq)
{
	struct span id = element_attr(rq->e, "id");

	if (id.n == 0 || id.n > LIMIT_STREAM_ID) {
		claims_ignored(&in->s, rq->e, "a db:verify without an id");
		(void)claims_patience(&in->s);
		if (++in->without_id > LIMIT_VERIFY_NO_ID)
			stream_fail(&in->s, "bad-format", NULL, "db:verify without an id");
		return;
	}
	verify_request(in, rq, id);
}

/* -- both -- */

static void request_read(struct request *rq, const struct element *e)
{
	rq->e = e;
	rq->raw_from = element_attr(e, "from");
	rq->raw_to = element_attr(e, "to");
	if (!domain_parse(rq->raw_from, &rq->from))
		rq->from.len = 0;
	if (!domain_parse(rq->raw_to, &rq->to))
		rq->to.len = 0;
}

void claims_element(struct inbound *in, const struct frame *f)
{
	if (in->s.state != STREAM_OPEN)
		return; /* we have said goodbye: nothing could be answered */
	if (backlog_takes_claim(in, f))
		STATS_INC(&in->s.w->stats, claims_put_off);
	else
		claims_now(in, span_of(f->p, f->len));
}

void claims_now(struct inbound *in, struct span element)
{
	const struct frame f = { .p = element.p, .len = (uint32_t)element.n };
	const struct element *e = stream_element(&in->s, &f);
	struct request rq;
	enum answer answer;
	struct span type;
	bool result, verify;

	if (!e)
		return;
	result = element_is(e, NS_DIALBACK, "result");
	verify = element_is(e, NS_DIALBACK, "verify");
	if (!result && !verify) {
		claims_ignore(in, e, "an element that dialback does not have");
		return;
	}
	type = element_attr(e, "type");
	if (type.p) {
		claims_ignore(in, e,
			answer_parse(type, &answer)
				? "an answer on a stream on which we asked nothing"
				: "a type that dialback does not have");
		return;
	}
	request_read(&rq, e);
	if (rq.raw_from.n == 0 || rq.raw_to.n == 0 || rq.raw_from.n > SPELLING_MAX ||
		rq.raw_to.n > SPELLING_MAX || (result && (rq.from.len == 0 || rq.to.len == 0))) {
		stream_fail(&in->s, "improper-addressing", NULL,
			"a dialback element without two domains");
		return;
	}
	if (result)
		result_request(in, &rq);
	else
		verify_element(in, &rq);
}
