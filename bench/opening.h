/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How one stream is opened towards the server under test: header, STARTTLS if we do
 * TLS and not from the first byte, header again, until the last features came.
 *
 * Embedded in its owner, who has the wire and a reader, hands header and elements to it, and calls
 * opening_turn after each reader_feed.
 */
#ifndef SLUICE_BENCH_OPENING_H
#define SLUICE_BENCH_OPENING_H

#include "bench/reader.h"
#include "bench/secure.h"
#include "bench/wire.h"

enum opening_state {
	OPENING_HEADER, /* waiting for the response header */
	OPENING_FEATURES,
	OPENING_PROCEED,
	OPENING_SECURE, /* the answer came: TLS begins */
	OPENING_DONE,
};

struct opening {
	enum opening_state state;
	struct wire *wire;
	struct secure *secure; /* NULL: in the clear */
	struct ssl_session_st *session; /* to be resumed, or NULL; the owner's */
	const char *from, *to;
	char id[READER_ATTR]; /* of the stream as it is now */
};

/* All that is passed must outlive it. The header is written, not flushed. false: no TLS. */
bool opening_begin(struct opening *op, struct wire *w, struct secure *secure,
	struct ssl_session_st *session, const char *from, const char *to);

void opening_header(struct opening *op, const struct reader_element *e);
/* Whether the element was about the opening. */
bool opening_element(struct opening *op, const struct reader_element *e);

/* True: the stream began anew, and the owner must go on with a new reader. */
bool opening_turn(struct opening *op);

#endif
