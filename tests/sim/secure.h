/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scenario's end of TLS on a wire: the router's own engine (net/tls.h) in the other role.
 * Handshakes go on, and what has come is decrypted, whenever the router is idle. Faults of memory
 * are the router's alone: here none is injected. Belongs to the worker's thread while that runs.
 */
#ifndef TESTS_SIM_SECURE_H
#define TESTS_SIM_SECURE_H

#include "tests/sim/kernel.h"
#include "tests/sim/text.h"

struct secure;
struct secures; /* all of one run, and what they share: sessions that can be resumed */

struct secures *secures_new(void);
void secures_free(struct secures *all); /* with every struct secure of it */
/* True: something was sent to the router. */
bool secures_run(struct secures *all);

struct secure_opts {
	bool serves; /* the side that accepts the handshake: of those whom the router dials */
	bool alpn; /* offers xmpp-server */
	bool resumes; /* a session that one with this certificate has left behind; leaves one */
	struct span cert; /* a species of the zoo; empty: none is shown */
	struct span sni; /* empty: nobody is named */
};

/* From the next byte on, both ways; a ClientHello is sent at once. NULL: why. */
struct secure *secure_begin(struct secures *all, struct wire *w, const struct secure_opts *o,
	char why[TEXT_WHY]);

/* What is said before the handshake is done goes out with the end of it. */
void secure_say(struct secure *s, struct span text);
void secure_notify(struct secure *s); /* close_notify: we have said all */
struct span secure_in(const struct secure *s); /* what the router said and nobody has taken */
void secure_take(struct secure *s, size_t n);

bool secure_opened(const struct secure *s); /* the handshake was done, whatever came later */
bool secure_broken(const struct secure *s); /* failed, or ended without the router's close_notify */
bool secure_notified(const struct secure *s); /* the router has sent its close_notify */
bool secure_resumed(const struct secure *s);
bool secure_alpn(const struct secure *s); /* xmpp-server was agreed upon */
struct span secure_sni(const struct secure *s); /* whom the opening side has named */
struct span secure_peer(const struct secure *s); /* DER of the router's certificate; may be empty */

#endif
