/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control thread and its signals, which all other threads of the test have blocked. */
#include "core/control.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "harness.h"
#include "scratch.h"

static pthread_t thread;
static bool running;
static _Atomic bool ended;
static int code; /* once it has ended */

static void *run_router(void *arg)
{
	(void)arg;
	code = control_run(&rig.config);
	atomic_store(&ended, true);
	return NULL;
}

/* To the process: every thread of ours has it blocked, the control thread waits for it. */
static void tell(int sig)
{
	cr_assert_eq(kill(getpid(), sig), 0);
}

static int exit_code(void)
{
	uint64_t until = rig_now() + PATIENCE_MS;

	while (!atomic_load(&ended) && rig_now() < until)
		(void)poll(NULL, 0, 1);
	cr_assert(atomic_load(&ended), "the router has not ended");
	cr_assert_eq(pthread_join(thread, NULL), 0);
	running = false;
	return code;
}

static void stop(void)
{
	if (running) {
		tell(SIGTERM);
		cr_assert(rig_log_has("info stopping"));
		tell(SIGTERM);
		(void)exit_code();
	}
	rig_stop();
}

TestSuite(control, .fini = stop, .timeout = 60);

static void run(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	cr_assert_eq(pthread_sigmask(SIG_BLOCK, &signals, NULL), 0);
	cr_assert_eq(pthread_create(&thread, NULL, run_router, NULL), 0);
	running = true;
}

/* Up and listening. */
static void start(void)
{
	rig_prepare(NULL);
	run();
	rig_find_ports();
	cr_assert(rig_log_has("info started"));
}

static void ends_with(const char *event)
{
	cr_assert_eq(exit_code(), 0);
	cr_assert(rig_log_has(event));
	cr_assert(rig_log_has("info stopped"));
}

/* -- signals -- */

Test(control, sigterm_drains)
{
	struct tap *t, *shop;

	start();
	shop = backend_shop();
	t = remote_proven(R1, L1);
	remote_kept(t, R1, L1, shop);
	tell(SIGTERM);
	tap_expect(t, "</stream:stream>");
	tap_say(t, "</stream:stream>");
	tap_expect_end(t);
	tap_close(rig.near.tap);
	tap_expect(shop, "</stream:stream>");
	tap_close(shop);
	ends_with("info stopping");
}

Test(control, sigint_is_the_same)
{
	start();
	tell(SIGINT);
	ends_with("info stopping");
}

Test(control, a_second_signal_stops_at_once)
{
	struct tap *t;
	uint64_t begin;

	start();
	t = remote_proven(R1, L1);
	tell(SIGTERM);
	tap_expect(t, "</stream:stream>");
	cr_assert(rig_log_has("info stopping"));
	begin = rig_now();
	tell(SIGTERM);
	ends_with("told twice");
	cr_assert_lt(rig_now() - begin, 3000, "--drain-ms is 5000");
}

Test(control, sighup_reads_both_files_again)
{
	struct tap *shop, *t;

	start();
	shop = backend_shop();
	t = remote_proven(R1, L1);
	(void)scratch_file("routes", REGISTRY "new.hosted.test shop\n", 0600);
	(void)scratch_file("policy", "peer " EVIL " block\n", 0600);
	tell(SIGHUP);
	cr_assert(rig_log_has("info reloaded"));
	remote_claim(t, EVIL, L1);
	tap_expect_with(t, "<policy-violation ");
	remote_prove(t, R1, "new.hosted.test");
	remote_kept(t, R1, "new.hosted.test", shop);
}

Test(control, a_bad_file_changes_nothing)
{
	struct tap *shop, *t;

	start();
	shop = backend_shop();
	t = remote_proven(R1, L1);
	(void)scratch_file("routes", "nonsense\n", 0600);
	tell(SIGHUP);
	cr_assert(rig_log_has("error reload-refused"));
	cr_assert(rig_log_has("routes:1:"));
	remote_kept(t, R1, L1, shop);
	remote_prove(t, R1, L2);
	tell(SIGUSR1);
	cr_assert(rig_log_has("reloads_failed=1"));
}

Test(control, sigusr1_tells_the_counters)
{
	struct tap *t;

	start();
	t = remote_proven(R1, L1);
	cr_assert_not_null(t);
	tell(SIGUSR1);
	cr_assert(rig_log_has("info stats"));
	cr_assert(rig_log_has(" pairs_valid=1"));
}

/* -- what it needs to start -- */

Test(control, the_secret_file_is_used)
{
	struct tap *t;

	start();
	t = remote_open(R1, L1);
	tap_say(t,
		"<db:verify from='" R1 "' to='" L1 "' id='q7Zr0pD2mV8sK4xN'>"
		"ebcac7531258efda1f811cfeea7e6197cb03a2874f0c1b0b3f8f76cbdd4c63ad</db:verify>");
	tap_expect(t, "<db:verify from='" L1 "' to='" R1 "' id='q7Zr0pD2mV8sK4xN' type='valid'/>");
}

/* What it says on standard error. */
static char *refused(void)
{
	const char *path = scratch_path("stderr");
	FILE *kept = stderr, *file = fopen(path, "we");

	cr_assert(file);
	stderr = file;
	run();
	(void)exit_code();
	stderr = kept;
	fclose(file);
	return scratch_read(path);
}

static void refuses(const char *file, const char *text, unsigned mode, const char *word)
{
	char *said;

	rig_prepare(NULL);
	(void)scratch_file(file, text, mode);
	said = refused();
	cr_assert_eq(code, EX_CONFIG, "%d: %s", code, said);
	cr_assert(strstr(said, word), "%s", said);
	free(said);
}

Test(control, bad_registry)
{
	refuses("routes", "backend shop\n", 0600, "routes:1:");
}

Test(control, bad_policy)
{
	refuses("policy", "peer\n", 0600, "policy:1:");
}

Test(control, secrets_that_others_can_read)
{
	refuses("secrets", SECRET "\n", 0644, "secrets");
}

Test(control, no_secret)
{
	refuses("secrets", "# none\n", 0600, "secrets");
}

Test(control, secret_of_a_backend_missing)
{
	refuses("shop.secret", "\n", 0600, "shop.secret");
}

Test(control, port_in_use)
{
	char *said;

	rig_prepare(NULL);
	rig.config.listen[0].port = rig.near.port;
	said = refused();
	cr_assert_eq(code, EX_UNAVAILABLE, "%d: %s", code, said);
	cr_assert(strstr(said, "cannot listen on 127.0.0.1:"), "%s", said);
	free(said);
}
