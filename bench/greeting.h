/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How one stream is accepted: the header is answered, features are sent, TLS begins if it is
 * asked for; and dialback elements are answered.
 *
 * Embedded in its owner, who has the wire and a reader, hands header and elements to it, and calls
 * greeting_turn when what was written is out.
 */
#ifndef SLUICE_BENCH_GREETING_H
#define SLUICE_BENCH_GREETING_H

#include "bench/reader.h"
#include "bench/secure.h"
#include "bench/wire.h"

#define GREETING_ID 34

struct greeting {
	struct wire *wire;
	struct secure *secure; /* STARTTLS is offered, or TLS began with the first byte; or NULL */
	char id[GREETING_ID]; /* of the stream as it is now; "" before its header */
	bool proceeds; /* TLS begins when what was written is out */
};

/* All that is passed must outlive it. false: no TLS. */
bool greeting_begin(struct greeting *g, struct wire *w, struct secure *secure);

void greeting_header(struct greeting *g, const struct reader_element *e);
/* Whether the element was about the greeting. */
bool greeting_element(struct greeting *g, const struct reader_element *e);

/* Whether TLS has begun now: the owner needs a new reader. *ok: false when it could not. */
bool greeting_turn(struct greeting *g, bool *ok);

/* The answer to e, a db:result or db:verify, written to w. condition: of type error; else NULL. */
void greeting_answer(struct wire *w, const struct reader_element *e, const char *type,
	const char *condition);

/* Appends ` name='value'`, escaped again: the value comes from the peer. */
void greeting_attr(struct wire *w, const char *name, const char *value);

#endif
