/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What workers write to each other over the mesh: the kinds of records. What one
 * holds stands with the noun that writes and reads it. All of them are the router's
 * own words: a record that makes no sense is a bug, not an attack.
 */
#ifndef SLUICE_CORE_POST_H
#define SLUICE_CORE_POST_H

enum post {
	/* core/channel: stanzas for backends */
	POST_CHANNEL, /* a channel begins */
	POST_CHANNEL_END,
	POST_RUN, /* stanzas */
	POST_HELD, /* no room for more of them, for the time being */
	POST_CREDIT, /* room again */

	/* core/component */
	POST_COMPONENT, /* a connection whose backend has its home here */

	/* core/authcall, to the home of a domain or of an endpoint and back */
	POST_RESOLVE,
	POST_RESOLVED,
	POST_DIAL,
	POST_ASK,
	POST_HANG_UP,
	POST_LINK, /* what became of the stream */
	POST_ANSWER,
	POST_STRAY, /* nobody asked for that answer */

	/* core/outward, to the home of a remote domain */
	POST_OUTWARD, /* a stanza for it */
	POST_VERIFIED, /* it has asked about a key */

	POST_PHASE, /* core/worker: the router stops */
};

#endif
