/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/mem.h"
#include "core/outbound_impl.h"
#include "core/router.h"
#include "core/stanza.h"
#include "core/unsent.h"
#include "core/worker.h"

/* The output queue of a stream for stanzas: who may put in how much, and what becomes of it when the
 * connection dies. */

/* A stanza that was written between the death of the connection and the word of it. */
struct late {
	struct list link;
	uint32_t len;
	char bytes[]; /* SCAN_PAD bytes behind it */
};

/* The connection has died, and the initiator does not know it yet: kept till then. */
static enum outbound_write write_late(struct outbound *o, const struct span *pieces, unsigned n,
	size_t len)
{
	struct late *late;

	if (o->late_bytes + len > o->w->config->queue_bytes)
		return OUTBOUND_FULL;
	late = mem_try_zalloc(sizeof(*late) + len + SCAN_PAD);
	if (!late)
		return OUTBOUND_SPENT;
	late->len = (uint32_t)len;
	(void)pieces_put(late->bytes, pieces, n);
	list_add_tail(&o->late, &late->link);
	o->late_bytes += len;
	return OUTBOUND_SENT;
}

/* Of the budget no queue takes more than it leaves. */
static size_t queue_bound(const struct outbound *o)
{
	size_t most = o->w->config->queue_bytes, left = conns_room(o->w->conns);

	return left < most ? left : most;
}

/* Of the quarter that is for those who hold little. */
static size_t reserve_left(const struct outbound *o, size_t queued)
{
	size_t most = o->w->config->queue_bytes, bound = queue_bound(o), left = most / 4;

	if (queued > most)
		left = queued - most < left ? left - (queued - most) : 0;
	return bound < left ? bound : left;
}

/* Beyond half of the bound, or without budget: who holds how much is counted from here on. */
static enum outbound_write write_pressed(struct outbound *o, const struct span *pieces, unsigned n,
	size_t len, uint64_t whose)
{
	size_t queued = conn_queued(o->s.conn), most = o->w->config->queue_bytes;

	if (queued + len > queue_bound(o) &&
		!shares_fit(o->shares, whose, len, reserve_left(o, queued)))
		return queued + len > most ? OUTBOUND_FULL : OUTBOUND_SPENT;
	if (!conn_write(o->s.conn, pieces, n, CONN_STANZA | CONN_FORCE))
		return OUTBOUND_SPENT;
	if (!o->shares)
		o->shares = shares_new(most);
	shares_add(o->shares, whose, len);
	return OUTBOUND_SENT;
}

/* -- how long does it wait? -- */

static const struct mark *mark_nth(const struct outbound *o, unsigned n)
{
	return &o->marks[(o->first_mark + n) % MARKS];
}

/* Has what was written up to there gone to the kernel? */
static bool mark_is_out(const struct outbound *o, const struct mark *m)
{
	return o->written - m->end >= conn_queued(o->s.conn);
}

bool outbound_is_slow(const struct outbound *o)
{
	unsigned n = 0;

	while (n < o->n_marks && mark_is_out(o, mark_nth(o, n)))
		n++;
	return conn_stalled(o->s.conn) ||
		(n < o->n_marks && o->w->now >= mark_nth(o, n)->at + TIMEOUT_SLOW_MS);
}

/* Rule 2.9.4: the age of the queue. When there are no marks left the oldest is of age. */
static void outbound_time(struct outbound *o, size_t len)
{
	struct mark *last;

	o->written += len;
	while (o->n_marks > 0 && mark_is_out(o, mark_nth(o, 0))) {
		o->first_mark = (o->first_mark + 1) % MARKS;
		o->n_marks--;
	}
	last = &o->marks[(o->first_mark + o->n_marks + MARKS - 1) % MARKS];
	if (o->n_marks == 0 || (o->n_marks < MARKS && o->w->now >= last->at + MARK_MS)) {
		last = &o->marks[(o->first_mark + o->n_marks++) % MARKS];
		last->at = o->w->now;
	}
	last->end = o->written;
}

/* An empty queue takes anything: else the largest stanza might never go. */
bool outbound_has_room(struct outbound *o, size_t n)
{
	size_t queued = conn_queued(o->s.conn);

	if (queued == 0 || queued + n <= o->w->config->queue_bytes)
		return true;
	conn_await_room(o->s.conn);
	return false;
}

enum outbound_write outbound_write(struct outbound *o, const struct span *pieces, unsigned n,
	uint64_t whose)
{
	size_t len = pieces_len(pieces, n);
	enum outbound_write res = OUTBOUND_SENT;

	if (o->max_bytes && len > o->max_bytes)
		return OUTBOUND_TOO_BIG;
	if (o->s.state != STREAM_OPEN || conn_closing(o->s.conn))
		res = write_late(o, pieces, n, len);
	else if (!conn_write(o->s.conn, pieces, n, CONN_STANZA))
		res = write_pressed(o, pieces, n, len, whose);
	if (res != OUTBOUND_SENT)
		return res;
	o->last_output = o->w->now;
	outbound_time(o, len);
	STATS_INC(&o->w->stats, stanzas_remote);
	return OUTBOUND_SENT;
}

void outbound_writable(struct stream *s)
{
	struct outbound *o = container_of(s, struct outbound, s);

	shares_free(o->shares);
	o->shares = NULL;
	if (o->phase == OUTBOUND_UP)
		initiator_link_room(o->w->initiator, o->link, o->w->now);
}

void outbound_stalled(struct stream *s)
{
	struct outbound *o = container_of(s, struct outbound, s);

	initiator_link_slow(o->w->initiator, o->link, o->w->now);
}

/* -- after its death -- */

static void outbound_unkept(void *ctx, const struct frame *f)
{
	struct outbound *o = ctx;
	struct span stanza = span_of(f->p, f->len);
	struct address from, to;

	STATS_INC(&o->w->stats, stanzas_requeued);
	if (!address_read(&from, f->from) || !address_read(&to, f->to) ||
		!initiator_requeue(o->w->initiator, o->link, domain_span(&from.domain),
			domain_span(&to.domain), stanza))
		router_return(o->w, stanza, STANZA_REMOTE_SERVER_TIMEOUT,
			"the stream ended before it could be sent");
}

/* What the kernel had not taken, and then what came since: the order stays. */
void outbound_keep_unsent(struct outbound *o)
{
	unsent_each(o->w, o->s.conn, o->opening.to, outbound_unkept, o);
	while (!list_empty(&o->late)) {
		struct late *late = list_first(&o->late, struct late, link);

		router_each_stanza(o->w, span_of(late->bytes, late->len), outbound_unkept, o);
		list_del(&late->link);
		mem_free(late);
	}
}
