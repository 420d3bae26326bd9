/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Those of our certificates that one worker has loaded, each when it was first asked for; the
 * one that was not asked for longest goes when there are too many. What is handed out is for the
 * name that was asked for, always: if the file was replaced since the index was made, its new
 * certificate is used only for names that it covers. Owner thread only.
 *
 * Loading reads one small file on the worker's thread and checks the key, once per certificate
 * as long as it stays in the cache: put --cert-dir on a disk of the machine. That a file could
 * not be loaded is in the log, and remembered like a certificate, so that peers cannot make us
 * read it again and again; unless the reason may pass (no descriptor left, no memory).
 */
#ifndef SLUICE_NET_CERTS_CACHE_H
#define SLUICE_NET_CERTS_CACHE_H

#include "net/certs.h"
#include "net/tls_cert.h"

struct certs_cache;

struct certs_cache_stats {
	uint64_t loads, failed; /* files that were read; of them, those that could not be used */
	uint64_t evicted; /* to make room for others */
};

/* Takes a reference of its own to the index. At most `max` certificates, LIMIT_CERT_CACHE for
 * 0. For a reload make another; connections hold references to what they use. */
struct certs_cache *certs_cache_new(struct certs *s, unsigned max) MUST_CHECK;
void certs_cache_free(struct certs_cache *c); /* NULL is allowed */

/*
 * The certificate for a name sent by SNI (bytes of a peer's) or for a domain in canonical form.
 * NULL: none covers it, or it could not be loaded; never one for another domain. Valid until the
 * next call; who keeps it takes a reference.
 */
struct tls_cert *certs_cache_by_name(struct certs_cache *c, struct span name);
struct tls_cert *certs_cache_by_domain(struct certs_cache *c, struct span domain);

/* Some certificate of ours, for peers that name nobody: the first by the name of its file that can
 * be loaded. NULL: none can. */
struct tls_cert *certs_cache_any(struct certs_cache *c);

const struct certs_cache_stats *certs_cache_stats(const struct certs_cache *c);

#endif
