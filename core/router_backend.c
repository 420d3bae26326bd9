/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stanzas from backends: to hosted domains, and to others. */
#include "core/base/log.h"
#include "core/component.h"
#include "core/outward.h"
#include "core/router_impl.h"
#include "core/shares.h"
#include "core/worker.h"

/* Over the link that the stanza came on, whatever its sender is. */
static void answer_link(struct component *c, const struct frame *f, enum stanza_error e,
	const char *text)
{
	struct span bounce = bounce_make(c->s.w, f, e, text);

	if (bounce.n == 0)
		return;
	if (!component_write(c, &bounce, 1, false)) {
		STATS_INC(&c->s.w->stats, bounce_undeliverable);
		return;
	}
	STATS_INC(&c->s.w->stats, bounced);
	STATS_INC(&c->s.w->stats, stanzas_out);
	STATS_ADD(&c->s.w->stats, bytes_routed, bounce.n);
}

void router_refuse_backend(struct component *c, const struct frame *f)
{
	STATS_INC(&c->s.w->stats, stanzas_from_backends);
	answer_link(c, f, STANZA_INTERNAL_SERVER_ERROR, parsers_differ);
}

/* A sender that is not the backend's own: the link survives unless it speaks for one domain only,
 * where such a stanza cannot be a slip of one tenant (rule 6.7, T-G28). */
static void backend_overstepped(struct component *c, const struct frame *f,
	const struct backend *own)
{
	struct address from;

	LOG(LOG_WARN, "backend-overstepped", "a stanza from a domain that is not the backend's",
		LF_STR("backend", c->backend), LF_SPAN("from", domain_read(&from, f->from)));
	if (own && own->domains == 1 && own->wildcards == 0) {
		stream_fail(&c->s, "invalid-from", NULL,
			"the component sent a stanza from another domain");
		return;
	}
	STATS_INC(&c->s.w->stats, stanzas_from_backends);
	answer_link(c, f, STANZA_NOT_ALLOWED, "this backend does not have the sender's domain");
}

/* -- the pair -- */

/* Where stanzas of this pair go, once the registry has been asked. */
static void forward_local(struct component *c, const struct frame *f, const struct splice *edits,
	struct route *r, struct span from, struct span to)
{
	struct worker *w = c->s.w;
	struct span pieces[SPLICE_PIECES];
	unsigned n = splice_pieces(edits, pieces);
	enum route_result res = ROUTE_SENT;

	/* A backend is not paused: it has others to write to, and to answer. */
	if (unlikely(!route_stanza(r, pieces, n)))
		res = route_press(r, pieces, n, shares_key(w->share_seed, from, to), false, NULL);
	if (route_refused(res))
		router_bounce(w, f, STANZA_RESOURCE_CONSTRAINT, route_refusal(r, res));
	else
		STATS_INC(&w->stats, stanzas_local);
}

/* r NULL: the target is on another server. */
static void forward_pair(struct component *c, const struct frame *f, const struct splice *edits,
	struct route *r, struct span from, struct span to)
{
	struct span pieces[SPLICE_PIECES];
	struct outward_refusal why;
	unsigned n;

	if (r) {
		forward_local(c, f, edits, r, from, to);
		return;
	}
	n = splice_pieces(edits, pieces);
	if (!outward_stanza(c->s.w, from, to, pieces, n, &why))
		router_bounce(c->s.w, f, why.error, why.text);
}

/* When it is full it is begun anew: those in use are soon there again. */
static void known_renew(struct component *c)
{
	struct pairs *fresh;

	if (likely(pairs_total(c->known) < LIMIT_BACKEND_PAIRS))
		return;
	fresh = pairs_new(LIMIT_BACKEND_PAIRS);
	if (!fresh)
		return;
	pairs_free(c->known);
	c->known = fresh;
}

/* Its domains by this spelling are found at once from now on, until the next reload. */
static void pair_note(struct component *c, const struct frame *f, const struct address *from,
	const struct address *to, struct route *r)
{
	struct span sender = domain_span(&from->domain), target = domain_span(&to->domain);
	struct pair *p;

	known_renew(c);
	p = pairs_add(c->known, sender, target, c->s.w->now);
	if (!p)
		return;
	p->route = r;
	p->route_gen = c->s.w->route_gen;
	if (!(f->flags & FRAME_ADDR_DECODED))
		pairs_remember(c->known, p, jid_domain(f->from), jid_domain(f->to));
}

/* Whatever its name: users write to addresses that no domain can have, and their server lets them. That
 * is no reason to end the link of all. */
static bool names_a_domain(struct span raw)
{
	char text[LIMIT_JID + 1];
	struct jid jid;
	size_t n;

	return raw.p && jid_decode(raw, text, sizeof(text), &n) &&
		jid_split(span_of(text, n), &jid);
}

/* The registry is asked: is the sender the backend's own, and where is the target? */
static void backend_undecided(struct component *c, const struct frame *f)
{
	struct worker *w = c->s.w;
	const struct backend *own = registry_backend_named(w->hosting->registry, c->backend);
	const struct host *host;
	struct writer room = WRITER(w->scratch);
	struct address from, to;
	struct route *r = NULL;
	struct splice edits;

	if (!address_read(&from, f->from) || !names_a_domain(f->to)) {
		stream_fail(&c->s, "improper-addressing", NULL,
			"a stanza without from and to of valid domains");
		return;
	}
	host = registry_find(w->hosting->registry, domain_span(&from.domain));
	if (!own || !host || host->kind != HOST_SERVED || host->backend != own) {
		backend_overstepped(c, f, own);
		return;
	}
	STATS_INC(&w->stats, stanzas_from_backends);
	if (!address_read(&to, f->to)) {
		router_bounce(w, f, STANZA_JID_MALFORMED, "no domain can have that name");
		return;
	}
	forward_begin(&edits, f, c->s.scan, lang_span(&c->lang));
	if (!stanza_sound(w, &edits, &from.jid, &to.jid))
		return;
	host = registry_find(w->hosting->registry, domain_span(&to.domain));
	if (host && host->kind != HOST_SERVED) {
		router_bounce(w, f, STANZA_REMOTE_SERVER_NOT_FOUND,
			"the domain is no longer hosted here");
		return;
	}
	if (host && !(r = route_to(w, f, host->backend)))
		return;
	pair_note(c, f, &from, &to, r);
	forward_addresses(&edits, &room, &from, &to);
	forward_pair(c, f, &edits, r, domain_span(&from.domain), domain_span(&to.domain));
}

void router_from_backend(struct component *c, const struct frame *f)
{
	struct pairs_hit hit = { NULL, false };
	struct worker *w = c->s.w;
	struct span sender, target;
	struct splice edits;
	struct jid from, to;

	if (likely(!(f->flags & FRAME_ADDR_DECODED) && jid_split(f->from, &from) &&
		    jid_split(f->to, &to)))
		hit = pairs_find(c->known, from.domain, to.domain);
	if (unlikely(!hit.pair || hit.pair->route_gen != w->route_gen)) {
		backend_undecided(c, f);
		return;
	}
	STATS_INC(&w->stats, stanzas_from_backends);
	forward_begin(&edits, f, c->s.scan, lang_span(&c->lang));
	if (!stanza_sound(w, &edits, &from, &to))
		return;
	sender = pair_from(c->known, hit.pair);
	target = pair_to(c->known, hit.pair);
	if (unlikely(!hit.canonical))
		forward_domains(&edits, &from, sender, &to, target);
	forward_pair(c, f, &edits, hit.pair->route, sender, target);
}
