/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/certs_cache.h"

#include "core/base/list.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "net/certs_file.h"
#include "net/certs_impl.h"

struct loaded {
	struct list link;
	struct tls_cert *cert; /* NULL: it could not be loaded */
	int file;
	bool changed; /* it is not the certificate that was indexed */
};

struct certs_cache {
	struct certs *certs;
	struct list recent; /* the one asked for last is first */
	unsigned n, max;
	struct certs_cache_stats stats;
	struct loaded *by_file[];
};

struct certs_cache *certs_cache_new(struct certs *s, unsigned max)
{
	size_t files = s->n_entries;
	struct certs_cache *c = mem_zalloc(sizeof(*c) + files * sizeof(c->by_file[0]));

	c->certs = certs_ref(s);
	c->max = max ? max : LIMIT_CERT_CACHE;
	list_init(&c->recent);
	return c;
}

static void drop(struct certs_cache *c, struct loaded *l)
{
	list_del(&l->link);
	c->by_file[l->file] = NULL;
	c->n--;
	tls_cert_unref(l->cert);
	mem_free(l);
}

void certs_cache_free(struct certs_cache *c)
{
	if (!c)
		return;
	while (!list_empty(&c->recent))
		drop(c, list_first(&c->recent, struct loaded, link));
	certs_unref(c->certs);
	mem_free(c);
}

static void drop_oldest(struct certs_cache *c)
{
	drop(c, container_of(c->recent.prev, struct loaded, link));
	c->stats.evicted++;
}

/* -- loading -- */

/* *again: it failed for a reason that may pass. */
static struct tls_cert *read_cert(const struct certs *s, int file, bool *again)
{
	const char *name = certs_file_name(s, file);
	struct certs_file f;
	struct certs_fault fault = certs_file_read(s->dir, name, &f);
	struct tls_cert *cert = NULL;

	if (!fault.what) {
		cert = tls_cert_new(f.chain, f.key, &fault.what);
		fault.remedy = "it was replaced since it was indexed: correct it and send SIGHUP, "
			       "which tells more";
	}
	certs_file_close(&f);
	*again = fault.passing;
	if (!cert)
		certs_log(NULL,
			&(struct certs_report){ .grade = CERTS_BROKEN,
				.file = name,
				.what = fault.what,
				.remedy = fault.remedy });
	return cert;
}

static bool is_changed(const struct certs *s, int file, const struct tls_cert *cert)
{
	struct hash128 now = hash_sip128(&s->key, tls_cert_der(cert));
	const struct hash128 *then = &s->entries[file].leaf;

	return now.lo != then->lo || now.hi != then->hi;
}

static void keep(struct certs_cache *c, struct loaded *l)
{
	if (c->n == c->max)
		drop_oldest(c);
	c->by_file[l->file] = l;
	list_add(&c->recent, &l->link);
	c->n++;
}

static struct loaded *load(struct certs_cache *c, int file)
{
	struct loaded *l = mem_try_zalloc(sizeof(*l));
	bool again;

	if (!l)
		return NULL;
	l->file = file;
	l->cert = read_cert(c->certs, file, &again);
	c->stats.loads++;
	c->stats.failed += !l->cert;
	if (again) {
		mem_free(l);
		return NULL;
	}
	l->changed = l->cert && is_changed(c->certs, file, l->cert);
	if (l->changed)
		LOG(LOG_WARN, "certificate-changed",
			"the file was replaced since it was indexed: SIGHUP is missing",
			LF_STR("file", certs_file_name(c->certs, file)));
	keep(c, l);
	return l;
}

/* -- asking -- */

static bool covers(const struct tls_cert *cert, const struct certname *asked)
{
	struct x509 read;
	const char *why;

	return x509_parse(tls_cert_der(cert), &read, &why) && certname_among(read.names, asked);
}

static struct loaded *use(struct certs_cache *c, int file)
{
	struct loaded *l = c->by_file[file] ? c->by_file[file] : load(c, file);

	if (!l)
		return NULL;
	list_del(&l->link);
	list_add(&c->recent, &l->link);
	return l;
}

static struct tls_cert *ask(struct certs_cache *c, const struct certname *asked)
{
	int file = certs_find(c->certs, asked);
	struct loaded *l = file < 0 ? NULL : use(c, file);

	if (!l)
		return NULL;
	return l->cert && (!l->changed || covers(l->cert, asked)) ? l->cert : NULL;
}

struct tls_cert *certs_cache_by_name(struct certs_cache *c, struct span name)
{
	struct certname asked;

	return certname_asked(name, &asked) ? ask(c, &asked) : NULL;
}

struct tls_cert *certs_cache_by_domain(struct certs_cache *c, struct span domain)
{
	struct certname asked;

	return certname_domain(domain, &asked) ? ask(c, &asked) : NULL;
}

struct tls_cert *certs_cache_any(struct certs_cache *c)
{
	for (unsigned i = 0; i < c->certs->n_entries; i++) {
		struct loaded *l = use(c, (int)i);

		if (l && l->cert)
			return l->cert;
	}
	return NULL;
}

const struct certs_cache_stats *certs_cache_stats(const struct certs_cache *c)
{
	return &c->stats;
}
