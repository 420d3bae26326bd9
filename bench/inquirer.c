/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/inquirer.h"

#include <strings.h>

struct inquirer_question {
	char *from, *to, *id, *key; /* from: owns the memory of all four */
	void *owner; /* NULL: nobody waits */
	uint32_t number;
};

static void stream_ready(struct source *source, uint32_t events);

void inquirer_init(struct inquirer *v, struct loop *l, const struct address *server,
	struct secure *secure, void (*answered)(void *owner, uint32_t number, enum verdict v))
{
	memset(v, 0, sizeof(*v));
	v->wire.source.fd = -1;
	v->loop = l;
	v->server = *server;
	v->secure = secure;
	v->answered = answered;
}

static struct inquirer_question *question_at(struct inquirer *v, uint32_t i)
{
	return &v->questions[(v->head + i) & (v->cap - 1)];
}

static void stream_close(struct inquirer *v)
{
	wire_close(&v->wire);
	reader_free(v->reader);
	v->reader = NULL;
	v->over = false;
	v->n_asked = 0;
}

void inquirer_free(struct inquirer *v)
{
	stream_close(v);
	for (uint32_t i = 0; i < v->n; i++)
		free(question_at(v, i)->from);
	free(v->questions);
	v->questions = NULL;
	v->n = v->cap = 0;
}

/* Takes question i out; those before it keep their order. */
static struct inquirer_question question_take(struct inquirer *v, uint32_t i)
{
	struct inquirer_question q = *question_at(v, i);

	for (; i; i--)
		*question_at(v, i) = *question_at(v, i - 1);
	v->head = (v->head + 1) & (v->cap - 1);
	v->n--;
	return q;
}

static void answer_give(struct inquirer *v, uint32_t i, enum verdict verdict)
{
	struct inquirer_question q = question_take(v, i);

	if (q.owner)
		v->answered(q.owner, q.number, verdict);
	free(q.from);
}

static void inquirer_answer(struct inquirer *v, const struct reader_element *e)
{
	for (uint32_t i = 0; i < v->n_asked; i++) {
		const struct inquirer_question *q = question_at(v, i);

		if (strcmp(q->id, e->id) != 0 || strcasecmp(q->to, e->to) != 0 ||
			strcasecmp(q->from, e->from) != 0)
			continue;
		v->n_asked--;
		v->failures = 0;
		answer_give(v, i,
			strcmp(e->type, "valid") == 0		  ? VERDICT_VALID
				: strcmp(e->type, "invalid") == 0 ? VERDICT_INVALID
								  : VERDICT_ERROR);
		return;
	}
	v->unexpected++;
}

static void stream_header(void *owner, const struct reader_element *e)
{
	opening_header(&((struct inquirer *)owner)->opening, e);
}

static void stream_element(void *owner, const struct reader_element *e)
{
	struct inquirer *v = owner;

	if (e->ns == READER_NS_STREAM && strcmp(e->name, "error") == 0) {
		if (!v->reason[0])
			snprintf(v->reason, sizeof(v->reason), "stream error %s",
				reader_condition(e));
		v->over = true;
	} else if (!opening_element(&v->opening, e) && e->ns == READER_NS_DIALBACK &&
		strcmp(e->name, "verify") == 0 && e->type[0]) {
		inquirer_answer(v, e);
	}
}

static void stream_end(void *owner)
{
	((struct inquirer *)owner)->over = true;
}

static const struct reader_calls stream_calls = { stream_header, stream_element, stream_end };

static void questions_fill(struct inquirer *v)
{
	if (!wire_is_open(&v->wire) || v->opening.state != OPENING_DONE)
		return;
	while (v->n_asked < v->n && v->n_asked < INQUIRER_WINDOW) {
		const struct inquirer_question *q = question_at(v, v->n_asked++);

		/* Keys are short, and names no longer than domain names. */
		wire_printf(&v->wire, "<db:verify from='%s' to='%s' id='%s'>%.1100s</db:verify>",
			q->to, q->from, q->id, q->key);
	}
}

static bool stream_open(struct inquirer *v)
{
	const struct inquirer_question *q = question_at(v, 0);
	int fd = address_connect(&v->server);

	if (fd < 0 || !wire_open(&v->wire, v->loop, fd, stream_ready))
		return false;
	snprintf(v->from, sizeof(v->from), "%s", q->to);
	snprintf(v->to, sizeof(v->to), "%s", q->from);
	v->reader = reader_new(&stream_calls, v);
	v->streams++;
	if (!opening_begin(&v->opening, &v->wire, v->secure, NULL, v->from, v->to))
		return false;
	wire_set_hungry(&v->wire, false);
	return true;
}

/* The stream is needed, and opened until that is in vain; then all questions have failed. */
static void stream_want(struct inquirer *v)
{
	while (v->n && !wire_is_open(&v->wire)) {
		if (v->failures < INQUIRER_TRIES && stream_open(v))
			return;
		stream_close(v);
		if (v->failures++ < INQUIRER_TRIES)
			continue;
		answer_give(v, 0, VERDICT_ERROR);
	}
}

static void stream_failed(struct inquirer *v, const char *why)
{
	if (!v->reason[0])
		snprintf(v->reason, sizeof(v->reason), "%s", why);
	/* One that ended with nothing to answer has done what it was for. */
	v->failures += v->n_asked != 0 || v->opening.state != OPENING_DONE;
	stream_close(v);
	stream_want(v);
}

static void stream_ready(struct source *source, uint32_t events)
{
	struct inquirer *v = (struct inquirer *)source;
	static char buf[65536];
	ssize_t n = -EAGAIN;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		n = wire_read(&v->wire, buf, sizeof(buf));
	if (n > 0 && !reader_feed(v->reader, buf, (size_t)n)) {
		stream_failed(v, "the server's answer is not well-formed");
		return;
	}
	/* An answer may have ended it: whoever was told has closed everything. */
	if (!wire_is_open(&v->wire))
		return;
	if (n == 0 || v->over || (n < 0 && n != -EAGAIN)) {
		stream_failed(v,
			n < 0 && n != -EAGAIN ? strerror((int)-n) : "closed by the server");
		return;
	}
	if (opening_turn(&v->opening)) {
		reader_free(v->reader);
		v->reader = reader_new(&stream_calls, v);
	}
	if (v->opening.state == OPENING_DONE && v->secure && !v->wire.tls) {
		stream_failed(v, "the server does not do TLS");
		return;
	}
	questions_fill(v);
	if (!wire_flush(&v->wire))
		stream_failed(v, strerror(errno));
}

static void ring_grow(struct inquirer *v)
{
	uint32_t cap = v->cap ? 2 * v->cap : 64;
	struct inquirer_question *questions = bench_alloc(cap, sizeof(*questions));

	for (uint32_t i = 0; i < v->n; i++)
		questions[i] = *question_at(v, i);
	free(v->questions);
	v->questions = questions;
	v->cap = cap;
	v->head = 0;
}

void inquirer_ask(struct inquirer *v, const char *from, const char *to, const char *id,
	const char *key, void *owner, uint32_t number)
{
	size_t lengths[] = { strlen(from) + 1, strlen(to) + 1, strlen(id) + 1, strlen(key) + 1 };
	struct inquirer_question q = { .owner = owner, .number = number };

	if (v->n == v->cap)
		ring_grow(v);
	q.from = bench_alloc(1, lengths[0] + lengths[1] + lengths[2] + lengths[3]);
	q.to = memcpy(q.from, from, lengths[0]) + lengths[0];
	q.id = memcpy(q.to, to, lengths[1]) + lengths[1];
	q.key = memcpy(q.id, id, lengths[2]) + lengths[2];
	memcpy(q.key, key, lengths[3]);
	*question_at(v, v->n++) = q;
	stream_want(v);
	questions_fill(v);
	/* The loop writes: many questions come at once. */
	wire_set_hungry(&v->wire, false);
}

void inquirer_forget(struct inquirer *v, void *owner)
{
	for (uint32_t i = 0; i < v->n; i++) {
		if (question_at(v, i)->owner == owner)
			question_at(v, i)->owner = NULL;
	}
}

void inquirer_reset(struct inquirer *v)
{
	stream_close(v);
	for (uint32_t i = 0; i < v->n; i++)
		free(question_at(v, i)->from);
	v->n = 0;
	v->failures = 0;
}
