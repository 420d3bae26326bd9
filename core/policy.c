/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/policy.h"

#include <stdlib.h>

#include "core/base/domain.h"
#include "core/base/mem.h"
#include "core/lines.h"

#define RULES "block, tls=required|optional|off, require-strong or pin-auth=off|warn|enforce"

enum scope { SCOPE_PEER, SCOPE_HOST, SCOPES };

static const char *const scope_names[] = { "peer", "host" };

/* What one line says; the rest comes from the default. */
struct rules {
	struct policy_rule rule;
	bool has_tls, has_pin_auth;
};

struct entry {
	char *key; /* canonical domain; "*.example" as ".example": no domain begins with a dot */
	size_t len;
	unsigned line;
	struct rules rules;
};

struct entries {
	struct entry *entry; /* sorted by key */
	size_t n, cap;
};

struct policy {
	struct policy_rule fallback;
	struct entries scope[SCOPES];
};

void policy_free(struct policy *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < SCOPES; i++) {
		for (size_t j = 0; j < p->scope[i].n; j++)
			mem_free(p->scope[i].entry[j].key);
		mem_free(p->scope[i].entry);
	}
	mem_free(p);
}

/* -- reading -- */

static bool tls_read(struct lines *l, const struct config *c, struct rules *r, struct span value)
{
	enum tls_policy tls;

	if (span_is(value, "required"))
		tls = TLS_REQUIRED;
	else if (span_is(value, "optional"))
		tls = TLS_OPTIONAL;
	else if (span_is(value, "off"))
		tls = TLS_OFF;
	else {
		lines_fail(l, l->line, "tls=%.*s: allowed: required, optional or off",
			LINES_ARG(value));
		return false;
	}
	if (r->has_tls)
		lines_fail(l, l->line, "tls= is given twice");
	else if (config_tls_refused(c, tls))
		lines_fail(l, l->line, "tls=%.*s: %s", LINES_ARG(value),
			config_tls_refused(c, tls));
	r->has_tls = true;
	r->rule.tls = tls;
	return !l->failed;
}

static bool pin_auth_read(struct lines *l, struct rules *r, struct span value)
{
	if (!config_pin_auth_parse(value, &r->rule.pin_auth))
		lines_fail(l, l->line, "pin-auth=%.*s: allowed: off, warn or enforce",
			LINES_ARG(value));
	else if (r->has_pin_auth)
		lines_fail(l, l->line, "pin-auth= is given twice");
	r->has_pin_auth = true;
	return !l->failed;
}

static bool rule_read(struct lines *l, const struct config *c, struct rules *r, struct span word)
{
	struct span tls = SPAN_LIT("tls="), pin_auth = SPAN_LIT("pin-auth=");

	if (span_starts(word, tls))
		return tls_read(l, c, r, span_skip(word, tls.n));
	if (span_starts(word, pin_auth))
		return pin_auth_read(l, r, span_skip(word, pin_auth.n));
	if (span_is(word, "block"))
		r->rule.block = true;
	else if (span_is(word, "require-strong"))
		r->rule.require_strong = true;
	else
		lines_fail(l, l->line, "'%.*s' is no rule: " RULES, LINES_ARG(word));
	return !l->failed;
}

static bool rules_read(struct lines *l, const struct config *c, struct rules *r, struct span rest)
{
	*r = (struct rules){ .has_tls = false };
	if (rest.n == 0)
		lines_fail(l, l->line, "a rule is missing: " RULES);
	while (rest.n) {
		if (!rule_read(l, c, r, lines_word(&rest)))
			return false;
	}
	return !l->failed;
}

static bool default_line(struct lines *l, const struct config *c, struct policy *p, unsigned *line,
	struct span rest)
{
	struct rules r;

	if (!rules_read(l, c, &r, rest))
		return false;
	if (*line)
		lines_fail(l, l->line, "default stands on line %u already", *line);
	else if (r.rule.block)
		lines_fail(l, l->line,
			"default cannot block: it would shut out every domain, hosted "
			"ones too, and no rule opens one again; name the domains to block");
	*line = l->line;
	p->fallback.require_strong |= r.rule.require_strong;
	if (r.has_tls)
		p->fallback.tls = r.rule.tls;
	if (r.has_pin_auth)
		p->fallback.pin_auth = r.rule.pin_auth;
	return !l->failed;
}

static bool entry_line(struct lines *l, const struct config *c, struct entries *es,
	enum scope scope, struct span rest)
{
	struct span word = lines_word(&rest);
	bool wildcard = span_starts(word, SPAN_LIT("*."));
	struct domain d;
	struct rules r;
	struct entry *e;

	if (!domain_parse(wildcard ? span_skip(word, 2) : word, &d)) {
		lines_fail(l, l->line, "'%.*s' is no domain; %s DOMAIN RULE...", LINES_ARG(word),
			scope_names[scope]);
		return false;
	}
	if (!rules_read(l, c, &r, rest))
		return false;
	if (scope == SCOPE_HOST && r.has_pin_auth) {
		lines_fail(l, l->line,
			"pin-auth= is about other servers' domains: peer DOMAIN, or default");
		return false;
	}
	if (es->n == es->cap) {
		es->cap = es->cap ? 2 * es->cap : 16;
		es->entry = mem_realloc(es->entry, es->cap * sizeof(*es->entry));
	}
	e = &es->entry[es->n++];
	*e = (struct entry){ .len = d.len + (size_t)wildcard, .line = l->line, .rules = r };
	e->key = mem_alloc(e->len + 1);
	e->key[0] = '.';
	memcpy(e->key + wildcard, d.text, d.len + (size_t)1);
	return true;
}

static int key_compare(struct span a, struct span b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* Equal keys by their lines, so that an error names the later one. */
static int entry_compare(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int order = key_compare(span_of(a->key, a->len), span_of(b->key, b->len));

	return order ? order : (a->line > b->line) - (a->line < b->line);
}

static bool entries_sort(struct lines *l, struct entries *es, enum scope scope)
{
	if (es->n)
		qsort(es->entry, es->n, sizeof(*es->entry), entry_compare);
	for (size_t i = 1; i < es->n; i++) {
		const struct entry *a = &es->entry[i - 1], *b = &es->entry[i];

		if (a->len == b->len && memcmp(a->key, b->key, a->len) == 0)
			lines_fail(l, b->line, "%s %s%s stands on line %u already",
				scope_names[scope], b->key[0] == '.' ? "*" : "", b->key, a->line);
	}
	return !l->failed;
}

static bool policy_read(struct lines *l, const struct config *c, struct policy *p)
{
	unsigned default_at = 0;
	struct span rest;
	bool ok;

	while (lines_next(l, &rest)) {
		struct span word = lines_word(&rest);

		if (span_is(word, "peer")) {
			ok = entry_line(l, c, &p->scope[SCOPE_PEER], SCOPE_PEER, rest);
		} else if (span_is(word, "host")) {
			ok = entry_line(l, c, &p->scope[SCOPE_HOST], SCOPE_HOST, rest);
		} else if (span_is(word, "default")) {
			ok = default_line(l, c, p, &default_at, rest);
		} else {
			lines_fail(l, l->line, "'%.*s': a line begins with peer, host or default",
				LINES_ARG(word));
			ok = false;
		}
		if (!ok)
			return false;
	}
	return !l->failed && entries_sort(l, &p->scope[SCOPE_PEER], SCOPE_PEER) &&
		entries_sort(l, &p->scope[SCOPE_HOST], SCOPE_HOST);
}

struct policy *policy_load(const struct config *c, char why[512])
{
	struct policy *p = mem_zalloc(sizeof(*p));
	struct lines l;

	_Static_assert(LINES_WHY <= 512, "why");
	p->fallback.tls = c->tls;
	p->fallback.require_strong = c->require_strong;
	p->fallback.pin_auth = c->pin_auth;
	if (!c->policy)
		return p;
	if (!lines_open(&l, c->policy, why) || !policy_read(&l, c, p)) {
		policy_free(p);
		p = NULL;
	}
	lines_close(&l);
	return p;
}

/* -- questions -- */

static const struct entry *entry_get(const struct entries *es, struct span key)
{
	size_t low = 0, high = es->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct entry *e = &es->entry[mid];
		int order = key_compare(span_of(e->key, e->len), key);

		if (order == 0)
			return e;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* The domain's own entry, else that of the longest wildcard above it. */
static const struct entry *entry_find(const struct entries *es, struct span domain)
{
	const struct entry *e;

	if (es->n == 0 || domain.n == 0)
		return NULL;
	e = entry_get(es, domain);
	for (size_t i = 1; !e && i < domain.n; i++) {
		if (domain.p[i] == '.')
			e = entry_get(es, span_skip(domain, i));
	}
	return e;
}

static struct policy_rule rule_of(const struct policy *p, enum scope scope, struct span domain)
{
	const struct entry *e = entry_find(&p->scope[scope], domain);
	struct policy_rule rule = p->fallback;

	if (!e)
		return rule;
	rule.block = e->rules.rule.block;
	rule.require_strong |= e->rules.rule.require_strong;
	rule.own_tls = e->rules.has_tls;
	if (rule.own_tls)
		rule.tls = e->rules.rule.tls;
	if (e->rules.has_pin_auth)
		rule.pin_auth = e->rules.rule.pin_auth;
	return rule;
}

struct policy_rule policy_peer(const struct policy *p, struct span domain)
{
	return rule_of(p, SCOPE_PEER, domain);
}

struct policy_rule policy_host(const struct policy *p, struct span domain)
{
	return rule_of(p, SCOPE_HOST, domain);
}

static enum tls_policy stricter(enum tls_policy a, enum tls_policy b)
{
	return a < b ? a : b;
}

struct policy_rule policy_pair(const struct policy *p, struct span peer, struct span host)
{
	struct policy_rule a = policy_peer(p, peer), b = policy_host(p, host);

	if (a.own_tls == b.own_tls)
		a.tls = stricter(a.tls, b.tls);
	else if (b.own_tls)
		a.tls = b.tls;
	a.own_tls |= b.own_tls;
	a.block |= b.block;
	a.require_strong |= b.require_strong;
	return a;
}
