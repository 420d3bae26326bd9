/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stanza on its way from one stream to another: may it go out at all (protocol
 * rules 7.6 and 8.2), and as which bytes (rule 8.6)? What it borrows from the header
 * of the stream that it came on is put into its start tag, explicit declarations of
 * the content namespace are cut out, and domains are written in canonical form: so
 * the result means the same below every header that a link of ours has, whatever
 * its content namespace is (docs/xml.md).
 *
 * Pure functions of the frame and that header; owner thread of the stream. Pieces
 * and edits die with the frame, and with the header's stream.
 */
#ifndef SLUICE_CORE_FORWARD_H
#define SLUICE_CORE_FORWARD_H

#include "core/bounce.h"
#include "core/splice.h"
#include "core/stanza.h"

/* Why a stanza goes back to its sender. */
struct forward_fault {
	enum stanza_error error;
	const char *why; /* static; for the sender's administrator */
};

/*
 * The edits of a stanza whose domains are in canonical form. in: the scanner of its stream;
 * lang: ` xml:lang='..'` of the header, or an empty span.
 */
void forward_begin(struct splice *s, const struct frame *f, const struct scan *in,
	struct span lang);

/*
 * After forward_begin. NULL: nothing in the stanza keeps it from being forwarded. from, to: its
 * addresses, decoded if FRAME_ADDR_DECODED is set.
 */
const struct forward_fault *forward_fault(const struct splice *s, const struct jid *from,
	const struct jid *to);

/* Domains in another spelling, in addresses without references: from and to point into the frame. */
void forward_domains(struct splice *s, const struct jid *from, struct span from_domain,
	const struct jid *to, struct span to_domain);
/*
 * The addresses are written anew as a whole: of decoded ones nothing else is safe (row T-G32).
 * They are put behind what `room` holds, which needs FORWARD_ROOM bytes, and stay there.
 */
void forward_addresses(struct splice *s, struct writer *room, const struct address *from,
	const struct address *to);

/* Of two addresses; escaping makes six bytes of one at most. */
#define FORWARD_ROOM (2 * 6 * ADDRESS_TEXT)
/* A stanza becomes longer by this at most: addresses, prefixes, language. */
#define FORWARD_GROWTH (FORWARD_ROOM + LIMIT_HEADER + LIMIT_LANG + 16)

#endif
