/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/channel.h"

#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/mesh.h"
#include "core/router.h"
#include "core/worker.h"

#define CREDIT_STEP (CHANNEL_CREDIT / 4) /* given back in pieces of at least this */

struct channel {
	struct channels *cs;
	struct route *route;
	unsigned home;
	uint32_t id; /* in the home's table for this worker; never used again */
	int64_t credit; /* bytes; below 0: more went out than that */
	size_t bound; /* see channel_bound */
	bool held;
};

struct inlet {
	struct worker *w;
	struct route *route; /* good while gen is the worker's route_gen; NULL: no such backend */
	uint32_t gen;
	unsigned from;
	uint32_t id;
	uint32_t owed; /* bytes of credit not given back yet */
	struct list holding; /* in the route's list while that is full */
	bool stalled; /* while it is held: so is the route */
	char name[];
};

struct slots {
	void **at;
	uint32_t n;
};

struct channels {
	struct worker *w;
	struct slots mine[LIMIT_WORKERS]; /* struct channel, by home and id */
	struct slots theirs[LIMIT_WORKERS]; /* struct inlet, by sender and id */
};

struct post_channel {
	uint32_t id;
	char name[]; /* up to the end of the record */
};

struct post_run {
	uint32_t id;
	uint32_t stanzas;
	char bytes[];
};

struct post_held {
	uint32_t id;
	bool stalled;
};

struct post_credit {
	uint32_t id;
	uint32_t bytes;
};

static bool slots_grow(struct slots *s)
{
	void **more = mem_try_realloc(s->at, (s->n + 1) * sizeof(*more));

	if (!more)
		return false;
	s->at = more;
	s->at[s->n++] = NULL;
	return true;
}

struct channels *channels_new(struct worker *w)
{
	struct channels *cs = mem_zalloc(sizeof(*cs));

	cs->w = w;
	return cs;
}

void channels_free(struct channels *cs)
{
	if (!cs)
		return;
	for (unsigned i = 0; i < LIMIT_WORKERS; i++) {
		for (uint32_t id = 0; id < cs->theirs[i].n; id++)
			mem_free(cs->theirs[i].at[id]);
		mem_free(cs->theirs[i].at);
		mem_free(cs->mine[i].at);
	}
	mem_free(cs);
}

/* -- the sender's end -- */

struct channel *channel_open(struct channels *cs, unsigned home, const char *name, struct route *r)
{
	struct slots *s = &cs->mine[home];
	struct channel *c = mem_try_zalloc(sizeof(*c));
	size_t n = strlen(name);
	struct post_channel *post;

	if (!c || !slots_grow(s) ||
		!(post = mesh_write(cs->w->port, home, POST_CHANNEL, sizeof(*post) + n))) {
		mem_free(c);
		return NULL;
	}
	c->cs = cs;
	c->route = r;
	c->home = home;
	c->id = s->n - 1;
	c->credit = CHANNEL_CREDIT;
	c->bound = CHANNEL_CREDIT;
	s->at[c->id] = c;
	post->id = c->id;
	memcpy(post->name, name, n);
	return c;
}

void channel_close(struct channel *c)
{
	uint32_t *id;

	if (!c)
		return;
	id = mesh_must_write(c->cs->w->port, c->home, POST_CHANNEL_END, sizeof(*id));
	*id = c->id;
	c->cs->mine[c->home].at[c->id] = NULL;
	mem_free(c);
}

bool channel_free(const struct channel *c)
{
	return c->credit > 0 && !c->held;
}

bool channel_held(const struct channel *c)
{
	return c->held;
}

size_t channel_used(const struct channel *c)
{
	return (size_t)(CHANNEL_CREDIT - c->credit);
}

/* Room for n bytes in the run that is being written, or in a new one. */
static char *run_room(struct channel *c, size_t n)
{
	struct mesh_port *port = c->cs->w->port;
	struct post_run *run = mesh_last(port, c->home, POST_RUN);
	char *at = run && run->id == c->id ? mesh_extend(port, c->home, n) : NULL;

	if (at) {
		run->stanzas++;
		return at;
	}
	run = mesh_write(port, c->home, POST_RUN, sizeof(*run) + n);
	if (!run)
		return NULL;
	run->id = c->id;
	run->stanzas = 1;
	return run->bytes;
}

bool channel_write(struct channel *c, const struct span *pieces, unsigned n)
{
	size_t total = pieces_len(pieces, n);
	char *at = run_room(c, total);

	if (!at)
		return false;
	(void)pieces_put(at, pieces, n);
	c->credit -= (int64_t)total;
	return true;
}

size_t channel_bound(const struct channel *c)
{
	return c->bound;
}

static void channel_credit(struct channels *cs, unsigned from, const struct post_credit *post)
{
	struct channel *c = cs->mine[from].at[post->id];

	if (!c)
		return; /* closed meanwhile */
	c->credit += post->bytes;
	c->held = false;
	c->bound = CHANNEL_CREDIT;
	if (channel_free(c))
		route_room(c->route);
}

static void channel_hold(struct channels *cs, unsigned from, const struct post_held *post)
{
	struct channel *c = cs->mine[from].at[post->id];

	if (!c)
		return;
	if (!c->held && channel_used(c) > c->bound)
		c->bound = channel_used(c);
	c->held = true;
	if (post->stalled)
		route_stalled(c->route);
}

/* -- the home's end -- */

static void inlet_pay(struct inlet *in)
{
	struct post_credit *post;

	list_del(&in->holding);
	if (in->owed == 0)
		return;
	post = mesh_must_write(in->w->port, in->from, POST_CREDIT, sizeof(*post));
	post->id = in->id;
	post->bytes = in->owed;
	in->owed = 0;
}

void inlets_release(struct list *holding)
{
	while (!list_empty(holding))
		inlet_pay(list_first(holding, struct inlet, holding));
}

/* The sender must know: the credit will be long in coming. */
static void inlet_tell(struct inlet *in)
{
	struct post_held *post = mesh_must_write(in->w->port, in->from, POST_HELD, sizeof(*post));

	post->id = in->id;
	post->stalled = in->stalled;
}

static void inlet_hold(struct inlet *in, struct route *r)
{
	in->stalled = route_hold(r, &in->holding);
	inlet_tell(in);
}

size_t inlets_owed(const struct list *holding)
{
	size_t owed = 0;

	list_each(l, holding) owed += container_of(l, const struct inlet, holding)->owed;
	return owed;
}

void inlets_stalled(struct list *holding)
{
	list_each(l, holding)
	{
		struct inlet *in = container_of(l, struct inlet, holding);

		in->stalled = true;
		inlet_tell(in);
	}
}

/*
 * Not for want of memory: the sender takes the channel for one that works until the registry loses
 * the backend. There are no more inlets than backends at other workers, and a reload allocates
 * for each of those in the same way.
 */
static void inlet_open(struct channels *cs, unsigned from, const struct post_channel *post,
	size_t n)
{
	size_t name = n - sizeof(*post);
	struct inlet *in = mem_zalloc(sizeof(*in) + name + 1);
	struct slots *s = &cs->theirs[from];

	BUG_ON(post->id < s->n); /* ids only grow */
	s->at = mem_realloc(s->at, (post->id + 1) * sizeof(*s->at));
	memset(s->at + s->n, 0, (post->id + 1 - s->n) * sizeof(*s->at));
	s->n = post->id + 1;
	in->w = cs->w;
	in->from = from;
	in->id = post->id;
	memcpy(in->name, post->name, name);
	list_init(&in->holding);
	s->at[post->id] = in;
}

static void inlet_close(struct channels *cs, unsigned from, uint32_t id)
{
	struct slots *s = &cs->theirs[from];
	struct inlet *in = s->at[id];

	list_del(&in->holding);
	s->at[id] = NULL;
	mem_free(in);
}

/*
 * The registry may have changed since the last run. Workers hear of that one after the other: a
 * backend of which we have never heard is one that the sender has heard of before us, so what comes
 * for it waits until it is ours too.
 */
static struct route *inlet_route(struct inlet *in)
{
	struct worker *w = in->w;
	const struct backend *b;

	if (in->gen == w->route_gen)
		return in->route;
	b = registry_backend_named(w->hosting->registry, in->name);
	if (b)
		in->route = route_of(w->routes, b);
	else
		in->route = in->gen ? NULL : route_ahead(w->routes, in->name);
	if (in->route || (!b && in->gen)) /* else for want of memory: the next run tries again */
		in->gen = w->route_gen;
	return in->route;
}

static void inlet_run(struct channels *cs, unsigned from, const struct post_run *post, size_t n)
{
	struct inlet *in = cs->theirs[from].at[post->id];
	struct span run = span_of(post->bytes, n - sizeof(*post));
	struct route *r = inlet_route(in);
	bool full = false;

	if (r)
		full = !route_take(r, run, post->stanzas);
	else
		router_return(cs->w, run, STANZA_REMOTE_SERVER_NOT_FOUND,
			"the domain is no longer hosted here");
	in->owed += (uint32_t)run.n;
	if (full && list_empty(&in->holding))
		inlet_hold(in, r);
	else if (!full && in->owed >= CREDIT_STEP)
		inlet_pay(in);
}

void channels_record(struct channels *cs, unsigned from, enum post kind, const char *p, size_t n)
{
	const void *record = p;

	switch (kind) {
	case POST_CHANNEL:
		inlet_open(cs, from, record, n);
		break;
	case POST_CHANNEL_END:
		inlet_close(cs, from, *(const uint32_t *)record);
		break;
	case POST_RUN:
		inlet_run(cs, from, record, n);
		break;
	case POST_HELD:
		channel_hold(cs, from, record);
		break;
	case POST_CREDIT:
		channel_credit(cs, from, record);
		break;
	default:
		BUG_ON(true);
	}
}
