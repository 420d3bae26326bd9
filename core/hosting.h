/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registry, policy and credentials as one immutable whole. SIGHUP builds a new one beside the
 * old; each worker takes it over between two turns and lets go of its old one;
 * the last to let go frees it. The count is touched at reloads only, never per
 * stanza. Any thread.
 */
#ifndef SLUICE_CORE_HOSTING_H
#define SLUICE_CORE_HOSTING_H

#include <stdatomic.h>

#include "core/keyring.h"
#include "core/policy.h"
#include "core/registry.h"

struct hosting {
	struct registry *registry;
	struct policy *policy;
	struct credentials *credentials; /* NULL: no --cert-dir, no TLS */
	_Atomic unsigned users;
	_Atomic unsigned taken; /* by so many workers */
};

/* Loads all of them. NULL on any error, with the message in `why`; users: references given. */
struct hosting *hosting_load(const struct config *c, unsigned users, char why[512]);
void hosting_release(struct hosting *h);
/* A worker has taken it over. True for the last of them: now it holds everywhere. */
bool hosting_taken(struct hosting *h, unsigned workers);

/* Is the domain (canonical) served here? */
static inline bool hosting_serves(const struct hosting *h, struct span domain)
{
	const struct host *host = registry_find(h->registry, domain);

	return host && host->kind == HOST_SERVED;
}

#endif
