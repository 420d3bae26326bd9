/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The books of a run with stages (bench/pace.h): what was sent and what has arrived
 * of it, by the stage in which it was due, and by whether it is of those pairs that are
 * in trouble (whose backend stalls, that make the noise) or of the others, which must not
 * feel it. One more book is for the time while late pairs are being verified.
 */
#ifndef SLUICE_BENCH_FLOWS_H
#define SLUICE_BENCH_FLOWS_H

#include "bench/latency.h"
#include "bench/names.h"
#include "bench/pace.h"

#define FLOWS_NONE UINT32_MAX

enum flow_whose { FLOW_OTHERS, FLOW_TROUBLED, FLOWS };

struct flow {
	uint64_t sent, arrived;
	uint64_t last; /* when the last one arrived */
	struct latency latency;
};

struct flows {
	const struct names *names;
	const struct pace *pace;
	uint32_t receiver,
		pair; /* those in trouble, or FLOWS_NONE; receiver: backend or endpoint */
	struct flow of[STAGES][FLOWS];
	uint64_t from, to; /* while late pairs are being verified; UINT64_MAX: not yet */
	struct flow meanwhile; /* of what was due then */
};

/* names and pace must outlive it. */
void flows_init(struct flows *f, const struct names *names, const struct pace *pace);

static inline struct flow *flows_of(struct flows *f, uint32_t pair, uint64_t time)
{
	bool troubled = pair == f->pair ||
		(f->receiver != FLOWS_NONE && names_receiver(f->names, pair) == f->receiver);

	return &f->of[pace_stage(f->pace, time)][troubled ? FLOW_TROUBLED : FLOW_OTHERS];
}

static inline bool flows_meanwhile(const struct flows *f, uint64_t time)
{
	return time >= f->from && time <= f->to;
}

/* time: the one that the stanza is stamped with. */
static inline void flows_send(struct flows *f, uint32_t pair, uint64_t time)
{
	flows_of(f, pair, time)->sent++;
	f->meanwhile.sent += flows_meanwhile(f, time);
}

static inline void flow_arrive(struct flow *flow, uint64_t time, uint64_t now)
{
	flow->arrived++;
	flow->last = now;
	latency_add(&flow->latency, now > time ? now - time : 0);
}

/* Only for the first arrival of a stanza. */
static inline void flows_arrive(struct flows *f, uint32_t pair, uint64_t time, uint64_t now)
{
	flow_arrive(flows_of(f, pair, time), time, now);
	if (flows_meanwhile(f, time))
		flow_arrive(&f->meanwhile, time, now);
}

#endif
