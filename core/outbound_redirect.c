/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/outbound_impl.h"
#include "core/worker.h"
#include "net/resolve.h"

/*
 * <see-other-host/> on a stream that is being opened (protocol rule 1.10). Whoever has proven
 * the domain may say where else it is; there the stream begins anew, with the same header, and
 * what that server is asked to prove is what the first one was. The initiator hears nothing of it:
 * to it the link is still being opened.
 *
 *   outbound_redirected   the error came: is it to be followed?
 *   outbound_follow       its connection is gone: dialling, from here on
 *   outbound_go           the next turn: an address is dialled, a name looked up
 *   outbound_resolved     and dialled
 */

static const char *may_follow(const struct outbound *o)
{
	const char *why;

	if (o->phase == OUTBOUND_UP)
		return "the stream was open already";
	if (!outbound_proves(o, span_str(o->opening.to), &why))
		return "the server has not proven the domain by certificate";
	if (o->hops >= LIMIT_REDIRECTS)
		return "there were too many before";
	return NULL;
}

static const char *redirect_take(struct outbound *o, struct span text)
{
	struct redirect *r = mem_try_zalloc(sizeof(*r));
	const char *why = NULL;

	if (!r)
		return "no memory";
	if (!redirect_parse(text, r))
		why = "it names neither a domain nor an address";
	else if (r->n > 0)
		(void)resolve_allowed(o->w->rules, &r->places[0].addr, &why);
	if (why) {
		mem_free(r);
		return why;
	}
	mem_free(o->redirect);
	o->redirect = r;
	return NULL;
}

void outbound_redirected(struct outbound *o, struct span text)
{
	const char *why;
	char peer[ADDR_TEXT];

	if (!o->w->config->follow_redirect)
		return;
	why = may_follow(o);
	if (!why)
		why = redirect_take(o, text);
	addr_format(conn_peer(o->s.conn), peer);
	if (why) {
		LOG(LOG_INFO, "outbound-redirect-refused",
			"the server names another one, which is not followed", LF_STR("peer", peer),
			LF_STR("from", o->opening.from), LF_STR("to", o->opening.to),
			LF_SPAN("other", text), LF_STR("why", why));
		return;
	}
	LOG(LOG_INFO, "outbound-redirected", "the server names another one, which is tried",
		LF_STR("peer", peer), LF_STR("from", o->opening.from), LF_STR("to", o->opening.to),
		LF_SPAN("other", text));
	o->follows = true;
}

bool outbound_follows(const struct outbound *o)
{
	return o->follows && !o->lost && !o->w->draining;
}

/* As after outbound_open: nothing that the last server said holds for the next one. */
void outbound_follow(struct outbound *o)
{
	struct worker *w = o->w;

	STATS_INC(&w->stats, redirects_followed);
	o->hops++;
	o->phase = OUTBOUND_DIALLING;
	o->follows = o->aborted = o->refused = o->authenticated = o->tls_offered = false;
	o->dialback = o->errors = o->told = false;
	o->condition = NULL;
	mem_free((char *)(uintptr_t)o->id.p);
	o->id = SPAN_NONE;
	identity_free(o->identity);
	o->identity = NULL;
	o->unproven = NULL;
	o->max_bytes = o->idle_ms = 0;
	o->foreign = 0;
	o->opening.asked = false;
	list_add_tail(&w->dialling, &o->dialling);
	timer_set(w->wheel, &o->timer, w->now);
}

static void redirect_dial(struct outbound *o)
{
	if (!outbound_dial(o, o->redirect->places, o->redirect->n))
		outbound_down(o, OUT_LOSS_OVERLOAD);
}

void outbound_go(struct outbound *o)
{
	if (o->redirect->n > 0) {
		redirect_dial(o);
		return;
	}
	o->lookup = o->s.serial | RESOLVE_REDIRECT; /* of the stream that was before: used once */
	resolve_host(o->w->resolver, domain_span(&o->redirect->host), o->redirect->port, o->lookup,
		o->w->now);
}

/* They are few: LIMIT_OUT_OPENING. NULL: it has ended meanwhile. */
static struct outbound *redirect_find(struct worker *w, uint64_t cookie)
{
	list_each(at, &w->dialling)
	{
		struct outbound *o = container_of(at, struct outbound, dialling);

		if (o->lookup == cookie)
			return o;
	}
	return NULL;
}

void outbound_resolved(struct worker *w, uint64_t cookie, const struct resolve_answer *a)
{
	struct outbound *o = redirect_find(w, cookie);

	if (!o)
		return;
	o->lookup = 0;
	if (a->status != RESOLVE_FOUND) {
		LOG(LOG_INFO, "outbound-redirect-lost", a->detail, LF_STR("from", o->opening.from),
			LF_STR("to", o->opening.to),
			LF_SPAN("other", domain_span(&o->redirect->host)));
		outbound_down(o, OUT_LOSS_NEGOTIATION);
		return;
	}
	o->redirect->n = a->n;
	memcpy(o->redirect->places, a->places, a->n * sizeof(a->places[0]));
	redirect_dial(o);
}
