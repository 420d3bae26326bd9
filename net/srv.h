/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Order of service records (RFC 2782, protocol rule 7.1): ascending priority,
 * within one priority by weighted random choice, weight-0 records first in the
 * running sum; on equal priority records for direct TLS before the others (O-15).
 * Pure; randomness comes in as a function so that tests can script it.
 */
#ifndef SLUICE_NET_SRV_H
#define SLUICE_NET_SRV_H

#include "core/base/limits.h"
#include "core/base/span.h"

struct srv_record {
	uint16_t priority, weight, port;
	bool direct; /* from _xmpps-server */
	char target[LIMIT_DNS_NAME + 1]; /* lower case, no trailing dot; "" is the root, "." */
};

/* below(bound) returns a uniform number in [0, bound). */
void srv_order(struct srv_record *r, unsigned n, uint32_t (*below)(uint32_t bound));

#endif
