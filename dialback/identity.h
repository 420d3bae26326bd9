/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domains that a peer's certificate proves (protocol rules 4.3 and 4.4; RFC
 * 6120 section 13.7, RFC 9525 section 6, RFC 4985), for both directions: the
 * certificate of a server that we dialled and of one that dialled us. Made once
 * from the DER of the end entity's certificate, kept with the stream, and asked
 * once for every domain that the stream claims (rule 2.12): 10,000 times, say.
 *
 * What is decided here is what the certificate says and whether it may say it:
 * its names, key usages and the strength of its own signature. That it is
 * genuine, that its chain ends at a trusted root, is not revoked and is not over
 * is for the TLS library; unless that has verified the chain, identity_covers
 * means nothing, and there is no reason to make one. (DANE-EE and POSH, which need
 * no chain, need no name either and do not come here.)
 *
 * A name proves a domain when it is
 *   dNSName    the domain's A-label form, ASCII case aside; or "*." and all of it but
 *              its first label. The rest must be two labels at least: "*.test" would
 *              cover everybody's domains below a top-level one, and is ignored.
 *   SRVName    "_xmpp-server." and such a name. No other service, no "_tcp".
 *   XmppAddr   a domain that is the same in canonical form; no '@', no '/', no "*".
 * Nothing else: no address, no URI, and never the subject's common name. A name
 * with an octet that domains do not have (NUL, '_', anything above ASCII in an
 * IA5String), an empty label or a dot at its end is ignored, and the others of
 * the certificate count as before.
 *
 * One allocation of at most 96 octets and 262 for each of LIMIT_CERT_NAMES; mostly
 * a hundred. A question is two searches in sorted names. Owner thread only.
 */
#ifndef SLUICE_DIALBACK_IDENTITY_H
#define SLUICE_DIALBACK_IDENTITY_H

#include "core/base/x509.h"

struct identity;

/* The name that proved it, for the log. */
struct identity_proof {
	enum x509_name_kind kind;
	struct span name; /* lower case, A-labels, SRVName without its service; NUL-terminated,
			   * lives as long as the identity */
};

/* cert: DER; not kept. One that proves nothing has an identity as well, which says why. NULL
 * without memory. */
struct identity *identity_new(struct span cert);
void identity_free(struct identity *id); /* NULL is allowed */

/* Does it name this domain, which is in canonical form? If so *proof, else *why, in words that
 * live for ever. */
bool identity_covers(const struct identity *id, struct span domain, struct identity_proof *proof,
	const char **why) MUST_CHECK;

/* Why it covers no domain at all; NULL when it may cover some. */
const char *identity_fault(const struct identity *id);

/* SHA-256 of its SubjectPublicKeyInfo, IDENTITY_KEY octets: the key of whoever it belongs to,
 * whichever certificate it is in. SPAN_NONE when the certificate is malformed. */
#define IDENTITY_KEY 32
struct span identity_key(const struct identity *id);

/* The last second of its validity, since 1970; 0 when it is malformed. */
int64_t identity_not_after(const struct identity *id);

size_t identity_memory(const struct identity *id); /* bytes held */

#endif
