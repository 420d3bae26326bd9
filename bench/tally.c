/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/tally.h"

void tally_add(struct tally *t, const char *word)
{
	unsigned i;

	for (i = 0; i < t->n; i++) {
		if (strncmp(t->kind[i].word, word, TALLY_WORD - 1) == 0)
			break;
	}
	if (i == TALLY_KINDS) {
		i--;
		strcpy(t->kind[i].word, "other");
	}
	if (i == t->n) {
		t->n++;
		snprintf(t->kind[i].word, TALLY_WORD, "%s", word);
	}
	t->kind[i].count++;
}

uint64_t tally_count(const struct tally *t, const char *word)
{
	for (unsigned i = 0; i < t->n; i++) {
		if (strcmp(t->kind[i].word, word) == 0)
			return t->kind[i].count;
	}
	return 0;
}

uint64_t tally_total(const struct tally *t)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < t->n; i++)
		sum += t->kind[i].count;
	return sum;
}

const char *tally_print(const struct tally *t, char *text, size_t cap)
{
	size_t at = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < t->n && at < cap; i++)
		at += (size_t)snprintf(text + at, cap - at, "%s%s %llu", i ? ", " : "",
			t->kind[i].word, (unsigned long long)t->kind[i].count);
	return text;
}
