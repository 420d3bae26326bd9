/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <sys/resource.h>

#include "certs_dir.h"
#include "core/base/mem.h"
#include "net/certs_cache.h"

TestSuite(certs_cache, .timeout = 60, .init = certs_dir_open, .fini = certs_dir_close);

static struct certs_cache *cache_make(unsigned max)
{
	struct certs *s = certs_dir_load();
	struct certs_cache *c = certs_cache_new(s, max);

	certs_unref(s); /* the cache has its own reference */
	return c;
}

static int by_name(struct certs_cache *c, const char *name)
{
	return serial_of(certs_cache_by_name(c, span_str(name)));
}

static int by_domain(struct certs_cache *c, const char *domain)
{
	return serial_of(certs_cache_by_domain(c, span_str(domain)));
}

Test(certs_cache, each_domain_has_its_own)
{
	struct certs_cache *c;

	certs_dir_make("a.pem a.example *.a.example serial=1\n"
		       "b.pem b.a.example serial=2 at=beside key=rsa2048\n"
		       "c.pem xn--bcher-kva.example serial=3 key=ed25519\n");
	c = cache_make(0);
	cr_expect_eq(by_name(c, "A.Example"), 1);
	cr_expect_eq(by_name(c, "x.a.example"), 1);
	cr_expect_eq(by_name(c, "b.a.example"), 2);
	cr_expect_eq(by_name(c, "xn--bcher-kva.example"), 3);
	cr_expect_eq(by_name(c, "bücher.example"), 3);
	cr_expect_eq(by_domain(c, "bücher.example"), 3);
	cr_expect_eq(by_domain(c, "b.a.example"), 2);
	cr_expect_eq(by_domain(c, "_b.a.example"), 0);
	cr_expect_eq(by_domain(c, "example"), 0);
	cr_expect_eq(by_name(c, "other.example"), 0);
	cr_expect_eq(by_name(c, "\xff\xfe"), 0);
	cr_expect_eq(by_name(c, ""), 0);
	cr_expect_eq(certs_cache_stats(c)->loads, 3);
	certs_cache_free(c);
	certs_cache_free(NULL);
}

/* The one that was not asked for longest goes; connections that use it keep it. */
Test(certs_cache, it_is_bounded)
{
	const struct certs_cache_stats *stats;
	struct certs_cache *c;
	struct tls_cert *kept;

	certs_dir_make("a.pem a.example serial=1\n"
		       "b.pem b.example serial=2\n"
		       "c.pem c.example serial=3\n");
	c = cache_make(2);
	stats = certs_cache_stats(c);
	kept = tls_cert_ref(certs_cache_by_name(c, SPAN_LIT("b.example")));
	cr_expect_eq(by_name(c, "a.example"), 1);
	cr_expect_eq(stats->evicted, 0);
	cr_expect_eq(by_name(c, "c.example"), 3);
	cr_expect_eq(stats->evicted, 1);
	cr_expect_eq(by_name(c, "a.example"), 1);
	cr_expect_eq(stats->loads, 3);
	cr_expect_eq(by_name(c, "b.example"), 2);
	cr_expect_eq(stats->evicted, 2);
	cr_expect_eq(by_name(c, "a.example"), 1);
	cr_expect_eq(stats->loads, 4);
	certs_cache_free(c);
	cr_expect_eq(serial_of(kept), 2);
	tls_cert_unref(kept);
}

/* Between index and load: what is there now is used for what it covers, and for nothing else. */
Test(certs_cache, a_file_that_was_replaced)
{
	struct certs_cache *c;

	certs_dir_make("a.pem a.example b.example serial=1\n"
		       "d.pem d.example serial=4\n"
		       "w.pem x.w.example x.y.w.example serial=6\n");
	c = cache_make(0);
	certs_dir_make("a.pem a.example c.example serial=2\n"
		       "d.pem e.example serial=5\n"
		       "w.pem *.w.example serial=7\n");
	cr_expect_eq(by_name(c, "x.w.example"), 7);
	cr_expect_eq(by_name(c, "x.y.w.example"), 0);
	cr_expect_eq(by_name(c, "b.example"), 0);
	cr_expect_eq(by_name(c, "a.example"), 2);
	cr_expect_eq(by_name(c, "c.example"), 0, "it is not in the index yet");
	cr_expect_eq(by_name(c, "d.example"), 0);
	cr_expect_eq(by_name(c, "e.example"), 0);
	cr_expect_eq(certs_cache_stats(c)->loads, 3);
	certs_cache_free(c);

	c = cache_make(0);
	cr_expect_eq(by_name(c, "a.example"), 2);
	cr_expect_eq(by_name(c, "b.example"), 0);
	cr_expect_eq(by_name(c, "c.example"), 2);
	cr_expect_eq(by_name(c, "e.example"), 5);
	certs_cache_free(c);
}

/* What is loaded already stays as it is. */
Test(certs_cache, a_file_that_was_replaced_later)
{
	struct certs_cache *c;

	certs_dir_make("a.pem a.example serial=1\n");
	c = cache_make(0);
	cr_expect_eq(by_name(c, "a.example"), 1);
	certs_dir_make("a.pem b.example serial=2\n");
	cr_expect_eq(by_name(c, "a.example"), 1);
	certs_cache_free(c);
}

/* Each is read once, however often a peer asks, and harms no other. */
Test(certs_cache, files_that_broke_since)
{
	struct certs_cache *c;

	certs_dir_make("a.pem a.example\nb.pem b.example serial=2\nc.pem c.example\n"
		       "d.pem d.example\n");
	c = cache_make(0);
	certs_dir_make("d.pem d.example at=other\n");
	certs_dir_run("rm a.pem && rm c.pem && mkfifo c.pem");
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(by_name(c, "a.example"), 0);
		cr_expect_eq(by_name(c, "b.example"), 2);
		cr_expect_eq(by_name(c, "c.example"), 0);
		cr_expect_eq(by_name(c, "d.example"), 0);
	}
	cr_expect_eq(certs_cache_stats(c)->loads, 4);
	cr_expect_eq(certs_cache_stats(c)->failed, 3);
	certs_cache_free(c);
}

/* What passes is not remembered. */
Test(certs_cache, out_of_descriptors_for_a_moment)
{
	struct rlimit normal, none;
	struct certs_cache *c;

	certs_dir_make("a.pem a.example serial=1\n");
	c = cache_make(0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &normal), 0);
	none = (struct rlimit){ 0, normal.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	cr_expect_eq(by_name(c, "a.example"), 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &normal), 0);
	cr_expect_eq(by_name(c, "a.example"), 1);
	cr_expect_eq(certs_cache_stats(c)->failed, 1);
	certs_cache_free(c);
}

/* Two generations beside each other, as at a reload. */
Test(certs_cache, a_reload)
{
	struct certs_cache *old, *new;

	certs_dir_make("a.pem a.example serial=1\nb.pem b.example serial=2\n");
	old = cache_make(0);
	cr_expect_eq(by_name(old, "a.example"), 1);
	certs_dir_make("a.pem a.example serial=3\n");
	certs_dir_run("rm b.pem");
	new = cache_make(0);
	cr_expect_eq(by_name(new, "a.example"), 3);
	cr_expect_eq(by_name(new, "b.example"), 0);
	cr_expect_eq(by_name(old, "a.example"), 1);
	cr_expect_eq(by_name(old, "b.example"), 0, "its file is gone");
	certs_cache_free(old);
	cr_expect_eq(by_name(new, "a.example"), 3);
	certs_cache_free(new);
}

#ifdef SLUICE_FAULT_INJECTION
/* For the entry, the certificate's file, the key's: no certificate then, and the right one later.
 * What comes next is the library's. */
Test(certs_cache, without_memory)
{
	struct certs_cache *c;

	certs_dir_make("a.pem a.example serial=1 at=beside\n");
	c = cache_make(0);
	for (uint64_t k = 1; k <= 3; k++) {
		(void)mem_fail_nth(k);
		cr_expect_eq(by_name(c, "a.example"), 0);
		cr_expect_eq(mem_fail_nth(0), 0);
	}
	cr_expect_eq(by_name(c, "a.example"), 1);
	certs_cache_free(c);
}
#endif
