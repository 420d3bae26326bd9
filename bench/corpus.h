/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stanzas for the micro benchmarks: named corpora, each made from a seed and the
 * same for the same seed.
 *
 *   chat       about 355 bytes: a body with chat states, receipts, ids, markers
 *   presence   small ones, a third of them with capabilities (XEP-0115)
 *   iq         get, set and result with the usual payloads
 *   message4k  chat with a body of 4 KiB
 *   cyrillic, chinese, emoji   chat with 300 to 700 bytes of such text
 *   escaped    the same with a reference every few bytes
 *   deep       64 elements inside each other, the stanza being the first
 *   attrs      one element with 64 attributes, some of them with prefixes
 *
 * Order and quotes of attributes, forms of addresses and ids, children, their order and
 * text are drawn anew for each stanza, so that no branch predictor learns one template. A
 * modern one learns more than that: in a loop over 64 KiB of chat the scanner takes three
 * quarters of the time that it takes for stanzas never seen before, and only from 1 MiB on
 * does it make no difference. CORPUS_SIZE is well beyond. That it fits no second-level cache
 * is not felt, since bytes that are read in their order are fetched ahead.
 */
#ifndef SLUICE_BENCH_CORPUS_H
#define SLUICE_BENCH_CORPUS_H

#include "bench/bench.h"

#define CORPORA 10
#define CORPUS_SIZE (4u << 20)
#define CORPUS_STANZAS_MIN 72
#define CORPUS_PAD 64 /* readable bytes behind the last stanza */

/* The header of the stream that they are sent on. */
#define CORPUS_HEADER                                                                              \
	"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "    \
	"xmlns:db='jabber:server:dialback' from='origin.example' to='hosted.example' "             \
	"version='1.0'>"

struct corpus {
	const char *name;
	char *bytes; /* the stanzas, one directly behind the other */
	size_t len;
	size_t *start; /* offset of each stanza; start[count] == len */
	size_t count;
};

/*
 * which: 0 .. CORPORA - 1. At least size bytes and at least CORPUS_STANZAS_MIN stanzas; a smaller
 * corpus is the beginning of a larger one.
 */
void corpus_init(struct corpus *c, unsigned which, size_t size, uint64_t seed);
void corpus_free(struct corpus *c);

const char *corpus_name(unsigned which);

static inline struct text corpus_stanza(const struct corpus *c, size_t i)
{
	return (struct text){ c->bytes + c->start[i], c->start[i + 1] - c->start[i] };
}

#endif
