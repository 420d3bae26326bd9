/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Claims and events come in here, and the turn sends out what may be sent. How a
 * claim moves is in progress.c; budgets are in source.c, name look-ups in lookup.c,
 * endpoints and links in endpoint.c.
 */
#include "dialback/verify.h"

#include "core/base/mem.h"
#include "dialback/pairs.h"
#include "dialback/progress.h"

/* A question is one short element; a turn's worth of them stays below the bytes of a turn. */
#define ASKS_PER_TURN 256
#define DIALS_PER_TURN 32
#define SILENCE_MS 3000 /* without an answer: the name server does not answer at all */

_Static_assert(TIMEOUT_VERIFY_MS <= WHEEL_MAX_MS, "the wheel goes far enough");
_Static_assert(LIMIT_CANDIDATES <= UINT8_MAX, "claim.candidate counts them");

const char *verify_outcome_name(enum verify_outcome o)
{
	static const char *const names[VERIFY_OUTCOMES] = {
		[VERIFY_VALID] = "valid",
		[VERIFY_INVALID] = "invalid",
		[VERIFY_NOT_FOUND] = "not-found",
		[VERIFY_UNREACHABLE] = "unreachable",
		[VERIFY_TIMEOUT] = "timeout",
		[VERIFY_NOT_ACCEPTABLE] = "not-acceptable",
		[VERIFY_OVERLOAD] = "overload",
		[VERIFY_INTERNAL] = "internal",
	};

	BUG_ON((unsigned)o >= VERIFY_OUTCOMES);
	return names[o];
}

struct verifier *verifier_new(const struct verify_ops *ops, void *ctx)
{
	struct verifier *v = mem_zalloc(sizeof(*v));

	v->ops = ops;
	v->ctx = ctx;
	hash_key_random(&v->key);
	sources_init(&v->sources);
	lookups_init(&v->lookups);
	endpoints_init(&v->endpoints);
	table_init(&v->asked);
	wheel_init(&v->wheel);
	list_init(&v->paused);
	list_init(&v->ready);
	list_init(&v->idle);
	return v;
}

static void claims_drop(struct verifier *v, struct list *deadlines)
{
	list_each_safe(pos, tmp, deadlines)
	{
		struct claim *c = container_of(pos, struct claim, deadline.link);

		if (c->lookup)
			lookup_release(&v->lookups, c->lookup);
		mem_free(c);
	}
}

/* Neither askers nor pairs are touched: they may be gone already. */
void verifier_free(struct verifier *v)
{
	if (!v)
		return;
	claims_drop(v, &v->paused);
	for (unsigned i = 0; i < WHEEL_SLOTS; i++)
		claims_drop(v, &v->wheel.slots[i]);
	table_free(&v->asked, NULL);
	endpoints_free(&v->endpoints);
	lookups_free(&v->lookups);
	sources_free(&v->sources);
	mem_free(v);
}

const struct verify_stats *verifier_stats(const struct verifier *v)
{
	return &v->stats;
}

/* -- claims -- */

void asker_init(struct asker *a, void *user)
{
	a->user = user;
	list_init(&a->claims);
	lane_init(&a->waiting);
	lane_init(&a->undialled);
	lane_init(&a->ready);
	a->budget = NULL;
	a->n_claims = a->in_flight = a->streak = 0;
	a->window = LIMIT_KEYS_MIN;
}

struct claim *verifier_claim(struct verifier *v, struct asker *a, struct pair *pair,
	struct span from, struct span to, struct span raw_from, struct span raw_to, struct span key,
	uint64_t now)
{
	struct claim *c = claim_new(a, pair, from, to, raw_from, raw_to, key);

	if (!c)
		return NULL;
	v->now = now;
	if (!a->budget)
		a->budget = source_hold(&v->sources, &a->source);
	if (!a->budget) {
		mem_free(c);
		return NULL;
	}
	if (pair) {
		BUG_ON(pair->claim);
		pair->claim = c;
	}
	a->n_claims++;
	list_add_tail(&a->claims, &c->all);
	v->stats.claims++;
	claim_move(v, c, CLAIM_WAITING);
	return c;
}

/*
 * One that was asked already stays, without its pair, to take its own answer: the
 * same pair may be claimed anew with another key, and the answers would be alike.
 */
void verifier_cancel(struct verifier *v, struct claim *c)
{
	BUG_ON(c->cancelled);
	if (c->state != CLAIM_ASKED) {
		claim_detach(v, c);
		mem_free(c);
		return;
	}
	if (c->pair && c->pair->claim == c)
		c->pair->claim = NULL;
	c->pair = NULL;
	c->cancelled = true;
}

/* Here no question can come again: a stream's id is never used twice. */
void verifier_cancel_all(struct verifier *v, struct asker *a)
{
	while (!list_empty(&a->claims)) {
		struct claim *c = list_first(&a->claims, struct claim, all);

		/* The link is gone when this is called for a claim that was lost with it. */
		if (c->state == CLAIM_ASKED && c->endpoint->link)
			c->endpoint->link->orphans++;
		claim_detach(v, c);
		mem_free(c);
	}
}

/* -- look-ups -- */

/* c's time begins. */
static void claim_begin(struct verifier *v, struct claim *c)
{
	struct verify_source *s = c->asker->budget;
	struct lookup *l = lookup_find(&v->lookups, claim_from(c), v->now);
	bool join = l != NULL;

	if (!l)
		l = lookup_new(&v->lookups, claim_from(c));
	if (!l) {
		claim_end(v, c, VERIFY_OVERLOAD);
		return;
	}
	lookup_hold(l);
	c->lookup = l;
	if (join && !l->resolving) {
		claim_advance(v, c);
		return;
	}
	claim_move(v, c, CLAIM_RESOLVING);
	if (join)
		return;
	c->led = true;
	l->source = s;
	l->begun_at = v->now;
	source_lookup_begin(s);
	v->stats.lookups++;
	lookup_hold(l); /* the domain must outlive an answer from inside */
	v->ops->resolve(v->ctx, span_of(l->domain, l->len), l->cookie);
	lookup_release(&v->lookups, l);
}

static enum verify_outcome resolution_outcome(enum verify_resolution how)
{
	switch (how) {
	case RESOLUTION_FAILED:
	case RESOLUTION_FORBIDDEN:
		return VERIFY_UNREACHABLE;
	case RESOLUTION_DIRECT_ONLY:
		return VERIFY_NOT_ACCEPTABLE;
	case RESOLUTION_FOUND:
	case RESOLUTION_NONE:
		break;
	}
	return VERIFY_NOT_FOUND;
}

void verifier_resolved(struct verifier *v, uint64_t cookie, enum verify_resolution how,
	const struct place *places, unsigned n, uint64_t now)
{
	struct lookup *l = lookup_by_cookie(&v->lookups, cookie);
	enum verify_outcome outcome = resolution_outcome(how);

	v->now = now;
	if (!l)
		return;
	if (how == RESOLUTION_FAILED && now >= l->begun_at + SILENCE_MS)
		source_silence(l->source);
	source_lookup_end(&v->sources, l->source, now);
	l->source = NULL;
	if (!lookup_settle(&v->lookups, l, places, how == RESOLUTION_FOUND ? n : 0, now))
		outcome = VERIFY_OVERLOAD;
	/* Nobody is added: whoever joins now finds the places, or no look-up. */
	while (!list_empty(&l->claims)) {
		struct claim *c = list_first(&l->claims, struct claim, queue);

		if (l->n)
			claim_advance(v, c);
		else
			claim_end(v, c, outcome);
	}
	lookup_release(&v->lookups, l);
}

/* -- links -- */

/* c was undialled and its dialer has granted the dial. */
static void endpoint_dial(struct verifier *v, struct claim *c, struct dialer *payer)
{
	struct endpoint *e = c->endpoint;
	struct verify_link *link = link_new(e, claim_from(c));

	if (!link) {
		dialer_release(&v->sources, payer);
		claim_end(v, c, VERIFY_OVERLOAD);
		return;
	}
	link->payer = payer;
	list_each(pos, &e->members)
		claim_move(v, container_of(pos, struct claim, member), CLAIM_DIALLING);
	v->stats.links++;
	if (v->ops->dial(v->ctx, link, &e->place, claim_to(c), claim_from(c)))
		return;
	dialer_release(&v->sources, payer);
	link_free(link);
	e->pins++;
	while (!list_empty(&e->members))
		claim_end(v, list_first(&e->members, struct claim, member), VERIFY_OVERLOAD);
	e->pins--;
	endpoint_settle(&v->endpoints, e);
}

/* The connection is not being opened any more. */
static void link_opened(struct verifier *v, struct verify_link *link)
{
	if (link->payer)
		dialer_release(&v->sources, link->payer);
	link->payer = NULL;
}

void verifier_link_connected(struct verify_link *link)
{
	link->connected = true;
}

void verifier_link_up(struct verifier *v, struct verify_link *link, uint64_t now)
{
	v->now = now;
	BUG_ON(link->up);
	link->connected = link->up = true;
	link_opened(v, link);
	list_each(pos, &link->endpoint->members)
		claim_move(v, container_of(pos, struct claim, member), CLAIM_READY);
	link_rest(v, link);
}

/* -- the loss of a link -- */

struct loss {
	enum verify_loss how;
	bool was_up, was_connected, answered;
	struct span culprit; /* whose question or header was answered with host-unknown */
};

/* Whom an authority that says host-unknown means: it answers questions in their order. */
static struct span link_culprit(const struct verify_link *link)
{
	if (list_empty(&link->asked))
		return span_of(link->header_to, link->header_to_len);
	return claim_from(list_first(&link->asked, struct claim, queue));
}

/* May c, which was not asked, wait for another link? Each gets a second one; more only while
 * links are of some use. */
static bool claim_may_wait(const struct claim *c, const struct loss *loss)
{
	if (c->state == CLAIM_ASKED)
		return false;
	return loss->how == LOSS_HOST_UNKNOWN || (loss->was_up && (loss->answered || !c->lost));
}

static void claim_lost_link(struct verifier *v, struct claim *c, const struct loss *loss)
{
	if (loss->how == LOSS_UNREACHABLE) {
		c->reached |= loss->was_connected;
		claim_part(v, c);
		c->candidate++;
		claim_advance(v, c);
	} else if (loss->how == LOSS_TLS_REQUIRED) {
		claim_end(v, c, VERIFY_NOT_ACCEPTABLE);
	} else if (loss->how == LOSS_OVERLOAD) {
		claim_end(v, c, VERIFY_OVERLOAD);
	} else if (loss->how == LOSS_HOST_UNKNOWN && span_eq(claim_from(c), loss->culprit)) {
		/* Another of its targets may know it, unless this one was asked (T-Q10, T-R7). */
		if (c->state != CLAIM_ASKED && c->candidate + 1u < c->lookup->n) {
			claim_part(v, c);
			c->candidate++;
			claim_advance(v, c);
			return;
		}
		claim_end(v, c, VERIFY_NOT_FOUND);
	} else if (claim_may_wait(c, loss)) {
		claim_part(v, c);
		c->lost = true;
		claim_advance(v, c);
	} else {
		claim_end(v, c, VERIFY_TIMEOUT);
	}
}

/* Everybody who was at e; the link is gone from it already. */
static void endpoint_lost_link(struct verifier *v, struct endpoint *e, const struct loss *loss)
{
	struct list lost;

	list_init(&lost);
	list_splice_tail(&lost, &e->members);
	/* Some will join e again, which is why they are not looked for there. */
	while (!list_empty(&lost))
		claim_lost_link(v, list_first(&lost, struct claim, member), loss);
}

void verifier_link_sent(struct verifier *v, struct verify_link *link, uint32_t n)
{
	list_each_safe(pos, next, &link->asked)
	{
		struct claim *c = container_of(pos, struct claim, queue);

		if (c->question < n)
			continue;
		if (c->cancelled) {
			claim_detach(v, c);
			mem_free(c);
		} else {
			claim_move(v, c, CLAIM_DIALLING);
		}
	}
}

void verifier_link_down(struct verifier *v, struct verify_link *link, enum verify_loss how,
	uint64_t now)
{
	struct endpoint *e = link->endpoint;
	struct loss loss = { .how = how,
		.was_up = link->up,
		.was_connected = link->connected,
		.answered = link->answers > 0 };
	struct span culprit = link_culprit(link);
	char name[LIMIT_DOMAIN];

	v->now = now;
	if (how == LOSS_UNREACHABLE && link->up)
		loss.how = LOSS_CLOSED;
	memcpy(name, culprit.p, culprit.n);
	loss.culprit = span_of(name, culprit.n);
	link_opened(v, link);
	e->pins++;
	list_del(&link->idle);
	e->link = NULL;
	if (loss.how == LOSS_UNREACHABLE) {
		e->reached = loss.was_connected;
		endpoint_failed(&v->endpoints, e, now);
	}
	if (loss.how == LOSS_HOST_UNKNOWN)
		endpoint_set_apart(&v->endpoints, &e->place, loss.culprit, now);
	endpoint_lost_link(v, e, &loss);
	link_free(link);
	e->pins--;
	endpoint_settle(&v->endpoints, e);
}

/* -- answers -- */

static struct claim *question_find(const struct verifier *v, const struct verify_link *link,
	struct span from, struct span to, struct span id)
{
	struct table_node *n = table_first(&v->asked, question_hash(v, link, from, to, id));

	for (; n; n = table_next(n)) {
		struct claim *c = container_of(n, struct claim, asked);

		if (c->endpoint->link == link && span_eq(claim_from(c), from) &&
			span_eq(claim_to(c), to) && span_eq(claim_id(c), id))
			return c;
	}
	return NULL;
}

bool verifier_answer(struct verifier *v, struct verify_link *link, struct span from, struct span to,
	struct span id, enum answer answer, uint64_t now)
{
	struct claim *c = question_find(v, link, from, to, id);

	v->now = now;
	if (c) {
		link->answers++;
		link->silent = false;
		claim_end(v, c,
			answer == ANSWER_VALID		   ? VERIFY_VALID
				: answer == ANSWER_INVALID ? VERIFY_INVALID
							   : VERIFY_NOT_FOUND);
		return true;
	}
	if (link->orphans) {
		link->orphans--;
		return true;
	}
	v->stats.unmatched++;
	return false;
}

/* -- the turn -- */

/* Out of time. What it was waiting for tells what was wrong. */
static enum verify_outcome claim_expired(const struct claim *c)
{
	struct verify_link *link = c->endpoint ? c->endpoint->link : NULL;

	if (!link || !link->connected)
		return c->reached ? VERIFY_TIMEOUT : VERIFY_UNREACHABLE;
	if (c->state == CLAIM_ASKED) {
		link->orphans++;
		link->silent = true;
	}
	return VERIFY_TIMEOUT;
}

static void turn_expire(struct verifier *v)
{
	struct deadline *d;

	while ((d = wheel_due(&v->wheel, v->now))) {
		struct claim *c = container_of(d, struct claim, deadline);

		claim_end(v, c, claim_expired(c));
	}
}

static void turn_lookups(struct verifier *v)
{
	struct sources *ss = &v->sources;

	for (unsigned n = 0; n < LIMIT_VERIFY_PER_TURN && !list_empty(&ss->lookup_ready); n++) {
		struct verify_source *s = list_first(&ss->lookup_ready, struct verify_source, turn);
		struct claim *c;

		list_del(&s->turn);
		if (s->in_flight >= s->window)
			continue;
		c = lane_next(&s->lanes);
		if (!c)
			continue;
		/* To the end of the line before anything is called: s may be gone afterwards. */
		source_wake(ss, s);
		claim_begin(v, c);
	}
}

static void turn_dials(struct verifier *v)
{
	struct sources *ss = &v->sources;

	dialers_unpark(ss, v->now);
	for (unsigned n = 0; n < DIALS_PER_TURN && !list_empty(&ss->dial_ready); n++) {
		struct dialer *d = list_first(&ss->dial_ready, struct dialer, turn);

		/* The lanes move on only when one of them is served. */
		if (list_empty(&d->lanes)) {
			list_del(&d->turn);
		} else if (dialer_take(ss, d, v->now)) {
			struct claim *c = lane_next(&d->lanes);

			dialer_wake(ss, d);
			endpoint_dial(v, c, d);
		}
	}
}

/* The claims that wait for this link wait for its end, and then for another. */
static void link_closing(struct verifier *v, struct verify_link *link)
{
	link->closing = true;
	list_each(pos, &link->endpoint->members)
	{
		struct claim *c = container_of(pos, struct claim, member);

		if (c->state == CLAIM_READY)
			claim_move(v, c, CLAIM_DIALLING);
	}
}

static void turn_asks(struct verifier *v)
{
	for (unsigned n = 0; n < ASKS_PER_TURN && !list_empty(&v->ready); n++) {
		struct claim *c = lane_next(&v->ready);
		struct verify_link *link = c->endpoint->link;
		struct asker *a = c->asker;

		if (a->in_flight >= a->window) {
			list_del(&a->ready.turn);
			continue;
		}
		if (!v->ops->ask(v->ctx, link, claim_to(c), claim_from(c), claim_id(c),
			    claim_key(c))) {
			link_closing(v, link);
			continue;
		}
		v->stats.asked++;
		c->question = link->questions++;
		claim_move(v, c, CLAIM_ASKED);
	}
}

static uint64_t link_idle_until(const struct verify_link *link)
{
	return link->silent ? 0 : link->idle_since + TIMEOUT_IDLE_VERIFY_MS;
}

static void turn_hang_up(struct verifier *v)
{
	while (!list_empty(&v->idle)) {
		struct verify_link *link = list_first(&v->idle, struct verify_link, idle);
		struct endpoint *e = link->endpoint;

		if (v->now < link_idle_until(link))
			break;
		list_del(&link->idle);
		v->ops->hang_up(v->ctx, link);
		link_free(link);
		endpoint_settle(&v->endpoints, e);
	}
}

void verifier_turn(struct verifier *v, uint64_t now)
{
	v->now = now;
	turn_expire(v);
	turn_lookups(v);
	turn_dials(v);
	turn_asks(v);
	turn_hang_up(v);
	sources_prune(&v->sources, now);
	endpoints_prune(&v->endpoints, now);
}

static uint32_t until(uint64_t at, uint64_t now, uint32_t max)
{
	if (at <= now)
		return 0;
	return at - now < max ? (uint32_t)(at - now) : max;
}

uint32_t verifier_next(const struct verifier *v, uint64_t now, uint32_t max)
{
	const struct sources *ss = &v->sources;

	if (!list_empty(&ss->lookup_ready) || !list_empty(&ss->dial_ready) ||
		!list_empty(&v->ready))
		return 0;
	max = wheel_next(&v->wheel, now, max);
	if (!list_empty(&ss->dial_parked))
		max = until(list_first(&ss->dial_parked, struct dialer, turn)->wake_at, now, max);
	if (!list_empty(&v->idle))
		max = until(link_idle_until(list_first(&v->idle, struct verify_link, idle)), now,
			max);
	return max;
}
