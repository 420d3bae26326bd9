/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/outward.h"

#include "core/base/log.h"
#include "core/explain.h"
#include "core/outbound.h"
#include "core/router.h"
#include "core/shares.h"
#include "core/worker.h"

_Static_assert(OUT_PAD >= SCAN_PAD, "what comes back from the initiator can be scanned");

/* Of a worker's budget; its queues have the rest (core/worker.c). */
#define KEPT_SHARE 8

struct post_outward { /* POST_OUTWARD */
	uint16_t from_n, to_n;
	bool error;
	uint32_t len;
	char text[]; /* from, to, then the stanza */
};

struct post_verified { /* POST_VERIFIED */
	const char *answer;
	uint16_t from_n, to_n;
	char text[]; /* from, to */
};

/* -- what the sender is told (rule 8.4) -- */

static const struct {
	enum stanza_error error;
	const char *text;
} refusals[OUT_FAILURES] = {
	[OUT_NO_SERVICE] = { STANZA_REMOTE_SERVER_NOT_FOUND, "the domain has no XMPP server" },
	[OUT_NO_ANSWER_DNS] = { STANZA_REMOTE_SERVER_TIMEOUT,
		"the domain's servers could not be looked up" },
	[OUT_UNREACHABLE] = { STANZA_REMOTE_SERVER_TIMEOUT,
		"none of the domain's servers could be reached" },
	[OUT_NO_STREAM] = { STANZA_REMOTE_SERVER_TIMEOUT,
		"the domain's servers did not open a stream" },
	[OUT_NO_TLS] = { STANZA_REMOTE_SERVER_TIMEOUT_CANCEL,
		"the domain's servers do not offer the encryption or the certificate that is "
		"demanded" },
	[OUT_NO_AUTH] = { STANZA_REMOTE_SERVER_TIMEOUT_CANCEL,
		"the domain's servers offer no way to authenticate" },
	[OUT_LOST] = { STANZA_REMOTE_SERVER_TIMEOUT,
		"the stream ended before the remote server had verified the sender's domain" },
	[OUT_REFUSED] = { STANZA_REMOTE_SERVER_TIMEOUT,
		"the remote server refused the sender's domain" },
	[OUT_INVALID] = { STANZA_INTERNAL_SERVER_ERROR,
		"the remote server found the dialback key of the sender's domain invalid" },
	[OUT_NO_ANSWER] = { STANZA_REMOTE_SERVER_TIMEOUT,
		"the remote server did not answer whether it accepts the sender's domain" },
	[OUT_EXPIRED] = { STANZA_REMOTE_SERVER_TIMEOUT, "it could not be delivered in time" },
	[OUT_FULL] = { STANZA_RESOURCE_CONSTRAINT, "too much is waiting for this domain" },
	[OUT_BLOCKED] = { STANZA_POLICY_VIOLATION,
		"policy does not permit stanzas between these domains" },
	[OUT_DRAINING] = { STANZA_REMOTE_SERVER_TIMEOUT, "the router is shutting down" },
};

static void refuse(struct outward_refusal *out, enum stanza_error e, const char *text,
	const char *condition)
{
	out->error = e;
	(void)snprintf(out->text, sizeof(out->text), "%s%s%s", text, condition ? ": " : "",
		condition ? condition : "");
}

static void refuse_for(struct outward_refusal *out, const struct out_reason *why)
{
	refuse(out, refusals[why->how].error, refusals[why->how].text, why->condition);
}

/* -- at the target's home -- */

static bool outward_write(struct worker *w, struct out_link *l, struct span from, struct span to,
	const struct span *pieces, unsigned n, struct outward_refusal *why)
{
	switch (outbound_write(out_link_user(l), pieces, n, shares_key(w->share_seed, from, to))) {
	case OUTBOUND_SENT:
		return true;
	case OUTBOUND_FULL:
		STATS_INC(&w->stats, refused_full);
		refuse(why, STANZA_RESOURCE_CONSTRAINT, refusals[OUT_FULL].text, NULL);
		return false;
	case OUTBOUND_SPENT:
		STATS_INC(&w->stats, refused_budget);
		refuse(why, STANZA_RESOURCE_CONSTRAINT, "too much is waiting in this router", NULL);
		return false;
	case OUTBOUND_TOO_BIG:
		break;
	}
	refuse(why, STANZA_TOO_BIG, "the remote server does not take stanzas of this size", NULL);
	return false;
}

static bool outward_home(struct worker *w, struct span from, struct span to,
	const struct span *pieces, unsigned n, bool error, struct outward_refusal *why)
{
	struct out_reason reason;
	struct out_link *l;

	switch (initiator_stanza(w->initiator, from, to, pieces, n, error, &l, &reason, w->now)) {
	case OUT_WRITE:
		if (unlikely(outbound_is_slow(out_link_user(l))))
			initiator_link_slow(w->initiator, l, w->now);
		return outward_write(w, l, from, to, pieces, n, why);
	case OUT_KEPT:
		STATS_INC(&w->stats, stanzas_kept);
		return true;
	case OUT_RETURN:
		refuse_for(why, &reason);
		return false;
	case OUT_NOWHERE:
		break;
	}
	refuse(why, STANZA_REMOTE_SERVER_TIMEOUT, "no stream is opened for an error", NULL);
	return false;
}

static void error_count(struct worker *w, bool taken)
{
	if (taken)
		STATS_INC(&w->stats, bounced);
	else
		STATS_INC(&w->stats, bounce_undeliverable);
}

void outward_record(struct worker *w, const char *p)
{
	const struct post_outward *post = (const void *)p;
	struct span from = span_of(post->text, post->from_n);
	struct span to = span_of(from.p + from.n, post->to_n);
	struct span stanza = span_of(to.p + to.n, post->len);
	struct outward_refusal why;
	bool taken = outward_home(w, from, to, &stanza, 1, post->error, &why);

	if (post->error)
		error_count(w, taken);
	else if (!taken)
		router_return(w, stanza, why.error, why.text);
}

/* -- anywhere -- */

static bool outward_post(struct worker *w, unsigned home, struct span from, struct span to,
	const struct span *pieces, unsigned n, bool error)
{
	const struct span domains[] = { from, to };
	size_t len = pieces_len(pieces, n);
	struct post_outward *post = mesh_write(w->port, home, POST_OUTWARD,
		sizeof(*post) + from.n + to.n + len);

	if (!post)
		return false;
	post->from_n = (uint16_t)from.n;
	post->to_n = (uint16_t)to.n;
	post->error = error;
	post->len = (uint32_t)len;
	(void)pieces_put(pieces_put(post->text, domains, 2), pieces, n);
	return true;
}

bool outward_stanza(struct worker *w, struct span from, struct span to, const struct span *pieces,
	unsigned n, struct outward_refusal *why)
{
	unsigned home = crew_home(w->crew, to);

	if (home == w->number)
		return outward_home(w, from, to, pieces, n, false, why);
	if (outward_post(w, home, from, to, pieces, n, false))
		return true;
	refuse(why, STANZA_RESOURCE_CONSTRAINT, "no memory for the stanza", NULL);
	return false;
}

void outward_error(struct worker *w, struct span from, struct span to, struct span error)
{
	unsigned home = crew_home(w->crew, to);
	struct outward_refusal why; /* nobody is told of an error that is lost */

	/* At the very end, when stanzas that were parked go back, no initiator is left. */
	if (home == w->number)
		error_count(w,
			w->initiator && !w->returning &&
				outward_home(w, from, to, &error, 1, true, &why));
	else if (!outward_post(w, home, from, to, &error, 1, true))
		error_count(w, false);
}

/* -- what an operator is told (core/explain.h) -- */

void outward_verified_record(struct worker *w, const char *p)
{
	const struct post_verified *post = (const void *)p;

	explain_verified(w->explain, span_of(post->text, post->from_n),
		span_of(post->text + post->from_n, post->to_n), post->answer, w->now);
}

void outward_verified(struct worker *w, struct span from, struct span to, const char *answer)
{
	const struct span domains[] = { from, to };
	unsigned home = crew_home(w->crew, to);
	struct post_verified *post;

	if (home == w->number) {
		explain_verified(w->explain, from, to, answer, w->now);
		return;
	}
	post = mesh_write(w->port, home, POST_VERIFIED, sizeof(*post) + from.n + to.n);
	if (!post)
		return; /* one line less */
	post->answer = answer;
	post->from_n = (uint16_t)from.n;
	post->to_n = (uint16_t)to.n;
	(void)pieces_put(post->text, domains, 2);
}

static void op_step(void *ctx, struct span from, struct span to, enum out_step step,
	const struct place *at, const struct out_reason *why)
{
	struct worker *w = ctx;

	switch (step) {
	case OUT_STEP_BEGUN:
		explain_pair(w->explain, from, to, EXPLAIN_BEGUN, NULL, NULL, w->now);
		break;
	case OUT_STEP_LOOKED_UP:
		explain_stream(w->explain, to, EXPLAIN_NAMES, at, NULL, w->now);
		break;
	case OUT_STEP_DIALLED:
		explain_stream(w->explain, to, EXPLAIN_BEGUN, at, NULL, w->now);
		break;
	case OUT_STEP_CONNECTED:
		explain_stream(w->explain, to, EXPLAIN_CONNECTED, at, NULL, w->now);
		break;
	case OUT_STEP_UP:
		explain_stream(w->explain, to, EXPLAIN_STREAM, at, NULL, w->now);
		break;
	case OUT_STEP_JOINED:
		explain_pair(w->explain, from, to, EXPLAIN_STREAM, at,
			"that of another domain there", w->now);
		break;
	case OUT_STEP_CLAIMED:
		explain_pair(w->explain, from, to, EXPLAIN_CLAIMED, at, NULL, w->now);
		break;
	case OUT_STEP_VALID:
		explain_pair(w->explain, from, to, EXPLAIN_RESULT, at, "valid", w->now);
		break;
	case OUT_STEP_FAILED:
		if (from.n)
			explain_failed(w->explain, from, to, refusals[why->how].text,
				why->condition, w->now);
		break;
	case OUT_STEP_FOREIGN:
		LOG(LOG_WARN, "sender-foreign",
			"the names of a hosted domain do not lead to this router (--own-addr): "
			"other servers will not accept it, and it shares no stream",
			LF_SPAN("domain", from));
		break;
	case OUT_STEP_DOWN:
		break;
	}
}

/* -- the initiator's wishes -- */

static void op_resolve(void *ctx, struct span domain, uint64_t cookie)
{
	struct worker *w = ctx;

	resolve_start(w->resolver, domain, cookie | RESOLVE_OUTWARD, w->now);
}

void outward_resolved(struct worker *w, uint64_t cookie, const struct resolve_answer *a)
{
	static const enum out_resolution how[] = {
		[RESOLVE_FOUND] = OUT_FOUND,
		[RESOLVE_NO_SERVICE] = OUT_NONE,
		[RESOLVE_FAILED] = OUT_LOOK_UP_FAILED,
		[RESOLVE_FORBIDDEN] = OUT_FORBIDDEN,
		[RESOLVE_OURS] = OUT_OURS,
		[RESOLVE_DIRECT_ONLY] = OUT_FORBIDDEN,
	};

	initiator_resolved(w->initiator, cookie & ~RESOLVE_OUTWARD,
		a->ours ? OUT_FOUND_HERE : how[a->status], a->places, a->n, w->now);
}

static bool op_open(void *ctx, struct out_link *l, const struct place *places, unsigned n,
	struct span from, struct span to, enum out_proof proof)
{
	return outbound_open(ctx, l, places, n, from, to, proof);
}

static void op_close(void *ctx, struct out_link *l, const char *why)
{
	(void)ctx;
	outbound_close(out_link_user(l), why);
}

static bool op_suits(void *ctx, struct out_link *l, struct span from, struct span to)
{
	(void)ctx;
	return outbound_suits(out_link_user(l), from, to);
}

static bool op_slow(void *ctx, struct out_link *l)
{
	(void)ctx;
	return outbound_is_slow(out_link_user(l));
}

static void op_claim(void *ctx, struct out_link *l, struct span from, struct span to)
{
	(void)ctx;
	outbound_claim(out_link_user(l), from, to);
}

/* The initiator must not be called from inside: an error for a domain that is no longer hosted goes
 * nowhere. */
static void return_from_op(struct worker *w, struct span stanza, const struct outward_refusal *why)
{
	w->returning = true;
	router_return(w, stanza, why->error, why->text);
	w->returning = false;
}

/* Not more than fits at once: it was within its bounds when it was kept, and is not refused now. */
static bool op_send(void *ctx, struct out_link *l, struct span from, struct span to,
	struct span stanza)
{
	struct outward_refusal why;

	if (!outbound_has_room(out_link_user(l), stanza.n))
		return false;
	if (!outward_write(ctx, l, from, to, &stanza, 1, &why))
		return_from_op(ctx, stanza, &why);
	return true;
}

static void op_give_back(void *ctx, struct span stanza, const struct out_reason *reason)
{
	struct outward_refusal why;

	refuse_for(&why, reason);
	return_from_op(ctx, stanza, &why);
}

/* A domain that was hosted until a reload keeps its pairs, for errors: nobody can send as it any more
 * but the router (O-25). */
static bool op_permits(void *ctx, struct span from, struct span to)
{
	struct worker *w = ctx;

	return (w->reviewing || hosting_serves(w->hosting, from)) &&
		!registry_find(w->hosting->registry, to) &&
		!policy_pair(w->hosting->policy, to, from).block;
}

/* What leads here is never dialled, and so found to be ours before it comes to this. */
static bool op_is_ours(void *ctx, const struct place *places, unsigned n)
{
	(void)ctx;
	(void)places;
	(void)n;
	return false;
}

#define OPS                                                                                        \
	.resolve = op_resolve, .open = op_open, .close = op_close, .suits = op_suits,              \
	.claim = op_claim, .slow = op_slow, .send = op_send, .give_back = op_give_back,            \
	.permits = op_permits, .step = op_step, .below = rand_below

static const struct initiate_ops ops = { OPS };
static const struct initiate_ops ops_own = { OPS, .is_ours = op_is_ours };

void outward_open(struct worker *w)
{
	const struct config *c = w->config;
	const struct initiate_opts opts = {
		.max_pairs = (uint32_t)c->max_pairs_per_stream,
		.max_streams = (unsigned)c->max_streams_per_endpoint,
		.invalid_received = c->invalid_received,
		.max_links = (worker_max_conns(w) - worker_reserve(w)) / 2,
		.max_kept = c->mem_budget / c->workers / KEPT_SHARE,
	};

	w->explain = explain_new();
	w->initiator = initiator_new(c->n_own_addr ? &ops_own : &ops, w, &opts);
}

void outward_close(struct worker *w)
{
	initiator_free(w->initiator);
	explain_free(w->explain);
	w->initiator = NULL;
	w->explain = NULL;
}

void outward_review(struct worker *w)
{
	w->reviewing = true;
	initiator_review(w->initiator, w->now);
	w->reviewing = false;
}

void outward_leave(struct worker *w, const char *why)
{
	list_each(l, &w->streams)
	{
		struct outbound *o = outbound_of(container_of(l, struct stream, link));

		if (o)
			outbound_leave(o, why);
	}
}
