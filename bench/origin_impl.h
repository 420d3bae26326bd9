/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The originating server, for the files that make it up: bench/origin.c (streams),
 * origin_pairs.c (dialback), origin_stanzas.c (what is sent when), origin_churn.c (streams
 * that end and are opened anew).
 */
#ifndef SLUICE_BENCH_ORIGIN_IMPL_H
#define SLUICE_BENCH_ORIGIN_IMPL_H

#include "bench/opening.h"
#include "bench/origin.h"
#include "bench/range.h"

enum pair_state { PAIR_NEW, PAIR_ASKED, PAIR_VALID, PAIR_FAILED };

enum stream_state {
	STREAM_OPENING,
	STREAM_READY,
	STREAM_LEAVING, /* we have ended it and wait for the server to do so */
	STREAM_CLOSED,
};

/* Rough streams; all others end in order. */
enum stream_way {
	WAY_ORDERLY,
	WAY_ERROR,
	WAY_SILENT, /* no more bytes, not even the end of the stream */
	WAY_RESET, /* in order; but when it is opened anew its claims are not waited for */
	WAYS,
};

struct origin_stream {
	struct wire wire; /* first: its source is what the loop hands us */
	struct origin *origin;
	struct reader *reader;
	struct opening opening;
	char name[NAMES_TEXT]; /* of its first sender, for the header */
	enum stream_state state;
	uint32_t index;
	struct range own, late; /* its pairs */
	struct range probes; /* for these it has false keys */
	uint32_t own_asked, late_asked, probes_asked; /* how many of them were asserted */
	enum stream_way way; /* in which it ends, or is opened anew */
	uint32_t unanswered;
	struct share share; /* of the stanzas: its valid pairs, while they are sent */
	char error[ORIGIN_REASON]; /* condition of a stream error */
	bool over;
};

static inline struct text text_of(const char *s)
{
	return (struct text){ s, strlen(s) };
}

/* Fills the socket, but leaves the loop to others after a few buffers. */
void stream_pump(struct origin_stream *s);

/* Opens its connection and stream as if for the first time. false with errno set. */
bool stream_begin(struct origin_stream *s);

void stream_close(struct origin_stream *s, const char *why);

/* -- pairs -- */

/* Asserts those that are wanted now, as far as window and buffer allow. */
void pairs_fill(struct origin_stream *s);
bool pairs_wanted(const struct origin_stream *s);
void probes_fill(struct origin_stream *s);
bool probes_wanted(const struct origin_stream *s);
void pairs_result(struct origin_stream *s, const struct reader_element *e);
/* The stream ended: what was not answered never will be. */
void pairs_abandon(struct origin_stream *s);
/* Collects the stream's valid pairs for those who send. */
void pairs_collect(struct origin_stream *s);

/* -- stanzas -- */

void stanzas_fill(struct origin_stream *s);
bool stanzas_wanted(const struct origin_stream *s);
/* What is due by now counts as withheld. */
void stanzas_skip(struct origin_stream *s, uint64_t now);

/* -- churn -- */

/* Once per tick of the timer. */
void churn_turn(struct origin *o, uint64_t now);
/* The server has ended a stream that we had ended: it is opened anew. */
void churn_reopen(struct origin_stream *s);
/* What was to be written has been. True: that was the end of this connection. */
bool churn_flushed(struct origin_stream *s);
/* After each answer: a stream all of whose new pairs were answered sends again. */
void churn_answered(struct origin_stream *s);

#endif
