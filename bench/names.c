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
	n->n_targets = targets;
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

bool names_covers(const struct names *n, struct text name)
{
	const char *tail;

	if (name.len && name.p[name.len - 1] == '.')
		name.len--;
	if (name.len < n->suffix_len)
		return false;
	tail = name.p + name.len - n->suffix_len;
	if (strncasecmp(tail, n->suffix, n->suffix_len) != 0)
		return false;
	return name.len == n->suffix_len || tail[-1] == '.';
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
	if ((name.p[0] | 0x20) == 'd' && value < n->n_pairs)
		return NAME_PAIR;
	if ((name.p[0] | 0x20) == 'x' && value < n->n_probes)
		return NAME_PROBE;
	return NAME_OTHER;
}
