/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server that the DNS gives for all sender domains.
 *
 * As authoritative server it answers db:verify: valid when the key is the one that
 * our secret gives for target, sender and id, else invalid. As receiving server
 * (the server under test may bring stanzas back: bounces) it answers every
 * db:result with valid at once and counts the stanzas. Any number of connections,
 * any number of pairs on each, any order.
 */
#ifndef SLUICE_BENCH_AUTHORITY_H
#define SLUICE_BENCH_AUTHORITY_H

#include "bench/address.h"
#include "bench/keys.h"
#include "bench/loop.h"
#include "bench/tally.h"

struct authority_counts {
	uint64_t connections; /* accepted */
	uint64_t secured; /* of them, with TLS */
	uint64_t verified; /* db:verify answered valid */
	uint64_t refused; /* db:verify answered invalid */
	uint64_t asserted; /* db:result answered valid */
	uint64_t stanzas; /* received on these streams */
	struct tally bounces; /* conditions of those with type='error' */
};

struct authority_conn;
struct secure;

struct authority {
	struct source source; /* the listener */
	struct loop *loop;
	struct keys *keys;
	struct secure *secure; /* set after authority_open: STARTTLS is offered; or NULL */
	struct authority_conn *conns;
	struct authority_counts counts;
};

/*
 * keys must outlive it. Listens on *listen (port 0: any above 20000, set to what it
 * became; servers refuse to dial low ports). false with errno set.
 */
bool authority_open(struct authority *a, struct loop *l, struct keys *keys, struct address *listen);
void authority_close(struct authority *a);

#endif
