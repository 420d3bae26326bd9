/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stanza errors that the router makes itself (RFC 6120 section 8.3, protocol
 * rules 8.4 and 8.5): same kind, from and to swapped, id copied, the condition,
 * no payload. Everything that came from a peer is decoded and escaped again, so
 * that no attribute can break out of its quotes (CVE-2026-113867).
 */
#ifndef SLUICE_CORE_BOUNCE_H
#define SLUICE_CORE_BOUNCE_H

#include "xml/scan.h"
#include "xml/writer.h"

enum stanza_error {
	STANZA_BAD_REQUEST, /* modify */
	STANZA_FORBIDDEN, /* auth */
	STANZA_INTERNAL_SERVER_ERROR, /* cancel */
	STANZA_JID_MALFORMED, /* modify */
	STANZA_NOT_ALLOWED, /* cancel */
	STANZA_POLICY_VIOLATION, /* modify */
	STANZA_REMOTE_SERVER_NOT_FOUND, /* cancel */
	STANZA_REMOTE_SERVER_TIMEOUT, /* wait */
	STANZA_REMOTE_SERVER_TIMEOUT_CANCEL, /* the same condition, of a permanent nature */
	STANZA_RESOURCE_CONSTRAINT, /* wait */
	STANZA_SERVICE_UNAVAILABLE, /* cancel */
	STANZA_TOO_BIG, /* policy-violation, modify; it is the peer's bound, so without `by` (XEP-0478) */
	STANZA_ERRORS,
};

const char *stanza_error_name(enum stanza_error e);
const char *stanza_error_type(enum stanza_error e);

/* May this stanza be answered with an error at all? No for errors, iq results and presence that
 * says goodbye. */
bool bounce_wanted(const struct frame *f);

/*
 * Writes the error for f (template B9). by: the router's name; text: words for the sender's
 * administrator, or SPAN_NONE; never an address of a backend. Domains come out in canonical form.
 * An error must not hold a malformed address (RFC 6120 section 8.3.1): a `to` with an invalid
 * localpart or resource is cut down to its domain, one without a valid domain is replaced by
 * `by`. False when it is not wanted, when `from` is malformed or the router itself, or when it
 * does not fit; w->n is as before then.
 */
bool bounce_write(struct writer *w, const struct frame *f, enum stanza_error e, struct span by,
	struct span text) MUST_CHECK;

#define BOUNCE_MAX 65536 /* room that suffices for any bounce but the absurd */

#endif
