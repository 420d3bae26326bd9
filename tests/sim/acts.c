/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "core/base/mem.h"
#include "tests/sim/play_impl.h"

#define SHOWN 200

struct span actor_in(const struct actor *a)
{
	return a->secure ? secure_in(a->secure) : wire_in(a->wire);
}

void actor_take(struct actor *a, size_t n)
{
	if (a->secure)
		secure_take(a->secure, n);
	else
		wire_take(a->wire, n);
}

static bool amount(struct span s, size_t *out)
{
	uint64_t n;

	if (span_is(s, "all")) {
		*out = SIZE_MAX;
		return true;
	}
	if (!number(s, &n))
		return false;
	*out = n;
	return true;
}

/* -- what a wire does -- */

static enum outcome act_send(struct play *p, struct actor *a, struct span text, char why[TEXT_WHY])
{
	struct buf out = { 0 };
	bool ok;

	if (wire_mute(a->wire)) /* a fault may have reset it */
		return failed(why, "%s can send nothing any more", a->name);
	ok = text_expand(scope(p), text, &out, why);
	if (ok && a->secure)
		secure_say(a->secure, span_of(out.p, out.n));
	else if (ok)
		wire_send(a->wire, span_of(out.p, out.n));
	buf_free(&out);
	p->stirred = true;
	return ok ? STEP_DONE : STEP_FAILED;
}

static enum outcome act_fin(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	(void)args;
	(void)why;
	if (a->secure && !wire_mute(a->wire))
		secure_notify(a->secure);
	wire_fin(a->wire);
	p->stirred = true;
	return STEP_DONE;
}

static enum outcome act_rst(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	(void)args;
	(void)why;
	wire_rst(a->wire);
	p->stirred = true;
	return STEP_DONE;
}

static enum outcome act_window(struct play *p, struct actor *a, struct span args,
	char why[TEXT_WHY])
{
	size_t n;

	if (!amount(args, &n))
		return failed(why, "window BYTES|all");
	wire_window(a->wire, n);
	p->stirred = true;
	return STEP_DONE;
}

static enum outcome act_mss(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	size_t n;

	(void)p;
	if (!amount(args, &n))
		return failed(why, "mss BYTES|all");
	wire_mss(a->wire, n ? n : SIZE_MAX); /* so that `repeat` can begin with the whole */
	return STEP_DONE;
}

static enum outcome act_ignore(struct play *p, struct actor *a, struct span args,
	char why[TEXT_WHY])
{
	(void)p;
	(void)args;
	(void)why;
	a->ignored = true;
	return STEP_DONE;
}

/* -- what a wire sees -- */

static enum outcome act_expect(struct play *p, struct actor *a, struct span pattern,
	char why[TEXT_WHY])
{
	size_t used;

	if (!text_match(scope(p), &p->globals, pattern, actor_in(a), &used, why))
		return STEP_FAILED;
	actor_take(a, used);
	return STEP_DONE;
}

/* All up to this text and the text itself. */
static enum outcome act_skip(struct play *p, struct actor *a, struct span text, char why[TEXT_WHY])
{
	struct span in = actor_in(a);
	struct buf want = { 0 };
	const char *hit = NULL;

	if (!text_expand(scope(p), text, &want, why)) {
		buf_free(&want);
		return STEP_FAILED;
	}
	if (in.n >= want.n)
		hit = memmem(in.p, in.n, want.p, want.n);
	if (hit)
		actor_take(a, (size_t)(hit - in.p) + want.n);
	else
		(void)failed(why, "nowhere: %s\n     in: %.*s", want.p,
			(int)(in.n < SHOWN ? in.n : SHOWN), in.p);
	buf_free(&want);
	return hit ? STEP_DONE : STEP_FAILED;
}

static enum outcome nothing_more(const struct actor *a, char why[TEXT_WHY])
{
	struct span in = actor_in(a);

	if (in.n > 0)
		return failed(why, "%s was told: %.*s", a->name, (int)(in.n < SHOWN ? in.n : SHOWN),
			in.p);
	return STEP_DONE;
}

static enum outcome act_quiet(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	(void)p;
	(void)args;
	if (wire_ended(a->wire) != WIRE_OPEN)
		return failed(why, "the router has closed %s", a->name);
	return nothing_more(a, why);
}

/* The router has closed in order; so do we. */
static enum outcome act_ends(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	if (nothing_more(a, why) == STEP_FAILED)
		return STEP_FAILED;
	if (wire_ended(a->wire) != WIRE_FIN)
		return failed(why, "the router has %s %s",
			wire_ended(a->wire) == WIRE_OPEN ? "not closed" : "reset", a->name);
	if (a->secure && !secure_notified(a->secure))
		return failed(why, "the router has closed %s without a close_notify", a->name);
	return act_fin(p, a, args, why);
}

static enum outcome act_reset(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	(void)p;
	(void)args;
	if (wire_ended(a->wire) != WIRE_RESET)
		return failed(why, "the router has not reset %s", a->name);
	return nothing_more(a, why);
}

/* -- what a host does and sees -- */

static enum outcome act_accept(struct play *p, struct actor *a, struct span name,
	char why[TEXT_WHY])
{
	struct wire *w = host_accept(a->host);
	struct actor *named;

	if (!w)
		return failed(why, "the router does not dial %s", a->name);
	named = actor_make(p, name);
	named->wire = w;
	/* When the router leaves an authority is its own business; `quiet` asks. */
	named->ignored = true;
	return STEP_DONE;
}

static enum outcome act_idle(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	(void)p;
	(void)args;
	if (host_waiting(a->host) > 0)
		return failed(why, "the router has dialled %s", a->name);
	return STEP_DONE;
}

static enum outcome act_dialled(struct play *p, struct actor *a, struct span args,
	char why[TEXT_WHY])
{
	uint64_t n;

	(void)p;
	if (!number(args, &n))
		return failed(why, "dialled NUMBER");
	if (host_dialled(a->host) != n)
		return failed(why, "%s was dialled %u times", a->name, host_dialled(a->host));
	return STEP_DONE;
}

static enum outcome act_mode(struct play *p, struct actor *a, struct span args, char why[TEXT_WHY])
{
	enum host_mode mode;

	(void)p;
	if (!host_mode_parse(args, &mode))
		return failed(why, "mode accepts|refuses|silent");
	host_mode_set(a->host, mode);
	return STEP_DONE;
}

/* -- all of them -- */

static const struct {
	const char *name;
	enum when when;
	bool of_host, raw; /* raw: expands its text itself */
	act_fn *fn;
} acts[] = {
	{ ">", LATE, false, true, act_send },
	{ "fin", LATE, false, false, act_fin },
	{ "rst", LATE, false, false, act_rst },
	{ "window", LATE, false, false, act_window },
	{ "mss", LATE, false, false, act_mss },
	{ "ignore", LATE, false, false, act_ignore },
	{ "tls", LATE, false, false, act_tls },
	{ "raw", LATE, false, true, act_raw },
	{ "cut", LATE, false, false, act_cut },
	{ "notify", LATE, false, false, act_notify },
	{ "<", LOOKS, false, true, act_expect },
	{ "skip", LOOKS, false, true, act_skip },
	{ "quiet", LOOKS, false, false, act_quiet },
	{ "ends", LOOKS, false, false, act_ends },
	{ "reset", LOOKS, false, false, act_reset },
	{ "alert", LOOKS, false, false, act_alert },
	{ "secured", LOOKS, false, false, act_secured },
	{ "insecure", LOOKS, false, false, act_insecure },
	{ "severed", LOOKS, false, false, act_severed },
	{ "accept", LOOKS, true, false, act_accept },
	{ "idle", LOOKS, true, false, act_idle },
	{ "dialled", LOOKS, true, false, act_dialled },
	{ "mode", LATE, true, false, act_mode },
};

enum outcome act(struct play *p, struct actor *a, struct span raw, char why[TEXT_WHY])
{
	struct span what = word_take(&raw);
	enum outcome how;

	for (unsigned i = 0; i < ARRAY_LEN(acts); i++) {
		struct buf args = { 0 };

		if (!span_is(what, acts[i].name))
			continue;
		if (acts[i].of_host ? !a->host : !a->wire)
			return failed(why, "%s cannot do that", a->name);
		if (must_wait(p, acts[i].when, &how))
			return how;
		if (acts[i].raw)
			return acts[i].fn(p, a, raw, why);
		how = STEP_FAILED;
		if (text_expand(scope(p), raw, &args, why))
			how = acts[i].fn(p, a, span_of(args.p, args.n), why);
		buf_free(&args);
		return how;
	}
	return failed(why, "%s cannot do this: %.*s", a->name, (int)what.n, what.p);
}
