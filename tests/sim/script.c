/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/script.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"

struct file {
	struct list link;
	char *path;
};

struct loader {
	struct script *script;
	const char *path;
	FILE *in;
	unsigned line;
	char *text; /* the line, trimmed */
	char *raw;
	size_t cap;
	bool pushed; /* the line is to be seen again */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

struct span word_take(struct span *s)
{
	struct span rest = span_trim(*s);
	size_t end = 0;
	struct span word;

	while (end < rest.n && !is_blank(rest.p[end]))
		end++;
	word = span_of(rest.p, end);
	rest = span_skip(rest, end);
	while (rest.n > 0 && is_blank(rest.p[0]))
		rest = span_skip(rest, 1);
	*s = rest;
	return word;
}

/* -- lines -- */

static bool line_next(struct loader *ld)
{
	if (ld->pushed) {
		ld->pushed = false;
		return true;
	}
	while (getline(&ld->raw, &ld->cap, ld->in) >= 0) {
		struct span s = span_trim(span_str(ld->raw));

		ld->line++;
		ld->raw[s.p - ld->raw + (ptrdiff_t)s.n] = '\0';
		ld->text = ld->raw + (s.p - ld->raw);
		if (s.n > 0 && ld->text[0] != '#')
			return true;
	}
	return false;
}

static bool line_is(const struct loader *ld, const char *word)
{
	struct span s = span_str(ld->text);

	return span_is(word_take(&s), word);
}

static bool refuse(const struct loader *ld, const char *why)
{
	fprintf(stderr, "%s:%u: %s: %s\n", ld->path, ld->line, why, ld->text);
	return false;
}

/* -- steps -- */

/* What a continuation of this step is joined with. */
static const char *joint_of(const char *text)
{
	struct span s = span_str(text);
	struct span word = word_take(&s);

	return span_is(word, "registry") || span_is(word, "policy") || span_is(word, "secrets") ||
			span_is(word, "file")
		? "\n"
		: "";
}

static void step_continue(struct step *st, const char *more)
{
	const char *joint = joint_of(st->text);
	size_t n = strlen(st->text), j = strlen(joint), m = strlen(more);

	st->text = mem_realloc(st->text, n + j + m + 1);
	memcpy(st->text + n, joint, j);
	memcpy(st->text + n + j, more, m + 1);
}

static bool steps_load(struct loader *ld, struct step **out, bool block)
{
	struct step *last = NULL;

	while (line_next(ld)) {
		if (line_is(ld, "test") || line_is(ld, "macro")) {
			ld->pushed = true;
			return block ? refuse(ld, "`end` is missing before this") : true;
		}
		if (line_is(ld, "end"))
			return block ? true : refuse(ld, "nothing to end");
		if (ld->text[0] == '|') {
			if (!last)
				return refuse(ld, "nothing to continue");
			step_continue(last, ld->text + 1);
			continue;
		}
		*out = last = mem_zalloc(sizeof(*last));
		out = &last->next;
		last->line = ld->line;
		last->text = mem_strdup(ld->text);
		if ((line_is(ld, "repeat") || line_is(ld, "together")) &&
			!steps_load(ld, &last->body, true))
			return false;
	}
	return block ? refuse(ld, "`end` is missing") : true;
}

static void steps_free(struct step *st)
{
	while (st) {
		struct step *next = st->next;

		steps_free(st->body);
		mem_free(st->text);
		mem_free(st);
		st = next;
	}
}

/* -- files -- */

static bool scenario_load(struct loader *ld)
{
	struct span s = span_str(ld->text);
	bool macro = span_is(word_take(&s), "macro");
	struct scenario *sc;

	if (!macro && !line_is(ld, "test"))
		return refuse(ld, "outside of a test");
	if (s.n == 0)
		return refuse(ld, "it has no name");
	if (macro && script_macro(ld->script, word_take(&(struct span){ s.p, s.n })))
		return refuse(ld, "there is a macro of this name already");
	sc = mem_zalloc(sizeof(*sc));
	sc->file = ld->path;
	sc->line = ld->line;
	sc->name = mem_dup_span(s);
	list_add_tail(macro ? &ld->script->macros : &ld->script->tests, &sc->link);
	return steps_load(ld, &sc->steps, macro);
}

void script_init(struct script *s)
{
	list_init(&s->tests);
	list_init(&s->macros);
	list_init(&s->files);
}

bool script_load(struct script *s, const char *path)
{
	struct file *f = mem_zalloc(sizeof(*f));
	struct loader ld = { .script = s };
	bool ok = true;

	f->path = mem_strdup(path);
	list_add_tail(&s->files, &f->link);
	ld.path = f->path;
	ld.in = fopen(path, "re");
	if (!ld.in) {
		perror(path);
		return false;
	}
	while (ok && line_next(&ld))
		ok = scenario_load(&ld);
	fclose(ld.in);
	free(ld.raw); /* getline's */
	return ok;
}

const struct scenario *script_macro(const struct script *s, struct span name)
{
	list_each(l, &s->macros)
	{
		const struct scenario *m = container_of(l, struct scenario, link);
		struct span head = span_str(m->name);

		if (span_eq(word_take(&head), name))
			return m;
	}
	return NULL;
}

static void scenarios_free(struct list *l)
{
	while (!list_empty(l)) {
		struct scenario *sc = list_first(l, struct scenario, link);

		list_del(&sc->link);
		steps_free(sc->steps);
		mem_free(sc->name);
		mem_free(sc);
	}
}

void script_free(struct script *s)
{
	scenarios_free(&s->tests);
	scenarios_free(&s->macros);
	while (!list_empty(&s->files)) {
		struct file *f = list_first(&s->files, struct file, link);

		list_del(&f->link);
		mem_free(f->path);
		mem_free(f);
	}
}
