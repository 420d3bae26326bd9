/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/storm.h"

#include "bench/opening.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_MS 1 /* at a rate: how late a connection may begin */

struct slot {
	struct wire wire; /* first: its source is what the loop hands us */
	struct storm *storm;
	struct reader *reader;
	struct opening opening;
	char from[NAMES_TEXT];
	SSL_SESSION *session; /* of the last one in this slot, with resume */
};

struct storm {
	struct storm_opts o;
	pthread_t thread;
	struct loop loop;
	struct slot *slots;
	uint64_t began, ended, begun; /* when; how many connections */
	char reason[STORM_REASON];
	atomic_ullong opened, failed, resumed;
	atomic_bool stop, over;
};

static void slot_header(void *owner, const struct reader_element *e)
{
	opening_header(&((struct slot *)owner)->opening, e);
}

static void slot_element(void *owner, const struct reader_element *e)
{
	(void)opening_element(&((struct slot *)owner)->opening, e);
}

static void slot_end(void *owner)
{
	(void)owner;
}

static const struct reader_calls slot_calls = { slot_header, slot_element, slot_end };

static void slot_close(struct slot *s)
{
	/* Without TIME_WAIT, or the ports would be used up. */
	static const struct linger now = { .l_onoff = 1 };

	if (wire_is_open(&s->wire))
		setsockopt(s->wire.source.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	wire_close(&s->wire);
	reader_free(s->reader);
	s->reader = NULL;
}

static void slot_failed(struct slot *s, const char *why)
{
	struct storm *st = s->storm;

	if (!st->reason[0])
		snprintf(st->reason, sizeof(st->reason), "%s", why);
	atomic_fetch_add(&st->failed, 1);
	slot_close(s);
}

static void slot_opened(struct slot *s)
{
	if (!s->wire.tls) {
		slot_failed(s, "the server does not do TLS");
		return;
	}
	if (SSL_session_reused(s->wire.tls))
		atomic_fetch_add(&s->storm->resumed, 1);
	if (s->storm->o.resume) {
		SSL_SESSION_free(s->session);
		s->session = SSL_get1_session(s->wire.tls);
	}
	atomic_fetch_add(&s->storm->opened, 1);
	slot_close(s);
}

static void slot_ready(struct source *source, uint32_t events)
{
	struct slot *s = (struct slot *)source;
	char buf[WIRE_READ];
	ssize_t n = -EAGAIN;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		n = wire_read(&s->wire, buf, sizeof(buf));
	if (n > 0 && !reader_feed(s->reader, buf, (size_t)n)) {
		slot_failed(s, "what the server sent is not well-formed");
		return;
	}
	if (n == 0 || (n < 0 && n != -EAGAIN)) {
		slot_failed(s, n ? strerror((int)-n) : "closed by the server");
		return;
	}
	if (opening_turn(&s->opening)) {
		reader_free(s->reader);
		s->reader = reader_new(&slot_calls, s);
	}
	if (s->opening.state == OPENING_DONE)
		slot_opened(s);
	else if (!wire_flush(&s->wire))
		slot_failed(s, strerror(errno));
}

static void slot_open(struct slot *s)
{
	struct storm *st = s->storm;
	const struct names *names = st->o.names;
	uint64_t i = st->begun++;
	const char *to = names->targets[st->o.resume ? 0 : i % names->n_targets].p;
	int fd = address_connect(st->o.server);

	if (fd < 0 || !wire_open(&s->wire, &st->loop, fd, slot_ready)) {
		s->wire.source.fd = -1;
		slot_failed(s, strerror(errno));
		return;
	}
	s->reader = reader_new(&slot_calls, s);
	if (!opening_begin(&s->opening, &s->wire, st->o.secure, s->session,
		    names_pair(names, (uint32_t)(i % names->n_pairs), s->from).p, to))
		slot_failed(s, "OpenSSL refuses the connection");
	else
		wire_set_hungry(&s->wire, false);
}

static uint64_t storm_due(const struct storm *st)
{
	uint64_t due;

	if (!st->o.rate)
		return st->o.count;
	due = (uint64_t)((double)(bench_now() - st->began) / 1e9 * (double)st->o.rate) + 1;
	return due < st->o.count ? due : st->o.count;
}

static void storm_fill(struct storm *st)
{
	uint64_t due = storm_due(st);

	for (uint32_t i = 0; i < st->o.at_once && st->begun < due; i++) {
		if (!wire_is_open(&st->slots[i].wire))
			slot_open(&st->slots[i]);
	}
}

static void *storm_run(void *arg)
{
	struct storm *st = arg;

	st->began = bench_now();
	while (!atomic_load(&st->stop) &&
		atomic_load(&st->opened) + atomic_load(&st->failed) < st->o.count) {
		storm_fill(st);
		loop_turn(&st->loop, TURN_MS);
	}
	st->ended = bench_now();
	atomic_store(&st->over, true);
	return NULL;
}

struct storm *storm_start(const struct storm_opts *o)
{
	struct storm *st = bench_alloc(1, sizeof(*st));

	st->o = *o;
	st->slots = bench_alloc(o->at_once, sizeof(*st->slots));
	for (uint32_t i = 0; i < o->at_once; i++) {
		st->slots[i].storm = st;
		st->slots[i].wire.source.fd = -1;
	}
	if (loop_init(&st->loop)) {
		errno = pthread_create(&st->thread, NULL, storm_run, st);
		if (!errno)
			return st;
		loop_close(&st->loop);
	}
	free(st->slots);
	free(st);
	return NULL;
}

void storm_free(struct storm *st)
{
	if (!st)
		return;
	atomic_store(&st->stop, true);
	pthread_join(st->thread, NULL);
	for (uint32_t i = 0; i < st->o.at_once; i++) {
		slot_close(&st->slots[i]);
		SSL_SESSION_free(st->slots[i].session);
	}
	loop_close(&st->loop);
	free(st->slots);
	free(st);
}

bool storm_is_over(const struct storm *st)
{
	return atomic_load(&st->over);
}

struct storm_counts storm_counts(const struct storm *st)
{
	return (struct storm_counts){
		.opened = atomic_load(&st->opened),
		.failed = atomic_load(&st->failed),
		.resumed = atomic_load(&st->resumed),
		.time = storm_is_over(st) ? st->ended - st->began : 0,
	};
}

const char *storm_reason(const struct storm *st)
{
	return storm_is_over(st) ? st->reason : "";
}
