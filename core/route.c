/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/route.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/channel.h"
#include "core/component.h"
#include "core/crew.h"
#include "core/router.h"
#include "core/shares.h"
#include "core/stanza.h"
#include "core/worker.h"

struct parked {
	struct list link;
	uint64_t until; /* ms */
	uint32_t len;
	char bytes[]; /* one stanza, SCAN_PAD bytes behind it */
};

struct route {
	struct list link; /* in routes->all */
	struct worker *w;
	struct channel *far; /* NULL: its home is here */
	struct component *component; /* NULL: down */
	struct list parked; /* struct parked, oldest first */
	struct list returned; /* from a link that died: older than all of parked */
	size_t parked_bytes;
	struct list waiters; /* struct route_waiter */
	struct list holding; /* struct inlet, whose credit is held back */
	struct list roomy; /* in routes->roomy while waiters may be woken */
	bool full; /* has been at its bound since it last had room */
	bool stalled;
	uint64_t stalled_at; /* ms */
	struct shares *shares; /* while it is congested; NULL also without memory */
	struct timer expiry;
	char name[]; /* of the backend */
};

struct routes {
	struct worker *w;
	struct list all;
	struct list roomy;
	struct route **by_backend; /* by index in the registry; NULL: not looked for yet */
	unsigned n_backends;
};

static void route_bring(struct route *r, const struct frame *f, bool force);

/* Positions in the registry are those of the current one. */
static void routes_index(struct routes *rs)
{
	mem_free(rs->by_backend);
	rs->n_backends = registry_backends(rs->w->hosting->registry);
	rs->by_backend = mem_array(rs->n_backends + 1, sizeof(*rs->by_backend));
}

struct routes *routes_new(struct worker *w)
{
	struct routes *rs = mem_zalloc(sizeof(*rs));

	rs->w = w;
	list_init(&rs->all);
	list_init(&rs->roomy);
	routes_index(rs);
	return rs;
}

struct component *route_link(const struct route *r)
{
	return r->component;
}

const char *route_name(const struct route *r)
{
	return r->name;
}

static void parked_drop(struct route *r, struct parked *p)
{
	list_del(&p->link);
	r->parked_bytes -= p->len;
	mem_free(p);
}

/* Gives everything that is parked, or what has waited too long, back to its senders. */
static void route_return_parked(struct route *r, bool all, uint64_t now)
{
	while (!list_empty(&r->parked)) {
		struct parked *p = list_first(&r->parked, struct parked, link);

		if (!all && p->until > now)
			break;
		router_return(r->w, span_of(p->bytes, p->len), STANZA_REMOTE_SERVER_TIMEOUT,
			"the server of this domain is down");
		parked_drop(r, p);
	}
}

static void route_expire(struct timer *t, uint64_t now)
{
	struct route *r = container_of(t, struct route, expiry);

	route_return_parked(r, false, now);
	if (!list_empty(&r->parked))
		timer_set(r->w->wheel, t, list_first(&r->parked, struct parked, link)->until);
}

static struct route *route_new(struct routes *rs, const char *name)
{
	size_t n = strlen(name) + 1;
	struct route *r = mem_try_zalloc(sizeof(*r) + n);
	unsigned home = crew_home(rs->w->crew, span_str(name));

	if (r && home != rs->w->number)
		r->far = channel_open(rs->w->channels, home, name, r);
	if (!r || (home != rs->w->number && !r->far)) {
		mem_free(r);
		return NULL;
	}
	r->w = rs->w;
	list_init(&r->parked);
	list_init(&r->returned);
	list_init(&r->waiters);
	list_init(&r->roomy);
	list_init(&r->holding);
	timer_init(&r->expiry, route_expire);
	memcpy(r->name, name, n);
	list_add_tail(&rs->all, &r->link);
	return r;
}

/* Who holds what, when it matters no longer. */
static void route_forget(struct route *r)
{
	shares_free(r->shares);
	r->shares = NULL;
}

/* Each that is woken may fill the route again: then the others go on waiting. */
static void route_wake(struct route *r, bool while_room)
{
	while (!list_empty(&r->waiters) && !(while_room && r->full)) {
		struct route_waiter *waiter = list_first(&r->waiters, struct route_waiter, link);

		list_del(&waiter->link);
		waiter->fn(waiter);
	}
}

static void route_free(struct route *r)
{
	BUG_ON(r->component);
	route_return_parked(r, true, r->w->now);
	route_wake(r, false);
	route_forget(r);
	inlets_release(&r->holding);
	channel_close(r->far);
	timer_stop(&r->expiry);
	for (unsigned i = 0; i < r->w->routes->n_backends; i++)
		if (r->w->routes->by_backend[i] == r)
			r->w->routes->by_backend[i] = NULL;
	list_del(&r->link);
	list_del(&r->roomy);
	mem_free(r);
}

void routes_return_parked(struct routes *rs)
{
	list_each(l, &rs->all)
		route_return_parked(container_of(l, struct route, link), true, rs->w->now);
}

void routes_free(struct routes *rs)
{
	/* While all routes exist: what is returned looks for its sender's. */
	routes_return_parked(rs);
	while (!list_empty(&rs->all))
		route_free(list_first(&rs->all, struct route, link));
	mem_free(rs->by_backend);
	mem_free(rs);
}

static struct route *route_named(struct routes *rs, const char *name)
{
	list_each(l, &rs->all)
	{
		struct route *r = container_of(l, struct route, link);

		if (strcmp(r->name, name) == 0)
			return r;
	}
	return route_new(rs, name);
}

struct route *route_of(struct routes *rs, const struct backend *b)
{
	struct route **cached = &rs->by_backend[b->index];

	if (!*cached)
		*cached = route_named(rs, b->name);
	return *cached;
}

struct route *route_ahead(struct routes *rs, const char *name)
{
	return route_named(rs, name);
}

struct moving {
	struct route *from;
	bool moved;
};

/* Its domain may be another backend's now, which is where it belongs. */
static void parked_move(void *ctx, const struct frame *f)
{
	struct moving *m = ctx;
	struct worker *w = m->from->w;
	struct span s = span_of(f->p, f->len);
	const struct host *host = NULL;
	struct address to;
	struct route *r;

	if (address_read(&to, f->to))
		host = registry_find(w->hosting->registry, domain_span(&to.domain));
	if (!host || host->kind != HOST_SERVED || strcmp(host->backend->name, m->from->name) == 0)
		return;
	r = route_of(w->routes, host->backend);
	if (r)
		route_bring(r, f, false);
	else
		router_return(w, s, STANZA_RESOURCE_CONSTRAINT, "no memory for the route");
	m->moved = true;
}

static void route_move_parked(struct route *r)
{
	list_each_safe(l, tmp, &r->parked)
	{
		struct parked *p = container_of(l, struct parked, link);
		struct moving m = { r, false };

		router_each_stanza(r->w, span_of(p->bytes, p->len), parked_move, &m);
		if (m.moved)
			parked_drop(r, p);
	}
}

void routes_reload(struct routes *rs, const struct registry *was)
{
	rs->w->route_gen++;
	routes_index(rs);
	list_each(l, &rs->all) route_move_parked(container_of(l, struct route, link));
	list_each_safe(l, tmp, &rs->all)
	{
		struct route *r = container_of(l, struct route, link);
		const struct backend *b = registry_backend_named(rs->w->hosting->registry, r->name);

		if (r->component)
			component_review(r->component, was); /* its end takes the route down */
		else if (!b)
			route_free(r);
	}
}

static bool route_park(struct route *r, struct list *where, const struct span *pieces, unsigned n)
{
	size_t len = pieces_len(pieces, n);
	struct parked *p = mem_try_alloc(sizeof(*p) + len + SCAN_PAD);

	if (!p)
		return false;
	p->len = (uint32_t)len;
	/* What comes back stands before what was parked meanwhile, and must not outlive it there. */
	p->until = where == &r->returned && !list_empty(&r->parked)
		? list_first(&r->parked, struct parked, link)->until
		: r->w->now + LIMIT_PARK_MS;
	memset(pieces_put(p->bytes, pieces, n), 0, SCAN_PAD);
	list_add_tail(where, &p->link);
	r->parked_bytes += len;
	if (!timer_armed(&r->expiry))
		timer_set(r->w->wheel, &r->expiry, p->until);
	if (where == &r->parked)
		STATS_INC(&r->w->stats, stanzas_parked);
	else
		STATS_INC(&r->w->stats, stanzas_requeued);
	return true;
}

void route_repark(struct route *r, struct span stanza)
{
	if (!route_park(r, &r->returned, &stanza, 1))
		router_return(r->w, stanza, STANZA_RESOURCE_CONSTRAINT,
			"no memory to keep the stanza");
}

static void route_count(struct route *r, const struct span *pieces, unsigned n, unsigned stanzas)
{
	STATS_ADD(&r->w->stats, stanzas_out, stanzas);
	STATS_ADD(&r->w->stats, bytes_routed, pieces_len(pieces, n));
}

bool route_stanza(struct route *r, const struct span *pieces, unsigned n)
{
	if (r->far)
		return channel_free(r->far) && channel_write(r->far, pieces, n);
	if (!r->component || !component_write(r->component, pieces, n, false))
		return false;
	route_count(r, pieces, n, 1);
	return true;
}

/* -- a queue that fills up -- */

static bool route_is_up(const struct route *r)
{
	return r->component && component_open(r->component);
}

static size_t route_queued(const struct route *r)
{
	if (r->far)
		return channel_used(r->far);
	return route_is_up(r) ? component_queued(r->component) : r->parked_bytes;
}

/* What is kept for a backend that is down does not come out of the budget. */
static size_t route_bound(const struct route *r)
{
	size_t most = r->w->config->queue_bytes, left;

	if (r->far)
		return channel_bound(r->far);
	if (!route_is_up(r))
		return most;
	left = conns_room(r->w->conns);
	return left < most ? left : most;
}

/* Of the reserve, for a source that cannot be paused. What other workers have put here on their
 * credit, which a full queue takes as well, is not at the expense of this one's. */
static size_t route_left(const struct route *r, size_t queued)
{
	size_t bound = route_bound(r), reserve = CHANNEL_CREDIT / 2, most = bound, left;

	if (!r->far) {
		most = r->w->config->queue_bytes + inlets_owed(&r->holding);
		reserve = r->w->config->queue_bytes / 4;
	}
	if (queued > most)
		left = queued - most < reserve ? reserve - (queued - most) : 0;
	else
		left = reserve;
	return bound < left ? bound : left;
}

static void route_share(struct route *r, uint64_t whose, size_t len)
{
	if (!r->shares)
		r->shares = shares_new(r->far ? CHANNEL_CREDIT : r->w->config->queue_bytes);
	shares_add(r->shares, whose, len);
}

/* Until its home says that it is held, what is left of a channel's credit admits any stanza. */
static bool route_is_over(const struct route *r, size_t queued, size_t len)
{
	return r->far && !channel_held(r->far) ? queued >= CHANNEL_CREDIT
					       : queued + len > route_bound(r);
}

/* A channel without credit says nothing of the backend unless its home holds it. */
static bool route_admits(struct route *r, uint64_t whose, size_t len, bool pausable, bool *pause)
{
	size_t queued = route_queued(r);

	if (!route_is_over(r, queued, len))
		return true;
	r->full = true;
	if (pausable && !r->stalled && (r->far || route_is_up(r))) {
		*pause = true;
		return true;
	}
	if (r->far && !channel_held(r->far))
		return true;
	return shares_fit(r->shares, whose, len, route_left(r, queued));
}

/* By its own bound it has: then the budget was the reason. */
static bool route_has_room(const struct route *r, size_t len)
{
	return !r->far && route_queued(r) + len <= r->w->config->queue_bytes;
}

static enum route_result route_put(struct route *r, const struct span *pieces, unsigned n)
{
	if (r->far)
		return channel_write(r->far, pieces, n) ? ROUTE_SENT : ROUTE_SPENT;
	if (!route_is_up(r))
		return route_park(r, &r->parked, pieces, n) ? ROUTE_PARKED : ROUTE_SPENT;
	if (!component_write(r->component, pieces, n, true))
		return ROUTE_SPENT;
	route_count(r, pieces, n, 1);
	return ROUTE_SENT;
}

enum route_result route_press(struct route *r, const struct span *pieces, unsigned n,
	uint64_t whose, bool pausable, bool *pause)
{
	size_t len = pieces_len(pieces, n);
	enum route_result res;

	if (pause)
		*pause = false;
	if (!route_admits(r, whose, len, pausable, pause))
		return route_has_room(r, len) ? ROUTE_SPENT : ROUTE_FULL;
	res = route_put(r, pieces, n);
	if (res == ROUTE_SPENT && pause)
		*pause = false;
	if (!route_refused(res))
		route_share(r, whose, len);
	return res;
}

bool route_answer(struct route *r, struct span error, uint64_t whose)
{
	if (route_stanza(r, &error, 1) ||
		!route_refused(route_press(r, &error, 1, whose, false, NULL)))
		return true;
	if (!r->far && (!route_is_up(r) || route_queued(r) >= conns_room(r->w->conns)))
		return false;
	return route_put(r, &error, 1) == ROUTE_SENT;
}

const char *route_refusal(struct route *r, enum route_result res)
{
	if (res == ROUTE_SPENT) {
		STATS_INC(&r->w->stats, refused_budget);
		return "too much is waiting in this router";
	}
	STATS_INC(&r->w->stats, refused_full);
	return "too much is waiting for this domain";
}

/* A stanza that comes from the router's own memory. */
static void route_bring(struct route *r, const struct frame *f, bool force)
{
	struct span stanza = span_of(f->p, f->len);
	enum route_result res;
	bool pause;

	if (route_stanza(r, &stanza, 1))
		return;
	res = route_press(r, &stanza, 1, router_whose(r->w, f), force, &pause);
	if (route_refused(res))
		router_return(r->w, stanza, STANZA_RESOURCE_CONSTRAINT, route_refusal(r, res));
}

bool route_is_far(const struct route *r)
{
	return r->far != NULL;
}

static void route_take_one(void *ctx, const struct frame *f)
{
	route_bring(ctx, f, true);
}

/* As a whole where it can be. */
bool route_take(struct route *r, struct span run, unsigned stanzas)
{
	bool easy = r->component && component_write(r->component, &run, 1, false);

	if (!easy && !(r->component && component_write(r->component, &run, 1, true))) {
		router_each_stanza(r->w, run, route_take_one, r);
		return true;
	}
	route_count(r, &run, 1, stanzas);
	if (!easy && route_queued(r) > route_bound(r))
		r->full = true;
	return easy || !r->full;
}

bool route_hold(struct route *r, struct list *holding)
{
	list_add_tail(&r->holding, holding);
	return r->stalled;
}

void route_up(struct route *r, struct component *link)
{
	BUG_ON(r->component);
	r->component = link;
	while (!list_empty(&r->parked)) {
		struct parked *p = list_first(&r->parked, struct parked, link);
		struct span s = span_of(p->bytes, p->len);

		if (component_write(link, &s, 1, true))
			route_count(r, &s, 1, 1);
		else
			router_return(r->w, s, STANZA_RESOURCE_CONSTRAINT,
				"no memory to queue the stanza");
		parked_drop(r, p);
	}
	timer_stop(&r->expiry);
	if (!component_congested(link))
		route_forget(r);
}

void route_down(struct route *r)
{
	r->component = NULL;
	r->stalled = false;
	list_splice_tail(&r->returned, &r->parked);
	list_splice_tail(&r->parked, &r->returned);
	route_room(r);
	if (!registry_backend_named(r->w->hosting->registry, r->name))
		route_free(r);
}

void route_wait(struct route *r, struct route_waiter *waiter)
{
	list_add_tail(&r->waiters, &waiter->link);
}

/* routes_turn shall look at it. */
static void route_stir(struct route *r)
{
	list_del(&r->roomy);
	list_add_tail(&r->w->routes->roomy, &r->roomy);
}

/* Its link's queue has fallen to the low mark; or the budget has room, and the link has not moved. */
static void route_recover(struct route *r)
{
	if (!r->stalled || (r->component && component_stalled(r->component)))
		return;
	r->stalled = false;
	if (!r->far)
		LOG(LOG_INFO, "destination-recovered", "the backend takes what is sent again",
			LF_STR("backend", r->name), LF_INT("ms", r->w->now - r->stalled_at));
}

void route_room(struct route *r)
{
	r->full = false;
	route_forget(r);
	route_recover(r);
	inlets_release(&r->holding);
	route_stir(r);
}

void route_stalled(struct route *r)
{
	if (r->stalled)
		return;
	r->stalled = true;
	r->stalled_at = r->w->now;
	if (!r->far) {
		STATS_INC(&r->w->stats, stalls);
		LOG(LOG_WARN, "destination-stalled",
			"the backend takes no byte: nobody waits for it any more",
			LF_STR("backend", r->name), LF_INT("queued", route_queued(r)));
	}
	inlets_stalled(&r->holding);
	route_stir(r);
}

bool routes_busy(const struct routes *rs)
{
	return !list_empty(&rs->roomy);
}

void routes_turn(struct routes *rs)
{
	while (!list_empty(&rs->roomy)) {
		struct route *r = list_first(&rs->roomy, struct route, roomy);

		list_del(&r->roomy);
		route_wake(r, !r->stalled);
	}
}
