/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/source.h"

#include "core/base/mem.h"

#define TOKEN 1000u /* thousandths; LIMIT_DIALS_PER_S of them come each millisecond */
#define BUCKET (LIMIT_DIALS_PER_S * TOKEN)
#define TOKEN_MS ((TOKEN + LIMIT_DIALS_PER_S - 1) / LIMIT_DIALS_PER_S) /* until one has come */

#define KEEP_MS 600000 /* a budget without a claim */
#define PRUNE 16 /* forgotten at most in one turn */

void sources_init(struct sources *ss)
{
	hash_key_random(&ss->key);
	table_init(&ss->sources);
	table_init(&ss->dialers);
	list_init(&ss->lookup_ready);
	list_init(&ss->dial_ready);
	list_init(&ss->dial_parked);
	list_init(&ss->idle);
}

static void source_drop(struct table_node *n)
{
	mem_free(container_of(n, struct verify_source, node));
}

static void dialer_drop(struct table_node *n)
{
	mem_free(container_of(n, struct dialer, node));
}

void sources_free(struct sources *ss)
{
	table_free(&ss->sources, source_drop);
	table_free(&ss->dialers, dialer_drop);
}

static uint64_t ip_hash(const struct sources *ss, const struct addr *a)
{
	return hash_sip(&ss->key, span_of((const char *)a->ip, sizeof(a->ip)));
}

/* -- dialling -- */

static struct dialer *dialer_hold(struct sources *ss, const struct addr *from)
{
	struct addr prefix = addr_prefix(from, 24, 48);
	uint64_t hash = ip_hash(ss, &prefix);
	struct dialer *d;

	for (struct table_node *n = table_first(&ss->dialers, hash); n; n = table_next(n)) {
		d = container_of(n, struct dialer, node);
		if (memcmp(d->ip, prefix.ip, sizeof(d->ip)) == 0) {
			d->refs++;
			return d;
		}
	}
	d = mem_try_zalloc(sizeof(*d));
	if (!d)
		return NULL;
	memcpy(d->ip, prefix.ip, sizeof(d->ip));
	list_init(&d->lanes);
	list_init(&d->turn);
	d->tokens = BUCKET;
	d->refs = 1;
	table_add(&ss->dialers, &d->node, hash);
	return d;
}

static void dialer_unhold(struct sources *ss, struct dialer *d)
{
	if (--d->refs)
		return;
	list_del(&d->turn);
	table_del(&ss->dialers, &d->node);
	mem_free(d);
}

void dialer_wake(struct sources *ss, struct dialer *d)
{
	if (!list_empty(&d->lanes) && list_empty(&d->turn) && d->open < LIMIT_DIALS_OPEN)
		list_add_tail(&ss->dial_ready, &d->turn);
}

static void dialer_refill(struct dialer *d, uint64_t now)
{
	uint64_t passed = now > d->refilled_at ? now - d->refilled_at : 0;
	uint64_t come = passed >= 1000 ? BUCKET : passed * LIMIT_DIALS_PER_S;

	d->tokens = come >= BUCKET - d->tokens ? BUCKET : d->tokens + (uint32_t)come;
	d->refilled_at = now;
}

bool dialer_take(struct sources *ss, struct dialer *d, uint64_t now)
{
	list_del(&d->turn);
	if (d->open >= LIMIT_DIALS_OPEN)
		return false; /* dialer_release wakes it */
	dialer_refill(d, now);
	if (d->tokens < TOKEN) {
		/* The same wait for all keeps the list in order; by then a token has come. */
		d->wake_at = now + TOKEN_MS;
		list_add_tail(&ss->dial_parked, &d->turn);
		return false;
	}
	d->tokens -= TOKEN;
	d->open++;
	d->refs++;
	return true;
}

void dialer_release(struct sources *ss, struct dialer *d)
{
	d->open--;
	dialer_wake(ss, d);
	dialer_unhold(ss, d);
}

void dialers_unpark(struct sources *ss, uint64_t now)
{
	while (!list_empty(&ss->dial_parked)) {
		struct dialer *d = list_first(&ss->dial_parked, struct dialer, turn);

		if (d->wake_at > now)
			break;
		list_del(&d->turn);
		dialer_wake(ss, d);
	}
}

/* -- looking up -- */

static void source_forget(struct sources *ss, struct verify_source *s)
{
	list_del(&s->idle);
	list_del(&s->turn);
	table_del(&ss->sources, &s->node);
	dialer_unhold(ss, s->dialer);
	mem_free(s);
}

static bool sources_room(struct sources *ss)
{
	if (ss->sources.count < LIMIT_SOURCES)
		return true;
	if (list_empty(&ss->idle))
		return false;
	source_forget(ss, list_first(&ss->idle, struct verify_source, idle));
	return true;
}

static struct verify_source *source_new(struct sources *ss, const struct addr *from,
	const struct addr *prefix, uint64_t hash)
{
	struct verify_source *s = sources_room(ss) ? mem_try_zalloc(sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	s->dialer = dialer_hold(ss, from);
	if (!s->dialer) {
		mem_free(s);
		return NULL;
	}
	memcpy(s->ip, prefix->ip, sizeof(s->ip));
	list_init(&s->lanes);
	list_init(&s->turn);
	list_init(&s->idle);
	s->window = LIMIT_LOOKUPS_MIN;
	s->refs = 1;
	table_add(&ss->sources, &s->node, hash);
	return s;
}

struct verify_source *source_hold(struct sources *ss, const struct addr *from)
{
	struct addr prefix = addr_prefix(from, 32, 64);
	uint64_t hash = ip_hash(ss, &prefix);

	for (struct table_node *n = table_first(&ss->sources, hash); n; n = table_next(n)) {
		struct verify_source *s = container_of(n, struct verify_source, node);

		if (memcmp(s->ip, prefix.ip, sizeof(s->ip)) == 0) {
			list_del(&s->idle);
			s->refs++;
			return s;
		}
	}
	return source_new(ss, from, &prefix, hash);
}

void source_release(struct sources *ss, struct verify_source *s, uint64_t now)
{
	if (--s->refs)
		return;
	s->idle_since = now;
	list_add_tail(&ss->idle, &s->idle);
}

void source_wake(struct sources *ss, struct verify_source *s)
{
	if (!list_empty(&s->lanes) && list_empty(&s->turn) && s->in_flight < s->window)
		list_add_tail(&ss->lookup_ready, &s->turn);
}

void source_lookup_begin(struct verify_source *s)
{
	s->in_flight++;
	s->refs++;
}

void source_lookup_end(struct sources *ss, struct verify_source *s, uint64_t now)
{
	s->in_flight--;
	source_wake(ss, s);
	source_release(ss, s, now);
}

void source_learn(struct sources *ss, struct verify_source *s, bool valid)
{
	if (!valid) {
		if (s->window > LIMIT_LOOKUPS_MIN)
			s->window /= 2;
		s->streak = 0;
	} else if (++s->streak >= s->window) {
		s->window = 2 * s->window < LIMIT_LOOKUPS_MAX ? 2 * s->window : LIMIT_LOOKUPS_MAX;
		s->streak = 0;
		source_wake(ss, s);
	}
}

void source_silence(struct verify_source *s)
{
	if (s->window > LIMIT_LOOKUPS_SILENT)
		s->window /= 2;
	s->streak = 0;
}

void sources_prune(struct sources *ss, uint64_t now)
{
	for (unsigned i = 0; i < PRUNE && !list_empty(&ss->idle); i++) {
		struct verify_source *s = list_first(&ss->idle, struct verify_source, idle);

		if (s->idle_since + KEEP_MS > now)
			break;
		source_forget(ss, s);
	}
}
