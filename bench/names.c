/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/names.h"

#include <strings.h>

/* By hand: a paced run prints a name per stanza. */
static struct text sender_print(const struct names *n, char letter, uint32_t number, char *text)
{
	char digits[10];
	unsigned first = sizeof(digits);
	char *to = text;

	do {
		digits[--first] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	*to++ = letter;
	memcpy(to, digits + first, sizeof(digits) - first);
	to += sizeof(digits) - first;
	*to++ = '.';
	memcpy(to, n->suffix, n->suffix_len + 1);
	return (struct text){ text, (size_t)(to - text) + n->suffix_len };
}

struct text names_pair(const struct names *n, uint32_t pair, char *text)
{
	return sender_print(n, 'd', pair, text);
}

struct text names_probe(const struct names *n, uint32_t probe, char *text)
{
	return sender_print(n, 'x', probe, text);
}

bool names_init(struct names *n, const char *suffix, uint32_t pairs, uint32_t probes,
	const char *const *given, const char *target_suffix, uint32_t targets, uint32_t streams)
{
	size_t per_target = strlen(target_suffix) + 16;
	char *at;

	memset(n, 0, sizeof(*n));
	for (uint32_t i = 0; given && i < targets; i++) {
		if (strlen(given[i]) + 1 > per_target)
			per_target = strlen(given[i]) + 1;
	}
	if (strlen(suffix) + 16 > NAMES_MAX || per_target > NAMES_MAX)
		return false;
	n->suffix_len = strlen(suffix);
	memcpy(n->suffix, suffix, n->suffix_len + 1);
	n->n_pairs = pairs;
	n->n_probes = probes;
	n->n_targets = n->n_hosted = targets;
	n->n_outside = pairs;
	n->n_endpoints = 1;
	n->given = given != NULL;
	n->n_streams = streams;
	n->n_backends = 1;
	n->targets = bench_alloc(targets, sizeof(*n->targets));
	n->store = at = bench_alloc(targets, per_target);
	for (uint32_t i = 0; i < targets; i++) {
		int len = given ? sprintf(at, "%s", given[i])
				: sprintf(at, "h%u.%s", i + 1, target_suffix);

		n->targets[i] = (struct text){ at, (size_t)len };
		at += len + 1;
	}
	return true;
}

void names_free(struct names *n)
{
	free(n->targets);
	free(n->store);
	memset(n, 0, sizeof(*n));
}

bool names_below(const char *suffix, struct text name)
{
	size_t len = strlen(suffix);
	const char *tail;

	if (name.len && name.p[name.len - 1] == '.')
		name.len--;
	if (name.len < len)
		return false;
	tail = name.p + name.len - len;
	return strncasecmp(tail, suffix, len) == 0 && (name.len == len || tail[-1] == '.');
}

bool names_covers(const struct names *n, struct text name)
{
	return names_below(n->suffix, name);
}

enum name_kind names_find(const struct names *n, struct text name, uint32_t *index)
{
	uint64_t value = 0;
	size_t label, i;

	if (name.len && name.p[name.len - 1] == '.')
		name.len--;
	if (!names_covers(n, name) || name.len < n->suffix_len + 2)
		return NAME_OTHER;
	label = name.len - n->suffix_len - 1;
	if (label == 4 && strncasecmp(name.p, "xmpp", 4) == 0)
		return NAME_HOST;
	for (i = 1; i < label && i < 11 && name.p[i] >= '0' && name.p[i] <= '9'; i++)
		value = value * 10 + (uint64_t)(name.p[i] - '0');
	if (i < 2 || i != label)
		return NAME_OTHER;
	*index = (uint32_t)value;
	if ((name.p[0] | 0x20) == 'd' && value < n->n_outside)
		return NAME_PAIR;
	if ((name.p[0] | 0x20) == 'x' && value < n->n_probes)
		return NAME_PROBE;
	return NAME_OTHER;
}

struct text names_from(const struct names *n, enum names_way way, uint32_t pair, char *text)
{
	if (way == NAMES_OUT)
		return names_target(n, pair);
	return names_pair(n, names_outside_number(n, way, pair), text);
}

struct text names_to(const struct names *n, enum names_way way, uint32_t pair, char *text)
{
	if (way == NAMES_IN)
		return names_target(n, pair);
	return names_pair(n, names_outside_number(n, way, pair), text);
}

bool names_pair_of(const struct names *n, uint32_t hosted, uint32_t outside, uint32_t *pair)
{
	uint32_t m = n->n_targets, wide = n->n_outside;
	uint64_t i;

	if (hosted >= m || outside >= wide)
		return false;
	if (!n->outward)
		i = (outside + wide - 1) % wide;
	else if (m >= wide)
		i = hosted + (uint64_t)m * ((outside + wide - hosted % wide) % wide);
	else
		i = outside + (uint64_t)wide * ((hosted + m - outside % m) % m);
	if (i >= n->n_pairs || names_target_number(n, (uint32_t)i) != hosted)
		return false;
	*pair = (uint32_t)i;
	return true;
}

static bool text_is(struct text a, struct text b)
{
	return a.len == b.len && strncasecmp(a.p, b.p, a.len) == 0;
}

bool names_find_hosted(const struct names *n, struct text name, uint32_t *number)
{
	uint64_t value = 0;

	if (n->given) {
		for (*number = 0; *number < n->n_hosted; ++*number) {
			if (text_is(name, n->targets[*number]))
				return true;
		}
		return false;
	}
	for (size_t i = 1; i < name.len && i < 8 && name.p[i] >= '0' && name.p[i] <= '9'; i++)
		value = value * 10 + (uint64_t)(name.p[i] - '0');
	*number = (uint32_t)value - 1;
	return value && value <= n->n_hosted && text_is(name, n->targets[*number]);
}

struct text names_domain(const char *address)
{
	const char *end = strchrnul(address, '/');
	const char *at = memchr(address, '@', (size_t)(end - address));

	if (at)
		address = at + 1;
	return (struct text){ address, (size_t)(end - address) };
}
