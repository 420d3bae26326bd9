/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/tree.h"

static bool at_mark(struct span rest, enum events_mark mark)
{
	return rest.n && rest.p[0] == (char)mark;
}

/* What stands behind the mark at the front, which is taken off with it. */
static struct span take(struct span *rest)
{
	size_t n = 1;
	struct span s;

	while (n < rest->n && (unsigned char)rest->p[n] > EVENTS_END)
		n++;
	s = span_of(rest->p + 1, n - 1);
	*rest = span_skip(*rest, n);
	return s;
}

static bool attributes_agree(const struct element *e, struct span *rest, struct complaint *c)
{
	unsigned i = 0;

	for (; at_mark(*rest, EVENTS_ATTR); i++) {
		struct span ns = take(rest), local = take(rest), value;

		take(rest); /* the prefix */
		value = take(rest);
		if (i == e->n_attrs)
			return complain(c, "tree without attribute %.*s", (int)local.n, local.p);
		if (!span_eq(e->attrs[i].ns, ns) || !span_eq(e->attrs[i].name, local) ||
			!span_eq(e->attrs[i].value, value))
			return complain(c, "tree with another attribute than %.*s", (int)local.n,
				local.p);
	}
	return i == e->n_attrs || complain(c, "tree with %u attributes, not %u", e->n_attrs, i);
}

static bool start_agrees(const struct element *e, struct span *rest, struct complaint *c)
{
	struct span ns = take(rest), local = take(rest), prefix = take(rest);

	if (!span_eq(e->ns, ns) || !span_eq(e->name, local) || !span_eq(e->prefix, prefix))
		return complain(c, "tree with %.*s instead of %.*s", (int)e->name.n, e->name.p,
			(int)local.n, local.p);
	return attributes_agree(e, rest, c);
}

static bool element_agrees(const struct element *e, struct span *rest, struct complaint *c)
{
	const struct element *child = e->child;
	struct span text = e->text;

	if (!start_agrees(e, rest, c))
		return false;
	while (rest->n && !at_mark(*rest, EVENTS_END)) {
		if (at_mark(*rest, EVENTS_TEXT)) {
			struct span piece = take(rest);

			if (!span_starts(text, piece))
				return complain(c, "text in the tree");
			text = span_skip(text, piece.n);
			continue;
		}
		if (!child || !element_agrees(child, rest, c))
			return child ? false : complain(c, "tree with too few children");
		child = child->next;
	}
	take(rest);
	if (child || text.n)
		return complain(c, "tree with too much in it");
	return true;
}

bool tree_agrees(const struct element *e, struct span events, struct complaint *c)
{
	BUG_ON(!at_mark(events, EVENTS_START));
	return element_agrees(e, &events, c) &&
		(events.n == 0 || complain(c, "tree of one element for several"));
}

bool tree_agrees_root(const struct element *e, struct span events, struct complaint *c)
{
	BUG_ON(!at_mark(events, EVENTS_START));
	return start_agrees(e, &events, c);
}
