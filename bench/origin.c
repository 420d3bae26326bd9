/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/origin_impl.h"

#include <unistd.h>

#define FILLS_PER_TURN 4

void origin_init(struct origin *o, struct loop *l, const struct names *names, struct keys *keys,
	struct feed *feed, uint32_t first, uint32_t late)
{
	memset(o, 0, sizeof(*o));
	o->loop = l;
	o->names = names;
	o->keys = keys;
	o->feed = feed;
	o->timer.fd = -1;
	o->n_first = first;
	o->n_late = late;
	o->churn_pair = first + late;
	o->pairs = bench_alloc(names->n_pairs, 1);
	o->asked = bench_alloc(names->n_pairs, sizeof(*o->asked));
}

void origin_free(struct origin *o)
{
	feed_timer_end(o->loop, &o->timer);
	for (uint32_t i = 0; i < o->n_streams; i++) {
		wire_close(&o->streams[i].wire);
		reader_free(o->streams[i].reader);
		free(o->streams[i].share.pairs);
	}
	free(o->streams);
	free(o->pairs);
	free(o->asked);
	o->streams = NULL;
	o->pairs = NULL;
	o->asked = NULL;
	o->n_streams = 0;
}

void stream_close(struct origin_stream *s, const char *why)
{
	struct origin *o = s->origin;

	if (s->state == STREAM_CLOSED)
		return;
	if (!o->reason[0])
		snprintf(o->reason, sizeof(o->reason), "%s%.100s",
			s->error[0] ? "stream error " : "", s->error[0] ? s->error : why);
	s->state = STREAM_CLOSED;
	o->n_closed++;
	pairs_abandon(s);
	wire_close(&s->wire);
}

static bool stream_has_more(const struct origin_stream *s)
{
	return s->state == STREAM_READY &&
		(pairs_wanted(s) || probes_wanted(s) || stanzas_wanted(s));
}

void stream_pump(struct origin_stream *s)
{
	for (int i = 0; i < FILLS_PER_TURN; i++) {
		if (s->state == STREAM_READY) {
			pairs_fill(s);
			stanzas_fill(s);
		}
		if (!wire_flush(&s->wire)) {
			stream_close(s, strerror(errno));
			return;
		}
		if (churn_flushed(s))
			return;
		if (wire_pending(&s->wire) || !stream_has_more(s))
			break;
	}
	wire_set_hungry(&s->wire, stream_has_more(s));
}

static void stream_set_ready(struct origin_stream *s)
{
	s->state = STREAM_READY;
	s->origin->n_ready++;
}

static void stream_opened(struct origin_stream *s)
{
	const struct origin *o = s->origin;

	if (s->state != STREAM_OPENING || s->opening.state != OPENING_DONE)
		return;
	if (o->secure && !s->wire.tls)
		stream_close(s, "the server does not do TLS");
	else
		stream_set_ready(s);
}

static void stream_header(void *owner, const struct reader_element *e)
{
	struct origin_stream *s = owner;

	opening_header(&s->opening, e);
	stream_opened(s);
}

static void stream_element(void *owner, const struct reader_element *e)
{
	struct origin_stream *s = owner;

	if (e->ns == READER_NS_STREAM && strcmp(e->name, "error") == 0) {
		snprintf(s->error, sizeof(s->error), "%s %.80s", reader_condition(e), e->text);
		s->over = true;
	} else if (opening_element(&s->opening, e)) {
		stream_opened(s);
	} else if (e->ns == READER_NS_DIALBACK && strcmp(e->name, "result") == 0 && e->type[0]) {
		pairs_result(s, e);
	}
}

static void stream_end(void *owner)
{
	((struct origin_stream *)owner)->over = true;
}

static const struct reader_calls stream_calls = { stream_header, stream_element, stream_end };

static void stream_ready(struct source *source, uint32_t events)
{
	struct origin_stream *s = (struct origin_stream *)source;
	static char buf[WIRE_READ];
	ssize_t n = -EAGAIN;
	bool ended;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		n = wire_read(&s->wire, buf, sizeof(buf));
	if (n > 0 && s->reader && !reader_feed(s->reader, buf, (size_t)n)) {
		stream_close(s, "what the server sent is not well-formed");
		return;
	}
	if (s->reader && opening_turn(&s->opening)) {
		reader_free(s->reader);
		s->reader = reader_new(&stream_calls, s);
	}
	ended = n == 0 || s->over;
	if (ended && s->state == STREAM_LEAVING && !s->error[0] && !wire_pending(&s->wire))
		churn_reopen(s);
	else if (ended)
		stream_close(s, "closed by the server");
	else if (n < 0 && n != -EAGAIN)
		stream_close(s, strerror((int)-n));
	else
		stream_pump(s);
}

static bool stream_connect(struct origin_stream *s)
{
	struct origin *o = s->origin;
	int fd = address_connect(&o->server), bytes = ORIGIN_PENDING;

	if (fd >= 0 && o->narrow)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return fd >= 0 && wire_open(&s->wire, o->loop, fd, stream_ready);
}

bool stream_begin(struct origin_stream *s)
{
	struct origin *o = s->origin;
	uint32_t first = range_at(s->own, 0);

	if (!stream_connect(s))
		return false;
	s->state = STREAM_OPENING;
	s->over = false;
	s->unanswered = s->own_asked = s->probes_asked = 0;
	reader_free(s->reader);
	s->reader = reader_new(&stream_calls, s);
	memset(&s->opening, 0, sizeof(s->opening));
	if (!opening_begin(&s->opening, &s->wire, o->secure, NULL,
		    names_pair(o->names, first, s->name).p, names_target(o->names, first).p))
		return false;
	wire_set_hungry(&s->wire, false);
	return true;
}

static void streams_make(struct origin *o, const struct address *server)
{
	o->server = *server;
	o->n_streams = o->names->n_streams;
	o->streams = bench_alloc(o->n_streams, sizeof(*o->streams));
	for (uint32_t i = 0; i < o->n_streams; i++) {
		struct origin_stream *s = &o->streams[i];

		s->origin = o;
		s->share.feed = o->feed;
		s->index = i;
		s->wire.source.fd = -1;
		s->own = (struct range){ i, o->n_streams, o->n_first };
		s->late = (struct range){ o->n_first + i, o->n_streams, o->n_first + o->n_late };
		s->probes = (struct range){ 0, !i && !o->rough, o->names->n_probes };
	}
}

bool origin_open(struct origin *o, const struct address *server)
{
	streams_make(o, server);
	for (uint32_t i = 0; i < o->n_streams; i++) {
		if (!stream_begin(&o->streams[i]))
			return false;
	}
	return true;
}

bool origin_open_direct(struct origin *o, const struct address *sink)
{
	streams_make(o, sink);
	for (uint32_t i = 0; i < o->n_streams; i++) {
		struct origin_stream *s = &o->streams[i];

		if (!stream_connect(s))
			return false;
		stream_set_ready(s);
		/* Nobody is there to answer. */
		s->own_asked = range_count(s->own);
	}
	memset(o->pairs, PAIR_VALID, o->names->n_pairs);
	o->counts.pairs[WAVE_FIRST].valid = o->n_first;
	return true;
}
