/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/route.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/component.h"
#include "core/router.h"
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
	struct component *component; /* NULL: down */
	struct list parked; /* struct parked, oldest first */
	struct list returned; /* from a link that died: older than all of parked */
	size_t parked_bytes;
	struct list waiters; /* struct route_waiter */
	struct timer expiry;
	char name[]; /* of the backend */
};

struct routes {
	struct worker *w;
	struct list all;
};

struct routes *routes_new(struct worker *w)
{
	struct routes *rs = mem_zalloc(sizeof(*rs));

	rs->w = w;
	list_init(&rs->all);
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

	if (!r)
		return NULL;
	r->w = rs->w;
	list_init(&r->parked);
	list_init(&r->returned);
	list_init(&r->waiters);
	timer_init(&r->expiry, route_expire);
	memcpy(r->name, name, n);
	list_add_tail(&rs->all, &r->link);
	return r;
}

static void route_free(struct route *r)
{
	BUG_ON(r->component);
	route_return_parked(r, true, r->w->now);
	route_room(r);
	timer_stop(&r->expiry);
	list_del(&r->link);
	mem_free(r);
}

void routes_free(struct routes *rs)
{
	list_each_safe(l, tmp, &rs->all)
		route_free(container_of(l, struct route, link));
	mem_free(rs);
}

struct route *route_of(struct routes *rs, const struct backend *b)
{
	list_each(l, &rs->all) {
		struct route *r = container_of(l, struct route, link);

		if (strcmp(r->name, b->name) == 0)
			return r;
	}
	return route_new(rs, b->name);
}

void routes_return_parked(struct routes *rs)
{
	list_each(l, &rs->all)
		route_return_parked(container_of(l, struct route, link), true, rs->w->now);
}

void routes_reload(struct routes *rs)
{
	rs->w->route_gen++;
	list_each_safe(l, tmp, &rs->all) {
		struct route *r = container_of(l, struct route, link);
		const struct backend *b =
			registry_backend_named(rs->w->hosting->registry, r->name);

		if (b)
			continue;
		if (r->component)
			component_retire(r->component); /* its end takes the route down */
		else
			route_free(r);
	}
}

static bool route_park(struct route *r, struct list *where, const struct span *pieces, unsigned n)
{
	size_t len = 0;
	struct parked *p;

	for (unsigned i = 0; i < n; i++)
		len += pieces[i].n;
	if (where == &r->parked && r->parked_bytes + len > r->w->config->queue_bytes)
		return false;
	p = mem_try_alloc(sizeof(*p) + len + SCAN_PAD);
	if (!p)
		return false;
	p->len = (uint32_t)len;
	p->until = r->w->now + LIMIT_PARK_MS;
	len = 0;
	for (unsigned i = 0; i < n; i++) {
		memcpy(p->bytes + len, pieces[i].p, pieces[i].n);
		len += pieces[i].n;
	}
	memset(p->bytes + len, 0, SCAN_PAD);
	list_add_tail(where, &p->link);
	r->parked_bytes += len;
	if (!timer_armed(&r->expiry))
		timer_set(r->w->wheel, &r->expiry, p->until);
	STATS_INC(&r->w->stats, stanzas_parked);
	return true;
}

void route_repark(struct route *r, struct span stanza)
{
	if (!route_park(r, &r->returned, &stanza, 1))
		router_return(r->w, stanza, STANZA_RESOURCE_CONSTRAINT,
			"no memory to keep the stanza");
}

enum route_result route_stanza(struct route *r, const struct span *pieces, unsigned n,
	bool overshoot, bool *full)
{
	bool sent;

	*full = false;
	if (!r->component || !component_open(r->component))
		return route_park(r, &r->parked, pieces, n) ? ROUTE_PARKED : ROUTE_FULL;
	sent = component_write(r->component, pieces, n, false);
	if (!sent) {
		*full = true;
		sent = overshoot && component_write(r->component, pieces, n, true);
	}
	return sent ? ROUTE_SENT : ROUTE_FULL;
}

void route_up(struct route *r, struct component *link)
{
	BUG_ON(r->component);
	r->component = link;
	while (!list_empty(&r->parked)) {
		struct parked *p = list_first(&r->parked, struct parked, link);
		struct span s = span_of(p->bytes, p->len);

		if (component_write(link, &s, 1, true))
			router_count_out(r->w, p->len);
		else
			router_return(r->w, s, STANZA_RESOURCE_CONSTRAINT,
				"no memory to queue the stanza");
		parked_drop(r, p);
	}
	timer_stop(&r->expiry);
}

void route_down(struct route *r)
{
	r->component = NULL;
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

void route_room(struct route *r)
{
	struct list woken;

	list_init(&woken);
	list_splice_tail(&woken, &r->waiters);
	while (!list_empty(&woken)) {
		struct route_waiter *waiter = list_first(&woken, struct route_waiter, link);

		list_del(&waiter->link);
		waiter->fn(waiter);
	}
}
