/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/registry.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "scratch.h"

static char why[512];
static struct registry *r;

/* A secret named "s" stands beside every registry. */
static void init(void)
{
	scratch_open();
	scratch_file("s", "  opensesame\t\r\nsecond line\n", 0600);
	r = NULL;
}

static void fini(void)
{
	registry_free(r);
	scratch_close();
}

TestSuite(registry, .init = init, .fini = fini);

static void load(const char *text)
{
	strcpy(why, "untouched");
	r = registry_load(scratch_file("routes", text, 0644), why);
	cr_assert(r, "%s", why);
}

static const struct host *find(const char *domain)
{
	return registry_find(r, span_str(domain));
}

static const char *backend_of(const char *domain)
{
	const struct host *h = find(domain);

	return !h ? "none" : h->kind == HOST_GONE ? "gone" : h->backend->name;
}

/* -- good -- */

Test(registry, empty)
{
	load("");
	cr_expect_eq(registry_backends(r), 0);
	cr_expect_eq(registry_hosts(r), 0);
	cr_expect_null(find("a.test"));
	cr_expect_null(registry_find(r, SPAN_NONE));
	cr_expect_null(registry_backend_named(r, "gw"));
}

Test(registry, every_kind_of_line)
{
	load("# hosted here\n"
	     "Shop.Hosted.test.\tgw\n" /* above the definition, not canonical */
	     "backend gw component secret-file=s from=10.0.0.0/8,192.0.2.7  # comment\n"
	     "\n"
	     "backend b-2_x.Y component secret-file=s\r\n"
	     "xn--bcher-kva.hosted.test b-2_x.Y\n"
	     "*.wild.test gw\n"
	     "old.test gone\n"
	     "*.old.test gone");
	cr_expect_eq(registry_backends(r), 2);
	cr_expect_eq(registry_hosts(r), 5);
	cr_expect_str_eq(backend_of("shop.hosted.test"), "gw");
	cr_expect_str_eq(backend_of("b\xc3\xbc"
				    "cher.hosted.test"),
		"b-2_x.Y");
	cr_expect_str_eq(backend_of("a.wild.test"), "gw");
	cr_expect_str_eq(backend_of("old.test"), "gone");
	cr_expect_str_eq(backend_of("x.old.test"), "gone");
	cr_expect_null(find("old.test")->backend);
	cr_expect_str_eq(backend_of("hosted.test"), "none");
	cr_expect_str_eq(why, "untouched");
}

Test(registry, backends)
{
	const struct backend *b;

	load("backend gw component from=10.0.0.0/8,192.0.2.7 secret-file=s\n"
	     "backend other component secret-file=s\n");
	b = registry_backend_named(r, "gw");
	cr_assert(b);
	cr_expect_eq(b, registry_backend(r, 0));
	cr_expect_str_eq(b->name, "gw");
	cr_expect_eq(b->link, LINK_COMPONENT);
	cr_expect_str_eq(b->secret, "opensesame", "the first line, trimmed");
	cr_expect_eq(b->n_from, 2);
	cr_expect_eq(b->index, 0);
	cr_expect_eq(b->line, 1);
	b = registry_backend_named(r, "other");
	cr_assert(b);
	cr_expect_eq(b->index, 1);
	cr_expect_eq(b->line, 2);
	cr_expect_eq(b->n_from, 0);
	cr_expect_null(registry_backend_named(r, "GW"), "names are compared as they are");
}

Test(registry, exact_wins_over_wildcard_and_long_over_short)
{
	static const char *const rows[][2] = {
		{ "shop.test", "exact" },
		{ "a.shop.test", "long" },
		{ "b.a.shop.test", "long" },
		{ "x.a.shop.test", "exact" },
		{ "bank.test", "short" },
		{ "test", "none" },
		{ "ashop.test", "short" },
		{ "a.b.c.d.e.f.test", "short" },
		{ "test.other", "none" },
	};

	load("backend exact component secret-file=s\n"
	     "backend long component secret-file=s\n"
	     "backend short component secret-file=s\n"
	     "*.test short\n*.shop.test long\nshop.test exact\nx.a.shop.test exact\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_str_eq(backend_of(rows[i][0]), rows[i][1], "%s", rows[i][0]);
	cr_expect_not(find("shop.test")->wildcard);
	cr_expect(find("a.shop.test")->wildcard);
	cr_expect_null(find(".test"));
	cr_expect_null(find(".shop.test"), "no name of ours, though it is a key of the table");
}

Test(registry, a_wildcard_is_not_its_own_domain)
{
	load("backend gw component secret-file=s\n*.shop.test gw\n");
	cr_expect_null(find("shop.test"));
}

Test(registry, secret_paths)
{
	char text[600];

	/* As the name of a file in the folder from which the program runs. */
	load("backend gw component secret-file=./s\n");
	registry_free(r);
	r = NULL;
	snprintf(text, sizeof(text), "backend gw component secret-file=%s\n", scratch_path("s"));
	load(text);
	registry_free(r);
	cr_assert_eq(chdir(scratch_path("")), 0);
	r = registry_load("routes", why);
	cr_expect(r, "%s", why);
}

Test(registry, longest_secret)
{
	char secret[LIMIT_SECRET + 2];

	memset(secret, 'x', sizeof(secret));
	secret[LIMIT_SECRET] = '\0';
	scratch_file("s", secret, 0400);
	load("backend gw component secret-file=s\n");
	cr_expect_str_eq(registry_backend(r, 0)->secret, secret);
}

/* As a generator that was interrupted leaves it: what is there counts, if it is whole. */
Test(registry, without_a_final_newline)
{
	load("backend gw component secret-file=s\na.test gw");
	cr_expect_str_eq(backend_of("a.test"), "gw");
	cr_expect_null(registry_load(scratch_file("routes", "a.test gone\nb.tes", 0644), why));
	cr_expect(strstr(why, ":2: behind b.tes the name of its backend is missing"), "%s", why);
}

Test(registry, longest_line)
{
	static char line[LIMIT_CONFIG_LINE + 2];

	memset(line, ' ', sizeof(line));
	memcpy(line, "a.test gone", 11);
	line[LIMIT_CONFIG_LINE] = '\n';
	line[LIMIT_CONFIG_LINE + 1] = '\0';
	load(line);
	cr_expect_str_eq(backend_of("a.test"), "gone");
}

static const char *hosted_name(char *name, size_t size, unsigned i, const char *subdomain)
{
	snprintf(name, size, "%sd%u.hosted.test", i % 10 ? "" : subdomain, i);
	return name;
}

/* Processor time of the load. */
static double load_many(unsigned n)
{
	double began;
	size_t len;
	char *text, name[64];
	const char *path;
	FILE *f = open_memstream(&text, &len);

	fputs("backend gw component secret-file=s\n", f);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s gw\n", hosted_name(name, sizeof(name), i, "*."));
	fclose(f);
	path = scratch_bytes("routes", text, len, 0644);
	free(text);
	registry_free(r);
	began = (double)clock();
	r = registry_load(path, why);
	cr_assert(r, "%s", why);
	return ((double)clock() - began) / CLOCKS_PER_SEC;
}

Test(registry, hundred_thousand_domains)
{
	const unsigned n = 100000;
	char name[64];

	load_many(n);
	cr_expect_eq(registry_hosts(r), n);
	for (unsigned i = 0; i < n; i++) {
		hosted_name(name, sizeof(name), i, "a.");
		cr_assert(find(name), "%s", name);
		cr_assert_eq(find(name)->wildcard, i % 10 == 0);
	}
	cr_expect_null(find("d100000.hosted.test"));
}

/* By comparison with itself, however slow the machine and the build: eight times as many would take
 * 64 times as long if each line were compared with all before it. */
Test(registry, the_cost_of_a_line_does_not_grow)
{
	double few, many;

	load_many(12500);
	few = load_many(12500);
	many = load_many(100000);
	cr_expect_lt(many, 8 * 4 * few + 0.1, "%f s, then %f s", few, many);
}

/* -- bad -- */

/* Behind the path of the registry. */
static const struct {
	const char *text, *why;
} bad[] = {
	{ "backend\n",
		":1: a backend needs a name and a link: backend NAME component secret-file=FILE" },
	{ "\n\nbackend gw\n",
		":3: a backend needs a name and a link: backend NAME component secret-file=FILE" },
	{ "backend gw component\n", ":1: backend gw: secret-file= is missing" },
	{ "backend gone component secret-file=s\n",
		":1: 'gone' is no name for a backend: letters, "
		"digits, '.', '_' and '-', at most 63, and not 'gone'" },
	{ "backend -x component secret-file=s\n",
		":1: '-x' is no name for a backend: letters, "
		"digits, '.', '_' and '-', at most 63, and not 'gone'" },
	{ "backend a/b component secret-file=s\n",
		":1: 'a/b' is no name for a backend: letters, "
		"digits, '.', '_' and '-', at most 63, and not 'gone'" },
	{ "backend gw component secret-file=s\n#\nbackend gw component secret-file=s\n",
		":3: backend gw is defined on line 1 already" },
	{ "backend gw http secret-file=s\n",
		":1: 'http' is no link: component, s2s:ADDR:PORT or inject:ADDR:PORT" },
	{ "backend gw components secret-file=s\n",
		":1: 'components' is no link: component, s2s:ADDR:PORT or inject:ADDR:PORT" },
	{ "backend gw component:10.0.0.1:5347 secret-file=s\n",
		":1: a component link has no address: "
		"the backend logs in at --component-listen" },
	{ "backend gw component secret-file\n",
		":1: secret-file= needs a value, without white space around '='" },
	{ "backend gw component secret-file= s\n",
		":1: secret-file= needs a value, without white space around '='" },
	{ "backend gw component secret-file=s secret-file=s\n", ":1: secret-file= is given twice" },
	{ "backend gw component secret-file=s port=1\n",
		":1: 'port=1' is no option of this link; it has from=, secret-file=" },
	{ "backend gw component secret-file=s as=x.test\n",
		":1: 'as=x.test' is no option of this link; it has from=, secret-file=" },
	{ "backend gw component secret-file=s from=10.0.0.1,,10.0.0.2\n",
		":1: from=: '' is no address such as 10.0.0.2, 10.0.0.0/8 or fd00::/8" },
	{ "backend gw component secret-file=s from=10.0.0.1,\n",
		":1: from=: '' is no address such as 10.0.0.2, 10.0.0.0/8 or fd00::/8" },
	{ "backend gw component secret-file=s from=gw.test\n",
		":1: from=: 'gw.test' is no address such as 10.0.0.2, 10.0.0.0/8 or fd00::/8" },
	{ "# x\nbackend p s2s:10.0.0.11:5269 from=10.0.0.11\n",
		":2: backend p: s2s links are not in this build yet: only component links work" },
	{ "backend p s2s:[fd00::1]\n",
		":1: backend p: s2s links are not in this build yet: only component links work" },
	{ "backend e inject:10.0.0.12:5347 as=s2s-in.internal secret-file=s from=10.0.0.12\n",
		":1: backend e: inject links are not in this build yet: only component links work" },
	{ "backend e inject:10.0.0.12:5347 secret-file=s\n", ":1: backend e: as= is missing" },
	{ "backend e inject:10.0.0.12:5347 as=x.test\n", ":1: backend e: secret-file= is missing" },
	{ "backend e inject:10.0.0.12:5347 as=a..b secret-file=s\n",
		":1: as=: 'a..b' is no domain" },
	{ "backend p s2s\n",
		":1: 's2s': an address such as 10.0.0.2:5269 or [fd00::2]:5269 must stand "
		"behind the colon" },
	{ "backend p inject:host:1 as=x secret-file=s\n",
		":1: 'inject:host:1': an address such as "
		"10.0.0.2:5269 or [fd00::2]:5269 must stand behind the colon" },
	{ "backend p s2s:10.0.0.1:1 secret-file=s\n",
		":1: 'secret-file=s' is no option of this link; it has from=" },
	{ "a.test\n", ":1: behind a.test the name of its backend is missing, or 'gone'" },
	{ "a.test gw\n\nbackend gv component secret-file=s\n",
		":1: there is no backend 'gw' in this file" },
	{ "a.test gone now\n", ":1: 'now': nothing may follow the name of the backend" },
	{ "a.test gone\nb.test gone\n\nA.TEST. gone\n", ":4: A.TEST. stands on line 1 already" },
	{ "*.a.test gone\n*.A.test gone\n", ":2: *.A.test stands on line 1 already" },
	{ "a..test gone\n", ":1: 'a..test' is no domain" },
	{ "* gone\n", ":1: '*' is no domain" },
	{ "a.*.test gone\n", ":1: 'a.*.test' is no domain" },
	{ "*.*.test gone\n", ":1: '*.*.test' is no domain" },
	{ "10.0.0.1 gone\n", ":1: '10.0.0.1' is no domain" },
	{ "user@a.test gone\n", ":1: 'user@a.test' is no domain" },
	{ "https://a.test/ gone\n", ":1: 'https://a.test/' is no domain" },
	{ "-a.test gone\n", ":1: '-a.test' is no domain" },
	{ "gone\n", ":1: behind gone the name of its backend is missing, or 'gone'" },
	{ "Backend gw component secret-file=s\n",
		":1: 'component secret-file=s': nothing may follow the name of the backend" },
	{ "backend gw component secret-file=s\na.test gw\na.test gone\n",
		":3: a.test stands on line 2 already" },
	{ "backend gw component secret-file=s\nb\xc3\xbc"
	  "cher.test gw\nxn--bcher-kva.test gw\n",
		":3: xn--bcher-kva.test stands on line 2 already" },
	{ "b\xfc"
	  "cher.test gone\n",
		":1: the line is not UTF-8: save the file as UTF-8" },
	{ "backend gw component secret-file=\n",
		":1: secret-file= needs a value, without white space around '='" },
	{ "backend gw component secret-file=s from=10.0.0.0/33\n",
		":1: from=: '10.0.0.0/33' is no address such as 10.0.0.2, 10.0.0.0/8 or fd00::/8" },
	{ "backend p s2s:10.0.0.1:99999\n",
		":1: 's2s:10.0.0.1:99999': an address such as 10.0.0.2:5269 or [fd00::2]:5269 must "
		"stand behind the colon" },
};

static void expect_refused(const char *path, const char *text)
{
	char want[600];

	cr_expect_null(registry_load(path, why));
	snprintf(want, sizeof(want), "%s%s", path, text);
	cr_expect_str_eq(why, want);
}

Test(registry, bad_lines)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect_refused(scratch_file("routes", bad[i].text, 0644), bad[i].why);
}

Test(registry, names_have_a_length)
{
	char text[200] = "backend ", *name = text + 8;

	memset(name, 'n', 63);
	strcpy(name + 63, " component secret-file=s\n");
	load(text);
	memset(name, 'n', 64);
	strcpy(name + 64, " component secret-file=s\n");
	cr_expect_null(registry_load(scratch_file("routes", text, 0644), why));
	cr_expect(strstr(why, ":1: 'nnnn"), "%s", why);
}

Test(registry, bad_files)
{
	static char line[LIMIT_CONFIG_LINE + 2];

	expect_refused(scratch_path("missing"), ": No such file or directory");
	expect_refused("/", ": Is a directory");
	expect_refused("/dev/null", ": is no regular file");
	expect_refused(scratch_bytes("routes", "a.test gone\nb.te\0st gone\n", 25, 0644),
		":2: the line holds a NUL byte: is this a text file?");
	memset(line, '#', LIMIT_CONFIG_LINE + 1);
	expect_refused(scratch_file("routes", line, 0644),
		":1: the line is longer than 4096 bytes");
}

/* What the message says of the secret file, in which %s is its path. */
static void expect_secret_refused(const char *text)
{
	const char *path = scratch_file("routes", "#\nbackend gw component secret-file=s\n", 0644);
	char detail[400], want[600];

	snprintf(detail, sizeof(detail), text, scratch_path("s"));
	snprintf(want, sizeof(want), ":2: %s", detail);
	expect_refused(path, want);
}

Test(registry, bad_secrets)
{
	static const unsigned modes[] = { 0640, 0604, 0620, 0602, 0610, 0601, 0777 };
	char secret[LIMIT_SECRET + 2], text[100];

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		scratch_file("s", "x\n", modes[i]);
		snprintf(text, sizeof(text),
			"%%s: others than its owner have access (mode %04o): chmod 600 it",
			modes[i]);
		expect_secret_refused(text);
	}
	memset(secret, 'x', sizeof(secret));
	secret[LIMIT_SECRET + 1] = '\0';
	scratch_file("s", secret, 0600);
	expect_secret_refused("%s: its first line must be the secret, 1 to 512 bytes");
	scratch_file("s", "", 0600);
	expect_secret_refused("%s: its first line must be the secret, 1 to 512 bytes");
	scratch_file("s", " \nx\n", 0600);
	expect_secret_refused("%s: its first line must be the secret, 1 to 512 bytes");
	scratch_bytes("s", "a\0b", 3, 0600);
	expect_secret_refused("%s: holds a NUL byte");
	cr_assert_eq(remove(scratch_path("s")), 0);
	expect_secret_refused("%s: No such file or directory");
	cr_assert_eq(mkfifo(scratch_path("s"), 0600), 0);
	expect_secret_refused("%s: is no regular file");
	cr_assert_eq(remove(scratch_path("s")), 0);
	scratch_file("behind", "x\n", 0644);
	cr_assert_eq(symlink("behind", scratch_path("s")), 0);
	expect_secret_refused("%s: others than its owner have access (mode 0644): chmod 600 it");
	scratch_file("behind", "\xef\xbb\xbfx\n", 0600);
	expect_secret_refused("%s: begins with a byte order mark: save it without one");
	scratch_file("behind", "x\n", 0600);
	load("backend gw component secret-file=s\n");
	cr_expect_str_eq(registry_backend(r, 0)->secret, "x");
}

/* -- who may connect -- */

static bool admits(const struct backend *b, const char *from)
{
	struct addr a;

	cr_assert(addr_parse(span_str(from), 1, &a), "%s", from);
	return backend_admits(b, &a);
}

Test(registry, admits)
{
	struct backend s2s = { .link = LINK_S2S };
	const struct backend *b;

	load("backend named component secret-file=s from=192.0.2.7,fd00::/8\n"
	     "backend open component secret-file=s\n");
	b = registry_backend_named(r, "named");
	cr_expect(admits(b, "192.0.2.7:40000"));
	cr_expect(admits(b, "[::ffff:192.0.2.7]:1"), "IPv4-mapped is the IPv4 address");
	cr_expect(admits(b, "[fd12::1]:1"));
	cr_expect_not(admits(b, "192.0.2.8:1"));
	cr_expect_not(admits(b, "127.0.0.1:1"), "from= names all that may");
	b = registry_backend_named(r, "open");
	cr_expect(admits(b, "127.0.0.1:1"));
	cr_expect(admits(b, "[::1]:1"));
	cr_expect(admits(b, "10.1.2.3:1"));
	cr_expect(admits(b, "192.168.1.1:1"));
	cr_expect_not(admits(b, "8.8.8.8:1"));
	cr_expect_not(admits(b, "[2a00::1]:1"));
	cr_assert(addr_parse(SPAN_LIT("198.18.0.1:5269"), 0, &s2s.addr));
	cr_expect(admits(&s2s, "198.18.0.1:999"));
	cr_expect_not(admits(&s2s, "198.18.0.2:5269"));
}
