/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/keyring.h"

#include "core/base/clock.h"
#include "core/base/domain.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/place.h"
#include "core/lines.h"
#include "net/certs_cache.h"
#include "net/tls.h"
#include "xml/writer.h"

struct credentials {
	struct certs *certs;
	struct tls_trust *trust;
};

struct keyring {
	struct certs_cache *cache;
	struct tls_setup *accepting, *opening;
	struct certs_cache_stats counted;
};

/* -- files -- */

/* An absent path is an empty file. */
static bool pem_open(struct lines *l, const char *path, char why[512])
{
	*l = (struct lines){ .why = why };
	return !path || lines_open(l, path, why);
}

static struct span pem_span(const struct lines *l)
{
	return l->text ? span_of(l->text, l->len) : SPAN_NONE;
}

static struct tls_trust *trust_load(const struct config *c, char why[512])
{
	struct lines anchors, crls = { 0 };
	struct tls_trust *trust = NULL;
	const char *fault = NULL;
	unsigned skipped = 0;

	if (pem_open(&anchors, c->ca_file, why) && pem_open(&crls, c->crl_file, why)) {
		trust = tls_trust_new(pem_span(&anchors), pem_span(&crls), &skipped, &fault);
		if (!trust)
			(void)snprintf(why, 512, "%s%s%s: %s",
				c->ca_file ? c->ca_file : "the system's trust anchors",
				c->crl_file ? " with " : "", c->crl_file ? c->crl_file : "", fault);
		else if (skipped)
			/* The system's list always has some that are over; its owner is not here. */
			LOG(c->ca_file ? LOG_WARN : LOG_INFO, "anchors-skipped",
				"trust anchors that cannot be used",
				LF_STR("file", c->ca_file ? c->ca_file : "the system's"),
				LF_INT("number", skipped));
	}
	lines_close(&anchors);
	lines_close(&crls);
	return trust;
}

struct credentials *credentials_load(const struct config *c, certs_report_fn *report, void *ctx,
	char why[512])
{
	struct tls_trust *trust = trust_load(c, why);
	struct certs *certs = NULL;
	struct credentials *k;

	if (trust)
		certs = certs_load(c->cert_dir, clock_unix(), report, ctx, why);
	if (!certs) {
		tls_trust_unref(trust);
		return NULL;
	}
	k = mem_zalloc(sizeof(*k));
	k->trust = trust;
	k->certs = certs;
	return k;
}

void credentials_free(struct credentials *c)
{
	if (!c)
		return;
	certs_unref(c->certs);
	tls_trust_unref(c->trust);
	mem_free(c);
}

unsigned credentials_names(const struct credentials *c)
{
	return certs_counts(c->certs).names;
}

unsigned credentials_anchors(const struct credentials *c)
{
	return tls_trust_count(c->trust);
}

void credentials_expiring(const struct credentials *c, int64_t since, int64_t now,
	certs_expiry_fn *report, void *ctx)
{
	certs_expiring(c->certs, since, now, report, ctx);
}

/* -- handshakes -- */

/* A connection that began before a reload is shown today's certificate. */
static struct tls_cert *by_name(void *ctx, struct span name)
{
	struct keyring *const *slot = ctx;

	return *slot ? certs_cache_by_name((*slot)->cache, name) : NULL;
}

struct keyring *keyring_new(const struct credentials *c, struct span name,
	struct tls_tickets *tickets, struct keyring **slot, const char **why)
{
	struct keyring *k = mem_zalloc(sizeof(*k));
	struct tls_setup_opts opts = {
		.role = TLS_ACCEPTING,
		.trust = c->trust,
		.by_name = by_name,
		.ctx = slot,
		.tickets = tickets,
	};

	k->cache = certs_cache_new(c->certs, 0);
	opts.cert = certs_cache_by_domain(k->cache, name);
	if (!opts.cert)
		opts.cert = certs_cache_any(k->cache);
	if (opts.cert)
		k->accepting = tls_setup_new(&opts, why);
	else
		*why = certs_counts(c->certs).files ? "no certificate of --cert-dir can be used"
						    : "no file of --cert-dir ends in .pem";
	opts = (struct tls_setup_opts){ .role = TLS_OPENING,
		.trust = c->trust,
		.sessions = LIMIT_TLS_SESSIONS };
	if (k->accepting)
		k->opening = tls_setup_new(&opts, why);
	if (k->opening)
		return k;
	keyring_free(k);
	return NULL;
}

void keyring_free(struct keyring *k)
{
	if (!k)
		return;
	tls_setup_unref(k->accepting);
	tls_setup_unref(k->opening);
	certs_cache_free(k->cache);
	mem_free(k);
}

void keyring_count(struct keyring *k, struct stats *stats)
{
	const struct certs_cache_stats *now = k ? certs_cache_stats(k->cache) : NULL;

	if (!now || now->loads == k->counted.loads)
		return;
	STATS_ADD(stats, certs_read, now->loads - k->counted.loads);
	STATS_ADD(stats, certs_unusable, now->failed - k->counted.failed);
	STATS_ADD(stats, certs_evicted, now->evicted - k->counted.evicted);
	k->counted = *now;
}

struct tls *keyring_accept(struct keyring *k, struct span domain)
{
	struct tls_cert *cert = NULL;
	struct tls *t;

	if (domain.n > 0) {
		cert = certs_cache_by_domain(k->cache, domain);
		if (!cert)
			return NULL;
	}
	t = tls_accept(k->accepting);
	if (t && cert && !tls_show(t, cert)) {
		tls_free(t);
		return NULL;
	}
	return t;
}

/* Whom a session may be resumed towards: the same two domains at the same place. */
static struct span session_identity(struct writer *w, struct span from, struct span to,
	const struct place *at)
{
	char address[ADDR_TEXT];

	addr_format(&at->addr, address);
	writer_raw(w, from);
	writer_raw(w, span_of("", 1));
	writer_raw(w, to);
	writer_raw(w, span_of("", 1));
	writer_raw(w, span_str(address));
	writer_raw(w, at->direct ? SPAN_LIT("!") : SPAN_NONE);
	return w->overflow ? SPAN_NONE : writer_span(w);
}

struct tls *keyring_open(struct keyring *k, struct span from, struct span to,
	const struct place *at)
{
	char text[LIMIT_TLS_IDENTITY], name[LIMIT_DNS_NAME + 1];
	struct writer w = WRITER(text);
	struct tls_cert *cert = from.n > 0 ? certs_cache_by_domain(k->cache, from) : NULL;
	struct span sni = domain_to_dns(to, name) ? span_str(name) : SPAN_NONE;
	struct tls *t = tls_open(k->opening, sni, at->direct, session_identity(&w, from, to, at));

	if (t && cert && !tls_show(t, cert)) {
		tls_free(t);
		return NULL;
	}
	return t;
}

bool keyring_has(struct keyring *k, struct span domain)
{
	return certs_cache_by_domain(k->cache, domain) != NULL;
}
