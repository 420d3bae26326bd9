/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registry and policy, swapped as one while streams are open. */
#include "core/hosting.h"

#include <criterion/criterion.h>

#include "harness.h"
#include "scratch.h"

TestSuite(hosting, .fini = rig_stop, .timeout = 60);
TestSuite(hosting_files, .init = scratch_open, .fini = scratch_close, .timeout = 60);

#define BACKENDS                                                                                   \
	"backend shop component secret-file=shop.secret\n"                                         \
	"backend bank component secret-file=bank.secret\n"
#define NEW "new.hosted.test"
#define MESSAGE(from, to) "<message from='" from "' to='" to "'><body>x</body></message>"
#define ERROR(from, to, type, condition)                                                           \
	"<db:result from='" to "' to='" from "' type='error'><error type='" type "'><" condition   \
	" xmlns='" NS_ERRORS "'/></error></db:result>"

/* -- files -- */

static struct hosting *loaded(const char *registry, const char *policy, char why[512])
{
	struct config c = { .tls = TLS_OFF };

	(void)scratch_file("shop.secret", "s\n", 0600);
	(void)scratch_file("bank.secret", "b\n", 0600);
	c.routes = (char *)(uintptr_t)scratch_file("routes", registry, 0600);
	c.policy = policy ? (char *)(uintptr_t)scratch_file("policy", policy, 0600) : NULL;
	return hosting_load(&c, 2, why);
}

Test(hosting_files, counted)
{
	char why[512] = "";
	struct hosting *h = loaded(BACKENDS L1 " shop\n*.wild.test bank\n" GONE " gone\n",
		"peer " EVIL " block\n", why);

	cr_assert(h, "%s", why);
	cr_expect(hosting_serves(h, SPAN_LIT(L1)));
	cr_expect(hosting_serves(h, SPAN_LIT("a.wild.test")));
	cr_expect_not(hosting_serves(h, SPAN_LIT(GONE)));
	cr_expect_not(hosting_serves(h, SPAN_LIT(NOPE)));
	hosting_release(h);
	cr_expect(hosting_serves(h, SPAN_LIT(L1)), "one user is left");
	cr_expect(policy_peer(h->policy, SPAN_LIT(EVIL)).block);
	hosting_release(h);
	hosting_release(NULL);
}

Test(hosting_files, a_fault_in_either_refuses_both)
{
	char why[512];

	why[0] = '\0';
	cr_assert_null(loaded(BACKENDS L1 " nobody\n", "peer " EVIL " block\n", why));
	cr_expect(strstr(why, "routes:3:"), "%s", why);
	why[0] = '\0';
	cr_assert_null(loaded(BACKENDS L1 " shop\n", "peer " EVIL " blok\n", why));
	cr_expect(strstr(why, "policy:1:"), "%s", why);
}

/* -- policy -- */

Test(hosting, T_R24_blocked_by_the_operator)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	rig_reload(REGISTRY, "peer " EVIL " block\nhost " L2 " block\n");
	remote_claim(t, EVIL, L1);
	tap_expect(t, ERROR(EVIL, L1, "modify", "policy-violation"));
	remote_claim(t, R1, L2);
	tap_expect(t, ERROR(R1, L2, "modify", "policy-violation"));
	remote_kept(t, R1, L1, backend);
	cr_assert(sham_idle(&rig.far), "nobody was asked");
	rig_reload(REGISTRY, "# nothing\n");
	remote_evil(t, "valid");
	tap_expect(t, "<db:result from='" L1 "' to='" EVIL "' type='valid'/>");
	remote_kept(t, EVIL, L1, backend);
}

Test(hosting, strong_proof_cannot_be_given_without_tls)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	rig_reload(REGISTRY, "peer " EVIL " require-strong\n");
	remote_claim(t, EVIL, L1);
	tap_expect(t, ERROR(EVIL, L1, "auth", "not-authorized"));
	remote_kept(t, R1, L1, backend);
	cr_assert(sham_idle(&rig.far), "nobody was asked");
}

/* -- domains come and go -- */

Test(hosting, a_domain_is_added)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	remote_claim(t, R1, NEW);
	tap_expect(t, ERROR(R1, NEW, "cancel", "item-not-found"));
	rig_reload(REGISTRY NEW " shop\n", NULL);
	remote_prove(t, R1, NEW);
	remote_kept(t, R1, NEW, backend);
	remote_kept(t, R1, L1, backend);
	tap_say(t, "<db:verify from='" R1 "' to='" NEW "' id='i'>x</db:verify>");
	tap_expect(t, "<db:verify from='" NEW "' to='" R1 "' id='i' type='invalid'/>");
}

static void removed(const char *registry)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	remote_prove(t, R1, L3);
	remote_kept(t, R1, L1, backend);
	rig_reload(registry, NULL);
	tap_say(t, MESSAGE("ann@" R1, "bob@" L1));
	tap_say(t, MESSAGE("ann@RX.peer.test", "bob@" L1));
	remote_kept(t, R1, L3, backend);
	STAT_BECOMES(bounce_undeliverable, 2);
	cr_assert(rig_log_has("condition=remote-server-not-found"));
	remote_claim(t, R2, L1);
	tap_expect(t, ERROR(R2, L1, "cancel", "item-not-found"));
	rig_reload(REGISTRY, NULL);
	remote_kept(t, R1, L1, backend);
}

Test(hosting, T_G6_a_domain_in_use_is_removed)
{
	removed(BACKENDS L3 " shop\n" L2 " bank\n");
}

Test(hosting, T_G6_a_domain_in_use_becomes_a_tombstone)
{
	removed(BACKENDS L3 " shop\n" L2 " bank\n" L1 " gone\n");
}

Test(hosting, a_backend_no_longer_speaks_for_a_removed_domain)
{
	struct tap *shop, *bank;

	rig_start_plain();
	shop = backend_shop();
	bank = backend_bank();
	rig_reload(BACKENDS L3 " shop\nx." L3 " shop\n" L2 " bank\n", NULL);
	tap_say(shop, "<message from='a@" L1 "' to='b@" L2 "' id='1'/>");
	tap_expect_with(shop, " id='1' type='error'>", "<not-allowed ");
	tap_say(shop, "<message from='a@" L3 "' to='b@" L2 "' id='2'/>");
	tap_expect(bank, "<message from='a@" L3 "' to='b@" L2 "' id='2'/>");
	tap_say(bank, "<message from='b@" L2 "' to='a@" L1 "' id='3'/>");
	tap_expect_with(bank, " id='3' type='error'>", "<remote-server-not-found ");
}

Test(hosting, a_domain_moves_to_another_backend)
{
	struct tap *shop, *bank, *t;

	rig_start_plain();
	shop = backend_shop();
	bank = backend_bank();
	t = remote_proven(R1, L1);
	remote_kept(t, R1, L1, shop);
	rig_reload(BACKENDS L1 " bank\n" L3 " shop\n" L2 " bank\n", NULL);
	remote_kept(t, R1, L1, bank);
	cr_assert(tap_quiet(shop));
}

/* A verdict of yesterday does not outlive what the operator says today (rows 4 and 6 of 2.4). */
Test(hosting, a_valid_pair_that_is_blocked_by_a_reload)
{
	struct tap *shop, *t;

	rig_start_plain();
	shop = backend_shop();
	t = remote_proven(R1, L1);
	remote_evil(t, "valid");
	tap_expect(t, "<db:result from='" L1 "' to='" EVIL "' type='valid'/>");
	remote_kept(t, EVIL, L1, shop);
	rig_reload(REGISTRY, "peer " EVIL " block\n");
	remote_kept(t, R1, L1, shop);
	/* No fault of the peer's: the stanza is returned, and the other pairs stay. */
	tap_say(t, MESSAGE("ann@" EVIL, "bob@" L1));
	remote_kept(t, R1, L1, shop);
	cr_assert(tap_quiet(t));
	STAT_BECOMES(bounce_undeliverable, 1);
}

Test(hosting, a_valid_sender_that_becomes_ours_by_a_reload)
{
	struct tap *shop, *t;

	rig_start_plain();
	shop = backend_shop();
	t = remote_proven(R1, L1);
	rig_reload(REGISTRY R1 " shop\n", NULL);
	tap_say(t, MESSAGE("ann@" R1, "bob@" L1));
	tap_expect_error(t, "not-authorized");
	cr_assert(tap_quiet(shop));
}

Test(hosting, a_backend_whose_address_may_no_longer_log_in)
{
	struct tap *shop;

	rig_start_plain();
	shop = backend_shop();
	rig_reload("backend shop component secret-file=shop.secret from=192.0.2.1\n" L1 " shop\n",
		NULL);
	tap_expect_error(shop, "policy-violation");
}

Test(hosting, a_backend_whose_secret_has_changed)
{
	struct tap *shop, *t;

	rig_start_plain();
	shop = backend_shop();
	t = remote_proven(R1, L1);
	(void)scratch_file("shop.secret", "another-secret-shop\n", 0600);
	rig_reload(REGISTRY, NULL);
	tap_expect_error(shop, "reset");
	cr_assert(rig_log_has("warn component-down: its backend's secret has changed "));
	tap_expect_error(backend_knock(L1, SHOP_SECRET, 0), "not-authorized");
	remote_kept(t, R1, L1, backend_login(L1, "another-secret-shop"));
}

/* -- backends come and go -- */

Test(hosting, a_backend_that_is_logged_in_is_removed)
{
	struct tap *shop, *bank, *t;

	rig_start_plain();
	shop = backend_shop();
	bank = backend_bank();
	t = remote_proven(R1, L1);
	remote_prove(t, R1, L2);
	rig_reload("backend bank component secret-file=bank.secret\n" L2 " bank\n", NULL);
	tap_expect_error(shop, "host-gone");
	tap_say(t, MESSAGE("ann@" R1, "bob@" L1));
	remote_kept(t, R1, L2, bank);
	STAT_BECOMES(bounce_undeliverable, 1);
	rig_reload(REGISTRY, NULL);
	remote_kept(t, R1, L1, backend_again(L1, SHOP_SECRET));
}

Test(hosting, a_backend_with_parked_stanzas_is_removed)
{
	struct tap *bank;

	rig_start_plain();
	bank = backend_bank();
	tap_say(bank,
		"<message from='b@" L2 "' to='a@" L1 "' id='1'/>"
		"<message type='error' from='b@" L2 "' to='a@" L1 "' id='2'/>"
		"<message from='b@" L2 "' to='a@" L3 "' id='3'/>");
	STAT_BECOMES(stanzas_parked, 3);
	rig_reload("backend bank component secret-file=bank.secret\n" L2 " bank\n", NULL);
	tap_expect_with(bank, "<message from='a@" L1 "' to='b@" L2 "' id='1' type='error'>",
		"<error type='wait' by='" ROUTER "'><remote-server-timeout ");
	tap_expect_with(bank, "<message from='a@" L3 "' to='b@" L2 "' id='3' type='error'>");
	cr_assert(tap_quiet(bank));
	cr_assert_eq(STAT(bounce_suppressed), 1);
}

Test(hosting, many_reloads_under_traffic)
{
	struct tap *backend, *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	for (unsigned i = 0; i < 20; i++) {
		rig_reload(i % 2 ? REGISTRY : REGISTRY NEW " bank\n", NULL);
		remote_kept(t, R1, L1, backend);
	}
	cr_assert_eq(STAT(reloads), 20);
}
