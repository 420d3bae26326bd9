/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A component that logged in to us (XEP-0114, server side; protocol rule 6.7). The
 * header's `to` names one domain of a backend entry of the registry; after the
 * handshake the connection speaks for all domains of that entry and gets all
 * stanzas for them. A second one gets `conflict`. Belongs to the worker that
 * accepted it.
 */
#ifndef SLUICE_CORE_COMPONENT_H
#define SLUICE_CORE_COMPONENT_H

#include "core/route.h"
#include "core/stream.h"

struct component {
	struct stream s;
	struct route *route; /* after the handshake */
	char *backend; /* name of its entry; after the header */
	char id[25];
	uint8_t lang_len;
	char lang[LIMIT_LANG * 6 + 16]; /* ` xml:lang='..'` of its header, or "" */
};

/* listen_fn of the component listeners; ctx is the worker. */
bool component_accept(void *ctx, int fd, const struct addr *peer);

/* Appends a stanza. force: also beyond --queue-bytes. False: full, ending, or no memory. */
bool component_write(struct component *c, const struct span *pieces, unsigned n, bool force);
/* Can stanzas still be written to it? */
bool component_open(const struct component *c);
/* Its backend is no longer in the registry. */
void component_retire(struct component *c);

struct component *component_of(struct stream *s); /* NULL: another kind */

#endif
