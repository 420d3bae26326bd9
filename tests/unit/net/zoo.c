/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "zoo.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/sluice-zoo-XXXXXX";
static bool made;

static void remove_all(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0)
		perror(dir);
}

static void PRINTF_LIKE(1, 2) run(const char *format, ...)
{
	char line[2048], command[4096];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	(void)snprintf(command, sizeof(command),
		"cd %s && { %s; } >log 2>&1 || { cat log >&2; false; }", dir, line);
	cr_assert_eq(system(command), 0, "%s", line);
}

const char *zoo_dir(void)
{
	if (!made) {
		cr_assert(mkdtemp(dir) != NULL);
		(void)atexit(remove_all);
		made = true;
		run("printf '%%s\\n' '[ca]' 'default_ca=c' '[c]' 'database=db' 'new_certs_dir=.' "
		    "'serial=serial' 'policy=p' 'default_md=sha256' 'default_days=30' "
		    "'default_crl_days=30' 'unique_subject=no' 'email_in_dn=no' '[p]' "
		    "'commonName=supplied' >conf && : >db && echo 1000 >serial");
	}
	return dir;
}

void zoo_make(const char *name, const struct zoo_opts *o)
{
	const char *issuer = o->issuer ? o->issuer : name;
	char leaf[256], path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s.ext", zoo_dir(), name);
	(void)snprintf(leaf, sizeof(leaf),
		"basicConstraints=critical,CA:FALSE\n"
		"subjectAltName=DNS:%s.test",
		name);
	f = fopen(path, "we");
	cr_assert(f != NULL);
	(void)fprintf(f, "%s\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
		o->extensions ? o->extensions : leaf);
	(void)fclose(f);
	run("openssl genpkey -algorithm %s -out %s.key && "
	    "openssl req -new -key %s.key -subj /CN=%s -out %s.csr && "
	    "openssl ca -batch -notext -config conf -in %s.csr -out %s.pem -extfile %s.ext -md %s "
	    "%s -keyfile %s.key %s %s%s",
		o->key ? o->key : "EC -pkeyopt ec_paramgen_curve:P-256", name, name, name, name,
		name, name, name, o->digest ? o->digest : "sha256", o->dates ? o->dates : "",
		issuer, o->issuer ? "-cert" : "-selfsign", o->issuer ? issuer : "",
		o->issuer ? ".pem" : "");
}

void zoo_revoke(const char *ca, const char *name)
{
	run("openssl ca -config conf -cert %s.pem -keyfile %s.key -revoke %s.pem && "
	    "openssl ca -config conf -cert %s.pem -keyfile %s.key -gencrl -out %s.crl",
		ca, ca, name, ca, ca, ca);
}

/* What is read stays in one block, which needs no freeing. */
static char store[16u << 20];
static size_t stored;

static void file_append(const char *name, const char *suffix)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s.%s", zoo_dir(), name, suffix);
	f = fopen(path, "re");
	cr_assert(f != NULL, "%s", path);
	stored += fread(store + stored, 1, sizeof(store) - stored, f);
	(void)fclose(f);
	cr_assert_lt(stored, sizeof(store));
}

struct span zoo_file(const char *name, const char *suffix)
{
	size_t start = stored;

	file_append(name, suffix);
	return span_of(store + start, stored - start);
}

struct span zoo_chain(const char *first, ...)
{
	size_t start = stored;
	va_list ap;

	va_start(ap, first);
	for (const char *name = first; name; name = va_arg(ap, const char *))
		file_append(name, "pem");
	va_end(ap);
	return span_of(store + start, stored - start);
}

struct tls_cert *zoo_cert(const char *name, struct span chain)
{
	struct span key = zoo_file(name, "key");
	const char *why;
	struct tls_cert *c = tls_cert_new(chain.p ? chain : zoo_file(name, "pem"), key, &why);

	cr_assert(c != NULL, "%s: %s", name, why);
	return c;
}
