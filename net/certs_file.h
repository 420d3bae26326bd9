/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One certificate as it lies in --cert-dir: NAME.pem with chain and key, or NAME.pem with the
 * chain and NAME.key with the key beside it. Regular files (symbolic links to them are
 * followed) of at most LIMIT_CERT_FILE bytes; nothing that is opened can hang us. Key bytes
 * are wiped. Any thread.
 */
#ifndef SLUICE_NET_CERTS_FILE_H
#define SLUICE_NET_CERTS_FILE_H

#include "core/base/x509.h"

/* What is wrong and what to do about it, static text; what == NULL: nothing is. */
struct certs_fault {
	const char *what, *remedy;
	bool passing; /* the machine's fault or the moment's, not the file's: worth another try */
};

#define CERTS_FAULT(what, remedy) ((struct certs_fault){ what, remedy, false })
#define CERTS_NO_FAULT CERTS_FAULT(NULL, NULL)

struct certs_text {
	char *p;
	size_t n;
	bool exposed; /* everybody may read the file, or write to it */
};

struct certs_file {
	struct certs_text pem, beside; /* NAME.pem; NAME.key, if the key is in there */
	struct span chain, key; /* PEM texts for tls_cert_new, each with more than that in it */
	bool exposed; /* so is the file with the key */
};

/* Reads NAME.pem, and NAME.key when there is no key in it. certs_file_close() it in any case. */
struct certs_fault certs_file_read(int dir, const char *name, struct certs_file *f) MUST_CHECK;
void certs_file_close(struct certs_file *f);

/*
 * Reads the certificate itself and its key as far as can be done without the TLS library,
 * several times as fast; *der (mem_free) is its DER and *cert points into it; der->p == NULL: there
 * is none. What is found faulty the library would refuse as well; *sure: it is fit for use, else
 * ask tls_cert_new.
 */
struct certs_fault certs_file_check(const struct certs_file *f, struct span *der, struct x509 *cert,
	bool *sure) MUST_CHECK;

#endif
