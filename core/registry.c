/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/registry.h"

#include <stdio.h>

#include "core/base/domain.h"
#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/lines.h"

/* -- names, numbered in the order in which they came -- */

struct name {
	size_t at; /* in names.text */
	uint32_t len;
	unsigned line;
};

struct names {
	struct hash_key key; /* tenants choose their domains */
	char *text;
	size_t text_len, text_cap;
	struct name *name;
	uint32_t n, cap;
	uint32_t *slot; /* number + 1; 0: free */
	uint32_t mask; /* slots - 1; at least half of them are free */
};

#define NAME_NONE UINT32_MAX

static void names_init(struct names *t)
{
	*t = (struct names){ .mask = 15 };
	hash_key_random(&t->key);
	t->slot = mem_array((size_t)t->mask + 1, sizeof(*t->slot));
}

static void names_free(struct names *t)
{
	mem_free(t->text);
	mem_free(t->name);
	mem_free(t->slot);
}

static struct span names_at(const struct names *t, uint32_t i)
{
	return span_of(t->text + t->name[i].at, t->name[i].len);
}

static uint32_t *names_slot(const struct names *t, struct span s)
{
	uint32_t i = (uint32_t)hash_sip(&t->key, s) & t->mask;

	while (t->slot[i] && !span_eq(names_at(t, t->slot[i] - 1), s))
		i = (i + 1) & t->mask;
	return &t->slot[i];
}

static uint32_t names_find(const struct names *t, struct span s)
{
	uint32_t found = *names_slot(t, s);

	return found ? found - 1 : NAME_NONE;
}

static void names_grow(struct names *t)
{
	mem_free(t->slot);
	t->mask = 2 * t->mask + 1;
	t->slot = mem_array((size_t)t->mask + 1, sizeof(*t->slot));
	for (uint32_t i = 0; i < t->n; i++)
		*names_slot(t, names_at(t, i)) = i + 1;
}

/* The name must not be there yet. */
static void names_add(struct names *t, struct span s, unsigned line)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 16;
		t->name = mem_realloc(t->name, t->cap * sizeof(*t->name));
	}
	if (t->text_len + s.n > t->text_cap) {
		t->text_cap = 2 * (t->text_len + s.n);
		t->text = mem_realloc(t->text, t->text_cap);
	}
	memcpy(t->text + t->text_len, s.p, s.n);
	t->name[t->n] = (struct name){ t->text_len, (uint32_t)s.n, line };
	t->text_len += s.n;
	*names_slot(t, s) = ++t->n;
	if (t->n > t->mask / 2)
		names_grow(t);
}

/* -- the registry -- */

struct registry {
	struct names backend_names, host_names; /* hosts: a wildcard "*.example" as ".example" */
	struct backend *backends; /* number i has backend name i */
	struct host *hosts; /* likewise */
	uint32_t wildcards;
};

/* What is known of a file half read. */
struct loading {
	struct registry *r;
	struct lines l;
	struct span *wanted; /* of each host: the backend's name, in the file's text */
	uint32_t backends_cap, hosts_cap;
};

static void backend_free(struct backend *b)
{
	if (b->secret)
		mem_wipe(b->secret, strlen(b->secret));
	mem_free(b->secret);
	mem_free(b->name);
	mem_free(b->from);
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; i < r->backend_names.n; i++)
		backend_free(&r->backends[i]);
	mem_free(r->backends);
	mem_free(r->hosts);
	names_free(&r->backend_names);
	names_free(&r->host_names);
	mem_free(r);
}

/* -- lines that begin with "backend" -- */

static bool secret_take(struct lines *l, struct backend *b, const char *path, char *text)
{
	struct span line = span_trim(span_of(text, strcspn(text, "\n")));

	if (line.n == 0 || line.n > LIMIT_SECRET)
		lines_fail(l, l->line, "%s: its first line must be the secret, 1 to %d bytes", path,
			LIMIT_SECRET);
	else
		b->secret = mem_dup_span(line);
	return !l->failed;
}

/* value: a path relative to the registry. */
static bool secret_read(struct lines *l, struct backend *b, struct span value)
{
	const char *slash = strrchr(l->path, '/');
	int folder = slash && value.p[0] != '/' ? (int)(slash - l->path) + 1 : 0;
	char path[2 * LIMIT_CONFIG_LINE], why[LINES_WHY];
	size_t len = 0;
	char *text;
	bool ok;

	snprintf(path, sizeof(path), "%.*s%.*s", folder, l->path, (int)value.n, value.p);
	text = lines_secret(path, &len, why);
	if (!text) {
		lines_fail(l, l->line, "%s", why);
		return false;
	}
	if (strlen(text) < len)
		lines_fail(l, l->line, "%s: holds a NUL byte", path);
	ok = !l->failed && secret_take(l, b, path, text);
	mem_wipe(text, len);
	mem_free(text);
	return ok;
}

static bool from_read(struct lines *l, struct backend *b, struct span value)
{
	for (;;) {
		struct span item = span_of(value.p, span_find(value, ','));

		b->from = mem_realloc(b->from, (b->n_from + (size_t)1) * sizeof(*b->from));
		if (!addr_net_parse(item, &b->from[b->n_from])) {
			lines_fail(l, l->line,
				"from=: '%.*s' is no address such as 10.0.0.2, 10.0.0.0/8 "
				"or fd00::/8",
				LINES_ARG(item));
			return false;
		}
		b->n_from++;
		if (item.n == value.n)
			return true;
		value = span_skip(value, item.n + 1);
	}
}

/* Options that a line has used already. */
enum option { OPTION_FROM = 1 << 0, OPTION_SECRET = 1 << 1, OPTION_AS = 1 << 2 };

static const char *const option_names[] = { "from", "secret-file", "as" };

static unsigned options_of(enum backend_link link)
{
	static const unsigned options[] = {
		[LINK_S2S] = OPTION_FROM,
		[LINK_INJECT] = OPTION_FROM | OPTION_SECRET | OPTION_AS,
		[LINK_COMPONENT] = OPTION_FROM | OPTION_SECRET,
	};

	return options[link];
}

static bool option_value(struct lines *l, struct backend *b, enum option o, struct span value)
{
	struct domain d;

	switch (o) {
	case OPTION_FROM:
		return from_read(l, b, value);
	case OPTION_SECRET:
		return secret_read(l, b, value);
	case OPTION_AS:
		if (!domain_parse(value, &d))
			lines_fail(l, l->line, "as=: '%.*s' is no domain", LINES_ARG(value));
		break;
	}
	return !l->failed;
}

static bool option_read(struct lines *l, struct backend *b, unsigned *used, struct span word)
{
	size_t eq = span_find(word, '=');
	struct span key = span_of(word.p, eq);
	unsigned i = 0;

	while (i < ARRAY_LEN(option_names) && !span_is(key, option_names[i]))
		i++;
	if (i == ARRAY_LEN(option_names) || !(options_of(b->link) & 1u << i))
		lines_fail(l, l->line, "'%.*s' is no option of this link; it has from=%s%s",
			LINES_ARG(word), b->link == LINK_S2S ? "" : ", secret-file=",
			b->link == LINK_INJECT ? ", as=" : "");
	else if (eq + 1 >= word.n)
		lines_fail(l, l->line, "%s= needs a value, without white space around '='",
			option_names[i]);
	else if (*used & 1u << i)
		lines_fail(l, l->line, "%s= is given twice", option_names[i]);
	if (l->failed)
		return false;
	*used |= 1u << i;
	return option_value(l, b, (enum option)(1u << i), span_skip(word, eq + 1));
}

/* "component", "s2s:ADDR:PORT" or "inject:ADDR:PORT". */
static bool link_read(struct lines *l, struct backend *b, struct span word)
{
	size_t colon = span_find(word, ':');
	struct span kind = span_of(word.p, colon);

	if (span_is(word, "component")) {
		b->link = LINK_COMPONENT;
		return true;
	}
	if (span_is(kind, "component")) {
		lines_fail(l, l->line,
			"a component link has no address: the backend logs in at "
			"--component-listen");
		return false;
	}
	b->link = span_is(kind, "s2s") ? LINK_S2S : LINK_INJECT;
	if (b->link == LINK_INJECT && !span_is(kind, "inject"))
		lines_fail(l, l->line,
			"'%.*s' is no link: component, s2s:ADDR:PORT or "
			"inject:ADDR:PORT",
			LINES_ARG(word));
	else if (colon == word.n ||
		!addr_parse(span_skip(word, colon + 1), b->link == LINK_S2S ? 5269 : 5347,
			&b->addr))
		lines_fail(l, l->line,
			"'%.*s': an address such as 10.0.0.2:5269 or [fd00::2]:5269 must "
			"stand behind the colon",
			LINES_ARG(word));
	return !l->failed;
}

static bool backend_complete(struct lines *l, const struct backend *b, unsigned used)
{
	unsigned missing = options_of(b->link) & ~(used | OPTION_FROM);

	if (missing)
		lines_fail(l, l->line, "backend %s: %s= is missing", b->name,
			missing & OPTION_SECRET ? "secret-file" : "as");
	else if (b->link != LINK_COMPONENT)
		lines_fail(l, l->line,
			"backend %s: %s links are not in this build yet: only component "
			"links work",
			b->name, b->link == LINK_S2S ? "s2s" : "inject");
	return !l->failed;
}

static bool name_is_sound(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9');

		if (!alnum && (i == 0 || (c != '.' && c != '_' && c != '-')))
			return false;
	}
	return s.n > 0 && s.n <= BACKEND_NAME_MAX && !span_is(s, "gone");
}

static bool backend_name(struct lines *l, const struct registry *r, struct span name)
{
	uint32_t other = names_find(&r->backend_names, name);

	if (!name_is_sound(name))
		lines_fail(l, l->line,
			"'%.*s' is no name for a backend: letters, digits, '.', '_' and "
			"'-', at most %d, and not 'gone'",
			LINES_ARG(name), BACKEND_NAME_MAX);
	else if (other != NAME_NONE)
		lines_fail(l, l->line, "backend %.*s is defined on line %u already",
			LINES_ARG(name), r->backend_names.name[other].line);
	return !l->failed;
}

static bool backend_line(struct loading *ld, struct span rest)
{
	struct lines *l = &ld->l;
	struct registry *r = ld->r;
	struct span name = lines_word(&rest), link = lines_word(&rest);
	unsigned used = 0;
	struct backend *b;

	if (link.n == 0) {
		lines_fail(l, l->line,
			"a backend needs a name and a link: backend NAME component "
			"secret-file=FILE");
		return false;
	}
	if (!backend_name(l, r, name))
		return false;
	if (r->backend_names.n == ld->backends_cap) {
		ld->backends_cap = ld->backends_cap ? 2 * ld->backends_cap : 16;
		r->backends = mem_realloc(r->backends, ld->backends_cap * sizeof(*r->backends));
	}
	b = &r->backends[r->backend_names.n];
	*b = (struct backend){ .index = r->backend_names.n, .line = l->line };
	b->name = mem_dup_span(name);
	/* From here on registry_free() knows it. */
	names_add(&r->backend_names, name, l->line);
	if (!link_read(l, b, link))
		return false;
	while (rest.n) {
		if (!option_read(l, b, &used, lines_word(&rest)))
			return false;
	}
	return backend_complete(l, b, used);
}

/* -- all other lines: domains -- */

/* "*.example" becomes ".example": no domain begins with a dot. */
static bool host_key(struct lines *l, struct span word, struct domain *d,
	char key[LIMIT_DOMAIN + 2], struct span *out)
{
	bool wildcard = span_starts(word, SPAN_LIT("*."));

	if (!domain_parse(wildcard ? span_skip(word, 2) : word, d)) {
		lines_fail(l, l->line, "'%.*s' is no domain", LINES_ARG(word));
		return false;
	}
	key[0] = '.';
	memcpy(key + 1, d->text, d->len);
	*out = wildcard ? span_of(key, d->len + (size_t)1) : span_of(key + 1, d->len);
	return true;
}

static bool host_line(struct loading *ld, struct span word, struct span rest)
{
	struct lines *l = &ld->l;
	struct registry *r = ld->r;
	struct span backend = lines_word(&rest), key;
	char buf[LIMIT_DOMAIN + 2];
	struct domain d;
	uint32_t other;

	if (!host_key(l, word, &d, buf, &key))
		return false;
	other = names_find(&r->host_names, key);
	if (backend.n == 0)
		lines_fail(l, l->line, "behind %.*s the name of its backend is missing, or 'gone'",
			LINES_ARG(word));
	else if (rest.n)
		lines_fail(l, l->line, "'%.*s': nothing may follow the name of the backend",
			LINES_ARG(rest));
	else if (other != NAME_NONE)
		lines_fail(l, l->line, "%.*s stands on line %u already", LINES_ARG(word),
			r->host_names.name[other].line);
	if (l->failed)
		return false;
	if (r->host_names.n == ld->hosts_cap) {
		ld->hosts_cap = ld->hosts_cap ? 2 * ld->hosts_cap : 64;
		r->hosts = mem_realloc(r->hosts, ld->hosts_cap * sizeof(*r->hosts));
		ld->wanted = mem_realloc(ld->wanted, ld->hosts_cap * sizeof(*ld->wanted));
	}
	r->hosts[r->host_names.n] = (struct host){ .wildcard = key.p[0] == '.' };
	ld->wanted[r->host_names.n] = backend;
	r->wildcards += key.p[0] == '.';
	names_add(&r->host_names, key, l->line);
	return true;
}

/* Backends may be defined below the lines that use them. */
static bool hosts_resolve(struct loading *ld)
{
	struct registry *r = ld->r;

	for (uint32_t i = 0; i < r->host_names.n; i++) {
		struct host *h = &r->hosts[i];
		uint32_t b = names_find(&r->backend_names, ld->wanted[i]);

		h->kind = span_is(ld->wanted[i], "gone") ? HOST_GONE : HOST_SERVED;
		if (h->kind == HOST_GONE)
			continue;
		if (b == NAME_NONE) {
			lines_fail(&ld->l, r->host_names.name[i].line,
				"there is no backend '%.*s' in this file",
				LINES_ARG(ld->wanted[i]));
			return false;
		}
		h->backend = &r->backends[b];
		r->backends[b].domains++;
		r->backends[b].wildcards += h->wildcard;
	}
	return true;
}

static bool registry_read(struct loading *ld)
{
	struct span rest;

	while (lines_next(&ld->l, &rest)) {
		struct span word = lines_word(&rest);

		if (!(span_is(word, "backend") ? backend_line(ld, rest)
					       : host_line(ld, word, rest)))
			return false;
	}
	return !ld->l.failed && hosts_resolve(ld);
}

struct registry *registry_load(const char *path, char why[512])
{
	struct loading ld = { .r = mem_zalloc(sizeof(*ld.r)) };

	_Static_assert(LINES_WHY <= 512, "why");
	names_init(&ld.r->backend_names);
	names_init(&ld.r->host_names);
	if (!lines_open(&ld.l, path, why) || !registry_read(&ld)) {
		registry_free(ld.r);
		ld.r = NULL;
	}
	mem_free(ld.wanted);
	lines_close(&ld.l);
	return ld.r;
}

/* -- questions -- */

const struct host *registry_find(const struct registry *r, struct span domain)
{
	uint32_t i;

	if (domain.n == 0 || domain.p[0] == '.')
		return NULL;
	i = names_find(&r->host_names, domain);
	while (i == NAME_NONE && r->wildcards) {
		size_t dot = domain.p[0] == '.' ? 1 + span_find(span_skip(domain, 1), '.')
						: span_find(domain, '.');

		if (dot >= domain.n)
			break;
		domain = span_skip(domain, dot);
		i = names_find(&r->host_names, domain);
	}
	return i == NAME_NONE ? NULL : &r->hosts[i];
}

unsigned registry_backends(const struct registry *r)
{
	return r->backend_names.n;
}

const struct backend *registry_backend(const struct registry *r, unsigned i)
{
	BUG_ON(i >= r->backend_names.n);
	return &r->backends[i];
}

const struct backend *registry_backend_named(const struct registry *r, const char *name)
{
	uint32_t i = names_find(&r->backend_names, span_str(name));

	return i == NAME_NONE ? NULL : &r->backends[i];
}

unsigned registry_hosts(const struct registry *r)
{
	return r->host_names.n;
}

bool backend_admits(const struct backend *b, const struct addr *peer)
{
	for (unsigned i = 0; i < b->n_from; i++) {
		if (addr_in(peer, &b->from[i]))
			return true;
	}
	if (b->n_from)
		return false;
	return b->link == LINK_COMPONENT ? addr_is_private(peer) : addr_same_ip(peer, &b->addr);
}
