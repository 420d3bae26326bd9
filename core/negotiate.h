/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stream headers of server-to-server streams: reads the peer's (RFC 6120 section
 * 4.7, protocol rules 1.1, 1.2 and 1.8) and writes ours (templates B1 and B2).
 * Pure; owner thread of the stream.
 */
#ifndef SLUICE_CORE_NEGOTIATE_H
#define SLUICE_CORE_NEGOTIATE_H

#include "core/base/domain.h"
#include "xml/element.h"
#include "xml/scan.h"
#include "xml/writer.h"

#define NS_STREAMS "http://etherx.jabber.org/streams"
#define NS_SERVER "jabber:server"
#define NS_COMPONENT "jabber:component:accept"
#define NS_DIALBACK "jabber:server:dialback"
#define NS_TLS "urn:ietf:params:xml:ns:xmpp-tls"
#define NS_SASL "urn:ietf:params:xml:ns:xmpp-sasl"

/* ` xml:lang='..'` of a header, for stanzas that have none of their own. */
struct lang {
	uint8_t len; /* 0: none */
	char text[LIMIT_LANG + 16];
};

/* Which end wrote a header. */
enum header_side {
	HEADER_INITIAL,
	HEADER_RESPONSE, /* odd addresses in it are the peer's own affair (T-H22) */
};

struct header {
	struct domain from, to; /* canonical; len 0: absent */
	struct span lang;
	bool versioned; /* has version='1.x'; else a peer of before RFC 3920 */
	bool dialback; /* declares the dialback namespace */
};

/* NULL: h is filled in. Else the stream error that answers it, with *why in words; what could be
 * read is in h all the same. */
const char *header_read(struct header *h, const struct element *e, const struct scan *scan,
	enum header_side side, const char **why);
/* What RFC 3920 and 6120 demand of a header in that content namespace; part of header_read. */
const char *header_shape(const struct element *e, const struct scan *scan, const char *content_ns,
	const char **why);

/* "1.0" and the like. False: no number. */
bool version_parse(struct span s, unsigned *major, unsigned *minor);

/* What our header says beside its addresses. */
enum header_form {
	HEADER_LEGACY, /* no version: for peers of before RFC 3920 */
	HEADER_PLAIN, /* version='1.0'. For streams on which stanzas leave: those that have no language
		       * would get the header's (8.6) */
	HEADER_SPEAKING, /* version='1.0' and xml:lang, that of our words */
};

/* Our header. id: p == NULL for the initiating side. */
void header_write(struct writer *w, struct span from, struct span to, struct span id,
	enum header_form form);

/* Takes a language tag over (RFC 5646: letters, digits, hyphens); drops what is none, since it goes
 * into every stanza of the stream. */
void lang_keep(struct lang *l, struct span value);

static inline struct span lang_span(const struct lang *l)
{
	return span_of(l->text, l->len);
}

/* Does the stream's header bind any prefix to this namespace? */
bool header_declares(const struct scan *scan, const char *ns);

#endif
