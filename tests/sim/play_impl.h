/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What play.c (calls, phases) and steps.c (verbs) share. */
#ifndef TESTS_SIM_PLAY_IMPL_H
#define TESTS_SIM_PLAY_IMPL_H

#include "tests/sim/play.h"
#include "tests/sim/router.h"
#include "tests/sim/secure.h"
#include "tests/sim/text.h"

struct actor { /* whom the scenario has given a name */
	struct list link;
	char name[TEXT_NAME];
	struct wire *wire;
	struct secure *secure; /* TLS on the wire; NULL: not yet */
	struct host *host;
	bool ignored; /* what it still gets is of no interest */
};

struct call { /* a list of steps that is being played */
	struct call *below;
	const char *file;
	const struct step *steps, *next;
	unsigned at; /* line of the step that is being made */
	struct vars vars; /* arguments of a macro, index of a loop */
	uint64_t index, times; /* of a loop */
	char index_name[TEXT_NAME];
	bool together; /* what the steps do takes effect at once */
};

enum phase {
	PHASE_BEFORE, /* the router has not been started */
	PHASE_STEPS,
	PHASE_CLOSING, /* all connections end */
	PHASE_HEALTHY, /* a new peer comes */
	PHASE_LEAVING, /* and goes */
	PHASE_OVER, /* the router was told to end */
};

struct play {
	const struct script *script;
	const struct scenario *test;
	struct play_result *result;
	struct router router;
	struct vars globals;
	struct call *top;
	struct list actors;
	struct secures *secures;
	enum phase phase;
	bool stirred; /* the router has not yet seen what the last steps did */
	uint64_t until; /* a step lets time pass up to here; 0: no */
	uint64_t deadline; /* of PHASE_CLOSING and PHASE_LEAVING */
	enum play_fault fault;
	uint64_t k;
	struct paths *all; /* or NULL: see play() */
	bool armed;
	int log_fd;
};

enum outcome {
	STEP_DONE,
	STEP_FAILED, /* why is set */
	STEP_SETTLE, /* let the router run, then this step again */
	STEP_PASS, /* let p->until come, then this step again */
	STEP_START, /* the router must be started first */
};

/* When a step can be made: before the router starts; not; only once the router has seen all so far,
 * for it looks at what that did. */
enum when { EARLY, LATE, LOOKS };

/* One step. Blocks (`repeat`, macros) push a call and are done. */
enum outcome step_run(struct play *p, const struct step *st, char why[TEXT_WHY]);
/* What an actor does or sees; text: not expanded. */
enum outcome act(struct play *p, struct actor *a, struct span text, char why[TEXT_WHY]);
/* What an actor was told and nobody has taken, within TLS once that has begun. */
struct span actor_in(const struct actor *a);
void actor_take(struct actor *a, size_t n);

/* -- acts.c and tls_acts.c: what an actor does or sees; it gets what follows on the line -- */

typedef enum outcome act_fn(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY]);
act_fn act_tls, act_raw, act_cut, act_notify, act_alert; /* does */
act_fn act_secured, act_insecure, act_severed; /* sees */

/* -- steps.c and tls_acts.c: a verb gets what follows it on the line, expanded -- */

typedef enum outcome verb_fn(struct play *p, struct span args, char why[TEXT_WHY]);
verb_fn verb_certs, verb_anchors;

/* What has to come before a step of this kind, if anything has to. */
bool must_wait(const struct play *p, enum when when, enum outcome *how);

enum outcome failed(char why[TEXT_WHY], const char *fmt, ...) PRINTF_LIKE(2, 3);
struct vars *scope(struct play *p);
bool number(struct span s, uint64_t *out);
bool host_mode_parse(struct span s, enum host_mode *out);
struct actor *actor_find(struct play *p, struct span name);
/* A name may be given again: to a new connection. */
struct actor *actor_make(struct play *p, struct span name);

void call_push(struct play *p, const char *file, const struct step *steps);
bool call_macro(struct play *p, struct span name, struct span args, char why[TEXT_WHY]);

#endif
