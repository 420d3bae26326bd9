/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The certificates of tests/zoo/zoo.py, which ctest has made in $SLUICE_ZOO: read as their manifest
 * says, and harmless when cut short or with a bit wrong.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dialback/key.h"
#include "tests/unit/dialback/identity_ask.h"

TestSuite(zoo, .timeout = 200);

/* A row of manifest.tsv. */
struct row {
	char *name, *rows, *chain, *reads, *proves, *never, *about;
};

/* Memory of exactly the file's size: the sanitizer sees a read behind its end. */
static struct span file_read(const char *name)
{
	const char *folder = getenv("SLUICE_ZOO");
	char path[4096], *content;
	long size;
	FILE *f;

	cr_assert_not_null(folder, "SLUICE_ZOO is not set: run it by ctest");
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	cr_assert_not_null(f, "%s cannot be read", path);
	cr_assert_eq(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	rewind(f);
	cr_assert_gt(size, 0);
	content = malloc((size_t)size);
	cr_assert_eq(fread(content, 1, (size_t)size, f), (size_t)size);
	fclose(f);
	return span_of(content, (size_t)size);
}

static struct span certificate_read(const struct row *row)
{
	char name[256];

	snprintf(name, sizeof(name), "%s.der", row->name);
	return file_read(name);
}

/* Calls fn for each certificate; returns how many there were. */
static int each_row(void (*fn)(const struct row *row))
{
	struct span file = file_read("manifest.tsv");
	char *text = strndup(file.p, file.n), *line, *rest = text;
	int n = 0;

	while ((line = strsep(&rest, "\n"))) {
		struct row row;

		if (line[0] == '#' || line[0] == '\0')
			continue;
		row.name = strsep(&line, "\t");
		row.rows = strsep(&line, "\t");
		row.chain = strsep(&line, "\t");
		row.reads = strsep(&line, "\t");
		row.proves = strsep(&line, "\t");
		row.never = strsep(&line, "\t");
		row.about = strsep(&line, "\t");
		cr_assert(row.about && !line, "%s", row.name);
		fn(&row);
		n++;
	}
	free(text);
	free((char *)file.p);
	return n;
}

/* -- as the manifest says -- */

static bool covers(const struct identity *id, const char *domain)
{
	struct identity_proof proof;

	return asks(id, domain, &proof);
}

static void check_domains(const struct row *row, const struct identity *id, char *list,
	bool expected)
{
	char *domain;

	if (strcmp(list, "-") == 0)
		return;
	while ((domain = strsep(&list, " ")))
		cr_expect_eq(covers(id, domain), expected, "%s: %s", row->name, domain);
}

/* key: of the certificate, absent when it is malformed. */
static void check_key(const struct row *row, const struct identity *id, struct span key)
{
	unsigned char digest[KEY_DIGEST];

	if (!key.p) {
		cr_expect_null(identity_key(id).p, "%s", row->name);
		return;
	}
	key_digest(key, digest);
	cr_expect(span_eq(identity_key(id), span_of((char *)digest, sizeof(digest))), "%s",
		row->name);
}

static void check_row(const struct row *row)
{
	struct span der = certificate_read(row);
	struct identity *id = identity_new(der);
	const char *why = "";
	struct x509 cert;
	bool reads = x509_parse(der, &cert, &why);

	cr_expect_eq(reads, strcmp(row->reads, "yes") == 0, "%s: %s", row->name, why);
	if (strcmp(row->proves, "-") != 0)
		cr_expect_null(identity_fault(id), "%s: %s", row->name, identity_fault(id));
	check_key(row, id, reads ? cert.key : SPAN_NONE);
	check_domains(row, id, row->proves, true);
	check_domains(row, id, row->never, false);
	identity_free(id);
	free((char *)der.p);
}

Test(zoo, each_certificate_is_read_as_the_manifest_says)
{
	cr_assert_gt(each_row(check_row), 0);
}

/* -- as no manifest says -- */

static bool is_inside(struct span part, struct span der)
{
	return !part.p || (part.p >= der.p && part.p + part.n <= der.p + der.n);
}

/* Everything is looked at that can be; true when it is well-formed. */
static bool look_at(struct span der)
{
	const char *why = NULL;
	struct identity *id;
	struct x509 cert;

	id = identity_new(der);
	covers(id, "rx.peer.test");
	identity_free(id);
	if (!x509_parse(der, &cert, &why)) {
		cr_assert(why && why[0]);
		return false;
	}
	cr_assert(is_inside(cert.serial, der) && is_inside(cert.issuer, der) &&
		is_inside(cert.subject, der) && is_inside(cert.key, der) &&
		is_inside(cert.names, der));
	return true;
}

/* Of the two certificates with a thousand names and more, a part will do. */
static size_t stride_of(struct span der)
{
	return der.n < 4096 ? 1 : 997;
}

static void cut_short(const struct row *row)
{
	struct span der = certificate_read(row);

	for (size_t n = 0; n < der.n; n += stride_of(der)) {
		/* One octet behind may follow a certificate; one less never makes a whole. */
		bool garbage = strcmp(row->name, "garbage-behind") == 0 && n == der.n - 1;
		char *copy = malloc(n ? n : 1);

		memcpy(copy, der.p, n);
		cr_assert_eq(look_at(span_of(copy, n)), garbage, "%s, %zu octets", row->name, n);
		free(copy);
	}
	free((char *)der.p);
}

Test(zoo, cut_short_at_every_octet)
{
	cr_assert_gt(each_row(cut_short), 0);
}

static void bits_wrong(const struct row *row)
{
	struct span der = certificate_read(row);
	char *bytes = (char *)der.p;

	for (size_t bit = 0; bit < 8 * der.n; bit += stride_of(der)) {
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		look_at(der);
		bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
	free(bytes);
}

Test(zoo, every_bit_wrong)
{
	cr_assert_gt(each_row(bits_wrong), 0);
}
