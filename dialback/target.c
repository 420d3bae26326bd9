/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Targets and senders: what is known of them, and whose names are looked up. */
#include "core/base/mem.h"
#include "dialback/initiate_impl.h"

/* net/dns keeps what it has found for as long as that holds: asking anew costs nothing. */
#define NAMES_FRESH_MS 1000

/* Cookies of look-ups: who asked. */
#define COOKIE_SENDER 1u

struct span target_name(const struct target *t)
{
	return span_of(t->domain, t->len);
}

/* -- senders -- */

struct sender *sender_get(struct initiator *i, struct span domain)
{
	uint64_t hash = hash_sip(&i->key, domain);
	struct table_node *n = table_first(&i->senders, hash);
	struct sender *s;

	for (; n; n = table_next(n)) {
		s = container_of(n, struct sender, node);
		if (span_eq(span_of(s->domain, s->len), domain))
			return s;
	}
	s = mem_try_zalloc(sizeof(*s) + domain.n);
	if (!s)
		return NULL;
	list_init(&s->pairs);
	list_init(&s->lane);
	list_init(&s->turn);
	list_init(&s->to_open);
	list_init(&s->open_turn);
	s->len = (uint16_t)domain.n;
	memcpy(s->domain, domain.p, domain.n);
	table_add(&i->senders, &s->node, hash);
	return s;
}

void sender_rest(struct initiator *i, struct sender *s)
{
	if (!list_empty(&s->pairs) || !list_empty(&s->lane) || !list_empty(&s->turn) || s->cookie ||
		!list_empty(&s->to_open) || s->links > 0 || s->looking > 0 || s->opening > 0)
		return;
	table_del(&i->senders, &s->node);
	mem_free(s);
}

static void sender_queue(struct initiator *i, struct sender *s)
{
	if (list_empty(&s->turn))
		list_add_tail(&i->round, &s->turn);
}

bool sender_known(struct initiator *i, struct sender *s)
{
	if (!i->ops->is_ours)
		return true;
	if (!s->unsure && i->now < s->known_until)
		return true;
	s->unsure = true;
	sender_queue(i, s);
	return false;
}

/* A failure says nothing: a tenant must not lose its streams for a moment without DNS. */
static void sender_resolved(struct initiator *i, struct sender *s, enum out_resolution how,
	const struct place *places, unsigned n)
{
	bool failed = how == OUT_LOOK_UP_FAILED;

	s->cookie = 0;
	s->unsure = false;
	s->known_until = i->now + (failed ? HOLD_TRANSIENT_MS : HOLD_SENDER_MS);
	if (!failed)
		s->foreign = how == OUT_NONE || how == OUT_FORBIDDEN ||
			(how == OUT_FOUND && !i->ops->is_ours(i->ctx, places, n));
	if (s->foreign && !failed) {
		i->stats.foreign++;
		i->ops->step(i->ctx, span_of(s->domain, s->len), SPAN_NONE, OUT_STEP_FOREIGN, NULL,
			NULL);
	}
	list_each(l, &s->pairs)
	{
		struct out_pair *p = container_of(l, struct out_pair, of_sender);

		if (p->state != OUT_PAIR_WAITING)
			continue;
		list_del(&p->at);
		target_want(i, p->target, p);
	}
	sender_rest(i, s);
}

/* -- targets -- */

struct target *target_find(struct initiator *i, struct span domain)
{
	struct table_node *n = table_first(&i->targets, hash_sip(&i->key, domain));

	for (; n; n = table_next(n)) {
		struct target *t = container_of(n, struct target, node);

		if (span_eq(target_name(t), domain))
			return t;
	}
	return NULL;
}

struct target *target_get(struct initiator *i, struct span domain)
{
	struct target *t = target_find(i, domain);

	if (t)
		return t;
	t = mem_try_zalloc(sizeof(*t) + domain.n);
	if (!t)
		return NULL;
	list_init(&t->stirred);
	list_init(&t->unsure);
	list_init(&t->waiting);
	list_init(&t->failed);
	list_init(&t->seats);
	list_init(&t->watching);
	list_init(&t->resting);
	list_init(&t->in_lane);
	list_init(&t->again.link);
	t->len = (uint16_t)domain.n;
	memcpy(t->domain, domain.p, domain.n);
	list_add_tail(&i->all_targets, &t->link);
	table_add(&i->targets, &t->node, hash_sip(&i->key, domain));
	return t;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static bool target_is_needed(const struct target *t)
{
	return t->pairs > 0 || !list_empty(&t->seats) || t->names == NAMES_WAITING ||
		t->names == NAMES_ASKED;
}

static void target_unrest(struct initiator *i, struct target *t)
{
	i->n_resting -= !list_empty(&t->resting);
	list_del(&t->resting);
}

static void target_free(struct initiator *i, struct target *t)
{
	target_unrest(i, t);
	list_del(&t->again.link);
	list_del(&t->stirred);
	list_del(&t->watching);
	list_del(&t->link);
	table_del(&i->targets, &t->node);
	mem_free(t->places);
	mem_free(t);
}

/* What is known of it is worth keeping for a while after its last pair. */
void target_rest(struct initiator *i, struct target *t)
{
	uint64_t until = later(later(t->known_until, t->trusted_until),
		later(t->solo_until, t->not_before));

	if (target_is_needed(t))
		return;
	if (i->now >= until) {
		target_free(i, t);
		return;
	}
	list_del(&t->again.link);
	wheel_add(&i->target_wheel, &t->again, until, i->now);
	target_unrest(i, t);
	list_add_tail(&i->resting, &t->resting);
	i->n_resting++;
}

void targets_forget(struct initiator *i)
{
	while (i->n_resting > LIMIT_OUT_RESTING) {
		struct target *t = list_first(&i->resting, struct target, resting);

		target_unrest(i, t);
		if (!target_is_needed(t))
			target_free(i, t);
	}
}

void target_stir(struct initiator *i, struct target *t)
{
	if (list_empty(&t->stirred))
		list_add_tail(&i->stirred, &t->stirred);
}

void target_due(struct initiator *i, struct target *t)
{
	if (list_empty(&t->waiting))
		target_rest(i, t);
	else
		target_stir(i, t);
}

/* Twice as long each time, up to `most`, less up to a half of it by chance: not all shall come
 * back at the same moment (rule 1.7). */
static uint64_t delay_after(struct initiator *i, unsigned failures, uint64_t first, uint64_t most)
{
	uint64_t ms = first;

	for (unsigned n = 1; n < failures && ms < most; n++)
		ms *= 2;
	if (ms > most)
		ms = most;
	return ms - i->ops->below((uint32_t)(ms / 2) + 1);
}

static uint64_t hold_after(struct initiator *i, const struct target *t, enum out_failure how)
{
	switch (how) {
	case OUT_NO_TLS:
	case OUT_NO_AUTH:
		return HOLD_POLICY_MS;
	case OUT_NO_SERVICE:
		return HOLD_ABSENT_MS; /* and net/dns knows for how long */
	default:
		break;
	}
	/* Held it is in any case: without that nobody who waits would be told. */
	if (t->failures <= 1)
		return 1 + i->ops->below(HOLD_FIRST_MS);
	return delay_after(i, t->failures, HOLD_FIRST_MS, HOLD_OUT_MAX_MS);
}

/* On a stream that is up, or still ending. */
static bool target_has_proved(const struct target *t)
{
	list_each(at, &t->seats)
	{
		if (container_of(at, struct seat, of_target)->l->proved)
			return true;
	}
	return false;
}

/* A server that was there a moment ago is being restarted: stanzas wait. The others' senders are
 * told at once. A resolver that does not answer, and what we lack, say nothing about the domain. */
static bool target_is_patient(const struct initiator *i, const struct target *t,
	enum out_failure how)
{
	if (how == OUT_NO_ANSWER_DNS || how == OUT_FULL)
		return true;
	return (how == OUT_UNREACHABLE || how == OUT_NO_STREAM) &&
		(i->now < t->trusted_until || target_has_proved(t));
}

void target_fail(struct initiator *i, struct target *t, enum out_failure how, const char *condition)
{
	t->reason = (struct out_reason){ how, condition };
	t->failures++;
	if (t->names == NAMES_FOUND)
		t->names = NAMES_NONE;
	i->ops->step(i->ctx, SPAN_NONE, target_name(t), OUT_STEP_FAILED, NULL, &t->reason);
	if (target_is_patient(i, t, how)) {
		t->not_before = i->now +
			delay_after(i, t->failures, 2000, LIMIT_DNS_FAILURE_S * 1000);
	} else {
		uint64_t hold = hold_after(i, t, how);

		t->held_until = i->now + hold;
		t->known_until = t->held_until + later(hold, HOLD_FIRST_MS);
	}
	target_stir(i, t);
	target_rest(i, t);
}

/* One that had not lived for long is not opened again at once. */
static void lost(struct initiator *i, uint16_t *losses, uint64_t *not_before, bool lived,
	bool shut_down)
{
	if (lived)
		*losses = 0;
	if (shut_down)
		*not_before = i->now + i->ops->below(LIMIT_PARK_MS);
	else if (*losses > 0)
		*not_before = i->now + delay_after(i, *losses, 1000, LIMIT_PARK_MS);
	*losses += *losses < UINT16_MAX;
}

void target_lost(struct initiator *i, struct target *t, bool lived, bool shut_down)
{
	lost(i, &t->losses, &t->not_before, lived, shut_down);
}

void out_pair_lost(struct initiator *i, struct out_pair *p, bool lived, bool shut_down)
{
	lost(i, &p->losses, &p->not_before, lived, shut_down);
}

/* -- names -- */

bool target_names(struct initiator *i, struct target *t, struct sender *s)
{
	if (t->names == NAMES_FOUND && i->now < t->found_at + NAMES_FRESH_MS)
		return true;
	if (t->names == NAMES_ASKED || (t->names == NAMES_WAITING && !list_empty(&s->lane)))
		return false;
	t->names = NAMES_WAITING;
	list_del(&t->in_lane);
	list_add_tail(&s->lane, &t->in_lane);
	sender_queue(i, s);
	return false;
}

void target_want(struct initiator *i, struct target *t, struct out_pair *p)
{
	list_add_tail(&t->waiting, &p->at);
	target_stir(i, t);
	if (t->names == NAMES_WAITING)
		(void)target_names(i, t, p->sender);
	if (!list_empty(&t->watching))
		out_link_hasten(i, t->watched_link, p->sender);
}

void target_wake(struct initiator *i, struct target *t)
{
	list_del(&t->watching);
	t->watched = true;
	target_stir(i, t);
}

static void target_resolved(struct initiator *i, struct target *t, enum out_resolution how,
	const struct place *places, unsigned n)
{
	static const enum out_failure failure[] = {
		[OUT_FOUND] = OUT_NO_ANSWER_DNS, /* no memory for it */
		[OUT_FOUND_HERE] = OUT_NO_ANSWER_DNS,
		[OUT_NONE] = OUT_NO_SERVICE,
		[OUT_LOOK_UP_FAILED] = OUT_NO_ANSWER_DNS,
		[OUT_FORBIDDEN] = OUT_UNREACHABLE,
		[OUT_OURS] = OUT_NO_SERVICE,
	};
	struct place *copy = NULL;

	t->cookie = 0;
	t->names = NAMES_NONE;
	if ((how == OUT_FOUND || how == OUT_FOUND_HERE) && n > 0)
		copy = mem_try_alloc(n * sizeof(*copy));
	if (!copy) {
		target_fail(i, t, failure[how], NULL);
		return;
	}
	memcpy(copy, places, n * sizeof(*copy));
	mem_free(t->places);
	t->places = copy;
	t->n_places = n;
	t->names = NAMES_FOUND;
	t->found_at = i->now;
	i->ops->step(i->ctx, SPAN_NONE, target_name(t), OUT_STEP_LOOKED_UP, &places[0], NULL);
	target_stir(i, t);
	target_rest(i, t); /* nobody may be waiting any more */
}

void initiator_resolved(struct initiator *i, uint64_t cookie, enum out_resolution how,
	const struct place *places, unsigned n, uint64_t now)
{
	struct table_node *node = table_first(&i->cookies, cookie);
	struct sender *asker;

	BUG_ON(!node);
	i->now = now;
	i->looking--;
	table_del(&i->cookies, node);
	n = n < LIMIT_CANDIDATES ? n : LIMIT_CANDIDATES;
	if (cookie & COOKIE_SENDER) {
		sender_resolved(i, container_of(node, struct sender, by_cookie), how, places, n);
		return;
	}
	asker = container_of(node, struct target, by_cookie)->asker;
	target_resolved(i, container_of(node, struct target, by_cookie), how, places, n);
	asker->looking--;
	if (!list_empty(&asker->lane))
		sender_queue(i, asker);
	sender_rest(i, asker);
}

static void sender_ask(struct initiator *i, struct sender *s)
{
	i->looking++;
	i->cookie += 2;
	s->cookie = i->cookie | COOKIE_SENDER;
	table_add(&i->cookies, &s->by_cookie, s->cookie);
	i->ops->resolve(i->ctx, span_of(s->domain, s->len), s->cookie);
}

static void target_ask(struct initiator *i, struct sender *s, struct target *t)
{
	i->looking++;
	s->looking++;
	t->asker = s;
	i->cookie += 2;
	t->cookie = i->cookie;
	t->names = NAMES_ASKED;
	table_add(&i->cookies, &t->by_cookie, t->cookie);
	i->ops->resolve(i->ctx, target_name(t), t->cookie);
}

/* One look-up of each sender in turn. */
void senders_look_up(struct initiator *i)
{
	for (unsigned n = 0;
		n < LIMIT_OUT_LOOKUPS && i->looking < LIMIT_OUT_LOOKUPS && !list_empty(&i->round);
		n++) {
		struct sender *s = list_first(&i->round, struct sender, turn);
		bool itself = s->unsure && s->cookie == 0;
		struct target *t = NULL;

		list_del(&s->turn);
		if (!itself && s->looking && s->looking >= LIMIT_OUT_LOOKUPS - i->looking)
			continue; /* the others' slots: it goes on with its next answer */
		if (!itself && !list_empty(&s->lane)) {
			t = list_first(&s->lane, struct target, in_lane);
			list_del(&t->in_lane);
		}
		if (!list_empty(&s->lane))
			sender_queue(i, s);
		if (itself)
			sender_ask(i, s);
		else if (t)
			target_ask(i, s, t);
		else
			sender_rest(i, s);
	}
}
