/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/config.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "scratch.h"

#define ARGS 16

static struct config c;
static char *out_text, *err_text;

static void fini(void)
{
	free(out_text);
	free(err_text);
	scratch_close();
}

TestSuite(config, .init = scratch_open, .fini = fini);

/* Parses "sluice" and these arguments, up to the first NULL. */
static enum config_result parse(const char *const *args)
{
	char *argv[ARGS + 2] = { (char *)(uintptr_t) "sluice" };
	size_t out_len, err_len;
	enum config_result result;
	FILE *out, *err;
	int argc = 1;

	free(out_text);
	free(err_text);
	out = open_memstream(&out_text, &out_len);
	err = open_memstream(&err_text, &err_len);
	while (argc <= ARGS && args[argc - 1]) {
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
		argc++;
	}
	result = config_parse(&c, argc, argv, out, err);
	fclose(out);
	fclose(err);
	return result;
}

#define PARSE(...) parse((const char *const[ARGS + 1]){ __VA_ARGS__ })
/* What every router needs. */
#define BASE "--routes", "r", "--tls", "off"

static void expect_addr(const struct addr *a, const char *want)
{
	char text[ADDR_TEXT];

	addr_format(a, text);
	cr_expect_str_eq(text, want);
}

/* -- good -- */

Test(config, defaults)
{
	cr_assert_eq(PARSE(BASE), CONFIG_RUN, "%s", err_text);
	cr_expect_str_eq(err_text, "");
	cr_expect_str_eq(out_text, "");
	cr_expect_gt(strlen(c.name), 0);
	cr_assert_eq(c.n_listen, 1);
	expect_addr(&c.listen[0], "[::]:5269");
	cr_expect_eq(c.n_component_listen, 0);
	cr_expect_not(c.backend_public);
	cr_expect_str_eq(c.routes, "r");
	cr_expect_null(c.policy);
	cr_expect_null(c.secret_file);
	cr_expect_eq(c.n_dns + c.n_peer + c.n_allow_peer_net + c.n_deny_addr + c.n_deny_port, 0);
	cr_expect_eq(c.tls, TLS_OFF);
	cr_expect_eq(c.pair_check, PAIR_CHECK_STRICT);
	cr_expect_eq(c.pin_auth, PIN_AUTH_WARN);
	cr_expect_eq(c.invalid_policy, INVALID_XEP_1_1);
	cr_expect_eq(c.workers, (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
	cr_expect_eq(c.max_stanza, LIMIT_STANZA);
	cr_expect_eq(c.max_pairs_per_stream, LIMIT_PAIRS_PER_STREAM);
	cr_expect_eq(c.max_conns, LIMIT_CONNS);
	cr_expect_eq(c.max_unauth_per_ip, LIMIT_UNAUTH_PER_IP);
	cr_expect_eq(c.queue_bytes, LIMIT_QUEUE_BYTES);
	cr_expect_eq(c.mem_budget, LIMIT_MEM_BUDGET);
	cr_expect_eq(c.drain_ms, 10000);
	cr_expect_eq(c.cache_entries, LIMIT_VERDICTS);
	cr_expect_eq(c.verdict_ttl, 3600);
	cr_expect_eq(c.log_format, LOG_TEXT);
	cr_expect_eq(c.log_level, LOG_INFO);
	cr_expect_not(c.check);
	config_free(&c);
}

Test(config, name_is_canonical)
{
	cr_assert_eq(PARSE(BASE, "--name",
			     "Edge.B\xc3\xbc"
			     "cher.test."),
		CONFIG_RUN);
	cr_expect_str_eq(c.name,
		"edge.b\xc3\xbc"
		"cher.test");
	config_free(&c);
}

Test(config, name_is_the_host_name_or_localhost)
{
	static const char *const rows[][2] = {
		{ "Edge.Router.test", "edge.router.test" },
		{ "edge", "edge" },
		{ "-edge", "localhost" },
		{ "", "localhost" },
	};

	if (unshare(CLONE_NEWUTS) != 0)
		cr_skip_test("may not change the host name here");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cr_assert_eq(sethostname(rows[i][0], strlen(rows[i][0])), 0);
		cr_assert_eq(PARSE(BASE), CONFIG_RUN);
		cr_expect_str_eq(c.name, rows[i][1]);
		config_free(&c);
	}
}

Test(config, every_value_with_a_space_or_an_equals_sign)
{
	cr_assert_eq(PARSE("--routes=r=1", "--tls=off", "--policy=p x", "--secret-file", "s",
			     "--max-stanza=20000", "--drain-ms", "0"),
		CONFIG_RUN, "%s", err_text);
	cr_expect_str_eq(c.routes, "r=1");
	cr_expect_str_eq(c.policy, "p x");
	cr_expect_str_eq(c.secret_file, "s");
	cr_expect_eq(c.max_stanza, 20000);
	cr_expect_eq(c.drain_ms, 0);
	config_free(&c);
}

Test(config, lists)
{
	cr_assert_eq(PARSE(BASE, "--listen", "127.0.0.1:15269", "--listen=[::1]:0",
			     "--component-listen=10.0.0.1:5347", "--component-listen", "[fd00::1]",
			     "--dns", "127.0.0.1@5353", "--dns=::1"),
		CONFIG_RUN, "%s", err_text);
	cr_assert_eq(c.n_listen, 2);
	expect_addr(&c.listen[0], "127.0.0.1:15269");
	expect_addr(&c.listen[1], "[::1]:0");
	cr_assert_eq(c.n_component_listen, 2);
	expect_addr(&c.component_listen[0], "10.0.0.1:5347");
	expect_addr(&c.component_listen[1], "[fd00::1]:5347");
	cr_assert_eq(c.n_dns, 2);
	expect_addr(&c.dns[0], "127.0.0.1:5353");
	expect_addr(&c.dns[1], "[::1]:53");
	config_free(&c);
}

Test(config, destinations)
{
	cr_assert_eq(PARSE(BASE, "--peer", "RX.peer.test=192.0.2.1:15269", "--peer=*.lab=[::1]:9",
			     "--allow-peer-net", "127.0.0.0/8", "--deny-addr=2001:db8::/32",
			     "--deny-port", "22", "--deny-port=6000-6063"),
		CONFIG_RUN, "%s", err_text);
	cr_assert_eq(c.n_peer, 2);
	cr_expect_str_eq(c.peer[0].domain, "rx.peer.test");
	cr_expect_not(c.peer[0].below);
	expect_addr(&c.peer[0].addr, "192.0.2.1:15269");
	cr_expect_str_eq(c.peer[1].domain, "lab");
	cr_expect(c.peer[1].below);
	cr_assert_eq(c.n_allow_peer_net, 1);
	cr_expect_eq(c.allow_peer_net[0].bits, 104);
	cr_assert_eq(c.n_deny_addr, 1);
	cr_expect_eq(c.deny_addr[0].bits, 32);
	cr_assert_eq(c.n_deny_port, 2);
	cr_expect(c.deny_port[0].low == 22 && c.deny_port[0].high == 22);
	cr_expect(c.deny_port[1].low == 6000 && c.deny_port[1].high == 6063);
	config_free(&c);
}

Test(config, sizes)
{
	static const struct {
		const char *arg;
		uint64_t want;
	} rows[] = {
		{ "--mem-budget=1073741825", 1073741825 },
		{ "--mem-budget=2048K", 2048 << 10 },
		{ "--mem-budget=3M", 3 << 20 },
		{ "--mem-budget=1024G", UINT64_C(1) << 40 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cr_assert_eq(PARSE(BASE, "--workers=1", rows[i].arg), CONFIG_RUN, "%s", err_text);
		cr_expect_eq(c.mem_budget, rows[i].want, "%s", rows[i].arg);
		config_free(&c);
	}
}

/* The table's names are those that the owners of the enums know. */
Test(config, choices_are_in_the_order_of_their_enums)
{
	static const char *const policies[] = { "rfc3920", "xep-0.6", "xep-1.1", "forbid" };
	static const char *const levels[] = { "error", "warn", "info", "debug" };
	static const char *const formats[] = { "text", "json" };
	enum invalid_policy policy;
	enum log_format format;
	enum log_level level;

	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		cr_assert_eq(PARSE(BASE, "--invalid-policy", policies[i]), CONFIG_RUN);
		cr_assert(invalid_policy_parse(span_str(policies[i]), &policy));
		cr_expect_eq(c.invalid_policy, policy, "%s", policies[i]);
		config_free(&c);
	}
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		cr_assert_eq(PARSE(BASE, "--log-level", levels[i]), CONFIG_RUN);
		cr_assert(log_level_parse(span_str(levels[i]), &level));
		cr_expect_eq(c.log_level, level, "%s", levels[i]);
		config_free(&c);
	}
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		cr_assert_eq(PARSE(BASE, "--log-format", formats[i]), CONFIG_RUN);
		cr_assert(log_format_parse(span_str(formats[i]), &format));
		cr_expect_eq(c.log_format, format, "%s", formats[i]);
		config_free(&c);
	}
	cr_assert_eq(PARSE(BASE, "--pair-check", "sender"), CONFIG_RUN);
	cr_expect_eq(c.pair_check, PAIR_CHECK_SENDER);
	config_free(&c);
}

Test(config, one_stanza_of_so_many)
{
	static const struct {
		const char *value;
		uint64_t every;
	} rows[] = { { "off", 0 }, { "all", 1 }, { "1", 1 }, { "2", 2 }, { "10K", 10240 },
		{ "1000000", 1000000 } };

	cr_assert_eq(PARSE(BASE), CONFIG_RUN);
	cr_expect_eq(c.xml_check, 0);
	config_free(&c);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cr_assert_eq(PARSE(BASE, "--xml-check", rows[i].value), CONFIG_RUN);
		cr_expect_eq(c.xml_check, rows[i].every, "%s", rows[i].value);
		config_free(&c);
	}
}

Test(config, the_last_of_two_wins)
{
	cr_assert_eq(PARSE(BASE, "--drain-ms", "1", "--routes=r2", "--drain-ms=2"), CONFIG_RUN);
	cr_expect_eq(c.drain_ms, 2);
	cr_expect_str_eq(c.routes, "r2");
	config_free(&c);
}

Test(config, help_and_version_win_over_what_is_behind_them)
{
	char *line;

	cr_assert_eq(PARSE("--tls", "off", "--help", "--nonsense"), CONFIG_EXIT);
	cr_expect_str_eq(err_text, "");
	cr_expect(strstr(out_text, "\n  --max-stanza N\n"));
	cr_expect(strstr(out_text, "kill -HUP reads registry, policy and certificates again"));
	cr_expect(strstr(out_text, "Unit: bytes. Default: 256K. Allowed: 10000 to 64M."));
	cr_expect(strstr(out_text, "\n  --dns ADDR[@PORT]  (repeatable)\n"));
	cr_expect(strstr(out_text, "--cert-dir"));
	for (line = strtok(out_text, "\n"); line; line = strtok(NULL, "\n"))
		cr_expect_leq(strlen(line), 100, "%s", line);
	cr_assert_eq(PARSE("--version"), CONFIG_EXIT);
	cr_expect(strncmp(out_text, "sluice ", 7) == 0 && strlen(out_text) > 8);
}

/* -- bad -- */

static const struct {
	const char *args[4];
	const char *err;
} bad[] = {
	{ { "--rotes", "x" }, "sluice: '--rotes' is no flag; did you mean --routes?\n" },
	{ { "--max_stanza=1" }, "sluice: '--max_stanza' is no flag; did you mean --max-stanza?\n" },
	{ { "-help" }, "sluice: '-help' is no flag; did you mean --help?\n" },
	{ { "routes" }, "sluice: 'routes' is no flag; did you mean --routes?\n" },
	{ { "--backend-listen", "::" },
		"sluice: '--backend-listen' is no flag; sluice --help lists them all\n" },
	{ { "--as" }, "sluice: '--as' is no flag; sluice --help lists them all\n" },
	{ { "" }, "sluice: '' is no flag; sluice --help lists them all\n" },
	{ { "--" }, "sluice: '--' is no flag; sluice --help lists them all\n" },
	{ { "=" }, "sluice: '' is no flag; sluice --help lists them all\n" },
	{ { "--policy" }, "sluice: --policy: needs a value: a path\n" },
	{ { "--policy", "--check" }, "sluice: --policy: needs a value: a path\n" },
	{ { "--policy=" }, "sluice: --policy '': needs a value: a path\n" },
	{ { "--config" }, "sluice: --config: needs a value: a path\n" },
	{ { "--check=yes" }, "sluice: --check 'yes': takes no value\n" },
	{ { "--backend-public=perhaps" },
		"sluice: --backend-public 'perhaps': allowed: yes or no; yes when nothing is said\n" },
	{ { "--name", "a..b" }, "sluice: --name 'a..b': allowed: a domain name\n" },
	{ { "--listen", "localhost:5269" },
		"sluice: --listen 'localhost:5269': allowed: an address such as 192.0.2.1:5269 or "
		"[2001:db8::1]:5269\n" },
	{ { "--listen", "1.2.3.4:65536" },
		"sluice: --listen '1.2.3.4:65536': allowed: an address such as 192.0.2.1:5269 or "
		"[2001:db8::1]:5269\n" },
	{ { "--dns", "127.0.0.1:53" },
		"sluice: --dns '127.0.0.1:53': allowed: an address such as 127.0.0.1 or ::1@5353\n" },
	{ { "--dns", "::1@0" },
		"sluice: --dns '::1@0': allowed: an address such as 127.0.0.1 or ::1@5353\n" },
	{ { "--peer", "a.test" },
		"sluice: --peer 'a.test': allowed: such as example.org=192.0.2.1:5269 or "
		"*.lab=[2001:db8::1]:5269\n" },
	{ { "--peer", "*=192.0.2.1:1" },
		"sluice: --peer '*=192.0.2.1:1': allowed: such as example.org=192.0.2.1:5269 or "
		"*.lab=[2001:db8::1]:5269\n" },
	{ { "--peer", "a.test=192.0.2.1:0" },
		"sluice: --peer 'a.test=192.0.2.1:0': allowed: such as example.org=192.0.2.1:5269 or "
		"*.lab=[2001:db8::1]:5269\n" },
	{ { "--allow-peer-net", "10.0.0.0/33" },
		"sluice: --allow-peer-net '10.0.0.0/33': allowed: such as 10.0.0.0/8, fd00::/8 or "
		"192.0.2.1\n" },
	{ { "--deny-addr", "10.0.0" },
		"sluice: --deny-addr '10.0.0': allowed: such as 10.0.0.0/8, fd00::/8 or 192.0.2.1\n" },
	{ { "--deny-port", "30-20" },
		"sluice: --deny-port '30-20': allowed: one port or a range, such as 22 or 6000-6063\n" },
	{ { "--tls", "required" },
		"sluice: --tls 'required': TLS needs certificates: name their directory with --cert-dir, or "
		"say --tls off, and streams are in clear text\n" },
	{ { "--tls=optional" },
		"sluice: --tls 'optional': TLS needs certificates: name their directory with --cert-dir, or "
		"say --tls off, and streams are in clear text\n" },
	{ { "--tls=no" }, "sluice: --tls 'no': allowed: required, optional or off\n" },
	{ { "--invalid-policy", "XEP-1.1" },
		"sluice: --invalid-policy 'XEP-1.1': allowed: rfc3920, xep-0.6, xep-1.1 or forbid\n" },
	{ { "--workers", "33" }, "sluice: --workers '33': allowed: 0 to 32 threads\n" },
	{ { "--max-stanza", "9999" },
		"sluice: --max-stanza '9999': allowed: 10000 to 64M bytes\n" },
	{ { "--max-stanza", "65M" }, "sluice: --max-stanza '65M': allowed: 10000 to 64M bytes\n" },
	{ { "--max-stanza", "K" }, "sluice: --max-stanza 'K': allowed: 10000 to 64M bytes\n" },
	{ { "--max-stanza", "-1" }, "sluice: --max-stanza '-1': allowed: 10000 to 64M bytes\n" },
	{ { "--max-stanza", "1MB" }, "sluice: --max-stanza '1MB': allowed: 10000 to 64M bytes\n" },
	{ { "--max-stanza", "18014398509481985K" },
		"sluice: --max-stanza '18014398509481985K': allowed: 10000 to 64M bytes\n" },
	{ { "--max-conns", "0" }, "sluice: --max-conns '0': allowed: 1 to 1M connections\n" },
	{ { "--max-conns", "many" }, "sluice: --max-conns 'many': allowed: 1 to 1M connections\n" },
	{ { "--max-conns", "1e3" }, "sluice: --max-conns '1e3': allowed: 1 to 1M connections\n" },
	{ { "--max-conns", "64k" }, "sluice: --max-conns '64k': allowed: 1 to 1M connections\n" },
	{ { "--max-conns", " 7" }, "sluice: --max-conns ' 7': allowed: 1 to 1M connections\n" },
	{ { "--max-conns", "0x10" }, "sluice: --max-conns '0x10': allowed: 1 to 1M connections\n" },
	{ { "--max-conns" }, "sluice: --max-conns: needs a value: 1 to 1M connections\n" },
	{ { "--max-unauth-per-ip", "+1" },
		"sluice: --max-unauth-per-ip '+1': allowed: 1 to 1M streams\n" },
	{ { "--max-pairs-per-stream", "1000001" },
		"sluice: --max-pairs-per-stream '1000001': allowed: 1 to 1000000 pairs\n" },
	{ { "--queue-bytes", "63K" }, "sluice: --queue-bytes '63K': allowed: 64K to 1G bytes\n" },
	{ { "--mem-budget", "1025G" },
		"sluice: --mem-budget '1025G': allowed: 1M to 1024G bytes\n" },
	{ { "--mem-budget", "99999999999999999999" },
		"sluice: --mem-budget '99999999999999999999': allowed: 1M to 1024G bytes\n" },
	{ { "--drain-ms", "10s" },
		"sluice: --drain-ms '10s': allowed: 0 to 600000 milliseconds\n" },
	{ { "--drain-ms", "1.5" },
		"sluice: --drain-ms '1.5': allowed: 0 to 600000 milliseconds\n" },
	{ { "--drain-ms", "600001" },
		"sluice: --drain-ms '600001': allowed: 0 to 600000 milliseconds\n" },
	{ { "--log-level", "verbose" },
		"sluice: --log-level 'verbose': allowed: error, warn, info or debug\n" },
	{ { "--log-format", "JSON" }, "sluice: --log-format 'JSON': allowed: text or json\n" },
	{ { "--pair-check", "off" }, "sluice: --pair-check 'off': allowed: strict or sender\n" },
	{ { "--xml-check", "0" },
		"sluice: --xml-check '0': allowed: off, all, or N from 1 to 1000000: one of N\n" },
	{ { "--xml-check", "1000001" },
		"sluice: --xml-check '1000001': allowed: off, all, or N from 1 to 1000000: one of N\n" },
	{ { "--xml-check", "1M" },
		"sluice: --xml-check '1M': allowed: off, all, or N from 1 to 1000000: one of N\n" },
	{ { "--xml-check", "on" },
		"sluice: --xml-check 'on': allowed: off, all, or N from 1 to 1000000: one of N\n" },
	{ { "--name", "" }, "sluice: --name '': needs a value: a domain name\n" },
	{ { "--name", "192.0.2.1" }, "sluice: --name '192.0.2.1': allowed: a domain name\n" },
	{ { "--listen", "5269" },
		"sluice: --listen '5269': allowed: an address such as 192.0.2.1:5269 or "
		"[2001:db8::1]:5269\n" },
	{ { "--listen", "2001:db8::1:5269:" },
		"sluice: --listen '2001:db8::1:5269:': allowed: an address such as 192.0.2.1:5269 or "
		"[2001:db8::1]:5269\n" },
	{ { "--deny-port", "0-70000" },
		"sluice: --deny-port '0-70000': allowed: one port or a range, such as 22 or "
		"6000-6063\n" },
	{ { "extra" }, "sluice: 'extra' is no flag; sluice --help lists them all\n" },
	{ { "--routes" }, "sluice: --routes: needs a value: a path\n" },
	{ { "--drain-ms", "5K" }, "sluice: --drain-ms '5K': allowed: 0 to 600000 milliseconds\n" },
	{ { "--max-stanza", "2M" },
		"sluice: --max-stanza '2M': more than --queue-bytes, which is 1M by default: a stanza "
		"of that size could never leave; raise both\n" },
	{ { "--max-stanza=2M", "--queue-bytes=1M" },
		"sluice: --queue-bytes '1M': less than --max-stanza: a stanza of that size could never "
		"leave\n" },
	{ { "--queue-bytes=512M", "--mem-budget", "819M" },
		"sluice: --mem-budget '819M': five eighths of a worker's part of it (--workers) are "
		"less than --queue-bytes, one of the queues that they bound\n" },
	{ { "--workers=4", "--mem-budget", "8191K" },
		"sluice: --mem-budget '8191K': a worker's part of it (--workers) is less than eight "
		"times --max-stanza: a stanza that has not yet come whole may take a quarter of it\n" },
	{ { "--require-strong" },
		"sluice: --require-strong: needs TLS, and without --cert-dir there is none: name the "
		"directory of the certificates, or leave this flag out\n" },
	{ { "--verify-tls=require" },
		"sluice: --verify-tls 'require': needs TLS, and without --cert-dir there is none: name "
		"the directory of the certificates, or leave this flag out\n" },
	{ { "--out-auth", "secure" },
		"sluice: --out-auth 'secure': needs TLS, and without --cert-dir there is none: name the "
		"directory of the certificates, or leave this flag out\n" },
	{ { "--ca-file", "ca.pem" },
		"sluice: --ca-file 'ca.pem': needs TLS, and without --cert-dir there is none: name the "
		"directory of the certificates, or leave this flag out\n" },
	{ { "--crl-file", "crl.pem" },
		"sluice: --crl-file 'crl.pem': needs TLS, and without --cert-dir there is none: name "
		"the directory of the certificates, or leave this flag out\n" },
	{ { "--verdict-ttl", "1h" }, "sluice: --verdict-ttl '1h': allowed: 0 to 86400 seconds\n" },
	{ { "--listen=[::]:5269", "--listen=[::]:5269" },
		"sluice: two listeners are to have the address [::]:5269 (--listen, --listen-tls, "
		"--component-listen)\n" },
	{ { "--listen=127.0.0.1:7", "--component-listen=127.0.0.1:7" },
		"sluice: two listeners are to have the address 127.0.0.1:7 (--listen, --listen-tls, "
		"--component-listen)\n" },
};

Test(config, bad_values)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cr_expect_eq(PARSE(BASE, bad[i].args[0], bad[i].args[1], bad[i].args[2]),
			CONFIG_ERROR, "%s", bad[i].args[0]);
		cr_expect_str_eq(err_text, bad[i].err);
		cr_expect_null(c.routes, "config_free() has been there");
		config_free(&c);
	}
}

Test(config, what_must_be_given)
{
	cr_expect_eq(PARSE("--tls", "off"), CONFIG_ERROR);
	cr_expect_str_eq(err_text,
		"sluice: --routes is missing: name the file with the backends and domains\n");
	cr_expect_eq(PARSE("--routes", "r"), CONFIG_ERROR);
	cr_expect_str_eq(err_text,
		"sluice: --tls is required by default: TLS needs certificates: name their directory "
		"with --cert-dir, or say --tls off, and streams are in clear text\n");
	cr_expect_eq(PARSE("--routes", "r", "--tls", "off", "--listen-tls", "[::1]:1"),
		CONFIG_ERROR);
	cr_expect_str_eq(err_text,
		"sluice: --listen-tls '[::1]:1': needs --cert-dir, the directory of the "
		"certificates\n");
	cr_expect_eq(PARSE("--routes", "r", "--cert-dir", "d"), CONFIG_RUN);
	config_free(&c);
	cr_expect_eq(PARSE(BASE, "--cert-dir", "d", "--require-strong", "--out-auth", "secure",
			     "--verify-tls", "require"),
		CONFIG_RUN, "the policy may ask for TLS where --tls does not");
	config_free(&c);
	cr_expect_eq(PARSE("--check"), CONFIG_RUN, "diag_check() reports both");
	cr_expect(c.check && !c.routes && c.tls == TLS_REQUIRED);
	config_free(&c);
	cr_expect_eq(PARSE("--check", "--tls", "required"), CONFIG_RUN);
	config_free(&c);
}

Test(config, components_are_not_for_strangers)
{
	static const struct {
		const char *addr;
		bool ok;
	} rows[] = {
		{ "127.0.0.1:1", true },
		{ "[::1]:1", true },
		{ "10.1.2.3:1", true },
		{ "192.168.0.1:1", true },
		{ "[fd00::1]:1", true },
		{ "0.0.0.0:1", false },
		{ "[::]:1", false },
		{ "8.8.8.8:1", false },
		{ "[2a00::1]:1", false },
	};
	char want[300];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cr_expect_eq(PARSE(BASE, "--component-listen", rows[i].addr),
			rows[i].ok ? CONFIG_RUN : CONFIG_ERROR, "%s", rows[i].addr);
		snprintf(want, sizeof(want),
			"sluice: --component-listen '%s': strangers could reach "
			"it and component logins are not encrypted: use a loopback or private "
			"address, or say --backend-public\n",
			rows[i].addr);
		cr_expect_str_eq(err_text, rows[i].ok ? "" : want);
		config_free(&c);
		cr_expect_eq(PARSE(BASE, "--component-listen", rows[i].addr, "--backend-public"),
			CONFIG_RUN, "%s", rows[i].addr);
		config_free(&c);
	}
}

/* -- the file -- */

Test(config, file_and_command_line)
{
	const char *path = scratch_file("c",
		"# a comment\n"
		"routes /etc/my routes  # with a blank\n"
		"\ttls\toff\r\n"
		"\n"
		"listen 127.0.0.1:1\n"
		"listen 127.0.0.1:2\n"
		"dns 127.0.0.1\n"
		"dns 127.0.0.2\n"
		"component-listen 0.0.0.0:5347\n"
		"backend-public\n"
		"peer a.test=192.0.2.1:1\n"
		"drain-ms 7\n"
		"log-level debug",
		0644);

	cr_assert_eq(PARSE("--config", path), CONFIG_RUN, "%s", err_text);
	cr_expect_str_eq(c.routes, "/etc/my routes");
	cr_expect_eq(c.n_listen, 2, "the default is replaced, not added to");
	cr_expect_eq(c.n_dns, 2);
	cr_expect(c.backend_public);
	cr_expect_eq(c.drain_ms, 7);
	cr_expect_eq(c.log_level, LOG_DEBUG, "a last line without a newline");
	config_free(&c);

	/* The command line wins wherever --config stands; lists are replaced as a whole. */
	cr_assert_eq(PARSE("--listen", "127.0.0.1:3", "--drain-ms=8", "--peer=b.test=192.0.2.1:1",
			     "--config", path, "--component-listen=10.0.0.1:1",
			     "--backend-public=no"),
		CONFIG_RUN, "%s", err_text);
	cr_assert_eq(c.n_listen, 1);
	expect_addr(&c.listen[0], "127.0.0.1:3");
	cr_assert_eq(c.n_component_listen, 1);
	expect_addr(&c.component_listen[0], "10.0.0.1:1");
	cr_expect_not(c.backend_public);
	cr_assert_eq(c.n_peer, 1);
	cr_expect_str_eq(c.peer[0].domain, "b.test");
	cr_expect_eq(c.drain_ms, 8);
	cr_expect_eq(c.n_dns, 2, "what the command line does not name comes from the file");
	config_free(&c);
}

static const struct {
	const char *text;
	const char *err; /* behind "sluice: PATH" */
} bad_files[] = {
	{ "routes r\n\nlissen ::1\n", ":3: 'lissen' is no flag; did you mean listen?\n" },
	{ "--listen [::1]:1\n", ":1: '--listen' is no flag; did you mean listen?\n" },
	{ "listen=[::1]:1\n", ":1: 'listen=[::1]:1' is no flag; did you mean listen?\n" },
	{ "foo\n", ":1: 'foo' is no flag; sluice --help lists them all\n" },
	{ "# x\nmax-stanza 5\n", ":2: max-stanza '5': allowed: 10000 to 64M bytes\n" },
	{ "routes # none\n", ":1: routes: needs a value: a path\n" },
	{ "drain-ms 1\nname a.test\ndrain-ms 1\n", ":3: drain-ms '1': set on line 1 already\n" },
	{ "config other\n", ":1: config: may stand on the command line only\n" },
	{ "help\n", ":1: help: may stand on the command line only\n" },
	{ "version\n", ":1: version: may stand on the command line only\n" },
	{ "check\n", ":1: check: may stand on the command line only\n" },
	{ "\ncomponent-listen 127.0.0.1:1\ncomponent-listen [::]:5347\n",
		":3: component-listen '[::]:5347': strangers could reach it and component logins are "
		"not encrypted: use a loopback or private address, or say --backend-public\n" },
	{ "queue-bytes 64K\n",
		":1: queue-bytes '64K': less than --max-stanza: a stanza of that "
		"size could never leave\n" },
};

Test(config, bad_files)
{
	char want[400];

	for (size_t i = 0; i < ARRAY_LEN(bad_files); i++) {
		const char *path = scratch_file("bad", bad_files[i].text, 0644);

		snprintf(want, sizeof(want), "sluice: %s%s", path, bad_files[i].err);
		cr_expect_eq(PARSE(BASE, "--config", path), CONFIG_ERROR, "%s", bad_files[i].text);
		cr_expect_str_eq(err_text, want);
	}
}

/* A bad line is an error even where the command line wins. */
Test(config, overridden_lines_are_checked)
{
	const char *path = scratch_file("c", "max-stanza 5\n", 0644);

	cr_expect_eq(PARSE(BASE, "--max-stanza", "20000", "--config", path), CONFIG_ERROR);
}

Test(config, unreadable_files)
{
	static char long_line[LIMIT_CONFIG_LINE + 2];
	char want[300];
	const char *path = scratch_path("missing");

	cr_expect_eq(PARSE(BASE, "--config", path), CONFIG_ERROR);
	snprintf(want, sizeof(want), "sluice: --config %s: No such file or directory\n", path);
	cr_expect_str_eq(err_text, want);
	cr_expect_eq(PARSE(BASE, "--config", "/"), CONFIG_ERROR);
	cr_expect_str_eq(err_text, "sluice: --config /: Is a directory\n");
	cr_expect_eq(PARSE(BASE, "--config", "/dev/null"), CONFIG_ERROR);
	cr_expect_str_eq(err_text, "sluice: --config /dev/null: is no regular file\n");
	path = scratch_file("latin1",
		"routes r\nname b\xfc"
		"cher.test\n",
		0644);
	cr_expect_eq(PARSE(BASE, "--config", path), CONFIG_ERROR);
	snprintf(want, sizeof(want),
		"sluice: %s:2: the line is not UTF-8: save the file as UTF-8\n", path);
	cr_expect_str_eq(err_text, want);

	path = scratch_bytes("nul", "tls off\nroutes a\0b\n", 19, 0644);
	cr_expect_eq(PARSE(BASE, "--config", path), CONFIG_ERROR);
	snprintf(want, sizeof(want),
		"sluice: %s:2: the line holds a NUL byte: is this a text file?\n", path);
	cr_expect_str_eq(err_text, want);

	memset(long_line, '#', sizeof(long_line));
	long_line[LIMIT_CONFIG_LINE] = '\n';
	path = scratch_bytes("long", long_line, LIMIT_CONFIG_LINE + 1, 0644);
	cr_expect_eq(PARSE(BASE, "--config", path), CONFIG_RUN, "%s", err_text);
	config_free(&c);
	memset(long_line, '#', sizeof(long_line));
	path = scratch_bytes("longer", long_line, LIMIT_CONFIG_LINE + 1, 0644);
	cr_expect_eq(PARSE(BASE, "--config", path), CONFIG_ERROR);
	snprintf(want, sizeof(want), "sluice: %s:1: the line is longer than 4096 bytes\n", path);
	cr_expect_str_eq(err_text, want);
}

/* -- the manual -- */

#define BEGIN "<!-- flags: written by config_markdown(), do not edit -->\n"
#define END "<!-- flags: end -->\n"

static const char *manual_path(void)
{
	static char path[512];
	const char *tests = strstr(__FILE__, "tests/unit/core/");

	snprintf(path, sizeof(path), "%.*sdocs/configuration.md", (int)(tests - __FILE__),
		__FILE__);
	return access(path, F_OK) == 0 ? path : "docs/configuration.md";
}

/* SLUICE_UPDATE_DOCS=1 in the environment writes the part anew. */
Test(config, manual_is_up_to_date)
{
	char *generated, *manual = scratch_read(manual_path());
	char *begin = strstr(manual, BEGIN), *end = strstr(manual, END);
	size_t len;
	FILE *f = open_memstream(&generated, &len);

	config_markdown(f);
	fclose(f);
	cr_assert(begin && end, "%s lacks its markers", manual_path());
	begin += strlen(BEGIN);
	if (getenv("SLUICE_UPDATE_DOCS")) {
		f = fopen(manual_path(), "we");
		cr_assert(f);
		fprintf(f, "%.*s%s%s", (int)(begin - manual), manual, generated, end);
		fclose(f);
	} else {
		cr_expect(len == (size_t)(end - begin) && memcmp(begin, generated, len) == 0,
			"%s is stale: run this test once with SLUICE_UPDATE_DOCS=1", manual_path());
	}
	free(generated);
	free(manual);
}
