/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring of receive buffers that the kernel picks from (IORING_REGISTER_PBUF_RING).
 * A handler consumes a buffer synchronously and gives it back before it returns,
 * so the ring runs dry only inside one batch. Behind every buffer lie
 * BUFRING_PAD readable bytes. One per worker and size; owner thread only.
 */
#ifndef SLUICE_NET_BUFRING_H
#define SLUICE_NET_BUFRING_H

#include "net/uring.h"

#define BUFRING_PAD 64

struct bufring;

/* count: a power of two up to 32768; size in bytes. NULL and *err = -errno when refused. */
struct bufring *bufring_new(struct uring *u, uint16_t group, unsigned count, unsigned size,
	int *err);
void bufring_free(struct bufring *b);

unsigned bufring_size(const struct bufring *b);
uint16_t bufring_group(const struct bufring *b);

/* The buffer that a completion with these flags and res bytes carries; p == NULL: none. */
struct span bufring_take(struct bufring *b, int res, uint32_t flags);
/* Back to the kernel; at once visible. Takes what bufring_take returned. */
void bufring_put(struct bufring *b, struct span buffer);

#endif
