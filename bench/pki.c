/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/pki.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#define DAY_S 86400

struct pair {
	EVP_PKEY *key;
	X509 *cert;
};

struct pki {
	struct pair root, signer;
	long serial;
};

static void pair_free(struct pair *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->cert);
	*p = (struct pair){ NULL, NULL };
}

static bool extension_add(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX ctx;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e && X509_add_ext(cert, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

static bool name_set(X509 *cert, const char *cn)
{
	X509_NAME *name = X509_NAME_new();
	/* A common name ends at 64 bytes and identifies nobody here. */
	int len = strlen(cn) > 64 ? 64 : (int)strlen(cn);
	bool ok = name &&
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, len,
			-1, 0) == 1 &&
		X509_set_subject_name(cert, name) == 1;

	X509_NAME_free(name);
	return ok;
}

/* A key and a certificate without extensions, not signed yet. issuer NULL: its own. */
static bool pair_begin(struct pki *p, struct pair *leaf, X509 *issuer, const char *cn)
{
	leaf->key = EVP_EC_gen("P-256");
	leaf->cert = X509_new();
	if (!leaf->key || !leaf->cert)
		return false;
	if (!issuer)
		issuer = leaf->cert;
	return X509_set_version(leaf->cert, X509_VERSION_3) == 1 &&
		ASN1_INTEGER_set(X509_get_serialNumber(leaf->cert), ++p->serial) == 1 &&
		X509_gmtime_adj(X509_getm_notBefore(leaf->cert), -DAY_S) &&
		X509_gmtime_adj(X509_getm_notAfter(leaf->cert), DAY_S) &&
		name_set(leaf->cert, cn) &&
		X509_set_issuer_name(leaf->cert, X509_get_subject_name(issuer)) == 1 &&
		X509_set_pubkey(leaf->cert, leaf->key) == 1 &&
		extension_add(leaf->cert, issuer, NID_subject_key_identifier, "hash") &&
		extension_add(leaf->cert, issuer, NID_authority_key_identifier, "keyid:always");
}

static bool authority_make(struct pki *p, struct pair *made, const struct pair *issuer,
	const char *cn)
{
	return pair_begin(p, made, issuer ? issuer->cert : NULL, cn) &&
		extension_add(made->cert, made->cert, NID_basic_constraints, "critical,CA:TRUE") &&
		extension_add(made->cert, made->cert, NID_key_usage,
			"critical,keyCertSign,cRLSign") &&
		X509_sign(made->cert, issuer ? issuer->key : made->key, EVP_sha256()) > 0;
}

static bool leaf_make(struct pki *p, struct pair *made, const char *name, bool below)
{
	char names[600];

	snprintf(names, sizeof(names), below ? "DNS:%.250s,DNS:*.%.250s" : "DNS:%.250s", name,
		name);
	return pair_begin(p, made, p->signer.cert, name) &&
		extension_add(made->cert, p->signer.cert, NID_basic_constraints,
			"critical,CA:FALSE") &&
		extension_add(made->cert, p->signer.cert, NID_key_usage,
			"critical,digitalSignature") &&
		extension_add(made->cert, p->signer.cert, NID_ext_key_usage,
			"serverAuth,clientAuth") &&
		extension_add(made->cert, p->signer.cert, NID_subject_alt_name, names) &&
		X509_sign(made->cert, p->signer.key, EVP_sha256()) > 0;
}

struct pki *pki_new(void)
{
	struct pki *p = bench_alloc(1, sizeof(*p));

	if (authority_make(p, &p->root, NULL, "sluice-bench root") &&
		authority_make(p, &p->signer, &p->root, "sluice-bench intermediate"))
		return p;
	pki_free(p);
	return NULL;
}

void pki_free(struct pki *p)
{
	if (!p)
		return;
	pair_free(&p->root);
	pair_free(&p->signer);
	free(p);
}

/* A file that nobody else may read. */
static FILE *file_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (fd >= 0 && !f)
		close(fd);
	return f;
}

bool pki_write_root(const struct pki *p, const char *path)
{
	FILE *f = file_open(path);
	bool ok = f && PEM_write_X509(f, p->root.cert) == 1;

	return f && fclose(f) == 0 && ok;
}

bool pki_issue(struct pki *p, const char *name, bool below, const char *path)
{
	struct pair leaf = { NULL, NULL };
	FILE *f = file_open(path);
	bool ok = f && leaf_make(p, &leaf, name, below) &&
		PEM_write_PrivateKey(f, leaf.key, NULL, NULL, 0, NULL, NULL) == 1 &&
		PEM_write_X509(f, leaf.cert) == 1 && PEM_write_X509(f, p->signer.cert) == 1;

	pair_free(&leaf);
	return f && fclose(f) == 0 && ok;
}
