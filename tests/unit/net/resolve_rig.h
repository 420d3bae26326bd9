/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the tests of net/resolve.c: a resolver that asks a scripted server. One per test (Criterion
 * gives each a process). Addresses in tests are public ones, which nobody connects to.
 */
#ifndef SLUICE_TEST_RESOLVE_RIG_H
#define SLUICE_TEST_RESOLVE_RIG_H

#include "fake_dns.h"
#include "fake_loop.h"
#include "net/resolve.h"

#define PLAIN(d) "_xmpp-server._tcp." d
#define DIRECT(d) "_xmpps-server._tcp." d

struct look {
	struct fake_dns server;
	struct fake_loop loop;
	struct resolver *resolver;
	struct resolve_rules rules; /* may be set before look_start */
	struct resolve_answer got; /* the last one */
	unsigned n_got, calls[2048]; /* calls: by cookie */
	bool starting;
};

extern struct look look;

void look_start(const struct fake_row *rows, unsigned n);
void look_start_impatient(const struct fake_row *rows, unsigned n, uint32_t timeout_ms);
void look_stop(void);

void look_begin(const char *domain, uint64_t cookie);
bool look_until(unsigned n); /* turns until so many answers came; false: it took too long */
/* Begins, and waits for the one answer; both tell its status. */
enum resolve_status look_up(const char *domain);
enum resolve_status look_up_host(const char *host, uint16_t port);

/* Of the last answer: the places, separated by spaces, direct ones end in "!"; and the group of each, a
 * digit. */
void places_are(const char *want);
void groups_are(const char *want);

#endif
