/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounded ring of fixed-size messages between exactly one producer thread and
 * one consumer thread. The producer writes privately and publishes all that it
 * wrote with one store, once per loop turn; the consumer takes what was
 * published. No lock, no compare-and-swap; each side's index has a cache line
 * of its own and each side keeps a copy of the other's.
 *
 * Ownership of what a message points to moves with the message.
 */
#ifndef SLUICE_SPSC_H
#define SLUICE_SPSC_H

#include <stdalign.h>
#include <stdatomic.h>

#include "core/base/base.h"

struct spsc;

/* Room for `capacity` (a power of two) messages of `size` bytes. Dies without memory. */
struct spsc *spsc_new(uint32_t capacity, uint32_t size);

/* Both threads must have let go of it. */
void spsc_free(struct spsc *r);

/* Producer. A slot to fill, or NULL when the consumer is `capacity` behind. */
void *spsc_reserve(struct spsc *r);

/* Producer. Makes all slots reserved so far visible, with a sequentially consistent store:
 * doorbell_ring may follow (core/base/doorbell.h). True if there were any. */
bool spsc_publish(struct spsc *r);

/* Consumer. The oldest published message, or NULL; it stays valid until spsc_release. */
const void *spsc_peek(struct spsc *r);

/* Consumer. Gives the slot of the last spsc_peek back. */
void spsc_release(struct spsc *r);

/* Consumer. The look into the inbox between doorbell_announce and sleep: a sequentially
 * consistent load. */
bool spsc_nonempty(struct spsc *r);

#endif
