/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the router has to read of a stanza's start tag when the raw bytes will not
 * do: addresses decoded, split and in canonical form (rule 7.6), and its type.
 * Pure; nothing outlives the frame but the copies in struct address.
 */
#ifndef SLUICE_CORE_STANZA_H
#define SLUICE_CORE_STANZA_H

#include "core/base/domain.h"
#include "xml/jid.h"
#include "xml/scan.h"
#include "xml/writer.h"

struct address {
	char text[LIMIT_JID + 1]; /* decoded; the parts point into it */
	struct jid jid;
	struct domain domain; /* canonical */
};

/* Of a raw attribute value. False when there is no address, or it has no valid domain. */
bool address_read(struct address *a, struct span raw) MUST_CHECK;

/* local@domain/resource with the domain in canonical form, not escaped. */
#define ADDRESS_TEXT (LIMIT_JID + LIMIT_DOMAIN + 4)
struct span address_text(const struct address *a, char out[ADDRESS_TEXT]);

/* Is the stanza's type one of these? Decoded first: type='&#101;rror' is an error too. */
bool stanza_type_is(const struct frame *f, const char *const *types, size_t n);

#endif
