/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is remembered of domains that a certificate has proven: with which key, which is
 * the hash of its SubjectPublicKeyInfo (protocol rule 9.5, RFC 7590 section 3.6). It
 * tells two things that nobody else can: that a domain comes with another key than
 * before, and that it comes without any, though it has one. Both are what somebody on
 * the path does, and also what an administrator does; --pin-auth says what becomes of
 * them (docs/tls.md).
 *
 * A domain has one key and the one before, so that the servers of a cluster, or a change
 * that is still going on, are no news. A pin is for 30 days after the key was last seen
 * (HOLD_PIN_MS), and for as long as the process lives; it is never on disk.
 *
 * A table of fixed size (LIMIT_PINS, 4 MiB), shared by all workers without a lock
 * (dialback/vcache.h): any thread may ask and tell, nobody waits, and every pin may be
 * forgotten at any time. To be forgotten costs the protection, never a right answer: the
 * first word after it is believed, as after a start. It is no cause for an alarm or a
 * refusal.
 *
 * What a flood can do. Strangers make pins for names that they can prove: with a wildcard
 * in their certificate as many as they like, with some round trips each. New pins are
 * weak: they displace each other, and no settled pin that was asked for. A pin settles
 * when its key is seen again an hour later (PIN_SETTLES_MS). So a burst of a million
 * names leaves settled pins in use where they are, and pushes out those of domains that
 * were first seen within the hour, and at most one in five of those that have not been
 * asked for since they were settled. Someone who keeps up a million names for hours can
 * make the table forget domains that seldom come, since a settled pin that nobody asks
 * for gives way to another settled one. It takes as many handshakes and requests as are
 * counted in pairs_by_certificate; what it gains is the state before --pin-auth. It can
 * not make a pin for a domain that it cannot prove, nor aim at one: names are hashed with
 * a secret.
 *
 * Names in canonical form. Time in ms.
 */
#ifndef SLUICE_CORE_PINS_H
#define SLUICE_CORE_PINS_H

#include "core/base/span.h"

struct pins;

enum pin {
	PIN_NEW, /* nothing is remembered: first seen, or forgotten */
	PIN_KNOWN, /* proven by a key that the domain is known by */
	PIN_CHANGED, /* proven by another key */
	PIN_WEAKER, /* proven by no key, though the domain is known by one */
};

struct pins *pins_new(uint64_t now); /* dies without memory */
void pins_free(struct pins *p); /* no thread uses it any more; NULL is allowed */

/* What to make of it when `domain` is proven by the key with this hash; spki: IDENTITY_KEY octets,
 * or none: by no certificate. Changes nothing. */
enum pin pins_look(struct pins *p, struct span domain, struct span spki, uint64_t now);

/* It was proven by that key and has been believed: that is its key from now on, and the one that it
 * had is the one before. */
void pins_keep(struct pins *p, struct span domain, struct span spki, uint64_t now);

void pins_forget(struct pins *p, struct span domain, uint64_t now);

#endif
