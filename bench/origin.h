/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The originating server of all sender domains: streams to the server under test, on
 * which it asserts its pairs by dialback, then sends stanzas.
 *
 * Pairs come in waves, in this order of their numbers: the first ones, asserted before
 * any stanza is sent; late ones, asserted meanwhile, which send nothing; and with
 * churn those of streams that were opened anew. Of the first two, pair i of its wave is
 * of stream i mod streams.
 *
 * Order of use: origin_open, and when n_ready is the number of streams,
 * origin_assert; when the first pairs are settled, origin_send. The caller runs the loop
 * and looks at the counts in between.
 *
 * TCP sets the pace: no more than ORIGIN_PENDING bytes wait for a stream's socket.
 */
#ifndef SLUICE_BENCH_ORIGIN_H
#define SLUICE_BENCH_ORIGIN_H

#include "bench/address.h"
#include "bench/feed.h"
#include "bench/keys.h"
#include "bench/tally.h"

#define ORIGIN_PENDING 65536
#define ORIGIN_REASON 200

enum origin_phase {
	ORIGIN_OPENING,
	ORIGIN_PAIRS,
	ORIGIN_STANZAS,
};

enum origin_wave { WAVE_FIRST, WAVE_LATE, WAVE_CHURN, WAVES };

struct origin_pairs {
	uint64_t asked, valid, invalid, error;
	uint64_t closed; /* pairs whose stream ended before the answer */
	struct tally conditions; /* of error */
	struct latency wait; /* from the question to the answer */
	uint64_t first, last; /* when the first was asserted; when the last answer came */
};

struct origin_counts {
	struct origin_pairs pairs[WAVES];
	uint64_t probes_asked, probes_answered;
	struct tally probes; /* "valid", "invalid" or the error's condition */
	uint64_t unexpected; /* answers that nobody asked for */
	uint64_t noise; /* of the feed's stanzas, those beyond the rate */
	uint64_t withheld; /* not sent: due while the stream was away, or in an overload */
	uint64_t reopened; /* streams */
};

struct origin_stream;
struct secure;

struct origin {
	struct loop *loop;
	const struct names *names;
	struct keys *keys;
	struct feed *feed;
	struct secure *secure; /* set after origin_init; NULL: in the clear */
	struct address server;
	struct source timer; /* only with a rate */
	enum origin_phase phase;
	struct origin_stream *streams;
	uint32_t n_streams, n_ready, n_closed;
	uint32_t n_first, n_late; /* pairs of these waves; the rest of names->n_pairs is churn's */
	uint8_t *pairs; /* state of each */
	uint64_t *asked; /* when each was asserted */
	uint32_t window; /* most unanswered db:result a stream; 0 unlimited */
	bool late; /* late pairs are being asserted */
	bool noise; /* the first pair sends as much as its stream takes */
	bool narrow; /* set after origin_init: the streams' buffers in the kernel are small */
	bool rough; /* likewise: streams that are opened anew end in every way, and claim a false key */
	uint32_t churn; /* streams opened anew a second */
	uint32_t churn_turn; /* the next one */
	uint32_t churn_pair, churn_probe; /* the first that no stream has had */
	uint64_t churn_next; /* when */
	struct origin_counts counts;
	char reason[ORIGIN_REASON]; /* why the first stream that closed did; else empty */
	char pair_reason[ORIGIN_REASON]; /* first pair that was refused and how */
};

/* All that is passed must outlive it. late: how many of the names' pairs are, behind `first`. */
void origin_init(struct origin *o, struct loop *l, const struct names *names, struct keys *keys,
	struct feed *feed, uint32_t first, uint32_t late);
void origin_free(struct origin *o);

/* Opens names->n_streams streams. false with errno set. */
bool origin_open(struct origin *o, const struct address *server);

/* Instead: connections without streams and dialback, on which every pair counts as valid. */
bool origin_open_direct(struct origin *o, const struct address *sink);

/* Asserts the first pairs; window: see the struct. */
void origin_assert(struct origin *o, uint32_t window);

/* Whether each of them was answered or can no longer be. */
bool origin_settled(const struct origin *o);

/*
 * Sends stanzas round robin over the valid first pairs by the feed's pace, which the caller has begun;
 * half-way through its share the first stream asserts names->n_probes probes with
 * false keys. churn: streams a second that end in order and are opened anew with pairs
 * of their own, as long as there are numbers for them. false with errno set.
 */
bool origin_send(struct origin *o, uint32_t churn);

/* Once a turn of the loop: what has arrived may have made room in the feed's window. */
void origin_turn(struct origin *o);

/* Whether all of that has been handed to the kernel, and every probe and late pair was answered. */
bool origin_sent(const struct origin *o);

/* Meanwhile: the late pairs are asserted. */
void origin_assert_late(struct origin *o);

/* Meanwhile: the first pair of all makes noise, or no longer. */
void origin_noise(struct origin *o, bool on);

/* Meanwhile: what is due by now and could not be sent never will be. */
void origin_forget(struct origin *o);

#endif
