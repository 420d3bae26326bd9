/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one source of inbound streams may cost third parties (protocol rule 2.5):
 * look-ups in flight per /32 or /64, endpoints dialled per /24 or /48. Budgets of
 * sources without claims are kept for a while, so that a new connection does not
 * bring a new budget. Inside of dialback/verify.c; owner thread only.
 */
#ifndef SLUICE_DIALBACK_SOURCE_H
#define SLUICE_DIALBACK_SOURCE_H

#include "core/base/addr.h"
#include "core/base/hash.h"
#include "core/base/list.h"
#include "dialback/table.h"
#include "dialback/verify.h"

/* The dialling budget of a /24 or /48: a bucket of LIMIT_DIALS_PER_S tokens that fills as fast,
 * and LIMIT_DIALS_OPEN connections that are being opened. */
struct dialer {
	struct table_node node;
	uint8_t ip[16];
	struct list lanes; /* askers with undialled claims */
	struct list turn; /* in sources->dial_ready or sources->dial_parked */
	uint64_t refilled_at, wake_at; /* ms */
	uint32_t tokens; /* thousandths */
	uint32_t open;
	uint32_t refs;
};

/* The look-up window of a /32 or /64. */
struct verify_source {
	struct table_node node;
	uint8_t ip[16];
	struct dialer *dialer;
	struct list lanes; /* askers with waiting claims */
	struct list turn; /* in sources->lookup_ready: has both a claim and a slot */
	struct list idle; /* in sources->idle while refs == 0 */
	uint64_t idle_since;
	uint32_t in_flight, window, streak;
	uint32_t refs; /* askers with claims, and look-ups */
};

struct sources {
	struct hash_key key;
	struct table sources, dialers;
	struct list lookup_ready, dial_ready;
	struct list dial_parked; /* have claims but no token; by wake_at */
	struct list idle;
};

void sources_init(struct sources *ss); /* dies without memory */
void sources_free(struct sources *ss);

/* The source of an address, held once. NULL without memory or when LIMIT_SOURCES are held. */
struct verify_source *source_hold(struct sources *ss, const struct addr *from);
void source_release(struct sources *ss, struct verify_source *s, uint64_t now);

/* To be called when a claim has come, or a slot: puts the source in line. */
void source_wake(struct sources *ss, struct verify_source *s);
/* A look-up takes a slot and holds the source, until it ends. */
void source_lookup_begin(struct verify_source *s);
void source_lookup_end(struct sources *ss, struct verify_source *s, uint64_t now);
/* A look-up was not answered for long: the source gets fewer of them at a time, for the slots that
 * they hold up are everybody's. */
void source_silence(struct verify_source *s);
/* A claim that had led a look-up has ended. */
void source_learn(struct sources *ss, struct verify_source *s, bool valid);

/* To be called when a claim has come, or an opening connection is gone. */
void dialer_wake(struct sources *ss, struct dialer *d);
/* Takes a token. False: there is none, or too many connections are opening; the dialer will be in
 * line again when that changes. */
bool dialer_take(struct sources *ss, struct dialer *d, uint64_t now);
/* The connection is open, or could not be opened. */
void dialer_release(struct sources *ss, struct dialer *d);
/* Puts those in line again whose next token has come. */
void dialers_unpark(struct sources *ss, uint64_t now);

/* Forgets what has been idle for long; some at a time. */
void sources_prune(struct sources *ss, uint64_t now);

#endif
