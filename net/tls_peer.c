/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tls_peer.h"

#include "core/base/mem.h"

struct tls_peer *tls_peer_new(const struct span *chain, unsigned n)
{
	struct tls_peer *p;
	size_t total = 0, at = 0;

	for (unsigned i = 0; i < n; i++)
		total += chain[i].n;
	if (n > LIMIT_TLS_CERTS || total > LIMIT_TLS_CHAIN)
		return NULL;
	p = mem_try_alloc(sizeof(*p) + total);
	if (!p)
		return NULL;
	p->refs = 1;
	p->n = n;
	for (unsigned i = 0; i < n; i++) {
		memcpy(p->bytes + at, chain[i].p, chain[i].n);
		p->chain[i] = span_of(p->bytes + at, chain[i].n);
		at += chain[i].n;
	}
	return p;
}

struct tls_peer *tls_peer_ref(struct tls_peer *p)
{
	if (p)
		p->refs++;
	return p;
}

void tls_peer_unref(struct tls_peer *p)
{
	if (p && --p->refs == 0)
		mem_free(p);
}
