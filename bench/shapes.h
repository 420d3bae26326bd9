/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stanzas: chat messages of at least 64 shapes, and their marker.
 *
 * Shapes differ in the order and quotes of attributes, full and bare addresses, ids,
 * children before and after the body, and the text of the body, so that no branch
 * predictor learns one template. The body is as long as it takes to make the whole
 * stanza as long as asked for, within 2 bytes for names of usual length. It begins
 * with a marker of SHAPES_MARKER bytes,
 *
 *   ~sb PPPPPPPP NNNNNNNN TTTTTTTTTTTTTTTT SS
 *
 * pair, number in the pair, time of sending in ns and shape, all hexadecimal. '~'
 * is nowhere else in a stanza, so a sink finds the marker with memchr. What follows
 * it up to and including "</body>" is the shape's tail, which has to arrive as sent.
 */
#ifndef SLUICE_BENCH_SHAPES_H
#define SLUICE_BENCH_SHAPES_H

#include "bench/bench.h"

#define SHAPES 128
#define SHAPES_MARKER 41
#define SHAPES_SIZE_MIN 220
#define SHAPES_SIZE_MAX 60000

struct shape {
	struct text part[4]; /* part address part address part marker part */
	bool to_first; /* the first address is the target's */
	struct text tail; /* from the marker's end on, with "</body>"; inside part[3] */
};

struct shapes {
	struct shape shape[SHAPES];
	char *store;
	size_t longest; /* bytes of the longest stanza, addresses not counted */
	uint64_t random; /* state of the shuffle */
};

struct marker {
	uint32_t pair, number;
	uint64_t time;
	uint32_t shape;
};

/* size: bytes of a whole stanza, SHAPES_SIZE_MIN to SHAPES_SIZE_MAX. */
void shapes_init(struct shapes *s, size_t size, uint64_t seed);
void shapes_free(struct shapes *s);

/* The shape of the next stanza: an unbiased pseudo-random sequence that the seed fixes. */
static inline uint32_t shapes_next(struct shapes *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (uint32_t)(s->random >> 32) % SHAPES;
}

/*
 * Writes one stanza to `to`, where s->longest + both lengths bytes are free; returns
 * its end.
 */
char *shapes_write(const struct shapes *s, char *to, const struct marker *m, struct text sender,
	struct text target);

/* Reads a marker at p, where SHAPES_MARKER bytes are. false when it is none. */
bool shapes_read(const char *p, struct marker *m);

#endif
