/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/stream.h"

#include <errno.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/worker.h"
#include "net/tls.h"

#define NS_STREAM_ERRORS "urn:ietf:params:xml:ns:xmpp-streams"

static void stream_timer(struct timer *t, uint64_t now)
{
	struct stream *s = container_of(t, struct stream, timer);

	(void)now;
	if (s->state == STREAM_GONE)
		return; /* the connection is ending, in its own time */
	if (s->state < STREAM_ENDING)
		s->ops->timeout(s);
	else if (s->ops->forwards || conn_queued(s->conn) > 0)
		conn_close(s->conn, "the peer did not close the stream in time");
	else /* it has had everything, and its time */
		conn_abort(s->conn, -ETIMEDOUT, "the peer did not close the stream in time");
}

bool stream_init(struct stream *s, struct worker *w, struct conn *conn,
	const struct stream_ops *ops, uint32_t max_element)
{
	s->w = w;
	s->conn = conn;
	s->ops = ops;
	s->max_element = max_element;
	s->securing = NULL;
	s->leaving = false;
	s->scan = scan_new(max_element);
	if (!s->scan)
		return false;
	carry_init(&s->carry, &w->carries);
	s->serial = ++w->serial;
	s->last_input = w->now;
	s->ended = NULL;
	s->ignored_since = w->now;
	s->ignored = 0;
	s->state = STREAM_OPENING;
	s->header_sent = s->paused = s->feeding = false;
	timer_init(&s->timer, stream_timer);
	list_add_tail(&w->streams, &s->link);
	conn_set_user(conn, s);
	return true;
}

void stream_release(struct stream *s)
{
	timer_stop(&s->timer);
	list_del(&s->link);
	scan_free(s->scan);
	carry_free(&s->carry);
	tls_free(s->securing);
	s->scan = NULL;
	s->securing = NULL;
}

void stream_prove(struct stream *s)
{
	/* Kept for a restart, which makes another scanner: SASL proves first and restarts then. */
	s->max_element = (uint32_t)s->w->config->max_stanza;
	scan_set_max(s->scan, s->max_element);
	carry_prove(&s->carry);
}

void stream_set_timer(struct stream *s, uint64_t ms_from_now)
{
	if (s->state < STREAM_ENDING)
		timer_set(s->w->wheel, &s->timer, s->w->now + ms_from_now);
}

void stream_stop_timer(struct stream *s)
{
	if (s->state < STREAM_ENDING)
		timer_stop(&s->timer);
}

void stream_say(struct stream *s, struct span xml)
{
	if (s->state >= STREAM_ENDING)
		return;
	if (!conn_say(s->conn, xml))
		conn_abort(s->conn, -ENOMEM, "no memory for the answer");
}

/* Nothing may be said after this; the connection ends when the peer has closed, or in time. */
static void stream_wind_down(struct stream *s, enum stream_state state, const char *why)
{
	s->ended = why;
	s->state = state;
	timer_set(s->w->wheel, &s->timer, s->w->now + TIMEOUT_CLOSE_MS);
	if (s->ops->ended)
		s->ops->ended(s);
}

void stream_hang_up(struct stream *s, const char *why)
{
	if (s->state >= STREAM_ENDING)
		return;
	s->ended = why;
	s->state = STREAM_GONE;
	if (s->ops->ended)
		s->ops->ended(s);
	conn_close(s->conn, why);
}

/* There is no connection yet; or TLS was agreed upon and is not up, so that no word of ours may go
 * out (rule 1.5). It just ends. */
static bool stream_ends_mute(struct stream *s, const char *why)
{
	if (!conn_dialling(s->conn) && !conn_securing(s->conn))
		return false;
	stream_hang_up(s, why);
	return true;
}

static void stream_fail_as(struct stream *s, const char *condition, const char *more,
	const char *why, struct span from, struct span to)
{
	char buf[512];
	char peer[ADDR_TEXT];
	struct writer w = WRITER(buf);

	if (s->state >= STREAM_ENDING || stream_ends_mute(s, why))
		return;
	s->ops->open(s);
	writer_lit(&w, "<stream:error><");
	writer_lit(&w, condition);
	writer_lit(&w, " xmlns='" NS_STREAM_ERRORS "'/>");
	if (more)
		writer_lit(&w, more);
	writer_lit(&w, "</stream:error></stream:stream>");
	stream_say(s, writer_span(&w));
	stream_wind_down(s, STREAM_FAILED, why);
	STATS_INC(&s->w->stats, stream_errors_sent);
	addr_format(conn_peer(s->conn), peer);
	LOG(LOG_WARN, "stream-error-sent", why, LF_STR("kind", s->ops->kind), LF_STR("peer", peer),
		LF_STR("condition", condition), LF_SPAN("from", from), LF_SPAN("to", to));
}

void stream_fail(struct stream *s, const char *condition, const char *more, const char *why)
{
	stream_fail_as(s, condition, more, why, SPAN_NONE, SPAN_NONE);
}

void stream_fail_about(struct stream *s, const char *condition, const char *why, struct span from,
	struct span to)
{
	stream_fail_as(s, condition, NULL, why, from, to);
}

static void stream_leave(struct stream *s, struct span words, const char *why)
{
	char peer[ADDR_TEXT];

	if (s->state >= STREAM_ENDING || stream_ends_mute(s, why))
		return;
	s->ops->open(s);
	stream_say(s, words);
	stream_wind_down(s, STREAM_ENDING, why);
	addr_format(conn_peer(s->conn), peer);
	LOG(LOG_DEBUG, "stream-ending", why, LF_STR("kind", s->ops->kind), LF_STR("peer", peer));
}

void stream_end(struct stream *s, const char *why)
{
	stream_leave(s, SPAN_LIT("</stream:stream>"), why);
}

void stream_shut_down(struct stream *s, const char *why)
{
	stream_leave(s,
		SPAN_LIT("<stream:error><system-shutdown xmlns='" NS_STREAM_ERRORS
			 "'/></stream:error></stream:stream>"),
		why);
}

static void stream_scan_failed(struct stream *s)
{
	static const char *const condition[] = {
		[SCAN_E_NONE] = "internal-server-error",
		[SCAN_E_NOT_WELL_FORMED] = "not-well-formed",
		[SCAN_E_RESTRICTED_XML] = "restricted-xml",
		[SCAN_E_UNSUPPORTED_ENCODING] = "unsupported-encoding",
		[SCAN_E_BAD_FORMAT] = "bad-format",
		[SCAN_E_LIMIT] = "policy-violation",
		[SCAN_E_TOO_BIG] = "policy-violation",
		[SCAN_E_NO_MEMORY] = "resource-constraint",
	};
	enum scan_error e = scan_error(s->scan);

	if (s->state >= STREAM_ENDING) {
		conn_close(s->conn, "no XML after the end of the stream");
		s->state = STREAM_GONE;
		return;
	}
	stream_fail(s, condition[e],
		e == SCAN_E_TOO_BIG ? "<stanza-too-big xmlns='urn:xmpp:errors'/>" : NULL,
		scan_reason(s->scan));
}

static void stream_unparsed(struct stream *s, const char *why)
{
	stream_fail(s,
		element_parser_starved(s->w->elements) ? "resource-constraint" : "not-well-formed",
		NULL, why);
}

static void stream_header(struct stream *s, const struct frame *f)
{
	const char *why = NULL;
	const struct element *e = element_parse_header(s->w->elements, span_of(f->p, f->len), &why);

	if (!e) {
		stream_unparsed(s, why);
		return;
	}
	s->state = STREAM_OPEN;
	s->opening = span_of(f->p, f->len);
	s->ops->header(s, e);
	s->opening = SPAN_NONE;
}

static void stream_peer_ended(struct stream *s)
{
	if (s->state < STREAM_ENDING)
		stream_end(s, "the peer closed the stream");
	s->state = STREAM_GONE;
	conn_close(s->conn, "the stream was closed in order");
}

/* What one result of the scanner asks for. False: no more input may be looked at. */
static bool stream_item(struct stream *s, enum scan_result r, const struct frame *f)
{
	switch (r) {
	case SCAN_HEADER:
		if (s->state == STREAM_OPENING)
			stream_header(s, f);
		break;
	case SCAN_FRAME:
		if (s->state < STREAM_FAILED)
			s->ops->frame(s, f);
		break;
	case SCAN_CLOSE:
		stream_peer_ended(s);
		break;
	case SCAN_ERROR:
		stream_scan_failed(s);
		return false;
	case SCAN_SPACE:
	case SCAN_MORE:
		break;
	}
	return s->state < STREAM_GONE && !s->paused && !s->securing && !s->leaving;
}

/* Its element would have to be kept for longer than there is room for: nothing more is read. */
static void stream_evict(struct stream *s)
{
	STATS_INC(&s->w->stats, streams_evicted);
	stream_fail(s, "resource-constraint", NULL,
		"incomplete elements take too much memory (a quarter of --mem-budget), and this "
		"stream's has waited longest");
	conn_close(s->conn, "no room for its incomplete element");
	s->state = STREAM_GONE;
	carry_free(&s->carry);
}

/* Keeps p[0..n); false: the stream is gone, for want of memory. */
static bool stream_carry(struct stream *s, const char *p, size_t n)
{
	struct carry *victim;

	if (!carry_append(&s->carry, p, n)) {
		conn_abort(s->conn, -ENOMEM, "no memory for the input");
		s->state = STREAM_GONE;
		return false;
	}
	while ((victim = carries_victim(s->carry.all)))
		stream_evict(container_of(victim, struct stream, carry));
	return s->state < STREAM_GONE;
}

/* Items that lie whole in p[0..n). Returns the bytes done with; *go: may more be looked at? */
static size_t stream_scan(struct stream *s, const char *p, size_t n, bool *go)
{
	size_t done = 0;

	while (*go && done < n) {
		struct frame f;
		enum scan_result r = scan(s->scan, p + done, n - done, &f);

		if (r == SCAN_MORE)
			break;
		*go = stream_item(s, r, &f);
		if (r != SCAN_ERROR)
			done += f.len;
	}
	return done;
}

/*
 * Completes the carried item from p[0..n), in steps that double, so that little is copied of
 * what follows it. Returns how much of p was used.
 */
static size_t stream_complete(struct stream *s, const char *p, size_t n, bool *go)
{
	size_t used = 0, step = 1024;

	while (*go && s->carry.n > 0 && used < n) {
		size_t take = n - used < step ? n - used : step;
		size_t before = s->carry.n, done;

		if (!stream_carry(s, p + used, take)) {
			*go = false;
			break;
		}
		done = stream_scan(s, s->carry.p, s->carry.n, go);
		used += take;
		step *= 2;
		if (done == 0)
			continue;
		if (done >= before) {
			/* The rest lies in p as well: go on there, without a copy. */
			used -= s->carry.n - done;
			done = s->carry.n;
		}
		carry_drop(&s->carry, done);
	}
	return used;
}

/* -- a new stream -- */

void stream_restart(struct stream *s)
{
	struct scan *fresh = scan_new(s->max_element);

	if (!fresh) {
		conn_abort(s->conn, -ENOMEM, "no memory for another stream");
		s->state = STREAM_GONE;
		return;
	}
	scan_free(s->scan);
	s->scan = fresh;
	s->state = STREAM_OPENING;
	s->header_sent = false;
}

void stream_secure(struct stream *s, struct span words, struct tls *t)
{
	if (s->state >= STREAM_ENDING) {
		tls_free(t);
		return;
	}
	BUG_ON(s->securing);
	s->securing = t;
	s->last_words = words;
}

/* rest: bytes behind the element that agreed upon TLS. */
static void stream_secure_begin(struct stream *s, size_t rest)
{
	if (s->state >= STREAM_ENDING)
		return;
	if (rest > 0) {
		conn_abort(s->conn, -EPROTO,
			"the peer spoke in the clear after TLS was agreed upon");
		s->state = STREAM_GONE;
		return;
	}
	if (s->last_words.n > 0)
		stream_say(s, s->last_words);
	if (conn_closing(s->conn))
		return; /* there was no memory for them */
	conn_secure(s->conn, s->securing);
	s->securing = NULL;
	stream_restart(s);
}

/* -- another worker -- */

void stream_hand_over(struct stream *s)
{
	if (s->state < STREAM_ENDING)
		s->leaving = true;
}

/* rest: behind what is in the carry buffer. */
static void stream_leave_for(struct stream *s, const char *rest, size_t n)
{
	if (n > 0 && s->carry.n > 0 && !stream_carry(s, rest, n))
		return;
	s->state = STREAM_GONE;
	s->ops->leave(s, s->carry.n > 0 ? span_of(s->carry.p, s->carry.n) : span_of(rest, n));
}

static void stream_on_secured(struct conn *c)
{
	struct stream *s = conn_user(c);

	if (s->state < STREAM_ENDING)
		s->ops->secured(s);
}

static void stream_on_broken(struct conn *c)
{
	struct stream *s = conn_user(c);
	bool told = s->state >= STREAM_ENDING;

	s->state = STREAM_GONE;
	if (!told && s->ops->ended)
		s->ops->ended(s);
}

static void stream_feed(struct stream *s, const char *p, size_t n)
{
	bool go = s->state < STREAM_GONE && !s->paused && scan_error(s->scan) == SCAN_E_NONE;
	size_t used = 0;

	s->feeding = true;
	if (go && s->carry.n > 0)
		used = stream_complete(s, p, n, &go);
	if (go && s->carry.n == 0)
		used += stream_scan(s, p + used, n - used, &go);
	if (s->securing) {
		stream_secure_begin(s, n - used + s->carry.n);
		s->feeding = false;
		return;
	}
	if (s->leaving) {
		stream_leave_for(s, p + used, n - used);
		s->feeding = false;
		return;
	}
	/* After an error of the scanner nothing can follow; otherwise what is left is wanted. */
	if (s->state < STREAM_GONE && scan_error(s->scan) == SCAN_E_NONE && used < n)
		(void)stream_carry(s, p + used, n - used);
	s->feeding = false;
}

static void stream_on_input(struct conn *c, char *p, size_t n)
{
	struct stream *s = conn_user(c);

	s->last_input = s->w->now;
	stream_feed(s, p, n);
}

void stream_take_over(struct stream *s, struct span input)
{
	stream_feed(s, input.p, input.n);
}

void stream_pause(struct stream *s)
{
	if (s->paused)
		return;
	s->paused = true;
	conn_pause(s->conn);
}

void stream_resume(struct stream *s)
{
	if (!s->paused)
		return;
	s->paused = false;
	if (s->state == STREAM_GONE)
		return;
	if (!s->feeding && s->carry.n > 0) {
		bool go = scan_error(s->scan) == SCAN_E_NONE;
		size_t done;

		s->feeding = true;
		done = stream_scan(s, s->carry.p, s->carry.n, &go);
		carry_drop(&s->carry, done);
		s->feeding = false;
		if (s->securing)
			stream_secure_begin(s, s->carry.n);
	}
	if (!s->paused)
		conn_resume(s->conn);
}

bool stream_admits(struct stream *s, const struct frame *f)
{
	if (likely(!(f->flags & (FRAME_CONTENT_NS | FRAME_PREFIXED))))
		return true;
	if (f->flags & FRAME_CONTENT_NS)
		stream_fail(s, "invalid-namespace", NULL, "a stanza of another kind of stream");
	else if (f->kind <= FRAME_IQ)
		stream_fail(s, "bad-namespace-prefix", NULL, "a stanza with a prefix");
	else
		return true;
	return false;
}

struct span stream_error_condition(const struct element *e)
{
	for (const struct element *c = e->child; c; c = c->next)
		if (span_is(c->ns, NS_STREAM_ERRORS) && !span_is(c->name, "text"))
			return c->name;
	return SPAN_LIT("none");
}

const struct element *stream_element(struct stream *s, const struct frame *f)
{
	const char *why = NULL;
	const struct element *e = element_parse(s->w->elements, scan_root_decls(s->scan),
		span_of(f->p, f->len), &why);

	if (!e)
		stream_unparsed(s, why);
	return e;
}

static void stream_on_connected(struct conn *c)
{
	struct stream *s = conn_user(c);

	s->ops->connected(s);
}

static void stream_on_writable(struct conn *c)
{
	struct stream *s = conn_user(c);

	if (s->ops->writable)
		s->ops->writable(s);
}

static void stream_on_stalled(struct conn *c)
{
	struct stream *s = conn_user(c);

	s->ops->stalled(s);
}

static void stream_on_closed(struct conn *c, int err, const char *why)
{
	struct stream *s = conn_user(c);

	if (!s)
		return; /* refused before there was a stream */
	s->state = STREAM_GONE;
	s->ops->closed(s, err, s->ended ? s->ended : why);
}

const struct conn_ops stream_conn_ops = {
	.connected = stream_on_connected,
	.secured = stream_on_secured,
	.broken = stream_on_broken,
	.input = stream_on_input,
	.writable = stream_on_writable,
	.stalled = stream_on_stalled,
	.closed = stream_on_closed,
};
