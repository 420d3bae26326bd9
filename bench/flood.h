/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the sink's stanzas in a flood of bytes by their markers, without parsing XML, and books
 * them.
 */
#ifndef SLUICE_BENCH_FLOOD_H
#define SLUICE_BENCH_FLOOD_H

#include "bench/sink.h"

#define FLOOD_BUFFER (256u << 10)

/*
 * Books the whole stanzas in buf, of FLOOD_BUFFER bytes at most, as having arrived now, and moves what
 * is behind the last of them to its beginning. Returns how much that is: less than FLOOD_BUFFER.
 */
size_t flood_scan(struct sink *k, char *buf, size_t len, uint64_t now);

#endif
