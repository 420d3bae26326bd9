/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registry (--routes FILE): which domains are hosted here and which backend
 * has each. A text file, one entry a line, # comments; paths in it are relative
 * to it:
 *
 *   backend NAME LINK [key=value ...]
 *   DOMAIN NAME          DOMAIN may be "*.example" for all domains below it
 *   DOMAIN gone          was hosted here once (host-gone)
 *
 *   LINK: component             it logs in to us; secret-file= [from=]
 *         s2s:ADDR:PORT         [from=]                      \ refused at load:
 *         inject:ADDR:PORT      as= secret-file= [from=]     / not in this build yet
 *   from=: addresses and CIDR blocks, commas between, that may connect
 *
 * A backend may be used above the line that defines it. Loaded beside the old
 * registry and swapped as a whole; immutable afterwards, any thread reads it. An
 * exact entry wins over a wildcard, a longer wildcard over a shorter one.
 */
#ifndef SLUICE_CORE_REGISTRY_H
#define SLUICE_CORE_REGISTRY_H

#include "core/base/addr.h"
#include "core/base/span.h"

#define BACKEND_NAME_MAX 63

enum backend_link { LINK_S2S, LINK_INJECT, LINK_COMPONENT };

struct backend {
	char *name;
	enum backend_link link;
	struct addr addr; /* s2s and inject: where to dial */
	struct addr_net *from; /* addresses that may connect; none: see backend_admits */
	unsigned n_from;
	char *secret; /* component and inject */
	uint32_t index; /* position in this registry */
	unsigned line;
	unsigned domains; /* entries that name it, wildcards included */
	unsigned wildcards; /* of them */
};

enum host_kind { HOST_SERVED, HOST_GONE };

struct host {
	enum host_kind kind;
	const struct backend *backend; /* HOST_SERVED */
	bool wildcard; /* the entry that matched was one */
};

struct registry;

/* NULL on any error, with a message in `why` that names file and line. */
struct registry *registry_load(const char *path, char why[512]);
void registry_free(struct registry *r);

/* The entry for a canonical domain, or NULL: not hosted. */
const struct host *registry_find(const struct registry *r, struct span domain);

unsigned registry_backends(const struct registry *r);
const struct backend *registry_backend(const struct registry *r, unsigned i);
const struct backend *registry_backend_named(const struct registry *r, const char *name);
unsigned registry_hosts(const struct registry *r);

/*
 * May a connection from this address speak for the backend? Those that from= names; without it, for
 * a component link, loopback and private addresses (addr_is_private), else the address it dials.
 */
bool backend_admits(const struct backend *b, const struct addr *peer);

#endif
