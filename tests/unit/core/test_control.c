/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control thread and its signals, which all other threads of the test have blocked. */
#include "core/control.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
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

/* Up and listening. A drain lasts longer than anybody here waits for anything. */
static void start(void)
{
	static const char *const flags[] = { "--drain-ms", "60000", NULL };

	rig_prepare(flags);
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
	tap_expect(t, SHUTDOWN);
	tap_say(t, "</stream:stream>");
	tap_expect_end(t);
	tap_close(rig.near.tap);
	tap_expect(shop, SHUTDOWN);
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

	start();
	t = remote_proven(R1, L1);
	tell(SIGTERM);
	tap_expect(t, SHUTDOWN);
	cr_assert(rig_log_has("info stopping"));
	tell(SIGTERM);
	ends_with("told twice");
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

/* What the operator reads is file, line and cause, and that nothing has changed. */
Test(control, every_refused_reload_says_why)
{
	static const struct {
		const char *file, *text, *why;
	} rows[] = {
		{ "routes", REGISTRY "new.hosted.test nobody\n",
			"/routes:7: there is no backend 'nobody' in this file state=" },
		{ "routes",
			REGISTRY "b\xfc"
				 "cher.test shop\n",
			"/routes:7: the line is not UTF-8: save the file as UTF-8 state=" },
		{ "routes", REGISTRY L1 " bank\n",
			"/routes:7: " L1 " stands on line 3 already state=" },
		{ "policy", "peer " EVIL " blok\n", "/policy:1: 'blok' is no rule: " },
		{ "shop.secret", "", "/shop.secret: its first line must be the secret, " },
	};
	char want[40];

	start();
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		(void)scratch_file(rows[i].file, rows[i].text, 0600);
		tell(SIGHUP);
		cr_assert(rig_log_has(rows[i].why), "%s", rows[i].why);
		(void)scratch_file("routes", REGISTRY, 0600);
		(void)scratch_file("policy", "", 0600);
		(void)scratch_file("shop.secret", SHOP_SECRET "\n", 0600);
	}
	cr_assert(rig_log_has("error reload-refused: "));
	cr_assert(rig_log_has(" state=\"the old one stays\""));
	tell(SIGUSR1);
	(void)snprintf(want, sizeof(want), " reloads_failed=%zu", ARRAY_LEN(rows));
	cr_assert(rig_log_has(want));
	(void)backend_shop();
}

Test(control, a_missing_file_changes_nothing)
{
	start();
	cr_assert_eq(remove(scratch_path("routes")), 0);
	tell(SIGHUP);
	cr_assert(rig_log_has("/routes: No such file or directory state=\"the old one stays\""));
	(void)backend_shop();
}

/* Allowed, since a router may be filled later; nobody means it in the middle of the day. */
Test(control, a_registry_without_a_domain_is_noticed)
{
	struct tap *shop;

	start();
	shop = backend_shop();
	(void)scratch_file("routes", "", 0600);
	tell(SIGHUP);
	cr_assert(rig_log_has("warn registry-empty: the registry has no domain"));
	tap_expect_error(shop, "host-gone");
}

Test(control, no_reload_while_it_stops)
{
	struct tap *t;

	start();
	t = remote_proven(R1, L1);
	tell(SIGTERM);
	tap_expect(t, SHUTDOWN);
	cr_assert(rig_log_has("info stopping"));
	tell(SIGHUP);
	cr_assert(rig_log_has("warn reload-ignored: the router is stopping"));
}

Test(control, weak_secrets_are_noticed)
{
	char *log;

	rig_prepare(NULL);
	(void)scratch_file("secrets", "# short is no comment\n0123456789abcdef\n012345678\n", 0600);
	(void)scratch_file("shop.secret", "0123456789abcde\n", 0600);
	run();
	rig_find_ports();
	cr_assert(rig_log_has("info started"));
	cr_assert(rig_log_has("warn secret-weak: a secret this short can be guessed: "
			      "openssl rand -hex 32 makes a good one file="));
	cr_assert(rig_log_has("/secrets bytes=9\n"));
	cr_assert(rig_log_has("/routes backend=shop bytes=15\n"));
	log = rig_log();
	cr_expect_null(strstr(log, "bytes=16"), "%s", log);
	cr_expect_null(strstr(log, "0123456"), "never the secret itself: %s", log);
	free(log);
}

Test(control, backends_without_a_listener_are_noticed)
{
	rig_prepare(NULL);
	rig.config.n_component_listen = 0;
	run();
	cr_assert(rig_log_has("info started"));
	cr_assert(rig_log_has("warn backends-shut-out: no backend can log in: "
			      "--component-listen is missing backends=2\n"));
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
	refuses("secrets", SECRET "\n", 0644,
		"/secrets: others than its owner have access (mode 0644): chmod 600 it\n");
}

Test(control, no_secret)
{
	refuses("secrets", "# none\n", 0600,
		"/secrets: no secret in it: openssl rand -hex 32 makes one\n");
}

Test(control, too_many_secrets)
{
	refuses("secrets", "1\n2\n3\n4\n5\n6\n7\n8\n# no. 9:\n9\n", 0600,
		"/secrets: line 10: more than 8 secrets\n");
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
	cr_assert(strstr(said, " (--listen): Address already in use: does the router run already?"),
		"%s", said);
	free(said);
}

/* The first one shares its port: the kernel would let a second one in, and give it half. */
Test(control, a_router_that_runs_already)
{
	struct addr at;
	struct sockaddr_storage sa;
	int fd, on = 1;
	socklen_t len = sizeof(sa);
	char *said;

	rig_prepare(NULL);
	cr_assert(addr_parse(SPAN_LIT("127.0.0.1:0"), 0, &at));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, addr_to_sockaddr(&at, &sa)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	cr_assert(addr_from_sockaddr((struct sockaddr *)&sa, &rig.config.component_listen[0]));
	said = refused();
	close(fd);
	cr_assert_eq(code, EX_UNAVAILABLE, "%d: %s", code, said);
	cr_assert(strstr(said, " (--component-listen): Address already in use: "), "%s", said);
	free(said);
}

Test(control, an_address_of_another_machine)
{
	char *said;

	rig_prepare(NULL);
	cr_assert(addr_parse(SPAN_LIT("192.0.2.1:5269"), 0, &rig.config.listen[0]));
	said = refused();
	cr_assert_eq(code, EX_UNAVAILABLE, "%d: %s", code, said);
	cr_assert_str_eq(said,
		"sluice: cannot listen on 192.0.2.1:5269 (--listen): Cannot assign requested "
		"address: this machine does not have that address: ip addr lists those it has\n");
	free(said);
}
