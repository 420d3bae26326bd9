/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a list of places to one TCP connection, by Happy Eyeballs (RFC 8305 section
 * 5, XEP-0495, protocol rules 7.1 step 5 and 7.4). A run of places with the same
 * group number is raced: the first is dialled at once, the next DIAL_DELAY_MS after
 * the one before it, or as soon as one of them fails, and no more than
 * LIMIT_DIAL_RACE are open together. The next group begins when all of the group
 * before it have failed. The first that connects wins, and the others are ended.
 * Only TCP is raced: TLS and the stream are the business of whoever gets the winner.
 * An attempt has TIMEOUT_CONNECT_MS (net/conn.h).
 *
 * One worker's thread. A dial begins with dial_start and is over with exactly one of
 * `connected`, `failed` and dial_cancel: it then frees itself, and what is left of
 * its attempts ends in conns_flush without a further call to anybody. Before
 * conns_free every dial must be over. The places are copied; times are ms.
 */
#ifndef SLUICE_NET_DIAL_H
#define SLUICE_NET_DIAL_H

#include "core/base/place.h"
#include "net/conn.h"

struct dial;

/* `which` is an index into the places of dial_start. No call comes from inside dial_start. */
struct dial_ops {
	/* The winner, on which nothing has been said or heard: from inside this call it is either
	 * given its user and its ops, whose `connected` does not come any more, or ended. */
	void (*connected)(void *user, struct conn *c, unsigned which);
	/* Nothing came of any place, or there was no more room for attempts. err is -errno and why
	 * static text: of the place that failed last, or what there was no room for. */
	void (*failed)(void *user, int err, const char *why);
	/* This place has failed; others are still tried, or `failed` comes in the next turn. Not
	 * called for what is our own want (of memory, connections or descriptors) and says nothing about
	 * the place, nor for attempts that were ended since another won. May be NULL. */
	void (*place_failed)(void *user, unsigned which, int err, const char *why);
};

/*
 * places: 1..LIMIT_CANDIDATES of them. NULL with *err when not even the first attempt can begin for
 * want of memory, of a connection (-EUSERS: at the limit) or of a descriptor: no call comes then.
 * When it is a later one that cannot begin, those under way go on and it is tried again.
 */
struct dial *dial_start(struct conns *cs, struct timer_wheel *wheel, const struct place *places,
	unsigned n, const struct dial_ops *ops, void *user, uint64_t now, int *err) MUST_CHECK;

/* No call comes any more. NULL is fine. From inside `place_failed` too; from inside `connected` and
 * `failed` it does nothing, since the dial is over. */
void dial_cancel(struct dial *d);

/*
 * From inside `connected` or `failed`: the places that have neither won nor failed, in their order,
 * into room for as many as dial_start was given; how many. What a next dial is to try when TLS or the
 * stream fails on the winner.
 */
unsigned dial_rest(const struct dial *d, struct place *rest);

#endif
