/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker: one thread with one ring, and all that belongs to it. Nothing in it
 * is touched by another thread but `stats` (read), the control ring (written by
 * the control thread) and the ring's wake-up.
 */
#ifndef SLUICE_CORE_WORKER_H
#define SLUICE_CORE_WORKER_H

#include <errno.h>
#include <pthread.h>

#include "core/base/spsc.h"
#include "core/bounce.h"
#include "core/canary.h"
#include "core/carry.h"
#include "core/config.h"
#include "core/hosting.h"
#include "core/ipcount.h"
#include "core/pins.h"
#include "core/route.h"
#include "core/stats.h"
#include "dialback/authority.h"
#include "dialback/verify.h"
#include "net/conn.h"
#include "net/dns.h"
#include "net/listen.h"
#include "net/resolve.h"
#include "xml/element.h"

/* From the control thread to a worker. */
struct control {
	enum { CONTROL_HOSTING, CONTROL_REFUSED, CONTROL_DRAIN, CONTROL_ABORT } what;
	struct hosting *hosting; /* CONTROL_HOSTING: the worker's reference */
};

enum worker_start { WORKER_STARTING, WORKER_RUNNING, WORKER_REFUSED };

struct worker {
	/* what it was given; constant */
	unsigned number;
	const struct config *config;
	const struct resolve_rules *rules; /* what may be dialled */
	const struct secrets *secrets;
	struct pins *pins; /* shared by all workers */

	/* what it owns */
	struct uring *ring;
	struct timer_wheel *wheel;
	struct conns *conns;
	struct listeners *listeners;
	struct dns *dns;
	struct resolver *resolver;
	struct verifier *verifier;
	struct authority *authority;
	struct element_parser *elements;
	struct canary canary; /* --xml-check */
	struct keyring *keyring; /* NULL: no TLS */
	struct tls_tickets *tickets;
	uint64_t tickets_due; /* ms; their keys are looked at from time to time */
	struct routes *routes;
	struct ipcount *unauthenticated; /* inbound streams per source address */
	struct stats stats;
	struct carries carries; /* incomplete elements of all streams */
	struct list streams; /* all struct stream */
	struct list resumable; /* inbound streams whose claims have shrunk */
	uint64_t links_until; /* while draining: backends keep their links so long */
	struct hosting *hosting; /* registry and policy of this turn */
	uint32_t route_gen; /* what pairs cached under an older one is looked up again */
	uint64_t serial;
	uint64_t now; /* ms; read once per turn */
	char scratch[BOUNCE_MAX]; /* for XML that is written at once: bounces, addresses */

	/* drain */
	bool draining;
	uint64_t drain_until;

	/* the thread, and what the control thread may touch */
	pthread_t thread;
	struct spsc *inbox; /* struct control */
	pthread_mutex_t lock; /* of start, and of ring while others may ring it */
	pthread_cond_t started;
	enum worker_start start;
	struct uring_failure refused;
	int exit_code; /* WORKER_REFUSED: EX_* */
	_Atomic bool ended; /* its loop is over */
};

/*
 * Starts the thread and waits until it listens. hosting: a reference that becomes the worker's.
 * False: it has said on standard error why not; *exit_code is set.
 */
bool worker_start(struct worker *w, unsigned number, const struct config *config,
	const struct resolve_rules *rules, const struct secrets *secrets, struct pins *pins,
	struct hosting *hosting, int *exit_code);

/* Control thread. False when the worker is too far behind: try again. One that has ended is told
 * nothing, which is no failure. */
bool worker_tell(struct worker *w, const struct control *c);
/* Any thread. Has its loop ended? */
static inline bool worker_ended(const struct worker *w)
{
	return atomic_load_explicit(&w->ended, memory_order_acquire);
}

/* Control thread. Waits for its end and frees what it owned. */
void worker_join(struct worker *w);

#endif
