/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

#include "certs_dir.h"

TestSuite(certs, .timeout = 120, .init = certs_dir_open, .fini = certs_dir_close);

#define FOUND(s, name, file) cr_expect_str_eq(found_file(s, name), file, "%s", name)

Test(certs, a_folder_that_cannot_be_read_is_an_error)
{
	char why[CERTS_WHY] = "";

	cr_assert(certs_load("/nonexistent/dir", 0, certs_log, NULL, why) == NULL);
	cr_expect_str_eq(why, "/nonexistent/dir: cannot be read: No such file or directory");
	cr_assert(certs_load("/dev/null", 0, certs_log, NULL, why) == NULL);
	cr_expect_str_eq(why, "/dev/null: cannot be read: Not a directory");
}

Test(certs, an_empty_folder_is_an_index_of_nothing)
{
	struct certs *s = certs_dir_load();

	FOUND(s, "shop.example", "-");
	FOUND(s, "", "-");
	cr_expect_eq(certs_counts(s).files, 0);
	certs_unref(s);
	certs_unref(NULL);
}

/* What it covers is said by the certificate, by each kind of name; not by the file's name or CN. */
Test(certs, names_come_from_the_certificate)
{
	struct certs *s;

	certs_dir_make("one.pem shop.example cn:common.example\n"
		       "two.pem srv:_XMPP-Server.SRV.example xmpp:addr.example\n"
		       "three.pem srv:_xmpp-client.client.example mail.example\n");
	s = certs_dir_load();
	FOUND(s, "shop.example", "one.pem");
	FOUND(s, "srv.example", "two.pem");
	FOUND(s, "addr.example", "two.pem");
	FOUND(s, "mail.example", "three.pem");
	FOUND(s, "common.example", "-");
	FOUND(s, "client.example", "-");
	FOUND(s, "one", "-");
	FOUND(s, "www.shop.example", "-");
	cr_expect_eq(n_reported, 0);
	cr_expect_eq(certs_counts(s).files, 3);
	cr_expect_eq(certs_counts(s).names, 4);
	certs_unref(s);
}

/* T-C2, T-C3, T-C8 and T-C10, of certificates of ours. */
Test(certs, wildcards_stand_for_one_label)
{
	struct certs *s;

	certs_dir_make(
		"w.pem *.shop.example srv:_xmpp-server.*.srv.example\n"
		"x.pem w*.part.example *.*.two.example *.example * inner.*.example ok.example\n");
	s = certs_dir_load();
	FOUND(s, "www.shop.example", "w.pem");
	FOUND(s, "WWW.SHOP.example.", "w.pem");
	FOUND(s, "x.srv.example", "w.pem");
	FOUND(s, "shop.example", "-");
	FOUND(s, "a.b.shop.example", "-");
	FOUND(s, "_x.shop.example", "-");
	FOUND(s, "*.shop.example", "-");
	FOUND(s, "www.part.example", "-");
	FOUND(s, "a.b.two.example", "-");
	FOUND(s, "any.example", "-");
	FOUND(s, "ok.example", "x.pem");
	FOUND(s, "example", "-");
	cr_expect_eq(certs_counts(s).names, 3);
	certs_unref(s);
}

Test(certs, international_names_in_any_form)
{
	struct certs *s;

	certs_dir_make("a.pem xn--bcher-kva.example\n"
		       "b.pem xmpp:straße.example\n");
	s = certs_dir_load();
	FOUND(s, "bücher.example", "a.pem");
	FOUND(s, "BÜCHER.example", "a.pem");
	FOUND(s, "xn--bcher-kva.example", "a.pem");
	FOUND(s, "XN--BCHER-KVA.EXAMPLE", "a.pem");
	FOUND(s, "straße.example", "b.pem");
	FOUND(s, "xn--strae-oqa.example", "b.pem");
	FOUND(s, "strasse.example", "-");
	certs_unref(s);
}

/* What a peer sends as a name is not checked before. */
Test(certs, names_of_peers_that_are_none)
{
	static const struct span bad[] = { SPAN_LIT(""), SPAN_LIT("."), SPAN_LIT(".shop.example"),
		SPAN_LIT("shop..example"), SPAN_LIT("shop.example.."), SPAN_LIT("shop.example\0"),
		SPAN_LIT("shop\0.example"), SPAN_LIT("sh op.example"), SPAN_LIT("\xff.example"),
		SPAN_LIT("shop.example/x"), SPAN_LIT("a@shop.example"), SPAN_LIT("-shop.example") };
	char longest[256];
	struct certname asked;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_not(certname_asked(bad[i], &asked), "%zu", i);
	memset(longest, 'a', sizeof(longest));
	cr_expect_not(certname_asked(span_of(longest, 255), &asked));
	cr_expect_not(certname_asked(span_of(longest, 64), &asked));
	cr_expect(certname_asked(span_of(longest, 63), &asked));
	for (unsigned i = 63; i < 253; i += 64)
		longest[i] = '.';
	cr_expect(certname_asked(span_of(longest, 253), &asked));
	cr_expect_eq(asked.n, 253);
	cr_expect_not(certname_asked(span_of(longest, 254), &asked));
}

Test(certs, exact_before_wildcard)
{
	struct certs *s;

	certs_dir_make("a.pem *.shop.example to=90\n"
		       "b.pem www.shop.example to=10\n"
		       "c.pem old.shop.example from=-20 to=-10\n");
	s = certs_dir_load();
	FOUND(s, "www.shop.example", "b.pem");
	FOUND(s, "ftp.shop.example", "a.pem");
	FOUND(s, "old.shop.example", "c.pem");
	certs_unref(s);
}

/* One that is valid, the one named after it, the one that ends last, the first. */
Test(certs, of_two_files_for_a_name_the_better_one)
{
	struct certs *s;

	certs_dir_make("a.pem one.example two.example three.example four.example to=80\n"
		       "one.example.pem one.example to=10\n"
		       "two.example.pem two.example to=-1\n"
		       "three.example.pem three.example from=1 to=90\n"
		       "z.pem four.example five.example to=70\n"
		       "zz.pem five.example to=70\n"
		       "wild.example.pem *.wild.example to=20\n"
		       "w.pem *.wild.example to=30\n");
	s = certs_dir_load();
	FOUND(s, "one.example", "one.example.pem");
	FOUND(s, "two.example", "a.pem");
	FOUND(s, "three.example", "a.pem");
	FOUND(s, "four.example", "a.pem");
	FOUND(s, "five.example", "z.pem");
	FOUND(s, "x.wild.example", "wild.example.pem");

	cr_expect_eq(report_of("a.pem")->grade, CERTS_SHADOWED);
	cr_expect_eq(report_of("a.pem")->names, 1);
	cr_expect_str_eq(report_of("a.pem")->other, "one.example.pem");
	cr_expect_str_eq(report_of("a.pem")->name, "one.example");
	cr_expect_str_eq(report_of("zz.pem")->what, "another file is used for all of its names");
	cr_expect_str_eq(report_of("z.pem")->what, "another file is used for some of its names");
	cr_expect_eq(n_reported, 2 /* not valid */ + 6 /* all but one.example.pem and wild... */);
	certs_unref(s);
}

/* The same certificate under several names is no mistake; each finds its own. */
Test(certs, copies_are_not_reported)
{
	struct certs *s;

	certs_dir_make("bücher.example.pem xn--bcher-kva.example shop.example\n");
	certs_dir_run("cp bücher.example.pem shop.example.pem");
	s = certs_dir_load();
	FOUND(s, "bücher.example", "bücher.example.pem");
	FOUND(s, "shop.example", "shop.example.pem");
	cr_expect_eq(n_reported, 0);
	certs_unref(s);
}

Test(certs, symbolic_links_as_acme_clients_make_them)
{
	struct certs *s;

	certs_dir_make("fullchain.pem shop.example at=beside\n");
	certs_dir_run("mkdir live && mv fullchain.pem live && mv fullchain.key live/privkey.pem && "
		      "ln -s live/fullchain.pem shop.pem && ln -s live/privkey.pem shop.key && "
		      "ln -s gone gone.pem");
	s = certs_dir_load();
	FOUND(s, "shop.example", "shop.pem");
	cr_expect_eq(n_reported, 1);
	cr_expect_str_eq(report_of("gone.pem")->what,
		"the file is gone, or a symbolic link that leads nowhere");
	certs_unref(s);
}

Test(certs, hidden_files_and_other_endings_are_passed_over)
{
	struct certs *s;

	certs_dir_make(".hidden.pem a.example\n"
		       "b.example.pem.new b.example\n"
		       "c.example.pem c.example\n");
	certs_dir_run("touch .pem README; mkdir old; cp c.example.pem old/d.pem; mkfifo pipe");
	s = certs_dir_load();
	cr_expect_eq(certs_counts(s).files, 1);
	cr_expect_eq(n_reported, 0);
	FOUND(s, "a.example", "-");
	FOUND(s, "b.example", "-");
	certs_unref(s);
}

/* -- what ends soon -- */

static int days_said;
static unsigned times_said;

static void on_expiry(void *ctx, const struct certs_expiry *e)
{
	cr_expect(ctx == &days_said);
	cr_expect_str_eq(e->file, "a.pem");
	cr_expect(span_is(e->name, "a.example"));
	days_said = e->days;
	times_said++;
}

static bool says(const struct certs *s, int64_t since, int64_t now)
{
	times_said = 0;
	certs_expiring(s, since, now, on_expiry, &days_said);
	cr_expect_leq(times_said, 1);
	return times_said == 1;
}

Test(certs, the_end_is_told_in_time_and_once)
{
	static const int days[] = { 30, 14, 7, 1, 0 };
	struct certs *s;
	int64_t now, end = 0;

	certs_dir_make("a.pem a.example to=40\n"
		       "b.pem a.example to=39\n");
	now = time(NULL);
	s = certs_dir_load_at(now);
	for (int64_t t = now; !end; t += 60) {
		if (says(s, CERTS_FIRST_TIME, t))
			end = t + 30 * DAY;
	}
	cr_expect(end - now > 39 * DAY && end - now < 41 * DAY);
	/* By an hourly timer, its beginning anywhere. */
	unsigned told = 0;

	for (int64_t t = now - 1234; t < end + 3 * DAY; t += 3600) {
		if (!says(s, t - 3600, t))
			continue;
		cr_assert_lt(told, ARRAY_LEN(days));
		cr_expect_geq(days_said, days[told] - 1);
		cr_expect_leq(days_said, days[told]);
		told++;
	}
	cr_expect_eq(told, ARRAY_LEN(days));
	cr_expect(says(s, CERTS_FIRST_TIME, end - 2 * DAY + 1));
	cr_expect_eq(days_said, 1);
	cr_expect_not(says(s, CERTS_FIRST_TIME, end + DAY));
	cr_expect_not(says(s, end + DAY, end + 2 * DAY));
	certs_unref(s);
}

/* -- size, and reload -- */

Test(certs, two_thousand_files)
{
	struct certs *s;

	certs_dir_make("t@.example.pem t@.example *.t@.example many=2000 to=60\n");
	s = certs_dir_load();
	cr_expect_eq(certs_counts(s).files, 2000);
	cr_expect_eq(certs_counts(s).names, 4000);
	cr_expect_eq(n_reported, 0);
	for (int i = 0; i < 2000; i++) {
		char name[32], file[32];

		(void)snprintf(name, sizeof(name), "t%d.example", i);
		(void)snprintf(file, sizeof(file), "t%d.example.pem", i);
		FOUND(s, name, file);
		(void)snprintf(name, sizeof(name), "muc.t%d.example", i);
		FOUND(s, name, file);
	}
	FOUND(s, "t2000.example", "-");
	cr_expect_leq(certs_memory(s) / 2000, 160);
	certs_unref(s);
}

/* Another is made beside the one in use, which stays as it is. */
Test(certs, a_reload_is_another_index)
{
	struct certs *old, *new;

	certs_dir_make("a.pem a.example\nb.pem b.example\n");
	old = certs_ref(certs_dir_load());
	certs_dir_make("c.pem c.example\n");
	certs_dir_run("rm a.pem");
	new = certs_dir_load();
	FOUND(old, "a.example", "a.pem");
	FOUND(old, "c.example", "-");
	FOUND(new, "a.example", "-");
	FOUND(new, "b.example", "b.pem");
	FOUND(new, "c.example", "c.pem");
	certs_unref(old);
	FOUND(old, "b.example", "b.pem");
	certs_unref(old);
	certs_unref(new);
}
