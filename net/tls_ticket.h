/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of session tickets (RFC 8446 section 4.6.1) of the process: made at random,
 * never written anywhere, shared by all workers, so that whichever accepts can resume.
 * Tickets are sealed with AES-256-GCM under the newest key and opened with the newest
 * and the one before. tls_tickets_turn() makes a new one every TLS_TICKET_S seconds, so
 * that no ticket is good for longer than twice that, and what was recorded under older
 * keys stays closed even to us. Any thread.
 */
#ifndef SLUICE_NET_TLS_TICKET_H
#define SLUICE_NET_TLS_TICKET_H

#include "core/base/span.h"

#define TLS_TICKET_S 14400 /* seconds for which a key seals; also the lifetime that we announce */

struct tls_tickets;

struct tls_tickets *tls_tickets_new(void);
void tls_tickets_free(struct tls_tickets *k);

/* From time to time, now in milliseconds; from several workers is as good as from one. */
void tls_tickets_turn(struct tls_tickets *k, uint64_t now);

struct tls_ticket_seal {
	unsigned char id[16], nonce[16], tag[32]; /* 12 bytes of the nonce count, 16 of the tag */
};

/* For net/tls_setup.c. data is encrypted in place; `bound` is authenticated with it. */
bool tls_ticket_seal(struct tls_tickets *k, struct span bound, struct tls_ticket_seal *seal,
	unsigned char *data, size_t n) MUST_CHECK;
bool tls_ticket_open(struct tls_tickets *k, struct span bound, const struct tls_ticket_seal *seal,
	unsigned char *data, size_t n) MUST_CHECK;

#endif
