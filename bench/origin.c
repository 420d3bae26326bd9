/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/origin.h"

#include "bench/opening.h"

#include <strings.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define BURST 32 /* stanzas between two looks at the clock */
#define FILLS_PER_TURN 4
#define TICK_MIN_NS 50000
#define TICK_MAX_NS NS_PER_MS
/* A stanza this late is stamped with the time at which it was due. */
#define LATE_NS NS_PER_MS

enum pair_state { PAIR_NEW, PAIR_ASKED, PAIR_VALID, PAIR_FAILED };

enum stream_state {
	STREAM_OPENING,
	STREAM_READY,
	STREAM_CLOSED,
};

struct origin_stream {
	struct wire wire; /* first: its source is what the loop hands us */
	struct origin *origin;
	struct reader *reader;
	struct opening opening;
	enum stream_state state;
	uint32_t index;
	uint32_t next_pair; /* to assert next */
	uint32_t unanswered;
	uint32_t next_probe;
	uint32_t *valid; /* its valid pairs, while stanzas are sent */
	uint32_t n_valid, turn;
	uint64_t quota, sent; /* stanzas */
	char error[ORIGIN_REASON]; /* condition of a stream error */
	bool over;
};

static struct text text_of(const char *s)
{
	return (struct text){ s, strlen(s) };
}

void origin_init(struct origin *o, struct loop *l, const struct names *names, struct shapes *shapes,
	struct keys *keys, struct ledger *ledger)
{
	memset(o, 0, sizeof(*o));
	o->loop = l;
	o->names = names;
	o->shapes = shapes;
	o->keys = keys;
	o->ledger = ledger;
	o->timer.fd = -1;
	o->pairs = bench_alloc(names->n_pairs, 1);
}

void origin_free(struct origin *o)
{
	if (o->timer.fd >= 0) {
		loop_remove(o->loop, &o->timer);
		close(o->timer.fd);
		o->timer.fd = -1;
	}
	for (uint32_t i = 0; i < o->n_streams; i++) {
		wire_close(&o->streams[i].wire);
		reader_free(o->streams[i].reader);
		free(o->streams[i].valid);
	}
	free(o->streams);
	free(o->pairs);
	o->streams = NULL;
	o->pairs = NULL;
	o->n_streams = 0;
}

static void stream_close(struct origin_stream *s, const char *why)
{
	struct origin *o = s->origin;

	if (s->state == STREAM_CLOSED)
		return;
	if (!o->reason[0])
		snprintf(o->reason, sizeof(o->reason), "%s%.100s",
			s->error[0] ? "stream error " : "", s->error[0] ? s->error : why);
	s->state = STREAM_CLOSED;
	o->n_closed++;
	for (uint32_t i = s->index; i < o->names->n_pairs; i += o->n_streams) {
		if (o->pairs[i] == PAIR_NEW || o->pairs[i] == PAIR_ASKED) {
			o->pairs[i] = PAIR_FAILED;
			o->counts.closed++;
		}
	}
	wire_close(&s->wire);
}

/* One db:result. A probe's key is that of its pair with another first digit. */
static void result_append(struct origin_stream *s, struct text sender, struct text target,
	bool honest)
{
	char key[KEYS_HEX + 1];

	keys_make(s->origin->keys, target, sender, text_of(s->opening.id), key);
	if (!honest)
		key[0] = key[0] == '0' ? '1' : '0';
	wire_printf(&s->wire, "<db:result from='%.*s' to='%.*s'>%s</db:result>", (int)sender.len,
		sender.p, (int)target.len, target.p, key);
}

static bool pair_wanted(const struct origin_stream *s)
{
	const struct origin *o = s->origin;

	return o->phase == ORIGIN_PAIRS && s->next_pair < o->names->n_pairs &&
		(!o->window || s->unanswered < o->window);
}

static void pairs_fill(struct origin_stream *s)
{
	struct origin *o = s->origin;

	while (pair_wanted(s) && wire_pending(&s->wire) < ORIGIN_PENDING) {
		result_append(s, o->names->pairs[s->next_pair],
			names_target(o->names, s->next_pair), true);
		o->pairs[s->next_pair] = PAIR_ASKED;
		s->next_pair += o->n_streams;
		s->unanswered++;
		o->counts.asked++;
	}
}

/* How many stanzas this stream should have sent by now. */
static uint64_t stanzas_due(const struct origin_stream *s, uint64_t now)
{
	const struct origin *o = s->origin;
	double share, due;

	if (!o->rate)
		return s->quota;
	share = (double)s->n_valid / (double)o->counts.valid;
	due = (double)(now - o->began) / 1e9 * (double)o->rate * share + 1;
	return due < (double)s->quota ? (uint64_t)due : s->quota;
}

/* When stanza number `sent` of a paced stream was due, if that is long ago; else now. */
static uint64_t stanza_time(const struct origin_stream *s, uint64_t now)
{
	const struct origin *o = s->origin;
	double share;
	uint64_t due;

	if (!o->rate)
		return now;
	share = (double)s->n_valid / (double)o->counts.valid;
	due = o->began + (uint64_t)((double)s->sent / ((double)o->rate * share) * 1e9);
	return due + LATE_NS < now ? due : now;
}

static void stanzas_append(struct origin_stream *s, uint64_t count, uint64_t now)
{
	struct origin *o = s->origin;
	char *begin = wire_reserve(&s->wire, BURST * (o->shapes->longest + 2 * NAMES_MAX));
	char *to = begin;

	for (uint64_t i = 0; i < count; i++) {
		uint32_t pair = s->valid[s->turn];
		struct marker m = { .pair = pair, .time = stanza_time(s, now) };

		m.number = ledger_send(o->ledger, pair);
		m.shape = shapes_next(o->shapes);
		to = shapes_write(o->shapes, to, &m, o->names->pairs[pair],
			names_target(o->names, pair));
		s->turn = s->turn + 1 == s->n_valid ? 0 : s->turn + 1;
		s->sent++;
	}
	wire_commit(&s->wire, (size_t)(to - begin));
	o->counts.stanzas += count;
	o->counts.bytes += (uint64_t)(to - begin);
}

static void probes_fill(struct origin_stream *s)
{
	struct origin *o = s->origin;

	if (s->index || s->sent < s->quota / 2)
		return;
	while (s->next_probe < o->names->n_probes && wire_pending(&s->wire) < ORIGIN_PENDING) {
		result_append(s, o->names->probes[s->next_probe++], o->names->targets[0], false);
		o->counts.probes_asked++;
	}
}

static void stanzas_fill(struct origin_stream *s)
{
	uint64_t now, due;

	do {
		now = bench_now();
		due = stanzas_due(s, now);
		/* Both halves end at the middle, so that probes really come there. */
		if (s->sent < s->quota / 2 && due > s->quota / 2)
			due = s->quota / 2;
		due -= due < s->sent ? due : s->sent;
		if (due > BURST)
			due = BURST;
		if (due)
			stanzas_append(s, due, now);
		probes_fill(s);
	} while (due && wire_pending(&s->wire) < ORIGIN_PENDING);
}

static bool stream_has_more(const struct origin_stream *s)
{
	const struct origin *o = s->origin;

	if (o->phase == ORIGIN_PAIRS)
		return pair_wanted(s);
	if (o->phase != ORIGIN_STANZAS)
		return false;
	if (!o->rate && s->sent < s->quota)
		return true;
	return !s->index && s->next_probe < o->names->n_probes && s->sent >= s->quota / 2;
}

/* Fills the socket, but leaves the loop to others after a few buffers. */
static void stream_pump(struct origin_stream *s)
{
	for (int i = 0; i < FILLS_PER_TURN; i++) {
		if (s->state == STREAM_READY && s->origin->phase == ORIGIN_PAIRS)
			pairs_fill(s);
		else if (s->state == STREAM_READY && s->origin->phase == ORIGIN_STANZAS)
			stanzas_fill(s);
		if (!wire_flush(&s->wire)) {
			stream_close(s, strerror(errno));
			return;
		}
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

static void probe_answered(struct origin *o, const struct reader_element *e)
{
	bool error = strcmp(e->type, "error") == 0;

	o->counts.probes_answered++;
	tally_add(&o->counts.probes, error ? reader_condition(e) : e->type);
}

static void pair_answered(struct origin_stream *s, uint32_t pair, const struct reader_element *e)
{
	struct origin *o = s->origin;
	struct origin_counts *c = &o->counts;

	s->unanswered--;
	c->last = bench_now();
	if (strcmp(e->type, "valid") == 0) {
		o->pairs[pair] = PAIR_VALID;
		c->valid++;
		return;
	}
	o->pairs[pair] = PAIR_FAILED;
	if (strcmp(e->type, "invalid") == 0) {
		c->invalid++;
	} else {
		c->error++;
		tally_add(&c->conditions, reader_condition(e));
	}
	if (!o->pair_reason[0])
		snprintf(o->pair_reason, sizeof(o->pair_reason), "%.60s: %s %.50s", e->to, e->type,
			strcmp(e->type, "invalid") ? reader_condition(e) : "");
}

/* An answer counts only for a question that this stream has asked. */
static void stream_result(struct origin_stream *s, const struct reader_element *e)
{
	struct origin *o = s->origin;
	uint32_t i = 0;
	enum name_kind kind = names_find(o->names, text_of(e->to), &i);

	if (kind == NAME_PROBE && !s->index && i < s->next_probe) {
		probe_answered(o, e);
	} else if (kind == NAME_PAIR && i % o->n_streams == s->index && o->pairs[i] == PAIR_ASKED &&
		strcasecmp(e->from, names_target(o->names, i).p) == 0) {
		pair_answered(s, i, e);
	} else {
		o->counts.unexpected++;
	}
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
		stream_result(s, e);
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
	static char buf[65536];
	ssize_t n = -EAGAIN;

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
	if (n == 0 || s->over)
		stream_close(s, "closed by the server");
	else if (n < 0 && n != -EAGAIN)
		stream_close(s, strerror((int)-n));
	else
		stream_pump(s);
}

static bool streams_open(struct origin *o, const struct address *a)
{
	o->n_streams = o->names->n_streams;
	o->streams = bench_alloc(o->n_streams, sizeof(*o->streams));
	for (uint32_t i = 0; i < o->n_streams; i++) {
		o->streams[i].origin = o;
		o->streams[i].index = o->streams[i].next_pair = i;
		o->streams[i].wire.source.fd = -1;
	}
	for (uint32_t i = 0; i < o->n_streams; i++) {
		int fd = address_connect(a);

		if (fd < 0 || !wire_open(&o->streams[i].wire, o->loop, fd, stream_ready))
			return false;
	}
	return true;
}

bool origin_open(struct origin *o, const struct address *server)
{
	if (!streams_open(o, server))
		return false;
	for (uint32_t i = 0; i < o->n_streams; i++) {
		struct origin_stream *s = &o->streams[i];

		s->reader = reader_new(&stream_calls, s);
		if (!opening_begin(&s->opening, &s->wire, o->secure, NULL,
			    o->names->pairs[i % o->names->n_pairs].p, names_target(o->names, i).p))
			return false;
		wire_set_hungry(&s->wire, false);
	}
	return true;
}

bool origin_open_direct(struct origin *o, const struct address *sink)
{
	if (!streams_open(o, sink))
		return false;
	for (uint32_t i = 0; i < o->n_streams; i++)
		stream_set_ready(&o->streams[i]);
	memset(o->pairs, PAIR_VALID, o->names->n_pairs);
	o->counts.valid = o->names->n_pairs;
	return true;
}

void origin_assert(struct origin *o, uint32_t window)
{
	o->phase = ORIGIN_PAIRS;
	o->window = window;
	o->counts.first = o->counts.last = bench_now();
	for (uint32_t i = 0; i < o->n_streams; i++) {
		if (o->streams[i].state == STREAM_READY)
			stream_pump(&o->streams[i]);
	}
}

bool origin_settled(const struct origin *o)
{
	const struct origin_counts *c = &o->counts;

	return c->valid + c->invalid + c->error + c->closed == o->names->n_pairs;
}

/* Collects the stream's valid pairs. */
static void stream_collect(struct origin_stream *s)
{
	struct origin *o = s->origin;

	s->valid = bench_alloc(o->names->n_pairs / o->n_streams + 1, sizeof(*s->valid));
	for (uint32_t i = s->index; i < o->names->n_pairs; i += o->n_streams) {
		if (o->pairs[i] == PAIR_VALID && s->state == STREAM_READY)
			s->valid[s->n_valid++] = i;
	}
}

static void origin_tick(struct source *source, uint32_t events)
{
	struct origin *o = (struct origin *)((char *)source - offsetof(struct origin, timer));
	uint64_t ticks;

	(void)events;
	if (read(source->fd, &ticks, sizeof(ticks)) < 0)
		return;
	for (uint32_t i = 0; i < o->n_streams; i++) {
		if (o->streams[i].state == STREAM_READY)
			stream_pump(&o->streams[i]);
	}
}

static bool timer_start(struct origin *o)
{
	uint64_t ns = NS_PER_S / o->rate;
	struct itimerspec it;

	if (ns > TICK_MAX_NS)
		ns = TICK_MAX_NS;
	if (ns < TICK_MIN_NS)
		ns = TICK_MIN_NS;
	it.it_interval = (struct timespec){ .tv_nsec = (long)ns };
	it.it_value = it.it_interval;
	o->timer.events = EPOLLIN;
	o->timer.ready = origin_tick;
	o->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	return o->timer.fd >= 0 && timerfd_settime(o->timer.fd, 0, &it, NULL) == 0 &&
		loop_add(o->loop, &o->timer);
}

bool origin_send(struct origin *o, uint64_t count, uint64_t rate)
{
	uint64_t live = 0, left = count;

	o->phase = ORIGIN_STANZAS;
	for (uint32_t i = 0; i < o->n_streams; i++) {
		stream_collect(&o->streams[i]);
		live += o->streams[i].n_valid;
	}
	for (uint32_t i = 0; i < o->n_streams && live; i++) {
		struct origin_stream *s = &o->streams[i];

		/* Its share of what is left, so that the sum is exact. */
		s->quota = (uint64_t)((double)left * (double)s->n_valid / (double)live + 0.5);
		left -= s->quota;
		live -= s->n_valid;
	}
	o->rate = rate;
	o->began = bench_now();
	if (rate && !timer_start(o))
		return false;
	for (uint32_t i = 0; i < o->n_streams; i++) {
		if (o->streams[i].state == STREAM_READY)
			stream_pump(&o->streams[i]);
	}
	return true;
}

bool origin_sent(const struct origin *o)
{
	for (uint32_t i = 0; i < o->n_streams; i++) {
		const struct origin_stream *s = &o->streams[i];

		if (s->state != STREAM_CLOSED && (s->sent < s->quota || wire_pending(&s->wire)))
			return false;
		if (s->state != STREAM_CLOSED && !i && s->next_probe < o->names->n_probes)
			return false;
	}
	return o->counts.probes_answered >= o->counts.probes_asked ||
		o->streams[0].state == STREAM_CLOSED;
}
