/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backends of the hosted domains: XEP-0114 components that check what arrives.
 *
 * Logs in once per given name; a link is known by its number. A link may be made to stall, to
 * vanish, or all of them to read slowly: what a router has to live with. After the handshake no XML is parsed: a stanza is
 * found by its marker, so that the sink costs a fraction of any router. Each is
 * booked in the ledger; its body has to be as it was sent; its addresses are looked
 * at in one stanza of sixteen.
 */
#ifndef SLUICE_BENCH_SINK_H
#define SLUICE_BENCH_SINK_H

#include "bench/address.h"
#include "bench/flows.h"
#include "bench/latency.h"
#include "bench/ledger.h"
#include "bench/loop.h"
#include "bench/names.h"
#include "bench/shapes.h"

#define SINK_REASON 256

struct sink_link;

struct sink {
	struct loop *loop;
	const struct names *names;
	const struct shapes *shapes;
	struct ledger *ledger;
	struct latency latency;
	struct flows *flows; /* set after sink_init; NULL: no books by stage */
	uint64_t rate; /* likewise: bytes a second that each link reads; 0: all it gets */
	uint32_t narrow; /* likewise: the first link whose buffer in the kernel is to be small */
	struct address server;
	const char *const *logins;
	const char *secret;
	struct source listener; /* only of sink_listen */
	struct sink_link *links;
	uint32_t n_links, n_ready, n_closed; /* n_closed: not those that were to go */
	uint32_t n_returned; /* links that logged in once more */
	char reason[SINK_REASON]; /* why the first link that closed did; else empty */
	uint64_t bytes, damaged, misaddressed;
	uint64_t last; /* when a stanza arrived last */
};

/* All that is passed must outlive the sink. names gives senders and targets to check against. */
void sink_init(struct sink *k, struct loop *l, const struct names *names,
	const struct shapes *shapes, struct ledger *ledger);
void sink_free(struct sink *k);

/*
 * Logs in as each of the names, which must outlive it; done when n_ready is their number. false with
 * errno set.
 */
bool sink_login(struct sink *k, const struct address *server, const char *const *names,
	uint32_t count, const char *secret);

/*
 * Instead: accepts up to count connections that send bare stanzas, for the bench's
 * own ceiling. *a is set to where. false with errno set.
 */
bool sink_listen(struct sink *k, struct address *a, uint32_t count);

/* Once a turn of the loop, with a rate: links that may read again do. */
void sink_turn(struct sink *k);

/* The link reads nothing, or goes on. Should the server end it meanwhile, it logs in again. */
void sink_stall(struct sink *k, uint32_t link, bool on);

/* Reads what is there and resets the connection; then n_ready lacks one. */
void sink_vanish(struct sink *k, uint32_t link);

/* It logs in again. false with errno set. */
bool sink_return(struct sink *k, uint32_t link);

#endif
