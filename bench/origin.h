/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The originating server of all sender domains: a few streams to the server under
 * test, on which it asserts its pairs by dialback, then sends stanzas.
 *
 * Pair i belongs to stream i mod streams. Order of use: origin_open, and when
 * n_ready is the number of streams, origin_assert; when all pairs are settled,
 * origin_send. The caller runs the loop and looks at the counts in between.
 *
 * TCP sets the pace: no more than ORIGIN_PENDING bytes wait for a stream's socket.
 */
#ifndef SLUICE_BENCH_ORIGIN_H
#define SLUICE_BENCH_ORIGIN_H

#include "bench/address.h"
#include "bench/keys.h"
#include "bench/ledger.h"
#include "bench/loop.h"
#include "bench/names.h"
#include "bench/shapes.h"
#include "bench/tally.h"

#define ORIGIN_PENDING 65536
#define ORIGIN_REASON 200

enum origin_phase {
	ORIGIN_OPENING,
	ORIGIN_PAIRS,
	ORIGIN_STANZAS,
};

struct origin_counts {
	uint64_t asked, valid, invalid, error; /* pairs */
	uint64_t closed; /* pairs whose stream ended before the answer */
	struct tally conditions; /* of error */
	uint64_t probes_asked, probes_answered;
	struct tally probes; /* "valid", "invalid" or the error's condition */
	uint64_t unexpected; /* answers that nobody asked for */
	uint64_t stanzas, bytes; /* written into the streams' buffers */
	uint64_t first, last; /* when the first pair was asserted; when the last answer came */
};

struct origin_stream;
struct secure;

struct origin {
	struct loop *loop;
	const struct names *names;
	struct shapes *shapes;
	struct keys *keys;
	struct ledger *ledger;
	struct secure *secure; /* set after origin_init; NULL: in the clear */
	struct source timer; /* only with a rate */
	enum origin_phase phase;
	struct origin_stream *streams;
	uint32_t n_streams, n_ready, n_closed;
	uint8_t *pairs; /* state of each */
	uint32_t window; /* most unanswered db:result a stream; 0 unlimited */
	uint64_t rate; /* stanzas a second, 0 unlimited */
	uint64_t began; /* of the stanzas */
	struct origin_counts counts;
	char reason[ORIGIN_REASON]; /* why the first stream that closed did; else empty */
	char pair_reason[ORIGIN_REASON]; /* first pair that was refused and how */
};

/* All that is passed must outlive it. */
void origin_init(struct origin *o, struct loop *l, const struct names *names, struct shapes *shapes,
	struct keys *keys, struct ledger *ledger);
void origin_free(struct origin *o);

/* Opens names->n_streams streams. false with errno set. */
bool origin_open(struct origin *o, const struct address *server);

/* Instead: connections without streams and dialback, on which every pair counts as valid. */
bool origin_open_direct(struct origin *o, const struct address *sink);

/* Asserts every pair; window: see the struct. */
void origin_assert(struct origin *o, uint32_t window);

/* Whether every pair was answered or can no longer be. */
bool origin_settled(const struct origin *o);

/*
 * Sends count stanzas round robin over the valid pairs, at rate a second when that
 * is not 0; half-way through its share the first stream asserts names->n_probes
 * probes with false keys. false with errno set.
 */
bool origin_send(struct origin *o, uint64_t count, uint64_t rate);

/* Whether all of that has been handed to the kernel and every probe was answered. */
bool origin_sent(const struct origin *o);

#endif
