/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a server can be reached: an address, and whether TLS begins there with the
 * first byte (XEP-0368) or is agreed upon within the stream. One address with both
 * is two places. A value; any thread.
 */
#ifndef SLUICE_PLACE_H
#define SLUICE_PLACE_H

#include "core/base/addr.h"

struct place {
	struct addr addr;
	bool direct; /* TLS from the first byte */
};

static inline bool place_eq(const struct place *a, const struct place *b)
{
	return a->direct == b->direct && addr_eq(&a->addr, &b->addr);
}

#endif
