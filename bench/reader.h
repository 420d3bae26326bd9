/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads one XML stream from bytes in any chunks: header, then depth-1 elements.
 *
 * For control traffic and for what a server sends back, through libxml2's push
 * parser: any prefix, any order of attributes, any quotes. Not for the flood of
 * stanzas, which the sink reads by itself.
 *
 * Handlers get an element that lives until they return; its pieces are
 * NUL-terminated. A handler must not free the reader that calls it.
 */
#ifndef SLUICE_BENCH_READER_H
#define SLUICE_BENCH_READER_H

#include "bench/bench.h"

#define READER_ATTR 1024 /* longer values are cut */
#define READER_TEXT 2048
#define READER_INNER 24 /* elements inside that are remembered */
#define READER_NAME 48

enum reader_ns {
	READER_NS_OTHER, /* jabber:server, jabber:component:accept, ... */
	READER_NS_STREAM,
	READER_NS_DIALBACK,
};

struct reader_element {
	enum reader_ns ns;
	char name[READER_NAME];
	char from[READER_ATTR], to[READER_ATTR], id[READER_ATTR];
	char type[READER_NAME], version[READER_NAME];
	char text[READER_TEXT]; /* directly inside, white space around it removed */
	unsigned n_inner;
	struct {
		unsigned depth; /* 2: child */
		char name[READER_NAME];
	} inner[READER_INNER]; /* in document order */
};

struct reader_calls {
	/* The root's start tag. */
	void (*header)(void *owner, const struct reader_element *e);
	void (*element)(void *owner, const struct reader_element *e);
	/* The root's end tag. */
	void (*end)(void *owner);
};

struct reader;

/* calls and owner must outlive the reader. Never NULL. */
struct reader *reader_new(const struct reader_calls *calls, void *owner);
void reader_free(struct reader *r);

/* false when the bytes so far are not well-formed; then nothing more is read. */
bool reader_feed(struct reader *r, const char *p, size_t len);

/*
 * Whether the header was read, and of every element that began the end too. Only right when what was
 * fed last ended behind a '>', or is white space.
 */
bool reader_is_between(const struct reader *r);

/* Whether an element of this local name is anywhere inside. */
bool reader_has(const struct reader_element *e, const char *name);

/*
 * The condition of a stream error, or of the <error/> in a stanza or dialback
 * element; "undefined-condition" when there is none.
 */
const char *reader_condition(const struct reader_element *e);

#endif
