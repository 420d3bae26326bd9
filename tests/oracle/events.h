/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a piece of XML means, as one string: elements in document order with
 * namespace, local name and prefix, their attributes in the order in which they
 * stand, and text, adjacent pieces joined. Two readers of the same bytes agree if
 * and only if their strings are equal: the marks between the parts are control
 * characters that no XML document can contain.
 *
 * Owned by one oracle's reading; one thread. Dies without memory: this is a test's.
 */
#ifndef ORACLE_EVENTS_H
#define ORACLE_EVENTS_H

#include "core/base/span.h"

enum events_mark {
	EVENTS_START = 1, /* namespace follows */
	EVENTS_ATTR = 2, /* namespace follows */
	EVENTS_LOCAL = 3,
	EVENTS_PREFIX = 4, /* empty when there is none */
	EVENTS_VALUE = 5,
	EVENTS_TEXT = 6,
	EVENTS_END = 7,
};

struct events {
	char *p;
	size_t n, cap;
	bool in_text; /* the last event is a text that may go on */
};

/* A part of an event list, which may move as it grows. n == 0 and off == 0: absent. */
struct part {
	size_t off, n;
};

struct events_name {
	struct part ns, local, prefix;
};

void events_clear(struct events *e);
void events_free(struct events *e);

struct events_name events_start(struct events *e, struct span ns, struct span local,
	struct span prefix);
/* Returns where the value stands. */
struct part events_attr(struct events *e, struct span ns, struct span local, struct span prefix,
	struct span value);
void events_text(struct events *e, struct span text);
void events_end(struct events *e);

/* Absent for an absent part. */
struct span events_span(const struct events *e, struct part part);

/* For people: to[0..cap) becomes the list with legible marks, cut where it does not fit. */
void events_print(struct span list, char *to, size_t cap);

#endif
