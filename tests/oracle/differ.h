/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The property that the scanner stands or falls by (row T-P12). For any bytes:
 *
 *   - whatever it accepts, libxml2 and expat accept, all three with the same
 *     elements ending at the same bytes; both oracles read the same events, and
 *     each field of a frame is what they say it is (tests/oracle/agree.h), and the
 *     router's own element parser (xml/element.h) makes the same tree of it;
 *   - it says the same however the bytes are cut, wherever they lie, whatever
 *     stands behind them and whichever inner loops read them.
 *
 * The converse of the first need not hold: the scanner is stricter. One difference
 * is excused: of an element flagged FRAME_NAME_5E expat is not asked for its events
 * but must refuse it, for a character in a name.
 *
 * One thread. An object holds the oracles and their memory from input to input.
 */
#ifndef ORACLE_DIFFER_H
#define ORACLE_DIFFER_H

#include "core/base/span.h"
#include "tests/oracle/complaint.h"

#define DIFFER_MOST (1u << 20) /* bytes of one input */
#define DIFFER_EVERY_CUT 64 /* inputs up to this long are cut in two everywhere */

struct differ;

struct differ_stats {
	uint64_t frames, refused; /* frames accepted; streams that ended with an error */
};

struct differ *differ_new(void);
void differ_free(struct differ *d);
struct differ_stats differ_stats(const struct differ *d);

/*
 * A stream: a header, which must be a legal one, and bytes behind it. max: as for
 * scan_new. seed: decides where it is cut.
 */
bool differ_stream(struct differ *d, struct span header, struct span bytes, uint32_t max,
	uint64_t seed, struct complaint *c);

/* The first bytes of a stream. */
bool differ_header(struct differ *d, struct span bytes, uint64_t seed, struct complaint *c);

#endif
