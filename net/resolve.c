/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One resolution: two service questions, then AAAA and A of every target, then
 * the answer. It is in r->ready when its answer needs no (more) questions but
 * must not come from inside resolve_start, else in r->open.
 */
#include "net/resolve.h"

#include <stdio.h>

#include "core/base/domain.h"
#include "core/base/list.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/rand.h"

enum { PLAIN, DIRECT, SERVICES };
enum { IP6, IP4, FAMILIES };

#define TARGETS_AT_ONCE 4

/* Cookies of dns_ask: the services first, then two per target. */
#define COOKIE_TARGETS SERVICES

struct service {
	enum dns_status status;
	unsigned n;
	struct srv_record *records;
};

struct target {
	uint16_t port;
	uint8_t group; /* counts the priorities */
	bool direct;
	struct {
		unsigned n;
		struct addr *addrs; /* only those that may be dialled */
	} family[FAMILIES];
};

struct resolution {
	struct list link;
	struct resolver *r;
	uint64_t cookie;
	unsigned pending; /* questions without an answer */
	unsigned failed, forbidden, passed_over;
	const char *why; /* of the first that was forbidden */
	bool ours; /* one of those was our own */
	enum resolve_status status; /* unless there are places */
	const char *detail;
	const struct resolve_fixed *fixed; /* one of those that answer */
	struct service services[SERVICES];
	struct srv_record *records; /* of the targets, in the order of preference */
	unsigned n_records;
	struct target *targets; /* those that were asked about: of the first records */
	unsigned n_targets;
	char name[LIMIT_DNS_NAME + 1];
};

struct resolver {
	struct dns *dns;
	struct resolve_service service;
	const struct resolve_rules *rules;
	resolve_fn *fn;
	void *ctx;
	uint64_t now;
	struct list open, ready;
	uint64_t *refused; /* cookies for which there was no memory */
	unsigned n_refused, refused_max;
};

/* -- what may be dialled (protocol rule 9.6) -- */

static bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t v6[16] = { [15] = 1 };

	return addr_is_v4(a) ? a->ip[12] == 127 : memcmp(a->ip, v6, sizeof(v6)) == 0;
}

static bool port_allowed(const struct resolve_rules *rules, uint16_t port)
{
	/* NFS, MySQL, PostgreSQL, Redis, Elasticsearch, memcached: they act on what a line says. */
	static const uint16_t never[] = { 2049, 3306, 5432, 6379, 9200, 11211 };

	if (port < 1024 && port != 443)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		if (port == never[i])
			return false;
	for (unsigned i = 0; i < rules->n_deny_ports; i++)
		if (port >= rules->deny_ports[i].low && port <= rules->deny_ports[i].high)
			return false;
	return true;
}

/* A listener on the any-address is reached by every address of this machine; of those only the
 * loopback ones are known here. */
static bool addr_is_own(const struct resolve_rules *rules, const struct addr *a)
{
	for (unsigned i = 0; i < rules->n_own; i++) {
		const struct addr *own = &rules->own[i];

		if (own->port != a->port)
			continue;
		if (addr_same_ip(own, a) || addr_is_any(a))
			return true;
		if (addr_is_any(own) && addr_is_loopback(a))
			return true;
	}
	return false;
}

static bool addr_in_any(const struct addr *a, const struct addr_net *nets, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (addr_in(a, &nets[i]))
			return true;
	return false;
}

static const char is_own[] = "the address is a listener or a backend of ours";

bool resolve_allowed(const struct resolve_rules *rules, const struct addr *a, const char **why)
{
	const char *no = NULL;

	if (!port_allowed(rules, a->port))
		no = "the port is never dialled";
	else if (addr_is_own(rules, a))
		no = is_own;
	else if (addr_is_never(a))
		no = "the address is link-local, multicast or unspecified";
	else if (addr_in_any(a, rules->deny, rules->n_deny))
		no = "the address is in a denied network";
	else if (addr_is_private(a) && !addr_in_any(a, rules->allow, rules->n_allow))
		no = "the address is private";
	if (no && why)
		*why = no;
	return !no;
}

/* -- fixed addresses -- */

static bool fixed_covers(const struct resolve_fixed *f, struct span domain)
{
	struct span name = span_str(f->domain);

	if (!f->below)
		return span_eq(domain, name);
	return domain.n > name.n && domain_is_below(domain, name);
}

/* The exact name wins, then the longest suffix. */
static const struct resolve_fixed *fixed_find(const struct resolve_rules *rules, struct span domain)
{
	const struct resolve_fixed *best = NULL;

	for (unsigned i = 0; i < rules->n_fixed; i++) {
		const struct resolve_fixed *f = &rules->fixed[i];

		if (!fixed_covers(f, domain))
			continue;
		if (!f->below)
			return f;
		if (!best || strlen(f->domain) > strlen(best->domain))
			best = f;
	}
	return best;
}

/* -- the answer -- */

static void place_add(struct resolve_answer *a, struct place place)
{
	for (unsigned i = 0; i < a->n; i++)
		if (place_eq(&a->places[i], &place))
			return;
	if (a->n < LIMIT_CANDIDATES)
		a->places[a->n++] = place;
}

static void fixed_collect(const struct resolution *x, struct resolve_answer *a)
{
	const struct resolve_rules *rules = x->r->rules;

	for (unsigned i = 0; i < rules->n_fixed; i++) {
		const struct resolve_fixed *f = &rules->fixed[i];
		struct addr addr = f->addr;

		if (f->below != x->fixed->below || strcmp(f->domain, x->fixed->domain) != 0)
			continue;
		if (addr.port == 0)
			addr.port = x->r->service.port;
		place_add(a, (struct place){ .addr = addr });
	}
}

static void target_add(struct resolve_answer *a, const struct target *t, struct addr addr)
{
	place_add(a, (struct place){ addr, .direct = t->direct, .group = t->group });
}

/* One target after the other, within each by turns IPv6 and IPv4 (RFC 8305). */
static void targets_collect(const struct resolution *x, struct resolve_answer *a)
{
	for (unsigned i = 0; i < x->n_targets; i++) {
		const struct target *t = &x->targets[i];

		for (unsigned k = 0; k < t->family[IP6].n || k < t->family[IP4].n; k++)
			for (unsigned f = 0; f < FAMILIES; f++)
				if (k < t->family[f].n)
					target_add(a, t, t->family[f].addrs[k]);
	}
}

static void resolution_free(struct resolution *x)
{
	list_del(&x->link);
	for (unsigned i = 0; i < SERVICES; i++)
		mem_free(x->services[i].records);
	for (unsigned i = 0; i < x->n_targets; i++)
		for (unsigned f = 0; f < FAMILIES; f++)
			mem_free(x->targets[i].family[f].addrs);
	mem_free(x->targets);
	mem_free(x->records);
	mem_free(x);
}

static void resolution_end(struct resolution *x)
{
	struct resolve_answer a = { .status = x->status, .detail = x->detail };
	struct resolver *r = x->r;
	uint64_t cookie = x->cookie;

	if (x->fixed)
		fixed_collect(x, &a);
	else
		targets_collect(x, &a);
	if (a.n > 0) {
		a.status = RESOLVE_FOUND;
		a.ours = x->ours;
		a.detail = x->fixed ? "fixed address" : "found";
	} else {
		/* That a domain leads here is mostly what it should do. */
		LOG(a.status == RESOLVE_OURS ? LOG_DEBUG : LOG_WARN, "look-up-failed", a.detail,
			LF_STR("domain", x->name));
	}
	resolution_free(x);
	r->fn(r->ctx, cookie, &a);
}

static void verdict_set(struct resolution *x, enum resolve_status status, const char *detail)
{
	x->status = status;
	x->detail = detail;
}

/* All targets have answered, or there are none. */
static void targets_end(struct resolution *x)
{
	if (x->failed > 0)
		verdict_set(x, RESOLVE_FAILED, "the look-up of the addresses failed");
	else if (x->forbidden > 0)
		verdict_set(x, x->why == is_own ? RESOLVE_OURS : RESOLVE_FORBIDDEN, x->why);
	else if (x->passed_over > 0)
		verdict_set(x, RESOLVE_DIRECT_ONLY,
			"its servers take direct TLS only, for which --cert-dir is missing");
	else
		verdict_set(x, RESOLVE_NO_SERVICE, "no addresses");
}

/* -- questions -- */

static void on_answer(void *ctx, uint64_t cookie, const struct dns_answer *a);

static bool question_ask(struct resolution *x, enum dns_type type, const char *name,
	unsigned cookie)
{
	if (!dns_ask(x->r->dns, type, name, on_answer, x, cookie, x->r->now))
		return false;
	x->pending++;
	return true;
}

/* Records are in the order of their priorities: a new priority begins a group. */
static uint8_t next_group(const struct resolution *x)
{
	unsigned at = x->n_targets;

	if (at == 0)
		return 0;
	return x->targets[at - 1].group + (x->records[at].priority != x->records[at - 1].priority);
}

/* About the first record that was not asked about. */
static void target_ask(struct resolution *x)
{
	unsigned cookie = COOKIE_TARGETS + FAMILIES * x->n_targets;
	const struct srv_record *r = &x->records[x->n_targets];
	uint8_t group = next_group(x);

	x->targets[x->n_targets++] = (struct target){ .port = r->port,
		.group = group,
		.direct = r->direct };
	if (!question_ask(x, DNS_AAAA, r->target, cookie + IP6))
		x->failed++;
	if (!question_ask(x, DNS_A, r->target, cookie + IP4))
		x->failed++;
}

/* Are addresses at this port worth a question? */
static bool port_check(struct resolution *x, uint16_t port)
{
	if (port_allowed(x->r->rules, port))
		return true;
	if (x->forbidden++ == 0)
		x->why = "the port is never dialled";
	return false;
}

static bool record_check(struct resolution *x, const struct srv_record *r)
{
	if (!r->direct || !x->r->rules->no_tls)
		return port_check(x, r->port);
	x->passed_over++;
	return false;
}

static void addr_refused(struct resolution *x, const char *why)
{
	x->ours |= why == is_own;
	if (x->forbidden++ == 0)
		x->why = why;
}

static void addrs_keep(struct resolution *x, struct target *t, unsigned family,
	const struct dns_answer *a)
{
	struct addr kept[LIMIT_CANDIDATES];
	const char *why;
	unsigned n = 0;

	for (unsigned i = 0; i < a->n && n < LIMIT_CANDIDATES; i++) {
		kept[n] = a->addrs[i];
		kept[n].port = t->port;
		if (resolve_allowed(x->r->rules, &kept[n], &why))
			n++;
		else
			addr_refused(x, why);
	}
	if (n == 0)
		return;
	t->family[family].addrs = mem_try_alloc(n * sizeof(kept[0]));
	if (!t->family[family].addrs) {
		x->failed++;
		return;
	}
	memcpy(t->family[family].addrs, kept, n * sizeof(kept[0]));
	t->family[family].n = n;
}

/* -- services -- */

/* "." alone says that there is no such service; beside others it says nothing. */
static bool service_is_denied(const struct service *s)
{
	return s->status == DNS_FOUND && s->n == 0;
}

static void service_keep(struct service *s, const struct dns_answer *a, bool direct)
{
	s->status = a->status;
	if (a->status != DNS_FOUND)
		return;
	s->records = mem_try_alloc(a->n * sizeof(*s->records));
	if (!s->records) {
		s->status = DNS_FAILED;
		return;
	}
	for (unsigned i = 0; i < a->n; i++) {
		if (a->srv[i].target[0] == '\0')
			continue;
		s->records[s->n] = a->srv[i];
		s->records[s->n++].direct = direct;
	}
}

/* Neither service has a record that could be used: is the domain itself to be asked? */
static bool fallback_applies(struct resolution *x)
{
	const struct service *plain = &x->services[PLAIN], *direct = &x->services[DIRECT];

	if (plain->status == DNS_FAILED || direct->status == DNS_FAILED) {
		verdict_set(x, RESOLVE_FAILED, "the look-up of the service failed");
		return false;
	}
	if (service_is_denied(plain) || service_is_denied(direct)) {
		verdict_set(x, RESOLVE_NO_SERVICE, "the domain says that it has no such service");
		return false;
	}
	return true;
}

/* A few targets at a time: the window of questions is everybody's, and whoever names sixteen hosts
 * of a dead zone shall not fill it. */
static void targets_follow(struct resolution *x)
{
	while (x->pending == 0 && x->n_targets < x->n_records)
		for (unsigned i = 0; i < TARGETS_AT_ONCE && x->n_targets < x->n_records; i++)
			target_ask(x);
	if (x->pending == 0)
		targets_end(x);
}

static void targets_begin(struct resolution *x, const struct srv_record *records, unsigned n)
{
	x->targets = mem_try_alloc(n * sizeof(*x->targets));
	x->records = mem_try_alloc(n * sizeof(*x->records));
	if (!x->targets || !x->records) {
		verdict_set(x, RESOLVE_FAILED, "out of memory");
		return;
	}
	memcpy(x->records, records, n * sizeof(*records));
	x->n_records = n;
	targets_follow(x);
}

static void services_follow(struct resolution *x)
{
	struct srv_record all[SERVICES * LIMIT_DNS_RECORDS];
	unsigned n = 0;

	for (unsigned i = 0; i < SERVICES; i++) {
		struct service *s = &x->services[i];

		for (unsigned k = 0; k < s->n; k++)
			if (record_check(x, &s->records[k]))
				all[n++] = s->records[k];
		mem_free(s->records);
		s->records = NULL;
	}
	if (n == 0) {
		targets_end(x);
		return;
	}
	srv_order(all, n, rand_below);
	if (n > LIMIT_CANDIDATES)
		n = LIMIT_CANDIDATES;
	targets_begin(x, all, n);
}

/* The name itself is the only target. */
static void host_begin(struct resolution *x, uint16_t port)
{
	struct srv_record self = { .port = port };

	if (!port_check(x, self.port)) {
		targets_end(x);
		return;
	}
	strcpy(self.target, x->name);
	targets_begin(x, &self, 1);
}

static void services_end(struct resolution *x)
{
	if (x->services[PLAIN].n + x->services[DIRECT].n > 0)
		services_follow(x);
	else if (fallback_applies(x))
		host_begin(x, x->r->service.port);
}

static void on_answer(void *ctx, uint64_t cookie, const struct dns_answer *a)
{
	struct resolution *x = ctx;
	unsigned at = (unsigned)cookie;

	x->pending--;
	if (at < COOKIE_TARGETS) {
		service_keep(&x->services[at], a, at == DIRECT);
		if (x->pending == 0)
			services_end(x);
	} else {
		at -= COOKIE_TARGETS;
		if (a->status == DNS_FAILED)
			x->failed++;
		else if (a->status == DNS_FOUND)
			addrs_keep(x, &x->targets[at / FAMILIES], at % FAMILIES, a);
		if (x->pending == 0)
			targets_follow(x);
	}
	if (x->pending == 0)
		resolution_end(x);
}

/* No label, or a name too long to exist: the service has no records. */
static void service_ask(struct resolution *x, unsigned at, const char *label)
{
	char name[LIMIT_DNS_NAME + 1];
	int n;

	x->services[at].status = DNS_NO_NAME;
	if (!label)
		return;
	n = snprintf(name, sizeof(name), "%s.%s", label, x->name);
	if (n < (int)sizeof(name) && !question_ask(x, DNS_SRV, name, at))
		x->services[at].status = DNS_FAILED;
}

static void services_begin(struct resolution *x)
{
	service_ask(x, PLAIN, x->r->service.label);
	service_ask(x, DIRECT, x->r->service.direct_label);
	if (x->pending == 0)
		services_end(x);
}

/* -- the module -- */

struct resolver *resolver_new(struct dns *dns, const struct resolve_service *service,
	const struct resolve_rules *rules, resolve_fn *fn, void *ctx)
{
	struct resolver *r = mem_zalloc(sizeof(*r));

	r->dns = dns;
	r->service = *service;
	r->rules = rules;
	r->fn = fn;
	r->ctx = ctx;
	list_init(&r->open);
	list_init(&r->ready);
	return r;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	list_splice_tail(&r->open, &r->ready);
	while (!list_empty(&r->open))
		resolution_free(list_first(&r->open, struct resolution, link));
	mem_free(r->refused);
	mem_free(r);
}

/* Eight bytes instead of a resolution. When not even they can be had, the process is at its end
 * in any case: an answer must come. */
static void refusal_note(struct resolver *r, uint64_t cookie)
{
	if (r->n_refused == r->refused_max) {
		r->refused_max = r->refused_max ? 2 * r->refused_max : 64;
		r->refused = mem_realloc(r->refused, r->refused_max * sizeof(*r->refused));
	}
	r->refused[r->n_refused++] = cookie;
}

/* NULL without memory: the answer will say so. */
static struct resolution *resolution_new(struct resolver *r, uint64_t cookie, uint64_t now)
{
	struct resolution *x = mem_try_zalloc(sizeof(*x));

	r->now = now;
	if (!x) {
		refusal_note(r, cookie);
		return NULL;
	}
	x->r = r;
	x->cookie = cookie;
	list_add_tail(&r->open, &x->link);
	return x;
}

static bool resolution_name(struct resolution *x, struct span domain)
{
	if (domain_to_dns(domain, x->name))
		return true;
	verdict_set(x, RESOLVE_NO_SERVICE, "the name is too long for DNS");
	return false;
}

static void resolution_begun(struct resolution *x)
{
	if (x->pending > 0)
		return;
	list_del(&x->link);
	list_add_tail(&x->r->ready, &x->link);
}

void resolve_start(struct resolver *r, struct span domain, uint64_t cookie, uint64_t now)
{
	struct resolution *x = resolution_new(r, cookie, now);

	if (!x)
		return;
	x->fixed = fixed_find(r->rules, domain);
	if (!x->fixed && resolution_name(x, domain))
		services_begin(x);
	resolution_begun(x);
}

void resolve_host(struct resolver *r, struct span host, uint16_t port, uint64_t cookie,
	uint64_t now)
{
	struct resolution *x = resolution_new(r, cookie, now);

	if (!x)
		return;
	if (resolution_name(x, host))
		host_begin(x, port);
	resolution_begun(x);
}

static void refusals_answer(struct resolver *r)
{
	const struct resolve_answer a = { .status = RESOLVE_FAILED, .detail = "out of memory" };

	/* Downwards and by index, since an answer may start the next and move the array. */
	for (unsigned n = r->n_refused; n > 0; n--) {
		uint64_t cookie = r->refused[n - 1];

		r->refused[n - 1] = r->refused[--r->n_refused];
		r->fn(r->ctx, cookie, &a);
	}
}

void resolver_turn(struct resolver *r, uint64_t now)
{
	struct list batch;

	r->now = now;
	refusals_answer(r);
	list_init(&batch);
	list_splice_tail(&batch, &r->ready);
	while (!list_empty(&batch))
		resolution_end(list_first(&batch, struct resolution, link));
}

bool resolver_busy(const struct resolver *r)
{
	return r->n_refused > 0 || !list_empty(&r->ready);
}
