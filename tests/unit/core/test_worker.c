/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A worker as a whole: many pairs at once, limits of connections, and its end. */
#include "harness.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>

TestSuite(worker, .fini = rig_stop, .timeout = 60);

#define MANY 1000

/* -- many pairs on one stream -- */

static void claim_many(struct tap *t, const char *first)
{
	char *text = malloc((MANY + 1) * 256), *at = text;

	cr_assert(text);
	at = stpcpy(at, first);
	for (unsigned i = 0; i < MANY; i++)
		at += sprintf(at, "<db:result from='s%u.bulk.test' to='" L1 "'>" KEY "</db:result>",
			i);
	tap_send(t, text, (size_t)(at - text));
	free(text);
}

/* Answers all questions. Before the first answer there are as many as the window may be open; `before`
 * is called then. */
static void answer_many(void (*before)(struct tap *other), struct tap *other)
{
	struct question *q = calloc(LIMIT_KEYS_MIN, sizeof(*q));

	cr_assert(q);
	for (unsigned i = 0; i < LIMIT_KEYS_MIN; i++)
		sham_question(&rig.near, &q[i]);
	if (before)
		before(other);
	for (unsigned i = 0; i < LIMIT_KEYS_MIN; i++)
		sham_answer(&rig.near, &q[i], "valid");
	for (unsigned i = LIMIT_KEYS_MIN; i < MANY; i++) {
		sham_question(&rig.near, &q[0]);
		sham_answer(&rig.near, &q[0], "valid");
	}
	free(q);
}

/* All claims that it reads for now have been read, and what it wrote of them two turns ago is here. */
static void asked_no_more(struct tap *other)
{
	STAT_BECOMES(claims, LIMIT_UNPROVEN_CLAIMS);
	remote_sync(other);
	remote_sync(other);
	cr_assert(tap_quiet(rig.near.tap), "more than %d questions at once", LIMIT_KEYS_MIN);
}

static void expect_many(struct tap *t)
{
	char seen[MANY] = { 0 };

	for (unsigned i = 0; i < MANY; i++) {
		const char *e = tap_element(t), *to = strstr(e, " to='s");
		unsigned long n;
		char want[256];

		cr_assert(to, "%s", e);
		n = strtoul(to + 6, NULL, 10);
		(void)snprintf(want, sizeof(want),
			"<db:result from='" L1 "' to='s%lu.bulk.test' type='valid'/>", n);
		cr_assert_str_eq(e, want);
		cr_assert(n < MANY && !seen[n]);
		seen[n] = 1;
	}
}

static void kept_many(struct tap *t, struct tap *backend)
{
	for (unsigned i = 0; i < MANY; i++)
		tap_say(t, "<message from='a@s%u.bulk.test' to='b@" L1 "' id='%u'/>", i, i);
	for (unsigned i = 0; i < MANY; i++)
		tap_expect(backend, "<message from='a@s%u.bulk.test' to='b@" L1 "' id='%u'/>", i,
			i);
}

Test(worker, T_R26_a_thousand_honest_pairs_in_one_burst)
{
	struct tap *backend, *t;

	rig_one_worker("the homes of a thousand domains decide which is asked about first");
	rig_start_plain();
	backend = backend_shop();
	t = remote_open(R1, L1);
	claim_many(t, "");
	sham_greet(&rig.near, L1, "s0.bulk.test");
	answer_many(asked_no_more, remote_open(R1, L1));
	expect_many(t);
	kept_many(t, backend);
	cr_assert_eq(STAT(pairs_valid), MANY);
	cr_assert(sham_idle(&rig.near), "one stream to the authority");
}

Test(worker, T_I18_the_invalid_answer_is_the_first_to_arrive)
{
	struct tap *backend, *t;
	struct question q;

	rig_one_worker("the homes of a thousand domains decide which is asked about first");
	rig_start_plain();
	backend = backend_shop();
	t = remote_open(R1, L1);
	claim_many(t, "<db:result from='" EVIL "' to='" L1 "'>" KEY "</db:result>");
	sham_greet(&rig.far, L1, EVIL);
	sham_question(&rig.far, &q);
	sham_answer(&rig.far, &q, "invalid");
	tap_expect(t,
		"<db:result from='" L1 "' to='" EVIL "' type='error'><error type='auth'>"
		"<forbidden xmlns='" NS_ERRORS "'/></error></db:result>");
	sham_greet(&rig.near, L1, "s0.bulk.test");
	answer_many(NULL, NULL);
	expect_many(t);
	kept_many(t, backend);
}

/* T-R40 in small: a stream that has proven nothing is not read further while 256 claims wait. */
Test(worker, T_R40_claims_of_a_stranger_wait)
{
	struct tap *t, *other;
	struct question q;

	rig_one_worker("the homes of the domains decide which is asked about first");
	rig_start_plain();
	t = remote_open(R1, L1);
	claim_many(t, "");
	tap_say(t, "<db:verify from='" R1 "' to='" L1 "' id='last'>x</db:verify>");
	rig.near.tap = sham_accept(&rig.near); /* says nothing for now */
	other = remote_open(R1, L1);
	remote_sync(other);
	cr_assert_eq(STAT(claims), LIMIT_UNPROVEN_CLAIMS);
	cr_assert(tap_quiet(t));
	sham_hello(rig.near.tap, L1, "s0.bulk.test", FEATURES);
	for (unsigned i = 0; i < MANY; i++) {
		sham_question(&rig.near, &q);
		sham_answer(&rig.near, &q, "error");
	}
	for (unsigned i = 0; i < MANY + 1; i++) {
		bool last = strstr(tap_element(t), " id='last' type='invalid'/>");

		cr_assert(last || strstr(t->element, "<remote-server-not-found "), "%s",
			t->element);
		cr_assert(!last || i >= MANY - LIMIT_UNPROVEN_CLAIMS, "read after %u answers", i);
	}
	remote_sync(t);
}

/* -- limits of connections -- */

Test(worker, unauthenticated_streams_of_one_address)
{
	struct tap *one, *two, *three;

	rig_one_worker("each worker counts the strangers of an address by itself");
	rig_start("--max-unauth-per-ip", "2", NULL);
	one = remote_open(R1, L1);
	two = remote_open(R1, L1);
	three = tap_dial(rig.port);
	tap_expect_end(three);
	STAT_BECOMES(refused_limit, 1);
	remote_prove(one, R1, L1); /* no stranger any more */
	remote_sync(two);
	three = remote_open(R1, L1);
	tap_expect_end(tap_dial(rig.port));
	tap_close(three);
	STAT_BECOMES(streams_ended, 1);
	(void)remote_open(R1, L1);
}

Test(worker, connections_in_all)
{
	struct tap *t;

	rig_one_worker("--max-conns is divided among the workers");
	rig_start("--max-conns", "2", NULL);
	t = remote_open(R1, L1);
	(void)backend_shop();
	tap_expect_end(tap_dial(rig.port));
	tap_expect_end(tap_dial(rig.component_port));
	STAT_BECOMES(refused_limit, 2);
	/* not even the authority can be asked */
	remote_claim(t, R1, L1);
	tap_expect(t,
		"<db:result from='" L1 "' to='" R1 "' type='error'><error type='wait'>"
		"<resource-constraint xmlns='" NS_ERRORS "'/></error></db:result>");
	cr_assert_eq(STAT(dials_failed), 1);
	cr_assert(rig_log_has(" error=\"--max-conns is reached\"\n"));
	remote_sync(t);
}

/* The authority cannot be dialled: the claim fails as a passing shortage, nothing else does. */
Test(worker, no_descriptor_to_dial_with)
{
	struct rlimit limit, none;
	struct tap *t, *shop;

	rig_start_plain();
	shop = backend_shop();
	t = remote_proven(R1, L1);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	remote_claim(t, EVIL, L1);
	tap_expect(t,
		"<db:result from='" L1 "' to='" EVIL "' type='error'><error type='wait'>"
		"<resource-constraint xmlns='" NS_ERRORS "'/></error></db:result>");
	remote_kept(t, R1, L1, shop);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(STAT(pairs_error), 1);
	cr_assert_eq(STAT(dials_failed), 1);
	cr_assert(rig_log_has("warn dial-failed: an authoritative server could not be dialled "
			      "peer=127.0.0.1:"));
	cr_assert(rig_log_has(" error=\"Too many open files\"\n"));
	cr_assert(rig_log_has("warn pair-refused: "));
	cr_assert(rig_log_has(" from=" EVIL " to=" L1 " authority=127.0.0.1:"));
	remote_evil(t, "valid");
	tap_expect(t, "<db:result from='" L1 "' to='" EVIL "' type='valid'/>");
}

Test(worker, many_streams_come_and_go)
{
	rig_one_worker("that one has served the last says nothing of the others");
	rig_start_plain();
	for (unsigned i = 0; i < 150; i++) {
		struct tap *t = tap_dial(rig.port);

		if (i % 3)
			tap_say(t, "<stream:stream " HEADER_NS " to='" L1 "' version='1.0'>");
		if (i % 2)
			tap_reset(t);
		else
			tap_close(t);
	}
	/* Of one that was reset the kernel may tell nothing. */
	remote_sync(remote_open(R1, L1));
	cr_assert_geq(STAT(streams_in), 76);
	STAT_BECOMES(streams_ended, STAT(streams_in) - 1);
}

/* -- its end -- */

static void answers_the_end(struct tap *t, const char *end)
{
	tap_expect(t, "%s", end);
	tap_say(t, "</stream:stream>");
	tap_expect_end(t);
}

static void refuses_soon(uint16_t port)
{
	uint64_t until = rig_now() + PATIENCE_MS;

	while (tap_can_dial(port))
		cr_assert_lt(rig_now(), until, "it still listens");
}

Test(worker, drain_ends_every_stream_in_order)
{
	struct tap *one, *two, *shop;

	rig_start_plain();
	shop = backend_shop();
	one = remote_proven(R1, L1);
	two = remote_open(R1, L1);
	rig_tell(CONTROL_DRAIN);
	tap_expect(one, SHUTDOWN);
	refuses_soon(rig.port);
	refuses_soon(rig.component_port);
	remote_kept(one, R1, L1, shop); /* what they still send finds its backend */
	tap_say(one, "</stream:stream>");
	tap_expect_end(one);
	answers_the_end(rig.near.tap, "</stream:stream>");
	answers_the_end(two, SHUTDOWN);
	answers_the_end(shop, SHUTDOWN);
	rig_join();
}

Test(worker, drain_without_a_stream)
{
	rig_start_plain();
	rig_tell(CONTROL_DRAIN);
	rig_join();
}

Test(worker, drain_waits_no_longer_than_it_may)
{
	struct tap *t, *shop;

	rig_start("--drain-ms", "100", NULL);
	shop = backend_shop();
	t = remote_proven(R1, L1);
	rig_tell(CONTROL_DRAIN);
	rig_join(); /* nobody answers */
	tap_expect(t, SHUTDOWN);
	tap_expect_end(t);
	cr_assert_not_null(shop);
}

Test(worker, abort_ends_at_once)
{
	struct tap *t;

	rig_start("--drain-ms", "60000", NULL);
	(void)backend_shop();
	t = remote_proven(R1, L1);
	rig_tell(CONTROL_DRAIN);
	tap_expect(t, SHUTDOWN);
	rig_tell(CONTROL_ABORT);
	rig_join();
	tap_expect_end(t);
}

Test(worker, ends_in_the_middle_of_everything)
{
	struct tap *t;

	rig_start_plain();
	t = remote_open(R1, L1);
	claim_many(t, "");
	rig.near.tap = sham_accept(&rig.near);
	remote_claim(remote_open(R1, L1), CLOSED, L1);
	tap_say(t, "<message from='");
	tap_say(backend_bank(), "<message from='a@" L2 "' to='b@" L1 "'/>");
	STAT_BECOMES(stanzas_parked, 1);
	/* rig_stop: nothing leaks */
}

Test(worker, refuses_to_start_on_a_port_in_use)
{
	struct crew second;
	struct config c;
	struct addr at = { 0 };
	char why[512];
	int code = 0;

	rig_start_plain();
	c = rig.config;
	(void)!addr_parse(SPAN_LIT("127.0.0.1:1"), 0, &at);
	at.port = rig.near.port;
	c.listen = &at;
	cr_assert_not(crew_start(&second, &c, &rig.rules, rig.secrets,
		hosting_load(&c, (unsigned)c.workers, why), &code));
	cr_assert_eq(code, EX_UNAVAILABLE);
	remote_sync(remote_open(R1, L1)); /* the first one does not mind */
}

/* -- T-K22 -- */

/* The longest run of hexadecimal digits. */
static size_t hex_run(const char *p)
{
	size_t longest = 0, run = 0;

	for (; *p; p++) {
		run = strchr("0123456789abcdefABCDEF", *p) ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

Test(worker, T_K22_log_holds_no_key_and_no_secret)
{
	struct tap *t, *shop;
	struct question q;
	char *log;

	rig_start_plain(); /* at --log-level debug */
	shop = backend_shop();
	t = remote_proven(R1, L1);
	remote_kept(t, R1, L1, shop);
	remote_evil(t, "invalid");
	tap_skip(t, 1);
	remote_claim(t, CLOSED, L1);
	remote_claim(t, R2, L1);
	sham_question(&rig.near, &q);
	tap_say(t, "<db:result from='" R1 "' to='" L1 "' type='valid'>" KEY "</db:result>");
	tap_say(t, "<db:verify from='" R1 "' to='" L1 "' id='1'>" KEY "</db:verify>");
	tap_say(t, "<db:result from='" KEY "'>" KEY "</db:result>");
	tap_close(t);
	STAT_BECOMES(streams_ended, 1);
	log = rig_log();
	cr_assert(strstr(log, "debug pair-valid") && strstr(log, "warn pair-invalid"), "%s", log);
	cr_assert_lt(hex_run(log), KEY_HEX, "%s", log);
	cr_assert_null(strstr(log, SECRET));
	cr_assert_null(strstr(log, SHOP_SECRET));
	free(log);
}

/* Stanzas of one backend wait for another that does not read, and time is up: what is left goes
 * back while every route still exists. */
Test(worker, drain_with_a_full_queue_between_backends)
{
	static char body[9000];
	struct tap *shop, *bank;

	memset(body, 'x', sizeof(body) - 1);
	rig_start("--drain-ms", "300", "--queue-bytes", "524288", NULL);
	shop = backend_shop();
	bank = backend_login_small(L2, BANK_SECRET);
	while (STAT(bounced) == 0)
		tap_say(shop, "<message from='a@" L1 "' to='b@" L2 "'><body>%s</body></message>",
			body);
	rig_tell(CONTROL_DRAIN);
	rig_join();
	cr_assert_not_null(bank);
}

/* Its claims are gone with the stream, so none of them can wake it: its end must be read all the
 * same. */
Test(worker, drain_of_a_stream_that_waits_for_its_claims)
{
	struct tap *t;
	uint64_t begin;

	rig_start_plain();
	t = remote_open(R1, L1);
	for (unsigned i = 0; i < LIMIT_UNPROVEN_CLAIMS + 50; i++)
		tap_say(t, "<db:result from='d%u.bulk.test' to='" L1 "'>" KEY "</db:result>", i);
	STAT_BECOMES(claims, LIMIT_UNPROVEN_CLAIMS);
	begin = rig_now();
	rig_tell(CONTROL_DRAIN);
	tap_expect(t, SHUTDOWN);
	tap_say(t, "</stream:stream>");
	tap_expect_end(t);
	cr_assert_lt(rig_now() - begin, TIMEOUT_CLOSE_MS);
}

/* -- processors -- */

/* Which processors have a thread of this process to themselves that may run nowhere else, and how many
 * such threads there are. */
static unsigned pinned_threads(cpu_set_t *cpus)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *task;
	unsigned n = 0;

	CPU_ZERO(cpus);
	cr_assert(tasks);
	while ((task = readdir(tasks))) {
		pid_t tid = (pid_t)atoi(task->d_name);
		cpu_set_t own;

		if (tid == 0 || sched_getaffinity(tid, sizeof(own), &own) < 0 ||
			CPU_COUNT(&own) != 1)
			continue;
		CPU_OR(cpus, cpus, &own);
		n++;
	}
	closedir(tasks);
	return n;
}

Test(worker, pinned_workers_have_a_processor_each)
{
	cpu_set_t all, cpus;

	cr_assert_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	if (CPU_COUNT(&all) < 2)
		cr_skip_test("a single processor");
	rig_start("--pin", "--workers", "2", NULL);
	cr_expect_eq(pinned_threads(&cpus), 2);
	cr_expect_eq(CPU_COUNT(&cpus), 2);
	CPU_AND(&cpus, &cpus, &all);
	cr_expect_eq(CPU_COUNT(&cpus), 2, "of those that the process may use");
}

Test(worker, without_pin_they_run_anywhere)
{
	cpu_set_t all, cpus;

	cr_assert_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	if (CPU_COUNT(&all) < 2)
		cr_skip_test("a single processor");
	rig_start("--workers", "2", NULL);
	cr_expect_eq(pinned_threads(&cpus), 0);
}
