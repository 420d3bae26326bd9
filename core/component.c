/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/component.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/crew.h"
#include "core/mesh.h"
#include "core/negotiate.h"
#include "core/router.h"
#include "core/unsent.h"
#include "core/worker.h"
#include "dialback/key.h"

static const struct stream_ops component_ops;
static struct component *component_adopt(struct worker *w, int fd, const struct addr *peer);

struct component *component_of(struct stream *s)
{
	return s->ops == &component_ops ? container_of(s, struct component, s) : NULL;
}

/* A connection that has died is not open while its last operations end: what comes in between is
 * parked, not refused. */
bool component_open(const struct component *c)
{
	return c->s.state == STREAM_OPEN && !conn_closing(c->s.conn);
}

bool component_write(struct component *c, const struct span *pieces, unsigned n, bool force)
{
	return component_open(c) &&
		conn_write(c->s.conn, pieces, n, CONN_STANZA | (force ? CONN_FORCE : 0));
}

size_t component_queued(const struct component *c)
{
	return conn_queued(c->s.conn);
}

bool component_congested(const struct component *c)
{
	return conn_queued(c->s.conn) > c->s.w->config->queue_bytes / 2;
}

bool component_stalled(const struct component *c)
{
	return conn_stalled(c->s.conn);
}

static const struct backend *component_backend(const struct component *c)
{
	return registry_backend_named(c->s.w->hosting->registry, c->backend);
}

void component_review(struct component *c, const struct registry *was)
{
	const struct backend *now = component_backend(c);
	const struct backend *old = registry_backend_named(was, c->backend);

	if (!component_open(c))
		return;
	if (!now || now->link != LINK_COMPONENT)
		stream_fail(&c->s, "host-gone", NULL, "its backend was taken out of the registry");
	else if (!backend_admits(now, conn_peer(c->s.conn)))
		stream_fail(&c->s, "policy-violation", NULL,
			"its address is no longer among from= of its backend");
	else if (!old || strcmp(old->secret, now->secret) != 0)
		stream_fail(&c->s, "reset", NULL, "its backend's secret has changed");
}

static void component_say_header(struct component *c, struct span domain)
{
	char buf[LIMIT_DOMAIN * 6 + 512];
	struct writer w = WRITER(buf);

	writer_lit(&w,
		"<?xml version='1.0'?><stream:stream xmlns='" NS_COMPONENT
		"' xmlns:stream='" NS_STREAMS "'");
	writer_attr(&w, "from", domain);
	writer_attr(&w, "id", span_str(c->id));
	writer_lit(&w, ">");
	c->s.header_sent = true;
	stream_say(&c->s, writer_span(&w));
}

static void component_open_stream(struct stream *s)
{
	if (!s->header_sent)
		component_say_header(container_of(s, struct component, s),
			span_str(s->w->config->name));
}

/* to: of its header, as it was sent; SPAN_NONE: not at hand any more. */
static void component_refuse_for(struct component *c, struct span to, const char *condition,
	const char *why)
{
	const char *backend = c->backend[0] ? c->backend : NULL;
	char peer[ADDR_TEXT];

	STATS_INC(&c->s.w->stats, components_refused);
	addr_format(conn_peer(c->s.conn), peer);
	LOG(LOG_WARN, "component-refused", why, LF_STR("peer", peer), LF_SPAN("domain", to),
		LF_STR("backend", backend), LF_STR("condition", condition));
	stream_fail(&c->s, condition, NULL, why);
}

static void component_refuse(struct component *c, const char *condition, const char *why)
{
	component_refuse_for(c, SPAN_NONE, condition, why);
}

/* The entry that the header's `to` belongs to, if this address may log in for it. Strangers are
 * told `host-unknown` whatever the reason is; the log says which. */
static const struct backend *component_entry(const struct component *c, struct span to,
	const char **why)
{
	const struct host *host = NULL;
	struct domain d;

	if (domain_parse(to, &d))
		host = registry_find(c->s.w->hosting->registry, domain_span(&d));
	if (!host)
		*why = "the registry does not have this domain";
	else if (host->kind != HOST_SERVED)
		*why = "the registry says that this domain is gone";
	else if (host->backend->link != LINK_COMPONENT)
		*why = "the backend of this domain is no component";
	else if (!backend_admits(host->backend, conn_peer(c->s.conn)))
		*why = host->backend->n_from
			? "its address is not among from= of the domain's backend"
			: "its address is neither loopback nor private, and the domain's backend "
			  "has no from=";
	else
		return host->backend;
	return NULL;
}

/* -- to the backend's home -- */

struct post_component {
	int fd;
	struct addr peer;
	char input[]; /* what was received so far */
};

static void component_go_home(struct component *c)
{
	c->opening = span_of(mem_try_text(c->s.opening.p, c->s.opening.n), c->s.opening.n);
	if (c->opening.p)
		stream_hand_over(&c->s);
	else
		component_refuse(c, "resource-constraint", "no memory to hand the connection over");
}

static void component_leave(struct stream *s, struct span rest)
{
	struct component *c = container_of(s, struct component, s);
	struct post_component *post = mesh_write(s->w->port, c->home, POST_COMPONENT,
		sizeof(*post) + c->opening.n + rest.n);

	if (!post) {
		conn_abort(s->conn, -ENOMEM, "no memory to hand the connection over");
		return;
	}
	post->peer = *conn_peer(s->conn);
	memcpy(post->input, c->opening.p, c->opening.n);
	memcpy(post->input + c->opening.n, rest.p, rest.n);
	post->fd = conn_give(s->conn); /* -1: it has ended, which the home will find out */
}

void component_arrive(struct worker *w, const char *p, size_t n)
{
	const struct post_component *post = (const void *)p;
	struct component *c = NULL;

	if (post->fd >= 0)
		c = component_adopt(w, post->fd, &post->peer);
	if (c)
		stream_take_over(&c->s, span_of(post->input, n - sizeof(*post)));
}

void component_lost(const char *p)
{
	const struct post_component *post = (const void *)p;

	if (post->fd >= 0)
		close(post->fd);
}

static void component_header(struct stream *s, const struct element *e)
{
	struct component *c = container_of(s, struct component, s);
	struct span asked = element_attr(e, "to");
	const struct backend *b;
	const char *why = NULL;
	const char *fault = header_shape(e, s->scan, NS_COMPONENT, &why);
	struct domain to;

	if (fault) {
		component_refuse_for(c, asked, fault, why);
		return;
	}
	b = component_entry(c, asked, &why);
	if (!b || !domain_parse(asked, &to)) {
		component_refuse_for(c, asked, "host-unknown", why);
		return;
	}
	c->home = crew_home(s->w->crew, span_str(b->name));
	if (c->home != s->w->number) {
		component_go_home(c);
		return;
	}
	memcpy(c->backend, b->name, strlen(b->name) + 1);
	lang_keep(&c->lang, element_lang(e));
	component_say_header(c, domain_span(&to));
	stream_set_timer(s, TIMEOUT_HEADER_MS);
}

static void component_uncount(struct component *c)
{
	if (c->counted)
		ipcount_give(c->s.w->unauthenticated, conn_peer(c->s.conn));
	c->counted = false;
}

static void component_logged_in(struct component *c, struct route *route)
{
	const struct config *config = c->s.w->config;
	char peer[ADDR_TEXT];

	c->route = route;
	component_uncount(c);
	stream_stop_timer(&c->s);
	stream_prove(&c->s);
	/* From half of the bound on the route looks closer. */
	conn_set_queue_marks(c->s.conn, config->queue_bytes / 2, config->queue_bytes / 4);
	conn_set_stall(c->s.conn, (uint32_t)config->stall_ms);
	stream_say(&c->s, SPAN_LIT("<handshake/>"));
	STATS_INC(&c->s.w->stats, components_in);
	addr_format(conn_peer(c->s.conn), peer);
	LOG(LOG_INFO, "component-up", "a backend has logged in", LF_STR("backend", c->backend),
		LF_STR("peer", peer));
	route_up(route, c);
}

static void component_handshake(struct component *c, const struct frame *f)
{
	const struct element *e = stream_element(&c->s, f);
	const struct backend *b = component_backend(c);
	char want[HANDSHAKE_HEX + 1];
	struct route *route;

	if (!e)
		return;
	if (!element_is(e, NS_COMPONENT, "handshake")) {
		component_refuse(c, "not-authorized", "something else than the handshake");
		return;
	}
	/* A reload may have come between header and handshake. */
	if (!b || b->link != LINK_COMPONENT || !backend_admits(b, conn_peer(c->s.conn))) {
		component_refuse(c, "host-gone", "its backend was taken out of the registry");
		return;
	}
	key_handshake(span_str(c->id), span_str(b->secret), want);
	if (!key_equal(span_trim(e->text), span_of(want, HANDSHAKE_HEX))) {
		component_refuse(c, "not-authorized",
			"wrong handshake: the component's secret differs from secret-file");
		return;
	}
	route = route_of(c->s.w->routes, b);
	c->known = pairs_new(LIMIT_BACKEND_PAIRS);
	if (!route || !c->known)
		component_refuse(c, "resource-constraint", "no memory for the route");
	else if (route_link(route))
		component_refuse(c, "conflict", "the backend has logged in already");
	else
		component_logged_in(c, route);
}

static void component_stanza(struct component *c, const struct frame *f)
{
	if (unlikely(canary_due(&c->s.w->canary)) && canary_refuses(&c->s, f))
		router_refuse_backend(c, f);
	else
		router_from_backend(c, f);
}

static void component_frame(struct stream *s, const struct frame *f)
{
	struct component *c = container_of(s, struct component, s);

	if (!c->route) {
		if (s->state == STREAM_OPEN)
			component_handshake(c, f);
		return;
	}
	if (!stream_admits(s, f))
		return;
	switch (f->kind) {
	case FRAME_MESSAGE:
	case FRAME_PRESENCE:
	case FRAME_IQ:
		component_stanza(c, f);
		break;
	case FRAME_STREAM:
		STATS_INC(&s->w->stats, stream_errors_received);
		stream_end(s, "the component sent a stream error");
		break;
	default:
		STATS_INC(&s->w->stats, ignored_elements);
	}
}

static void component_writable(struct stream *s)
{
	struct component *c = container_of(s, struct component, s);

	if (c->route)
		route_room(c->route);
}

static void component_stalled_now(struct stream *s)
{
	struct component *c = container_of(s, struct component, s);

	if (c->route)
		route_stalled(c->route);
}

static void component_timeout(struct stream *s)
{
	component_refuse(container_of(s, struct component, s), "connection-timeout",
		"the component did not log in in time");
}

/* -- what was queued on a link that died -- */

/* delivered + bounced + in doubt = accepted: what the kernel had is in doubt, the rest waits for
 * the next login. */
static void component_unsent(void *ctx, const struct frame *f)
{
	struct component *c = ctx;

	route_repark(c->route, span_of(f->p, f->len));
}

static void component_closed(struct stream *s, int err, const char *why)
{
	struct component *c = container_of(s, struct component, s);
	char peer[ADDR_TEXT];

	addr_format(conn_peer(s->conn), peer);
	/* One that never logged in is a probe of somebody's monitoring, or was told why. */
	LOG(c->route ? LOG_WARN : LOG_DEBUG, "component-down", why, LF_STR("peer", peer),
		LF_STR("backend", c->backend), LF_INT("errno", -err));
	if (c->route) {
		unsent_each(s->w, s->conn, c->backend, component_unsent, c);
		route_down(c->route);
	}
	component_uncount(c);
	pairs_free(c->known);
	stream_release(s);
	mem_free((char *)(uintptr_t)c->opening.p);
	mem_free(c);
}

static const struct stream_ops component_ops = {
	.kind = "component",
	.forwards = true,
	.header = component_header,
	.frame = component_frame,
	.open = component_open_stream,
	.leave = component_leave,
	.writable = component_writable,
	.stalled = component_stalled_now,
	.closed = component_closed,
	.timeout = component_timeout,
};

/* Refused before a byte is read, as strangers are. */
static void component_no_room(struct worker *w, const struct addr *peer, bool no_conn,
	bool not_counted)
{
	char text[ADDR_TEXT];

	STATS_INC(&w->stats, refused_limit);
	addr_format(peer, text);
	LOG(LOG_WARN, "connection-refused",
		no_conn		      ? "the limit of connections is reached (--max-conns)"
			: not_counted ? "too many connections of this address have not logged in "
					"(--max-unauth-per-ip)"
				      : "no memory for another component",
		LF_STR("kind", "component"), LF_STR("peer", text));
}

/* Takes fd over. NULL: refused. */
static struct component *component_adopt(struct worker *w, int fd, const struct addr *peer)
{
	struct component *c;
	struct conn *conn;
	bool counted;

	if (w->draining) { /* it was accepted while the listeners closed */
		close(fd);
		return NULL;
	}
	c = mem_try_zalloc(sizeof(*c));
	conn = conn_adopt(w->conns, fd, peer, &stream_conn_ops, NULL);
	counted = conn && ipcount_take(w->unauthenticated, peer, w->config->max_unauth_per_ip);
	if (counted && c && stream_init(&c->s, w, conn, &component_ops, LIMIT_STANZA_UNAUTH)) {
		crew_stream_id(w->number, c->id);
		c->counted = true;
		stream_set_timer(&c->s, TIMEOUT_HEADER_MS);
		return c;
	}
	component_no_room(w, peer, !conn, !counted);
	if (counted)
		ipcount_give(w->unauthenticated, peer);
	mem_free(c);
	if (conn)
		conn_abort(conn, -ENOMEM, "no memory");
	return NULL;
}

bool component_accept(void *ctx, int fd, const struct addr *peer)
{
	struct worker *w = ctx;

	(void)component_adopt(w, fd, peer);
	return !w->draining;
}
