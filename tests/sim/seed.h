/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chance, scripted: getrandom(2), for the router's own draws (core/base/rand.c) and
 * for the TLS library's where that is linked statically, gives what follows from the
 * seed, the name of the scenario and which worker asks; keys of hash tables, and with
 * them the homes of domains and endpoints (core/crew.h), from the seed alone. So ids,
 * delays, homes and keys of TLS are the same whenever a scenario is played, alone or
 * among others, under whatever load; a fault does not change them.
 */
#ifndef TESTS_SIM_SEED_H
#define TESTS_SIM_SEED_H

#include <stdint.h>

/* $SIM_SEED, else 0. */
uint64_t seed_chosen(void);
/* A run of this scenario begins, on this thread, which starts the workers. */
void seed_begin(const char *scenario);
/* This thread is that worker, from 0 on; before it draws anything. */
void seed_worker(unsigned n);

#endif
