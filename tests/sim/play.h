/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of one scenario. See README.md for the steps.
 *
 * After each step the router runs until it would sleep, so that what it has not said by then it
 * will not say without a further cause (in a `together` block: after the block). When the steps
 * are over, whatever the router has said and nobody expected is a failure; all connections are
 * ended, and within half an hour the router must have let go of everything; then it must serve a
 * new peer as on the first day (macro `healthy`, or the one that `let healthy NAME` names).
 */
#ifndef TESTS_SIM_PLAY_H
#define TESTS_SIM_PLAY_H

#include "tests/sim/kernel.h"
#include "tests/sim/paths.h"
#include "tests/sim/script.h"

enum play_fault {
	PLAY_UNHARMED,
	PLAY_ALLOC, /* the kth allocation on behalf of a peer fails */
	PLAY_SHORT, /* the kth operation of the ring: see kernel.h */
	PLAY_ENOBUFS,
	PLAY_ECANCELED,
	PLAY_EAGAIN,
	PLAY_ECONNRESET,
	PLAY_EMFILE,
};

struct play_result {
	bool passed; /* every step held */
	bool sane; /* and afterwards nothing was left, and the router served a new peer */
	bool struck; /* the fault has come to pass */
	bool exempt; /* the scenario wants no faults (`let faults no`) */
	uint64_t denied; /* PLAY_ALLOC, struck: the path of who asked */
	uint64_t compared; /* stanzas, by the canary */
	char why[4096]; /* of the first that did not hold: where and what */
};

/* fault: strikes at the kth possible operation after the start. all: of a run without one, who asks for
 * memory from there on; or NULL. */
void play(const struct script *script, const struct scenario *test, enum play_fault fault,
	uint64_t k, struct paths *all, struct play_result *out);

#endif
