/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A DNS server for tests: UDP and TCP on one loopback port, one thread, scripted
 * rows, and a record of every question.
 */
#ifndef SLUICE_TESTS_FAKE_DNS_H
#define SLUICE_TESTS_FAKE_DNS_H

#include <pthread.h>

#include "core/base/addr.h"

#define FAKE_MESSAGE 16384

enum { T_A = 1, T_CNAME = 5, T_AAAA = 28, T_SRV = 33 };

enum fake_how {
	FAKE_ANSWER, /* the row's record; all rows of one question make one answer */
	FAKE_NODATA, /* with a SOA of the row's ttl */
	FAKE_NXDOMAIN,
	FAKE_NODATA_BARE, /* without SOA */
	FAKE_SERVFAIL,
	FAKE_DROP, /* silence */
	FAKE_TRUNCATE, /* over UDP nothing but the flag; over TCP the row's record */
	FAKE_GARBAGE, /* counts a record that is not there */
	FAKE_FORGED, /* an answer to another question first, then the row's record */
	FAKE_LOOP, /* the target is a name that points at itself */
	FAKE_NO_EDNS, /* FORMERR for questions with an OPT record */
};

struct fake_row {
	const char *name; /* "*.suffix" stands for every name below it */
	uint16_t type; /* of the question */
	enum fake_how how;
	uint32_t ttl;
	const char *text; /* SRV: "prio weight port target"; A, AAAA: address; "=name": a CNAME */
};

struct fake_question {
	char name[256];
	uint16_t type;
};

struct fake_dns {
	const struct fake_row *rows;
	unsigned n_rows;
	int udp, tcp, stop;
	struct addr addr;
	pthread_t thread;
	pthread_mutex_t lock;
	struct fake_question *asked;
	unsigned n_asked, n_tcp;
};

void fake_start(struct fake_dns *f, const struct fake_row *rows, unsigned n);
void fake_stop(struct fake_dns *f);

/* Questions of this type for this very spelling; NULL or 0: for any. */
unsigned fake_count(struct fake_dns *f, uint16_t type, const char *name);
unsigned fake_tcp_count(struct fake_dns *f);

struct addr fake_addr(const char *text); /* with a port or without */

/* -- messages: what the server writes -- */

struct fake_out {
	uint8_t p[FAKE_MESSAGE];
	size_t n;
};

void fake_bytes(struct fake_out *o, const void *p, size_t n);
void fake_name(struct fake_out *o, const char *name);
void fake_record(struct fake_out *o, const struct fake_row *row);
void fake_soa(struct fake_out *o, uint32_t ttl);

#endif
