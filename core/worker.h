/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker: one thread with one ring, and all that belongs to it. Nothing in it
 * is touched by another thread but `stats` (read), the control ring (written by
 * the control thread) and the ring's wake-up. What workers have to say to each
 * other goes over the mesh.
 *
 * Life: worker_init, worker_start, worker_join, worker_free, all by the control
 * thread. Others may wake it until worker_free.
 */
#ifndef SLUICE_CORE_WORKER_H
#define SLUICE_CORE_WORKER_H

#include <errno.h>
#include <pthread.h>

#include "core/backlog.h"
#include "core/base/spsc.h"
#include "core/bounce.h"
#include "core/canary.h"
#include "core/carry.h"
#include "core/channel.h"
#include "core/config.h"
#include "core/crew.h"
#include "core/hosting.h"
#include "core/ipcount.h"
#include "core/pins.h"
#include "core/route.h"
#include "core/stats.h"
#include "dialback/authority.h"
#include "dialback/initiate.h"
#include "dialback/verify.h"
#include "net/conn.h"
#include "net/dns.h"
#include "net/listen.h"
#include "net/resolve.h"
#include "xml/element.h"

/* From the control thread to a worker. */
struct control {
	enum { CONTROL_HOSTING, CONTROL_EXPLAIN, CONTROL_DRAIN, CONTROL_ABORT } what;
	struct hosting *hosting; /* CONTROL_HOSTING: the worker's reference */
};

enum worker_start { WORKER_STARTING, WORKER_RUNNING, WORKER_REFUSED };

/* Of a worker that stops; the others must know, for they share its links and its questions. */
enum drain_phase {
	DRAIN_NOT,
	DRAIN_BEGUN, /* strangers were told, and no claim of theirs is open */
	DRAIN_QUIET, /* nothing from outside will follow */
	DRAIN_RETURNED, /* what was kept has gone back to its senders */
	DRAIN_UNLINKED, /* no backend has a link any more */
	DRAIN_LEFT, /* nothing at all will follow */
	DRAIN_PHASES,
};

struct worker {
	/* what it was given; constant */
	struct crew *crew;
	unsigned number;
	const struct config *config;
	const struct resolve_rules *rules; /* what may be dialled */
	const struct secrets *secrets;
	struct pins *pins; /* shared by all workers */
	struct verdicts *verdicts; /* likewise */
	struct tls_tickets *tickets; /* likewise */

	/* what it owns */
	struct uring *ring;
	struct mesh_port *port; /* to the other workers */
	struct channels *channels;
	struct timer_wheel *wheel;
	struct conns *conns;
	struct listeners *listeners;
	struct dns *dns;
	struct resolver *resolver;
	struct verifier *verifier;
	struct authcalls *authcalls; /* what it has open at the homes of authorities */
	struct authlinks *authlinks; /* streams to those whose home is here */
	struct initiator *initiator; /* pairs whose target's home is here */
	struct explain *explain; /* why pairs fail */
	struct list dialling; /* struct outbound that have no connection yet */
	bool returning; /* inside of the initiator: what comes back of a stanza */
	bool reviewing; /* registry or policy have changed, pairs are looked at again */
	struct authority *authority;
	struct element_parser *elements;
	struct canary canary; /* --xml-check */
	struct keyring *keyring; /* NULL: no TLS */
	uint64_t tickets_due; /* ms; their keys are looked at from time to time */
	struct routes *routes;
	struct ipcount *unauthenticated; /* inbound streams per source address */
	struct stats stats;
	struct carries carries; /* incomplete elements of all streams */
	struct backlogs backlogs; /* claims of all streams that have to wait for their turn */
	struct list streams; /* all struct stream */
	struct list resumable; /* inbound streams whose claims have shrunk */
	uint64_t links_until; /* while draining: backends keep their links so long */
	struct hosting *hosting; /* registry and policy of this turn */
	uint32_t route_gen; /* what pairs cached under an older one is looked up again */
	uint64_t serial;
	uint64_t share_seed; /* of shares_key: a secret of this worker's */
	uint64_t now; /* ms; read once per turn */
	char scratch[BOUNCE_MAX]; /* for XML that is written at once: bounces, addresses */

	/* drain */
	bool draining;
	enum drain_phase phase; /* told the others so */
	unsigned in_phase[DRAIN_PHASES]; /* how many workers have come so far, this one included */
	uint64_t drain_until;

	/* the thread, and what the control thread may touch */
	pthread_t thread;
	struct spsc *inbox; /* struct control */
	pthread_mutex_t lock; /* of start */
	pthread_cond_t started;
	enum worker_start start;
	struct uring_failure refused;
	struct addr *bound; /* where it listens, in the order of worker_open; then constant */
	unsigned n_bound;
	int exit_code; /* WORKER_REFUSED: EX_* */
	_Atomic bool ended; /* its loop is over */
};

/* A worker's share of --max-conns. */
static inline unsigned worker_max_conns(const struct worker *w)
{
	const struct config *c = w->config;

	return (unsigned)((c->max_conns + c->workers - 1) / c->workers);
}

/* Connections that neither strangers nor streams for stanzas may take: they are for backends and for
 * verification. */
static inline unsigned worker_reserve(const struct worker *w)
{
	unsigned part = worker_max_conns(w) / 8;

	return part < LIMIT_CONNS_RESERVE ? part : LIMIT_CONNS_RESERVE;
}

/* hosting: a reference that becomes the worker's. w is zeroed memory. */
void worker_init(struct worker *w, struct crew *crew, unsigned number, struct hosting *hosting);

/* Starts the thread and waits until it listens, where the first worker does. False: it has said on
 * standard error why not; *exit_code is set, and there is no thread to join. */
bool worker_start(struct worker *w, int *exit_code);

/* False when the worker is too far behind: try again. One that has ended does not mind. */
bool worker_tell(struct worker *w, const struct control *c);
/* Any thread. Has its loop ended? */
static inline bool worker_ended(const struct worker *w)
{
	return atomic_load_explicit(&w->ended, memory_order_acquire);
}

void worker_join(struct worker *w); /* waits for the end of its thread */
void worker_free(struct worker *w); /* nobody will wake it any more */

#endif
