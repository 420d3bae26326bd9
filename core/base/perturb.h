/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Marks the places between two steps of a lock-free protocol where another thread
 * could come in between. Nothing in the router; the stress tests compile those
 * sources with SLUICE_PERTURB, and there threads linger now and then
 * (tests/stress/perturb.c), for else the windows are too narrow to be hit.
 */
#ifndef SLUICE_PERTURB_H
#define SLUICE_PERTURB_H

void perturb(void);

#ifdef SLUICE_PERTURB
#define PERTURB() perturb()
#else
#define PERTURB() ((void)0)
#endif

#endif
