/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/diag.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "scratch.h"
#include "xml/scan.h"

static char *report;

static void fini(void)
{
	free(report);
	scratch_close();
}

TestSuite(diag, .init = scratch_open, .fini = fini);

/* What a sound command line gives. */
static struct config config_good(void)
{
	static struct addr listen;

	return (struct config){
		.tls = TLS_OFF,
		.max_conns = 100,
		.component_listen = &listen,
		.n_component_listen = 1,
		.routes = (char *)(uintptr_t)scratch_file("routes",
			"backend gw component secret-file=s\na.test gw\n*.b.test gw\nc.test gone\n",
			0644),
	};
}

static void init(void)
{
	scratch_open();
	scratch_file("s", "secret\n", 0600);
}

TestSuite(diag_report, .init = init, .fini = fini);

static int check(const struct config *c)
{
	size_t len;
	FILE *f;
	int code;

	free(report);
	f = open_memstream(&report, &len);
	code = diag_check(c, f);
	fclose(f);
	return code;
}

/* The report has a line that begins with this; a line may be asked for with its remedy. */
static void expect_line(const char *start)
{
	const char *at = report;

	while ((at = strstr(at, start)) && at != report && at[-1] != '\n')
		at++;
	cr_expect(at, "no line '%s' in:\n%s", start, report);
}

static void require_uring(void)
{
	struct uring_failure why;
	struct uring *u = uring_open(&(struct uring_opts){ 0 }, &why);

	if (!u)
		cr_skip_test("no io_uring here: %s", why.cause);
	uring_close(u);
}

Test(diag_report, all_is_well)
{
	struct config c = config_good();
	char want[200];

	require_uring();
	c.secret_file = (char *)(uintptr_t)scratch_file("keys", "one\n# x\ntwo\n", 0400);
	c.policy = (char *)(uintptr_t)scratch_file("policy", "peer evil.test block\n", 0644);
	cr_expect_eq(check(&c), EX_OK, "%s", report);
	expect_line("ok     kernel         Linux ");
	expect_line("ok     io_uring       ");
	expect_line("ok     open files     hard limit ");
	expect_line("ok     locked memory  limit ");
	expect_line("ok     allocator      ");
	cr_expect(strstr(report, "AES            wolfSSL "), "%s", report);
	cr_expect(strstr(report, "; AES-128-GCM about "), "%s", report);
	snprintf(want, sizeof(want), "ok     XML scanner    %s\n", scan_loops());
	expect_line(want);
	expect_line("note   TLS            off: streams with other servers are in clear text\n");
	snprintf(want, sizeof(want), "ok     registry       %s: backends: 1, domains: 3\n",
		c.routes);
	expect_line(want);
	snprintf(want, sizeof(want), "ok     policy         %s\n", c.policy);
	expect_line(want);
	snprintf(want, sizeof(want), "ok     secret file    %s: mode 0400, secrets: 2\n",
		c.secret_file);
	expect_line(want);
	expect_line("sluice would run\n");
	cr_expect_null(strstr(report, "WRONG"));
}

Test(diag_report, nothing_given)
{
	const struct config c = { .check = true, .tls = TLS_REQUIRED };

	cr_expect_eq(check(&c), EX_CONFIG);
	expect_line(
		"WRONG  TLS            TLS needs certificates: name their directory with --cert-dir, or "
		"say --tls off, and streams are in clear text\n"
		"                      -> --cert-dir DIR, or --tls off\n");
	expect_line("WRONG  registry       none given\n"
		    "                      -> --routes FILE names the backends and domains\n");
	expect_line("ok     policy         none: all domains alike\n");
	expect_line("ok     secret file    none: random at start, good for one node\n");
	expect_line("sluice would not run: ");
}

Test(diag_report, bad_files)
{
	struct config c = config_good();
	char want[300];

	c.routes = (char *)(uintptr_t)scratch_file("routes", "\nnonsense\n", 0644);
	c.policy = (char *)(uintptr_t)scratch_file("policy", "peer\n", 0644);
	c.secret_file = (char *)(uintptr_t)scratch_file("keys", "one\n", 0644);
	cr_expect_eq(check(&c), EX_CONFIG);
	snprintf(want, sizeof(want), "WRONG  registry       %s:2: behind nonsense ", c.routes);
	expect_line(want);
	snprintf(want, sizeof(want), "WRONG  policy         %s:1: '' is no domain", c.policy);
	expect_line(want);
	snprintf(want, sizeof(want),
		"WRONG  secret file    %s: others than its owner have access "
		"(mode 0644): chmod 600 it\n",
		c.secret_file);
	expect_line(want);
	c.secret_file = (char *)(uintptr_t)scratch_file("empty", "# none\n", 0600);
	cr_expect_eq(check(&c), EX_CONFIG);
	snprintf(want, sizeof(want), "WRONG  secret file    %s: ", c.secret_file);
	expect_line(want);
}

/* The folder is read whatever --tls says, at start as here. */
Test(diag_report, no_usable_certificate)
{
	struct config c = config_good();
	char want[400];

	require_uring();
	c.cert_dir = (char *)(uintptr_t)scratch_path("certs");
	cr_expect_eq(check(&c), EX_CONFIG);
	snprintf(want, sizeof(want),
		"WRONG  certificates   %s: cannot be read: No such file or directory\n"
		"                      -> docs/tls.md has what belongs there\n",
		c.cert_dir);
	expect_line(want);
	cr_assert_eq(mkdir(c.cert_dir, 0700), 0);
	cr_expect_eq(check(&c), EX_CONFIG);
	snprintf(want, sizeof(want),
		"WRONG  certificates   %s: no file of --cert-dir ends in .pem\n", c.cert_dir);
	expect_line(want);
	(void)scratch_file("certs/a.pem", "nothing\n", 0600);
	cr_expect_eq(check(&c), EX_CONFIG);
	expect_line(
		"note   certificate    a.pem: there is no private key in it, nor a file with the "
		"same name and the ending .key beside it\n"
		"                      -> append the key to the file, or write it into such a file\n");
	snprintf(want, sizeof(want),
		"WRONG  certificates   %s: no certificate of --cert-dir can be used\n", c.cert_dir);
	expect_line(want);
	expect_line("sluice would not run: 1 wrong\n");
}

/* Each alone makes the difference. */
Test(diag_report, one_fault_is_enough)
{
	struct config c = config_good();

	require_uring();
	cr_expect_eq(check(&c), EX_OK);
	c.policy = (char *)(uintptr_t)scratch_path("missing");
	cr_expect_eq(check(&c), EX_CONFIG);
	expect_line("sluice would not run: 1 wrong\n");
	c.policy = NULL;
	c.tls = TLS_OPTIONAL;
	cr_expect_eq(check(&c), EX_CONFIG);
}

/* It would run; whoever asks should know all the same. */
Test(diag_report, weak_secrets_and_nothing_hosted)
{
	struct config c = config_good();
	char want[400];

	require_uring();
	c.secret_file = (char *)(uintptr_t)scratch_file("keys",
		"# a comment is no secret\n0123456789abcde\n0123456789abcdef\n", 0600);
	cr_expect_eq(check(&c), EX_OK, "%s", report);
	snprintf(want, sizeof(want),
		"note   weak secret    %s: backend gw: one of 6 bytes can be guessed\n"
		"                      -> openssl rand -hex 32 makes a good one\n",
		c.routes);
	expect_line(want);
	snprintf(want, sizeof(want), "note   weak secret    %s: one of 15 bytes can be guessed\n",
		c.secret_file);
	expect_line(want);
	cr_expect_null(strstr(report, "one of 16 bytes"), "%s", report);
	scratch_file("routes", "", 0644);
	cr_expect_eq(check(&c), EX_OK, "%s", report);
	expect_line("note   domains        none: every stream and every component will be "
		    "refused\n");
}

Test(diag_report, few_files_and_no_listener)
{
	struct rlimit lim = { 200, 200 };
	struct config c = config_good();

	require_uring();
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	c.n_component_listen = 0;
	c.max_conns = 136;
	cr_expect_eq(check(&c), EX_OK, "it would run, with fewer connections");
	expect_line("ok     open files     hard limit 200, enough for --max-conns 136\n");
	expect_line("note   backends       no listener for components: no backend can log in\n");
	c.max_conns = 137;
	cr_expect_eq(check(&c), EX_OK);
	expect_line(
		"note   open files     hard limit 200, too few for --max-conns 137 and 64 others: "
		"connections will be refused\n"
		"                      -> raise the hard limit");
}

/* -- without io_uring, as in a container -- */

static bool forbid_uring(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_LEN(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Exit code of a child that may not use io_uring; its words are in `report`. */
static int child_check(const struct config *c)
{
	const char *path = scratch_file("out", "", 0600);
	int status;
	pid_t pid = fork();

	cr_assert(pid >= 0);
	if (pid == 0) {
		struct uring_failure why;
		FILE *out = fopen(path, "we");

		if (!out || !forbid_uring())
			_exit(99);
		if (c)
			status = diag_check(c, out);
		else if (uring_open(&(struct uring_opts){ 0 }, &why))
			status = 98;
		else
			status = diag_uring_refused(&why, out);
		fflush(out);
		_exit(status);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 99)
		cr_skip_test("no seccomp here");
	report = scratch_read(path);
	return WEXITSTATUS(status);
}

Test(diag_report, check_without_uring)
{
	struct config c = config_good();

	cr_expect_eq(child_check(&c), EX_CONFIG);
	expect_line("WRONG  io_uring       ");
	cr_expect(strstr(report, "Operation not permitted"), "%s", report);
	cr_expect(strstr(report, "seccomp"), "%s", report);
	expect_line("                      -> ");
	expect_line("sluice would not run: 1 wrong\n");
	expect_line("ok     registry       ");
}

Test(diag, uring_refused_by_seccomp)
{
	cr_expect_eq(child_check(NULL), EX_CONFIG);
	expect_line("sluice: io_uring cannot be used, and there is no other way");
	expect_line("  cause:  ");
	cr_expect(strstr(report, "Operation not permitted"), "%s", report);
	expect_line("  remedy: ");
	cr_expect(strstr(report, "sluice --check"));
}

Test(diag, uring_refused_words)
{
	const struct uring_failure why = { .err = 1, .cause = "the cause", .remedy = "the remedy" };
	size_t len;
	FILE *f = open_memstream(&report, &len);

	cr_expect_eq(diag_uring_refused(&why, f), EX_CONFIG);
	fclose(f);
	cr_expect_str_eq(report,
		"sluice: io_uring cannot be used, and there is no other way to wait for the network\n"
		"  cause:  the cause\n"
		"  remedy: the remedy\n"
		"  test:   sluice --check says whether it helped\n");
}
