/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/reading.h"

#include <stdio.h>

#include "core/base/mem.h"

void reading_clear(struct reading *r)
{
	events_clear(&r->events);
	events_clear(&r->root);
	events_clear(&r->root_decls);
	r->accepted = true;
	r->why[0] = '\0';
	r->refused_at = 0;
	r->stray = false;
	r->n = 0;
	r->root_name = (struct events_name){ 0 };
	r->root_default = (struct part){ 0 };
	r->content = SPAN_LIT("");
}

void reading_free(struct reading *r)
{
	events_free(&r->events);
	events_free(&r->root);
	events_free(&r->root_decls);
	mem_free(r->element);
}

struct reading_element *reading_add(struct reading *r)
{
	struct reading_element *e;

	if (r->n == r->cap) {
		r->cap = 2 * r->cap + 8;
		r->element = mem_realloc(r->element, r->cap * sizeof(*r->element));
	}
	e = &r->element[r->n++];
	memset(e, 0, sizeof(*e));
	r->events.in_text = false;
	e->events.off = r->events.n;
	return e;
}

struct span reading_events(const struct reading *r, unsigned i)
{
	return span_of(r->events.p + r->element[i].events.off, r->element[i].events.n);
}

void reading_refuse(struct reading *r, const char *why)
{
	if (r->accepted)
		snprintf(r->why, sizeof(r->why), "%s", why);
	r->accepted = false;
}

void reading_between(struct reading *r, struct span text)
{
	if (span_trim(text).n)
		r->stray = true;
}
