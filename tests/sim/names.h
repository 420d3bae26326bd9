/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scripted DNS, linked instead of net/dns.c: what the scenario has not named
 * does not exist (NXDOMAIN). No cache: every look-up is a question, and counted.
 * Names may begin with "*.", which stands for one or more labels.
 */
#ifndef TESTS_SIM_NAMES_H
#define TESTS_SIM_NAMES_H

#include "net/dns.h"

void names_reset(void);
void names_srv(struct span name, const struct srv_record *r); /* name: with its service labels */
void names_addr(struct span name, const struct addr *a);
void names_fail(struct span name); /* SERVFAIL for whatever lies at or below it */
void names_hold(struct span name); /* no answer; as a failure when the time is up */
void names_release(struct span name); /* ... but now */
unsigned names_asked(struct span name); /* questions so far for what lies at or below it */

#endif
