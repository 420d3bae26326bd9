/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one run has measured, and what it found wrong.
 *
 * Every figure is a double so that minimum, median and maximum of several runs are
 * taken alike; one that was not measured is NAN. RESULT_FIGURES is the only list
 * of them: field, unit, digits after the point, words.
 */
#ifndef SLUICE_BENCH_RESULT_H
#define SLUICE_BENCH_RESULT_H

#include "bench/bench.h"
#include "bench/tally.h"

#define RESULT_FLOW(F, name, words)                                                                \
	F(name##_sent, "", 0, words ": sent")                                                      \
	F(name##_arrived, "", 0, "  arrived")                                                      \
	F(name##_p50, "us", 1, "  latency, median")                                                \
	F(name##_p99, "us", 1, "  latency, 99 %")

#define RESULT_FIGURES(F)                                                                          \
	F(start_time, "ms", 0, "from the start of the router until it listens")                    \
	F(memory_router, "KiB", 0, "resident memory, before the streams")                          \
	F(memory_per_stream, "B", 0, "memory growth per stream")                                   \
	F(pairs_asked, "", 0, "pairs asserted")                                                    \
	F(pairs_valid, "", 0, "  answered valid")                                                  \
	F(pairs_invalid, "", 0, "  answered invalid")                                              \
	F(pairs_error, "", 0, "  answered with an error")                                          \
	F(pairs_closed, "", 0, "  without an answer")                                              \
	F(pairs_time, "s", 3, "time for all pairs, cold")                                          \
	F(pairs_rate, "1/s", 0, "pairs per second")                                                \
	F(pairs_cpu, "s", 3, "CPU time of the server for them")                                    \
	F(pairs_per_cpu, "1/s", 0, "pairs per CPU-second of the server")                           \
	F(authority_connections, "", 0, "connections to the authoritative server")                 \
	F(authority_secured, "", 0, "  with TLS")                                                  \
	F(verify_valid, "", 0, "db:verify answered valid")                                         \
	F(verify_invalid, "", 0, "db:verify answered invalid")                                     \
	F(dns_srv, "", 0, "SRV questions, _xmpp-server")                                           \
	F(dns_srvs, "", 0, "SRV questions, _xmpps-server")                                         \
	F(dns_address, "", 0, "address questions")                                                 \
	F(dns_senders, "", 0, "different senders looked up")                                       \
	F(out_pairs, "", 0, "pairs outward")                                                       \
	F(out_time, "s", 3, "until the first stanza of each has arrived, cold")                    \
	F(out_rate, "1/s", 0, "pairs outward per second")                                          \
	F(out_cpu, "s", 3, "CPU time of the server for them")                                      \
	F(out_per_cpu, "1/s", 0, "pairs outward per CPU-second of the server")                     \
	F(out_memory_per_pair, "B", 0, "memory growth per pair outward")                           \
	F(remote_connections, "", 0, "connections to the remote servers")                          \
	F(remote_secured, "", 0, "  with TLS")                                                     \
	F(remote_ended, "", 0, "  that the server has ended")                                      \
	F(remote_carried, "", 0, "  streams that had pairs")                                       \
	F(remote_most, "", 0, "  pairs of the stream that had most")                               \
	F(remote_asserted, "", 0, "db:result that the remote servers got")                         \
	F(remote_valid, "", 0, "  answered valid")                                                 \
	F(remote_invalid, "", 0, "  answered invalid")                                             \
	F(remote_failed, "", 0, "  answered with an error")                                        \
	F(key_streams, "", 0, "streams to have keys verified by the server")                       \
	F(key_valid, "", 0, "  keys that it called valid")                                         \
	F(key_invalid, "", 0, "  invalid, or an error")                                            \
	F(storm_opened, "", 0, "storm: streams opened")                                            \
	F(storm_failed, "", 0, "  failed")                                                         \
	F(storm_resumed, "", 0, "  with a resumed session")                                        \
	F(storm_time, "s", 3, "time for them")                                                     \
	F(storm_rate, "1/s", 0, "  per second")                                                    \
	F(storm_cpu, "s", 3, "CPU time of the server for them")                                    \
	F(storm_per_cpu, "1/s", 0, "  per CPU-second of the server")                               \
	F(stanzas_sent, "", 0, "stanzas sent")                                                     \
	F(stanzas_arrived, "", 0, "stanzas arrived")                                               \
	F(stanzas_lost, "", 0, "  lost")                                                           \
	F(stanzas_duplicated, "", 0, "  duplicated")                                               \
	F(stanzas_reordered, "", 0, "  out of order in their pair")                                \
	F(stanzas_damaged, "", 0, "  with a changed body")                                         \
	F(stanzas_misaddressed, "", 0, "  with wrong addresses (1 of 16 looked at)")               \
	F(stanzas_alien, "", 0, "  never sent")                                                    \
	F(stanzas_bounced, "", 0, "  bounced to their senders")                                    \
	F(stanza_bytes, "B", 1, "mean length of a stanza")                                         \
	F(stanzas_time, "s", 3, "time for all stanzas")                                            \
	F(stanzas_rate, "1/s", 0, "stanzas per second")                                            \
	F(stanzas_mb, "MB/s", 1, "payload")                                                        \
	F(stanzas_cpu, "s", 3, "CPU time of the server for them")                                  \
	F(stanzas_per_cpu, "1/s", 0, "stanzas per CPU-second of the server")                       \
	F(routed_per_cpu, "1/s", 0, "  each routed twice: per CPU-second of the server")           \
	F(stanzas_withheld, "", 0, "not sent: overload, or the stream was away")                   \
	F(stanzas_noise, "", 0, "of the stanzas, noise")                                           \
	RESULT_FLOW(F, before, "others, first third")                                              \
	RESULT_FLOW(F, middle, "others, middle third")                                             \
	RESULT_FLOW(F, after, "others, last third")                                                \
	RESULT_FLOW(F, troubled_before, "in trouble, first third")                                 \
	RESULT_FLOW(F, troubled_middle, "in trouble, middle third")                                \
	RESULT_FLOW(F, troubled_after, "in trouble, last third")                                   \
	F(recovery, "ms", 1, "until the last of the middle third arrived, after it")               \
	F(outage_time, "s", 3, "the last remote server was away")                                  \
	F(outage_heard, "ms", 1, "  from its return until a stanza arrived there")                 \
	F(late_asked, "", 0, "late pairs asserted")                                                \
	F(late_valid, "", 0, "  answered valid")                                                   \
	F(late_time, "s", 3, "  time for all of them")                                             \
	F(late_p50, "ms", 1, "  time for one, median")                                             \
	F(late_p99, "ms", 1, "  99 %")                                                             \
	F(late_max, "ms", 1, "  maximum")                                                          \
	RESULT_FLOW(F, meanwhile, "stanzas due while they were verified")                          \
	F(meanwhile_max, "us", 1, "  latency, maximum")                                            \
	F(late_turn_p99, "us", 1, "  turns of the bench's own loop then, 99 %")                    \
	F(late_turn_max, "us", 1, "  maximum")                                                     \
	F(churn_streams, "", 0, "streams opened anew")                                             \
	F(churn_pairs, "", 0, "  their pairs, answered valid")                                     \
	F(accepted, "", 0, "the router says: stanzas accepted")                                    \
	F(returned, "", 0, "  errors made for them, or not wanted")                                \
	F(undeliverable, "", 0, "  errors for components that could not be sent to them")          \
	F(parked, "", 0, "  parked for a while")                                                   \
	F(in_doubt, "", 0, "  in doubt")                                                           \
	F(stanzas_unknown, "", 0, "lost, and the router does not know")                            \
	F(bench_per_cpu, "1/s", 0, "stanzas per CPU-second of the bench")                          \
	F(latency_p50, "us", 1, "latency, median")                                                 \
	F(latency_p99, "us", 1, "latency, 99 %")                                                   \
	F(latency_p999, "us", 1, "latency, 99.9 %")                                                \
	F(latency_max, "us", 1, "latency, maximum")                                                \
	F(memory_start, "KiB", 0, "resident memory, before the pairs")                             \
	F(memory_pairs, "KiB", 0, "resident memory, after the pairs")                              \
	F(memory_end, "KiB", 0, "resident memory, after the stanzas")                              \
	F(memory_peak, "KiB", 0, "resident memory, peak")                                          \
	F(memory_per_pair, "B", 0, "memory growth per valid pair")                                 \
	F(probes_asked, "", 0, "invalid keys sent")                                                \
	F(probes_forbidden, "", 0, "  answered with error forbidden")                              \
	F(probes_invalid, "", 0, "  answered invalid")                                             \
	F(probes_other, "", 0, "  answered otherwise")                                             \
	F(probes_silent, "", 0, "  without an answer")                                             \
	F(refused_sent, "", 0, "stanzas of pairs outward that are called invalid")                 \
	F(refused_returned, "", 0, "  came back")                                                  \
	F(streams_closed, "", 0, "streams that the server closed")

#define RESULT_FAILURES 24
#define RESULT_TEXT 1200

struct result {
#define RESULT_FIELD(field, unit, digits, words) double field;
	RESULT_FIGURES(RESULT_FIELD)
#undef RESULT_FIELD
	struct tally probes; /* answers to the invalid keys */
	unsigned n_failures; /* 0: everything asked for was verified */
	char failures[RESULT_FAILURES][RESULT_TEXT];
};

/* Every figure NAN, no failure. */
void result_init(struct result *r);

/* Adds a sentence about what is wrong; those beyond RESULT_FAILURES are dropped. */
void result_fail(struct result *r, const char *fmt, ...) BENCH_PRINTF(2, 3);

#endif
