/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backends of the hosted domains as those who speak: XEP-0114 components that send stanzas to
 * outside domains and read the errors that come back. Where stanzas come in, a component sends each
 * on, from its target to the next outside domain.
 *
 * Order of use: speaker_login, and when n_ready is the number of links, speaker_begin; when
 * speaker_begun, and all that has arrived or come back, speaker_send. The caller runs the loop and calls
 * speaker_turn in between.
 *
 * TCP sets the pace: no more than SPEAKER_PENDING bytes wait for a link's socket, those that are
 * sent on apart.
 */
#ifndef SLUICE_BENCH_SPEAKER_H
#define SLUICE_BENCH_SPEAKER_H

#include "bench/address.h"
#include "bench/feed.h"
#include "bench/flood.h"
#include "bench/tally.h"

#define SPEAKER_PENDING 65536
#define SPEAKER_REASON 200

enum speaker_phase { SPEAKER_SILENT, SPEAKER_BEGINS, SPEAKER_SENDS };

struct speaker_counts {
	uint64_t bounced; /* stanzas of pairs that came back, as the ledger has them */
	struct tally bounces; /* their conditions */
	uint64_t probes_asked; /* stanzas of pairs whose keys are called invalid */
	struct tally probes; /* conditions of those that came back */
	uint64_t relayed; /* came in and were sent on */
	uint64_t damaged; /* of them, those with a changed body */
	uint64_t foreign; /* stanzas that are none of these */
};

struct speaker_link;

struct speaker {
	struct loop *loop;
	const struct names *names;
	struct feed *feed;
	struct address server;
	const char *const *logins;
	const char *secret;
	struct source timer; /* only with a rate */
	enum speaker_phase phase;
	struct speaker_link *links;
	uint32_t n_links, n_ready, n_closed;
	uint64_t bytes; /* read */
	struct speaker_counts counts;
	char reason[SPEAKER_REASON]; /* why the first link that closed did; else empty */
};

/* All that is passed must outlive it. */
void speaker_init(struct speaker *s, struct loop *l, const struct names *names, struct feed *feed);
void speaker_free(struct speaker *s);

/*
 * Logs in as each of the names, which must outlive it; link i has the hosted domains i, i + count, ...
 * false with errno set.
 */
bool speaker_login(struct speaker *s, const struct address *server, const char *const *names,
	uint32_t count, const char *secret);

/* Instead: count streams to a remote server that wants no proof, for the bench's own ceiling. */
bool speaker_open_direct(struct speaker *s, const struct address *remote, uint32_t count);

/* The first stanza of every pair; window: the feed's from here on. */
void speaker_begin(struct speaker *s, uint64_t window);
bool speaker_begun(const struct speaker *s); /* all are written */

/*
 * Stanzas by the feed's pace, which the caller has begun. Half-way through its share a link sends one
 * stanza for each of its hosted domains that are in no pair. false with errno set.
 */
bool speaker_send(struct speaker *s, uint64_t window);
/* Whether all of that has been handed to the kernel, and every such stanza has come back. */
bool speaker_sent(const struct speaker *s);

/* Once a turn of the loop: what has arrived may have made room. */
void speaker_turn(struct speaker *s);

#endif
