/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A link has gone: is it opened again, and what becomes of its pairs (rules 2.3, 2.9.5 and 7.1)? */
#include "core/base/mem.h"
#include "dialback/initiate_impl.h"

#define OLD_STYLE_MS 5000 /* an end this soon after a claim for a further target is its answer */

static bool is_one_of(const char *condition, const char *const *names, size_t n)
{
	for (size_t at = 0; condition && at < n; at++)
		if (strcmp(condition, names[at]) == 0)
			return true;
	return false;
}

/* Before any pair was valid these say that another server may do better (rule 7.1). */
static bool loss_tries_next(enum out_loss how, const char *condition)
{
	static const char *const next[] = { "host-unknown", "host-gone", "internal-server-error",
		"resource-constraint", "system-shutdown", "conflict" };

	return how == OUT_LOSS_NEGOTIATION || how == OUT_LOSS_REFUSED || how == OUT_LOSS_AT_SIGHT ||
		how == OUT_LOSS_TLS || how == OUT_LOSS_RULE || how == OUT_LOSS_EXTERNAL ||
		(how == OUT_LOSS_ERROR && is_one_of(condition, next, ARRAY_LEN(next)));
}

/* An old server that does not bear further targets (rule 2.9.5). One that has answered for one, whatever
 * it said, and goes without a word is just a server that goes. */
static bool loss_is_old_style(const struct out_link *l, enum out_loss how, const char *condition,
	uint64_t now)
{
	static const char *const old[] = { "host-unknown", "not-authorized", "invalid-from",
		"conflict", "undefined-condition" };

	return l->shared_at && now <= l->shared_at + OLD_STYLE_MS &&
		((how == OUT_LOSS_CLOSED && !l->bears) ||
			(how == OUT_LOSS_ERROR && is_one_of(condition, old, ARRAY_LEN(old))));
}

/* What a server says to the sender that the header names. */
static bool is_unwelcome(const char *condition)
{
	static const char *const said[] = { "not-authorized", "policy-violation", "invalid-from" };

	return is_one_of(condition, said, ARRAY_LEN(said));
}

/* Who has shown no certificate is told that he needs one: that is no answer to the one that he has. It is as
 * if the server had ended the handshake once more. */
static enum out_loss loss_of_bare(const struct out_link *l, enum out_loss how,
	const char *condition)
{
	bool wants_one = how == OUT_LOSS_UNPROVEN || how == OUT_LOSS_UNSUPPORTED ||
		(how == OUT_LOSS_ERROR && is_unwelcome(condition));

	return l->proof == OUT_PROOF_NONE && !l->up_at && wants_one ? OUT_LOSS_NEGOTIATION : how;
}

static enum out_failure loss_failure(enum out_loss how, const char *condition)
{
	static const char *const absent[] = { "host-unknown", "host-gone" };

	if (is_one_of(condition, absent, ARRAY_LEN(absent)))
		return OUT_NO_SERVICE;
	switch (how) {
	case OUT_LOSS_UNREACHABLE:
		return OUT_UNREACHABLE;
	case OUT_LOSS_TLS:
	case OUT_LOSS_RULE:
		return OUT_NO_TLS;
	case OUT_LOSS_UNSUPPORTED:
	case OUT_LOSS_UNPROVEN:
		return OUT_NO_AUTH;
	case OUT_LOSS_OVERLOAD:
		return OUT_FULL;
	default:
		return OUT_NO_STREAM;
	}
}

/* Takes the place that was tried, and those that took no connection meanwhile, off the list. */
static bool out_link_next_place(struct initiator *i, struct out_link *l)
{
	unsigned n = 0;

	for (unsigned at = 0; at < l->n_places; at++)
		if (at != l->which && !place_is_dead(i, &l->places[at]))
			l->places[n++] = l->places[at];
	l->n_places = n;
	l->which = 0;
	return n > 0;
}

/* What the peer did not bear is left out: SASL EXTERNAL, or the sight of our certificate, which older
 * servers take for none of a client and end the handshake over (rule 4.4). */
static bool out_link_proves_less(struct initiator *i, struct out_link *l, enum out_loss how)
{
	if (how == OUT_LOSS_EXTERNAL && l->proof == OUT_PROOF_EXTERNAL) {
		initiator_external_refused(i, l, i->now);
		l->proof = OUT_PROOF_SHOWN;
		return true;
	}
	if ((how != OUT_LOSS_REFUSED && how != OUT_LOSS_AT_SIGHT) || l->proof == OUT_PROOF_NONE)
		return false;
	l->refused = how == OUT_LOSS_REFUSED;
	l->proof = OUT_PROOF_NONE;
	return true;
}

/* The same place, or the next one. */
static bool out_link_tries_again(struct initiator *i, struct out_link *l, enum out_loss how,
	const char *condition)
{
	if (l->proved || !l->connected || l->alive == 0 || l->ours || i->draining)
		return false;
	if (out_link_proves_less(i, l, how))
		return true;
	if (!loss_tries_next(how, condition) || !out_link_next_place(i, l))
		return false;
	out_link_prove_as_at_first(l);
	return true;
}

/* When it was up and has begun to end, other streams may have been opened in its place: as many as there
 * may be. */
static bool out_link_has_room(struct initiator *i, const struct out_link *l)
{
	return l->state != OUT_LINK_ENDING || l->apart ||
		target_may_open(i, target_find(i, out_link_to(l)));
}

/* All claims are void: even a late answer does not count any more. */
static void seat_begin_anew(struct initiator *i, struct seat *s)
{
	s->pinned = true;
	list_each_safe(at, tmp, &s->pairs)
	{
		struct out_pair *p = container_of(at, struct out_pair, at);

		if (p->state == OUT_PAIR_REQUESTED)
			out_pair_queue_again(i, p);
		else if (p->state == OUT_PAIR_FAILED)
			out_pair_leave(i, p);
	}
	s->pinned = false;
	seat_rest(s);
}

static void out_link_reopen(struct initiator *i, struct out_link *l)
{
	l->state = OUT_LINK_TO_OPEN; /* no longer one that claims */
	list_each_safe(at, tmp, &l->seats)
		seat_begin_anew(i, container_of(at, struct seat, of_link));
	l->connected = false;
	l->errors = l->bears = l->proven = l->claimless = false;
	l->up_at = l->shared_at = l->quarantined_until = l->slow_until = 0;
	l->window = LIMIT_OUT_WINDOW_MIN;
	l->rtt = QUARANTINE_MAX_MS;
	list_del(&l->due.link);
	out_link_place_at(l, l->which);
	out_link_to_open(i, l);
	list_each(at, &l->seats)
	{
		const struct seat *s = container_of(at, struct seat, of_link);

		list_each(in_seat, &s->pairs)
			out_link_hasten(i, l, container_of(in_seat, struct out_pair, at)->sender);
	}
}

/* For good, where that says so. */
static void out_pair_fail_with(struct initiator *i, struct out_pair *p, enum out_failure failure,
	const char *condition)
{
	if (failure == OUT_NO_TLS || failure == OUT_NO_AUTH)
		out_pair_fail(i, p, failure, condition, HOLD_POLICY_MS);
	else
		out_pair_fail_again(i, p, failure, condition);
}

/* What becomes of one pair when its stream has gone. `survives`: the pair is not to blame. Of those
 * that had their turn to come, the target knows more if the stream was good for nobody. */
static void out_pair_orphan(struct initiator *i, struct out_pair *p, enum out_failure failure,
	const char *condition, bool survives)
{
	const struct out_link *l = p->seat->l;
	bool opened = l->proved || failure == OUT_NO_STREAM; /* as it was, if it was claimed on */

	p->mark = NULL;
	if (p->state == OUT_PAIR_REQUESTED && !survives)
		out_pair_fail_with(i, p, opened ? OUT_LOST : failure, condition);
	else if (p->state == OUT_PAIR_QUEUED && !survives && l->apart && !l->proved)
		out_pair_fail_with(i, p, failure, condition);
	else
		out_pair_leave(i, p);
}

/* Does it say something of the header's sender, and nothing of the server? Its name or its certificate is
 * not welcome there, or its own rule asks for more, or less, than others'. */
static bool loss_is_senders(const struct out_link *l, enum out_loss how, const char *condition)
{
	switch (how) {
	case OUT_LOSS_REFUSED:
	case OUT_LOSS_UNPROVEN:
	case OUT_LOSS_RULE:
		return true;
	case OUT_LOSS_NEGOTIATION:
		return l->refused;
	case OUT_LOSS_ERROR:
		return !l->up_at && is_unwelcome(condition);
	default:
		return false;
	}
}

static void out_link_blame_sender(struct initiator *i, struct out_link *l, struct target *t,
	enum out_loss how, enum out_failure failure, const char *condition)
{
	struct out_pair *p = out_pair_find(i, out_link_from(l), out_link_to(l));

	if (how == OUT_LOSS_UNPROVEN)
		t->claimless = true;
	if (!p || !p->seat || p->seat->l != l)
		return;
	p->isolated |= how == OUT_LOSS_RULE;
	out_pair_fail_with(i, p, failure, condition);
}

/* It was never good for anything: neither will another one be, to the target that it was for. */
static void out_link_failed(struct initiator *i, struct out_link *l, enum out_loss how,
	enum out_failure failure, const char *condition)
{
	struct target *t = target_find(i, out_link_to(l));

	if (l->apart)
		return;
	if (loss_is_senders(l, how, condition))
		out_link_blame_sender(i, l, t, how, failure, condition);
	else
		target_fail(i, t, failure, condition);
}

/* What was there for one sender alone, and is lost, delays nobody else. */
static void seat_lost(struct initiator *i, struct seat *s, const char *condition, bool survives)
{
	const struct out_link *l = s->l;
	bool lived = i->now >= l->up_at + SHORT_LIFE_MS;
	bool shut_down = condition && strcmp(condition, "system-shutdown") == 0;

	if (!l->proved)
		return;
	s->target->trusted_until = i->now + HOLD_TRUST_MS;
	if (survives)
		return;
	if (!l->apart && !l->claimless) {
		target_lost(i, s->target, lived, shut_down);
		return;
	}
	list_each(at, &s->pairs)
		out_pair_lost(i, container_of(at, struct out_pair, at), lived, shut_down);
}

static void out_link_lost(struct initiator *i, struct out_link *l, enum out_loss how,
	const char *condition, bool survives)
{
	enum out_failure failure = loss_failure(how, condition);

	if (!l->proved && !survives)
		out_link_failed(i, l, how, failure, condition);
	list_each(at, &l->seats)
	{
		struct seat *s = container_of(at, struct seat, of_link);

		s->pinned = true;
		seat_lost(i, s, condition, survives);
		while (!list_empty(&s->pairs))
			out_pair_orphan(i, list_first(&s->pairs, struct out_pair, at), failure,
				condition, survives);
	}
	out_link_free(i, l);
}

/* For the next stream to it. */
static void out_link_note(struct initiator *i, const struct out_link *l)
{
	struct peer *peer = l->up_at ? peer_find(i, out_link_place(l)) : NULL;

	if (peer)
		peer->window = l->window;
}

void initiator_link_down(struct initiator *i, struct out_link *l, enum out_loss how,
	const char *condition, uint64_t now)
{
	bool survives = how == OUT_LOSS_OURS || l->ours || now < l->quarantined_until;
	struct peer *peer = NULL;

	i->now = now;
	how = loss_of_bare(l, how, condition);
	if (l->state == OUT_LINK_OPENING)
		out_link_opened(i, l);
	i->ops->step(i->ctx, SPAN_NONE, out_link_to(l), OUT_STEP_DOWN, out_link_place(l), NULL);
	l->user = NULL;
	out_link_note(i, l);
	if (out_link_tries_again(i, l, how, condition)) {
		if (out_link_has_room(i, l)) {
			out_link_reopen(i, l);
			return;
		}
		survives = true; /* on one of those */
	}
	if (loss_is_old_style(l, how, condition, now))
		peer = peer_get(i, &l->places[l->which]);
	if (peer)
		peer->no_mux_until = now + HOLD_NO_MUX_MS;
	out_link_end(l);
	out_link_lost(i, l, how, condition, survives || peer);
}
