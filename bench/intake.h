/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads one stream on which the flood's stanzas and everything else are mixed: a message with a
 * marker is found and handed over without parsing it; header, dialback, errors and foreign stanzas
 * are the reader's. Unlike flood_scan it keeps to the elements: what it takes for a stanza is one
 * whole element at depth 1.
 */
#ifndef SLUICE_BENCH_INTAKE_H
#define SLUICE_BENCH_INTAKE_H

#include "bench/reader.h"
#include "bench/shapes.h"
#include "bench/wire.h"

/* Longest stanza: what is longer counts as not well-formed. */
#define INTAKE_BUFFER (256u << 10)

struct intake_calls {
	struct reader_calls reader;
	/* tag is what lies before its marker; whole: from there to </body> it is as it was sent. */
	void (*stanza)(void *owner, const struct marker *m, struct text tag, bool whole);
};

struct intake;

/* All that is passed must outlive it. Never NULL. A handler must not free it. */
struct intake *intake_new(const struct shapes *shapes, const struct intake_calls *calls,
	void *owner);
void intake_free(struct intake *in); /* NULL is allowed */

/* Handles what is complete and keeps the rest. false when the stream is not well-formed. */
bool intake_feed(struct intake *in, const char *p, size_t len);

/*
 * Reads from the wire once, at most room for one stanza, and feeds. As wire_read, but -EBADMSG when
 * it is not well-formed.
 */
ssize_t intake_read(struct intake *in, struct wire *w);

#endif
