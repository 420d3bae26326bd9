/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/certs_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "net/certs_key.h"
#include "net/tls_pem.h"

#define PASSING(what, remedy) ((struct certs_fault){ what, remedy, true })

#define KEY_IN_PEM "write it in PEM form, without a passphrase: openssl pkey -in KEY -out NEW"
#define CHAIN_IN_PEM "write the certificate and then its intermediates into the file, in PEM form"

/* -- reading -- */

static struct certs_fault open_fault(int err)
{
	switch (err) {
	case EACCES:
	case EPERM:
		return CERTS_FAULT("the file may not be read",
			"let the user that the router runs as read it, and enter the folders that a "
			"symbolic link leads through");
	case ENOENT:
		return CERTS_FAULT("the file is gone, or a symbolic link that leads nowhere",
			"make it anew");
	case EMFILE:
	case ENFILE:
		/* These texts are the C library's, and constant. */
		return PASSING(strerrordesc_np(err),
			"raise the limit of open files (ulimit -Hn, systemd: LimitNOFILE=; of the "
			"whole machine: sysctl fs.file-max)");
	default:
		return PASSING(strerrordesc_np(err), "see errno(3) and what the file system says");
	}
}

/* All of it, or a fault. What was read is in *t in any case. */
static struct certs_fault text_read(int fd, size_t size, struct certs_text *t)
{
	t->p = mem_try_alloc(size + 1);
	if (!t->p)
		return PASSING("there is no memory to read it", "give the machine more");
	while (t->n <= size) {
		ssize_t n = read(fd, t->p + t->n, size + 1 - t->n);

		if (n < 0 && errno != EINTR)
			return open_fault(errno);
		if (n == 0)
			return CERTS_NO_FAULT;
		t->n += n > 0 ? (size_t)n : 0;
	}
	return PASSING("the file was written while it was read",
		"write new files under another name and rename them, then send SIGHUP");
}

static struct certs_fault text_open(int fd, struct certs_text *t)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return open_fault(errno);
	if (!S_ISREG(st.st_mode))
		return CERTS_FAULT("it is no regular file", "remove it, or give it another ending");
	if (st.st_size > LIMIT_CERT_FILE)
		return CERTS_FAULT("the file is larger than 256 KiB",
			"it is to hold one certificate, its intermediates and its key, no more");
	t->exposed = st.st_mode & (S_IROTH | S_IWOTH);
	return text_read(fd, (size_t)st.st_size, t);
}

_Static_assert(LIMIT_CERT_FILE == 262144, "the bound in the text");

/* *missing: there is no such file, which is for the caller to judge. */
static struct certs_fault text_load(int dir, const char *name, struct certs_text *t, bool *missing)
{
	/* Without O_NONBLOCK a FIFO would hang us before we could see that it is one. */
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct certs_fault fault;

	*missing = fd < 0 && errno == ENOENT;
	if (fd < 0)
		return open_fault(errno);
	fault = text_open(fd, t);
	(void)close(fd);
	return fault;
}

static void text_close(struct certs_text *t)
{
	if (t->p)
		mem_wipe(t->p, t->n);
	mem_free(t->p);
	*t = (struct certs_text){ 0 };
}

/* -- keys -- */

/* Labels of keys that tls_cert_new reads, and of those that are there but no use. */
static const char *const key_labels[] = { "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY" };
static const char *const locked_labels[] = { "ENCRYPTED PRIVATE KEY" };

static struct span block_among(struct span text, const char *const *labels, size_t n)
{
	struct span block = SPAN_NONE;

	for (size_t i = 0; i < n && !block.p; i++) {
		struct span left = text;

		block = tls_pem_next(&left, labels[i]);
	}
	return block;
}

static bool has_key(struct span text)
{
	return block_among(text, key_labels, ARRAY_LEN(key_labels)).p ||
		block_among(text, locked_labels, ARRAY_LEN(locked_labels)).p;
}

/* NAME.key for NAME.pem */
static struct certs_fault read_beside(int dir, const char *name, struct certs_file *f)
{
	struct certs_fault fault;
	char beside[NAME_MAX + 1];
	bool missing;

	(void)snprintf(beside, sizeof(beside), "%.*s.key", (int)(strlen(name) - strlen(".pem")),
		name);
	fault = text_load(dir, beside, &f->beside, &missing);
	if (missing)
		return CERTS_FAULT(
			"there is no private key in it, nor a file with the same name and the "
			"ending .key beside it",
			"append the key to the file, or write it into such a file");
	f->key = span_of(f->beside.p, f->beside.n);
	f->exposed = f->beside.exposed;
	return fault;
}

struct certs_fault certs_file_read(int dir, const char *name, struct certs_file *f)
{
	struct certs_fault fault;
	bool missing;

	*f = (struct certs_file){ 0 };
	fault = text_load(dir, name, &f->pem, &missing);
	if (fault.what)
		return fault;
	f->chain = f->key = span_of(f->pem.p, f->pem.n);
	f->exposed = f->pem.exposed;
	return has_key(f->chain) ? CERTS_NO_FAULT : read_beside(dir, name, f);
}

void certs_file_close(struct certs_file *f)
{
	text_close(&f->pem);
	text_close(&f->beside);
}

/* -- checking -- */

static struct certs_fault check_leaf(struct span block, struct span *der, struct x509 *cert)
{
	static const char remedy[] =
		"put a certificate of a certificate authority's first into the "
		"file; openssl x509 -text -in FILE shows what is there";
	const char *why;

	if (!block.p)
		return CERTS_FAULT("there is no certificate in PEM form in it", CHAIN_IN_PEM);
	*der = tls_pem_der(block);
	if (!der->p)
		return CERTS_FAULT("a certificate in it cannot be read as PEM", CHAIN_IN_PEM);
	return x509_parse(*der, cert, &why) ? CERTS_NO_FAULT : CERTS_FAULT(why, remedy);
}

static struct certs_fault check_chain(struct span text)
{
	struct span block;

	for (unsigned n = 1; (block = tls_pem_next(&text, "CERTIFICATE")).p; n++) {
		struct span der = tls_pem_der(block);

		if (!der.p)
			return CERTS_FAULT("a certificate in it cannot be read as PEM",
				CHAIN_IN_PEM);
		mem_free((void *)der.p);
		if (n == LIMIT_TLS_CERTS)
			return CERTS_FAULT("there are more than 9 certificates in it",
				"it is to hold one certificate and its intermediates, no more");
	}
	return CERTS_NO_FAULT;
}

_Static_assert(LIMIT_TLS_CERTS == 9, "the bound in the text");

static struct certs_fault check_match(struct span public, struct span private, bool *sure)
{
	enum certs_key match = certs_key_compare(public, private);

	*sure = match == CERTS_KEY_FITS;
	return match != CERTS_KEY_OTHER
		? CERTS_NO_FAULT
		: CERTS_FAULT("the private key belongs to another certificate",
			  "put the certificate of that key first into the file, its intermediates "
			  "after it");
}

static struct certs_fault check_key(const struct certs_file *f, const struct x509 *cert, bool *sure)
{
	struct span block = block_among(f->key, key_labels, ARRAY_LEN(key_labels)), der;
	struct certs_fault fault;

	if (!block.p)
		return block_among(f->key, locked_labels, ARRAY_LEN(locked_labels)).p
			? CERTS_FAULT("the private key is encrypted", KEY_IN_PEM)
			: CERTS_FAULT("there is no private key in the file with the ending .key",
				  KEY_IN_PEM);
	if (memmem(block.p, block.n, "ENCRYPTED", strlen("ENCRYPTED")))
		return CERTS_FAULT("the private key is encrypted", KEY_IN_PEM);
	der = tls_pem_der(block);
	if (!der.p)
		return CERTS_FAULT("the private key cannot be read as PEM", KEY_IN_PEM);
	fault = check_match(cert->key, der, sure);
	mem_wipe((void *)der.p, der.n);
	mem_free((void *)der.p);
	return fault;
}

struct certs_fault certs_file_check(const struct certs_file *f, struct span *der, struct x509 *cert,
	bool *sure)
{
	struct span text = f->chain, block = tls_pem_next(&text, "CERTIFICATE");
	struct certs_fault fault;

	*der = SPAN_NONE;
	*sure = false;
	fault = check_leaf(block, der, cert);
	if (!fault.what)
		fault = check_chain(text);
	if (!fault.what && certs_key_is_weak(cert->key))
		fault = CERTS_FAULT("its RSA key has less than 2048 bits",
			"have a certificate made for a key of 2048 bits or on P-256");
	if (!fault.what)
		fault = check_key(f, cert, sure);
	return fault;
}
