/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/redirect.h"

#define PORT 5269 /* where servers are found that name none (RFC 6120 section 3.2.2) */

/* The colon, if there is one, has to have a port behind it. */
static bool port_parse(struct span rest, uint16_t *port)
{
	uint64_t n = PORT;

	if (rest.n > 0 && (!span_u64(span_skip(rest, 1), UINT16_MAX, &n) || n == 0))
		return false;
	*port = (uint16_t)n;
	return true;
}

bool redirect_parse(struct span text, struct redirect *out)
{
	struct span s = span_trim(text), host = span_of(s.p, span_find(s, ':'));
	struct addr addr;

	out->host.len = 0;
	out->n = 0;
	if (addr_parse(s, PORT, &addr)) {
		out->port = addr.port;
		out->places[out->n++] = (struct place){ .addr = addr };
		return true;
	}
	return port_parse(span_skip(s, host.n), &out->port) && domain_parse(host, &out->host);
}
