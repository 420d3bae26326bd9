/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "tests/sim/clock.h"
#include "tests/sim/misread.h"
#include "tests/sim/names.h"
#include "tests/sim/play_impl.h"
#include "tests/sim/seed.h"

#define AFTERMATH_MS (30 * 60 * 1000) /* longer than any timer of the router */
#define QUIET_MS 61000 /* ... when nothing is left: for timers that should be gone, too */
#define CALLS_DEEP 16

/* -- calls -- */

void call_push(struct play *p, const char *file, const struct step *steps)
{
	struct call *f = mem_zalloc(sizeof(*f));

	f->below = p->top;
	f->file = file;
	f->steps = f->next = steps;
	f->vars.parent = p->top ? &p->top->vars : &p->globals;
	f->times = 1;
	p->top = f;
}

static void call_pop(struct play *p)
{
	struct call *f = p->top;

	p->top = f->below;
	vars_free(&f->vars);
	mem_free(f);
}

static unsigned calls_deep(const struct play *p)
{
	unsigned n = 0;

	for (const struct call *f = p->top; f; f = f->below)
		n++;
	return n;
}

bool call_macro(struct play *p, struct span name, struct span args, char why[TEXT_WHY])
{
	const struct scenario *m = script_macro(p->script, name);
	struct span params, param;

	if (!m) {
		(void)snprintf(why, TEXT_WHY, "no such step, macro or actor: %.*s", (int)name.n,
			name.p);
		return false;
	}
	if (calls_deep(p) > CALLS_DEEP) {
		(void)snprintf(why, TEXT_WHY, "macros call each other without end");
		return false;
	}
	params = span_str(m->name);
	(void)word_take(&params);
	call_push(p, m->file, m->steps);
	while ((param = word_take(&params)).n > 0) {
		/* The last parameter takes the rest of the line. */
		struct span arg = params.n > 0 ? word_take(&args) : args;

		vars_set(&p->top->vars, param, arg);
	}
	return true;
}

/* The next step, or NULL: all are done. */
static const struct step *step_next(struct play *p)
{
	while (p->top && !p->top->next) {
		struct call *f = p->top;

		if (++f->index >= f->times) {
			call_pop(p);
			continue;
		}
		f->next = f->steps;
		if (f->index_name[0]) {
			char number[24];

			(void)snprintf(number, sizeof(number), "%lu", (unsigned long)f->index);
			vars_set(&f->vars, span_str(f->index_name), span_str(number));
		}
	}
	return p->top ? p->top->next : NULL;
}

/* -- what went wrong -- */

static void play_failed(struct play *p, const char *file, unsigned line, const char *why)
{
	bool *held = p->phase <= PHASE_STEPS ? &p->result->passed : &p->result->sane;
	char *out = p->result->why;
	size_t n = 0;

	/* With a fault a step may fail: then what the aftermath shows is the news. */
	if (p->result->sane && (p->result->passed || (p->result->struck && *held))) {
		n += (size_t)snprintf(out, sizeof(p->result->why) / 2, "%s:%u: %s", file, line,
			why);
		n = n < sizeof(p->result->why) / 2 ? n : sizeof(p->result->why) / 2;
		for (const struct call *c = p->top ? p->top->below : NULL; c; c = c->below)
			n += (size_t)snprintf(out + n, TEXT_NAME * 4, "\n     from %s:%u", c->file,
				c->at);
	}
	*held = false;
	while (p->top)
		call_pop(p);
}

/* What the router has said and nobody has looked at. */
static void leftovers_check(struct play *p)
{
	list_each(l, &p->actors)
	{
		const struct actor *a = container_of(l, struct actor, link);
		char why[TEXT_WHY];
		struct span in;

		if (!a->wire || a->ignored)
			continue;
		in = actor_in(a);
		if (in.n == 0)
			continue;
		(void)snprintf(why, sizeof(why), "%s was also told: %.*s", a->name,
			(int)(in.n < 400 ? in.n : 400), in.p);
		play_failed(p, p->test->file, p->test->line, why);
		return;
	}
}

/* -- faults -- */

static void fault_arm(struct play *p)
{
	static const enum kernel_fault of_ring[] = {
		[PLAY_SHORT] = FAULT_SHORT,
		[PLAY_ENOBUFS] = FAULT_ENOBUFS,
		[PLAY_ECANCELED] = FAULT_ECANCELED,
		[PLAY_EAGAIN] = FAULT_EAGAIN,
		[PLAY_ECONNRESET] = FAULT_ECONNRESET,
		[PLAY_EMFILE] = FAULT_EMFILE,
	};

#ifdef SLUICE_FAULT_INJECTION
	if (p->all || p->fault == PLAY_ALLOC)
		paths_watch(p->all, &p->result->denied);
	if (p->all || p->fault == PLAY_ALLOC)
		(void)mem_fail_nth(p->all ? UINT64_MAX : p->k);
#else
	BUG_ON(p->fault == PLAY_ALLOC);
#endif
	if (p->fault == PLAY_UNHARMED || p->fault == PLAY_ALLOC)
		return;
	kernel_fail(of_ring[p->fault], p->k);
}

static void fault_disarm(struct play *p)
{
#ifdef SLUICE_FAULT_INJECTION
	paths_stop();
	if (p->all)
		(void)mem_fail_nth(0);
#endif
	if (p->fault == PLAY_UNHARMED)
		return;
#ifdef SLUICE_FAULT_INJECTION
	if (p->fault == PLAY_ALLOC)
		p->result->struck = mem_fail_nth(0) == 0;
#endif
	if (p->fault != PLAY_ALLOC)
		p->result->struck = kernel_failed();
	kernel_fail(FAULT_NONE, 0);
	p->fault = PLAY_UNHARMED;
}

/* -- phases -- */

static void connections_end(struct play *p)
{
	list_each(l, &p->actors)
	{
		struct actor *a = container_of(l, struct actor, link);

		a->ignored = true;
		if (a->host)
			for (struct wire *w; (w = host_accept(a->host));)
				wire_fin(w);
		if (!a->wire)
			continue;
		wire_window(a->wire, SIZE_MAX);
		wire_fin(a->wire);
	}
}

static void closing_begin(struct play *p, enum phase phase)
{
	p->phase = phase;
	p->deadline = clock_ms() + AFTERMATH_MS;
	connections_end(p);
}

/* Stanzas that wait for another server have it dialled, again and again. Whatever is known of pairs is
 * forgotten in time. */
static bool worker_is_bare(const struct worker *w)
{
	struct initiate_stats out;

	if (conns_count(w->conns) > 0 || !list_empty(&w->streams))
		return false;
	initiator_stats(w->initiator, &out);
	return out.kept == 0 && out.pairs == 0 && out.open_links == 0;
}

static bool router_is_bare(const struct play *p)
{
	const struct crew *c = &p->router.crew;

	for (unsigned i = 0; i < c->n; i++) {
		const struct worker *w = &c->workers[i];

		if (!worker_ended(w) && !worker_is_bare(w))
			return false;
	}
	return true;
}

static bool wants(struct play *p, const char *what)
{
	struct span value;

	return !vars_get(&p->globals, span_str(what), &value) || !span_is(value, "no");
}

/*
 * Delivered + returned + in doubt = accepted: everything has left, and the counters must show where to.
 * Our errors are among what was put into queues; so is, twice, what a dead link gave back.
 */
static void ledger_check(struct play *p)
{
	struct stats s;
	uint64_t came, went;
	char why[TEXT_WHY];

	crew_stats(&p->router.crew, &s);
	came = s.stanzas_in + s.stanzas_from_backends + s.stanzas_requeued;
	went = s.stanzas_out + s.stanzas_remote + s.bounce_undeliverable + s.bounce_suppressed;
	if (came == went || p->result->struck)
		return;
	(void)snprintf(why, sizeof(why), "%lu stanzas came, %lu went", (unsigned long)came,
		(unsigned long)went);
	play_failed(p, p->test->file, p->test->line, why);
}

static void healthy_begin(struct play *p)
{
	struct span macro = SPAN_LIT("healthy");
	char why[TEXT_WHY];

	p->phase = PHASE_HEALTHY;
	if (!wants(p, "healthy") || p->router.crew.workers[0].draining)
		return;
	(void)vars_get(&p->globals, span_str("healthy"), &macro);
	if (!call_macro(p, macro, span_str(""), why))
		play_failed(p, p->test->file, p->test->line, why);
}

static void phase_next(struct play *p)
{
	switch (p->phase) {
	case PHASE_STEPS:
		fault_disarm(p);
		if (p->result->passed)
			leftovers_check(p);
		closing_begin(p, PHASE_CLOSING);
		break;
	case PHASE_CLOSING:
		healthy_begin(p);
		break;
	case PHASE_HEALTHY:
		closing_begin(p, PHASE_LEAVING);
		break;
	default:
		p->phase = PHASE_OVER;
		(void)router_tell(&p->router, CONTROL_ABORT);
		break;
	}
}

static bool closing_pass(struct play *p, uint32_t wait_ms)
{
	connections_end(p); /* of those who were dialled in the meantime, too */
	if (router_is_bare(p) && p->deadline > clock_ms() + QUIET_MS)
		p->deadline = clock_ms() + QUIET_MS;
	if (clock_ms() < p->deadline) {
		sim_clock_pass(wait_ms);
		return true;
	}
	if (!router_is_bare(p))
		play_failed(p, p->test->file, p->test->line,
			"half an hour after everybody has left, the router holds connections or pairs");
	else
		ledger_check(p);
	phase_next(p);
	return false;
}

/* -- the router is idle -- */

static bool calls_together(const struct play *p)
{
	for (const struct call *f = p->top; f; f = f->below)
		if (f->together)
			return true;
	return false;
}

/* One step. True: the next one is to be made before the router runs. */
static bool step_play(struct play *p, const struct step *st, uint32_t wait_ms, bool *passed)
{
	char why[TEXT_WHY] = "";
	struct call *f = p->top;

	f->at = st->line;
	switch (step_run(p, st, why)) {
	case STEP_DONE:
		f->next = st->next;
		return calls_together(p);
	case STEP_FAILED:
		play_failed(p, f->file, st->line, why);
		return false;
	case STEP_PASS:
		if (wait_ms > p->until - clock_ms())
			wait_ms = (uint32_t)(p->until - clock_ms());
		sim_clock_pass(wait_ms);
		*passed = true;
		return false;
	case STEP_SETTLE:
		p->stirred = false;
		return false;
	case STEP_START:
		break;
	}
	BUG_ON(true);
}

static bool steps_play(struct play *p, uint32_t wait_ms)
{
	const struct step *st;
	bool passed = false;

	while ((st = step_next(p)))
		if (!step_play(p, st, wait_ms, &passed))
			return passed;
	if (p->stirred)
		p->stirred = false;
	else
		phase_next(p);
	return false;
}

static bool on_idle(void *ctx, uint32_t wait_ms)
{
	struct play *p = ctx;

	if (secures_run(p->secures))
		return false;
	if (!p->armed)
		fault_arm(p);
	p->armed = true;
	switch (p->phase) {
	case PHASE_STEPS:
	case PHASE_HEALTHY:
		return steps_play(p, wait_ms);
	case PHASE_CLOSING:
	case PHASE_LEAVING:
		return closing_pass(p, wait_ms);
	default:
		sim_clock_pass(wait_ms);
		return true;
	}
}

/* -- one run -- */

/* What has to be known before the router starts. */
static void preamble_play(struct play *p)
{
	const struct step *st;
	char why[TEXT_WHY] = "";

	while ((st = step_next(p))) {
		struct call *f = p->top;
		enum outcome how;

		f->at = st->line;
		how = step_run(p, st, why);
		if (how == STEP_START)
			return;
		if (how == STEP_FAILED) {
			play_failed(p, f->file, st->line, why);
			return;
		}
		BUG_ON(how != STEP_DONE);
		f->next = st->next;
	}
}

/* The router has ended before the steps did: they look at what is left of it. */
static void rest_play(struct play *p)
{
	const struct step *st;
	bool passed;

	while ((st = step_next(p))) {
		while (secures_run(p->secures)) {
		}
		(void)step_play(p, st, UINT32_MAX, &passed);
	}
	if (p->result->passed)
		leftovers_check(p);
}

static void play_free(struct play *p)
{
	unsigned left = kernel_end();
	char why[64];

	secures_free(p->secures);
	(void)snprintf(why, sizeof(why), "%u descriptors were not closed", left);
	if (left > 0)
		play_failed(p, p->test->file, p->test->line, why);
	while (p->top)
		call_pop(p);
	while (!list_empty(&p->actors)) {
		struct actor *a = list_first(&p->actors, struct actor, link);

		list_del(&a->link);
		mem_free(a);
	}
	vars_free(&p->globals);
	router_free(&p->router);
	names_reset();
	BUG_ON(!sim_misread(SPAN_NONE, SPAN_NONE));
	log_redirect(STDERR_FILENO);
	close(p->log_fd);
}

void play(const struct script *script, const struct scenario *test, enum play_fault fault,
	uint64_t k, struct paths *all, struct play_result *out)
{
	struct play p = { .script = script,
		.test = test,
		.result = out,
		.fault = fault,
		.k = k,
		.all = all };
	char why[TEXT_WHY] = "";

	*out = (struct play_result){ .passed = true, .sane = true };
	list_init(&p.actors);
	sim_clock_begin();
	seed_begin(test->name);
	p.secures = secures_new();
	names_reset();
	kernel_reset(on_idle, &p);
	router_init(&p.router);
	p.log_fd = memfd_create("log", MFD_CLOEXEC);
	BUG_ON(p.log_fd < 0);
	log_redirect(p.log_fd);

	call_push(&p, test->file, test->steps);
	if (!call_macro(&p, span_str("world"), span_str(""), why))
		play_failed(&p, test->file, test->line, why);
	preamble_play(&p);
	out->exempt = !wants(&p, "faults");
	if (out->passed && !(out->exempt && fault != PLAY_UNHARMED)) {
		p.phase = PHASE_STEPS;
		if (!router_start(&p.router, why))
			play_failed(&p, test->file, test->line, why);
		router_join(&p.router);
		if (p.phase == PHASE_STEPS) {
			fault_disarm(&p);
			rest_play(&p);
		}
		out->compared = p.router.last.xml_checked;
	}
	play_free(&p);
}
