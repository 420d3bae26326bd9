/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificates for tests, made by the openssl program in a folder of this process
 * that goes when it ends. A certificate is known by its name: NAME.pem and NAME.key.
 * Whatever goes wrong fails the test.
 */
#ifndef SLUICE_TEST_ZOO_H
#define SLUICE_TEST_ZOO_H

#include "net/tls_cert.h"

#define ZOO_CA "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign"

struct zoo_opts {
	const char *issuer; /* NULL: self-signed */
	const char *key; /* for genpkey: "EC -pkeyopt ec_paramgen_curve:P-256" when NULL */
	const char *extensions; /* lines; NULL: those of a leaf for NAME.test */
	const char *dates; /* "-startdate ... -enddate ..."; NULL: now, for a month */
	const char *digest; /* "sha256" when NULL; "null" for Ed25519 issuers */
};

void zoo_make(const char *name, const struct zoo_opts *o);
/* A CRL of that CA with that certificate on it. */
void zoo_revoke(const char *ca, const char *name);

/* The whole of a file, for the life of the process. */
struct span zoo_file(const char *name, const char *suffix);
/* The files of these names (a NULL-terminated list), one after the other. */
struct span zoo_chain(const char *first, ...) __attribute__((sentinel));
struct tls_cert *zoo_cert(const char *name, struct span chain);
const char *zoo_dir(void);

#endif
