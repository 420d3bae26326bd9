/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workers of a router, and what they share: flags, rules, secrets (all
 * constant) and the mesh by which they talk. Made, told and ended by the control
 * thread.
 *
 * What exists once for the whole router has a home, one of the workers, found by a
 * keyed hash of its name: a backend with its route and its link; a remote domain
 * while its servers are looked for; an authoritative endpoint with the stream to
 * it. So the others find it without asking anybody, it needs no lock, and a peer
 * that talks to all workers sees one router.
 */
#ifndef SLUICE_CORE_CREW_H
#define SLUICE_CORE_CREW_H

#include "core/base/hash.h"
#include "core/base/rand.h"
#include "core/config.h"
#include "core/hosting.h"
#include "core/mesh.h"
#include "core/stats.h"
#include "net/resolve.h"

struct control;
struct pins;
struct secrets;
struct tls_tickets;
struct verdicts;
struct worker;

struct crew {
	const struct config *config;
	const struct resolve_rules *rules; /* what may be dialled */
	const struct secrets *secrets;
	struct pins *pins; /* kept over reloads */
	struct verdicts *verdicts; /* forgotten at each reload; NULL: --cache-entries 0 */
	struct tls_tickets *tickets; /* whichever worker a peer comes back to can resume */
	struct mesh *mesh;
	struct hash_key key; /* of homes */
	unsigned n;
	struct worker *workers;
	uint64_t reloads_failed; /* the control thread's: no worker hears of them */
};

/*
 * Starts all workers and waits until they listen. hosting: holds one reference for each of them,
 * which become theirs. False: standard error has been told why, nothing runs, *exit_code is set.
 */
bool crew_start(struct crew *c, const struct config *config, const struct resolve_rules *rules,
	const struct secrets *secrets, struct hosting *hosting, int *exit_code);

/* To all workers; waits for one that is far behind. CONTROL_HOSTING: a reference for each. */
void crew_tell(struct crew *c, const struct control *what);

/* Have all of them ended? */
bool crew_ended(const struct crew *c);
/* Waits for their end and frees them. sum: of their counters; may be NULL. */
void crew_join(struct crew *c, struct stats *sum);

/* The sum of their counters, which go on counting, and of ours. */
void crew_stats(const struct crew *c, struct stats *sum);

/* -- any thread -- */

unsigned crew_home(const struct crew *c, struct span name);
unsigned crew_home_of(const struct crew *c, const struct addr *endpoint);

/* A stream id that tells the maker's number to whoever gets it back; nothing else can be read from
 * it (core/base/rand.h). */
void crew_stream_id(unsigned worker, char id[STREAM_ID_LEN + 1]);
/* False: no worker has made this id. */
bool crew_maker(const struct crew *c, struct span id, unsigned *worker);

#endif
