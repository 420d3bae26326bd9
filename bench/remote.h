/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A remote server: one endpoint, at which every outside domain lives whose number is `index` mod the
 * number of endpoints. The server under test opens streams to it and sends stanzas of hosted domains.
 *
 * It answers headers, offers STARTTLS if it does TLS, and dialback with errors. A key (db:result) it has
 * verified by the server under test, which is the Authoritative Server of its hosted domains, unless
 * it is to believe every key; only then it answers. As Authoritative Server of its own domains it
 * answers db:verify, if it has keys. The stanzas of a pair count only on streams on which the pair was
 * answered valid, and go to the flood's books.
 *
 * Any number of streams, any number of pairs on each.
 */
#ifndef SLUICE_BENCH_REMOTE_H
#define SLUICE_BENCH_REMOTE_H

#include "bench/flood.h"
#include "bench/keys.h"
#include "bench/tally.h"
#include "bench/inquirer.h"

struct remote_counts {
	uint64_t connections; /* accepted */
	uint64_t secured; /* of them, with TLS */
	uint64_t carried; /* streams with at least one pair that was answered valid */
	uint64_t most; /* such pairs of the stream that has most */
	uint64_t asserted; /* db:result that came */
	uint64_t valid, invalid, failed; /* and how they were answered; failed: with an error */
	uint64_t proven; /* different pairs that were answered valid */
	uint64_t key_valid, key_invalid, key_error; /* what the server said about its keys */
	uint64_t verified, refused; /* db:verify that came, as for an authority */
	uint64_t unproven; /* stanzas on a stream on which their pair is not valid */
	uint64_t forbidden; /* stanzas of pairs that were answered invalid */
	uint64_t foreign; /* other stanzas that are not ours */
	uint64_t ended; /* connections that the server has ended */
	struct tally bounces; /* conditions of the foreign with type='error' */
	struct tally errors; /* stream errors that came */
};

struct remote_conn;

struct remote_opts {
	const struct names *names;
	struct flood *flood;
	struct keys *keys; /* NULL: it is no Authoritative Server */
	struct secure *secure; /* NULL: in the clear */
	struct secure *opens; /* for its verify streams; NULL: in the clear */
	struct address server; /* where they go */
	uint32_t index;
	bool believe; /* every key */
	bool naked; /* stanzas need no proof: there is no server between */
	uint64_t throttle; /* bytes a second read of each connection; 0: all there is */
};

struct remote {
	struct source source; /* the listener; first */
	struct loop *loop;
	struct remote_opts o;
	struct address listen;
	struct inquirer inquirer;
	struct remote_conn *conns;
	uint8_t *proven; /* one per pair */
	struct remote_counts counts;
	uint64_t bytes; /* read */
	uint64_t back; /* when it returned; 0: it never was away */
	uint64_t heard; /* when the first stanza arrived after that */
};

/*
 * What o points to must outlive it. Listens on *listen (port 0: any above 20000, set to what it
 * became). false with errno set.
 */
bool remote_open(struct remote *r, struct loop *l, const struct remote_opts *o,
	struct address *listen);
void remote_close(struct remote *r); /* harmless when it is closed */

/* Once a turn of the loop: connections that may read again do. */
void remote_turn(struct remote *r);

/* Resets every connection and listens no more, until remote_return. */
void remote_vanish(struct remote *r);
/* At the same address. false with errno set. */
bool remote_return(struct remote *r);

#endif
