/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What workers share of what they have found out. */
#include "core/verdicts.h"

#include "harness.h"

#include <criterion/criterion.h>

#include "core/base/clock.h"
#include "core/base/limits.h"

#define START UINT64_C(7000000)
#define HOUR 3600

#define A SPAN_LIT("rx.peer.test")
#define B SPAN_LIT("other.peer.test")
#define T SPAN_LIT("shop.hosted.test")
#define U SPAN_LIT("bank.hosted.test")

static struct verdicts *v;
static uint64_t now;
static const struct peer_key none;

static void init(void)
{
	now = START;
	v = verdicts_new(1000, HOUR * 1000, now);
}

static void fini(void)
{
	verdicts_free(v);
}

TestSuite(verdicts, .init = init, .fini = fini);

/* In a certificate that has so many seconds left. */
static struct peer_key key(const char *spki, int64_t left)
{
	struct peer_key k;

	peer_key_set(&k, span_str(spki), clock_unix() + left);
	return k;
}

#define ASK(k, from, to) verdicts_ask(v, &(k), from, to, now)
#define PROVEN(k, from, to) verdicts_proven(v, &(k), from, to, now)

Test(verdicts, proven_for_one_key_one_sender_one_target)
{
	struct peer_key k = key("one", 9 * HOUR), other = key("two", 9 * HOUR);

	cr_assert_eq(ASK(k, A, T), KNOWN_NOTHING);
	cr_assert_eq(PROVEN(k, A, T), HOUR);
	cr_assert_eq(ASK(k, A, T), KNOWN_PROVEN);
	cr_assert_eq(ASK(other, A, T), KNOWN_NOTHING);
	cr_assert_eq(ASK(none, A, T), KNOWN_NOTHING);
	cr_assert_eq(ASK(k, A, U), KNOWN_NOTHING);
	cr_assert_eq(ASK(k, B, T), KNOWN_NOTHING);
	cr_assert_eq(ASK(k, T, A), KNOWN_NOTHING, "the other way round");
}

Test(verdicts, the_key_counts_not_the_certificate)
{
	struct peer_key k = key("one", 9 * HOUR), renewed = key("one", 99 * HOUR);

	cr_assert_gt(PROVEN(k, A, T), 0);
	cr_assert_eq(ASK(renewed, A, T), KNOWN_PROVEN);
}

Test(verdicts, no_key_proves_nothing)
{
	cr_assert_eq(PROVEN(none, A, T), 0);
	cr_assert_eq(ASK(none, A, T), KNOWN_NOTHING);
	cr_assert_eq(PROVEN(none, B, T), 0, "and not for the next one without");
	verdicts_disproven(v, &none, A, T);
}

Test(verdicts, for_an_hour_from_the_proof)
{
	struct peer_key k = key("one", 9 * HOUR);

	cr_assert_eq(PROVEN(k, A, T), HOUR);
	now += (HOUR - 1) * 1000;
	cr_assert_eq(ASK(k, A, T), KNOWN_PROVEN);
	cr_assert_eq(ASK(k, A, T), KNOWN_PROVEN);
	now += 1000;
	cr_assert_eq(ASK(k, A, T), KNOWN_NOTHING);
	cr_assert_eq(PROVEN(k, A, T), HOUR);
	cr_assert_eq(ASK(k, A, T), KNOWN_PROVEN);
}

Test(verdicts, not_beyond_the_certificate)
{
	struct peer_key ends = key("one", 600), other = key("one", 9 * HOUR);
	struct peer_key over = key("two", 0), long_over = key("three", -1);
	uint32_t seconds = PROVEN(ends, A, T);

	cr_assert(seconds >= 590 && seconds <= 600, "%u", seconds);
	now += 580 * 1000;
	cr_assert_eq(ASK(other, A, T), KNOWN_PROVEN);
	now += 20 * 1000;
	cr_assert_eq(ASK(other, A, T), KNOWN_NOTHING, "whatever certificate asks");
	cr_assert_eq(PROVEN(over, A, T), 0);
	cr_assert_eq(PROVEN(long_over, A, T), 0);
	cr_assert_gt(PROVEN(other, A, T), 0);
	over = key("one", 0);
	cr_assert_eq(ASK(over, A, T), KNOWN_NOTHING, "who asks must have one that is not over");
	cr_assert_eq(ASK(other, A, T), KNOWN_PROVEN);
}

Test(verdicts, disproven)
{
	struct peer_key k = key("one", 9 * HOUR), other = key("two", 9 * HOUR);

	cr_assert_gt(PROVEN(k, A, T), 0);
	cr_assert_gt(PROVEN(k, B, T), 0);
	verdicts_disproven(v, &other, A, T);
	cr_assert_eq(ASK(k, A, T), KNOWN_PROVEN, "a stranger's wrong key");
	verdicts_disproven(v, &none, A, T);
	cr_assert_eq(ASK(k, A, T), KNOWN_PROVEN, "a wrong key without TLS");
	verdicts_disproven(v, &k, A, T);
	cr_assert_eq(ASK(k, A, T), KNOWN_NOTHING);
	cr_assert_eq(ASK(k, B, T), KNOWN_PROVEN);
	cr_assert_gt(PROVEN(k, A, T), 0);
	cr_assert_eq(ASK(k, A, T), KNOWN_PROVEN);
}

Test(verdicts, absent_for_half_a_minute_whoever_asks)
{
	struct peer_key k = key("one", 9 * HOUR);

	verdicts_absent(v, A, now);
	cr_assert_eq(ASK(none, A, T), KNOWN_ABSENT);
	cr_assert_eq(ASK(k, A, U), KNOWN_ABSENT);
	cr_assert_eq(ASK(none, B, T), KNOWN_NOTHING);
	now += HOLD_ABSENT_MS - 1;
	cr_assert_eq(ASK(none, A, T), KNOWN_ABSENT);
	now += 1;
	cr_assert_eq(ASK(none, A, T), KNOWN_NOTHING);
}

Test(verdicts, what_is_proven_stands_above_what_is_absent)
{
	struct peer_key k = key("one", 9 * HOUR);

	cr_assert_gt(PROVEN(k, A, T), 0);
	verdicts_absent(v, A, now);
	cr_assert_eq(ASK(k, A, T), KNOWN_PROVEN);
	cr_assert_eq(ASK(k, A, U), KNOWN_ABSENT);
}

Test(verdicts, unreachable_for_five_seconds)
{
	struct addr at, next, six;

	cr_assert(addr_parse(SPAN_LIT("192.0.2.30:5269"), 0, &at));
	cr_assert(addr_parse(SPAN_LIT("192.0.2.30:5270"), 0, &next));
	cr_assert(addr_parse(SPAN_LIT("[2001:db8::1]:5269"), 0, &six));
	cr_assert_not(verdicts_is_unreachable(v, &at, now));
	verdicts_unreachable(v, &at, now);
	verdicts_unreachable(v, &six, now);
	cr_assert(verdicts_is_unreachable(v, &at, now));
	cr_assert(verdicts_is_unreachable(v, &six, now));
	cr_assert_not(verdicts_is_unreachable(v, &next, now));
	now += HOLD_REDIAL_MS - 1;
	cr_assert(verdicts_is_unreachable(v, &at, now));
	now += 1;
	cr_assert_not(verdicts_is_unreachable(v, &at, now));
}

Test(verdicts, forgotten)
{
	struct peer_key k = key("one", 9 * HOUR);

	cr_assert_gt(PROVEN(k, A, T), 0);
	verdicts_absent(v, B, now);
	verdicts_forget(v);
	cr_assert_eq(ASK(k, A, T), KNOWN_NOTHING);
	cr_assert_eq(ASK(k, B, T), KNOWN_NOTHING);
	cr_assert_gt(PROVEN(k, A, T), 0);
	cr_assert_eq(ASK(k, A, T), KNOWN_PROVEN);
}

Test(verdicts, failures_of_a_flood_displace_nothing_proven)
{
	struct peer_key k = key("one", 9 * HOUR);
	unsigned kept = 0;
	char name[32];

	verdicts_free(v);
	v = verdicts_new(10000, HOUR * 1000, now); /* so that no six of them share a set */
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "d%u.bulk.test", i);
		cr_assert_gt(PROVEN(k, span_str(name), T), 0);
		kept += ASK(k, span_str(name), T) == KNOWN_PROVEN;
	}
	cr_assert_eq(kept, 100);
	for (unsigned i = 0; i < 200000; i++) {
		(void)snprintf(name, sizeof(name), "x%u.test", i);
		verdicts_absent(v, span_str(name), now);
	}
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "d%u.bulk.test", i);
		kept -= ASK(k, span_str(name), T) == KNOWN_PROVEN;
	}
	cr_assert_eq(kept, 0);
}

Test(verdicts, ttl_of_zero)
{
	struct peer_key k = key("one", 9 * HOUR);

	verdicts_free(v);
	v = verdicts_new(1000, 0, now);
	cr_assert_eq(PROVEN(k, A, T), 0);
	cr_assert_eq(ASK(k, A, T), KNOWN_NOTHING);
	verdicts_absent(v, A, now);
	cr_assert_eq(ASK(k, A, T), KNOWN_ABSENT);
}

Test(verdicts, no_table)
{
	struct peer_key k = key("one", 9 * HOUR);
	struct vcache_use use;
	struct addr at = { .port = 1 };

	verdicts_free(v);
	v = verdicts_new(0, HOUR * 1000, now);
	cr_assert_null(v);
	cr_assert_eq(PROVEN(k, A, T), 0);
	verdicts_absent(v, A, now);
	verdicts_unreachable(v, &at, now);
	verdicts_disproven(v, &k, A, T);
	verdicts_forget(v);
	cr_assert_eq(ASK(k, A, T), KNOWN_NOTHING);
	cr_assert_not(verdicts_is_unreachable(v, &at, now));
	cr_assert_not(verdicts_use(v, now, &use));
}

Test(verdicts, use)
{
	struct peer_key k = key("one", 9 * HOUR);
	struct vcache_use use;

	cr_assert_gt(PROVEN(k, A, T), 0);
	verdicts_absent(v, B, now);
	cr_assert(verdicts_use(v, now, &use));
	cr_assert_eq(use.capacity, 1280, "rounded up to a power of 2 of sets");
	cr_assert_eq(use.verdict[VERDICT_VALID], 1);
	cr_assert_eq(use.verdict[VERDICT_FAILED], 1);
}

/* -- in the router, with as many workers as RIG_WORKERS says -- */

TestSuite(verdicts_shared, .fini = rig_stop, .timeout = 60);

#define STREAMS 8

/* Which of the workers has a stream is the kernel's to say. */
Test(verdicts_shared, a_dead_endpoint_is_a_failed_pair_on_every_stream)
{
	struct tap *backend, *t[STREAMS];

	rig_start_plain();
	backend = backend_shop();
	for (unsigned i = 0; i < STREAMS; i++) {
		t[i] = remote_proven(R1, L1);
		remote_claim(t[i], CLOSED, L1);
		tap_expect(t[i],
			"<db:result from='" L1 "' to='" CLOSED "' type='error'><error type='wait'>"
			"<remote-connection-failed xmlns='" NS_ERRORS "'/></error></db:result>");
	}
	for (unsigned i = 0; i < STREAMS; i++)
		remote_kept(t[i], R1, L1, backend);
	cr_assert_eq(STAT(pairs_valid), STREAMS, "each of them by a verification of its own");
	cr_assert_eq(STAT(pairs_by_verdict), 0);
	cr_assert_eq(STAT(verdicts_kept), 0);
	cr_assert_eq(STAT(pairs_error), STREAMS);
}

Test(verdicts_shared, what_streams_have_proven_outlives_reloads)
{
	struct tap *backend, *t[STREAMS];

	rig_start_plain();
	backend = backend_shop();
	for (unsigned i = 0; i < STREAMS; i++)
		t[i] = remote_proven(R1, L1);
	for (unsigned n = 0; n < 3; n++)
		rig_reload(REGISTRY, "");
	for (unsigned i = 0; i < STREAMS; i++)
		remote_kept(t[i], R1, L1, backend);
	remote_prove(t[0], R2, L1);
	remote_kept(t[0], R2, L1, backend);
}
