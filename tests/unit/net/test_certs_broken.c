/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <unistd.h>

#include "certs_dir.h"

TestSuite(certs_broken, .timeout = 60, .init = certs_dir_open, .fini = certs_dir_close);

/* One good file, so that each test sees that the others do not suffer. */
#define GOOD "good.pem good.example\n"

static struct certs *load_good(void)
{
	struct certs *s = certs_dir_load();

	cr_expect_str_eq(found_file(s, "good.example"), "good.pem");
	return s;
}

static void expect(const char *file, enum certs_grade grade, const char *what)
{
	cr_expect_eq(report_of(file)->grade, grade, "%s", file);
	cr_expect_str_eq(report_of(file)->what, what, "%s: %s", file, report_of(file)->what);
}

#define BROKEN(file, what) expect(file, CERTS_BROKEN, what)
#define DOUBTFUL(file, what) expect(file, CERTS_DOUBTFUL, what)

/* Each once, and nothing is found for their names. */
static void expect_unused(const struct certs *s, unsigned n)
{
	cr_expect_eq(n_reported, n);
	cr_expect_eq(certs_counts(s).broken, n);
	cr_expect_eq(certs_counts(s).files, n + 1);
	cr_expect_eq(certs_counts(s).names, 1);
	cr_expect_str_eq(found_file(s, "bad.example"), "-");
}

Test(certs_broken, keys)
{
	struct certs *s;

	certs_dir_make(GOOD "a.pem bad.example at=other\n"
			    "b.pem bad.example key=rsa2048 at=other form=traditional\n"
			    "c.pem bad.example key=ed25519 at=other\n"
			    "d.pem bad.example at=none\n"
			    "e.pem bad.example form=encrypted\n"
			    "f.pem bad.example form=locked at=beside\n"
			    "g.pem bad.example key=rsa1024\n"
			    "h.pem bad.example at=none\n"
			    "i.pem bad.example at=none\n"
			    "j.pem bad.example key=k256\n"
			    "k.pem bad.example key=p521\n"
			    "l.pem bad.example key=ed448\n");
	certs_dir_write("h.key", "no key\n", 0600);
	certs_dir_write("i.key", "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n",
		0600);
	s = load_good();
	BROKEN("a.pem", "the private key belongs to another certificate");
	BROKEN("b.pem", "the private key belongs to another certificate");
	BROKEN("c.pem", "the private key belongs to another certificate");
	BROKEN("d.pem",
		"there is no private key in it, nor a file with the same name and the "
		"ending .key beside it");
	BROKEN("e.pem", "the private key is encrypted");
	BROKEN("f.pem", "the private key is encrypted");
	BROKEN("g.pem", "its RSA key has less than 2048 bits");
	BROKEN("h.pem", "there is no private key in the file with the ending .key");
	BROKEN("i.pem", "the private key cannot be read as PEM");
	for (unsigned i = 0; i < 3; i++)
		BROKEN(((const char *const[]){ "j.pem", "k.pem", "l.pem" })[i],
			"the certificate or its key cannot be used: RSA from 2048 bits, ECDSA on "
			"P-256 or P-384 and Ed25519 can");
	expect_unused(s, 12);
	certs_unref(s);
}

/* All that tls_cert_new takes is good, in one file and in two. */
Test(certs_broken, keys_that_are_not)
{
	struct certs *s;

	certs_dir_make(GOOD "a.pem a.example form=traditional\n"
			    "b.pem b.example key=rsa2048\n"
			    "c.pem c.example key=rsa2048 form=traditional at=beside\n"
			    "d.pem d.example key=p384 at=beside\n"
			    "e.pem e.example key=ed25519 chain=8\n");
	s = load_good();
	cr_expect_eq(n_reported, 0, "%s: %s", reported[0].file, reported[0].what);
	cr_expect_eq(certs_counts(s).names, 6);
	certs_unref(s);
}

Test(certs_broken, certificates)
{
	struct certs *s;

	certs_dir_make(GOOD "a.pem cn:bad.example\n"
			    "b.pem *.example srv:_xmpp-client.bad.example\n"
			    "c.pem bad.example chain=9\n"
			    "d.pem bad.example\n"
			    "e.pem bad.example\n"
			    "f.pem bad.example\n");
	certs_dir_run("sed -i 2,3d d.pem && sed -i 3s/./!/ e.pem && sed -i /CERTIFICATE/d f.pem");
	certs_dir_write("g.pem", "", 0600);
	certs_dir_run("tr '\\0' x </dev/zero | head -c 262145 >h.pem");
	s = load_good();
	BROKEN("a.pem", "it names no domain that a peer could ask for (subjectAltName)");
	BROKEN("b.pem", "it names no domain that a peer could ask for (subjectAltName)");
	BROKEN("c.pem", "there are more than 9 certificates in it");
	BROKEN("d.pem", "it is not DER of a certificate");
	BROKEN("e.pem", "a certificate in it cannot be read as PEM");
	BROKEN("f.pem", "there is no certificate in PEM form in it");
	cr_expect_eq(report_of("g.pem")->grade, CERTS_BROKEN);
	BROKEN("h.pem", "the file is larger than 256 KiB");
	expect_unused(s, 8);
	certs_unref(s);
}

/* None of them may hang us, or be read at all. */
Test(certs_broken, what_is_no_file)
{
	struct certs *s;

	certs_dir_make(GOOD "c.pem bad.example at=none\n");
	certs_dir_run(
		"mkfifo a.pem c.key && mkdir b.pem && ln -s /dev/zero d.pem && ln -s e.pem e.pem");
	s = load_good();
	BROKEN("a.pem", "it is no regular file");
	BROKEN("b.pem", "it is no regular file");
	BROKEN("c.pem", "it is no regular file");
	BROKEN("d.pem", "it is no regular file");
	BROKEN("e.pem", "Too many levels of symbolic links");
	expect_unused(s, 5);
	certs_unref(s);
}

Test(certs_broken, a_file_that_we_may_not_read)
{
	struct certs *s;

	certs_dir_make(GOOD "a.pem bad.example\n");
	certs_dir_run("chmod 0 a.pem && chmod 755 . && chmod 644 good.pem");
	/* Root may read everything. */
	cr_assert_eq(geteuid() == 0 ? setegid(65534) || seteuid(65534) : 0, 0);
	s = certs_dir_load();
	BROKEN("a.pem", "the file may not be read");
	cr_expect_str_eq(found_file(s, "good.example"), "good.pem");
	certs_unref(s);
	cr_assert_eq(getuid() == 0 ? seteuid(0) || setegid(0) : 0, 0);
}

/* Used all the same: whether it is accepted is for peers to decide. */
Test(certs_broken, doubtful_ones_are_used)
{
	struct certs *s;

	certs_dir_make(GOOD "a.pem a.example to=-1\n"
			    "b.pem b.example from=1\n"
			    "c.pem c.example mode=644\n"
			    "d.pem d.example mode=604 at=beside\n"
			    "e.pem e.example mode=640\n"
			    "f.pem f.example usage=client\n"
			    "g.pem g.example usage=ca\n"
			    "h.pem h.example usage=server\n"
			    "i.pem i.example usage=client to=-2 mode=666\n");
	s = load_good();
	DOUBTFUL("a.pem", "it is over: peers refuse it");
	DOUBTFUL("b.pem", "it is not valid yet: peers refuse it");
	DOUBTFUL("c.pem", "everybody may read or write the private key");
	DOUBTFUL("d.pem", "everybody may read or write the private key");
	DOUBTFUL("f.pem", "it is not for servers (extKeyUsage): peers refuse it");
	DOUBTFUL("g.pem", "it is the certificate of an authority: peers refuse it");
	DOUBTFUL("i.pem", "everybody may read or write the private key");
	cr_expect_eq(n_reported, 6 + 3);
	cr_expect_eq(certs_counts(s).broken, 0);
	for (char c = 'a'; c <= 'i'; c++) {
		char name[] = { c, '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', '\0' };

		cr_expect_neq(found_file(s, name)[0], '-', "%s", name);
	}
	certs_unref(s);
}
