/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XMPP addresses (RFC 7622). The order matters: decode the attribute value as a
 * whole, then split, then map; splitting raw bytes would read
 * "victim.test&#47;x@evil.test" as an address at evil.test (rule 7.6, T-G32).
 * Any thread; pure functions.
 */
#ifndef SLUICE_XML_JID_H
#define SLUICE_XML_JID_H

#include "core/base/limits.h"
#include "core/base/span.h"

struct jid {
	struct span local; /* p == NULL: absent */
	struct span domain;
	struct span resource; /* p == NULL: absent */
};

/*
 * Cuts at the first '/', then at the first '@' before it. False when the domain
 * is empty, when "@" or "/" stands beside nothing, or a part is too long. The
 * domain is not yet in canonical form.
 */
bool jid_split(struct span s, struct jid *out) MUST_CHECK;

/* The domain alone: what the hot path needs. Empty span when jid_split would fail for it. */
struct span jid_domain(struct span s);

/* False for localparts and resources that RFC 7622 forbids (the ASCII rules of 3.3.1 and
 * control characters); domains are checked elsewhere. */
bool jid_parts_valid(const struct jid *j);

/*
 * A raw attribute value -> its characters: references resolved, TAB, CR and LF
 * that stand literally turned into spaces (XML 1.0 section 3.3.3). The scanner
 * has accepted the value already. False when cap is too small.
 */
bool jid_decode(struct span raw, char *out, size_t cap, size_t *len) MUST_CHECK;

#endif
