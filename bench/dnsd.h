/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name server for the domains of the run, over UDP. Of each zone:
 *
 *   _xmpp-server._tcp.X    SRV 0 0 port xmpp.SUFFIX, for every X that is in or below SUFFIX
 *   _xmpps-server._tcp.X   the same; either exists, without data, where the zone has no ports for it
 *   xmpp.SUFFIX            A or AAAA: the zone's address
 *   SUFFIX and below       exists, without data; so that no resolver concludes from the
 *                          answer for X that there is nothing below it
 *   anything else          NXDOMAIN
 *
 * It counts the questions: a bench of verification without look-ups measures
 * something else.
 */
#ifndef SLUICE_BENCH_DNSD_H
#define SLUICE_BENCH_DNSD_H

#include "bench/address.h"
#include "bench/loop.h"
#include "bench/names.h"

#define DNSD_MESSAGE 512
#define DNSD_ZONES 2

struct dnsd_zone {
	const char *suffix;
	struct address host; /* its port says nothing */
	/* Of _xmpp-server and _xmpps-server, NULL: none; the outside domain i has number i mod n_ports. */
	const unsigned *plain, *direct;
	uint32_t n_ports;
};

struct dnsd_counts {
	uint64_t srv; /* _xmpp-server._tcp, SRV */
	uint64_t srvs; /* _xmpps-server._tcp, SRV */
	uint64_t address; /* A and AAAA */
	uint64_t other;
	uint64_t senders; /* different outside domains whose servers were asked for */
};

struct dnsd {
	struct source source;
	struct loop *loop;
	const struct names *names;
	struct dnsd_zone zones[DNSD_ZONES];
	unsigned n_zones;
	struct dnsd_counts counts;
	uint8_t *asked; /* one per outside domain */
};

/*
 * names must outlive it, as must what the zones point to. Binds *listen (port 0: any, set to what it
 * became). false with errno set.
 */
bool dnsd_open(struct dnsd *d, struct loop *l, const struct names *names, struct address *listen,
	const struct dnsd_zone *zones, unsigned n_zones);
void dnsd_close(struct dnsd *d);

/*
 * The answer to one question, counted: its length, or 0 when there is no answer
 * to give (not a query). No I/O; needs names, zones and asked to be set.
 */
size_t dnsd_answer(struct dnsd *d, const uint8_t *query, size_t len, uint8_t out[DNSD_MESSAGE]);

#endif
