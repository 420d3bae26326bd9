/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Backends that are down, slow, or blocked: nothing is lost unseen, and nobody else is held up. */
#include "harness.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>

TestSuite(route, .fini = rig_stop, .timeout = 60);

#define BIG 9000 /* bytes of a body; below --max-stanza 10000 */

/* Small bounds, so that a queue fills; nothing that is slow counts as stalled. */
static void small_rig(void)
{
	rig_start("--max-stanza", "10000", "--queue-bytes", "65536", "--stall-ms", "60000", NULL);
}

/* A numbered stanza with a body of that many bytes; the caller frees it. */
static char *numbered(const char *from, const char *to, unsigned i, size_t body)
{
	char *xml = malloc(body + 256), *at = xml;

	cr_assert(xml);
	at += sprintf(at, "<message from='a@%s' to='b@%s' id='%u'><body>", from, to, i);
	memset(at, 'x', body);
	strcpy(at + body, "</body></message>");
	return xml;
}

static void say_numbered(struct tap *t, const char *from, const char *to, unsigned i, size_t body)
{
	char *xml = numbered(from, to, i, body);

	tap_send(t, xml, strlen(xml));
	free(xml);
}

static void expect_numbered(struct tap *t, const char *from, const char *to, unsigned i,
	size_t body)
{
	char *xml = numbered(from, to, i, body);

	tap_expect(t, "%s", xml);
	free(xml);
}

/* The number of the next stanza, which is left where it is. */
static unsigned next_number(struct tap *t)
{
	const char *at;

	tap_peek(t, 200);
	at = strstr(t->in, " id='");
	cr_assert(at);
	return (unsigned)strtoul(at + 5, NULL, 10);
}

/* -- down -- */

Test(route, parked_until_the_backend_logs_in)
{
	struct tap *backend, *t;

	rig_start_plain();
	t = remote_proven(R1, L1);
	for (unsigned i = 0; i < 20; i++)
		say_numbered(t, R1, L1, i, 10);
	remote_sync(t);
	STAT_BECOMES(stanzas_parked, 20);
	cr_assert_eq(STAT(stanzas_out), 0);
	backend = backend_shop();
	for (unsigned i = 0; i < 20; i++)
		expect_numbered(backend, R1, L1, i, 10);
	remote_kept(t, R1, L1, backend);
	STAT_BECOMES(stanzas_out, 21);
}

Test(route, parked_are_rewritten_as_the_others)
{
	struct tap *backend, *t;

	rig_start_plain();
	t = remote_proven(R1, L1);
	tap_say(t, "<message xmlns='jabber:server' from='a@RX.peer.test' to='b@" L1 "'/>");
	remote_sync(t);
	backend = backend_shop();
	tap_expect(backend, "<message from='a@" R1 "' to='b@" L1 "'/>");
	remote_kept(t, R1, L1, backend);
}

Test(route, goes_down_and_comes_back)
{
	struct tap *backend, *t;
	unsigned i = 0;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	for (; i < 3; i++) {
		say_numbered(t, R1, L1, i, 10);
		expect_numbered(backend, R1, L1, i, 10);
		tap_close(backend);
		backend = backend_again(L1, SHOP_SECRET);
	}
	for (; i < 10; i++)
		say_numbered(t, R1, L1, i, 10);
	for (i = 3; i < 10; i++)
		expect_numbered(backend, R1, L1, i, 10);
}

Test(route, parked_overflow_goes_back_to_its_sender)
{
	struct tap *bank, *shop;

	small_rig();
	bank = backend_bank();
	for (unsigned i = 0; i < 10; i++)
		say_numbered(bank, L2, L1, i, BIG);
	for (unsigned i = 7; i < 10; i++) {
		char id[32];

		(void)snprintf(id, sizeof(id), " id='%u' ", i);
		tap_expect_with(bank, "<message from='b@" L1 "' to='a@" L2 "'", id,
			"<error type='wait' by='" ROUTER "'><resource-constraint xmlns='" NS_ERRORS
			"'/>");
	}
	STAT_BECOMES(stanzas_parked, 7);
	shop = backend_shop();
	for (unsigned i = 0; i < 7; i++)
		expect_numbered(shop, L2, L1, i, BIG);
	say_numbered(bank, L2, L1, 10, BIG);
	expect_numbered(shop, L2, L1, 10, BIG);
}

Test(route, parked_overflow_of_a_remote_sender_is_counted)
{
	struct tap *t;

	small_rig();
	t = remote_proven(R1, L1);
	for (unsigned i = 0; i < 10; i++)
		say_numbered(t, R1, L1, i, BIG);
	remote_sync(t);
	STAT_BECOMES(stanzas_parked, 7);
	STAT_BECOMES(bounce_undeliverable, 3);
}

Test(route, parked_are_returned_when_the_router_stops)
{
	struct tap *bank;

	rig_start_plain();
	bank = backend_bank();
	say_numbered(bank, L2, L1, 0, 10);
	STAT_BECOMES(stanzas_parked, 1);
	tap_close(bank);
	cr_assert(rig_log_has("component-down"));
	/* rig_stop: nothing leaks, whoever the sender was */
}

/* -- queued on a link that dies -- */

#define QUEUED 700

Test(route, queued_stanzas_of_a_dead_link_wait_for_the_next)
{
	struct tap *backend, *t;
	unsigned first, i;

	rig_start("--queue-bytes", "16M", NULL);
	backend = backend_login_small(L1, SHOP_SECRET);
	t = remote_proven(R1, L1);
	for (i = 0; i < QUEUED; i++)
		say_numbered(t, R1, L1, i, BIG);
	STAT_BECOMES(stanzas_in, QUEUED);
	remote_sync(t);
	tap_reset(backend);
	cr_assert(rig_log_has("component-down"));
	for (; i < QUEUED + 5; i++) /* parked behind them */
		say_numbered(t, R1, L1, i, 10);
	remote_sync(t);
	backend = backend_again(L1, SHOP_SECRET);
	first = next_number(backend);
	cr_assert(first > 0 && first < QUEUED, "from %u on", first);
	for (i = first; i < QUEUED; i++)
		expect_numbered(backend, R1, L1, i, BIG);
	for (; i < QUEUED + 5; i++)
		expect_numbered(backend, R1, L1, i, 10);
	remote_kept(t, R1, L1, backend);
	/* What the kernel had of the last send, which may be nothing (exactly: tests/sim, T-G24). */
	cr_assert(STAT(in_doubt) <= first, "%lu of %u", (unsigned long)STAT(in_doubt), first);
	cr_assert_eq(STAT(bounce_undeliverable), 0);
}

/* -- blocked -- */

Test(route, T_G23_a_blocked_backend_holds_up_no_other)
{
	struct tap *shop, *bank, *t;
	unsigned n = 0, received = 0, last = 0;

	small_rig();
	shop = backend_login_small(L1, SHOP_SECRET);
	bank = backend_bank();
	t = remote_proven(R1, L1);
	remote_prove(t, R1, L2);
	while (STAT(bounce_undeliverable) < 3) {
		cr_assert_lt(n, 3000, "the queue has no end");
		say_numbered(t, R1, L1, n++, BIG);
		remote_kept(t, R1, L2, bank);
	}
	while (received + STAT(bounce_undeliverable) < n) {
		unsigned number = next_number(shop);

		cr_assert(received == 0 || number > last, "%u after %u", number, last);
		last = number;
		expect_numbered(shop, R1, L1, number, BIG);
		received++;
	}
	remote_kept(t, R1, L1, shop);
}

/* Sends until the router has stopped reading. How many of xml's bytes went out. */
static size_t fill(struct tap *t, const char *xml, size_t n)
{
	struct pollfd p = { .fd = t->fd, .events = POLLOUT };
	size_t sent = 0;

	while (sent < n && poll(&p, 1, 300) > 0)
		sent += tap_try_send(t, xml + sent, n - sent);
	return sent;
}

/* 12 MB of numbered stanzas, more than socket buffers hold. */
static char *flood(unsigned n)
{
	char *xml = malloc((size_t)n * (BIG + 256)), *at = xml;

	cr_assert(xml);
	for (unsigned i = 0; i < n; i++) {
		char *one = numbered(R1, L1, i, BIG);

		at = stpcpy(at, one);
		free(one);
	}
	return xml;
}

#define FLOOD 2000

Test(route, a_source_that_feeds_only_a_slow_backend_is_paused)
{
	char *xml = flood(FLOOD);
	size_t n = strlen(xml), sent;
	struct tap *shop, *t, *other, *bank;

	small_rig();
	shop = backend_login_small(L1, SHOP_SECRET);
	bank = backend_bank();
	t = remote_proven(R1, L1);
	sent = fill(t, xml, n);
	cr_assert_lt(sent, n, "it was never paused");
	other = remote_proven(R1, L2);
	remote_kept(other, R1, L2, bank);
	for (unsigned i = 0; i < FLOOD; i++) {
		if (sent < n)
			sent += tap_try_send(t, xml + sent, n - sent);
		expect_numbered(shop, R1, L1, i, BIG);
	}
	cr_assert_eq(STAT(bounce_undeliverable), 0);
	remote_kept(t, R1, L1, shop);
	free(xml);
}

Test(route, a_paused_source_goes_on_when_the_backend_dies)
{
	char *xml = flood(FLOOD);
	size_t n = strlen(xml), sent;
	struct tap *shop, *t;

	small_rig();
	shop = backend_login_small(L1, SHOP_SECRET);
	t = remote_proven(R1, L1);
	sent = fill(t, xml, n);
	cr_assert_lt(sent, n, "it was never paused");
	tap_reset(shop);
	tap_send(t, xml + sent, n - sent);
	remote_sync(t); /* all was read: parked, or returned */
	cr_assert_eq(STAT(stanzas_in), FLOOD);
	cr_assert_gt(STAT(bounce_undeliverable), 0);
	free(xml);
}
