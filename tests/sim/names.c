/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/names.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/mem.h"

#define RECORDS 256
#define RRS 16
#define TRIES 2

struct name {
	char name[256];
	bool fails, held;
	struct srv_record srv[RRS];
	struct addr v4[RRS], v6[RRS];
	unsigned n_srv, n_v4, n_v6;
};

struct question {
	struct list link;
	enum dns_type type;
	char name[256];
	uint64_t cookie, until;
	dns_fn *fn;
	void *ctx;
};

struct dns {
	struct list open;
	struct dns_stats stats;
	struct timer wake; /* so that the worker comes back when a held question fails */
	struct timer_wheel *wheel;
};

static struct name names[RECORDS];
static unsigned n_names;

/* Every question so far that net/dns would have sent: not what it is asked again while it waits for an
 * answer, or has one in its cache. */
struct asking {
	char name[256];
	enum dns_type type;
	const struct dns *by;
	uint64_t at;
};

static struct asking *asked;
static unsigned n_asked, cap_asked;

/* -- what the scenario says -- */

void names_reset(void)
{
	memset(names, 0, sizeof(names));
	n_names = n_asked = cap_asked = 0;
	mem_free(asked);
	asked = NULL;
}

static struct name *name_exact(struct span name)
{
	for (unsigned i = 0; i < n_names; i++)
		if (span_is(name, names[i].name))
			return &names[i];
	return NULL;
}

static struct name *name_make(struct span name)
{
	struct name *r = name_exact(name);

	if (r)
		return r;
	BUG_ON(n_names == RECORDS || name.n >= sizeof(r->name));
	r = &names[n_names++];
	memcpy(r->name, name.p, name.n);
	return r;
}

void names_srv(struct span name, const struct srv_record *r)
{
	struct name *n = name_make(name);

	BUG_ON(n->n_srv == RRS);
	n->srv[n->n_srv++] = *r;
}

void names_addr(struct span name, const struct addr *a)
{
	struct name *n = name_make(name);

	BUG_ON(n->n_v4 == RRS || n->n_v6 == RRS);
	if (addr_is_v4(a))
		n->v4[n->n_v4++] = *a;
	else
		n->v6[n->n_v6++] = *a;
}

void names_fail(struct span name)
{
	name_make(name)->fails = true;
}

void names_hold(struct span name)
{
	name_make(name)->held = true;
}

void names_release(struct span name)
{
	name_make(name)->held = false;
}

/* Is `name` the domain, or does it lie below it? */
static bool lies_below(struct span name, struct span domain)
{
	if (domain.n > 2 && memcmp(domain.p, "*.", 2) == 0)
		domain = span_skip(domain, 2);
	return span_eq(name, domain) ||
		(name.n > domain.n && name.p[name.n - domain.n - 1] == '.' &&
			span_eq(span_skip(name, name.n - domain.n), domain));
}

unsigned names_asked(struct span name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_asked; i++)
		n += lies_below(span_str(asked[i].name), name);
	return n;
}

/* -- what the router asks -- */

/* The name itself, or the wildcard above it; of a service label only a wildcard with that label,
 * such as "_xmpp-server._tcp.*.peer.test". */
static const struct name *name_find(struct span name)
{
	const struct name *hit = name_exact(name);

	for (unsigned i = 0; !hit && i < n_names; i++) {
		struct span wild = span_str(names[i].name), rest = name;
		size_t star = span_find(wild, '*');

		if (star == wild.n || !span_starts(rest, span_of(wild.p, star)))
			continue;
		rest = span_skip(rest, star);
		if ((star > 0 || rest.p[0] != '_') && lies_below(rest, span_skip(wild, star)))
			hit = &names[i];
	}
	return hit;
}

/* For the whole of a domain, its service names included. */
static bool trouble(struct span name, bool held)
{
	for (unsigned i = 0; i < n_names; i++)
		if ((held ? names[i].held : names[i].fails) &&
			lies_below(name, span_str(names[i].name)))
			return true;
	return false;
}

static struct dns_answer answer_of(const struct question *q)
{
	const struct name *n = name_find(span_str(q->name));
	struct dns_answer a = { .status = DNS_NO_NAME };

	if (trouble(span_str(q->name), false) || trouble(span_str(q->name), true))
		return (struct dns_answer){ .status = DNS_FAILED };
	if (!n)
		return a;
	if (q->type == DNS_SRV) {
		a.n = n->n_srv;
		a.srv = n->srv;
	} else {
		a.n = q->type == DNS_A ? n->n_v4 : n->n_v6;
		a.addrs = q->type == DNS_A ? n->v4 : n->v6;
	}
	a.status = a.n ? DNS_FOUND : DNS_NO_DATA;
	return a;
}

/* -- net/dns.h -- */

static void on_wake(struct timer *t, uint64_t now)
{
	(void)t;
	(void)now;
}

struct dns *dns_new(struct uring *u, struct timer_wheel *wheel, const struct dns_opts *opts,
	const char **why)
{
	struct dns *d = mem_zalloc(sizeof(*d));

	(void)u;
	(void)opts;
	(void)why;
	list_init(&d->open);
	d->wheel = wheel;
	timer_init(&d->wake, on_wake);
	return d;
}

void dns_free(struct dns *d)
{
	while (!list_empty(&d->open)) {
		struct question *q = list_first(&d->open, struct question, link);

		list_del(&q->link);
		mem_free(q);
	}
	timer_stop(&d->wake);
	mem_free(d);
}

const struct dns_stats *dns_stats(const struct dns *d)
{
	return &d->stats;
}

static void asking_note(const struct dns *d, enum dns_type type, const char *name, uint64_t now)
{
	struct asking *a;

	for (unsigned i = n_asked; i > 0; i--) {
		a = &asked[i - 1];
		if (a->by == d && a->type == type && strcmp(a->name, name) == 0 &&
			now - a->at < LIMIT_DNS_TTL_MIN_S * UINT64_C(1000))
			return;
	}
	if (n_asked == cap_asked) {
		cap_asked = cap_asked ? cap_asked * 2 : 64;
		asked = mem_realloc(asked, cap_asked * sizeof(*asked));
	}
	a = &asked[n_asked++];
	strcpy(a->name, name);
	a->type = type;
	a->by = d;
	a->at = now;
}

bool dns_ask(struct dns *d, enum dns_type type, const char *name, dns_fn *fn, void *ctx,
	uint64_t cookie, uint64_t now)
{
	struct question *q = mem_try_zalloc(sizeof(*q));

	if (!q)
		return false;
	BUG_ON(strlen(name) >= sizeof(q->name));
	strcpy(q->name, name);
	q->type = type;
	q->fn = fn;
	q->ctx = ctx;
	q->cookie = cookie;
	q->until = now + (uint64_t)TRIES * TIMEOUT_DNS_MS;
	list_add_tail(&d->open, &q->link);
	d->stats.asked++;
	asking_note(d, type, name, now);
	return true;
}

static bool question_due(const struct question *q, uint64_t now)
{
	return now >= q->until || !trouble(span_str(q->name), true);
}

bool dns_busy(const struct dns *d)
{
	list_each(l, &d->open)
	{
		if (question_due(container_of(l, struct question, link), clock_ms()))
			return true;
	}
	return false;
}

void dns_turn(struct dns *d, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	list_each_safe(l, after, &d->open)
	{
		struct question *q = container_of(l, struct question, link);
		struct dns_answer a;

		if (!question_due(q, now)) {
			next = q->until < next ? q->until : next;
			continue;
		}
		a = answer_of(q);
		list_del(&q->link);
		q->fn(q->ctx, q->cookie, &a);
		mem_free(q);
	}
	if (next != UINT64_MAX)
		timer_set(d->wheel, &d->wake, next);
}
