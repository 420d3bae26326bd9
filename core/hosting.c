/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/hosting.h"

#include "core/base/mem.h"

static void hosting_free(struct hosting *h)
{
	registry_free(h->registry);
	policy_free(h->policy);
	credentials_free(h->credentials);
	mem_free(h);
}

static bool hosting_read(struct hosting *h, const struct config *c, char why[512])
{
	h->registry = registry_load(c->routes, why);
	if (!h->registry)
		return false;
	h->policy = policy_load(c, why);
	if (!h->policy)
		return false;
	if (c->cert_dir)
		h->credentials = credentials_load(c, certs_log, NULL, why);
	return !c->cert_dir || h->credentials;
}

struct hosting *hosting_load(const struct config *c, unsigned users, char why[512])
{
	struct hosting *h = mem_zalloc(sizeof(*h));

	atomic_init(&h->users, users);
	if (hosting_read(h, c, why))
		return h;
	hosting_free(h);
	return NULL;
}

void hosting_release(struct hosting *h)
{
	if (!h || atomic_fetch_sub_explicit(&h->users, 1, memory_order_acq_rel) != 1)
		return;
	hosting_free(h);
}

bool hosting_taken(struct hosting *h, unsigned workers)
{
	return atomic_fetch_add_explicit(&h->taken, 1, memory_order_acq_rel) + 1 == workers;
}
