/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two TLS connections, one to accept and one to open, and the bytes between them,
 * which can be handed over in any pieces, kept back, or tampered with.
 */
#ifndef SLUICE_TEST_TLS_PAIR_H
#define SLUICE_TEST_TLS_PAIR_H

#include "net/tls.h"

#define WIRE (4u << 20)

struct wire {
	char *p;
	size_t n;
};

struct side {
	struct tls *tls;
	struct wire in; /* what the other has sent and this one did not take yet */
	struct wire got; /* plaintext */
	enum tls_next next;
};

struct pair {
	struct side a, o; /* accepting, opening */
	size_t piece; /* ciphertext is handed over in pieces of so many bytes; 0: whole */
	size_t room; /* for output, of each call; 0: plenty */
};

void pair_init(struct pair *p, struct tls *accepting, struct tls *opening);
void pair_free(struct pair *p);

/* One call for that side, with at most `piece` bytes of its input; what it says goes to the other's. */
void side_step(struct pair *p, struct side *s);
/* Both in turns until neither wants more than input that is not there. */
void pair_run(struct pair *p);
/* The same until both are open; fails the test if that does not happen. */
void pair_open(struct pair *p);
/* Writes all of it, running both meanwhile. */
void pair_write(struct pair *p, struct side *s, struct span text);

/* Setups; a refusal fails the test. */
struct tls_setup *setup_accept(struct tls_cert *cert, struct tls_trust *trust);
struct tls_setup *setup_open(struct tls_cert *cert, struct tls_trust *trust);
struct tls_trust *trust_of(const char *first_ca);

/* Both ends with certificates of one CA that both trust. */
struct tls_world {
	struct tls_trust *trust;
	struct tls_cert *server, *client;
	struct tls_setup *accepting, *opening;
	struct pair p;
};

void tls_world_make(struct tls_world *w);
void tls_world_free(struct tls_world *w);

#endif
