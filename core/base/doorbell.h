/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a consumer that may sleep and its producers agree on who wakes it: one
 * consumer, any number of producers, no lock. The doorbell knows nothing of what
 * is handed over, nor of how a sleeper is woken: producers publish in inboxes of
 * their own (core/base/spsc.h) and wake by their own means (a message to the
 * consumer's ring, a write to its eventfd).
 *
 *	producer                          consumer
 *	  publish                           doorbell_announce
 *	  if (doorbell_ring)                look into every inbox
 *	          wake the consumer         if all are empty: sleep
 *	                                    doorbell_awake
 *
 * Why no wake-up is lost. Four operations are sequentially consistent: the
 * producer's publishing store (spsc_publish) and its look at the doorbell, the
 * consumer's announcement and its look into the inbox (spsc_nonempty). There is one
 * order of all of them. Were the message unseen by the look into the inbox and the
 * announcement unseen by the look at the doorbell, then look < publish < ring <
 * announce < look: a circle. So the consumer stays awake, or is rung. With release
 * and acquire alone both may be unseen, even on x86: a store waits in the
 * processor's buffer while the load behind it is done (tests/model/doorbell.pml).
 *
 * Why a sleeper is woken once. The announcement is taken by an exchange: of all who
 * see it one gets it, be it a producer or the consumer, who has found something in
 * its inboxes. A producer who does not get it is covered by the one who did: the
 * consumer is awake, or will be, and will look again after its next announcement
 * before it sleeps. For that reason nobody may sleep without announcing and looking.
 *
 * A doorbell lives as long as any producer may ring it. It is aligned to a cache line, and
 * so must be the memory of whatever has one in it: mem_zalloc does not do that.
 */
#ifndef SLUICE_DOORBELL_H
#define SLUICE_DOORBELL_H

#include <stdalign.h>
#include <stdatomic.h>

#include "core/base/base.h"

#define DOORBELL_ALIGN 64

/* A cache line of its own: read by every producer in each turn that has something for
 * the consumer, written only when that sleeps or wakes. */
struct doorbell {
	alignas(DOORBELL_ALIGN) _Atomic bool asleep;
};

/* Before other threads know of it. The consumer is awake. */
void doorbell_init(struct doorbell *d);

/* Producer, after it has published with a sequentially consistent store. True: the
 * consumer sleeps or is about to, and the caller must wake it, nobody else will. */
MUST_CHECK bool doorbell_ring(struct doorbell *d);

/* Consumer. It will sleep if its inboxes, into which it looks after this, are empty. */
void doorbell_announce(struct doorbell *d);

/* Consumer, after an announcement: it has slept, or will not. False: a producer has
 * rung, so the wake-up has come or is on its way, exactly one of them. True: none is. */
bool doorbell_awake(struct doorbell *d);

#endif
