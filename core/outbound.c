/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/outbound.h"

#include <errno.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/rand.h"
#include "core/outbound_impl.h"
#include "core/worker.h"
#include "net/dial.h"
#include "net/tls.h"

static const struct stream_ops outbound_ops;

struct outbound *outbound_of(struct stream *s)
{
	return s->ops == &outbound_ops ? container_of(s, struct outbound, s) : NULL;
}

/* -- why it ends -- */

void outbound_lose(struct outbound *o, enum out_loss loss)
{
	if (!o->lost)
		o->loss = loss;
	o->lost = true;
}

/* Some say no to a proof by going: without a word, without an answer, or with an error of this kind. */
static bool refused_by_end(const struct outbound *o, int err)
{
	if (o->phase != OUTBOUND_AUTH || err == -ENOMEM)
		return false;
	return !o->condition || strcmp(o->condition, "not-authorized") == 0 ||
		strcmp(o->condition, "undefined-condition") == 0;
}

/* Others do before they have spoken within TLS: then they have seen no more of us than our certificate. */
static bool refused_in_handshake(const struct outbound *o)
{
	return o->id.n == 0 && opening_refused(&o->opening, &o->s);
}

static bool left_at_sight(const struct outbound *o, int err)
{
	return o->id.n == 0 && opening_left_at_sight(&o->opening, &o->s, err);
}

/* Without a reason of ours, what can be told from how far it had come. */
static enum out_loss loss_of(const struct outbound *o, int err)
{
	if (o->lost)
		return o->loss;
	if (o->phase == OUTBOUND_TLS && !o->tls_offered)
		return outbound_demand(o);
	if ((o->refused && !o->answered) || refused_by_end(o, err))
		return OUT_LOSS_EXTERNAL;
	if (o->condition)
		return OUT_LOSS_ERROR;
	if (refused_in_handshake(o))
		return OUT_LOSS_REFUSED;
	if (left_at_sight(o, err))
		return OUT_LOSS_AT_SIGHT;
	if (err == -ENOMEM)
		return OUT_LOSS_OVERLOAD;
	return o->phase == OUTBOUND_UP ? OUT_LOSS_CLOSED : OUT_LOSS_NEGOTIATION;
}

static const char *loss_name(enum out_loss loss)
{
	static const char *const name[] = {
		[OUT_LOSS_UNREACHABLE] = "unreachable",
		[OUT_LOSS_NEGOTIATION] = "negotiation",
		[OUT_LOSS_REFUSED] = "refused",
		[OUT_LOSS_AT_SIGHT] = "at-sight",
		[OUT_LOSS_TLS] = "tls",
		[OUT_LOSS_RULE] = "rule",
		[OUT_LOSS_EXTERNAL] = "external",
		[OUT_LOSS_UNSUPPORTED] = "unsupported",
		[OUT_LOSS_UNPROVEN] = "unproven",
		[OUT_LOSS_ERROR] = "error",
		[OUT_LOSS_CLOSED] = "closed",
		[OUT_LOSS_OURS] = "ours",
		[OUT_LOSS_OVERLOAD] = "overload",
	};

	return name[loss];
}

static void outbound_free(struct outbound *o)
{
	timer_stop(&o->timer);
	list_del(&o->dialling);
	opening_free(&o->opening);
	identity_free(o->identity);
	shares_free(o->shares);
	mem_free((char *)(uintptr_t)o->id.p);
	mem_free(o->redirect);
	mem_free(o);
}

void outbound_down(struct outbound *o, enum out_loss loss)
{
	const char *condition = loss == OUT_LOSS_ERROR ? o->condition : NULL;
	struct out_link *link = o->link;
	struct worker *w = o->w;

	outbound_free(o);
	out_link_set_user(link, NULL);
	initiator_link_down(w->initiator, link, loss, condition, w->now);
}

/* -- dialling -- */

static bool is_our_want(int err)
{
	return err == -EUSERS || err == -ENOMEM || err == -ENOBUFS || err == -EMFILE ||
		err == -ENFILE;
}

/* What senders are told says nothing about us: the operator has to hear it from here. */
static void undialled(struct worker *w, const struct addr *to, int err)
{
	char peer[ADDR_TEXT];

	STATS_INC(&w->stats, dials_failed);
	addr_format(to, peer);
	LOG(LOG_WARN, "dial-failed", "another server could not be dialled", LF_STR("peer", peer),
		LF_STR("error", err == -EUSERS ? "--max-conns is reached" : strerror(-err)));
}

/* What is being dialled: where the domain's names lead, or where a server has sent us. */
static const struct place *dialled(const struct outbound *o)
{
	return o->redirect ? o->redirect->places : o->places;
}

static enum out_loss loss_of_dial(const struct outbound *o, int err)
{
	if (is_our_want(err))
		return OUT_LOSS_OVERLOAD;
	return o->redirect ? OUT_LOSS_NEGOTIATION : OUT_LOSS_UNREACHABLE;
}

static void dial_failed(void *user, int err, const char *why)
{
	struct outbound *o = user;

	o->dial = NULL;
	if (is_our_want(err))
		undialled(o->w, &dialled(o)->addr, err);
	LOG(LOG_INFO, "outbound-unreached", why, LF_STR("from", o->opening.from),
		LF_STR("to", o->opening.to),
		LF_INT("places", o->redirect ? o->redirect->n : o->n_places),
		LF_INT("errno", -err));
	outbound_down(o, loss_of_dial(o, err));
}

static void dial_place_failed(void *user, unsigned which, int err, const char *why)
{
	struct outbound *o = user;
	char peer[ADDR_TEXT];

	addr_format(&dialled(o)[which].addr, peer);
	LOG(LOG_DEBUG, "outbound-place-failed", why, LF_STR("peer", peer),
		LF_STR("to", o->opening.to), LF_INT("errno", -err));
	explain_stream(o->w->explain, span_str(o->opening.to), EXPLAIN_TRIED, &dialled(o)[which],
		why, o->w->now);
	/* Nobody is kept from a place because some server names it. */
	if (!o->redirect)
		initiator_place_failed(o->w->initiator, &o->places[which], o->w->now);
}

/* To the initiator it stays where it was before it was sent elsewhere. */
static void outbound_connected(struct outbound *o, unsigned which)
{
	if (o->redirect)
		explain_stream(o->w->explain, span_str(o->opening.to), EXPLAIN_CONNECTED,
			out_link_place(o->link), "which has sent us elsewhere", o->w->now);
	else
		initiator_link_connected(o->w->initiator, o->link, which, o->w->now);
}

static void dial_connected(void *user, struct conn *c, unsigned which)
{
	struct outbound *o = user;

	o->dial = NULL;
	if (!stream_init(&o->s, o->w, c, &outbound_ops, LIMIT_STANZA_UNAUTH)) {
		conn_abort(c, -ENOMEM, "no memory");
		undialled(o->w, &dialled(o)[which].addr, -ENOMEM);
		outbound_down(o, OUT_LOSS_OVERLOAD);
		return;
	}
	conn_set_ops(c, &stream_conn_ops);
	list_del(&o->dialling);
	o->phase = OUTBOUND_HEADER;
	o->opening.at = dialled(o)[which];
	outbound_connected(o, which);
	opening_start(&o->opening, &o->s);
}

static const struct dial_ops dial_ops = {
	.connected = dial_connected,
	.failed = dial_failed,
	.place_failed = dial_place_failed,
};

bool outbound_dial(struct outbound *o, const struct place *places, unsigned n)
{
	int err = -ENOMEM;

	o->dial = dial_start(o->w->conns, o->w->wheel, places, n, &dial_ops, o, o->w->now, &err);
	if (!o->dial)
		undialled(o->w, &places[0].addr, err);
	return o->dial != NULL;
}

/* -- spaces (rule 1.7) -- */

/* Milliseconds without output after which there has to be a space; UINT64_MAX: never. */
static uint64_t outbound_patience(const struct outbound *o)
{
	uint64_t idle = o->idle_ms ? o->idle_ms : UINT64_MAX;

	if (out_link_pairs(o->link) > LIMIT_SPACE_PAIRS && idle > TIMEOUT_SPACE_MS)
		return TIMEOUT_SPACE_MS;
	return idle;
}

/* Looked at every five minutes too: pairs come and go. */
static void outbound_wait(struct outbound *o)
{
	uint64_t patience = outbound_patience(o), look = o->w->now + TIMEOUT_SPACE_MS;
	if (patience < look - o->last_output)
		look = o->last_output + patience;
	timer_set(o->w->wheel, &o->timer, o->certificate_ends < look ? o->certificate_ends : look);
}

static void outbound_look(struct outbound *o)
{
	if (o->s.state != STREAM_OPEN)
		return;
	/* What it has proven holds no longer (rule 4.4); with a new certificate it does again. */
	if (o->w->now >= o->certificate_ends) {
		outbound_lose(o, OUT_LOSS_OURS);
		stream_fail(&o->s, "reset", NULL, "the server's certificate has run out");
		return;
	}
	if (o->w->now - o->last_output >= outbound_patience(o)) {
		stream_say(&o->s, SPAN_LIT(" "));
		o->last_output = o->w->now;
	}
	outbound_wait(o);
}

static void outbound_timer(struct timer *t, uint64_t now)
{
	struct outbound *o = container_of(t, struct outbound, timer);

	(void)now;
	if (o->phase != OUTBOUND_DIALLING)
		outbound_look(o);
	else if (o->lost)
		outbound_down(o, o->loss);
	else
		outbound_go(o);
}

/* -- life -- */

bool outbound_open(struct worker *w, struct out_link *l, const struct place *places, unsigned n,
	struct span from, struct span to, enum out_proof proof)
{
	struct outbound *o = mem_try_zalloc(sizeof(*o) + n * sizeof(*places));

	if (!o || w->draining || conns_count(w->conns) >= conns_max(w->conns) - worker_reserve(w) ||
		!opening_init(&o->opening, from, to, HEADER_PLAIN)) {
		mem_free(o);
		return false;
	}
	o->w = w;
	o->link = l;
	o->proof = proof;
	o->opening.bare = proof == OUT_PROOF_NONE;
	o->n_places = n;
	memcpy(o->places, places, n * sizeof(*places));
	list_init(&o->late);
	list_init(&o->dialling);
	timer_init(&o->timer, outbound_timer);
	if (!outbound_dial(o, places, n)) {
		outbound_free(o);
		return false;
	}
	list_add_tail(&w->dialling, &o->dialling);
	out_link_set_user(l, o);
	STATS_INC(&w->stats, streams_out);
	return true;
}

/* The initiator has asked for it: nothing may be told from inside. */
static bool outbound_part(struct outbound *o)
{
	if (o->phase == OUTBOUND_DIALLING) {
		dial_cancel(o->dial);
		o->dial = NULL;
		o->lookup = 0;
		outbound_lose(o, OUT_LOSS_OURS);
		timer_set(o->w->wheel, &o->timer, o->w->now);
		return false;
	}
	if (o->follows)
		outbound_lose(o, OUT_LOSS_OURS);
	if (o->s.state >= STREAM_ENDING)
		return false;
	outbound_lose(o, OUT_LOSS_OURS);
	return true;
}

void outbound_close(struct outbound *o, const char *why)
{
	if (!outbound_part(o))
		return;
	o->told = true;
	stream_end(&o->s, why);
}

void outbound_leave(struct outbound *o, const char *why)
{
	if (outbound_part(o))
		stream_shut_down(&o->s, why);
}

void outbounds_stop(struct worker *w)
{
	while (!list_empty(&w->dialling)) {
		struct outbound *o = list_first(&w->dialling, struct outbound, dialling);

		dial_cancel(o->dial);
		outbound_down(o, OUT_LOSS_OURS);
	}
}

static void outbound_ending(struct outbound *o)
{
	if (!o->told)
		initiator_link_ending(o->w->initiator, o->link);
	o->told = true;
}

static void outbound_ended(struct stream *s)
{
	outbound_ending(container_of(s, struct outbound, s));
}

static void say_header(struct stream *s)
{
	opening_say_header(&container_of(s, struct outbound, s)->opening, s);
}

/* What came of it, with all that an operator wants to know about the way to that server. */
static void outbound_log_up(const struct outbound *o)
{
	struct tls *t = conn_tls(o->s.conn);
	const char *why = NULL;
	char peer[ADDR_TEXT];
	bool proven = outbound_proves(o, span_str(o->opening.to), &why);

	addr_format(conn_peer(o->s.conn), peer);
	LOG(LOG_INFO, "outbound-up", "a stream to another server is open", LF_STR("peer", peer),
		LF_STR("from", o->opening.from), LF_STR("to", o->opening.to),
		LF_STR("tls",
			!t			       ? "none"
				: o->opening.at.direct ? "direct"
						       : "starttls"),
		LF_STR("version", t ? tls_version(t) : NULL),
		LF_STR("cipher", t ? tls_cipher(t) : NULL),
		LF_STR("certificate",
			!t		 ? NULL
				: proven ? "proves the domain"
					 : why),
		LF_STR("by", o->authenticated ? "external" : "dialback"));
}

/* When what the peer's certificate has proven is over, spread over a minute: many streams may hang on
 * one. */
static uint64_t certificate_ends(const struct outbound *o)
{
	const char *why;
	int64_t left;

	if (!outbound_proves(o, span_str(o->opening.to), &why))
		return UINT64_MAX;
	left = identity_not_after(o->identity) - clock_unix();
	return o->w->now + (left > 0 ? (uint64_t)left * 1000 : 0) + rand_below(60000);
}

void outbound_up(struct outbound *o)
{
	const struct out_facts facts = {
		.errors = o->errors,
		.proven = o->authenticated,
		.claimless = !o->dialback,
	};
	const size_t bound = o->w->config->queue_bytes;

	o->phase = OUTBOUND_UP;
	stream_stop_timer(&o->s);
	/* From half of the bound on there is a closer look. */
	conn_set_queue_marks(o->s.conn, bound / 2, bound / 4);
	conn_set_stall(o->s.conn, TIMEOUT_SLOW_MS);
	o->last_output = o->w->now;
	o->certificate_ends = certificate_ends(o);
	outbound_wait(o);
	STATS_INC(&o->w->stats, streams_out_up);
	outbound_log_up(o);
	initiator_link_up(o->w->initiator, o->link, &facts, o->w->now);
}

static void outbound_gone(struct stream *s, int err, const char *why)
{
	struct outbound *o = container_of(s, struct outbound, s);
	enum out_loss loss = loss_of(o, err);
	char peer[ADDR_TEXT];

	addr_format(conn_peer(s->conn), peer);
	LOG(LOG_INFO, "outbound-down", why, LF_STR("peer", peer), LF_STR("from", o->opening.from),
		LF_STR("to", o->opening.to), LF_STR("loss", loss_name(loss)),
		LF_STR("condition", o->condition), LF_INT("errno", -err));
	outbound_ending(o);
	if (o->phase == OUTBOUND_UP)
		outbound_keep_unsent(o);
	stream_release(s);
	outbound_down(o, loss);
}

static void outbound_closed(struct stream *s, int err, const char *why)
{
	struct outbound *o = container_of(s, struct outbound, s);

	if (!outbound_follows(o)) {
		outbound_gone(s, err, why);
		return;
	}
	stream_release(s);
	outbound_follow(o);
}

static const struct stream_ops outbound_ops = {
	.kind = "outbound",
	.forwards = true,
	.header = outbound_header,
	.frame = outbound_frame,
	.open = say_header,
	.secured = outbound_secured,
	.writable = outbound_writable,
	.stalled = outbound_stalled,
	.ended = outbound_ended,
	.closed = outbound_closed,
	.timeout = outbound_timeout,
};
