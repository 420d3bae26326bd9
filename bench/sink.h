/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backends of the hosted domains: XEP-0114 components that check what arrives.
 *
 * Logs in once per given name; a link is known by its number. A link may be made to stall, to
 * vanish, or all of them to read slowly: what a router has to live with. After the handshake no XML is parsed: a stanza is
 * found by its marker (bench/flood.h), so that the sink costs a fraction of any router.
 */
#ifndef SLUICE_BENCH_SINK_H
#define SLUICE_BENCH_SINK_H

#include "bench/address.h"
#include "bench/flood.h"
#include "bench/loop.h"

#define SINK_REASON 256

struct sink_link;

struct sink {
	struct loop *loop;
	struct flood *flood;
	uint64_t
		rate; /* set after sink_init: bytes a second that each link reads; 0: all it gets */
	uint32_t narrow; /* likewise: the first link whose buffer in the kernel is to be small */
	struct address server;
	const char *const *logins;
	const char *secret;
	struct source listener; /* only of sink_listen */
	struct sink_link *links;
	uint32_t n_links, n_ready, n_closed; /* n_closed: not those that were to go */
	uint32_t n_returned; /* links that logged in once more */
	char reason[SINK_REASON]; /* why the first link that closed did; else empty */
	uint64_t bytes;
};

/* All that is passed must outlive the sink. */
void sink_init(struct sink *k, struct loop *l, struct flood *flood);
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
