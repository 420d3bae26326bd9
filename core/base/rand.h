/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Randomness from getrandom(2), drawn in blocks by each thread. Dies when the
 * kernel has none: ids and secrets must not be guessed (protocol rule 1.3).
 * After fork(2) a child draws afresh. Any thread.
 */
#ifndef SLUICE_RAND_H
#define SLUICE_RAND_H

#include "core/base/base.h"

#define STREAM_ID_LEN 24

void rand_bytes(void *p, size_t n);
uint32_t rand_below(uint32_t bound); /* uniform in [0, bound); bound > 0 */

/*
 * A fresh stream id: a letter and 23 characters of [A-Za-z0-9_-], more than 128
 * bits, NUL-terminated (RFC 6120 section 4.7.3; an NMTOKEN for db:verify/@id).
 */
void rand_stream_id(char out[STREAM_ID_LEN + 1]);

#endif
