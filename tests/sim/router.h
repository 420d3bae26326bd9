/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The router of one run: its flags, its files, its worker. The worker is the real
 * one, on a thread of its own, as ever; the scenario runs on that thread, too,
 * from inside the scripted ring. The main thread starts and joins it.
 */
#ifndef TESTS_SIM_ROUTER_H
#define TESTS_SIM_ROUTER_H

#include "core/worker.h"

#define ROUTER_FLAGS 64 /* of a scenario, and its files */
#define ROUTER_WHY 512

struct router {
	struct crew crew;
	struct stats last; /* after router_join */
	struct config config;
	struct resolve_rules rules;
	struct secrets *secrets;
	struct addr own[4];
	unsigned n_own;
	char dir[32]; /* of its files */
	char *flags[ROUTER_FLAGS];
	unsigned n_flags;
	struct list files;
	bool running;
	bool ended; /* and joined */
};

void router_init(struct router *r);
void router_flag(struct router *r, struct span flag);
/* Writes a file beside the others: `routes` (the registry), `policy`, `secrets`, and what the
 * registry names, `anchors` (--ca-file) and what lies in the folder `certs` (--cert-dir). */
void router_file(struct router *r, struct span name, struct span text);

/* An empty folder beside the files; what was in it is gone. */
void router_folder(struct router *r, struct span name);

/* False: why, in the router's words as far as it has any. */
bool router_start(struct router *r, char why[ROUTER_WHY]);
/* As SIGHUP does. False: refused; why. */
bool router_reload(struct router *r, char why[ROUTER_WHY]);
/* CONTROL_DRAIN, CONTROL_ABORT. False: it has ended. */
bool router_tell(struct router *r, int what);
void router_stats(const struct router *r, struct stats *sum); /* as they are, or were at its end */

enum router_door { DOOR_PEERS, DOOR_TLS, DOOR_COMPONENTS };
uint16_t router_port(const struct router *r, enum router_door door); /* 0: it has none */
void router_join(struct router *r); /* once it was told to end */
void router_free(struct router *r);

#endif
