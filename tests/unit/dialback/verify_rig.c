/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verify_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

struct rig rig;

static void copy(char *out, size_t size, struct span s)
{
	cr_assert_lt(s.n, size);
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

static unsigned most(unsigned now, unsigned *max)
{
	if (now > *max)
		*max = now;
	return now;
}

/* -- ops -- */

static void on_resolve(void *ctx, struct span domain, uint64_t cookie)
{
	struct rig_lookup *l = &rig.lookups[rig.n_lookups];

	(void)ctx;
	cr_assert_lt(rig.n_lookups++, RIG_MAX);
	copy(l->domain, sizeof(l->domain), domain);
	l->cookie = cookie;
	l->open = true;
	most(++rig.open_lookups, &rig.most_lookups);
	if (rig.resolve_inside)
		rig_resolved(rig.n_lookups - 1, RESOLUTION_FOUND, rig.resolve_inside);
	/* Whoever answers from inside may still want to read it. */
	cr_assert(span_is(domain, l->domain));
}

static bool on_dial(void *ctx, struct verify_link *link, const struct place *to,
	struct span header_from, struct span header_to)
{
	struct rig_link *l = &rig.links[rig.n_links];

	(void)ctx;
	if (rig.refuse_dials)
		return false;
	cr_assert_lt(rig.n_links++, RIG_MAX);
	*l = (struct rig_link){ .link = link, .to = *to, .at = rig.now, .open = true };
	cr_assert(place_eq(verify_link_place(link), to));
	copy(l->header_from, sizeof(l->header_from), header_from);
	copy(l->header_to, sizeof(l->header_to), header_to);
	verify_link_set_user(link, l);
	most(++rig.dialling, &rig.most_dialling);
	return true;
}

static bool on_ask(void *ctx, struct verify_link *link, struct span from, struct span to,
	struct span id, struct span key)
{
	struct rig_link *l = verify_link_user(link);
	struct rig_ask *a = &rig.asks[rig.n_asks];

	(void)ctx;
	cr_assert(l->open && l->up, "asked on a stream that is not up");
	if (rig.refuse_asks)
		return false;
	cr_assert_lt(rig.n_asks++, RIG_MAX);
	a->link = (unsigned)(l - rig.links);
	copy(a->from, sizeof(a->from), from);
	copy(a->to, sizeof(a->to), to);
	copy(a->id, sizeof(a->id), id);
	copy(a->key, sizeof(a->key), key);
	a->open = true;
	most(++rig.open_asks, &rig.most_asks);
	return true;
}

/* The link takes its open questions and its connection attempt with it. */
static void link_gone(struct rig_link *l)
{
	cr_assert(l->open);
	l->open = false;
	rig.dialling -= !l->up;
	for (unsigned i = 0; i < rig.n_asks; i++) {
		if (rig.asks[i].open && rig.asks[i].link == l - rig.links) {
			rig.asks[i].open = false;
			rig.open_asks--;
		}
	}
}

static void on_hang_up(void *ctx, struct verify_link *link)
{
	struct rig_link *l = verify_link_user(link);

	(void)ctx;
	link_gone(l);
	l->hung_up = true;
}

static void on_done(void *ctx, struct claim *c, enum verify_outcome outcome,
	const struct addr *authority)
{
	struct rig_done *d = &rig.done[rig.n_done];

	(void)ctx;
	cr_assert_lt(rig.n_done++, RIG_MAX);
	d->asker = claim_asker(c);
	copy(d->from, sizeof(d->from), claim_from(c));
	d->outcome = outcome;
	d->tried = authority != NULL;
	if (authority)
		d->authority = *authority;
	cr_assert(!claim_pair(c) || !claim_pair(c)->claim);
	if (rig.on_done)
		rig.on_done(c);
}

static const struct verify_ops ops = {
	.resolve = on_resolve,
	.dial = on_dial,
	.ask = on_ask,
	.hang_up = on_hang_up,
	.done = on_done,
};

void rig_begin(void)
{
	rig.v = verifier_new(&ops, NULL);
	rig.now = 1000;
}

void rig_end(void)
{
	verifier_free(rig.v);
}

/* -- the test's side -- */

void rig_asker(struct asker *a, const char *id, const char *source)
{
	snprintf(a->id, sizeof(a->id), "%s", id);
	cr_assert(addr_parse(span_str(source), 40000, &a->source));
	asker_init(a, a);
}

void rig_asker_gone(struct asker *a)
{
	verifier_cancel_all(rig.v, a);
	cr_expect_eq(a->n_claims, 0);
	cr_expect_eq(a->in_flight, 0);
	cr_expect(list_empty(&a->claims));
}

struct claim *rig_claim(struct asker *a, struct pair *p, const char *from, const char *to,
	const char *key)
{
	return verifier_claim(rig.v, a, p, span_str(from), span_str(to), span_str(from),
		span_str(to), span_str(key), rig.now);
}

void rig_flood(struct asker *a, unsigned n, const char *format)
{
	for (unsigned i = 0; i < n; i++) {
		char from[32];

		snprintf(from, sizeof(from), format, i);
		cr_assert_not_null(rig_claim(a, NULL, from, "shop.hosted.test", "K"));
	}
}

void rig_turn(uint64_t ms)
{
	unsigned turns = 0;

	rig.now += ms;
	do {
		unsigned before = rig.n_lookups;

		verifier_turn(rig.v, rig.now);
		cr_assert_leq(rig.n_lookups - before, LIMIT_VERIFY_PER_TURN);
		cr_assert_lt(turns++, 10000, "turns for ever");
	} while (verifier_next(rig.v, rig.now, 1000) == 0);
}

void rig_wait(uint64_t ms)
{
	rig_turn(0);
	for (uint64_t end = rig.now + ms; rig.now < end;) {
		uint32_t step = verifier_next(rig.v, rig.now, (uint32_t)(end - rig.now));

		rig_turn(step ? step : 1);
	}
}

static struct place place_read(struct span s)
{
	struct place at = { .direct = s.p[s.n - 1] == '!' };

	cr_assert(addr_parse(span_of(s.p, s.n - at.direct), 0, &at.addr));
	return at;
}

void rig_resolved(unsigned lookup, enum verify_resolution how, const char *places)
{
	struct rig_lookup *l = &rig.lookups[lookup];
	struct place list[LIMIT_CANDIDATES + 4];
	struct span rest = span_str(places);
	unsigned n = 0;

	while (rest.n) {
		size_t end = span_find(rest, ' ');

		list[n++] = place_read(span_of(rest.p, end));
		rest = span_skip(rest, end < rest.n ? end + 1 : end);
	}
	rig.open_lookups -= l->open;
	l->open = false;
	verifier_resolved(rig.v, l->cookie, how, list, n, rig.now);
	if (!rig.resolve_inside)
		rig_turn(0);
}

void rig_up(unsigned link)
{
	rig.links[link].up = true;
	rig.dialling--;
	verifier_link_up(rig.v, rig.links[link].link, rig.now);
	rig_turn(0);
}

void rig_down(unsigned link, enum verify_loss how)
{
	link_gone(&rig.links[link]);
	verifier_link_down(rig.v, rig.links[link].link, how, rig.now);
	rig_turn(0);
}

bool rig_answer(unsigned ask, enum answer answer)
{
	struct rig_ask *a = &rig.asks[ask];
	bool matched = verifier_answer(rig.v, rig.links[a->link].link, span_str(a->to),
		span_str(a->from), span_str(a->id), answer, rig.now);

	rig.open_asks -= a->open;
	a->open = false;
	rig_turn(0);
	return matched;
}

void rig_answer_all(enum answer answer)
{
	for (unsigned i = 0; i < rig.n_asks; i++)
		if (rig.asks[i].open)
			cr_assert(rig_answer(i, answer));
}

unsigned rig_outcomes(enum verify_outcome o)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rig.n_done; i++)
		n += rig.done[i].outcome == o;
	cr_assert_eq(verifier_stats(rig.v)->outcomes[o], n);
	return n;
}
