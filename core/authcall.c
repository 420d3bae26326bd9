/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/authcall.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/claims.h"
#include "core/outbound.h"
#include "core/outward.h"
#include "core/worker.h"
#include "dialback/table.h"

#define ELSEWHERE (UINT64_C(1) << 63) /* in a cookie of our resolver: another worker asked */

struct call {
	struct table_node node; /* by id */
	uint64_t id; /* never used again */
	unsigned home;
	struct verify_link *link;
};

/* A look-up that is done here for another worker. */
struct errand {
	struct table_node node; /* by the cookie that our resolver has */
	unsigned worker;
	uint64_t cookie; /* what that worker calls it */
};

struct authcalls {
	struct worker *w;
	struct table calls;
	struct table errands;
	uint64_t last;
};

struct post_resolve { /* POST_RESOLVE */
	uint64_t cookie;
	char domain[]; /* up to the end of the record */
};

struct post_resolved { /* POST_RESOLVED */
	uint64_t cookie;
	enum resolve_status status;
	unsigned n;
	struct place places[];
};

struct authcalls *authcalls_new(struct worker *w)
{
	struct authcalls *cs = mem_zalloc(sizeof(*cs));

	cs->w = w;
	table_init(&cs->calls);
	table_init(&cs->errands);
	return cs;
}

static void call_drop(struct table_node *n)
{
	mem_free(container_of(n, struct call, node));
}

static void errand_drop(struct table_node *n)
{
	mem_free(container_of(n, struct errand, node));
}

void authcalls_free(struct authcalls *cs)
{
	if (!cs)
		return;
	table_free(&cs->calls, call_drop);
	table_free(&cs->errands, errand_drop);
	mem_free(cs);
}

/* -- look-ups -- */

static enum verify_resolution resolution_of(enum resolve_status status)
{
	switch (status) {
	case RESOLVE_FOUND:
		return RESOLUTION_FOUND;
	case RESOLVE_NO_SERVICE:
		return RESOLUTION_NONE;
	case RESOLVE_FORBIDDEN:
	case RESOLVE_OURS:
		return RESOLUTION_FORBIDDEN;
	case RESOLVE_DIRECT_ONLY:
		return RESOLUTION_DIRECT_ONLY;
	case RESOLVE_FAILED:
		break;
	}
	return RESOLUTION_FAILED;
}

static void call_resolve(void *ctx, struct span domain, uint64_t cookie)
{
	struct worker *w = ctx;
	unsigned home = crew_home(w->crew, domain);
	struct post_resolve *post;

	if (home == w->number) {
		resolve_start(w->resolver, domain, cookie, w->now);
		return;
	}
	post = mesh_write(w->port, home, POST_RESOLVE, sizeof(*post) + domain.n);
	if (!post) {
		verifier_resolved(w->verifier, cookie, RESOLUTION_FAILED, NULL, 0, w->now);
		return;
	}
	post->cookie = cookie;
	memcpy(post->domain, domain.p, domain.n);
}

/* Without an answer the domain would be looked for by that worker as long as it runs. */
static void errand_answer(struct worker *w, unsigned worker, uint64_t cookie,
	enum resolve_status status, const struct place *places, unsigned n)
{
	size_t size = n * sizeof(*places);
	struct post_resolved *post = mesh_write(w->port, worker, POST_RESOLVED,
		sizeof(*post) + size);

	if (!post) {
		status = RESOLVE_FAILED;
		n = 0;
		post = mesh_must_write(w->port, worker, POST_RESOLVED, sizeof(*post));
	}
	post->cookie = cookie;
	post->status = status;
	post->n = n;
	if (n)
		memcpy(post->places, places, size);
}

static void errand_begin(struct authcalls *cs, unsigned from, const struct post_resolve *post,
	struct span domain)
{
	struct worker *w = cs->w;
	struct errand *e = mem_try_zalloc(sizeof(*e));
	uint64_t cookie = ++cs->last | ELSEWHERE;

	if (!e) {
		errand_answer(w, from, post->cookie, RESOLVE_FAILED, NULL, 0);
		return;
	}
	e->worker = from;
	e->cookie = post->cookie;
	table_add(&cs->errands, &e->node, cookie);
	resolve_start(w->resolver, domain, cookie, w->now);
}

static void errand_done(struct authcalls *cs, uint64_t cookie, const struct resolve_answer *a)
{
	struct table_node *n = table_first(&cs->errands, cookie);
	struct errand *e = container_of(n, struct errand, node);

	errand_answer(cs->w, e->worker, e->cookie, a->status, a->places, a->n);
	table_del(&cs->errands, n);
	mem_free(e);
}

void authcalls_resolved(void *ctx, uint64_t cookie, const struct resolve_answer *a)
{
	struct worker *w = ctx;

	if (cookie & RESOLVE_REDIRECT)
		outbound_resolved(w, cookie, a);
	else if (cookie & RESOLVE_OUTWARD)
		outward_resolved(w, cookie, a);
	else if (cookie & ELSEWHERE)
		errand_done(w->authcalls, cookie, a);
	else
		verifier_resolved(w->verifier, cookie, resolution_of(a->status), a->places, a->n,
			w->now);
}

/* -- streams -- */

static struct call *call_find(const struct authcalls *cs, uint64_t id)
{
	struct table_node *n = table_first(&cs->calls, id);

	return n ? container_of(n, struct call, node) : NULL;
}

static void call_end(struct authcalls *cs, struct call *c)
{
	table_del(&cs->calls, &c->node);
	mem_free(c);
}

static bool call_dial(void *ctx, struct verify_link *link, const struct place *to,
	struct span header_from, struct span header_to)
{
	struct worker *w = ctx;
	struct call *c = w->draining ? NULL : mem_try_zalloc(sizeof(*c));
	struct post_dial *post = NULL;

	if (!c)
		return false;
	c->home = crew_home_of(w->crew, &to->addr);
	post = mesh_write(w->port, c->home, POST_DIAL, sizeof(*post) + header_from.n + header_to.n);
	if (!post) {
		mem_free(c);
		return false;
	}
	c->id = ++w->authcalls->last;
	c->link = link;
	table_add(&w->authcalls->calls, &c->node, c->id);
	verify_link_set_user(link, c);
	post->call = c->id;
	post->at = *to;
	post->apart = verify_link_apart(link);
	post->from_n = (uint16_t)header_from.n;
	post->to_n = (uint16_t)header_to.n;
	(void)text_put(text_put(post->text, header_from), header_to);
	return true;
}

static bool call_ask(void *ctx, struct verify_link *link, struct span from, struct span to,
	struct span id, struct span key)
{
	struct worker *w = ctx;
	const struct call *c = verify_link_user(link);
	struct post_ask *post = mesh_write(w->port, c->home, POST_ASK,
		sizeof(*post) + from.n + to.n + id.n + key.n);

	if (!post)
		return false;
	post->call = c->id;
	post->from_n = (uint16_t)from.n;
	post->to_n = (uint16_t)to.n;
	post->id_n = (uint16_t)id.n;
	post->key_n = (uint16_t)key.n;
	(void)text_put(text_put(text_put(text_put(post->text, from), to), id), key);
	return true;
}

static void call_tell(struct worker *w, unsigned home, uint64_t id, enum post what)
{
	struct post_call *post = mesh_must_write(w->port, home, what, sizeof(*post));

	post->call = id;
}

static void call_hang_up(void *ctx, struct verify_link *link)
{
	struct worker *w = ctx;
	struct call *c = verify_link_user(link);

	call_tell(w, c->home, c->id, POST_HANG_UP);
	call_end(w->authcalls, c);
}

const struct verify_ops authcall_ops = {
	.resolve = call_resolve,
	.dial = call_dial,
	.ask = call_ask,
	.hang_up = call_hang_up,
	.done = claims_done,
};

void authcalls_link(struct authcalls *cs, const struct post_link *post)
{
	struct worker *w = cs->w;
	struct call *c = call_find(cs, post->call);
	struct verify_link *link = c ? c->link : NULL;

	if (!c)
		return; /* we have hung up */
	switch (post->what) {
	case LINK_CONNECTED:
		verifier_link_connected(link);
		break;
	case LINK_UP:
		verifier_link_up(w->verifier, link, w->now);
		break;
	case LINK_DOWN:
		call_end(cs, c);
		verifier_link_sent(w->verifier, link, post->sent);
		verifier_link_down(w->verifier, link, post->loss, w->now);
		break;
	}
}

bool authcalls_answer(struct authcalls *cs, uint64_t call, struct span from, struct span to,
	struct span id, enum answer answer)
{
	struct worker *w = cs->w;
	const struct call *c = call_find(cs, call);

	if (!c || verifier_answer(w->verifier, c->link, from, to, id, answer, w->now))
		return true;
	claims_stray(w, &verify_link_place(c->link)->addr, from, to, answer_type(answer));
	return false;
}

static void answer_came(struct authcalls *cs, unsigned home, const struct post_answer *post)
{
	const char *at = post->text;
	struct span from = text_take(&at, post->from_n);
	struct span to = text_take(&at, post->to_n);
	struct span id = text_take(&at, post->id_n);

	if (!authcalls_answer(cs, post->call, from, to, id, post->answer))
		call_tell(cs->w, home, post->call, POST_STRAY);
}

void authcalls_record(struct authcalls *cs, unsigned from, enum post kind, const char *p, size_t n)
{
	const void *record = p;
	const struct post_resolve *resolve = record;
	const struct post_resolved *resolved = record;

	switch (kind) {
	case POST_RESOLVE:
		errand_begin(cs, from, resolve, span_of(resolve->domain, n - sizeof(*resolve)));
		break;
	case POST_RESOLVED:
		verifier_resolved(cs->w->verifier, resolved->cookie,
			resolution_of(resolved->status), resolved->places, resolved->n, cs->w->now);
		break;
	case POST_LINK:
		authcalls_link(cs, record);
		break;
	case POST_ANSWER:
		answer_came(cs, from, record);
		break;
	default:
		BUG_ON(true);
	}
}
