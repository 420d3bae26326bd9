/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a server sends us with <see-other-host/> (RFC 6120 section 4.9.3.19, protocol rule
 * 1.10): a domain name or an IPv4 address, each with :port or without, or an IPv6 address
 * in brackets. It says where to dial and nothing else: no domain is ever proven, or
 * compared with anything, by the name that stands here. A value; pure functions.
 */
#ifndef SLUICE_CORE_REDIRECT_H
#define SLUICE_CORE_REDIRECT_H

#include "core/base/domain.h"
#include "core/base/place.h"

struct redirect {
	struct domain host; /* to be looked up; of length 0: the place is known */
	uint16_t port;
	unsigned n;
	struct place places[LIMIT_CANDIDATES]; /* where to dial, in order */
};

/* False: it is neither a name nor an address, and out is unspecified. Whether the address may be dialled is
 * for the caller to find out (net/resolve.h). */
bool redirect_parse(struct span text, struct redirect *out) MUST_CHECK;

#endif
