/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the tests of net/dial.c: one connection out of several places, on real sockets under a clock
 * that moves only when a test moves it. One race per test (Criterion gives each a process).
 * Places are written as words: what is there, and the group.
 *   f a listener of the rig, p a plain one that says nothing, r nobody listens,
 *   d and e black holes, v one that is IPv6 where this machine has it.
 */
#ifndef SLUICE_TEST_DIAL_RIG_H
#define SLUICE_TEST_DIAL_RIG_H

#include "conn_rig.h"
#include "core/base/limits.h"
#include "net/dial.h"

#define RACE_SERVERS 8

enum race_call { RACE_NEVER, RACE_AT_PLACE_FAILED, RACE_AT_CONNECTED, RACE_AT_FAILED };

struct race {
	struct rig r;
	struct deaf deaf, other, deaf6;
	int plain, refusing;
	struct addr plain_at, refusing_at;
	struct dial *dial;
	struct place places[LIMIT_CANDIDATES];
	unsigned n;
	bool starting;
	unsigned connects, which, fails; /* of the dial that was begun last, as is what follows */
	int err; /* of `failed` */
	const char *why;
	unsigned n_place_fails;
	int place_err[LIMIT_CANDIDATES]; /* 0: has not failed */
	struct place rest[LIMIT_CANDIDATES]; /* at the end */
	unsigned n_rest;
	struct end winner, servers[RACE_SERVERS];
	enum race_call cancel; /* from inside that call */
	unsigned reject; /* so many winners are of no use: go on with the rest */
};

extern struct race race;

void race_open(void);
void race_close(void); /* everything must end without the clock's help */
void race_renew(unsigned max); /* closes and opens, with room for so many connections */

/* False: it could not even begin; *err tells why. */
bool race_try(const char *places, int *err);
void race_begin(const char *places); /* nothing has happened yet */
/* The first two have begun, and neither was handed to the kernel. */
void race_begin_two(const char *places);
void race_pass(unsigned ms);

unsigned race_dialled(void); /* attempts that were begun so far */
unsigned race_open_now(void); /* connections, both ends counted */
bool race_is_over(void *unused);

void race_won_by(unsigned which); /* waits for it */
void race_failed(int err); /* does not */
void race_place_failed(unsigned which, int err);
/* Of the winner both ends have all bytes, and nobody else has a connection. */
void race_winner_works(void);
void race_rest_is(const char *places);

#endif
