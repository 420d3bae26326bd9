/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters of one worker. The owner adds, anyone reads: relaxed, monotonic since
 * the start, no lock and no shared line written by two threads. One table gives
 * the fields, their names in the log and, below, their meaning.
 */
#ifndef SLUICE_CORE_STATS_H
#define SLUICE_CORE_STATS_H

#include <stdatomic.h>

#include "core/base/base.h"

#define STATS_TABLE(X)                                                                             \
	X(streams_in, "streams accepted from other servers")                                       \
	X(streams_ended, "of them, ended")                                                         \
	X(stream_errors_sent, "streams that we ended with a stream error")                         \
	X(stream_errors_received, "streams that a peer ended with a stream error")                 \
	X(streams_evicted, "streams ended because incomplete elements took too much memory")       \
	X(refused_limit, "connections refused at a limit (--max-conns, --max-unauth-per-ip)")      \
	X(accepts_failed, "attempts to accept that failed, mostly for want of descriptors")        \
	X(dials_failed, "servers that could not be dialled: descriptors, --max-conns, memory")     \
	X(streams_out, "attempts to open a stream to another server, for stanzas")                 \
	X(streams_out_up, "of them, those on which a stream came about")                           \
	X(streams_out_secure, "of the attempts, those on which TLS came about")                    \
	X(streams_out_proven, "of the attempts, those that SASL EXTERNAL proved us on")            \
	X(sasl_out_refused, "refusals of that by other servers")                                   \
	X(certs_out_refused, "servers not used since their certificate proves too little")         \
	X(redirects_followed, "other hosts dialled since a server said so (--follow-redirect)")    \
	X(tls_accepted, "TLS handshakes of other servers with us")                                 \
	X(tls_failed, "of theirs, failed, or later broken off by a fault in TLS")                  \
	X(certs_read, "files of --cert-dir read because their certificates were asked for")        \
	X(certs_unusable, "of them, those that could not be used")                                 \
	X(certs_evicted, "certificates of ours forgotten to make room for others")                 \
	X(sasl_accepted, "streams whose sender proved itself by certificate (SASL EXTERNAL)")      \
	X(sasl_refused, "attempts at that which failed")                                           \
	X(claims, "db:result requests received")                                                   \
	X(claims_put_off, "dialback elements whose turn came later: too many at once")             \
	X(pairs_valid, "domain pairs that became valid")                                           \
	X(pairs_by_certificate, "of them, proven by the peer's certificate")                       \
	X(pairs_by_verdict, "of them, proven on another stream with the same TLS key")             \
	X(pin_changed, "proofs by another key than a domain had before (--pin-auth)")              \
	X(pin_weaker, "dialback alone for a domain that a certificate proved before")              \
	X(pin_refused, "of both, refused")                                                         \
	X(pairs_invalid, "domain pairs whose key was invalid")                                     \
	X(pairs_error, "db:result requests answered with a dialback error")                        \
	X(verdicts_kept, "pairs proven by dialback that streams with the same TLS key may use")    \
	X(claims_absent, "claims of domains found without a service by another claim")             \
	X(dials_spared, "attempts not made to reach what had just been unreachable")               \
	X(verify_answered, "db:verify requests answered as authoritative server")                  \
	X(verify_invalid, "of them, invalid: the key is not one of ours")                          \
	X(verify_not_hosted, "of them, about a domain that is not hosted here")                    \
	X(verify_withheld, "db:verify requests not answered: too many wrong keys from one source") \
	X(ignored_dialback, "unsolicited or malformed dialback elements ignored")                  \
	X(ignored_elements, "unknown depth-1 elements ignored")                                    \
	X(stanzas_in, "stanzas accepted from other servers")                                       \
	X(stanzas_out, "stanzas put into the queues of backends' links, our errors included")      \
	X(bytes_routed, "bytes of them")                                                           \
	X(stanzas_remote, "stanzas put into the queues of streams to other servers")               \
	X(stanzas_parked, "stanzas kept for a backend that is down")                               \
	X(stanzas_requeued, "stanzas taken back unsent from a link that died, and kept")           \
	X(stanzas_lost, "pieces of a dead link's queue that could not be looked at")               \
	X(stanzas_from_backends, "stanzas accepted from backends")                                 \
	X(stanzas_local, "of them, for a domain hosted here")                                      \
	X(stanzas_kept, "stanzas kept until their pair is verified by the other server")           \
	X(xml_checked, "stanzas that libxml2 has read as well (--xml-check)")                      \
	X(xml_disagreed, "of them, refused: it did not read what the scanner had read")            \
	X(xml_unchecked, "stanzas that it should have read and could not: memory, size")           \
	X(bounced, "stanzas returned to their senders with an error")                              \
	X(bounce_undeliverable, "bounces for which no stream or link was there")                   \
	X(bounce_suppressed, "failures that must not be answered (errors, results)")               \
	X(refused_full, "stanzas not taken because too much waited for their backend")             \
	X(refused_budget, "stanzas not taken because --mem-budget or memory was used up")          \
	X(stalls, "times that a backend took no byte for --stall-ms")                              \
	X(sources_paused, "times that a stream was not read for its one backend was full")         \
	X(in_doubt, "stanzas handed to the kernel for a connection that died")                     \
	X(components_in, "component logins accepted")                                              \
	X(components_refused, "component logins refused")                                          \
	X(reloads, "successful reloads")                                                           \
	X(wakeups_lost, "times that a worker slept its full time although another woke it")        \
	X(reloads_failed, "reloads refused, old state kept")

struct stats {
#define STATS_FIELD(name, text) _Atomic uint64_t name;
	STATS_TABLE(STATS_FIELD)
#undef STATS_FIELD
};

/* Owner thread. */
static inline void stats_bump(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
		memory_order_relaxed);
}

#define STATS_ADD(stats, field, n) stats_bump(&(stats)->field, (n))
#define STATS_INC(stats, field) stats_bump(&(stats)->field, 1)

/* Any thread: adds the counters of a worker to a sum that nobody else has. */
void stats_add(struct stats *sum, const struct stats *s);
/* Any thread: one log event with all counters that are not zero. */
void stats_log(const struct stats *s);

#endif
