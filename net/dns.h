/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS look-ups of one worker by c-ares: its sockets are polled by the worker's
 * ring, no thread. Answers are cached by their TTL within the bounds of
 * limits.h; the same question asked twice at once goes out once (single flight);
 * at most LIMIT_DNS_WINDOW young questions are in flight, the rest wait in order
 * (one that is out for long leaves the window, so that dead zones hold up nobody).
 * NXDOMAIN and NODATA are answers, SERVFAIL and silence are failures: only the
 * first may lead to a fall-back (rule 7.1). Owner thread only.
 */
#ifndef SLUICE_NET_DNS_H
#define SLUICE_NET_DNS_H

#include "core/base/addr.h"
#include "net/srv.h"
#include "net/timer.h"
#include "net/uring.h"

struct dns;

enum dns_type { DNS_SRV, DNS_A, DNS_AAAA };

enum dns_status {
	DNS_FOUND,
	DNS_NO_DATA, /* the name exists, no such record */
	DNS_NO_NAME, /* NXDOMAIN */
	DNS_FAILED, /* SERVFAIL, REFUSED, time-out: nothing is known */
};

struct dns_answer {
	enum dns_status status;
	unsigned n;
	union {
		const struct srv_record *srv; /* in the order of the message */
		const struct addr *addrs; /* port 0 */
	};
};

struct dns_opts {
	const struct addr *servers; /* none: the system's (/etc/resolv.conf) */
	unsigned n_servers;
	uint32_t timeout_ms; /* of one try; 0: TIMEOUT_DNS_MS */
	unsigned tries; /* 0: 2 */
};

struct dns_stats {
	uint64_t asked; /* questions sent, retries not counted */
	uint64_t hits; /* look-ups answered from the cache */
	uint64_t joined; /* look-ups that shared another's question */
	uint64_t failed; /* questions that ended in DNS_FAILED */
	uint64_t evicted; /* names that the cache had no room for */
};

/* Called exactly once per dns_ask, never from inside it; the answer is gone when it returns. */
typedef void dns_fn(void *ctx, uint64_t cookie, const struct dns_answer *a);

/* NULL when c-ares cannot be set up, and *why (static text). Takes the ring's URING_POLL for itself. */
struct dns *dns_new(struct uring *u, struct timer_wheel *wheel, const struct dns_opts *opts,
	const char **why);
void dns_free(struct dns *d); /* open questions are dropped without a call */
const struct dns_stats *dns_stats(const struct dns *d);

/* name: A-label form; one that no message can hold is answered DNS_NO_NAME. False when too many
 * questions wait already or memory is short; fn is not called then. */
bool dns_ask(struct dns *d, enum dns_type type, const char *name, dns_fn *fn, void *ctx,
	uint64_t cookie, uint64_t now) MUST_CHECK;

/* Once per turn: answers found in the cache, time-outs, the next questions. */
void dns_turn(struct dns *d, uint64_t now);
bool dns_busy(const struct dns *d); /* true when dns_turn has work: do not sleep */

#endif
