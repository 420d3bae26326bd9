/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/receive.h"

#include "core/base/limits.h"

static const char *const policy_names[] = {
	[INVALID_RFC3920] = "rfc3920",
	[INVALID_XEP_0_6] = "xep-0.6",
	[INVALID_XEP_1_1] = "xep-1.1",
	[INVALID_FORBID] = "forbid",
};

bool invalid_policy_parse(struct span s, enum invalid_policy *out)
{
	for (size_t i = 0; i < ARRAY_LEN(policy_names); i++) {
		if (span_is(s, policy_names[i])) {
			*out = (enum invalid_policy)i;
			return true;
		}
	}
	return false;
}

const char *invalid_policy_name(enum invalid_policy p)
{
	BUG_ON((size_t)p >= ARRAY_LEN(policy_names));
	return policy_names[p];
}

/* -- requests: the table of 2.4 -- */

static struct receive_step step_error(struct pair *p, enum db_condition c)
{
	return (struct receive_step){ RECEIVE_ERROR, c, p };
}

static struct receive_step step_of(struct pair *p, enum receive_action action)
{
	return (struct receive_step){ .action = action, .pair = p };
}

bool receive_forbidden(const struct receive_facts *facts, enum db_condition *c)
{
	const struct {
		bool forbidden;
		enum db_condition c;
	} rows[] = {
		{ facts->tls_missing, DB_POLICY_VIOLATION },
		{ facts->from_hosted, DB_NOT_ACCEPTABLE }, /* nobody else speaks for what is ours */
		{ !facts->to_hosted, DB_ITEM_NOT_FOUND },
		{ facts->blocked, DB_POLICY_VIOLATION },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].forbidden) {
			*c = rows[i].c;
			return true;
		}
	return false;
}

/* Rows 2 to 6: what is refused whatever the pair's state. True: *out is the answer. */
static bool request_refused(struct span from, struct span to, struct span key,
	const struct receive_facts *facts, struct receive_step *out)
{
	struct receive_facts f = *facts;
	enum db_condition c = DB_BAD_REQUEST;

	f.from_hosted |= span_eq(from, to);
	if (key.n > 0 && key.n <= LIMIT_KEY && !receive_forbidden(&f, &c))
		return false;
	*out = step_error(NULL, c);
	return true;
}

/* Row 7 for a stream that has proven nothing: names cost it nothing, and us memory. */
static bool stranger_is_full(const struct pairs *ps)
{
	return pairs_count(ps, PAIR_VALID) == 0 && pairs_memory(ps) >= LIMIT_UNPROVEN_MEMORY;
}

/* Row 9. A key that changes once is a peer that corrected itself; more often, a search. */
static struct receive_step request_again(struct pair *p, struct span key, struct span pending)
{
	if (span_eq(key, pending))
		return step_of(p, RECEIVE_IGNORE);
	if (p->restarted)
		return step_error(p, DB_RESOURCE_CONSTRAINT);
	p->restarted = true;
	return step_of(p, RECEIVE_REVERIFY);
}

struct receive_step receive_request(struct pairs *ps, struct span from, struct span to,
	struct span key, struct span pending_key, const struct receive_facts *facts, uint64_t now)
{
	struct receive_step refused;
	struct pair *p;

	if (request_refused(from, to, key, facts, &refused))
		return refused;
	if (stranger_is_full(ps) && !pairs_get(ps, from, to))
		return step_error(NULL, DB_RESOURCE_CONSTRAINT);
	p = pairs_add(ps, from, to, now);
	if (!p) /* 7 */
		return step_error(NULL, DB_RESOURCE_CONSTRAINT);
	if (p->state == PAIR_VALID) /* 8 */
		return step_of(p, RECEIVE_VALID);
	if (p->state == PAIR_VERIFYING) /* 9 */
		return request_again(p, key, pending_key);
	if (p->state == PAIR_REFUSED && now < p->refused_until) /* 10 */
		return p->refused_invalid ? step_of(p, RECEIVE_INVALID) : step_error(p, p->refusal);
	if (facts->proven) { /* 11 */
		pairs_set_state(ps, p, PAIR_VALID);
		return step_of(p, RECEIVE_VALID);
	}
	/* 12. Nothing is held: it costs nothing to find it out again. */
	if (facts->need_strong)
		return step_error(p, DB_NOT_AUTHORIZED);
	p->restarted = false;
	pairs_set_state(ps, p, PAIR_VERIFYING); /* 13 */
	return step_of(p, RECEIVE_VERIFY);
}

/* -- outcomes -- */

static enum db_condition outcome_condition(enum verify_outcome outcome)
{
	static const enum db_condition conditions[VERIFY_OUTCOMES] = {
		[VERIFY_NOT_FOUND] = DB_REMOTE_SERVER_NOT_FOUND,
		[VERIFY_UNREACHABLE] = DB_REMOTE_CONNECTION_FAILED,
		[VERIFY_TIMEOUT] = DB_REMOTE_SERVER_TIMEOUT,
		[VERIFY_NOT_ACCEPTABLE] = DB_NOT_ACCEPTABLE,
		[VERIFY_OVERLOAD] = DB_RESOURCE_CONSTRAINT,
		[VERIFY_INTERNAL] = DB_INTERNAL_SERVER_ERROR,
	};

	BUG_ON((unsigned)outcome >= VERIFY_OUTCOMES);
	return conditions[outcome];
}

/* Does anything on the stream still stand, or may it yet? (2.8.2) */
static bool others_alive(const struct pairs *ps)
{
	return pairs_count(ps, PAIR_VALID) + pairs_count(ps, PAIR_VERIFYING) > 0;
}

static void pair_refuse(struct pairs *ps, struct pair *p, enum db_condition c, uint64_t until)
{
	pairs_set_state(ps, p, PAIR_REFUSED);
	p->refusal = c;
	p->refused_invalid = false;
	p->refused_until = until;
}

/* The matrix of 2.8.2. The pair itself counts for nothing any more when it is applied. */
static struct receive_reply outcome_invalid(struct pairs *ps, struct pair *p,
	enum invalid_policy policy, uint64_t now)
{
	struct receive_reply reply = { .type = REPLY_INVALID, .condition = DB_FORBIDDEN };
	bool alive;

	pair_refuse(ps, p, DB_FORBIDDEN, now + HOLD_INVALID_MS);
	alive = others_alive(ps);
	switch (policy) {
	case INVALID_RFC3920:
		reply.close = true;
		break;
	case INVALID_XEP_0_6:
		break;
	case INVALID_XEP_1_1:
		if (alive)
			reply.type = REPLY_ERROR;
		else
			reply.close = true;
		break;
	case INVALID_FORBID:
		reply.type = REPLY_ERROR;
		reply.grace = !alive;
		break;
	}
	p->refused_invalid = reply.type == REPLY_INVALID;
	if (reply.type == REPLY_ERROR)
		pairs_set_softened(ps);
	return reply;
}

/*
 * Not the key, but the way to its authority failed. If an invalid key was answered
 * `forbidden` only because this pair was still being verified, then the last failure
 * does what that answer left undone (2.8.2).
 */
static struct receive_reply outcome_failed(struct pairs *ps, struct pair *p,
	enum verify_outcome outcome, enum invalid_policy policy, uint64_t now)
{
	enum db_condition c = outcome_condition(outcome);
	struct receive_reply reply = { .type = REPLY_ERROR, .condition = c };
	uint64_t hold = c == DB_REMOTE_SERVER_NOT_FOUND ? HOLD_NOT_FOUND_MS : HOLD_TRANSIENT_MS;

	/* Our own shortage says nothing about the pair: it may ask again at once. */
	if (outcome == VERIFY_OVERLOAD)
		pairs_set_state(ps, p, PAIR_NONE);
	else
		pair_refuse(ps, p, c, now + hold);
	if (pairs_softened(ps) && !others_alive(ps)) {
		reply.close = policy == INVALID_XEP_1_1;
		reply.grace = policy == INVALID_FORBID;
	}
	return reply;
}

struct receive_reply receive_outcome(struct pairs *ps, struct pair *p, enum verify_outcome outcome,
	enum invalid_policy policy, uint64_t now)
{
	BUG_ON(p->state != PAIR_VERIFYING);
	p->claim = NULL;
	if (outcome == VERIFY_INVALID)
		return outcome_invalid(ps, p, policy, now);
	if (outcome != VERIFY_VALID)
		return outcome_failed(ps, p, outcome, policy, now);
	pairs_set_state(ps, p, PAIR_VALID);
	return (struct receive_reply){ .type = REPLY_VALID };
}

void receive_revoke(struct pairs *ps, struct pair *p, enum db_condition c, uint64_t now)
{
	pair_refuse(ps, p, c, now + HOLD_POLICY_MS);
}
