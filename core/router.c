/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/router_impl.h"

#include "core/base/log.h"
#include "core/component.h"
#include "core/forward.h"
#include "core/inbound.h"
#include "core/outward.h"
#include "core/shares.h"
#include "core/worker.h"
#include "dialback/receive.h"

/* A source that fed another route this recently is not paused for one that is full: that would
 * hold up its other pairs. */
#define MIXED_MS 1000

_Static_assert(FORWARD_ROOM <= BOUNCE_MAX, "the worker's scratch has room for two addresses");
_Static_assert(FORWARD_GROWTH <= BOUNCE_MAX, "what was longer than it came can be read again");

const char parsers_differ[] = "two parsers of this router do not read it alike";

/* -- bounces -- */

/* An error counts as what it answers. */
static void bounce_to_backend(struct worker *w, const struct backend *b, struct span bounce,
	uint64_t whose)
{
	struct route *r = route_of(w->routes, b);

	/* While we drain nobody will log in any more: what is not sent now never is. */
	if (r &&
		(!w->draining || route_is_far(r) ||
			(route_link(r) && component_open(route_link(r)))) &&
		route_answer(r, bounce, whose))
		STATS_INC(&w->stats, bounced);
	else
		STATS_INC(&w->stats, bounce_undeliverable);
}

struct span domain_read(struct address *a, struct span raw)
{
	return address_read(a, raw) ? domain_span(&a->domain) : SPAN_NONE;
}

uint64_t router_whose(struct worker *w, const struct frame *f)
{
	struct address from, to;

	return shares_key(w->share_seed, domain_read(&from, f->from), domain_read(&to, f->to));
}

struct span bounce_make(struct worker *w, const struct frame *f, enum stanza_error e,
	const char *text)
{
	struct writer out = WRITER(w->scratch);
	struct address from, to;

	if (!bounce_wanted(f) ||
		!bounce_write(&out, f, e, span_str(w->config->name), span_str(text))) {
		STATS_INC(&w->stats, bounce_suppressed);
		return SPAN_NONE;
	}
	LOG(LOG_INFO, "stanza-returned", text, LF_SPAN("from", domain_read(&from, f->from)),
		LF_SPAN("to", domain_read(&to, f->to)), LF_STR("condition", stanza_error_name(e)));
	return writer_span(&out);
}

void router_bounce(struct worker *w, const struct frame *f, enum stanza_error e, const char *text)
{
	struct span bounce = bounce_make(w, f, e, text);
	const struct host *host = NULL;
	struct address from, to;
	bool known;

	if (bounce.n == 0)
		return;
	known = address_read(&from, f->from);
	if (known)
		host = registry_find(w->hosting->registry, domain_span(&from.domain));
	if (host && host->kind == HOST_SERVED)
		bounce_to_backend(w, host->backend, bounce,
			shares_key(w->share_seed, domain_read(&to, f->to),
				domain_span(&from.domain)));
	else if (known && !host && address_read(&to, f->to))
		outward_error(w, domain_span(&to.domain), domain_span(&from.domain), bounce);
	else
		STATS_INC(&w->stats, bounce_undeliverable);
}

struct returning {
	struct worker *w;
	enum stanza_error e;
	const char *text;
};

static void router_return_one(void *ctx, const struct frame *f)
{
	const struct returning *r = ctx;

	router_bounce(r->w, f, r->e, r->text);
}

void router_return(struct worker *w, struct span stanza, enum stanza_error e, const char *text)
{
	struct returning r = { w, e, text };

	router_each_stanza(w, stanza, router_return_one, &r);
}

/* Never without a word. */
static void stanzas_lost(struct worker *w, struct scan *s, size_t bytes)
{
	LOG(LOG_ERROR, "stanzas-lost", s ? scan_reason(s) : "no memory to look at what was queued",
		LF_INT("bytes", bytes));
	STATS_INC(&w->stats, stanzas_lost);
	if (s)
		scan_free(s);
}

void router_each_stanza(struct worker *w, struct span content,
	void (*fn)(void *ctx, const struct frame *f), void *ctx)
{
	static const char header[] =
		"<stream:stream xmlns='jabber:component:accept'"
		" xmlns:stream='http://etherx.jabber.org/streams'"
		" xmlns:db='jabber:server:dialback'>"
		"                                                                ";
	const size_t header_len = sizeof(header) - 1 - SCAN_PAD;
	/* Splices may have made a stanza longer than it came. */
	struct scan *s = scan_new((uint32_t)w->config->max_stanza + BOUNCE_MAX);
	struct frame f;
	size_t at = 0;

	if (!s || scan(s, header, header_len, &f) != SCAN_HEADER) {
		stanzas_lost(w, s, content.n);
		return;
	}
	while (at < content.n) {
		enum scan_result r = scan(s, content.p + at, content.n - at, &f);

		if (r == SCAN_FRAME && f.kind <= FRAME_IQ)
			fn(ctx, &f);
		if (r != SCAN_FRAME && r != SCAN_SPACE)
			break;
		at += f.len;
	}
	/* What ends the content in order is our own </stream:stream>. */
	if (scan_error(s) != SCAN_E_NONE)
		stanzas_lost(w, s, content.n - at);
	else
		scan_free(s);
}

/* -- from other servers -- */

/* May this source be stopped while the route is full? Only if it feeds nothing else. */
static bool inbound_feeds_only(struct inbound *in, struct route *r)
{
	if (in->last_route != r) {
		if (in->last_route)
			in->mixed_until = in->s.w->now + MIXED_MS;
		in->last_route = r;
	}
	return in->s.w->now >= in->mixed_until;
}

/* The backend is down, or its queue fills up. */
static void press_outside(struct inbound *in, const struct frame *f, struct route *r,
	const struct pair *p, const struct span *pieces, unsigned n, bool pausable)
{
	/* A pair has its share of a full queue whatever the spelling. */
	uint64_t whose = p
		? shares_key(in->s.w->share_seed, pair_from(in->pairs, p), pair_to(in->pairs, p))
		: router_whose(in->s.w, f);
	bool pause;
	enum route_result res = route_press(r, pieces, n, whose, pausable, &pause);

	if (route_refused(res)) {
		router_bounce(in->s.w, f, STANZA_RESOURCE_CONSTRAINT, route_refusal(r, res));
	} else if (pause && !(in->pausing & PAUSE_ROUTE)) {
		STATS_INC(&in->s.w->stats, sources_paused);
		inbound_pause(in, PAUSE_ROUTE);
		route_wait(r, &in->waiter);
	}
}

/* p: the pair, NULL if there is none. */
static void forward_outside(struct inbound *in, const struct frame *f, struct route *r,
	const struct pair *p, const struct splice *edits)
{
	struct span pieces[SPLICE_PIECES];
	unsigned n = splice_pieces(edits, pieces);
	bool pausable = inbound_feeds_only(in, r);

	if (unlikely(!route_stanza(r, pieces, n)))
		press_outside(in, f, r, p, pieces, n, pausable);
}

struct route *route_to(struct worker *w, const struct frame *f, const struct backend *b)
{
	struct route *r = route_of(w->routes, b);

	if (!r)
		router_bounce(w, f, STANZA_RESOURCE_CONSTRAINT, "no memory for the route");
	return r;
}

/* The route of a hosted domain; NULL after the stanza was answered. */
static struct route *target_route(struct worker *w, const struct frame *f, struct span domain)
{
	const struct host *host = registry_find(w->hosting->registry, domain);

	if (!host || host->kind != HOST_SERVED) {
		router_bounce(w, f, STANZA_REMOTE_SERVER_NOT_FOUND,
			"the domain is no longer hosted here");
		return NULL;
	}
	return route_to(w, f, host->backend);
}

/* May `from` still speak to `to`? A reload may have said otherwise (rows 4, 6 and 12 of 2.4). */
static bool pair_permitted(const struct inbound *in, struct span from, struct span to)
{
	const struct hosting *h = in->s.w->hosting;
	struct policy_rule rule = policy_pair(h->policy, from, to);
	const char *why;

	if (hosting_serves(h, from) || rule.block)
		return false;
	if (rule.tls == TLS_REQUIRED && !inbound_is_secure(in))
		return false;
	return !rule.require_strong || inbound_proves(in, from, &why);
}

/* Asked once per pair and reload. False: the pair is no longer valid. */
static bool pair_review(struct inbound *in, struct pair *p)
{
	struct worker *w = in->s.w;

	p->route = NULL;
	p->route_gen = w->route_gen;
	if (pair_permitted(in, pair_from(in->pairs, p), pair_to(in->pairs, p)))
		return true;
	receive_revoke(in->pairs, p, DB_POLICY_VIOLATION, w->now);
	LOG(LOG_WARN, "pair-revoked", "registry or policy no longer permits it",
		LF_SPAN("from", pair_from(in->pairs, p)), LF_SPAN("to", pair_to(in->pairs, p)));
	return false;
}

static inline bool pair_usable(struct inbound *in, struct pair *p)
{
	return p && p->state == PAIR_VALID &&
		(likely(p->route_gen == in->s.w->route_gen) || pair_review(in, p));
}

/* It was valid until a reload, which is no fault of the peer's: its other pairs stay (O-25). A
 * claim that policy refuses makes no pair. */
static bool pair_revoked(const struct pair *p)
{
	return p && p->state == PAIR_REFUSED && p->refusal == DB_POLICY_VIOLATION;
}

static struct route *pair_route(struct inbound *in, const struct frame *f, struct pair *p)
{
	if (unlikely(!p->route))
		p->route = target_route(in->s.w, f, pair_to(in->pairs, p));
	return p->route;
}

bool stanza_sound(struct worker *w, const struct splice *edits, const struct jid *from,
	const struct jid *to)
{
	const struct forward_fault *fault = forward_fault(edits, from, to);

	if (unlikely(fault))
		router_bounce(w, edits->f, fault->error, fault->why);
	return !fault;
}

/* The decision for a stanza whose pair the table does not know by this spelling (8.3). */
static void outside_undecided(struct inbound *in, const struct frame *f, struct pair *p,
	const struct address *from, const struct address *to)
{
	struct span sender = domain_span(&from->domain), target = domain_span(&to->domain);
	struct writer room = WRITER(in->s.w->scratch);
	const struct host *host;
	struct splice edits;
	struct route *r;

	if (!p && !pairs_sender_valid(in->pairs, sender)) {
		stream_fail_about(&in->s, "invalid-from",
			"a stanza from a domain that was not proven on this stream", sender,
			target);
		return;
	}
	host = registry_find(in->s.w->hosting->registry, target);
	if (!p && !host) {
		stream_fail_about(&in->s, "host-unknown", "a stanza to a domain not hosted here",
			sender, target);
		return;
	}
	if (!p && host->kind == HOST_GONE) {
		stream_fail_about(&in->s, "host-gone", "a stanza to a domain no longer hosted",
			sender, target);
		return;
	}
	STATS_INC(&in->s.w->stats, stanzas_in);
	forward_begin(&edits, f, in->s.scan, lang_span(&in->lang));
	if (!stanza_sound(in->s.w, &edits, &from->jid, &to->jid))
		return;
	if (!p &&
		(in->s.w->config->pair_check == PAIR_CHECK_STRICT ||
			!pair_permitted(in, sender, target))) {
		router_bounce(in->s.w, f, STANZA_FORBIDDEN,
			"the sender's domain was proven for another domain only");
		return;
	}
	r = p ? pair_route(in, f, p) : target_route(in->s.w, f, target);
	if (!r)
		return;
	forward_addresses(&edits, &room, from, to);
	forward_outside(in, f, r, p, &edits);
}

/* Unknown spelling, references in the address, or no such pair: by canonical form. */
static void outside_slowly(struct inbound *in, const struct frame *f)
{
	struct address from, to;
	struct pair *p;

	if (pairs_count(in->pairs, PAIR_VALID) == 0) {
		stream_fail_about(&in->s, "not-authorized", "a stanza before any domain was proven",
			f->from, f->to);
		return;
	}
	if (!address_read(&from, f->from) || !address_read(&to, f->to)) {
		stream_fail_about(&in->s, "improper-addressing",
			"a stanza without from and to of valid domains", f->from, f->to);
		return;
	}
	p = pairs_get(in->pairs, domain_span(&from.domain), domain_span(&to.domain));
	if (!pair_usable(in, p)) {
		if (pair_revoked(p)) {
			STATS_INC(&in->s.w->stats, stanzas_in);
			router_bounce(in->s.w, f, STANZA_POLICY_VIOLATION,
				"registry or policy no longer permits this pair");
			return;
		}
		p = NULL;
	}
	if (p && !(f->flags & FRAME_ADDR_DECODED))
		pairs_remember(in->pairs, p, jid_domain(f->from), jid_domain(f->to));
	outside_undecided(in, f, p, &from, &to);
}

void router_from_outside(struct inbound *in, const struct frame *f)
{
	struct pairs_hit hit = { NULL, false };
	struct splice edits;
	struct route *r;
	struct jid from, to;

	if (likely(!(f->flags & FRAME_ADDR_DECODED) && jid_split(f->from, &from) &&
		    jid_split(f->to, &to)))
		hit = pairs_find(in->pairs, from.domain, to.domain);
	if (unlikely(!pair_usable(in, hit.pair))) {
		outside_slowly(in, f);
		return;
	}
	STATS_INC(&in->s.w->stats, stanzas_in);
	forward_begin(&edits, f, in->s.scan, lang_span(&in->lang));
	if (!stanza_sound(in->s.w, &edits, &from, &to))
		return;
	r = pair_route(in, f, hit.pair);
	if (unlikely(!r))
		return;
	if (unlikely(!hit.canonical))
		forward_domains(&edits, &from, pair_from(in->pairs, hit.pair), &to,
			pair_to(in->pairs, hit.pair));
	forward_outside(in, f, r, hit.pair, &edits);
}

void router_refuse_outside(struct inbound *in, const struct frame *f)
{
	struct address from;

	if (pairs_count(in->pairs, PAIR_VALID) == 0) {
		outside_slowly(in, f); /* nothing may be said to it but that */
		return;
	}
	STATS_INC(&in->s.w->stats, stanzas_in);
	if (address_read(&from, f->from) &&
		pairs_sender_valid(in->pairs, domain_span(&from.domain)))
		router_bounce(in->s.w, f, STANZA_INTERNAL_SERVER_ERROR, parsers_differ);
	else
		STATS_INC(&in->s.w->stats, bounce_suppressed);
}
