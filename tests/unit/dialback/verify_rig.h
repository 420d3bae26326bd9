/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scripted network for the verifier: writes down what it asks for, and answers
 * when the test says so, in virtual time. One rig per test (Criterion gives each a
 * process).
 */
#ifndef SLUICE_TESTS_DIALBACK_VERIFY_RIG_H
#define SLUICE_TESTS_DIALBACK_VERIFY_RIG_H

#include "dialback/pairs.h"
#include "dialback/verify.h"

#define RIG_MAX 25000

struct rig_lookup {
	char domain[48];
	uint64_t cookie;
	bool open;
};

struct rig_link {
	struct verify_link *link;
	struct place to;
	char header_from[48], header_to[48];
	uint64_t at;
	bool open, up, hung_up;
};

struct rig_ask {
	unsigned link; /* index */
	char from[48], to[48], id[STREAM_ID_LEN + 1], key[48];
	bool open;
};

struct rig_done {
	struct asker *asker;
	char from[48];
	enum verify_outcome outcome;
	bool tried;
	struct addr authority;
};

struct rig {
	struct verifier *v;
	uint64_t now;
	struct rig_lookup lookups[RIG_MAX];
	struct rig_link links[RIG_MAX];
	struct rig_ask asks[RIG_MAX];
	struct rig_done done[RIG_MAX];
	unsigned n_lookups, n_links, n_asks, n_done;
	unsigned open_lookups, open_asks, dialling; /* now */
	unsigned most_lookups, most_asks, most_dialling; /* at once */
	bool refuse_dials, refuse_asks;
	const char *resolve_inside; /* places for all look-ups, at once */
	void (*on_done)(struct claim *c);
};

extern struct rig rig;

void rig_begin(void);
void rig_end(void);

void rig_asker(struct asker *a, const char *id, const char *source);
/* Its stream ends: whatever happened, nothing may be left behind. */
void rig_asker_gone(struct asker *a);
struct claim *rig_claim(struct asker *a, struct pair *p, const char *from, const char *to,
	const char *key);
/* n claims; format: of the sender's name, with a number. */
void rig_flood(struct asker *a, unsigned n, const char *format);

/* Passes time, then turns until there is nothing to do at once. */
void rig_turn(uint64_t ms);
/* The same in small steps. */
void rig_wait(uint64_t ms);

/* places: "192.0.2.1:5269 192.0.2.2:5269!", "!" for direct TLS; or NULL for `how`. Turns. */
void rig_resolved(unsigned lookup, enum verify_resolution how, const char *places);
void rig_up(unsigned link);
void rig_down(unsigned link, enum verify_loss how);
bool rig_answer(unsigned ask, enum answer answer);
/* Answers what is open, turns, and so on until nothing is. */
void rig_answer_all(enum answer answer);

unsigned rig_outcomes(enum verify_outcome o);

#endif
