/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/run_impl.h"

/* Between two looks at the router's counters; its log holds back more than five a second. */
#define ASK_NS (250 * NS_PER_MS)
/* While something comes it is not asked: it would have to wait until the answer is here. */
#define PAUSE_NS (20 * NS_PER_MS)
/* So long nothing has come: what was in the buffers of a connection that died never will. */
#define SILENCE_NS (3 * NS_PER_S)

static void trouble_begin(struct run *run)
{
	const struct options *o = run->o;
	uint32_t last = run->names.n_backends - 1;

	if (o->stall)
		sink_stall(&run->sink, last, true);
	if (o->vanish)
		sink_vanish(&run->sink, last);
	if (o->noise)
		origin_noise(&run->origin, true);
	if (o->late_pairs) {
		run->flows.from = bench_now();
		run->loop.turns = &run->late_turns;
		origin_assert_late(&run->origin);
	}
	if (o->outage)
		run_outage(run, true);
}

/* The last of them was answered. */
static void late_end(struct run *run)
{
	run->loop.turns = NULL;
	run->flows.to = run->origin.counts.pairs[WAVE_LATE].last;
}

static void trouble_end(struct run *run)
{
	const struct options *o = run->o;
	uint32_t last = run->names.n_backends - 1;

	if (o->stall)
		sink_stall(&run->sink, last, false);
	if (o->vanish && !sink_return(&run->sink, last))
		result_fail(run->r, "component: %s", strerror(errno));
	if (o->noise)
		origin_noise(&run->origin, false);
	if (o->overload > 1)
		origin_forget(&run->origin);
	if (o->outage)
		run_outage(run, false);
}

void run_trouble_turn(struct run *run)
{
	sink_turn(&run->sink);
	origin_turn(&run->origin);
	run_remotes_turn(run);
	while (run->stage < run->last_stage &&
		run->stage < pace_stage(&run->feed.pace, bench_now())) {
		run->stage++;
		if (run->stage == STAGE_MIDDLE)
			trouble_begin(run);
		else
			trouble_end(run);
	}
	if (run->loop.turns && origin_settled(&run->origin))
		late_end(run);
}

void run_counters_refresh(struct run *run)
{
	uint64_t now = bench_now();

	if (now - run->asked < ASK_NS)
		return;
	run->asked = now;
	run->counted = counters_ask(&run->child, &run->counters);
}

bool run_trouble_over(struct run *run)
{
	const struct counters *c = &run->counters;
	const struct ledger *l = &run->ledger;
	uint64_t silence = bench_now() - run->flood.last;

	if (options_out(run->o))
		return run_outward_over(run);
	if (!run_is_counted(run->o))
		return l->arrived == l->sent;
	if (l->arrived < l->sent && silence < PAUSE_NS)
		return false;
	run_counters_refresh(run);
	if (!run->counted || c->accepted < l->sent)
		return false;
	if (l->arrived + c->returned == l->sent)
		return true;
	return silence > SILENCE_NS && (c->in_doubt || run->sink.n_returned || c->unread);
}
