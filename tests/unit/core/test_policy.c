/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/policy.h"

#include <criterion/criterion.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "scratch.h"

static char why[512];
static struct policy *p;

static void fini(void)
{
	policy_free(p);
	scratch_close();
}

/* TLS_OFF without certificates, the others with them. */
static struct policy *try_load(const char *path, enum tls_policy tls)
{
	struct config c = { .policy = (char *)(uintptr_t)path, .tls = tls };

	if (tls != TLS_OFF)
		c.cert_dir = (char *)(uintptr_t) "certs";
	return policy_load(&c, why);
}

TestSuite(policy, .init = scratch_open, .fini = fini);

static void load(const char *text)
{
	p = try_load(scratch_file("policy", text, 0644), TLS_OFF);
	cr_assert(p, "%s", why);
}

/* "block strong tls", with what does not hold left out. */
static const char *words(struct policy_rule rule)
{
	static char out[40];
	static const char *const tls[] = { "required", "optional", "off" };

	snprintf(out, sizeof(out), "%s%s%s", rule.block ? "block " : "",
		rule.require_strong ? "strong " : "", tls[rule.tls]);
	return out;
}

static const char *peer(const char *domain)
{
	return words(policy_peer(p, span_str(domain)));
}

static const char *host(const char *domain)
{
	return words(policy_host(p, span_str(domain)));
}

Test(policy, without_a_file)
{
	p = try_load(NULL, TLS_REQUIRED);
	cr_expect_str_eq(peer("a.test"), "required");
	cr_expect_str_eq(host("a.test"), "required");
	policy_free(p);
	p = try_load(NULL, TLS_OFF);
	cr_expect_str_eq(peer("a.test"), "off");
	cr_expect_str_eq(words(policy_peer(p, SPAN_NONE)), "off");
}

Test(policy, most_specific_entry)
{
	static const char *const rows[][2] = {
		{ "evil.test", "block off" },
		{ "a.evil.test", "strong off" },
		{ "b.a.evil.test", "strong off" },
		{ "good.evil.test", "off" },
		{ "x.good.evil.test", "strong off" },
		{ "fine.test", "block off" },
		{ "test", "off" },
		{ "other.example", "off" },
		{ "evil.tes", "off" },
		{ "notevil.test", "block off" },
	};

	load("# most specific last\n"
	     "peer *.test block\n"
	     "peer *.EVIL.test require-strong\n"
	     "peer evil.test. block tls=off\n"
	     "peer good.evil.test tls=off   # nothing of the wildcard's\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_str_eq(peer(rows[i][0]), rows[i][1], "%s", rows[i][0]);
	cr_expect_str_eq(host("evil.test"), "off", "rules for peers are not for hosts");
}

Test(policy, peers_and_hosts_are_apart)
{
	load("host shop.test block\npeer shop.test require-strong\n");
	cr_expect_str_eq(host("shop.test"), "block off");
	cr_expect_str_eq(peer("shop.test"), "strong off");
}

Test(policy, default_fills_in)
{
	p = try_load(scratch_file("policy",
			     "default require-strong tls=off\n"
			     "peer evil.test block\nhost shop.test tls=optional\n",
			     0644),
		TLS_REQUIRED);
	cr_assert(p, "%s", why);
	cr_expect_str_eq(peer("a.test"), "strong off", "tls= of default wins over --tls");
	cr_expect_str_eq(peer("evil.test"), "block strong off");
	cr_expect_str_eq(host("shop.test"), "strong optional");
}

Test(policy, a_pair)
{
	static const char *const rows[][3] = {
		{ "any.test", "any.shop.test", "required" },
		{ "old.test", "any.shop.test", "optional" }, /* its own rule, not the flag */
		{ "any.test", "open.shop.test", "off" },
		{ "old.test", "open.shop.test", "optional" }, /* the stricter of two */
		{ "old.test", "bank.shop.test", "strong required" },
		{ "evil.test", "any.shop.test", "block required" },
		{ "any.test", "bank.shop.test", "strong required" },
	};

	p = try_load(scratch_file("policy",
			     "peer old.test tls=optional\npeer evil.test block\n"
			     "host open.shop.test tls=off\n"
			     "host bank.shop.test tls=required require-strong\n",
			     0644),
		TLS_REQUIRED);
	cr_assert(p, "%s", why);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy_rule r = policy_pair(p, span_str(rows[i][0]), span_str(rows[i][1]));

		cr_expect_str_eq(words(r), rows[i][2], "%s -> %s", rows[i][0], rows[i][1]);
	}
}

Test(policy, many)
{
	size_t len;
	char *text, name[64];
	FILE *f = open_memstream(&text, &len);

	for (unsigned i = 0; i < 2000; i++)
		fprintf(f, "peer %sd%u.test block\n", i % 2 ? "*." : "", (i * 7919) % 2000);
	fclose(f);
	load(text);
	free(text);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "%sd%u.test", i % 2 ? "a." : "", (i * 7919) % 2000);
		cr_expect(policy_peer(p, span_str(name)).block, "%s", name);
		snprintf(name, sizeof(name), "%sd%u.test", i % 2 ? "" : "a.", (i * 7919) % 2000);
		cr_expect_not(policy_peer(p, span_str(name)).block, "%s", name);
	}
}

/* Behind the path of the policy. */
static const struct {
	const char *text, *why;
} bad[] = {
	{ "pear a.test block\n", ":1: 'pear': a line begins with peer, host or default" },
	{ "\n#\npeer\n", ":3: '' is no domain; peer DOMAIN RULE..." },
	{ "host a..b block\n", ":1: 'a..b' is no domain; host DOMAIN RULE..." },
	{ "peer * block\n", ":1: '*' is no domain; peer DOMAIN RULE..." },
	{ "peer a.test\n",
		":1: a rule is missing: block, tls=required|optional|off, "
		"require-strong or pin-auth=off|warn|enforce" },
	{ "default # nothing\n",
		":1: a rule is missing: block, tls=required|optional|off, "
		"require-strong or pin-auth=off|warn|enforce" },
	{ "peer a.test blocked\n",
		":1: 'blocked' is no rule: block, tls=required|optional|off, "
		"require-strong or pin-auth=off|warn|enforce" },
	{ "peer a.test tls\n",
		":1: 'tls' is no rule: block, tls=required|optional|off, "
		"require-strong or pin-auth=off|warn|enforce" },
	{ "peer a.test tls=maybe\n", ":1: tls=maybe: allowed: required, optional or off" },
	{ "peer a.test tls=\n", ":1: tls=: allowed: required, optional or off" },
	{ "peer a.test pin-auth=on\n", ":1: pin-auth=on: allowed: off, warn or enforce" },
	{ "peer a.test pin-auth=\n", ":1: pin-auth=: allowed: off, warn or enforce" },
	{ "peer a.test pin-auth=off block pin-auth=off\n", ":1: pin-auth= is given twice" },
	{ "#\nhost a.test pin-auth=warn\n",
		":2: pin-auth= is about other servers' domains: peer DOMAIN, or default" },
	{ "peer a.test tls=off tls=off\n", ":1: tls= is given twice" },
	{ "#\npeer a.test tls=required\n",
		":2: tls=required: TLS needs certificates: name their directory with "
		"--cert-dir, or say --tls off, and streams are in clear text" },
	{ "default tls=optional\n",
		":1: tls=optional: TLS needs certificates: name their directory with "
		"--cert-dir, or say --tls off, and streams are in clear text" },
	{ "default require-strong\npeer a.test block\ndefault tls=off\n",
		":3: default stands on line 1 already" },
	{ "default block\n",
		":1: default cannot block: it would shut out every domain, hosted ones "
		"too, and no rule opens one again; name the domains to block" },
	{ "peer a.test block\nhost a.test block\npeer b.test block\npeer A.test. block\n",
		":4: peer a.test stands on line 1 already" },
	{ "peer a.test block\npeer a.test require-strong\n",
		":2: peer a.test stands on line 1 already" },
	{ "Peer a.test block\n", ":1: 'Peer': a line begins with peer, host or default" },
	{ "peer a.test tls=off tls=required\n", ":1: tls= is given twice" },
	{ "peer b\xfc"
	  "cher.test block\n",
		":1: the line is not UTF-8: save the file as UTF-8" },
	{ "peer a.test block\x1b\n", ":1: the line holds a control character (0x1b)" },
	{ "peer a.test block\npeer b.tes",
		":2: a rule is missing: block, tls=required|optional|off, "
		"require-strong or pin-auth=off|warn|enforce" },
	{ "host *.a.test block\nhost *.A.test block\n",
		":2: host *.a.test stands on line 1 already" },
};

Test(policy, bad_lines)
{
	char want[600];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *path = scratch_file("policy", bad[i].text, 0644);

		cr_expect_null(try_load(path, TLS_OFF));
		snprintf(want, sizeof(want), "%s%s", path, bad[i].why);
		cr_expect_str_eq(why, want);
	}
}

Test(policy, missing_file)
{
	char want[200];
	const char *path = scratch_path("missing");

	cr_expect_null(try_load(path, TLS_OFF));
	snprintf(want, sizeof(want), "%s: No such file or directory", path);
	cr_expect_str_eq(why, want);
}

static void refuses(const char *path, const char *text)
{
	char want[200];

	cr_expect_null(try_load(path, TLS_OFF));
	snprintf(want, sizeof(want), "%s%s", path, text);
	cr_expect_str_eq(why, want);
}

Test(policy, bad_files)
{
	static char line[LIMIT_CONFIG_LINE + 2];

	refuses("/", ": Is a directory");
	refuses("/dev/null", ": is no regular file");
	refuses(scratch_bytes("policy", "#\npeer a.te\0st block\n", 21, 0644),
		":2: the line holds a NUL byte: is this a text file?");
	memset(line, '#', LIMIT_CONFIG_LINE + 1);
	refuses(scratch_file("policy", line, 0644), ":1: the line is longer than 4096 bytes");
}

static enum pin_auth pin_auth(const char *domain)
{
	return policy_peer(p, span_str(domain)).pin_auth;
}

Test(policy, T_Z15_T_Z16_single_domains)
{
	struct config c = { .tls = TLS_OFF, .pin_auth = PIN_AUTH_WARN };

	p = policy_load(&c, why);
	cr_expect_eq(pin_auth("a.test"), PIN_AUTH_WARN, "the flag's");
	policy_free(p);
	c.policy = (char *)(uintptr_t)scratch_file("policy",
		"peer strict.test pin-auth=enforce\n"
		"peer *.lax.test require-strong pin-auth=off\n"
		"peer other.test block\n",
		0644);
	p = policy_load(&c, why);
	cr_assert(p, "%s", why);
	cr_expect_eq(pin_auth("strict.test"), PIN_AUTH_ENFORCE);
	cr_expect_eq(pin_auth("a.lax.test"), PIN_AUTH_OFF);
	cr_expect_eq(pin_auth("lax.test"), PIN_AUTH_WARN);
	cr_expect_eq(pin_auth("other.test"), PIN_AUTH_WARN);
	cr_expect(policy_peer(p, SPAN_LIT("a.lax.test")).require_strong);
	policy_free(p);
	load("default pin-auth=enforce\npeer a.test pin-auth=warn\n");
	cr_expect_eq(pin_auth("a.test"), PIN_AUTH_WARN, "unlike require-strong it is taken back");
	cr_expect_eq(pin_auth("b.test"), PIN_AUTH_ENFORCE);
}

Test(policy, nothing_in_it_is_no_rule)
{
	load("");
	cr_expect_str_eq(peer("a.test"), "off");
	policy_free(p);
	load("\n# later\n");
	cr_expect_str_eq(host("a.test"), "off");
}

Test(policy, last_line_without_a_newline)
{
	load("peer a.test block\npeer b.test block");
	cr_expect_str_eq(peer("b.test"), "block off");
}
