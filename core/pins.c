/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slot 0 of the table has a domain's key and decides: without it the domain is not known.
 * Slot 1 has the key before. That there is one is noted in slot 0, so that when slot 1
 * alone has been displaced a key that is not in slot 0 is taken for the forgotten one.
 */
#include "core/pins.h"

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "dialback/identity.h"
#include "dialback/vcache.h"

#define HAS_BEFORE 1 /* detail of slot 0: slot 1 was filled, too */

_Static_assert(IDENTITY_KEY == VCACHE_SPKI, "SHA-256 of a SubjectPublicKeyInfo");

struct pins {
	struct vcache *cache;
};

struct pins *pins_new(uint64_t now)
{
	struct pins *p = mem_zalloc(sizeof(*p));

	p->cache = vcache_new(LIMIT_PINS, now);
	return p;
}

void pins_free(struct pins *p)
{
	if (p)
		vcache_free(p->cache);
	mem_free(p);
}

/* A domain, a key or none, and what the two slots have. */
struct memory {
	struct vcache_key k[2];
	struct vcache_fact slot[2];
	enum pin pin;
};

static bool is_there(const struct vcache_fact *f)
{
	return f->verdict != VERDICT_NONE;
}

static bool is_this(const struct vcache_fact *f)
{
	return is_there(f) && !f->other;
}

static enum pin judge(const struct memory *m, bool by_key)
{
	if (!is_there(&m->slot[0]))
		return PIN_NEW;
	if (!by_key)
		return PIN_WEAKER;
	if (is_this(&m->slot[0]) || is_this(&m->slot[1]))
		return PIN_KNOWN;
	if (m->slot[0].detail == HAS_BEFORE && !is_there(&m->slot[1]))
		return PIN_NEW;
	return PIN_CHANGED;
}

static void recall(struct pins *p, struct span domain, struct span spki, uint64_t now,
	struct memory *m)
{
	*m = (struct memory){ .pin = PIN_NEW };
	for (unsigned i = 0; i < 2; i++)
		m->k[i] = vcache_key_pin(p->cache, domain, i, spki);
	m->slot[0] = vcache_peek(p->cache, m->k[0], now);
	if (m->slot[0].detail == HAS_BEFORE)
		m->slot[1] = vcache_peek(p->cache, m->k[1], now);
	m->pin = judge(m, spki.n > 0);
}

enum pin pins_look(struct pins *p, struct span domain, struct span spki, uint64_t now)
{
	struct memory m;

	recall(p, domain, spki, now, &m);
	return m.pin;
}

/* A word that is lost, because another thread writes there or all room is taken, is said again
 * with the next proof. */
static void write_slot(struct pins *p, struct vcache_key k, struct vcache_fact fact, uint64_t now)
{
	(void)!vcache_put(p->cache, k, fact, HOLD_PIN_MS, now);
}

/* What a slot knows is so again: from time to time that is written down. */
static void renew(struct pins *p, struct vcache_key k, struct vcache_fact fact, uint64_t now)
{
	uint64_t age = HOLD_PIN_MS - (uint64_t)fact.left_s * 1000;

	if (age < (fact.weak ? PIN_SETTLES_MS : PIN_RENEWS_MS))
		return;
	fact.weak = false;
	write_slot(p, k, fact, now);
}

/* The first slot's key becomes the one before. */
static void change(struct pins *p, const struct memory *m, uint64_t now)
{
	struct vcache_key before = { m->k[1].name, m->slot[0].value };
	struct vcache_fact fact = { .verdict = VERDICT_VALID, .weak = m->slot[0].weak };

	write_slot(p, before, fact, now);
	fact.detail = HAS_BEFORE;
	write_slot(p, m->k[0], fact, now);
}

static void begin(struct pins *p, struct vcache_key k, uint64_t now)
{
	const struct vcache_fact fresh = { .verdict = VERDICT_VALID, .weak = true };
	struct vcache_fact there;

	/* If another thread was first, its key counts. */
	(void)!vcache_put_absent(p->cache, k, fresh, HOLD_PIN_MS, now, &there);
}

void pins_keep(struct pins *p, struct span domain, struct span spki, uint64_t now)
{
	struct memory m;

	BUG_ON(spki.n != IDENTITY_KEY);
	recall(p, domain, spki, now, &m);
	if (!is_there(&m.slot[0]))
		begin(p, m.k[0], now);
	else if (is_this(&m.slot[0]))
		renew(p, m.k[0], m.slot[0], now);
	else if (is_this(&m.slot[1]))
		renew(p, m.k[1], m.slot[1], now);
	else
		change(p, &m, now);
}

void pins_forget(struct pins *p, struct span domain, uint64_t now)
{
	struct memory m;

	recall(p, domain, SPAN_NONE, now, &m);
	for (unsigned i = 0; i < 2; i++)
		if (is_there(&m.slot[i]))
			(void)!vcache_drop(p->cache, m.k[i]);
}
