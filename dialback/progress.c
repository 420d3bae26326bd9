/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/progress.h"

#include "core/base/mem.h"
#include "dialback/pairs.h"

/* -- the key window of an asker -- */

/* Puts it in line when it has something to ask about and may. */
static void asker_wake(struct verifier *v, struct asker *a)
{
	struct verify_lane *lane = &a->ready;

	if (!list_empty(&lane->claims) && list_empty(&lane->turn) && a->in_flight < a->window)
		list_add_tail(&v->ready, &lane->turn);
}

/*
 * An answer, or the lack of one, to a question of a (2.5). The window never goes
 * below the one that everybody begins with: questions on a stream that is open
 * anyway cost little, and less would let a few bad pairs of an honest peer slow down
 * its thousands of good ones.
 */
static void asker_learn(struct asker *a, bool valid)
{
	if (!valid) {
		a->window = a->window / 2 > LIMIT_KEYS_MIN ? a->window / 2 : LIMIT_KEYS_MIN;
		a->streak = 0;
	} else if (++a->streak >= a->window) {
		a->window = 2 * a->window < LIMIT_KEYS_MAX ? 2 * a->window : LIMIT_KEYS_MAX;
		a->streak = 0;
	}
}

/* -- states of a claim -- */

static bool time_runs(enum claim_state s)
{
	return s == CLAIM_RESOLVING || s == CLAIM_DIALLING || s == CLAIM_ASKED;
}

static void claim_clock(struct verifier *v, struct claim *c, bool run)
{
	bool running = time_runs(c->state);

	if (run == running && c->state != CLAIM_NEW)
		return;
	if (running)
		c->left = c->deadline.at > v->now ? (uint32_t)(c->deadline.at - v->now) : 0;
	list_del(&c->deadline.link);
	if (run)
		wheel_add(&v->wheel, &c->deadline, v->now + c->left, v->now);
	else
		list_add_tail(&v->paused, &c->deadline.link);
}

uint64_t question_hash(const struct verifier *v, const struct verify_link *link, struct span from,
	struct span to, struct span id)
{
	struct hash_key key = v->key;

	key.k0 ^= (uint64_t)(uintptr_t)link;
	key.k0 = hash_sip(&key, from);
	key.k0 = hash_sip(&key, to);
	return hash_sip(&key, id);
}

static void claim_leave(struct verifier *v, struct claim *c)
{
	struct asker *a = c->asker;

	switch ((enum claim_state)c->state) {
	case CLAIM_WAITING:
		lane_remove(&a->waiting, c);
		break;
	case CLAIM_RESOLVING:
		list_del(&c->queue);
		break;
	case CLAIM_UNDIALLED:
		lane_remove(&a->undialled, c);
		break;
	case CLAIM_READY:
		lane_remove(&a->ready, c);
		break;
	case CLAIM_ASKED:
		table_del(&v->asked, &c->asked);
		list_del(&c->queue);
		a->in_flight--;
		asker_wake(v, a);
		break;
	default:
		break;
	}
}

static void claim_enter(struct verifier *v, struct claim *c)
{
	struct asker *a = c->asker;
	struct verify_link *link = c->endpoint ? c->endpoint->link : NULL;

	switch ((enum claim_state)c->state) {
	case CLAIM_WAITING:
		lane_push(&a->waiting, c, &a->budget->lanes);
		source_wake(&v->sources, a->budget);
		break;
	case CLAIM_RESOLVING:
		list_add_tail(&c->lookup->claims, &c->queue);
		break;
	case CLAIM_UNDIALLED:
		lane_push(&a->undialled, c, &a->budget->dialer->lanes);
		dialer_wake(&v->sources, a->budget->dialer);
		break;
	case CLAIM_READY:
		list_add_tail(&a->ready.claims, &c->queue);
		asker_wake(v, a);
		break;
	case CLAIM_ASKED:
		table_add(&v->asked, &c->asked,
			question_hash(v, link, claim_from(c), claim_to(c), claim_id(c)));
		list_add_tail(&link->asked, &c->queue);
		a->in_flight++;
		break;
	case CLAIM_ENDED:
		list_del(&c->deadline.link);
		break;
	default:
		break;
	}
}

void claim_move(struct verifier *v, struct claim *c, enum claim_state to)
{
#define BIT(state) (1u << CLAIM_##state)
#define AT_ENDPOINT (BIT(UNDIALLED) | BIT(DIALLING) | BIT(READY))
	static const uint8_t edges[CLAIM_STATES] = {
		[CLAIM_NEW] = BIT(WAITING),
		[CLAIM_WAITING] = BIT(RESOLVING) | AT_ENDPOINT | BIT(ENDED),
		[CLAIM_RESOLVING] = AT_ENDPOINT | BIT(ENDED),
		[CLAIM_UNDIALLED] = BIT(DIALLING) | BIT(ENDED),
		[CLAIM_DIALLING] = AT_ENDPOINT | BIT(ENDED),
		[CLAIM_READY] = AT_ENDPOINT | BIT(ASKED) | BIT(ENDED),
		/* A question is never sent twice; one that never went out may be asked again. */
		[CLAIM_ASKED] = BIT(DIALLING) | BIT(ENDED),
	};
#undef AT_ENDPOINT
#undef BIT

	BUG_ON(!(edges[c->state] & 1u << to));
	claim_leave(v, c);
	claim_clock(v, c, time_runs(to));
	c->state = (uint8_t)to;
	claim_enter(v, c);
}

/* -- endpoints -- */

void link_rest(struct verifier *v, struct verify_link *link)
{
	if (!link->up || link->closing || !list_empty(&link->endpoint->members))
		return;
	list_del(&link->idle);
	link->idle_since = v->now;
	if (link->silent)
		list_add(&v->idle, &link->idle);
	else
		list_add_tail(&v->idle, &link->idle);
}

void claim_part(struct verifier *v, struct claim *c)
{
	struct endpoint *e = c->endpoint;

	if (!e)
		return;
	list_del(&c->member);
	c->endpoint = NULL;
	if (e->link)
		link_rest(v, e->link);
	endpoint_settle(&v->endpoints, e);
}

static void claim_join(struct verifier *v, struct claim *c, struct endpoint *e)
{
	c->joined = true;
	struct verify_link *link = e->link;

	list_add_tail(&e->members, &c->member);
	c->endpoint = e;
	if (link)
		list_del(&link->idle);
	if (!link)
		claim_move(v, c, CLAIM_UNDIALLED);
	else if (link->up && !link->closing)
		claim_move(v, c, CLAIM_READY);
	else
		claim_move(v, c, CLAIM_DIALLING);
}

/* -- the end of a claim -- */

void claim_detach(struct verifier *v, struct claim *c)
{
	struct asker *a = c->asker;

	claim_move(v, c, CLAIM_ENDED);
	claim_part(v, c);
	if (c->lookup)
		lookup_release(&v->lookups, c->lookup);
	c->lookup = NULL;
	if (c->pair && c->pair->claim == c)
		c->pair->claim = NULL;
	list_del(&c->all);
	if (--a->n_claims == 0) {
		source_release(&v->sources, a->budget, v->now);
		a->budget = NULL;
	}
}

/* What says nothing about the peer teaches nothing. */
static void claim_teach(struct verifier *v, const struct claim *c, enum verify_outcome outcome)
{
	bool valid = outcome == VERIFY_VALID;

	if (outcome == VERIFY_OVERLOAD || outcome == VERIFY_INTERNAL || c->cancelled)
		return;
	if (c->state == CLAIM_ASKED)
		asker_learn(c->asker, valid);
	if (c->led)
		source_learn(&v->sources, c->asker->budget, valid);
}

void claim_end(struct verifier *v, struct claim *c, enum verify_outcome outcome)
{
	claim_teach(v, c, outcome);
	claim_detach(v, c);
	if (!c->cancelled) {
		v->stats.outcomes[outcome]++;
		v->ops->done(v->ctx, c, outcome, c->tried ? &c->authority : NULL);
	}
	mem_free(c);
}

/* -- from places to a link -- */

/* All of its places had failed within the minute before it came. One that did not fail just now
 * gets another chance: a server that was restarted is back within seconds. */
static bool claim_retries(struct verifier *v, struct claim *c)
{
	const struct lookup *l = c->lookup;

	for (unsigned i = 0; !c->joined && i < l->n; i++) {
		struct endpoint *e = endpoint_get(&v->endpoints, &l->places[i], claim_from(c),
			v->now);

		if (!e || v->now + HOLD_ADDRESS_MS < e->failed_until + HOLD_REDIAL_MS)
			continue;
		c->candidate = (uint8_t)i;
		c->authority = l->places[i].addr;
		claim_join(v, c, e);
		return true;
	}
	return false;
}

void claim_advance(struct verifier *v, struct claim *c)
{
	const struct lookup *l = c->lookup;

	for (; c->candidate < l->n; c->candidate++) {
		const struct place *at = &l->places[c->candidate];
		struct endpoint *e = endpoint_get(&v->endpoints, at, claim_from(c), v->now);

		if (!e) {
			claim_end(v, c, VERIFY_OVERLOAD);
			return;
		}
		c->authority = at->addr;
		c->tried = true;
		if (v->now >= e->failed_until) {
			claim_join(v, c, e);
			return;
		}
		c->reached |= e->reached;
	}
	if (!claim_retries(v, c))
		claim_end(v, c, c->reached ? VERIFY_TIMEOUT : VERIFY_UNREACHABLE);
}
