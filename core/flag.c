/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/flag.h"

#include <inttypes.h>

#include "core/base/domain.h"
#include "core/base/mem.h"

#define SUGGEST_MAX 32 /* bytes of a name that is compared with ours */

/* -- values -- */

/* A number with an optional suffix K, M or G. */
static bool size_parse(struct span value, const struct flag *f, uint64_t *out)
{
	char last = value.n ? value.p[value.n - 1] : '\0';
	unsigned shift = last == 'K' ? 10 : last == 'M' ? 20 : last == 'G' ? 30 : 0;
	uint64_t n;

	if (f->kind == FLAG_MS && shift)
		return false;
	value.n -= shift ? 1 : 0;
	if (!span_u64(value, f->max >> shift, &n) || n << shift < f->min)
		return false;
	*out = n << shift;
	return true;
}

static void size_format(uint64_t n, char out[24])
{
	unsigned i = 0;

	while (n && n % 1024 == 0 && i < 3) {
		n /= 1024;
		i++;
	}
	snprintf(out, 24, "%" PRIu64 "%.1s", n, &"\0KMG"[i]);
}

static bool sample_parse(struct span value, const struct flag *f, uint64_t *out)
{
	bool off = span_is(value, "off");

	if (!off && !span_is(value, "all"))
		return size_parse(value, f, out);
	*out = off ? 0 : 1;
	return true;
}

static bool choice_parse(struct span value, const struct flag *f, unsigned *out)
{
	for (unsigned i = 0; f->choices[i]; i++) {
		if (span_is(value, f->choices[i])) {
			*out = i;
			return true;
		}
	}
	return false;
}

static bool switch_parse(struct span value, bool *out)
{
	*out = !span_is(value, "no");
	return !*out || value.n == 0 || span_is(value, "yes");
}

static bool domain_set(struct span value, char **out)
{
	struct domain d;

	if (!domain_parse(value, &d))
		return false;
	mem_free(*out);
	*out = mem_dup_span(domain_span(&d));
	return true;
}

static bool dns_parse(struct span value, struct addr *out)
{
	size_t at = span_find(value, '@');
	uint64_t port = 53;

	if (!addr_parse_ip(span_of(value.p, at), out))
		return false;
	if (at < value.n && !span_u64(span_skip(value, at + 1), 65535, &port))
		return false;
	out->port = (uint16_t)port;
	return port > 0;
}

static bool peer_parse(struct span value, struct resolve_fixed *out)
{
	size_t eq = span_find(value, '=');
	struct span domain = span_of(value.p, eq);

	if (eq == value.n)
		return false;
	out->below = span_starts(domain, SPAN_LIT("*."));
	if (out->below)
		domain = span_skip(domain, 2);
	return addr_parse(span_skip(value, eq + 1), 5269, &out->addr) && out->addr.port > 0 &&
		domain_set(domain, &out->domain);
}

static bool path_set(struct span value, char **out)
{
	if (value.n == 0)
		return false;
	mem_free(*out);
	*out = mem_dup_span(value);
	return true;
}

static bool value_parse(const struct flag *f, struct span value, void *at)
{
	switch (f->kind) {
	case FLAG_PATH:
		return path_set(value, at);
	case FLAG_DOMAIN:
		return domain_set(value, at);
	case FLAG_LISTEN:
		return addr_parse(value, (uint16_t)f->min, at);
	case FLAG_DNS:
		return dns_parse(value, at);
	case FLAG_PEER:
		return peer_parse(value, at);
	case FLAG_NET:
		return addr_net_parse(value, at);
	case FLAG_PORTS:
		return addr_ports_parse(value, at);
	case FLAG_SIZE:
	case FLAG_MS:
		return size_parse(value, f, at);
	case FLAG_SAMPLE:
		return sample_parse(value, f, at);
	case FLAG_CHOICE:
		return choice_parse(value, f, at);
	case FLAG_SWITCH:
	case FLAG_CHECK:
		return switch_parse(value, at);
	default:
		return true;
	}
}

/* Size of a list's elements; 0: no list. */
static size_t element_size(const struct flag *f)
{
	switch (f->kind) {
	case FLAG_LISTEN:
	case FLAG_DNS:
		return sizeof(struct addr);
	case FLAG_PEER:
		return sizeof(struct resolve_fixed);
	case FLAG_NET:
		return sizeof(struct addr_net);
	case FLAG_PORTS:
		return sizeof(struct addr_ports);
	default:
		return 0;
	}
}

bool flag_is_list(const struct flag *f)
{
	return element_size(f) > 0;
}

/* The lists have several element types: their pointers are moved as bytes. */
static void *pointer_at(const struct flag *f, struct config *c)
{
	void *p;

	memcpy(&p, (char *)c + f->at, sizeof(p));
	return p;
}

static void pointer_put(const struct flag *f, struct config *c, void *p)
{
	memcpy((char *)c + f->at, &p, sizeof(p));
}

static unsigned *list_count(const struct flag *f, struct config *c)
{
	return (unsigned *)(void *)((char *)c + f->count);
}

bool flag_set(const struct flag *f, struct config *c, struct span value)
{
	size_t size = element_size(f);
	unsigned *n;
	char *list;

	if (size == 0)
		return value_parse(f, value, (char *)c + f->at);
	n = list_count(f, c);
	list = mem_realloc(pointer_at(f, c), (*n + (size_t)1) * size);
	pointer_put(f, c, list);
	memset(list + *n * size, 0, size);
	if (!value_parse(f, value, list + *n * size))
		return false;
	++*n;
	return true;
}

void flag_clear(const struct flag *f, struct config *c)
{
	if (!flag_is_list(f) && f->kind != FLAG_PATH && f->kind != FLAG_DOMAIN)
		return;
	for (unsigned i = 0; f->kind == FLAG_PEER && i < c->n_peer; i++)
		mem_free(c->peer[i].domain);
	mem_free(pointer_at(f, c));
	pointer_put(f, c, NULL);
	if (flag_is_list(f))
		*list_count(f, c) = 0;
}

/* -- what is allowed -- */

static void number_allowed(const struct flag *f, char out[FLAG_ALLOWED])
{
	char low[24], high[24];

	size_format(f->min, low);
	size_format(f->max, high);
	if (f->min == f->max)
		snprintf(out, FLAG_ALLOWED, "%s only", low);
	else if (f->kind == FLAG_SAMPLE)
		snprintf(out, FLAG_ALLOWED, "off, all, or N from %s to %s: one of N", low, high);
	else if (f->kind == FLAG_MS)
		snprintf(out, FLAG_ALLOWED, "%" PRIu64 " to %" PRIu64, f->min, f->max);
	else
		snprintf(out, FLAG_ALLOWED, "%s to %s", low, high);
}

static void choice_allowed(const struct flag *f, char out[FLAG_ALLOWED])
{
	size_t n = 0;

	for (unsigned i = 0; f->choices[i]; i++) {
		const char *before = i == 0 ? "" : f->choices[i + 1] ? ", " : " or ";

		n += (size_t)snprintf(out + n, FLAG_ALLOWED - n, "%s%s", before, f->choices[i]);
		BUG_ON(n >= FLAG_ALLOWED);
	}
}

void flag_allowed(const struct flag *f, char out[FLAG_ALLOWED])
{
	static const char *const words[] = {
		[FLAG_PATH] = "a path",
		[FLAG_DOMAIN] = "a domain name",
		[FLAG_LISTEN] = "an address such as 192.0.2.1:5269 or [2001:db8::1]:5269",
		[FLAG_DNS] = "an address such as 127.0.0.1 or ::1@5353",
		[FLAG_PEER] = "such as example.org=192.0.2.1:5269 or *.lab=[2001:db8::1]:5269",
		[FLAG_NET] = "such as 10.0.0.0/8, fd00::/8 or 192.0.2.1",
		[FLAG_PORTS] = "one port or a range, such as 22 or 6000-6063",
		[FLAG_SWITCH] = "yes or no; yes when nothing is said",
		[FLAG_FILE] = "a path",
		[FLAG_CHECK] = "no value",
		[FLAG_HELP] = "no value",
		[FLAG_VERSION] = "no value",
	};

	if (f->kind == FLAG_SIZE || f->kind == FLAG_MS || f->kind == FLAG_SAMPLE)
		number_allowed(f, out);
	else if (f->kind == FLAG_CHOICE)
		choice_allowed(f, out);
	else
		snprintf(out, FLAG_ALLOWED, "%s", words[f->kind]);
}

/* -- names -- */

const struct flag *flag_find(const struct flags *all, struct span name)
{
	for (size_t i = 0; i < all->n; i++) {
		if (span_is(name, all->flag[i].name))
			return &all->flag[i];
	}
	return NULL;
}

/* Insertions, removals and replacements that make b of a (Levenshtein). */
static unsigned edit_distance(struct span a, struct span b)
{
	unsigned row[SUGGEST_MAX + 1];

	for (unsigned j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 0; i < a.n; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < b.n; j++) {
			unsigned best = diagonal + (a.p[i] != b.p[j]);

			diagonal = row[j + 1];
			if (diagonal + 1 < best)
				best = diagonal + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			row[j + 1] = best;
		}
	}
	return row[b.n];
}

const struct flag *flag_suggest(const struct flags *all, struct span name)
{
	const struct flag *best = NULL;
	unsigned least = 3;

	name.n = span_find(name, '=');
	while (name.n && name.p[0] == '-')
		name = span_skip(name, 1);
	for (size_t i = 0; name.n <= SUGGEST_MAX && i < all->n; i++) {
		struct span ours = span_str(all->flag[i].name);
		unsigned distance = edit_distance(name, ours);

		if (distance < least && distance < ours.n / 2 + 1) {
			least = distance;
			best = &all->flag[i];
		}
	}
	return best;
}
