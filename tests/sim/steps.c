/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "tests/sim/clock.h"
#include "tests/sim/misread.h"
#include "tests/sim/names.h"
#include "tests/sim/play_impl.h"

enum outcome failed(char why[TEXT_WHY], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, TEXT_WHY, fmt, ap);
	va_end(ap);
	return STEP_FAILED;
}

struct vars *scope(struct play *p)
{
	return p->top ? &p->top->vars : &p->globals;
}

bool number(struct span s, uint64_t *out)
{
	return span_u64(s, UINT64_MAX / 2, out);
}

/* -- actors -- */

struct actor *actor_find(struct play *p, struct span name)
{
	list_each(l, &p->actors)
	{
		struct actor *a = container_of(l, struct actor, link);

		if (span_is(name, a->name))
			return a;
	}
	return NULL;
}

/* A name may be given again: to a new connection. */
struct actor *actor_make(struct play *p, struct span name)
{
	struct actor *a = mem_zalloc(sizeof(*a));

	BUG_ON(name.n == 0 || name.n >= TEXT_NAME);
	memcpy(a->name, name.p, name.n);
	list_add(&p->actors, &a->link);
	return a;
}

static enum outcome dial(struct play *p, struct span args, enum router_door door,
	char why[TEXT_WHY])
{
	struct span name = word_take(&args), from = word_take(&args);
	struct addr at;
	struct wire *w;

	if (from.n == 0)
		from = span_str(door == DOOR_COMPONENTS ? "127.0.0.1:40000" : "198.51.100.1:40000");
	if (!addr_parse(from, 40000, &at))
		return failed(why, "not an address: %.*s", (int)from.n, from.p);
	w = wire_dial(&at, router_port(&p->router, door));
	if (!w)
		return failed(why, "the router does not listen");
	actor_make(p, name)->wire = w;
	p->stirred = true;
	return STEP_DONE;
}

static enum outcome do_peer(struct play *p, struct span args, char why[TEXT_WHY])
{
	return dial(p, args, DOOR_PEERS, why);
}

static enum outcome do_direct(struct play *p, struct span args, char why[TEXT_WHY])
{
	return dial(p, args, DOOR_TLS, why);
}

static enum outcome do_link(struct play *p, struct span args, char why[TEXT_WHY])
{
	return dial(p, args, DOOR_COMPONENTS, why);
}

static enum outcome do_refused(struct play *p, struct span args, char why[TEXT_WHY])
{
	struct addr at = { 0 };
	bool component = span_is(word_take(&args), "link");

	return wire_dial(&at, router_port(&p->router, component ? DOOR_COMPONENTS : DOOR_PEERS))
		? failed(why, "the router still listens")
		: STEP_DONE;
}

bool host_mode_parse(struct span s, enum host_mode *out)
{
	if (s.n == 0 || span_is(s, "accepts"))
		*out = HOST_ACCEPTS;
	else if (span_is(s, "refuses"))
		*out = HOST_REFUSES;
	else if (span_is(s, "silent"))
		*out = HOST_SILENT;
	else
		return false;
	return true;
}

static enum outcome do_listen(struct play *p, struct span args, char why[TEXT_WHY])
{
	struct span name = word_take(&args), where = word_take(&args);
	enum host_mode mode;
	struct addr at;

	if (!addr_parse(where, 0, &at) || !host_mode_parse(word_take(&args), &mode))
		return failed(why, "listen NAME ADDR:PORT [accepts|refuses|silent]");
	actor_make(p, name)->host = host_open(&at, mode);
	return STEP_DONE;
}

/* -- names, time, log, counters -- */

/* dns NAME srv|srvs PRIORITY WEIGHT PORT TARGET; target . is the root */
static enum outcome dns_srv(struct span name, bool direct, struct span args, char why[TEXT_WHY])
{
	struct srv_record r = { .direct = direct };
	struct buf full = { 0 };
	uint64_t n[3];
	struct span target;

	for (unsigned i = 0; i < 3; i++)
		if (!span_u64(word_take(&args), 65535, &n[i]))
			return failed(why, "dns NAME srv PRIORITY WEIGHT PORT TARGET");
	target = word_take(&args);
	if (target.n == 0 || target.n >= sizeof(r.target))
		return failed(why, "dns NAME srv PRIORITY WEIGHT PORT TARGET");
	r.priority = (uint16_t)n[0];
	r.weight = (uint16_t)n[1];
	r.port = (uint16_t)n[2];
	if (!span_is(target, "."))
		memcpy(r.target, target.p, target.n);
	buf_add(&full, span_str(direct ? "_xmpps-server._tcp." : "_xmpp-server._tcp."));
	buf_add(&full, name);
	names_srv(span_of(full.p, full.n), &r);
	buf_free(&full);
	return STEP_DONE;
}

static enum outcome do_dns(struct play *p, struct span args, char why[TEXT_WHY])
{
	struct span name = word_take(&args), what = word_take(&args);
	struct addr a;

	p->stirred = true;
	if (span_is(what, "srv") || span_is(what, "srvs"))
		return dns_srv(name, span_is(what, "srvs"), args, why);
	if (span_is(what, "fails")) {
		names_fail(name);
	} else if (span_is(what, "silent")) {
		names_hold(name);
	} else if (span_is(what, "answers")) {
		names_release(name);
		/* Nobody, before it runs and when it has ended. */
		for (unsigned i = 0; p->router.crew.workers && i < p->router.crew.n; i++)
			uring_wake(p->router.crew.workers[i].ring);
	} else if (span_is(what, "a") && addr_parse_ip(word_take(&args), &a)) {
		names_addr(name, &a);
	} else {
		return failed(why, "dns NAME srv|srvs|a|fails|silent|answers ...");
	}
	return STEP_DONE;
}

static enum outcome do_asked(struct play *p, struct span args, char why[TEXT_WHY])
{
	struct span name = word_take(&args);
	uint64_t n;

	(void)p;
	if (!number(args, &n))
		return failed(why, "asked NAME TIMES");
	if (names_asked(name) != n)
		return failed(why, "%.*s was asked for %u times", (int)name.n, name.p,
			names_asked(name));
	return STEP_DONE;
}

static bool duration(struct span s, uint64_t *ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "min", 60000 } };
	size_t digits = 0;
	uint64_t n;

	while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	if (!number(span_of(s.p, digits), &n))
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(units); i++)
		if (span_is(span_skip(s, digits), units[i].unit)) {
			*ms = n * units[i].ms;
			return true;
		}
	return false;
}

static enum outcome do_time(struct play *p, struct span args, char why[TEXT_WHY])
{
	uint64_t ms;

	if (p->until == 0) {
		if (!duration(args, &ms))
			return failed(why, "time NUMBERms|s|min");
		p->until = clock_ms() + ms;
	}
	if (clock_ms() < p->until)
		return STEP_PASS;
	p->until = 0;
	return STEP_DONE;
}

static char *log_read(const struct play *p)
{
	off_t n = lseek(p->log_fd, 0, SEEK_END);
	char *text = mem_alloc((size_t)n + 1);

	BUG_ON(n < 0 || pread(p->log_fd, text, (size_t)n, 0) != n);
	text[n] = '\0';
	return text;
}

/* Is there a line of this event that holds the rest of the words as they stand? */
static bool log_holds(const struct play *p, struct span args)
{
	struct span event = word_take(&args);
	char *text = log_read(p), *save = NULL;
	char mark[TEXT_NAME + 4];
	bool found = false;
	char *rest = mem_dup_span(args);

	(void)snprintf(mark, sizeof(mark), " %.*s: ", (int)(event.n < TEXT_NAME ? event.n : 0),
		event.p);
	for (char *line = strtok_r(text, "\n", &save); line && !found;
		line = strtok_r(NULL, "\n", &save))
		found = strstr(line, mark) && strstr(line, rest);
	mem_free(rest);
	mem_free(text);
	return found;
}

static enum outcome do_log(struct play *p, struct span args, char why[TEXT_WHY])
{
	char *text;

	if (log_holds(p, args))
		return STEP_DONE;
	text = log_read(p);
	(void)failed(why, "not in the log: %.*s\n%s", (int)args.n, args.p, text);
	mem_free(text);
	return STEP_FAILED;
}

static enum outcome do_unlogged(struct play *p, struct span args, char why[TEXT_WHY])
{
	char *text = log_read(p);
	bool found = memmem(text, strlen(text), args.p, args.n) != NULL;

	mem_free(text);
	return found ? failed(why, "the log tells %.*s", (int)args.n, args.p) : STEP_DONE;
}

/* False: there is no such counter. */
static bool stat_find(const struct stats *all, struct span name, uint64_t *value)
{
#define STAT_FIND(field, text)                                                                     \
	if (span_is(name, #field)) {                                                               \
		*value = all->field;                                                               \
		return true;                                                                       \
	}
	STATS_TABLE(STAT_FIND)
#undef STAT_FIND
	return false;
}

/* NAME[+NAME...], or a number. */
static bool sum_take(const struct stats *all, struct span *args, uint64_t *sum, char why[TEXT_WHY])
{
	struct span left = word_take(args);
	uint64_t one;

	if (number(left, sum))
		return true;
	if (left.n == 0) {
		(void)failed(why, "stat NAME[+NAME...] [most] NUMBER|NAME[+NAME...]");
		return false;
	}
	*sum = 0;
	while (left.n > 0) {
		size_t n = span_find(left, '+');

		if (!stat_find(all, span_of(left.p, n), &one)) {
			(void)failed(why, "no such counter: %.*s", (int)n, left.p);
			return false;
		}
		*sum += one;
		left = span_skip(left, n < left.n ? n + 1 : n);
	}
	return true;
}

static enum outcome do_stat(struct play *p, struct span args, char why[TEXT_WHY])
{
	struct span what = args, rest;
	struct stats all;
	uint64_t is, want;
	bool most;

	router_stats(&p->router, &all);
	if (!sum_take(&all, &args, &is, why))
		return STEP_FAILED;
	rest = args;
	most = span_is(word_take(&rest), "most");
	if (most)
		args = rest;
	if (!sum_take(&all, &args, &want, why))
		return STEP_FAILED;
	if (args.n > 0)
		return failed(why, "stat NAME[+NAME...] [most] NUMBER|NAME[+NAME...]");
	return is == want || (most && is < want)
		? STEP_DONE
		: failed(why, "%.*s: is %lu and %lu", (int)what.n, what.p, (unsigned long)is,
			  (unsigned long)want);
}

/* -- the router -- */

static enum outcome do_router(struct play *p, struct span args, char why[TEXT_WHY])
{
	(void)why;
	while (args.n > 0)
		router_flag(&p->router, word_take(&args));
	return STEP_DONE;
}

/* registry, policy and secrets: the rest of the line, and the lines that continue it. */
static enum outcome file_write(struct play *p, const char *name, struct span text)
{
	router_file(&p->router, span_str(name), text);
	return STEP_DONE;
}

static enum outcome do_registry(struct play *p, struct span args, char why[TEXT_WHY])
{
	(void)why;
	return file_write(p, "routes", args);
}

static enum outcome do_policy(struct play *p, struct span args, char why[TEXT_WHY])
{
	(void)why;
	return file_write(p, "policy", args);
}

static enum outcome do_secrets(struct play *p, struct span args, char why[TEXT_WHY])
{
	(void)why;
	return file_write(p, "secrets", args);
}

static enum outcome do_file(struct play *p, struct span args, char why[TEXT_WHY])
{
	struct span name = word_take(&args);

	(void)why;
	router_file(&p->router, name, args);
	return STEP_DONE;
}

/* reload, or: reload refused WORDS */
static enum outcome do_reload(struct play *p, struct span args, char why[TEXT_WHY])
{
	char because[ROUTER_WHY] = "";
	bool ok = router_reload(&p->router, because);
	struct span how = word_take(&args);

	p->stirred = true;
	if (!span_is(how, "refused"))
		return ok ? STEP_DONE : failed(why, "%s", because);
	if (ok)
		return failed(why, "it was not refused");
	return memmem(because, strlen(because), args.p, args.n)
		? STEP_DONE
		: failed(why, "it was refused with: %s", because);
}

static enum outcome do_explain(struct play *p, struct span args, char why[TEXT_WHY])
{
	(void)args;
	p->stirred = true;
	return router_tell(&p->router, CONTROL_EXPLAIN) ? STEP_DONE : failed(why, "not told");
}

static enum outcome do_drain(struct play *p, struct span args, char why[TEXT_WHY])
{
	(void)args;
	p->stirred = true;
	return router_tell(&p->router, CONTROL_DRAIN) ? STEP_DONE : failed(why, "not told");
}

static enum outcome do_abort(struct play *p, struct span args, char why[TEXT_WHY])
{
	(void)args;
	p->stirred = true;
	return router_tell(&p->router, CONTROL_ABORT) ? STEP_DONE : failed(why, "not told");
}

/* fail short|enobufs|ecanceled|eagain|econnreset|emfile [NTH] */
static enum outcome do_fail(struct play *p, struct span args, char why[TEXT_WHY])
{
	static const char *const names[] = { [FAULT_SHORT] = "short",
		[FAULT_ENOBUFS] = "enobufs",
		[FAULT_ECANCELED] = "ecanceled",
		[FAULT_EAGAIN] = "eagain",
		[FAULT_ECONNRESET] = "econnreset",
		[FAULT_EMFILE] = "emfile" };
	struct span what = word_take(&args);
	uint64_t nth = 1;

	(void)p;
	if (args.n > 0 && !number(args, &nth))
		return failed(why, "fail WHAT [NTH]");
	for (unsigned i = FAULT_SHORT; i < ARRAY_LEN(names); i++)
		if (span_is(what, names[i])) {
			kernel_fail((enum kernel_fault)i, nth);
			return STEP_DONE;
		}
	return failed(why, "no such fault: %.*s", (int)what.n, what.p);
}

/* misread TEXT as SEEN, both with blanks; alone: no more */
static enum outcome do_misread(struct play *p, struct span args, char why[TEXT_WHY])
{
	static const char as[] = " as ";
	const char *at = args.n ? memmem(args.p, args.n, as, sizeof(as) - 1) : NULL;
	struct span text = args, seen = SPAN_NONE;

	(void)p;
	if (at) {
		text.n = (size_t)(at - args.p);
		seen = span_skip(args, text.n + sizeof(as) - 1);
	}
	return sim_misread(text, seen) ? STEP_DONE
				       : failed(why, "misread TEXT as SEEN, of one length");
}

/* -- the language -- */

static enum outcome do_let(struct play *p, struct span args, char why[TEXT_WHY])
{
	struct span name = word_take(&args);

	if (name.n == 0 || name.n >= TEXT_NAME)
		return failed(why, "let NAME VALUE");
	vars_set(&p->globals, name, args);
	return STEP_DONE;
}

/* differs ONE OTHER */
static enum outcome do_differs(struct play *p, struct span args, char why[TEXT_WHY])
{
	struct span one = word_take(&args);

	(void)p;
	return span_eq(one, args) ? failed(why, "both are %.*s", (int)one.n, one.p) : STEP_DONE;
}

/* repeat TIMES as NAME: the index counts from 0. */
static enum outcome repeat(struct play *p, const struct step *st, struct span args,
	char why[TEXT_WHY])
{
	struct span times = word_take(&args), as = word_take(&args), name = word_take(&args);
	const char *file = p->top->file;
	uint64_t n;

	if (!number(times, &n) || !span_is(as, "as") || name.n == 0 || name.n >= TEXT_NAME)
		return failed(why, "repeat TIMES as NAME");
	if (n == 0 || !st->body)
		return STEP_DONE;
	call_push(p, file, st->body);
	p->top->times = n;
	memcpy(p->top->index_name, name.p, name.n);
	vars_set(&p->top->vars, name, span_str("0"));
	return STEP_DONE;
}

static const struct {
	const char *name;
	enum when when;
	verb_fn *fn;
} verbs[] = {
	{ "let", EARLY, do_let },
	{ "router", EARLY, do_router },
	{ "registry", EARLY, do_registry },
	{ "policy", EARLY, do_policy },
	{ "secrets", EARLY, do_secrets },
	{ "file", EARLY, do_file },
	{ "certs", EARLY, verb_certs },
	{ "anchors", EARLY, verb_anchors },
	{ "dns", EARLY, do_dns },
	{ "listen", EARLY, do_listen },
	{ "peer", LATE, do_peer },
	{ "direct", LATE, do_direct },
	{ "link", LATE, do_link },
	{ "fail", LATE, do_fail },
	{ "misread", LOOKS, do_misread },
	{ "refused", LOOKS, do_refused },
	{ "differs", LOOKS, do_differs },
	{ "asked", LOOKS, do_asked },
	{ "time", LOOKS, do_time },
	{ "log", LOOKS, do_log },
	{ "unlogged", LOOKS, do_unlogged },
	{ "stat", LOOKS, do_stat },
	{ "reload", LOOKS, do_reload },
	{ "drain", LOOKS, do_drain },
	{ "explain", LOOKS, do_explain },
	{ "abort", LOOKS, do_abort },
};

/* What has to come before a step of this kind can be made, if anything has to. */
bool must_wait(const struct play *p, enum when when, enum outcome *how)
{
	if (when != EARLY && p->phase == PHASE_BEFORE) {
		*how = STEP_START;
		return true;
	}
	if (when == LOOKS && p->stirred) {
		*how = STEP_SETTLE;
		return true;
	}
	return false;
}

/* together: what stands in the block comes in one turn of the router, in this order. */
static enum outcome together(struct play *p, const struct step *st)
{
	const char *file = p->top->file;

	if (!st->body)
		return STEP_DONE;
	call_push(p, file, st->body);
	p->top->together = true;
	return STEP_DONE;
}

/* args: expanded. */
static enum outcome verb(struct play *p, const struct step *st, struct span name, struct span args,
	char why[TEXT_WHY])
{
	enum outcome how;

	if (span_is(name, "repeat"))
		return repeat(p, st, args, why);
	if (span_is(name, "together"))
		return together(p, st);
	for (unsigned i = 0; i < ARRAY_LEN(verbs); i++)
		if (span_is(name, verbs[i].name))
			return must_wait(p, verbs[i].when, &how) ? how : verbs[i].fn(p, args, why);
	return call_macro(p, name, args, why) ? STEP_DONE : STEP_FAILED;
}

enum outcome step_run(struct play *p, const struct step *st, char why[TEXT_WHY])
{
	struct span rest = span_str(st->text), raw = word_take(&rest);
	struct buf name = { 0 }, args = { 0 };
	enum outcome how = STEP_FAILED;
	struct actor *a = NULL;

	if (text_expand(scope(p), raw, &name, why)) {
		a = actor_find(p, span_of(name.p, name.n));
		if (a)
			how = act(p, a, rest, why);
		else if (text_expand(scope(p), rest, &args, why))
			how = verb(p, st, span_of(name.p, name.n), span_of(args.p, args.n), why);
	}
	buf_free(&name);
	buf_free(&args);
	return how;
}
