/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/hosting.h"

#include "core/base/mem.h"

struct hosting *hosting_load(const struct config *c, unsigned users, char why[512])
{
	struct registry *registry = registry_load(c->routes, why);
	struct policy *policy;
	struct hosting *h;

	if (!registry)
		return NULL;
	policy = policy_load(c->policy, c->tls, why);
	if (!policy) {
		registry_free(registry);
		return NULL;
	}
	h = mem_zalloc(sizeof(*h));
	h->registry = registry;
	h->policy = policy;
	atomic_init(&h->users, users);
	return h;
}

void hosting_release(struct hosting *h)
{
	if (!h || atomic_fetch_sub_explicit(&h->users, 1, memory_order_acq_rel) != 1)
		return;
	registry_free(h->registry);
	policy_free(h->policy);
	mem_free(h);
}
