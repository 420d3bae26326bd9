/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/events.h"

#include "core/base/mem.h"

void events_clear(struct events *e)
{
	e->n = 0;
	e->in_text = false;
}

void events_free(struct events *e)
{
	mem_free(e->p);
	*e = (struct events){ 0 };
}

static void put(struct events *e, const char *p, size_t n)
{
	if (n > e->cap - e->n) {
		e->cap = 2 * (e->n + n + 512);
		e->p = mem_realloc(e->p, e->cap);
	}
	if (n)
		memcpy(e->p + e->n, p, n);
	e->n += n;
}

static struct part add(struct events *e, enum events_mark mark, struct span s)
{
	const char c = (char)mark;

	put(e, &c, 1);
	put(e, s.p, s.n);
	e->in_text = mark == EVENTS_TEXT;
	return (struct part){ e->n - s.n, s.n };
}

struct events_name events_start(struct events *e, struct span ns, struct span local,
	struct span prefix)
{
	struct events_name name;

	name.ns = add(e, EVENTS_START, ns);
	name.local = add(e, EVENTS_LOCAL, local);
	name.prefix = add(e, EVENTS_PREFIX, prefix);
	return name;
}

struct part events_attr(struct events *e, struct span ns, struct span local, struct span prefix,
	struct span value)
{
	add(e, EVENTS_ATTR, ns);
	add(e, EVENTS_LOCAL, local);
	add(e, EVENTS_PREFIX, prefix);
	return add(e, EVENTS_VALUE, value);
}

void events_text(struct events *e, struct span text)
{
	if (e->in_text)
		put(e, text.p, text.n);
	else if (text.n)
		add(e, EVENTS_TEXT, text);
}

void events_end(struct events *e)
{
	add(e, EVENTS_END, SPAN_LIT(""));
}

struct span events_span(const struct events *e, struct part part)
{
	return part.off ? span_of(e->p + part.off, part.n) : SPAN_NONE;
}

void events_print(struct span list, char *to, size_t cap)
{
	static const char *const legible[] = {
		[EVENTS_START] = "\n<{",
		[EVENTS_ATTR] = "\n  {",
		[EVENTS_LOCAL] = "}",
		[EVENTS_PREFIX] = " by ",
		[EVENTS_VALUE] = " = ",
		[EVENTS_TEXT] = "\n| ",
		[EVENTS_END] = "\n</>",
	};
	size_t n = 0;

	for (size_t i = 0; i < list.n; i++) {
		unsigned char c = (unsigned char)list.p[i];
		const char *mark = c && c < ARRAY_LEN(legible) ? legible[c] : NULL;
		struct span s = mark ? span_str(mark) : span_of(list.p + i, 1);

		if (s.n >= cap - n)
			break;
		memcpy(to + n, s.p, s.n);
		n += s.n;
	}
	to[n] = '\0';
}
